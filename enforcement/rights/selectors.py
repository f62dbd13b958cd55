"""Reading rights: for the judge by blind-index tokens, for people through the audit log.

A right of a site counts there. One without a site counts at the sites of the provider that
delivered it: the ones it names or, when it names none, all of its organisation's; and everywhere
when it came from no provider (an administrator's import).
"""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Lookup, Q, QuerySet, prefetch_related_objects

from audit.access import Access
from audit.purposes import checked
from audit.services import Actor, record
from cameras.models import Site
from core.errors import NotFound
from core.platetext import canonical
from enforcement.rights import calendars, facts, sections, tariffs, zones
from enforcement.rights.charges import Charge
from enforcement.rights.facts import RuleError
from enforcement.rights.models import Provider, Right, RightPlate, Scheme, SiteRules, Tariff
from enforcement.rights.outcomes import RightKind
from vault import blind

SESSIONS = (Right.Kind.PAYMENT, Right.Kind.RESERVATION, Right.Kind.VALIDATION)
"""Kinds of right that one vehicle's presence uses up."""

FEW = (*SESSIONS, Right.Kind.PERMIT, Right.Kind.EXEMPTION)
"""Kinds that, bound to a site, are few enough to forgive an edit (domain-rules §4)."""


# --- rules and schemes in force ------------------------------------------------------------------


def rules_at(site: Site, at: datetime) -> SiteRules:
    """The rules in force at `site` at `at`; unsaved ones with the defaults where none are."""
    rules = (
        SiteRules.objects.filter(site=site, effective_from__lte=at)
        .order_by("-effective_from")
        .first()
    )
    if rules is None:
        return SiteRules(site=site, effective_from=facts.BEGINNING)
    rules.site = site  # spares the caller a query
    return rules


def rule_values(rules: SiteRules) -> facts.SiteRules:
    """A row of site rules as the value the judge takes."""
    stored = not rules._state.adding
    return facts.SiteRules(
        version=f"site/{rules.site.slug}/{rules.effective_from.isoformat()}"
        if stored
        else "site/default",
        consideration=timedelta(minutes=rules.consideration_minutes),
        grace=timedelta(minutes=rules.grace_minutes),
        max_stay=timedelta(minutes=rules.max_stay_minutes),
        confidence_floor=rules.confidence_floor,
        classes=tuple(rules.ocr_classes.split()),
    )


def window_of(rules: SiteRules) -> zones.Window:
    """The charging window of a zone site's rules; RuleError `window-malformed` where none is."""
    return zones.Window.from_data(
        rules.window or {}, rules.site.timezone, version=f"window/{rule_values(rules).version}"
    )


def section_of(rules: SiteRules) -> sections.Section:
    """The section of a section site's rules; RuleError `section-malformed` where none is."""
    version = f"section/{rule_values(rules).version}"
    return sections.Section.from_data(rules.section or {}, version)


def scheme_at(code: str, at: datetime) -> calendars.Scheme:
    """The version of scheme `code` in force at `at`; RuleError `unknown-scheme` where none was."""
    row = (
        Scheme.objects.filter(code=code, effective_from__lte=at).order_by("-effective_from").first()
    )
    if row is None:
        raise RuleError("unknown-scheme", "No such scheme was in force at that time.")
    return scheme_value(row)


def scheme_value(row: Scheme) -> calendars.Scheme:
    """A row of `Scheme` as the value the calendar computes with; RuleError `scheme-malformed`."""
    return calendars.Scheme.from_data(
        {
            "code": row.code,
            "timezone": row.timezone,
            "effective_from": row.effective_from,
            "rules": row.rules,
        }
    )


class SiteTariffs:
    """The tariffs of a site, all versions, asked for once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rows = list(Tariff.objects.filter(site=site).order_by("-effective_from"))
        self._values: dict[uuid.UUID, tariffs.Tariff | None] = {}

    @property
    def by_zone(self) -> bool:
        """True where some zone has a tariff of its own."""
        return any(row.zone_id is not None for row in self._rows)

    def at(self, at: datetime, zone_id: uuid.UUID | None = None) -> tariffs.Tariff | None:
        """The tariff in force at `at` for who came in by `zone_id`: the zone's if it has one, else
        the site's; None where parking has no price. RuleError for one that can't be read."""
        begun = [row for row in self._rows if row.effective_from <= at]
        row = next((one for one in begun if zone_id and one.zone_id == zone_id), None)
        if row is None:
            row = next((one for one in begun if one.zone_id is None), None)
        if row is None:
            return None
        if row.pk not in self._values:
            self._values[row.pk] = tariff_value(row, self._site)
        return self._values[row.pk]


def tariff_value(row: Tariff, site: Site) -> tariffs.Tariff | None:
    """A row of `Tariff` as the value that charges; None where it ends charging. RuleError
    `tariff-malformed`, `tariff-hole`, `tariff-overlap`."""
    if row.rules is None:
        return None
    where = f"{site.slug}/{row.zone_id}" if row.zone_id else site.slug
    return tariffs.Tariff.from_data(
        row.rules,
        timezone=site.timezone,
        currency=row.currency,
        version=f"tariff/{where}/{row.effective_from.isoformat()}",
    )


def stay_charge(
    site: Site,
    start: datetime,
    end: datetime,
    *,
    zone_id: uuid.UUID | None = None,
    covered: Iterable[tuple[datetime, datetime]] = (),
) -> Charge | None:
    """What the stay `[start, end)` at a car park costs beyond what is paid for (`covered`), by the
    tariff in force when it began; None where there is none. Amounts are in minor units.

    `zone_id` is the zone of the entry camera.
    """
    tariff = SiteTariffs(site).at(start, zone_id)
    return None if tariff is None else tariff.charge(start, end, covered)


# --- for the judge -------------------------------------------------------------------------------


def provider_sites(provider: Provider) -> QuerySet[Site]:
    """Where what this provider delivers counts, and the only sites it may name."""
    named = provider.sites.all()
    return named if named.exists() else Site.objects.filter(organisation=provider.organisation)


def _counts_at(sites: Iterable[Site]) -> Q:
    """Rights that count at one of `sites` (module docstring)."""
    sites = list(sites)
    without_site = Q(provider__isnull=True) | Q(provider__in=_providers_at(sites).values("pk"))
    return Q(site__in=sites) | Q(site__isnull=True) & without_site


def _providers_at(sites: Collection[Site]) -> QuerySet[Provider]:
    """The providers whose rights without a site count at one of `sites` (module docstring)."""
    named = Q(sites__in=sites)
    all_of_theirs = Q(sites__isnull=True, organisation__in={one.organisation_id for one in sites})
    return Provider.objects.filter(named | all_of_theirs)


def site_rights(
    site: Site, start: datetime, end: datetime, *, near: Collection[str] | None = None
) -> list[Right]:
    """Payments, permits and exemptions bound to `site` whose interval touches `[start, end]`.

    With `near`, only those of which something is left over that is one of these variants
    (`matching.shortened`); without, all of them. Newest versions only, plates prefetched and still
    sealed (`rule_rights` opens them).
    """
    rights = Right.objects.filter(site=site, current=True, kind__in=FEW)
    if near is not None:
        tokens = blind.near_lookup(site.pk, near)
        plates = RightPlate.objects.filter(_Overlapping(F("tokens_near"), tokens))
        rights = rights.filter(pk__in=set(plates.values_list("right_id", flat=True)))
    return list(
        rights.filter(Q(starts_at__isnull=True) | Q(starts_at__lte=end))
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gte=start))
        .filter(Q(withdrawn_at__isnull=True) | Q(withdrawn_at__gte=start))
        .prefetch_related("plates")
        .order_by("pk")
    )


def registry_rights(site: Site, classes: Collection[str]) -> list[Right]:
    """Every right that counts at `site` and has a plate of one of the OCR `classes`.

    Whenever they are or were valid, so that a verdict can say "ended before". Newest versions only;
    of zone payments all, since one known in time counts whatever came after the deadline. Plates
    prefetched and still sealed.
    """
    # by the index first and alone: given the sites, too, PostgreSQL may well begin with these
    found = {
        plate.right_id: plate.right
        for plate in RightPlate.objects.filter(
            _Among(F("token_class"), blind.classes_lookup(classes))
        ).select_related("right")
    }
    everywhere = any(right.site_id is None and right.provider_id for right in found.values())
    providers = set(_providers_at([site]).values_list("pk", flat=True)) if everywhere else set()
    rights = [
        right
        for right in found.values()
        if (right.current or right.kind == Right.Kind.ZONE_PAYMENT)
        and (
            right.site_id == site.pk
            or (
                right.site_id is None
                and (right.provider_id is None or right.provider_id in providers)
            )
        )
    ]
    paid = {
        (right.provider_id, right.external_token)
        for right in rights
        if right.kind == Right.Kind.ZONE_PAYMENT
    }
    if paid:
        # a version that corrected the plate has other tokens, and must still supersede
        versions = (
            Right.objects.filter(kind=Right.Kind.ZONE_PAYMENT)
            .filter(external_token__in=[token for _, token in paid])
            .exclude(pk__in=[right.pk for right in rights])
        )
        rights += [one for one in versions if (one.provider_id, one.external_token) in paid]
    prefetch_related_objects(rights, "plates")
    return sorted(rights, key=lambda right: right.pk)


class _Among(Lookup):
    """The column is one of these tokens, in hex: one parameter, however many there are."""

    prepare_rhs = False
    condition = "{column} = ANY(%s::uuid[])"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        """The condition with its one array."""
        column, params = self.process_lhs(compiler, connection)
        array = "{" + ",".join(self.rhs) + "}"
        return self.condition.format(column=column), (*params, array)


class _Overlapping(_Among):
    """The column's array holds one of these tokens."""

    condition = "{column} && %s::uuid[]"


def rule_rights(rights: Iterable[Right], access: Access) -> list[facts.Right]:
    """Rights as the values the judge takes, their plates opened in the caller's audited batch.

    Each `id` is the row id of the newest version among the given ones. A withdrawn right ends when
    it was withdrawn; one withdrawn before it began is left out.
    """
    rights = list({right.pk: right for right in rights}.values())
    newest: dict[tuple[uuid.UUID | None, uuid.UUID], Right] = {}
    for right in rights:
        name = (right.provider_id, right.external_token)
        if name not in newest or right.version > newest[name].version:
            newest[name] = right
    values = []
    for right in rights:
        start = right.starts_at or facts.BEGINNING
        end = right.ends_at or facts.END
        if right.withdrawn_at is not None and right.withdrawn_at < end:
            if right.withdrawn_at <= start:
                continue
            end = right.withdrawn_at
        plates = sorted(right.plates.all(), key=lambda plate: plate.pk)
        values.append(
            facts.Right(
                id=str(newest[right.provider_id, right.external_token].pk),
                kind=RightKind(right.kind),
                plates=tuple(access.text(plate) for plate in plates),
                country=plates[0].country or None,
                start=start,
                end=end,
                version=right.version,
                known_at=right.known_at,
                max_present=right.max_present,
                category=right.category or None,
                scheme=right.scheme or None,
                scope=right.scope or None,
                healed_from=right.healed_from,
            )
        )
    return values


# --- for people and providers --------------------------------------------------------------------


def rights_of_plate(
    *, plate: str, sites: Iterable[Site], actor: Actor, purpose: str, case_ref: str = ""
) -> list[Right]:
    """Every version of every right with this very plate that counts at `sites`, newest first.

    The search is written to the audit log before anything is looked up; the rows come back sealed.
    Raises BadInput for a purpose that is not enough, PlateTextError for what is no plate.
    """
    checked(purpose, case_ref, person=actor.kind == "person")
    text = canonical(plate)
    record(
        actor,
        "search",
        purpose=purpose,
        case_ref=case_ref,
        subject=Right._meta.label_lower,
        tokens=[blind.exact(text)],
    )
    sites = list(sites)
    if not sites:
        return []
    return list(
        Right.objects.filter(
            pk__in=RightPlate.objects.filter(token_exact__in=blind.exact_lookup(text)).values(
                "right"
            )
        )
        .filter(_counts_at(sites))
        .select_related("site", "provider")
        .prefetch_related("plates")
        .order_by("-known_at", "-version")
    )


def right_of_provider(provider: Provider, right_id: uuid.UUID) -> Right:
    """A right that this provider itself delivered; NotFound otherwise."""
    right = Right.objects.filter(pk=right_id, provider=provider).select_related("site").first()
    if right is None:
        raise NotFound("not_found", "There is nothing here.")
    return right
