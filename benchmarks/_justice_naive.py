"""Two naive enforcers on the same traffic, to show what the rules are for.

`first in, last out` has the product's reader and vote, and takes a plate's first entry and last
exit of a local day for one stay. `exact, no vote` pairs with the next exit, but believes the first
frame of each passage and knows a right only by its very text. Both allow what the terms allow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from benchmarks._justice_carpark import LONDON, RULES
from benchmarks._justice_causes import Truth
from benchmarks._justice_gantry import Drive
from benchmarks._justice_judge import Judge
from benchmarks._justice_roads import OPENED, Road
from benchmarks._justice_truth import EVERYTHING, NOTHING, SECOND, Noise, SiteMonth
from enforcement.rights.covering import cover
from enforcement.rights.facts import Right, known
from enforcement.rights.outcomes import Role
from enforcement.rights.tariffs import Tariff

FIRST_LAST = "first in, last out"
EXACT = "exact, no vote"
OWN = "by its own rules"
NOISE = "by noise"


@dataclass(slots=True)
class Tally:
    """Wrongful cases by whether they stand in a world without any noise, and violations found."""

    wrongful: Counter[str] = field(default_factory=Counter)
    found: int = 0
    cases: int = 0

    def add(self, other: Tally) -> None:
        self.wrongful.update(other.wrongful)
        self.found += other.found
        self.cases += other.cases


@dataclass(frozen=True, slots=True)
class _Seen:
    text: str = field(repr=False)
    role: Role
    at: datetime


@dataclass(frozen=True, slots=True)
class _Stay:
    plate: str = field(repr=False)
    start: datetime
    end: datetime

    def overlaps(self, start: datetime, end: datetime) -> bool:
        slack = timedelta(minutes=20)
        return self.start <= end + slack and self.end >= start - slack


def tallies(month: SiteMonth, judge: Judge) -> dict[str, Tally]:
    """Both enforcers over one car park's month."""
    truth = Truth(month)
    passages = [_Seen(one.reading.text, one.role, one.at) for one in judge.passages]
    made = {}
    for name, seen in ((FIRST_LAST, passages), (EXACT, list(_first_frames(month, NOTHING)))):
        clear = _cases(name, month, list(_first_frames(month, EVERYTHING)), EVERYTHING)
        wrong_anyway = {(one.plate, one.start.date()) for one in clear if not _right(truth, one)}
        tally = made[name] = Tally()
        found = set()
        for case in _cases(name, month, seen, NOTHING):
            tally.cases += 1
            rightly = _right(truth, case)
            found.update(rightly)
            if not rightly:
                own = (case.plate, case.start.date()) in wrong_anyway
                tally.wrongful[OWN if own else NOISE] += 1
        tally.found = len(found)
    return made


def _right(truth: Truth, case: _Stay) -> list[str]:
    """The violations that a case rightly speaks of."""
    there = truth.unlawful.get(case.plate, ())
    return [stay.id for stay in there if case.overlaps(stay.enter, stay.leave)]


def _first_frames(month: SiteMonth, without: frozenset[Noise]) -> Iterator[_Seen]:
    for crossing in sorted(month.crossings, key=lambda one: (one.at, one.id)):
        for read in crossing.reads(without):
            yield _Seen(read.seen.text, crossing.role, read.at)
            break


def _cases(
    name: str, month: SiteMonth, seen: Iterable[_Seen], without: frozenset[Noise]
) -> list[_Stay]:
    rights: dict[str, list[Right]] = defaultdict(list)
    for paid in month.paid:
        right = paid.as_known(without)
        for plate in right.plates:
            rights[plate].append(right)
    by_text: dict[str, list[_Seen]] = defaultdict(list)
    for one in sorted(seen, key=lambda one: one.at):
        by_text[one.text].append(one)
    pairing = _first_last if name == FIRST_LAST else _next_exit
    return [
        stay
        for text, own in by_text.items()
        for stay in pairing(text, own)
        if _unpaid(stay, rights.get(text, ()), month.tariff)
    ]


def _first_last(text: str, seen: list[_Seen]) -> Iterator[_Stay]:
    days: dict[object, list[_Seen]] = defaultdict(list)
    for one in seen:
        days[one.at.astimezone(LONDON).date()].append(one)
    for day in days.values():
        entries = [one.at for one in day if one.role is Role.ENTRY]
        exits = [one.at for one in day if one.role is Role.EXIT]
        if entries and exits and entries[0] < exits[-1]:
            yield _Stay(text, entries[0], exits[-1])


def _next_exit(text: str, seen: list[_Seen]) -> Iterator[_Stay]:
    entry: datetime | None = None
    for one in seen:
        if one.role is Role.ENTRY:
            entry = one.at
        elif one.role is Role.EXIT and entry is not None:
            if one.at - entry <= RULES.max_stay:
                yield _Stay(text, entry, one.at)
            entry = None


def _unpaid(stay: _Stay, rights: Iterable[Right], tariff: Tariff | None) -> bool:
    length = stay.end - stay.start
    own = [
        right
        for right in known(rights, stay.end + 60 * SECOND)
        if right.start < stay.end and right.end > stay.start
    ]
    if not own:
        free = tariff is not None and not tariff.charge(stay.start, stay.end).amount
        return length > RULES.consideration and not free
    covered = cover(own, stay.start, stay.end, tariff)
    beyond = covered.unpaid > RULES.consideration + RULES.grace
    return beyond and not covered.pays(RULES.consideration)


def road_tally(road: Road, drives: Iterable[Drive]) -> Tally:
    """`exact, no vote` at a gantry: the first frame, its very text, the right calendar."""
    tally = Tally()
    for drive in drives:
        if drive.hidden or not drive.sight.frames:
            continue
        text = drive.sight.frames[0].text
        at = drive.at + drive.clock
        if any(right.start <= at < right.end for right in road.exactly(text, at + OPENED)):
            continue
        tally.cases += 1
        if text == drive.plate and not drive.lawful:
            tally.found += 1
        else:
            clear = road.exactly(drive.plate, at + OPENED, EVERYTHING)
            own = drive.lawful and not any(right.start <= at < right.end for right in clear)
            tally.wrongful[OWN if own else NOISE] += 1
    return tally
