"""What happens to a frame: one list of stages, each a function, each bounded.

capture → motion gate → detect → track → read → vote → publish

Capture is the pipeline's own thread and drops the oldest frame when the others can't keep up
(`pipeline`); publish hands over to a thread that waits for the disk (`publish`). What is in between
works on one frame at a time: at most `inference.pipeline.MAX_PLATES` plates, each read once at
most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from edge.follow import Follower
from edge.health import Health
from edge.items import Frame
from edge.modes import WEAK_RATE, Chooser, Plan
from edge.motion import MotionGate
from edge.publish import Publisher
from edge.settings import Point, Settings
from edge.vote import Told, Votes
from inference.engine import Engine
from inference.geometry import box_of
from inference.pipeline import Place
from inference.results import Box, Plate
from inference.tracking import Track

SHOWN: Final = 0.5
"""Detector's score from which a plate that was not read counts as one of this site's."""


@dataclass(slots=True)
class Look:
    """One frame on its way through the stages. `places`, `boxes`: of the plates within the region
    of interest; `outside`: of the others."""

    frame: Frame
    settings: Settings
    plan: Plan
    engine: Engine
    moved: bool = True
    places: tuple[Place, ...] = ()
    boxes: list[Box] = field(default_factory=list)
    outside: list[Box] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    plates: tuple[Plate, ...] = ()
    ended: list[Track] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    @property
    def to_blur(self) -> list[Box]:
        """The plates that `settings.blur` is about: where plates are blurred, those outside the
        region of interest too; where all else is, they are part of it."""
        return [*self.boxes, *self.outside] if self.settings.blur == "plates" else self.boxes


class Road:
    """What the stages know from one frame to the next."""

    def __init__(self, health: Health, chooser: Chooser, publisher: Publisher) -> None:
        self.health, self.chooser, self.publisher = health, chooser, publisher
        self.gate, self.follower, self.votes = MotionGate(), Follower(), Votes()
        self.sent_at = float("-inf")
        self._counted = {"glimpses": 0, "reads_unsure": 0}

    def count(self) -> None:
        """Bring the counters of what was not told up to date."""
        for name, now in (("glimpses", self.votes.glimpses), ("reads_unsure", self.votes.unsure)):
            self.health.count(name, now - self._counted[name])
            self._counted[name] = now


def gate(road: Road, look: Look) -> None:
    """An unchanged picture needs no looking at: what was there still is."""
    look.moved = road.gate.moved(
        look.frame.picture, look.frame.at, look.settings.region_of_interest
    )
    if not look.moved:
        road.health.count("frames_still")


def detect(road: Road, look: Look) -> None:
    """Where plates are, within the region of interest."""
    if not look.moved or not (look.plan.detect or road.chooser.trial(look.frame.at)):
        return
    started = time.perf_counter()
    found = look.engine.find(look.frame.picture)
    road.chooser.took("detect", (time.perf_counter() - started) * 1000)
    height, width = look.frame.picture.shape[:2]
    inside: list[Place] = []
    outside: list[Place] = []
    for place in found:
        within = _inside(place, look.settings.region_of_interest, width, height)
        (inside if within else outside).append(place)
    if look.plan.detect:
        look.places = tuple(inside)
        look.boxes = [box_of(place.quad, width, height) for place in inside]
        look.outside = [box_of(place.quad, width, height) for place in outside]
    else:
        for place in inside:
            if place.score >= SHOWN:
                road.chooser.plate(box_of(place.quad, width, height), height)


def _inside(place: Place, region: Sequence[Point], width: int, height: int) -> bool:
    if not region:
        return True
    corners = np.array([(x * width, y * height) for x, y in region], np.float32)
    x, y = (float(value) for value in np.mean(place.quad, axis=0))
    return bool(cv2.pointPolygonTest(corners, (x, y), False) >= 0)


def track(road: Road, look: Look) -> None:
    """Which of them go on which track, and which are worth reading."""
    if not look.plan.detect:
        return
    if look.moved:
        look.due = road.follower.due(
            look.frame.at, look.boxes, road.votes.settled, sparing=look.plan.sparing
        )
    else:
        look.ended = road.follower.still(look.frame.at)


def read(road: Road, look: Look) -> None:
    """Read those; and take in what the frame showed."""
    if not look.plan.detect or not look.moved:
        return
    if look.due:
        started = time.perf_counter()
        places = [look.places[index] for index in look.due]
        look.plates = look.engine.read_places(look.frame.picture, places).plates
        road.chooser.took("read", (time.perf_counter() - started) * 1000)
        road.health.count("plates_read", len(look.due))
    look.ended = road.follower.saw(look.frame.at, look.boxes, look.due, look.plates)


def vote(road: Road, look: Look) -> None:
    """What the frames of each vehicle say together, and which vehicles are told of now."""
    if not look.plan.detect:
        return
    live, least = road.follower.tracker.live, look.settings.min_score
    look.told = road.votes.take(look.frame, live, look.to_blur, least)
    look.told += road.votes.leave(look.ended, road.follower.seen_before, road.chooser.apart, least)
    road.count()


def publish(road: Road, look: Look) -> None:
    """Hand over what is to be sent; where no plates are looked for, frames as they move."""
    for told in look.told:
        shot = told.shots[0]
        road.chooser.plate(shot.plate.box, shot.frame.picture.shape[0])
        road.publisher.vehicle(told, look.plan, look.settings.blur)
    if not look.plan.detect and look.moved and look.frame.at - road.sent_at >= 1 / WEAK_RATE:
        road.sent_at = look.frame.at
        road.publisher.frame(look.frame, look.plan)


Stage = Callable[[Road, Look], None]
STAGES: Final[tuple[Stage, ...]] = (gate, detect, track, read, vote, publish)
