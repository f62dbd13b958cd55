"""The agent against a whole site: what arrives, when it is judged, and what it costs in memory."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import psutil
import psycopg2  # type: ignore[import-untyped]

from benchmarks._frames import drawn
from benchmarks.latency import share
from demo.client import Operator
from demo.play import SWEEP_SECONDS, set_up
from demo.video import Agent

Say = Callable[[str], None]

AGENTS: Final = 12
TOLL: Final = ("34A36837", "34A23126", "89C20339")
PARTLY: Final = "15C"
"""How the plate begins that is only partly seen: not asserted."""
MODES: Final = ("crop", "read", "auto", "frame")
RATE: Final = 15
SEEN: Final = 15
"""Frames a drawn vehicle is seen in, …"""
GAP: Final = 10
"""… and frames until the next."""
PATIENCE_S: Final = 60.0
_SAMPLE_S: Final = 5.0
_WARM: Final = 0.2

_PASSAGES: Final = """
SELECT p.id::text, r.id::text, r.capture_id::text FROM plates_passage p
JOIN cameras_camera c ON c.id = p.camera_id
LEFT JOIN plates_plateread r ON r.passage_id = p.id AND r.token_exact = p.token_exact
WHERE c.slug = %s ORDER BY p.first_at
"""
CAPTURES: Final = """
SELECT k.captured_at, k.received_at, k.judged_at, k.status FROM cameras_capture k
JOIN cameras_camera c ON c.id = k.camera_id WHERE c.slug = %s ORDER BY k.received_at, k.captured_at
"""


@dataclass
class Site:
    """A running site with as many cameras for agents as there are parts to measure."""

    url: str
    command: str
    database: str
    made: dict[str, Any] = field(default_factory=dict)
    taken: int = 0

    def set_up(self) -> None:
        self.made = set_up(agents=AGENTS)

    def camera(self) -> tuple[str, str]:
        """A camera nobody has used yet: its slug and its set-up token."""
        slug = list(self.made["setup_tokens"])[self.taken]
        self.taken += 1
        return slug, self.made["setup_tokens"][slug]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg2.connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def operator(self) -> Operator:
        return Operator(self.url, "operator", self.made["logins"]["operator"])

    def passages(self, slug: str) -> list[str]:
        """The consensus text of each passage of a camera, "" where no read of it has it."""
        operator = self.operator()
        texts: dict[str, str] = {}
        asked: dict[str, str] = {}
        for passage, read, capture in self.query(_PASSAGES, slug):
            texts.setdefault(passage, "")
            if capture and not texts[passage]:
                if capture not in asked:
                    asked |= {one["id"]: one["text"] for one in operator.reads(capture)}
                    asked[capture] = ""
                texts[passage] = asked.get(read, "")
        return list(texts.values())

    def judged(self, slug: str, count: int) -> list[tuple[Any, ...]]:
        """The camera's captures once `count` of them have their outcome, or patience ends."""
        until = time.monotonic() + PATIENCE_S
        while True:
            rows = self.query(CAPTURES, slug)
            known = [row for row in rows if row[2] or row[3] in ("unreadable", "failed")]
            if len(known) >= count or time.monotonic() > until:
                return rows
            time.sleep(0.2)


def toll(site: Site, video: Path, say: Say) -> dict[str, Any]:
    """The toll booth in every mode, in real time, to passages at the site."""
    found: dict[str, Any] = {}
    for mode in MODES:
        slug, token = site.camera()
        with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as folder:
            agent = Agent(site.command, video, Path(folder), settings={"mode": mode})
            agent.enrol(token)
            _play(agent)
        time.sleep(SWEEP_SECONDS)
        captures = len(site.judged(slug, len(site.query(CAPTURES, slug))))
        texts = site.passages(slug)
        others = [text for text in texts if text not in TOLL and not text.startswith(PARTLY)]
        found[mode] = {
            "captures": captures,
            "passages": texts,
            "right": sum(texts.count(text) == 1 for text in TOLL),
            "others": others,
            "exactly": all(texts.count(text) == 1 for text in TOLL) and not others,
        }
        say(f"{mode}: {', '.join(texts)}")
    return found


def _play(agent: Agent) -> None:
    with agent:
        while not agent.ended():
            time.sleep(0.2)


def latency(site: Site, vehicles: int, say: Say) -> dict[str, Any]:
    """From the frame a read is of to its first verdict in the database, everything here."""
    slug, token = site.camera()
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as name:
        folder = Path(name)
        video = drawn_video(folder / "drawn.mp4", vehicles)
        agent = Agent(site.command, video, folder, settings={"mode": "read"})
        agent.enrol(token)
        say(f"{vehicles} drawn vehicles, each a second in view")
        _play(agent)
    rows = site.judged(slug, vehicles)
    seconds = [(judged - captured).total_seconds() for captured, _, judged, _ in rows if judged]
    to_server = [(received - captured).total_seconds() for captured, received, _, _ in rows]
    return {
        "vehicles": vehicles,
        "reads": len(rows),
        "judged": len(seconds),
        "capture_to_server_ms": spread(to_server),
        "capture_to_verdict_ms": spread(seconds),
    }


def spread(seconds: list[float]) -> dict[str, float | None]:
    """Milliseconds at p50, p95 and the most."""
    if not seconds:
        return {"p50": None, "p95": None, "max": None}
    ms = [1000 * value for value in seconds]
    parts = {"p50": statistics.median(ms), "p95": share(ms, 0.95), "max": max(ms)}
    return {name: round(value, 1) for name, value in parts.items()}


def drawn_video(path: Path, vehicles: int) -> Path:
    """A video of 1280×720 in which drawn vehicles pass, one after the other, each slowly nearer."""
    stock = drawn(vehicles)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (1280, 720))
    empty = [_decoded(data) for data in stock.empty]
    for number, vehicle in enumerate(stock.vehicles):
        picture = _decoded(vehicle.frames[0])
        for place in range(SEEN):
            writer.write(_nearer(picture, place))
        for _ in range(GAP):
            writer.write(empty[number % len(empty)])
    writer.release()
    return path


def _nearer(picture: Any, place: int) -> Any:
    """The picture in frame number `place` of an approach: larger, and further down."""
    scale = 0.9 + 0.04 * place
    high, wide = picture.shape[:2]
    move = np.array([[scale, 0, wide / 2 * (1 - scale)], [0, scale, 10.0 * place]])
    return cv2.warpAffine(picture, move, (wide, high), borderMode=cv2.BORDER_REPLICATE)


def _decoded(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def memory(site: Site, video: Path, minutes: float, say: Say) -> dict[str, Any]:
    """The agent's resident memory while the video runs in a loop, in real time."""
    _, token = site.camera()
    samples: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as folder:
        agent = Agent(site.command, video, Path(folder), settings={"mode": "read"}, loop=True)
        agent.enrol(token)
        with agent:
            process, began = psutil.Process(agent.pid), time.monotonic()
            while (passed := time.monotonic() - began) < 60 * minutes and not agent.ended():
                samples.append((passed, process.memory_info().rss / 1e6))
                if len(samples) % 60 == 0:
                    say(f"{passed / 60:.0f} min: {samples[-1][1]:.0f} MB")
                time.sleep(_SAMPLE_S)
    warm = samples[int(_WARM * len(samples)) :]
    times, sizes = zip(*warm, strict=True)
    slope = float(np.polyfit(times, sizes, 1)[0]) * 3600 if len(warm) > 2 else 0.0
    return {
        "minutes": minutes,
        "samples": len(samples),
        "first_mb": round(statistics.median(sizes[: max(1, len(sizes) // 10)]), 1),
        "last_mb": round(statistics.median(sizes[-max(1, len(sizes) // 10) :]), 1),
        "most_mb": round(max(sizes), 1),
        "mb_per_hour": round(slope, 2),
    }
