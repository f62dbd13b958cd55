"""Entry–exit pairing: from passages at one parking site to visits.

A replay, not a state kept: the same passages give the same visits, whatever order they arrived in.
Each entry is paired with the *next* compatible exit of the same text; first-in/last-out pairing,
the "double dip", is the classic wrongful charge (domain-rules.md, 5). What stays unmatched may be
paired once more at a cost of 1; such a visit can excuse, never accuse.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.platetext import ocr_class
from enforcement.rights.facts import Reading, countries_agree
from enforcement.rights.matching import cost
from enforcement.rights.outcomes import Judgement, Reason, Role, VisitStatus
from enforcement.rights.presence import Presence
from enforcement.rights.stays import Stay
from enforcement.rights.verdicts import country_of


@dataclass(frozen=True, slots=True)
class Passage:
    """One vehicle passing one camera, at the capture time of its first read.

    `reads` are the ids of its reads, the first first; empty means the passage's own id. A
    `quarantined` passage (its camera's clock is off) pairs with nothing and contradicts nothing.
    """

    id: str
    camera: str
    role: Role
    at: datetime
    reading: Reading
    quarantined: bool = False
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay, or what is known of it.

    `end` is the exit's time, or the inferred one (re-entry, or the longest stay allowed), None
    while open. An expired visit keeps an exit that turns up later. `contradictions` are the ids of
    passages that saw the plate outside meanwhile.
    """

    entry: Passage | None
    exit: Passage | None
    status: VisitStatus
    end: datetime | None
    fuzzy: bool = False
    contradictions: tuple[str, ...] = ()

    @property
    def passages(self) -> tuple[Passage, ...]:
        return tuple(one for one in (self.entry, self.exit) if one is not None)

    @property
    def id(self) -> str:
        """The entry passage's id; the exit's for an orphan."""
        return self.passages[0].id

    @property
    def start(self) -> datetime:
        return self.passages[0].at

    @property
    def text(self) -> str:
        """The entry's text, the exit's for an orphan."""
        return self.passages[0].reading.text

    def stay(self) -> Stay:
        return Stay(
            id=self.id,
            status=self.status,
            start=self.start,
            end=self.exit.at if self.exit is not None else None,
            readings=tuple(passage.reading for passage in self.passages),
            fuzzy=self.fuzzy,
            contradicted=bool(self.contradictions),
        )

    def presence(self) -> Presence:
        readings = [passage.reading for passage in self.passages]
        return Presence(
            id=self.id,
            texts=tuple(reading.text for reading in readings),
            country=country_of(readings),
            start=self.start,
            end=self.end,
        )


def enforceable(visit: Visit, judgement: Judgement, *, suspended: bool) -> bool:
    """True only for a complete visit, exactly paired, without contradiction, at a live site."""
    return (
        visit.status is VisitStatus.COMPLETE
        and not visit.fuzzy
        and not visit.contradictions
        and judgement.reason is not Reason.CONTRADICTION
        and not suspended
    )


def pair(
    passages: Iterable[Passage],
    *,
    now: datetime,
    max_stay: timedelta,
    classes: Sequence[str] = (),
) -> list[Visit]:
    """The visits of these passages as known at `now`, by start and id.

    Give every passage of a site, or of the vehicles whose texts lie within a cost of 1 of each
    other, from one `max_stay` before the first entry in question. Passages may repeat (by id).
    `classes` are the site's extra OCR classes.
    """
    in_order = sorted(
        {one.id: one for one in passages if not one.quarantined}.values(),
        key=lambda one: (one.at, one.id),
    )
    by_text: dict[str, list[Passage]] = defaultdict(list)
    outside: dict[str, list[Passage]] = defaultdict(list)
    for passage in in_order:
        if passage.role is Role.PASSING:
            outside[ocr_class(passage.reading.text, classes)].append(passage)
        else:
            by_text[passage.reading.text].append(passage)
    exact = _Exact(now, max_stay)
    for vehicle in by_text.values():
        exact.replay(vehicle)
    visits = _fuzzy(exact.visits, exact.repeated, max_stay, classes)
    visits = [_contradicted(visit, outside, classes) for visit in visits]
    return sorted(visits, key=lambda visit: (visit.start, visit.id))


class _Exact:
    """Exact pairing: one text at a time, in order of capture."""

    def __init__(self, now: datetime, max_stay: timedelta) -> None:
        self.now, self.max_stay = now, max_stay
        self.visits: list[Visit] = []
        self.repeated: list[Passage] = []
        """Exits right after an exit: ignored, unless fuzzy pairing has a use for them."""

    def replay(self, passages: Sequence[Passage]) -> None:
        """Pair the passages of one text. Two known countries are two vehicles."""
        inside: list[Passage] = []
        for index, passage in enumerate(passages):
            waiting = [entry for entry in inside if _may_be_one(entry, passage)]
            if passage.role is Role.ENTRY:
                for entry in waiting:
                    inside.remove(entry)
                    self._re_entered(entry, passage.at)
                inside.append(passage)
                continue
            if len(waiting) == 1:
                inside.remove(waiting[0])
                self._left(waiting[0], passage)
            elif not waiting and _last_was_exit(passages, index):
                self.repeated.append(passage)
            else:
                self.visits.append(Visit(None, passage, VisitStatus.ENTRY_MISSED, passage.at))
        for entry in inside:
            self._still_inside(entry)

    def _re_entered(self, entry: Passage, at: datetime) -> None:
        latest = entry.at + self.max_stay
        if at > latest:
            self.visits.append(Visit(entry, None, VisitStatus.EXPIRED, latest))
        else:
            self.visits.append(Visit(entry, None, VisitStatus.EXIT_MISSED, at))

    def _left(self, entry: Passage, exit_: Passage) -> None:
        latest = entry.at + self.max_stay
        if exit_.at > latest:
            self.visits.append(Visit(entry, exit_, VisitStatus.EXPIRED, latest))
        else:
            self.visits.append(Visit(entry, exit_, VisitStatus.COMPLETE, exit_.at))

    def _still_inside(self, entry: Passage) -> None:
        latest = entry.at + self.max_stay
        if self.now > latest:
            self.visits.append(Visit(entry, None, VisitStatus.EXPIRED, latest))
        else:
            self.visits.append(Visit(entry, None, VisitStatus.OPEN, None))


def _may_be_one(one: Passage, other: Passage) -> bool:
    return countries_agree(one.reading.country, other.reading.country)


def _last_was_exit(passages: Sequence[Passage], index: int) -> bool:
    """True where the vehicle of passage `index` was last seen leaving."""
    for earlier in reversed(range(index)):
        if _may_be_one(passages[earlier], passages[index]):
            return passages[earlier].role is Role.EXIT
    return False


def _fuzzy(
    visits: Sequence[Visit],
    repeated: Sequence[Passage],
    max_stay: timedelta,
    classes: Sequence[str],
) -> list[Visit]:
    """Pair what exact pairing left unmatched, at a cost of at most 1; nearest text, then time.

    An entry takes no exit from after its vehicle came again.
    """
    entries = [visit for visit in visits if visit.entry is not None and visit.exit is None]
    orphans = [visit.exit for visit in visits if visit.entry is None and visit.exit is not None]
    exits_near: dict[str, list[Passage]] = defaultdict(list)
    for exit_ in (*orphans, *repeated):
        for key in _slips(ocr_class(exit_.reading.text, classes)):
            exits_near[key].append(exit_)
    possible = []
    for visit in entries:
        entry = visit.passages[0]
        latest = visit.end or entry.at + max_stay
        near = {
            exit_.id: exit_
            for key in _slips(ocr_class(entry.reading.text, classes))
            for exit_ in exits_near.get(key, ())
        }
        for exit_ in near.values():
            in_time = entry.at < exit_.at <= latest
            slips = cost(entry.reading.text, exit_.reading.text, classes)
            # The very text pairs even across countries: more likely one was misread than that
            # two vehicles with one text lost each the other end of their stay.
            same_text = entry.reading.text == exit_.reading.text
            if in_time and slips <= 1 and (same_text or _may_be_one(entry, exit_)):
                order = (slips, exit_.at - entry.at, entry.at, entry.id, exit_.id)
                possible.append((order, visit, exit_))
    paired: dict[str, Visit] = {}
    used: set[str] = set()
    for _, visit, exit_ in sorted(possible, key=lambda one: one[0]):
        if visit.id not in paired and exit_.id not in used:
            used.add(exit_.id)
            paired[visit.id] = Visit(visit.entry, exit_, VisitStatus.COMPLETE, exit_.at, fuzzy=True)
    return [
        paired.get(visit.id, visit)
        for visit in visits
        if not (visit.entry is None and visit.id in used)
    ]


def _slips(text: str) -> Iterator[str]:
    """The text and each text one deletion away: two texts a slip apart share at least one."""
    yield text
    for index in range(len(text)):
        yield text[:index] + text[index + 1 :]


def _contradicted(visit: Visit, outside: dict[str, list[Passage]], classes: Sequence[str]) -> Visit:
    if visit.entry is None or visit.exit is None or not outside:
        return visit
    seen = {
        passage.id
        for own in visit.passages
        for passage in outside.get(ocr_class(own.reading.text, classes), ())
        if visit.entry.at <= passage.at <= visit.exit.at and _may_be_one(own, passage)
    }
    if not seen:
        return visit
    return Visit(visit.entry, visit.exit, visit.status, visit.end, visit.fuzzy, tuple(sorted(seen)))
