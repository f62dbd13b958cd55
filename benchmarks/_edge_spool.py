"""A day without a network, and two hundred power cuts: what is spooled arrives, in order, once.

What lies in the spool was put there by the agent's own code and is known here; the agent that sends
it is the installed one.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks._edge_site import CAPTURES, Say, Site, spread
from benchmarks._frames import plate_texts
from demo.client import Device, Seller
from demo.play import ROOT
from demo.video import Agent
from edge.agent import KEY_FILE
from edge.clock import Clock
from edge.health import Health
from edge.items import Item
from edge.sealing import load_key
from edge.spool import Spool

PLATES: Final = 5_000
"""Different vehicles …"""
WITHOUT_RIGHT: Final = 0.02
"""… of which this share has no vignette, and opens a case each."""
_AT_ONCE: Final = 500
DAY: Final = timedelta(hours=24)
EACH_LIFE: Final = 25
"""Items put before each start of an agent that is going to be killed."""
LIFE_S: Final = (0.1, 2.0)
_LIVE_EVERY_S: Final = 0.5
_ARRIVAL_S: Final = 1800.0
_QUIET_S: Final = 120.0

_COUNT: Final = """
SELECT count(*), count(k.judged_at) FROM cameras_capture k
JOIN cameras_camera c ON c.id = k.camera_id WHERE c.slug = %s
"""
_VERDICTS: Final = """
SELECT count(*), count(DISTINCT (k.id)), count(DISTINCT (k.captured_at))
FROM cameras_capture k JOIN cameras_camera c ON c.id = k.camera_id WHERE c.slug = %s
"""


def spool_of(agent: Agent) -> Spool:
    """The agent's own spool, while it does not run."""
    return Spool(
        agent.data / "spool",
        load_key(agent.data / KEY_FILE),
        max_bytes=10**10,
        keep_hours=7 * 24.0,
        clock=Clock(),
        health=Health(),
    )


def vehicles(count: int) -> list[str]:
    """Their plates: the same for every call, as many as `count` reads need."""
    texts = plate_texts(min(count, PLATES), np.random.default_rng(7))
    return [text.replace(" ", "") for text in texts]


def pay(site: Site, plates: list[str], now: datetime) -> int:
    """Buy a vignette for all but `WITHOUT_RIGHT` of the vehicles; for how many."""
    seller = Seller(site.url, site.made["provider"])
    bought = now - timedelta(days=30)
    paying = plates[round(WITHOUT_RIGHT * len(plates)) :]
    for first in range(0, len(paying), _AT_ONCE):
        seller.deliver(
            [
                {
                    "kind": "vignette",
                    "id": f"{site.made['run']}-{first + number}",
                    "scheme": "CZ",
                    "product": "annual",
                    "plate": plate,
                    "country": "CZ",
                    "first_day": bought.date().isoformat(),
                    "bought_at": bought.isoformat(),
                }
                for number, plate in enumerate(paying[first : first + _AT_ONCE])
            ]
        )
    return len(paying)


def reads(count: int, since: datetime, until: datetime) -> Iterator[Item]:
    """Reads of many vehicles, evenly between two moments, each with a crop of a drawn plate."""
    rng = np.random.default_rng(7)
    texts = vehicles(count)
    grain = rng.normal(128, 30, (40, 160, 3)).clip(0, 255).astype(np.uint8)
    crop = cv2.imencode(".jpg", grain, [cv2.IMWRITE_JPEG_QUALITY, 30])[1].tobytes()
    for number in range(count):
        text = texts[number % len(texts)]
        read = {
            "text": text,
            "score": 0.98,
            "char_scores": [0.98] * len(text),
            "candidates": [[text, 0.98]],
            "country": "CZ",
        }
        yield Item("read", since + (until - since) * (number / count), {"read": read}, crop=crop)


def offline(site: Site, count: int, say: Say) -> dict[str, Any]:
    """`count` reads of the last 24 hours lie in the spool when the network comes back."""
    slug, token = site.camera()
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as name:
        folder = Path(name)
        agent = _without_camera(site, folder)
        agent.enrol(token)
        now = datetime.now(UTC)
        plates = vehicles(count)
        paid = pay(site, plates, now)
        say(f"{paid} of {len(plates)} vehicles have a vignette")
        began = time.monotonic()
        with closing(spool_of(agent)) as spool:
            for item in reads(count, now - DAY, now - timedelta(seconds=5)):
                spool.put(item)
        put_s = time.monotonic() - began
        say(f"{count} reads spooled in {put_s:.0f} s; the network is back")
        began = time.monotonic()
        with agent, _Live(site) as live:
            arrived, arrived_s = _wait(site, slug, count, say)
    judged_s = _judged(site, slug, arrived, began)
    rows = site.query(CAPTURES, slug)
    moments = [row[0] for row in rows]
    orderly = sum(later >= earlier for earlier, later in pairwise(moments))
    return {
        "reads": count,
        "vehicles": len(plates),
        "with_right": paid,
        "spooled_per_second": round(count / put_s),
        "arrived": arrived,
        "distinct": len(set(moments)),
        "arrived_s": round(arrived_s, 1),
        "arrived_per_second": round(arrived / max(arrived_s, 1e-9)),
        "judged": sum(row[2] is not None for row in rows),
        "judged_s": round(judged_s, 1),
        "out_of_order": max(0, len(moments) - 1 - orderly),
        "live_posts": len(live.seconds),
        "live_failed": live.failed,
        "live_post_ms": spread(live.seconds),
    }


def kills(site: Site, count: int, say: Say) -> dict[str, Any]:
    """The agent is killed `count` times at random moments while it sends."""
    slug, token = site.camera()
    draw = random.Random(4)
    total = EACH_LIFE * count
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as name:
        agent = _without_camera(site, Path(name))
        agent.enrol(token)
        now = datetime.now(UTC)
        items = reads(total, now - timedelta(hours=1), now - timedelta(seconds=5))
        began = time.monotonic()
        for life in range(count):
            with closing(spool_of(agent)) as spool:
                for _ in range(EACH_LIFE):
                    spool.put(next(items))
            with agent:
                time.sleep(draw.uniform(*LIFE_S))
                agent.kill()
            if (life + 1) % 50 == 0:
                say(f"{life + 1} times killed")
        killed_s = time.monotonic() - began
        with closing(spool_of(agent)) as spool:
            waiting = spool.state().waiting
        with agent:
            arrived, _ = _wait(site, slug, total, say)
        with closing(spool_of(agent)) as spool:
            state = spool.state()
    (rows,) = site.query(_VERDICTS, slug)
    return {
        "kills": count,
        "seconds": round(killed_s, 1),
        "spooled": total,
        "waiting_after_last_kill": waiting,
        "arrived": arrived,
        "distinct": rows[2],
        "lost": total - rows[2],
        "twice": rows[0] - rows[2],
        "left_in_spool": state.waiting + state.refused,
    }


def _without_camera(site: Site, folder: Path) -> Agent:
    """An agent whose camera never shows anything: an empty folder that is watched."""
    empty = folder / "pictures"
    empty.mkdir()
    return Agent(site.command, empty, folder, settings={"mode": "read"})


def _wait(site: Site, slug: str, count: int, say: Say) -> tuple[int, float]:
    """Until `count` captures of a camera are there: how many are, and after how many seconds."""
    began, told = time.monotonic(), 0
    while True:
        ((arrived, _),) = site.query(_COUNT, slug)
        passed = time.monotonic() - began
        if arrived >= count or passed > _ARRIVAL_S:
            return int(arrived), passed
        if arrived - told >= 20_000:
            told = arrived
            say(f"{arrived} arrived after {passed:.0f} s")
        time.sleep(0.5)


def _judged(site: Site, slug: str, count: int, began: float) -> float:
    """Seconds since `began` until all are judged, or none was for two minutes."""
    last, changed = -1, time.monotonic()
    while True:
        ((_, judged),) = site.query(_COUNT, slug)
        now = time.monotonic()
        if judged != last:
            last, changed = judged, now
        if judged >= count or now - changed > _QUIET_S:
            return changed - began
        time.sleep(1.0)


class _Live(threading.Thread):
    """Another camera that goes on sending meanwhile: how long each answer takes."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self._device = Device(site.url, site.made["cameras"]["gantry-north"])
        self._run_id = site.made["run"]
        self._stop_asked = threading.Event()
        self.seconds: list[float] = []
        self.failed = 0

    def __enter__(self) -> _Live:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join(60)

    def run(self) -> None:
        picture = ROOT / "demo" / "pictures"
        path = min(picture.glob("*.jpg"))
        data = path.read_bytes()
        while not self._stop_asked.wait(_LIVE_EVERY_S):
            began = time.monotonic()
            try:
                self._device.send(
                    path,
                    data,
                    captured_at=datetime.now(UTC),
                    event_id=f"{self._run_id}:live:{began}",
                )
            except Exception:
                self.failed += 1
            else:
                self.seconds.append(time.monotonic() - began)
