"""The frames of one camera, in order → one track per vehicle's plate, and its text by vote.

    tracker = Tracker()
    for at, picture in frames:  # seconds, never going back, any distance apart
        for track in tracker.update(at, engine.read(picture).plates):
            …  # a vehicle has left
    rest = tracker.finish()

A plate joins the track whose text it resembles and near whose predicted place it lies: each goes on
at constant velocity. Where texts are misread the place decides, where vehicles cross or overtake
the text does. Work per frame grows with tracks × plates, both few.

Not every plate needs reading in every frame. `claims` says which track a detected plate goes on by
its place alone; `update` takes such a place, unread, in `passed`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from inference.results import Plate
from inference.voting import Consensus, Seen, consensus, likeness

MOST_GLIMPSES: Final = 25
"""A parked vehicle is read for ever; this many best readings say what it is."""

ALIKE: Final = 0.5
"""`likeness` from which two texts may be of one plate wherever it can have moved meanwhile."""
OVERLAP: Final = 0.3
"""Intersection over union with the predicted box from which a plate is the track's whatever it
reads, unless both are `SURE` of different texts: then another vehicle stands there now."""
SURE: Final = 0.8
TRUSTED: Final = 0.5
"""Seconds since a track was seen for which a place alone says that it is the same vehicle."""

# How far a plate may be from where it was expected, in its own widths: at once, and more for each
# second since it was last seen; before its velocity is known, it may have any.
_REACH: Final = 1.0
_REACH_PER_SECOND: Final = 4.0
_UNKNOWN_SPEED: Final = 25.0
_MOST_REACH: Final = 6.0
_MOST_GROWTH: Final = 2.5
"""How many times larger or smaller a plate may be than when it was last seen."""
_NEWEST: Final = 0.6
"""The share of the newest displacement in the velocity."""


Place = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels, also between them."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A plate as one frame showed it; `at` in the tracker's seconds."""

    at: float
    plate: Plate


@dataclass(frozen=True, slots=True)
class Track:
    """One vehicle's plate over the frames that showed it.

    `number` counts from 1 in order of appearance. `frames`: how many frames showed it, `reads`: in
    how many it was read; `glimpses`: the best of these by score, at most `MOST_GLIMPSES`, in order
    of time. `last`: the newest read; `place`: where it was seen last, read or not.
    """

    number: int
    first_at: float
    last_at: float
    frames: int
    reads: int
    glimpses: tuple[Glimpse, ...]
    last: Glimpse
    place: Place

    @property
    def agreed(self) -> Consensus:
        """The text of all glimpses together (`voting`)."""
        return consensus([as_seen(glimpse.plate) for glimpse in self.glimpses])

    @property
    def best(self) -> Glimpse:
        """The glimpse to show as evidence: the best that reads the agreed text, if one does."""
        text = self.agreed.text
        return max(self.glimpses, key=lambda one: (one.plate.text == text, one.plate.score))


def as_seen(plate: Plate) -> Seen:
    """What a plate read in one frame says, as `voting` takes it."""
    candidates = tuple((other.text, other.score) for other in plate.candidates)
    return Seen(plate.text, plate.score, plate.chars, candidates, plate.region)


class Tracker:
    """Follows the plates of one camera. Not for several threads at once."""

    def __init__(self, *, max_gap: float = 2.0, max_missed: int = 3) -> None:
        """A track ends once it has been unseen for more than `max_gap` seconds *and* in more than
        `max_missed` frames: a camera that sends a frame every five seconds misses none."""
        self.max_gap = max_gap
        self.max_missed = max_missed
        self._count = 0
        self._now = -math.inf
        self._live: list[_Course] = []

    def claims(self, at: float, places: Sequence[Place]) -> list[int | None]:
        """For each place where a plate was detected, the number of the track it goes on whatever
        it reads; None where its text has to decide: no track or several are expected there, or
        several plates lie where a track is expected, or it is long since it was seen."""
        expected = {
            course.number: course.expected(at - course.at)
            for course in self._live
            if at - course.at <= TRUSTED
        }
        near = [
            [number for number, ahead in expected.items() if overlap(ahead, place) >= OVERLAP]
            for place in places
        ]
        wanted = Counter(number for numbers in near for number in numbers)
        return [
            numbers[0] if len(numbers) == 1 and wanted[numbers[0]] == 1 else None
            for numbers in near
        ]

    def still(self, at: float) -> list[Track]:
        """The picture has not changed since the last update: what was seen there is seen, what was
        missed is missed. The tracks that ended."""
        self._advance(at)
        for course in self._live:
            if course.missed:
                course.missed += 1
            else:
                course.wait(at)
        return self._end()

    def _advance(self, at: float) -> None:
        if not at >= self._now:
            raise ValueError("frames must come in order of time")
        self._now = at

    def update(
        self, at: float, plates: Sequence[Plate], passed: Mapping[int, Place] | None = None
    ) -> list[Track]:
        """Take one frame's plates in; the tracks that ended. `passed`: places where tracks, by
        number, were seen without being read (`claims`). ValueError if time runs backwards."""
        self._advance(at)
        passed = passed or {}
        pairs = sorted(
            ((fit, place, index) for place, index, fit in self._fits(at, plates)),
            key=lambda pair: (-pair[0], pair[1], pair[2]),
        )
        taken: set[int] = set()
        grown: set[int] = set()
        for place, course in enumerate(self._live):
            if course.number in passed:
                grown.add(place)
                course.move(at, passed[course.number])
        for _, place, index in pairs:
            if place not in grown and index not in taken:
                grown.add(place)
                taken.add(index)
                self._live[place].join(Glimpse(at, plates[index]))
        for place, course in enumerate(self._live):
            course.missed = 0 if place in grown else course.missed + 1
        ended = self._end()
        for index, plate in enumerate(plates):
            if index not in taken:
                self._count += 1
                self._live.append(_Course(self._count, Glimpse(at, plate)))
        return ended

    def _end(self) -> list[Track]:
        ended = [course.track() for course in self._live if self._over(course)]
        self._live = [course for course in self._live if not self._over(course)]
        return ended

    def _fits(self, at: float, plates: Sequence[Plate]) -> Iterable[tuple[int, int, float]]:
        for place, course in enumerate(self._live):
            for index, plate in enumerate(plates):
                fit = course.fit(at, plate)
                if fit is not None:
                    yield place, index, fit

    def _over(self, course: _Course) -> bool:
        return course.missed > self.max_missed and self._now - course.at > self.max_gap

    @property
    def live(self) -> list[Track]:
        """The tracks that may go on, in order of appearance, as they stand."""
        return [course.track() for course in self._live]

    def finish(self) -> list[Track]:
        """No frame will follow: end and hand out all that is left."""
        left, self._live = self.live, []
        return left


@dataclass
class _Course:
    """A track in the making: where its plate was and where it is going, in pixels a second."""

    number: int
    first: Glimpse
    missed: int = 0
    frames: int = 1
    reads: int = 1
    velocity: tuple[float, float] | None = None
    at: float = field(init=False)
    place: Place = field(init=False)
    glimpses: list[Glimpse] = field(init=False)
    last: Glimpse = field(init=False)
    best: Glimpse = field(init=False)

    def __post_init__(self) -> None:
        self.at, self.place = self.first.at, self.first.plate.box
        self.glimpses = [self.first]
        self.last = self.best = self.first

    def fit(self, at: float, plate: Plate) -> float | None:
        """How well a plate continues the track, 0–3; None where it can't be its."""
        passed = at - self.at
        ahead = self.expected(passed)
        size, other = _size(self.place), _size(plate.box)
        if not 1 / _MOST_GROWTH <= other / size <= _MOST_GROWTH:
            return None
        speed = _REACH_PER_SECOND if self.velocity else _UNKNOWN_SPEED
        reach = min(_MOST_REACH, _REACH + speed * passed)
        away = math.dist(_centre(ahead), _centre(plate.box)) / max(_width(ahead), 1.0)
        if away > reach:
            return None
        known = {self.last.plate.text, self.best.plate.text}
        alike = max(likeness(text, plate.text) for text in known)
        if alike < ALIKE:
            sure = min(self.best.plate.score, plate.score) >= SURE
            if sure or overlap(ahead, plate.box) < OVERLAP:
                return None
        return 2 * alike + 1 - away / reach

    def expected(self, passed: float) -> Place:
        x1, y1, x2, y2 = self.place
        dx, dy = self.velocity or (0.0, 0.0)
        return x1 + dx * passed, y1 + dy * passed, x2 + dx * passed, y2 + dy * passed

    def move(self, at: float, place: Place) -> None:
        """Seen at this place."""
        passed = at - self.at
        if passed > 0:
            before, now = _centre(self.place), _centre(place)
            newest = ((now[0] - before[0]) / passed, (now[1] - before[1]) / passed)
            old = self.velocity or newest
            self.velocity = (
                _NEWEST * newest[0] + (1 - _NEWEST) * old[0],
                _NEWEST * newest[1] + (1 - _NEWEST) * old[1],
            )
        self.at, self.place = at, place
        self.frames += 1

    def wait(self, at: float) -> None:
        """Seen where it was."""
        self.move(at, self.place)
        self.velocity = (0.0, 0.0)

    def join(self, glimpse: Glimpse) -> None:
        """Seen and read."""
        self.move(glimpse.at, glimpse.plate.box)
        self.reads += 1
        self.last = glimpse
        if glimpse.plate.score > self.best.plate.score:
            self.best = glimpse
        self.glimpses.append(glimpse)
        if len(self.glimpses) > MOST_GLIMPSES:
            self.glimpses.remove(min(self.glimpses, key=lambda one: one.plate.score))

    def track(self) -> Track:
        return Track(
            self.number,
            self.first.at,
            self.at,
            self.frames,
            self.reads,
            tuple(self.glimpses),
            self.last,
            self.place,
        )


def _centre(box: Place) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _width(box: Place) -> float:
    return box[2] - box[0]


def _size(box: Place) -> float:
    return math.sqrt(max(1.0, _area(box)))


def overlap(one: Place, other: Place) -> float:
    """Intersection over union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = _area(one) + _area(other)
    return wide * high / (both - wide * high)


def _area(box: Place) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
