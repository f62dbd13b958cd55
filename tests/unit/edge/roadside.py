"""A road that tests write down frame by frame, and an engine that sees what they wrote."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from edge import pipeline as pipeline_module
from edge.clock import Clock
from edge.health import Health
from edge.items import Frame, Item, Mark
from edge.models import Choice
from edge.pipeline import Pipeline
from edge.publish import VehicleRead
from edge.settings import Settings
from inference.geometry import box_of
from inference.pipeline import Place
from inference.results import Candidate, Picture, Plate, Reading

WIDTH, HEIGHT = 640, 360
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Sight:
    """A plate in one frame; `text` None: a detector sees it, a reader doesn't."""

    text: str | None
    x: float
    y: float = 200
    wide: float = 80
    high: float = 20
    score: float = 0.97

    @property
    def quad(self) -> Any:
        x2, y2 = self.x + self.wide, self.y + self.high
        return ((self.x, self.y), (x2, self.y), (x2, y2), (self.x, y2))


@dataclass(frozen=True)
class Moment:
    """One frame of the script, its second and what it shows."""

    at: float
    sights: tuple[Sight, ...] = ()


def passing(
    text: str, *, begin: float = 0, frames: int = 20, rate: float = 18, speed: float = 20
) -> list[Moment]:
    """A vehicle that drives through, `speed` pixels a frame."""
    return [Moment(begin + n / rate, (Sight(text, 20 + speed * n),)) for n in range(frames)]


def empty(begin: float, seconds: float, rate: float = 18) -> list[Moment]:
    return [Moment(begin + n / rate) for n in range(round(seconds * rate))]


def drawn(number: int, moment: Moment) -> Picture:
    """A picture that moves where its plates do. Its first pixel says which frame it is."""
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    for sight in moment.sights:
        low = (int(sight.x - 30), int(sight.y - 60))
        high = (int(sight.x + sight.wide + 30), int(sight.y + sight.high + 20))
        cv2.rectangle(picture, low, high, (140, 90, 160), -1)
        for n in range(8):
            x = int(sight.x + sight.wide * n / 8)
            cv2.rectangle(picture, (x, int(sight.y)), (x + 4, int(sight.y + sight.high)), 230, -1)
    picture[0, 0] = (number & 255, number >> 8 & 255, number >> 16)
    return picture


def number_of(picture: Picture) -> int:
    low, middle, high = (int(value) for value in picture[0, 0])
    return low | middle << 8 | high << 16


@dataclass
class Script:
    """The script as a source, and as the engine that sees it."""

    moments: Sequence[Moment]
    name: str = "script"
    read: list[int] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)
    before: Callable[[int], None] = lambda number: None
    closed: bool = False

    def frames(self) -> Iterator[Frame]:
        for number, moment in enumerate(self.moments, start=1):
            if self.closed:
                return
            captured_at = START + timedelta(seconds=moment.at)
            yield Frame(number, drawn(number, moment), moment.at, captured_at)

    def close(self) -> None:
        self.closed = True

    def warm_up(self) -> None:
        return

    def find(self, picture: Picture) -> tuple[Place, ...]:
        number = number_of(picture)
        self.before(number)
        self.looked.append(number)
        return tuple(
            Place(np.array(sight.quad, np.float32), 0.7)
            for sight in self.moments[number - 1].sights
        )

    def read_places(self, picture: Picture, places: Sequence[Place]) -> Reading:
        number = number_of(picture)
        self.read += [number] * len(places)
        plates = []
        for place in places:
            (sight,) = (
                one
                for one in self.moments[number - 1].sights
                if np.array_equal(np.array(one.quad, np.float32), place.quad)
            )
            if sight.text is not None:
                plates.append(
                    Plate(
                        text=sight.text,
                        box=box_of(place.quad, WIDTH, HEIGHT),
                        quad=sight.quad,
                        score=sight.score,
                        detector_score=0.7,
                        chars=tuple(sight.score for _ in sight.text),
                        region="CZ",
                        candidates=(Candidate(sight.text, sight.score),),
                    )
                )
        return Reading(tuple(plates), (), 1.0)


@dataclass
class Ran:
    """What a run left behind."""

    script: Script
    health: Health
    items: list[Item] = field(default_factory=list)
    told: list[VehicleRead] = field(default_factory=list)
    shown: list[tuple[Frame, tuple[Mark, ...]]] = field(default_factory=list)
    held: list[datetime | None] = field(default_factory=list)
    refuse: int = 0

    def put(self, item: Item) -> None:
        if self.refuse:
            self.refuse -= 1
            raise OSError("no room")
        self.items.append(item)

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.told]

    def fact(self, name: str) -> Any:
        return self.health.snapshot().get(name, 0)


def run(
    monkeypatch: pytest.MonkeyPatch,
    script: Script | Sequence[Moment],
    settings: Settings | Callable[[], Settings] | None = None,
    *,
    waits: bool = True,
    refuse: int = 0,
    stop: threading.Event | None = None,
) -> Ran:
    """Send the script through a pipeline, to its end. By default in mode "read"."""
    script = script if isinstance(script, Script) else Script(script)
    monkeypatch.setattr(pipeline_module, "make_engine", lambda *_, **__: script)
    ran = Ran(script, Health(), refuse=refuse)
    fixed = settings if isinstance(settings, Settings) else Settings(mode="read")
    Pipeline(
        script,
        ran,
        settings if callable(settings) else lambda: fixed,
        Clock(),
        ran.health,
        on_frame=lambda frame, marks: ran.shown.append((frame, marks)),
        on_read=ran.told.append,
        hold=ran.held.append,
        waits=waits,
        choice=Choice("CPUExecutionProvider", "int8", "a test"),
    ).run(stop or threading.Event())
    return ran
