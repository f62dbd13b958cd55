"""Who was accused wrongly, and why; who should have been accused and was not.

A case is wrongful when the plate it accuses belongs to no vehicle that did wrong at that time. Its
cause is found by counterfactual: the same days are played again, through the same rules, in worlds
in which one sort of noise never happened. The first sort whose absence leaves nobody wrongly
accused is the cause; where it takes the absence of several, the cause is `several`; where the case
stands in a world without any noise, it is the rules' own fault (`rules`), whatever the rules.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, Final

from benchmarks._justice_judge import Case, Judge, Played
from benchmarks._justice_truth import (
    DAY,
    EVERYTHING,
    HOUR,
    NOTHING,
    Noise,
    SiteMonth,
    Stay,
)
from enforcement.rights.matching import cost
from enforcement.rights.outcomes import CaseState, Reason

SEVERAL: Final = "several"
RULES_FAULT: Final = "rules"
ORDER: Final = (
    Noise.KNOWN_LATE,
    Noise.TYPED,
    Noise.MISREAD,
    Noise.MISSED,
    Noise.CLOCK,
    Noise.OFFLINE,
    Noise.CATEGORY,
)
TYPED_BY: Final = ("one slip", "one slip", "two slips", "as another plate")
OF_VIOLATOR: Final = "a violator under another plate"
AND_TYPED: Final = ", and typed with a slip"
_OF_READS: Final = (Noise.MISREAD, Noise.MISSED, Noise.CLOCK, Noise.OFFLINE)
_OF_RIGHTS: Final = frozenset({Noise.KNOWN_LATE, Noise.TYPED})


def cause_of(stands: Callable[[frozenset[Noise]], bool], sorts: Sequence[Noise] = ORDER) -> str:
    """Why a wrongful case stands. `stands` says whether it does `without` some sorts of noise."""
    for number in (1, 2):
        for noises in combinations(sorts, number):
            if not stands(frozenset(noises)):
                return " + ".join(noise.value for noise in noises)
    return RULES_FAULT if stands(EVERYTHING) else SEVERAL


@dataclass(slots=True)
class Count:
    """What one month, or many, came to. Whatever can be added."""

    lawful: int = 0
    unlawful: int = 0
    passages: int = 0
    candidates: int = 0
    reviews: int = 0
    found: int = 0
    found_in_review: int = 0
    confirmed_reviews: int = 0
    """Review cases against plates that did nothing wrong, confirmed unseen like all the rest."""
    suspended_days: int = 0
    wrongful: Counter[str] = field(default_factory=Counter)
    confirmed: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    review_reasons: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Count) -> None:
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)


class Truth:
    """A month's stays, by plate and by crossing."""

    def __init__(self, month: SiteMonth) -> None:
        self.stays = month.stays
        self.by_id = {stay.id: stay for stay in month.stays}
        self.unlawful: dict[str, list[Stay]] = defaultdict(list)
        for stay in month.stays:
            if not stay.lawful:
                self.unlawful[stay.plate].append(stay)

    def rightful(self, case: Case) -> bool:
        return any(case.overlaps(one.enter, one.leave) for one in self.unlawful.get(case.plate, ()))

    def of_crossing(self, name: str) -> Stay:
        return self.by_id[f"s{name[:-1]}"]


def count(month: SiteMonth, judge: Judge, played: Played) -> Count:
    """Compare what `judge` played with the truth."""
    truth = Truth(month)
    worlds = Worlds(month, judge, truth)
    made = Count(passages=played.passages, suspended_days=played.suspended_days)
    made.unlawful = sum(not stay.lawful for stay in month.stays)
    made.lawful = len(month.stays) - made.unlawful
    found: dict[str, CaseState] = {}
    for case in played.cases:
        if case.state is CaseState.REVIEW:
            made.reviews += 1
            made.review_reasons[str(case.judgement.reason)] += 1
            made.confirmed_reviews += case.confirmed and not truth.rightful(case)
            for name in case.crossings:
                found.setdefault(truth.of_crossing(name).id, CaseState.REVIEW)
            continue
        made.candidates += 1
        if truth.rightful(case):
            for one in truth.unlawful[case.plate]:
                if case.overlaps(one.enter, one.leave):
                    found[one.id] = CaseState.CANDIDATE
            continue
        of_violator = not any(truth.of_crossing(name).lawful for name in case.crossings)
        cause = worlds.cause(case, of_violator=of_violator)
        if of_violator:
            cause = f"{cause}, {OF_VIOLATOR}"
        made.wrongful[cause] += 1
        made.confirmed[cause] += case.confirmed
        stays = sorted({truth.of_crossing(name).kind for name in case.crossings})
        made.kinds[f"{cause}: {' + '.join(stays)}"] += 1
        made.examples.append(_example(month, case, cause, stays))
    for stay in month.stays:
        if stay.lawful:
            continue
        state = found.get(stay.id)
        made.found += state is not None
        made.found_in_review += state is CaseState.REVIEW
        if state is None:
            made.missed[_why_missed(month, stay, played)] += 1
    return made


def _example(month: SiteMonth, case: Case, cause: str, stays: list[str]) -> dict[str, Any]:
    return {
        "site": month.number,
        "cause": cause,
        "verdict": case.judgement.verdict.value,
        "reason": str(case.judgement.reason),
        "stays": stays,
        "from": case.visit.start.isoformat(timespec="minutes"),
        "minutes": round(((case.visit.end or case.visit.start) - case.visit.start) / HOUR * 60),
        "explanation": [line.code for line in case.judgement.explanation],
        "crossings": sorted(case.crossings),
        "confirmed": case.confirmed,
    }


class Worlds:
    """The same month without this noise or that."""

    def __init__(self, month: SiteMonth, judge: Judge, truth: Truth) -> None:
        self.month, self.judge, self.truth = month, judge, truth
        self._of_rights: dict[frozenset[Noise], Judge] = {}

    def stands(self, case: Case, without: frozenset[Noise]) -> bool:
        """Whether somebody who did nothing wrong is accused about this case's time and vehicles,
        in the world `without` those sorts of noise."""
        judge = self._world(case, without)
        near = (case.visit.start - HOUR, (case.visit.end or case.visit.start) + HOUR)
        for one in judge.cases_at(case.opened, near):
            same = one.crossings & case.crossings or one.plate == case.plate
            if one.state is CaseState.CANDIDATE and same and not self.truth.rightful(one):
                return True
        return False

    def _world(self, case: Case, without: frozenset[Noise]) -> Judge:
        if without <= _OF_RIGHTS:
            if without not in self._of_rights:
                self._of_rights[without] = self.judge.in_world(without)
            return self._of_rights[without]
        around = (case.visit.start - DAY, (case.visit.end or case.visit.start) + DAY)
        return Judge(_around(self.month, *around), without)

    def cause(self, case: Case, *, of_violator: bool) -> str:
        """The cause's name; of typing, also by how much."""
        # who accuses a violator by another's plate has misread it, whatever else there was
        first = (Noise.MISREAD,) if of_violator else ()
        sorts = (*first, *(noise for noise in ORDER if noise not in first))
        cause = cause_of(lambda without: self.stands(case, without), sorts)
        if Noise.TYPED.value not in cause:
            return cause
        plates = {self.truth.of_crossing(name).plate for name in case.crossings}
        slips = [
            cost(typed, meant)
            for paid in self.month.paid
            for typed, meant in zip(paid.right.plates, paid.plates, strict=True)
            if typed != meant
            and meant in plates
            and case.overlaps(paid.right.start, paid.right.end)
        ]
        by = TYPED_BY[max(slips, default=0)]
        if cause == Noise.TYPED.value and by != TYPED_BY[-1]:
            # the rules forgive such slips; had something else not been, they would have
            for noise in _OF_READS:
                if not self.stands(case, frozenset({noise})):
                    return f"{noise.value}{AND_TYPED}"
        return f"{cause} ({by})"


def _around(month: SiteMonth, start: datetime, end: datetime) -> SiteMonth:
    return SiteMonth(
        month.number,
        month.first,
        month.last,
        month.cameras,
        month.tariff,
        [],
        [one for one in month.crossings if start <= one.at <= end],
        [one for one in month.paid if one.right.start <= end and one.right.end >= start],
        month.outages,
    )


def _why_missed(month: SiteMonth, stay: Stay, played: Played) -> str:
    """Why a violation made no case: the first that is true of its own two crossings."""
    names = (f"{stay.id[1:]}i", f"{stay.id[1:]}o")
    own = [one for one in month.crossings if one.id in names]
    if any(one.hidden for one in own):
        return "passed unseen"
    if any(not look.sight.frames for one in own for look in one.looks[:1]):
        return "plate not read"
    if any(read.quarantined for one in own for read in one.reads(NOTHING)):
        return "clock off"
    reasons = {played.let_go.get(name) for name in names}
    if str(Reason.SITE_SUSPENDED) in reasons:
        return "site suspended"
    if any(
        frame.text != one.plate for one in own for look in one.looks for frame in look.sight.frames
    ):
        return "misread"
    return "a neighbour's payment" if str(Reason.KEYING_ERROR) in reasons else "other"
