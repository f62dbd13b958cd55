"""A car park's month through the product's own rules: gathered, paired, judged, day by day.

Every night at three everything known by then is paired anew, as a replay would. A stay that is
complete is judged for the moment when its case would be opened: when every camera has reported past
its exit. The operator confirms everything, but only a day later, when it is judged once more.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from benchmarks._justice_carpark import DAYS, RULES
from benchmarks._justice_gather import gather
from benchmarks._justice_truth import DAY, HOUR, NOTHING, Noise, SiteMonth
from enforcement.rights.facts import Right, SiteState
from enforcement.rights.matching import shortened
from enforcement.rights.outcomes import CaseState, Judgement, Role, VisitStatus, case_state
from enforcement.rights.presence import Presences
from enforcement.rights.stays import judge_stay
from enforcement.visits.orphans import orphan_rates
from enforcement.visits.pairing import Passage, Visit, pair

WINDOW: Final = 6 * DAY
"""Passages older than this are not paired again."""
SETTLED: Final = 4 * DAY
"""A visit that began earlier than this has been judged, or never will be."""
OPERATOR: Final = timedelta(hours=24)
RATED: Final = 500
"""As the product: orphan rates are taken over a site's last so many visits."""


@dataclass(slots=True)
class Case:
    """A case as it was opened; `confirmed` once the operator has confirmed it."""

    visit: Visit = field(repr=False)
    opened: datetime
    state: CaseState
    judgement: Judgement
    confirmed: bool = False
    closed_itself: bool = False

    @property
    def plate(self) -> str:
        """The text that is accused."""
        return self.visit.text

    @property
    def crossings(self) -> set[str]:
        return {name for passage in self.visit.passages for name in passage.reads}

    def overlaps(self, start: datetime, end: datetime) -> bool:
        slack = timedelta(minutes=20)  # a clock behind or ahead
        last = self.visit.end or self.visit.start
        return self.visit.start <= end + slack and last >= start - slack


class Judge:
    """One month of one site, as the product sees it `without` some sorts of noise."""

    def __init__(self, month: SiteMonth, without: frozenset[Noise] = NOTHING) -> None:
        self.month, self.without = month, without
        reads = (read for one in month.crossings for read in one.reads(without))
        self.passages, self.received = gather(reads)
        self.passages.sort(key=lambda one: (one.at, one.id))
        self.times = [one.at for one in self.passages]
        self.rights = Rights(paid.as_known(without) for paid in month.paid)

    def in_world(self, without: frozenset[Noise]) -> Judge:
        """The same cameras; other noise only in what is known of rights."""
        other = copy(self)
        other.without = without
        other.rights = Rights(paid.as_known(without) for paid in self.month.paid)
        return other

    # --- one look ----------------------------------------------------------------------------

    def paired(self, now: datetime, window: timedelta = WINDOW) -> Site:
        """The site's visits by what is known at `now` and was seen within `window` of it."""
        first, last = bisect(self.times, now - window), bisect(self.times, now + DAY)
        known = [one for one in self.passages[first:last] if self.received[one.id] <= now]
        visits = pair(known, now=now, max_stay=RULES.max_stay, classes=RULES.classes)
        return Site(visits, suspended=_suspended(known, visits))

    def judged(self, site: Site, visit: Visit, now: datetime) -> Judgement:
        """The verdict of one visit by what is known at `now`."""
        rights = self.rights.near({one.reading.text for one in visit.passages})
        heard = {
            camera: self.month.heard_through(camera, now, self.without)
            for camera in self.month.cameras
        }
        exits = [heard[one] for one, role in self.month.cameras.items() if role is Role.EXIT]
        return judge_stay(
            visit.stay(),
            rights=rights,
            presences=site.presences({plate for one in rights for plate in one.plates}, now),
            rules=RULES,
            state=SiteState(min(exits), min(heard.values()), site.suspended),
            now=now,
            tariff=self.month.tariff,
        )

    def opens(self, visit: Visit) -> datetime:
        """When the visit's case would be opened, if it has one."""
        assert visit.end is not None
        return self.month.heard_of_all(visit.end, self.without)

    def cases_at(self, now: datetime, near: tuple[datetime, datetime]) -> Iterator[Case]:
        """The cases there would be at `now` of visits that touch a time."""
        site = self.paired(now, now - near[0] + DAY)
        for visit in site.visits:
            touches = visit.start <= near[1] and (visit.end or visit.start) >= near[0]
            if touches and visit.status is VisitStatus.COMPLETE:
                judgement = self.judged(site, visit, now)
                state = case_state(judgement)
                if state is not None:
                    yield Case(visit, now, state, judgement)

    # --- the month ---------------------------------------------------------------------------

    def run(self) -> Played:
        """Play the whole month, and the three days in which its last cases settle."""
        played = Played(passages=len(self.passages))
        seen: set[str] = set()
        waiting: list[Case] = []
        for number in range(1, DAYS + 4):
            now = self.month.first + number * DAY + 3 * HOUR
            site = self.paired(now)
            played.suspended_days += site.suspended
            there = {visit.id: visit for visit in site.visits}
            waiting = [case for case in waiting if not self._looked_at(case, site, there, now)]
            for visit in site.visits:
                fresh = visit.id not in seen and visit.start > now - SETTLED
                if not fresh or visit.status is not VisitStatus.COMPLETE:
                    continue
                opened = self.opens(visit)
                if opened > now:
                    continue
                seen.add(visit.id)
                judgement = self.judged(site, visit, opened)
                state = case_state(judgement)
                if state is not None:
                    case = Case(visit, opened, state, judgement)
                    played.cases.append(case)
                    waiting.append(case)
                else:
                    reason = str(judgement.reason)
                    played.let_go |= {one: reason for end in visit.passages for one in end.reads}
        return played

    def _looked_at(self, case: Case, site: Site, there: dict[str, Visit], now: datetime) -> bool:
        """Whether the operator's day for this case has come; then it is confirmed or gone."""
        if now < case.opened + OPERATOR:
            return False
        visit = there.get(case.visit.id)
        if visit is None or visit.status is not VisitStatus.COMPLETE:
            case.closed_itself = True
            return True
        state = case_state(self.judged(site, visit, now))
        case.confirmed = state is not None
        case.closed_itself = state is None
        return True


@dataclass(slots=True)
class Played:
    """What a month came to."""

    passages: int
    cases: list[Case] = field(default_factory=list)
    suspended_days: int = 0
    let_go: dict[str, str] = field(default_factory=dict)
    """By crossing, the reason of a complete visit's verdict that makes no case."""


class Site:
    """Visits known at some moment, by the texts they were read as."""

    def __init__(self, visits: Sequence[Visit], *, suspended: bool) -> None:
        self.visits, self.suspended = visits, suspended
        self._by_text: dict[str, list[Visit]] = defaultdict(list)
        for visit in visits:
            for text in {one.reading.text for one in visit.passages}:
                self._by_text[text].append(visit)

    def presences(self, texts: Iterable[str], now: datetime) -> Presences:
        """Who of these vehicles had come by `now`: all that the use of their rights depends on."""
        found = {
            visit.id: visit
            for text in texts
            for visit in self._by_text.get(text, ())
            if visit.start <= now
        }
        return Presences(visit.presence() for visit in found.values())


class Rights:
    """A site's rights, found by texts up to two slips away. `judge_stay` decides which matter; this
    only spares it those that cannot (a test compares it with all of them)."""

    def __init__(self, rights: Iterable[Right]) -> None:
        self._rights = list(rights)
        self._by_key: dict[str, list[int]] = defaultdict(list)
        for number, right in enumerate(self._rights):
            for key in {key for plate in right.plates for key in shortened(plate)}:
                self._by_key[key].append(number)

    def near(self, texts: Iterable[str]) -> list[Right]:
        numbers = {
            number
            for text in texts
            for key in shortened(text)
            for number in self._by_key.get(key, ())
        }
        return [self._rights[number] for number in sorted(numbers)]


def _suspended(passages: Sequence[Passage], visits: Sequence[Visit]) -> bool:
    """Whether a camera misses so much that nobody is accused (domain-rules.md, 5)."""
    settled = [visit for visit in visits if visit.status is not VisitStatus.OPEN][-RATED:]
    if not settled:
        return False
    since = settled[0].start
    rates = orphan_rates([one for one in passages if one.at >= since], visits)
    return any(rate.suspends() for rate in rates.values())
