"""`platewarden-edge bench`: what this device can do, on its own processor, disk and pictures."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from edge.clock import Clock
from edge.health import Health
from edge.items import Item
from edge.models import choose, make_engine
from edge.pipeline import Pipeline
from edge.settings import Settings
from edge.sources import SourceError, open_source
from edge.spool import Spool, Spooled
from edge.squeeze import Squeeze, squeezed
from edge.transport.rest import items_json
from inference.engine import Engine
from inference.models import ModelError
from inference.pipeline import Place
from inference.results import Picture

SIZE: Final = (1280, 720)
_PLATE: Final = (560, 500, 720, 536)
_SQUEEZE: Final = Squeeze(width=416, grey=True, cut_top=0.45, quality=40)
_LEAST: Final = 5


@dataclass(frozen=True, slots=True)
class Times:
    """Median milliseconds of one thread: finding plates in a frame, reading one of them."""

    detect_ms: float
    read_ms: float


def drawn_frame() -> Picture:
    """A frame of 1280×720 with the noise of a camera and something like a plate."""
    grain = np.random.default_rng(1).normal(110, 12, (SIZE[1], SIZE[0], 3))
    picture = np.clip(grain, 0, 255).astype(np.uint8)
    x1, y1, x2, y2 = _PLATE
    cv2.rectangle(picture, (x1, y1), (x2, y2), (235, 235, 235), -1)
    cv2.putText(
        picture, "4A2 3000", (x1 + 6, y2 - 8), cv2.FONT_HERSHEY_DUPLEX, 0.95, (30, 30, 30), 2
    )
    return picture


def frame_times(engine: Engine, *, seconds: float) -> Times:
    """How long the two steps take here, measured for about so many seconds each. ModelError."""
    picture = drawn_frame()
    x1, y1, x2, y2 = _PLATE
    quad = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)
    return Times(
        _median_ms(lambda: engine.find(picture), seconds),
        _median_ms(lambda: engine.read_places(picture, [Place(quad, 1.0)]), seconds),
    )


def _median_ms(work: Callable[[], object], seconds: float) -> float:
    work()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < _LEAST or time.perf_counter() < until:
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 2)


class Kept:
    """An outbox that keeps what was put, in memory."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def put(self, item: Item) -> None:
        self.items.append(item)


def watch_video(path: str, settings: Settings) -> tuple[list[Item], dict[str, Any]]:
    """A video through the pipeline, every frame, as fast as it goes: its items, and `frames`,
    `seconds`, `cpu_s`, `frames_per_second`, and of each core `frames_per_cpu_second`.

    Raises SourceError.
    """
    kept, health, clock = Kept(), Health(), Clock()
    with closing(open_source(path, clock=clock, health=health, realtime=False)) as source:
        pipeline = Pipeline(source, kept, lambda: settings, clock, health, waits=True)
        began, cpu = time.perf_counter(), time.process_time()
        pipeline.run(threading.Event())
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    frames = int(health.snapshot().get("frames_captured", 0))
    return kept.items, {
        "frames": frames,
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu, 2),
        "frames_per_second": round(frames / max(seconds, 1e-9), 1),
        "frames_per_cpu_second": round(frames / max(cpu, 1e-9), 1),
    }


def item_bytes(item: Item) -> int:
    """Bytes of an item as the REST road sends it, before compression; the larger picture that is
    only sent when somebody asks for it is not among them."""
    body = items_json([Spooled(1, item, 0)], sent_at=item.captured_at)
    return len(json.dumps(body["items"][0]).encode())


def spool_rate(seconds: float) -> float:
    """Reads a second that the disk of the temporary folder keeps, each synced by itself."""
    with tempfile.TemporaryDirectory(prefix="platewarden-edge-") as folder:
        spool = Spool(
            Path(folder),
            secrets.token_bytes(32),
            max_bytes=10**9,
            keep_hours=24.0,
            clock=Clock(),
            health=Health(),
        )
        crop = os.urandom(3000)
        count, began = 0, time.perf_counter()
        with closing(spool):
            while (passed := time.perf_counter() - began) < seconds:
                spool.put(Item("read", datetime.now(UTC), {"read": {"text": ""}}, crop=crop))
                count += 1
    return round(count / passed, 1)


def bench(video: str | None, *, seconds: float, as_json: bool) -> int:
    """Measure and say it; 0, or 1 where something cannot run."""
    try:
        found = _measured(video, seconds)
    except (ModelError, SourceError) as error:
        print(f"platewarden-edge: {getattr(error, 'sentence', error)}")
        return 1
    if as_json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        print(f"  {name.replace('_', ' '):<34} {value}")
    return 0


def _measured(video: str | None, seconds: float) -> dict[str, Any]:
    choice = choose()
    engine = make_engine(choice)
    times = frame_times(engine, seconds=seconds / 2)
    picture = drawn_frame()
    rate = 1000 / times.detect_ms
    found: dict[str, Any] = {
        "models": f"{choice.precision} on {choice.provider}",
        "because": choice.because,
        **asdict(times),
        "frames_per_second_detecting": round(rate, 1),
        "squeeze_ms": _median_ms(lambda: squeezed(picture, _SQUEEZE), seconds / 10),
        "spooled_per_second": spool_rate(min(seconds, 3.0)),
        "mode": "read" if rate >= 1.25 * 4.0 else "frame",
    }
    if video:
        items, run = watch_video(video, Settings(mode="read"))
        found |= {f"video_{name}": value for name, value in run.items()}
        found["video_vehicles"] = len(items)
        sizes = [item_bytes(item) for item in items]
        found["video_bytes_per_vehicle"] = round(statistics.mean(sizes)) if sizes else 0
    return found
