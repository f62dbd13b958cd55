"""Orphan rates: how often a camera's passages find no other end, and when that forbids enforcing.

A camera that misses vehicles makes stays look longer than they were, so above a threshold the
site's automatic enforcement is suspended (domain-rules.md, 5).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from enforcement.rights.outcomes import Role, VisitStatus

from .pairing import Passage, Visit


@dataclass(frozen=True, slots=True)
class OrphanRate:
    """A camera's settled passages, and how many of them were never paired."""

    passages: int
    orphans: int

    def suspends(self, *, limit: float = 0.20, over: int = 50) -> bool:
        """True where more than `limit` of at least `over` passages are orphans."""
        return self.passages >= over and self.orphans > limit * self.passages


def orphan_rates(passages: Iterable[Passage], visits: Iterable[Visit]) -> dict[str, OrphanRate]:
    """The rate of each entry and exit camera, over the passages given and the visits made of them.

    A passage of an open visit is not settled and counts nowhere, nor does a quarantined one.
    """
    open_: set[str] = set()
    paired: set[str] = set()
    for visit in visits:
        if visit.status is VisitStatus.OPEN:
            open_.add(visit.id)
        elif visit.entry is not None and visit.exit is not None:
            paired.update((visit.entry.id, visit.exit.id))
    counts: dict[str, list[int]] = {}
    for passage in passages:
        if passage.role is Role.PASSING or passage.quarantined or passage.id in open_:
            continue
        count = counts.setdefault(passage.camera, [0, 0])
        count[0] += 1
        count[1] += passage.id not in paired
    return {camera: OrphanRate(total, orphans) for camera, (total, orphans) in counts.items()}
