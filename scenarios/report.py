"""What a played scenario came to, in the shape and order of scenario.md's output."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from audit.access import Access, stage_batch
from cameras.models import Site
from enforcement.cases.models import OPEN_STATES, Case
from enforcement.cases.subjects import asks
from enforcement.rights.calendars import zone_of
from enforcement.rights.facts import Reading, is_skewed
from enforcement.rights.matching import accuse
from enforcement.rights.outcomes import CaseState, SiteKind, Verdict
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.pairing import Passage as Passing
from enforcement.visits.passages import debounce
from enforcement.watchlist.models import Alert
from plates.models import Passage, PlateRead
from scenarios.parsing import ReadSpec, Scenario, WatchSpec

Line = dict[str, Any]


@dataclass(slots=True)
class Played:
    """What of the file became which row."""

    scenario: Scenario
    captures: dict[uuid.UUID, ReadSpec] = field(default_factory=dict)
    rights: dict[uuid.UUID, str] = field(default_factory=dict)
    entries: dict[uuid.UUID, WatchSpec] = field(default_factory=dict)


def report(played: Played, site: Site) -> Line:
    """The whole output: keys in scenario.md's order."""
    with stage_batch("scenario") as access:
        return _Report(played, site, access).lines()


class _Report:
    def __init__(self, played: Played, site: Site, access: Access) -> None:
        self.played, self.site, self.access = played, site, access
        self.is_road = played.scenario.site.kind is not SiteKind.PARKING
        self.reads: dict[uuid.UUID, ReadSpec] = {}
        self.passage_of: dict[str, uuid.UUID] = {}
        self.in_passage: dict[uuid.UUID, list[ReadSpec]] = defaultdict(list)
        rows = PlateRead.objects.filter(site=site).values_list("pk", "capture_id", "passage_id")
        for pk, capture_id, passage_id in rows:
            if passage_id is None:
                raise LookupError("a read in no passage")
            read = played.captures[capture_id]
            self.reads[pk] = read
            self.passage_of[read.name] = passage_id
            self.in_passage[passage_id].append(read)
        self.passages = {one.pk: one for one in Passage.objects.filter(site=site)}
        verdicts = list(VerdictVersion.objects.filter(site=site, current=True))
        self.of_visit = {one.visit_id: one for one in verdicts if one.visit_id is not None}
        self.of_passage = {one.passage_id: one for one in verdicts if one.passage_id is not None}
        self.in_view = self._in_view()

    def lines(self) -> Line:
        visits = list(Visit.objects.filter(site=self.site))
        return {
            "name": self.played.scenario.name,
            "visits": self._visits(visits),
            "reads": self._reads(visits),
            "cases": self._cases(),
            "alerts": self._alerts(),
        }

    def _in_view(self) -> dict[str, str]:
        """The vehicle in view that each read shows, by the name of its first read.

        A car park's passages are the product's. On a road every read is a passage of its own here,
        and which of them show one vehicle is told by the same rule without them.
        """
        if not self.is_road:
            return {
                read.name: min(reads, key=_order).name
                for reads in self.in_passage.values()
                for read in reads
            }
        roles = self.played.scenario.site.cameras
        alone = [
            Passing(
                id=f"{read.place:09}",
                camera=read.camera,
                role=roles[read.camera],
                at=read.at,
                reading=_reading(read),
                quarantined=is_skewed(read.at, read.received_at),
            )
            for read in self.played.captures.values()
        ]
        by_place = {f"{read.place:09}": read.name for read in self.played.captures.values()}
        return {
            by_place[one]: by_place[passage.id]
            for passage in debounce(alone)
            for one in passage.reads
        }

    def _first(self, passage_id: uuid.UUID) -> ReadSpec:
        return min(self.in_passage[passage_id], key=_order)

    # --- the four lists ----------------------------------------------------------------------

    def _visits(self, visits: Iterable[Visit]) -> list[Line]:
        found = []
        for visit in visits:
            entry, exit_ = (
                None if one is None else self._first(one)
                for one in (visit.entry_passage_id, visit.exit_passage_id)
            )
            begins = entry or exit_
            assert begins is not None  # held by the constraint visit_has_an_end
            verdict = self.of_visit[visit.pk]
            line = {
                "plate": self.access.text(self.passages[self.passage_of[begins.name]]),
                "entry": entry.name if entry is not None else None,
                "exit": exit_.name if exit_ is not None else None,
                "status": visit.status,
                "enforceable": visit.enforceable,
                **self._said(verdict),
                "overstay_min": verdict.overstay_minutes,
            }
            found.append((_order(begins), line))
        return [line for _, line in sorted(found, key=lambda one: one[0])]

    def _said(self, verdict: VerdictVersion) -> Line:
        right = self.played.rights[verdict.right_id] if verdict.right_id is not None else None
        return {"verdict": verdict.verdict, "reason": verdict.reason, "right": right}

    def _reads(self, visits: Iterable[Visit]) -> list[Line]:
        """In the file's order."""
        inside = {
            end
            for visit in visits
            for end in (visit.entry_passage_id, visit.exit_passage_id)
            if end is not None
        }
        lines = []
        for read in sorted(self.played.captures.values(), key=lambda one: one.place):
            passage_id = self.passage_of[read.name]
            line: Line = {"id": read.name}
            if passage_id not in inside:
                line |= self._said(self.of_passage[passage_id])
            lines.append(line)
        return lines

    def _cases(self) -> list[Line]:
        """In the order of their first reads; of one vehicle in view on a road one, in a zone one a
        local day: midnight parts even what is in view."""
        lines: list[tuple[Any, Line]] = []
        shared: dict[tuple[str, date | None], list[tuple[ReadSpec, VerdictVersion]]]
        shared = defaultdict(list)
        for case in Case.objects.filter(site=self.site, state__in=OPEN_STATES):
            passages = [uuid.UUID(one) for one in case.passage_ids]
            if case.visit_id is None:
                own = self._asking(passages)
                if own:
                    first = own[0][0]
                    shared[self.in_view[first.name], self._day(first)] += own
                continue
            current = self.of_visit.get(case.visit_id)
            if current is None or not asks(current):
                continue  # a camera is awaited anew: the product keeps such a case until it knows
            reads = [self._first(one) for one in passages]
            lines.append(self._case(reads, case.state, case.verdict, case.reason))
        for own in shared.values():
            own.sort(key=lambda one: _order(one[0]))
            # the surest of them speaks for all: a candidate rather than a doubt, then the earliest
            says = min((one for _, one in own), key=lambda one: one.verdict == Verdict.REVIEW)
            state = CaseState.REVIEW if says.verdict == Verdict.REVIEW else CaseState.CANDIDATE
            reads = [read for read, _ in own]
            lines.append(self._case(reads, state.value, says.verdict, says.reason))
        return [line for _, line in sorted(lines, key=lambda one: one[0])]

    def _day(self, read: ReadSpec) -> date | None:
        """The local day a read in a zone is charged for; None on other roads."""
        spec = self.played.scenario.site
        return read.at.astimezone(zone_of(spec.timezone)).date() if spec.window else None

    def _case(
        self, reads: list[ReadSpec], state: str, verdict: str, reason: str | None
    ) -> tuple[Any, Line]:
        first = self.passages[self.passage_of[reads[0].name]]
        line = {
            "plate": self.access.text(first),
            "reads": [read.name for read in reads],
            "state": state,
            "verdict": verdict,
            "reason": reason or None,
        }
        return _order(reads[0]), line

    def _asking(self, passages: Iterable[uuid.UUID]) -> list[tuple[ReadSpec, VerdictVersion]]:
        """The reads of these passages whose verdicts ask for a case, in order."""
        verdicts = ((pk, self.of_passage[pk]) for pk in passages)
        asking = [
            (read, verdict)
            for pk, verdict in verdicts
            if asks(verdict)
            for read in self.in_passage[pk]
        ]
        return sorted(asking, key=lambda one: _order(one[0]))

    def _alerts(self) -> list[Line]:
        """One a list and vehicle in view, on the first of its reads that hits; in their order."""
        watching = self.played.scenario.watchlist
        floor = self.played.scenario.site.confidence_floor
        rows = Alert.objects.filter(site=self.site).values_list("entry_id", "read_id")
        found: dict[tuple[str, str], tuple[Any, Line]] = {}
        for entry_id, read_id in rows:
            watch = self.played.entries[entry_id]
            vehicle = self.in_view[self.reads[read_id].name]
            for read in self.played.captures.values():
                if self.in_view[read.name] != vehicle:
                    continue
                if watch.expires <= min(read.at, read.received_at):
                    continue
                certainty = accuse(_reading(read), watch.plate, watch.country or None, floor=floor)
                if certainty is None:
                    continue
                order = (*_order(read), watching.index(watch))
                line = {
                    "read": read.name,
                    "list": watch.list_name,
                    "certainty": certainty.value,
                }
                key = (watch.list_name, vehicle)
                if key not in found or order < found[key][0]:
                    found[key] = (order, line)
        return [line for _, line in sorted(found.values(), key=lambda one: one[0])]


def _order(read: ReadSpec) -> tuple[Any, int]:
    return read.at, read.place


def _reading(read: ReadSpec) -> Reading:
    return Reading(
        text=read.plate,
        country=read.country or None,
        confidence=read.confidence,
        category=read.category,
    )
