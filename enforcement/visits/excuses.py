"""The rights that may excuse a car park's visits, and who else is using them."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import Q

from audit.access import Access
from cameras.models import Site
from core.platetext import alike
from enforcement.rights.facts import END, Right, SiteRules
from enforcement.rights.matching import matches, shortened
from enforcement.rights.models import Right as RightRow
from enforcement.rights.models import RightPlate
from enforcement.rights.presence import Presence, Presences
from enforcement.rights.selectors import (
    FEW,
    SESSIONS,
    registry_rights,
    rule_rights,
    site_rights,
)
from enforcement.visits.models import Visit
from enforcement.visits.neighbours import visit_ends
from enforcement.visits.pairing import Visit as Pair
from plates.models import Passage
from vault import blind


class Excuses:
    """Rights near some visits, opened once a batch, with the presences their use depends on."""

    def __init__(self, site: Site, rules: SiteRules, access: Access) -> None:
        self.site, self.rules, self.access = site, rules, access
        self._values: dict[uuid.UUID, Right] = {}
        self._used_up: set[str] = set()
        self.near: dict[str, list[Right]] = defaultdict(list)
        self.presences = Presences()

    def own(self, visits: Mapping[uuid.UUID, Pair]) -> None:
        """Look up the rights that share an OCR class with these visits."""

        def keys(text: str) -> set[str]:
            return alike(text, self.rules.classes)

        self._note(visits, registry_rights(self.site, _keys_of(visits, keys)), keys)

    def few(self, visits: Mapping[uuid.UUID, Pair]) -> None:
        """Look up the rights bound to the site that lie a slip or two away from these visits and
        overlap them, too."""
        start = min(visit.start for visit in visits.values())
        end = max(visit.end or visit.start for visit in visits.values())

        def keys(text: str) -> set[str]:
            return {key for name in alike(text, self.rules.classes) for key in shortened(name)}

        near = _keys_of(visits, keys)
        self._note(visits, site_rights(self.site, start, end, near=near), keys)

    def _note(
        self,
        visits: Mapping[uuid.UUID, Pair],
        rows: list[RightRow],
        keys: Callable[[str], set[str]],
    ) -> None:
        """Add to what is near each visit those of `rows` that share one of its keys."""
        unopened = [row for row in rows if row.pk not in self._values]
        for value in rule_rights(unopened, self.access):
            self._values[uuid.UUID(value.id)] = value
        self._used_up |= {str(row.pk) for row in unopened if row.used_up_at is not None}
        by_key: dict[str, dict[str, Right]] = defaultdict(dict)
        for value in (self._values[row.pk] for row in rows if row.pk in self._values):
            for plate in value.plates:
                for key in keys(plate):
                    by_key[key][value.id] = value
        for visit in visits.values():
            readings = [passage.reading for passage in visit.passages]
            possible = {value.id: value for value in self.near[visit.id]}
            for text in {reading.text for reading in readings}:
                for key in keys(text):
                    possible.update(by_key.get(key, {}))
            self.near[visit.id] = [
                possible[right_id]
                for right_id in sorted(possible)
                if matches(readings, possible[right_id], self.rules.classes)
            ]
        self.presences = Presences(self._present(visits))

    def _present(self, visits: Mapping[uuid.UUID, Pair]) -> list[Presence]:
        """Every visit of a vehicle that one of the near rights names exactly.

        A blind-index token is as good as the text here, so nothing needs to be opened.
        """
        rights = {right.id: right for visit in visits.values() for right in self.near[visit.id]}
        texts = {
            token: plate
            for right in rights.values()
            for plate in right.plates
            for token in blind.exact_lookup(plate)
        }
        present = [
            # the visit may be forgotten; the right remembers that it was used
            Presence("used up", right.plates, right.country, right.start, right.end)
            for right in rights.values()
            if right.id in self._used_up
        ]
        return present + presences_of(self.site, texts)


def _keys_of(visits: Mapping[uuid.UUID, Pair], keys: Callable[[str], set[str]]) -> set[str]:
    texts = {passage.reading.text for visit in visits.values() for passage in visit.passages}
    return {key for text in texts for key in keys(text)}


def presences_of(site: Site, texts: Mapping[uuid.UUID, str]) -> list[Presence]:
    """The stored visits of the vehicles with these exact tokens, as the rules on use see them."""
    if not texts:
        return []
    named = Passage.objects.filter(site=site, token_exact__in=list(texts), quarantined=False)
    ids = list(named.values_list("pk", flat=True))
    visits = list(Visit.objects.filter(Q(entry_passage_id__in=ids) | Q(exit_passage_id__in=ids)))
    ends = {
        pk: (token, country)
        for pk, token, country in Passage.objects.filter(
            pk__in={end for visit in visits for end in visit_ends(visit)}
        ).values_list("pk", "token_exact", "country")
    }
    present = []
    for visit in visits:
        mine = [ends[end] for end in visit_ends(visit) if end in ends]
        # the other end may have been read as another text: its country counts all the same
        countries = {country for _, country in mine if country}
        present.append(
            Presence(
                id=str(visit.pk),
                texts=tuple(texts[token] for token in {token for token, _ in mine} & texts.keys()),
                country=countries.pop() if len(countries) == 1 else None,
                start=_start(visit),
                end=visit.exited_at,
            )
        )
    return present


def _start(visit: Visit) -> datetime:
    start = visit.entered_at or visit.exited_at
    if start is None:
        raise ValueError("a visit has an end")  # held by the constraint visit_has_an_end
    return start


def rights_used_by(
    site: Site, visits: Iterable[Visit], tokens: Iterable[uuid.UUID]
) -> list[tuple[RightRow, tuple[datetime, datetime]]]:
    """Rights that name one of `tokens` exactly and touch one of `visits`: who uses them changed.

    With each, the span in which that can matter to other visits: a payment's own interval; of a
    shared permit everything after, since a place freed passes down the queue; of other permits and
    exemptions, which may run for years, the span of the visits.
    """
    visits = list(visits)
    if not visits:
        return []
    start = min(_start(visit) for visit in visits)
    end = max(visit.exited_at or END for visit in visits)
    rows = (
        RightRow.objects.filter(Q(site=site) | Q(site__isnull=True))
        .filter(Q(starts_at__isnull=True) | Q(starts_at__lte=end))
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gte=start))
        .filter(plates__token_exact__in=list(tokens), current=True, kind__in=FEW)
        .distinct()
        .prefetch_related("plates")
    )
    found = []
    for row in rows:
        if row.kind in SESSIONS and row.starts_at and row.ends_at:
            found.append((row, (row.starts_at, row.ends_at)))
        else:
            found.append((row, (start, END if row.max_present is not None else end)))
    return found


def payments_used_by(
    site: Site, visits: Iterable[tuple[Visit, Sequence[Passage]]]
) -> set[uuid.UUID]:
    """The payments that the vehicles of these visits, each with its passages, used up by being
    there: named exactly, of no other country, and running at some time of the visit."""
    visits = list(visits)
    tokens = {end.token_exact for _, ends in visits for end in ends}
    if not tokens:
        return set()
    named: dict[uuid.UUID, list[tuple[uuid.UUID, str, datetime, datetime]]] = defaultdict(list)
    for token, right_id, country, starts_at, ends_at in (
        RightPlate.objects.filter(token_exact__in=list(tokens))
        .filter(Q(right__site=site) | Q(right__site__isnull=True))
        .filter(right__kind__in=SESSIONS, right__current=True, right__used_up_at__isnull=True)
        .values_list("token_exact", "right_id", "country", "right__starts_at", "right__ends_at")
    ):
        if starts_at is not None and ends_at is not None:
            named[token].append((right_id, country, starts_at, ends_at))
    return {
        right_id
        for visit, ends in visits
        for countries in [{end.country for end in ends if end.country}]
        for end in ends
        for right_id, country, starts_at, ends_at in named[end.token_exact]
        if starts_at <= (visit.exited_at or END)
        and ends_at >= _start(visit)
        and (len(countries) != 1 or country in ("", *countries))
    }
