"""Reads of one camera → passages, by the product's own likeness and vote.

The product's `plates.placing` does this on rows under locks; here the same pure parts
(`plates.likeness`, `inference.voting`) are asked in the same order on values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from benchmarks._justice_truth import Read
from core.platetext import ocr_class
from enforcement.rights.facts import Reading
from enforcement.rights.outcomes import Role
from enforcement.visits.pairing import Passage
from enforcement.visits.passages import GAP
from inference.voting import Seen, consensus
from plates.likeness import same_vehicle, surely_read

MOST_READS = 25
"""As the product: the best so many reads say what a vehicle is."""


class Gathered:
    """A passage while its reads come in."""

    def __init__(self, read: Read) -> None:
        self.reads = [read]
        self.last = read.at
        self.ocr_class = ocr_class(read.seen.text)
        self._says = read.seen
        self._stale = False
        self._look()

    def _look(self) -> None:
        self._names = {ocr_class(text) for text, _ in self._says.candidates}
        self._sure = surely_read(self._says)

    @property
    def says(self) -> Seen:
        """What all reads together say; asked only when it matters."""
        if self._stale:
            best = sorted((one.seen for one in self.reads), key=lambda one: -one.score)[:MOST_READS]
            agreed = consensus(best)
            self._says = Seen(agreed.text, agreed.confidence, agreed.char_scores, agreed.candidates)
            self._stale = False
            self._look()
        return self._says

    def join(self, read: Read) -> None:
        self.reads.append(read)
        self.last = max(self.last, read.at)
        known = self._says.text
        self._stale = True
        if read.seen.text != known:  # one that reads the same never makes another text win
            self.ocr_class = ocr_class(self.says.text)

    def is_of(self, read: Read, its_class: str, its_names: set[str], its_sure: bool) -> bool:
        """Whether the read shows this vehicle, too."""
        says = self.says
        if its_class == self.ocr_class or its_class in self._names or self.ocr_class in its_names:
            return True
        if its_sure and self._sure:
            return False  # `surely_read`: two sure readings are alike by these only
        return same_vehicle(read.seen, says)

    def passage(self, camera: str, role: Role) -> Passage:
        first, says = self.reads[0], self.says
        agreeing = [read for read in self.reads if read.seen.text == says.text]
        countries = {read.country for read in agreeing if read.country}
        return Passage(
            id=first.crossing.id if first.id.endswith(".0") else first.id,
            camera=camera,
            role=role,
            at=first.at,
            reading=Reading(
                text=says.text,
                country=countries.pop() if len(countries) == 1 else None,
                confidence=says.score,
                candidates=tuple(text for text, _ in says.candidates if text != says.text),
                char_scores=says.char_scores,
                agreed=len(self.reads) == 1 or len(agreeing) > 1,
            ),
            quarantined=first.quarantined,
            reads=tuple(dict.fromkeys(read.crossing.id for read in self.reads)),
        )


def gather(reads: Iterable[Read]) -> tuple[list[Passage], dict[str, datetime]]:
    """The passages of these reads, and by id when the last read of each was received."""
    by_camera: dict[tuple[str, bool], list[Read]] = defaultdict(list)
    for read in reads:
        by_camera[read.crossing.camera, read.quarantined].append(read)
    passages: list[Passage] = []
    received: dict[str, datetime] = {}
    for (camera, _), here in by_camera.items():
        for one in _of_camera(sorted(here, key=lambda read: (read.at, read.id)), GAP):
            passage = one.passage(camera, one.reads[0].crossing.role)
            passages.append(passage)
            received[passage.id] = max(read.received for read in one.reads)
    return passages, received


def _of_camera(reads: Iterable[Read], view: timedelta) -> list[Gathered]:
    made: list[Gathered] = []
    near: list[Gathered] = []
    for read in reads:
        near = [one for one in near if read.at - one.last <= view]
        its_class = ocr_class(read.seen.text)
        its_names = {ocr_class(text) for text, _ in read.seen.candidates}
        sure = surely_read(read.seen)
        same = [one for one in near if one.ocr_class == its_class]
        found = same or [one for one in near if one.is_of(read, its_class, its_names, sure)]
        if found:
            found[0].join(read)
        else:
            made.append(Gathered(read))
            near.append(made[-1])
    return made
