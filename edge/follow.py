"""Which plates of a frame are worth reading.

A reader costs as much as a detector, and a vehicle is in view for seconds: once its text is settled
it is followed by its place and read again only when it can be read better, or now and then in case
another stands there. What was read in vain (a sign, a time stamp, a plate too far away) is tried
again later and later while it stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from inference.results import Box, Plate
from inference.tracking import OVERLAP, Place, Track, Tracker, overlap

BETTER: Final = 1.25
"""A plate that much wider than when it was last read can be read better."""
AGAIN: Final = 1.0
"""Seconds after which a settled plate is read again all the same."""
EAGER: Final = 8
"""Reads after which an unsettled plate is not read in every frame any more …"""
PATIENT: Final = 0.25
"""… but after so many seconds."""
PATIENCE: Final = 3.0
"""Seconds for which a plate may go unseen: at a distance it is detected in some frames only."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds until what was read in vain is tried again; they double each time."""
FORGOTTEN: Final = 3.0
"""Seconds after which a place where nothing is detected any more is new again."""


@dataclass(slots=True)
class _Read:
    """When a track was last read, how often, and how wide its plate was then."""

    at: float
    width: float
    reads: int


@dataclass(slots=True)
class _Vain:
    """A place that was read in vain: `frames` showed it, `next` is when it is tried again."""

    box: Box
    tried_width: float
    seen_at: float
    next: float
    pause: float = FIRST_PAUSE
    frames: int = 1


class Follower:
    """Follows the plates of one camera, frame by frame: `due`, then `saw`; or `still`."""

    def __init__(self) -> None:
        self.tracker = Tracker(max_gap=PATIENCE)
        self.seen_before: dict[int, int] = {}
        """Of each live track, in how many frames its place had been read in vain."""
        self._reads: dict[int, _Read] = {}
        self._vain: list[_Vain] = []
        self._claims: list[int | None] = []
        self._eager = EAGER

    def due(
        self, at: float, boxes: Sequence[Box], settled: Collection[int], *, sparing: bool = False
    ) -> list[int]:
        """The boxes, by place in the list, that are to be read; `settled`: the numbers of tracks
        whose text is known. `sparing`: patiently from the first read on."""
        self._eager = 1 if sparing else EAGER
        self._claims = self.tracker.claims(at, boxes)
        return [
            index
            for index, (box, number) in enumerate(zip(boxes, self._claims, strict=True))
            if (
                self._vain_due(at, box)
                if number is None
                else self._track_due(at, box, number, number in settled)
            )
        ]

    def _track_due(self, at: float, box: Box, number: int, settled: bool) -> bool:
        read = self._reads.get(number)
        if read is None or _width(box) >= BETTER * read.width:
            return True
        if settled:
            return at - read.at >= AGAIN
        return read.reads < self._eager or at - read.at >= PATIENT

    def _vain_due(self, at: float, box: Box) -> bool:
        vain = self._vain_at(box)
        return vain is None or at >= vain.next or _width(box) >= BETTER * vain.tried_width

    def _vain_at(self, box: Place) -> _Vain | None:
        near = [vain for vain in self._vain if overlap(vain.box, box) >= OVERLAP]
        return max(near, key=lambda vain: overlap(vain.box, box), default=None)

    def saw(
        self, at: float, boxes: Sequence[Box], due: Collection[int], plates: Sequence[Plate]
    ) -> list[Track]:
        """Take in what the frame's boxes showed: those in `due` were read, and gave `plates`. The
        tracks that ended."""
        gave = {plate.box for plate in plates}
        passed = {
            number: boxes[index]
            for index, number in enumerate(self._claims)
            if number is not None and boxes[index] not in gave
        }
        before = {track.number for track in self.tracker.live}
        ended = self.tracker.update(at, plates, passed)
        for index, number in enumerate(self._claims):
            if number is None and boxes[index] not in gave:
                self._note_vain(at, boxes[index], tried=index in due)
        live = self.tracker.live
        for track in live:
            if track.last.at == at:
                self._reads[track.number] = _Read(at, _width(track.last.plate.box), track.reads)
            if track.number not in before:
                vain = self._vain_at(track.place)
                self.seen_before[track.number] = vain.frames if vain else 0
        self._forget(at, {track.number for track in live})
        return ended

    def _note_vain(self, at: float, box: Box, *, tried: bool) -> None:
        vain = self._vain_at(box)
        if vain is None:
            self._vain.append(_Vain(box, _width(box), at, at + FIRST_PAUSE))
            return
        vain.box, vain.seen_at = box, at
        vain.frames += 1
        if tried:
            vain.tried_width = _width(box)
            vain.pause = min(2 * vain.pause, LONGEST_PAUSE)
            vain.next = at + vain.pause

    def _forget(self, at: float, live: Collection[int]) -> None:
        self._vain = [vain for vain in self._vain if at - vain.seen_at <= FORGOTTEN]
        for known in (self._reads, self.seen_before):
            for number in known.keys() - set(live):
                del known[number]

    def still(self, at: float) -> list[Track]:
        """Nothing has moved since the last frame: what was seen then still is. The tracks that
        ended."""
        for vain in self._vain:
            vain.seen_at = at
        ended = self.tracker.still(at)
        self._forget(at, {track.number for track in self.tracker.live})
        return ended


def _width(box: Box) -> float:
    return float(box[2] - box[0])
