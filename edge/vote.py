"""From the reads of a vehicle to what is said of it, and when: once, early where they agree.

A vehicle is told
- as soon as its text is settled: two sure frames read the same, or many that are less sure, and the
  plate was as wide for its height in the last two (one that is just coming out from behind
  something grows to one side, and half of it reads as a plate too);
- at the latest after `LONGEST_WAIT` seconds in view, or when it leaves, with what there is;
- again only where more frames settle on another text, or settle at last, `MOST_TOLD` times in all.

What stands is told once however long it stays, also where something passes in front of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edge.items import Frame
from inference.geometry import side_lengths
from inference.results import Box, Plate
from inference.tracking import Place, Track, overlap
from inference.voting import Consensus, likeness

SURE: Final = 0.9
"""Score of a frame that counts for settling …"""
SETTLED: Final = 0.95
"""… and confidence of all of them together."""
AGREEING: Final = 2
MANY: Final = 5
"""Frames that read the same are as good, though none of them is sure."""
SHAPE: Final = 0.12
"""Share by which the plate's width for its height may differ between the two."""
LONGEST_WAIT: Final = 20.0
LONGEST_HOLD: Final = 60.0
"""Seconds for which a vehicle that is not told yet keeps the server from taking this camera's
account up to now for complete."""
MOST_TOLD: Final = 3
MOST_SHOTS: Final = 3
GLIMPSE: Final = 0.2
"""Seconds between frames under which a vehicle is shown several times. What was read in one frame
only is then no vehicle: a sign behind a windscreen, half a plate. With frames further apart it
is all there will be."""
STANDING: Final = 3.0
"""Seconds in one place from which a vehicle stands …"""
SAME_PLACE: Final = 0.6
"""… intersection over union with it …"""
REMEMBERED: Final = 600.0
"""… and seconds for which it is known again there once it was hidden."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shot:
    """A frame in which a vehicle's plate was read. `places`: the plates in it that blurring is
    about (`stages.Look.to_blur`)."""

    frame: Frame
    plate: Plate
    places: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A vehicle that is to be told of. `shots`: its frames, best first, at least one. `before`:
    what it was told to read before, if it was."""

    track: int
    agreed: Consensus = field(repr=False)
    shots: tuple[Shot, ...] = field(repr=False)
    before: tuple[str, ...] = field(repr=False)

    @property
    def again(self) -> bool:
        return bool(self.before)


@dataclass(slots=True, repr=False)
class _Vehicle:
    shots: list[Shot] = field(default_factory=list)
    reads: int = 0
    agreed: Consensus | None = None
    settled: bool = False
    told: list[str] = field(default_factory=list)
    told_settled: bool = False
    place: Place = (0.0, 0.0, 0.0, 0.0)
    place_since: float = 0.0
    first_at: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class _Gone:
    """A vehicle that stood when it was seen last."""

    texts: tuple[str, ...]
    place: Place
    at: float


class Votes:
    """What is known of each vehicle in view, and which are to be told of."""

    def __init__(self) -> None:
        self.glimpses = 0
        """Vehicles read in one frame only that should have been in several, so far."""
        self.unsure = 0
        """Vehicles whose text stayed below the least confidence, so far."""
        self._vehicles: dict[int, _Vehicle] = {}
        self._gone: deque[_Gone] = deque(maxlen=64)

    @property
    def settled(self) -> set[int]:
        """The numbers of the tracks whose text is known."""
        return {number for number, one in self._vehicles.items() if one.settled}

    def text(self, number: int) -> tuple[str, float]:
        """What a track reads so far, and how sure that is; "" and 0 where nothing."""
        vehicle = self._vehicles.get(number)
        if vehicle is None or vehicle.agreed is None:
            return "", 0.0
        return vehicle.agreed.text, vehicle.agreed.confidence

    def take(
        self, frame: Frame, live: Sequence[Track], places: Sequence[Box], least: float
    ) -> list[Told]:
        """What the frame's reads say; those to be told of now. `places`: see `Shot`;
        `least`: confidence under which nothing is told."""
        found = []
        for track in live:
            vehicle = self._vehicles.setdefault(track.number, _Vehicle(first_at=track.first_at))
            if overlap(vehicle.place, track.place) < SAME_PLACE:
                vehicle.place, vehicle.place_since = track.place, frame.at
            if track.reads != vehicle.reads:
                _count(vehicle, track, frame, places)
            if self._due(vehicle, track, frame.at, least):
                found.append(_tell(vehicle, track))
        return found

    def _due(self, vehicle: _Vehicle, track: Track, at: float, least: float) -> bool:
        agreed = vehicle.agreed
        if agreed is None or agreed.confidence < least or not vehicle.shots:
            return False
        if vehicle.told:
            news = agreed.text not in vehicle.told or not vehicle.told_settled
            return vehicle.settled and news and len(vehicle.told) < MOST_TOLD
        waited = track.reads > 1 and at - track.first_at >= LONGEST_WAIT
        if not (vehicle.settled or waited):
            return False
        if self._known(agreed.text, track.place, at):
            vehicle.told, vehicle.told_settled = [agreed.text], True
            vehicle.shots.clear()
            return False
        return True

    def leave(
        self, ended: Sequence[Track], seen_before: Mapping[int, int], apart: float, least: float
    ) -> list[Told]:
        """The same for tracks that have ended. `seen_before`: see `Follower`; `apart`: seconds
        between frames."""
        found = []
        for track in ended:
            vehicle = self._vehicles.pop(track.number, None)
            if vehicle is None or vehicle.agreed is None:
                continue
            if not vehicle.told:
                shown = track.frames + seen_before.get(track.number, 0)
                if track.reads == 1 and (shown > 1 or apart <= GLIMPSE):
                    self.glimpses += 1
                elif vehicle.agreed.confidence < least:
                    self.unsure += 1
                elif not self._known(vehicle.agreed.text, track.place, track.first_at):
                    found.append(_tell(vehicle, track))
            if vehicle.told and track.last_at - vehicle.place_since >= STANDING:
                self._gone.append(_Gone(tuple(vehicle.told), track.place, track.last_at))
        return found

    def waiting_since(self, at: float) -> datetime | None:
        """When the first frame was captured of those that may still be told of; None where there
        are none. Who has been in view for `LONGEST_HOLD` without a text does not count."""
        return min(
            (
                shot.frame.captured_at
                for vehicle in self._vehicles.values()
                for shot in vehicle.shots
                if at - vehicle.first_at <= LONGEST_HOLD
            ),
            default=None,
        )

    def _known(self, text: str, place: Place, at: float) -> bool:
        """Whether this is a vehicle that stood here, was hidden, and still stands."""
        return any(
            at - gone.at <= REMEMBERED
            and overlap(gone.place, place) >= SAME_PLACE
            and any(likeness(text, told) == 1.0 for told in gone.texts)
            for gone in self._gone
        )


def _count(vehicle: _Vehicle, track: Track, frame: Frame, places: Sequence[Box]) -> None:
    vehicle.reads, vehicle.agreed = track.reads, track.agreed
    text = vehicle.agreed.text
    vehicle.settled = is_settled(track, vehicle.agreed)
    plate = track.last.plate
    # pictures are large: of a vehicle that is told, only what may say otherwise is kept
    if track.last.at == frame.at and not (vehicle.told_settled and plate.text in vehicle.told):
        vehicle.shots.append(Shot(frame, plate, tuple(places)))
    vehicle.shots.sort(key=lambda shot: _worth(shot.plate, text), reverse=True)
    del vehicle.shots[MOST_SHOTS:]


def is_settled(track: Track, agreed: Consensus) -> bool:
    """Whether the frames agree, and surely."""
    same = [glimpse.plate for glimpse in track.glimpses if glimpse.plate.text == agreed.text]
    sure = [plate for plate in same if plate.score >= SURE]
    if len(sure) < AGREEING and len(same) >= MANY:
        sure = same
    if len(sure) < AGREEING or agreed.confidence < SETTLED:
        return False
    one, other = (_shape(plate) for plate in sure[-AGREEING:])
    return abs(one - other) <= SHAPE * max(one, other)


def _shape(plate: Plate) -> float:
    width, height = side_lengths(plate.quad)
    return width / max(height, 1.0)


def _worth(plate: Plate, text: str) -> tuple[bool, float, int]:
    """How good a picture of a vehicle is: it reads what all say, it is read surely, it is large.
    Scores that hardly differ don't count: the larger picture is better evidence."""
    return plate.text == text, round(plate.score, 1), plate.box[2] - plate.box[0]


def _tell(vehicle: _Vehicle, track: Track) -> Told:
    assert vehicle.agreed is not None
    told = Told(track.number, vehicle.agreed, tuple(vehicle.shots), tuple(vehicle.told))
    vehicle.told.append(vehicle.agreed.text)
    vehicle.told_settled = vehicle.settled
    vehicle.shots.clear()
    return told
