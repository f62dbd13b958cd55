"""Pairing a car park's passages again: which may belong together, and what became of its visits.

Pairing is a replay (`pairing.pair`), so it only needs to be given everything that could matter:
the passages of the vehicles in question around the time in question, those that stayed unmatched
one slip away from them, and whatever they were paired with before.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from cameras.models import Camera, Site
from enforcement.rights.facts import SiteRules
from enforcement.rights.matching import cost
from enforcement.rights.outcomes import VisitStatus
from enforcement.visits.models import Visit
from enforcement.visits.pairing import Passage as Passing
from enforcement.visits.pairing import Visit as Pair
from enforcement.visits.pairing import pair
from enforcement.visits.readings import Readings
from enforcement.visits.verdicts import is_replay
from plates.models import Passage

GATES = (Camera.Role.ENTRY, Camera.Role.EXIT)
FIXED = (*GATES, Camera.Role.PASSING)
"""A roving camera drives about inside: it neither opens, closes nor contradicts a stay."""

_FIELDS = (
    "entry_passage_id",
    "exit_passage_id",
    "entered_at",
    "exited_at",
    "status",
    "fuzzy",
    "contradicted",
    "token_exact",
    "token_class",
)
_MOST_ROUNDS = 6
_EVER = timedelta(days=365 * 50)


@dataclass(slots=True)
class Replay:
    """What pairing some vehicles again came to.

    `passages` are all that were looked at, by id; `pairs` the visits as they are now, by id;
    `rows` the same as stored. `before` are the stored visits that changed or vanished, as they
    were; `changed` the ids of new and changed ones; `loose` the passages in no visit any more.
    """

    passages: dict[uuid.UUID, Passage]
    pairs: dict[uuid.UUID, Pair] = field(default_factory=dict)
    rows: dict[uuid.UUID, Visit] = field(default_factory=dict)
    before: list[Visit] = field(default_factory=list)
    changed: set[uuid.UUID] = field(default_factory=set)
    vanished: set[uuid.UUID] = field(default_factory=set)
    loose: set[uuid.UUID] = field(default_factory=set)


class Neighbourhood:
    """The passages at one site that may belong with some claimed ones. Call `replay` once, under
    the site's lock."""

    def __init__(
        self,
        site: Site,
        claimed: Sequence[Passage],
        *,
        rules: SiteRules,
        readings: Readings,
        now: datetime,
    ) -> None:
        self.site, self.claimed, self.readings, self.now = site, claimed, readings, now
        self.max_stay = rules.max_stay
        self.classes = rules.classes
        first = min(passage.first_at for passage in claimed)
        last = max(passage.first_at for passage in claimed)
        self.first = first
        # what is claimed can change only visits within one longest stay of it; judging those
        # rightly takes what lies within another. (A later exit would belong to an expired visit,
        # or repeat another one: nothing is judged by it. A replay is exact all the same.)
        reach = _EVER if is_replay() else self.max_stay
        self.zone = (first - reach, last + reach)
        self.window = (first - 2 * reach, last + 2 * reach)
        self.passages: dict[uuid.UUID, Passage] = {}
        self.stored: dict[uuid.UUID, Visit] = {}
        self.tokens: set[uuid.UUID] = set()

    def replay(self) -> Replay:
        """Pair again, and write the visits that changed."""
        self._follow({passage.token_class for passage in self.claimed}, set())
        pairs = self._pairs()
        for _ in range(_MOST_ROUNDS):
            near = self._near_unmatched(pairs)
            if not near:
                break
            self._follow({passage.token_class for passage in near}, {one.pk for one in near})
            pairs = self._pairs()
        return self._write(pairs)

    # --- gathering ---------------------------------------------------------------------------

    def _at_site(self) -> "QuerySet[Passage]":
        return Passage.objects.filter(
            site=self.site, quarantined=False, camera__role__in=FIXED, reads__gt=0
        ).select_related("camera")

    def _follow(self, tokens: set[uuid.UUID], ids: set[uuid.UUID]) -> None:
        """Load the passages of these vehicles in the window, and those they are paired with."""
        tokens, ids = tokens - self.tokens, ids - self.passages.keys()
        while tokens or ids:
            wanted = Q(token_class__in=tokens, first_at__range=self.window) | Q(pk__in=ids)
            found = {one.pk: one for one in self._at_site().filter(wanted)}
            self.tokens |= tokens
            fresh = found.keys() - self.passages.keys()
            self.passages.update(found)
            visits = Visit.objects.filter(
                Q(entry_passage_id__in=fresh) | Q(exit_passage_id__in=fresh)
            )
            ids = set()
            # one paired with a text a slip away belongs to two vehicles' neighbourhoods, and so
            # does one whose text was since corrected
            tokens = {found[pk].token_class for pk in fresh}
            for visit in visits:
                self.stored[visit.pk] = visit
                tokens.add(visit.token_class)
                ids |= visit_ends(visit)
            tokens -= self.tokens
            ids -= self.passages.keys()

    def _pairs(self) -> dict[uuid.UUID, Pair]:
        # a settled exit that was ignored stays so, even when the visit it repeated is forgotten
        paired = {end for visit in self.stored.values() for end in visit_ends(visit)}
        claimed = {passage.pk for passage in self.claimed}
        known = [
            passage
            for passage in self.passages.values()
            if passage.pk in paired
            or passage.pk in claimed
            or passage.final_at is None
            or passage.first_at >= self.first
            or passage.camera.role == Camera.Role.PASSING
        ]
        self.readings.open(known)
        visits = pair(
            [self.readings.passing(passage) for passage in known],
            now=self.now,
            max_stay=self.max_stay,
            classes=self.classes,
        )
        return {uuid.UUID(visit.id): visit for visit in visits}

    def _near_unmatched(self, pairs: dict[uuid.UUID, Pair]) -> list[Passage]:
        """Passages of other vehicles, unmatched or matched in spite of a slip, that an unmatched
        one of these could be paired with."""
        matched = {
            uuid.UUID(end.id)
            for visit in pairs.values()
            if visit.entry is not None and visit.exit is not None and not visit.fuzzy
            for end in visit.passages
        }
        entries = {
            uuid.UUID(visit.entry.id)
            for visit in pairs.values()
            if visit.entry is not None and visit.exit is None
        }
        alone = [
            passage
            for passage in self.passages.values()
            if self.zone[0] <= passage.first_at <= self.zone[1]
            and (
                passage.pk in entries
                or (passage.camera.role == Camera.Role.EXIT and passage.pk not in matched)
            )
        ]
        wanted = Q()
        for passage in alone:
            if passage.camera.role == Camera.Role.ENTRY:
                span = (passage.first_at, passage.first_at + self.max_stay)
                wanted |= Q(camera__role=Camera.Role.EXIT, first_at__range=span)
            else:
                span = (passage.first_at - self.max_stay, passage.first_at)
                wanted |= Q(camera__role=Camera.Role.ENTRY, first_at__range=span)
        if not wanted:
            return []
        settled = Visit.objects.filter(
            site=self.site,
            fuzzy=False,
            entry_passage_id__isnull=False,
            exit_passage_id__isnull=False,
            entered_at__range=(self.zone[0] - self.max_stay, self.zone[1] + self.max_stay),
        )
        others = (
            self._at_site()
            .filter(wanted)
            .exclude(pk__in=self.passages.keys())
            .exclude(pk__in=settled.values("entry_passage_id"))
            .exclude(pk__in=settled.values("exit_passage_id"))
        )
        return [
            other
            for other in others
            if any(
                one.camera.role != other.camera.role
                and cost(self.readings.text(one), self.readings.text(other), self.classes) <= 1
                for one in alone
            )
        ]

    # --- writing -----------------------------------------------------------------------------

    def _within(self, passages: Iterable[Passage]) -> bool:
        return any(self.zone[0] <= one.first_at <= self.zone[1] for one in passages)

    def _write(self, pairs: dict[uuid.UUID, Pair]) -> Replay:
        replay = Replay(self.passages)
        fresh: list[Visit] = []
        for visit_id, one in pairs.items():
            ends = [self.passages[uuid.UUID(end.id)] for end in one.passages]
            stored = self.stored.get(visit_id)
            if not self._within(ends):
                continue
            row = self._row(one, stored)
            replay.pairs[visit_id], replay.rows[visit_id] = one, row
            if stored is None or any(
                getattr(stored, name) != getattr(row, name) for name in _FIELDS
            ):
                replay.changed.add(visit_id)
                fresh.append(row)
                if stored is not None:
                    replay.before.append(stored)
            elif stored is not None:
                row.enforceable = stored.enforceable
        for visit_id, stored in self.stored.items():
            known = [self.passages[end] for end in visit_ends(stored) if end in self.passages]
            if visit_id not in pairs and (self._within(known) or not known):
                replay.vanished.add(visit_id)
                replay.before.append(stored)
        Visit.objects.filter(pk__in=replay.vanished).delete()
        Visit.objects.bulk_create(
            fresh,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[*_FIELDS, "enforceable"],
        )
        inside = {end for row in replay.rows.values() for end in visit_ends(row)}
        untouched = {
            end
            for visit_id, stored in self.stored.items()
            if visit_id not in replay.rows and visit_id not in replay.vanished
            for end in visit_ends(stored)
        }
        replay.loose = set(self.passages) - inside - untouched
        return replay

    def _row(self, one: Pair, stored: Visit | None) -> Visit:
        first = self.passages[uuid.UUID(one.passages[0].id)]
        return Visit(
            id=uuid.UUID(one.id),
            site=self.site,
            entry_passage_id=uuid.UUID(one.entry.id) if one.entry is not None else None,
            exit_passage_id=uuid.UUID(one.exit.id) if one.exit is not None else None,
            entered_at=one.entry.at if one.entry is not None else None,
            exited_at=one.end,
            status=one.status.value,
            fuzzy=one.fuzzy,
            contradicted=bool(one.contradictions),
            enforceable=False,
            token_exact=first.token_exact,
            token_class=first.token_class,
            final_at=stored.final_at if stored is not None else None,
        )


def visit_ends(visit: Visit) -> set[uuid.UUID]:
    """The passages of a visit, those it has."""
    return {end for end in (visit.entry_passage_id, visit.exit_passage_id) if end is not None}


def stored_pairs(
    visits: Iterable[Visit], readings: Readings
) -> tuple[dict[uuid.UUID, Pair], dict[uuid.UUID, Passage]]:
    """Stored visits as the rules see them, and their passages; those forgotten are left out."""
    visits = list(visits)
    wanted = {end for visit in visits for end in visit_ends(visit)}
    passages = {
        one.pk: one for one in Passage.objects.filter(pk__in=wanted).select_related("camera")
    }
    whole = [visit for visit in visits if visit_ends(visit) <= passages.keys()]
    readings.open(passages[end] for visit in whole for end in visit_ends(visit))

    def passing(end: uuid.UUID | None) -> Passing | None:
        return readings.passing(passages[end]) if end is not None else None

    return {
        visit.pk: Pair(
            entry=passing(visit.entry_passage_id),
            exit=passing(visit.exit_passage_id),
            status=VisitStatus(visit.status),
            end=visit.exited_at,
            fuzzy=visit.fuzzy,
            contradictions=("seen",) if visit.contradicted else (),
        )
        for visit in whole
    }, passages
