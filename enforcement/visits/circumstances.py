"""What is known of sites at the moment of judging: rules in force, cameras heard of, suspension.

One object serves one batch: what it loaded once it doesn't ask again.
"""

import uuid
from datetime import datetime, timedelta

from django.db import connection

from cameras.models import Camera, Site
from enforcement.rights import calendars
from enforcement.rights.facts import BEGINNING, END, RuleError, SiteRules, SiteState
from enforcement.rights.models import Scheme
from enforcement.rights.models import SiteRules as SiteRulesRow
from enforcement.rights.outcomes import ENGINE, Judgement, Looked, Verdict
from enforcement.rights.sections import Section
from enforcement.rights.selectors import (
    SiteTariffs,
    rule_values,
    scheme_value,
    section_of,
    window_of,
)
from enforcement.rights.tariffs import Tariff
from enforcement.rights.zones import Window
from enforcement.visits.orphans import OrphanRate

MICROSECOND = timedelta(microseconds=1)

RATE_OVER_VISITS = 500
"""Orphan rates are taken over a site's last so many visits (default; domain-rules.md §5 says only
the least number of passages)."""

_ORPHANS = """
WITH recent AS (
    SELECT visit_id, camera_id, exit_camera_id
    FROM visits_verdictversion
    WHERE site_id = %s AND current AND visit_status <> 'open'
        AND (visit_id IS NOT NULL OR reason IS NULL)
    ORDER BY decided_at DESC LIMIT %s
), seen AS (
    SELECT camera_id AS camera, exit_camera_id IS NULL AS orphan
    FROM recent WHERE visit_id IS NOT NULL
    UNION ALL
    SELECT exit_camera_id, camera_id IS NULL FROM recent WHERE visit_id IS NOT NULL
    UNION ALL
    SELECT recent.camera_id, true
    FROM recent JOIN cameras_camera c ON c.id = recent.camera_id AND c.role = 'exit'
    WHERE recent.visit_id IS NULL
)
SELECT camera, count(*), count(*) FILTER (WHERE orphan)
FROM seen WHERE camera IS NOT NULL GROUP BY camera
"""


HEARD = """
SELECT c.site_id, c.role,
    CASE WHEN c.through IS NOT NULL
        THEN least(c.through, waiting.oldest - interval '1 microsecond') END AS through
FROM cameras_camera c
LEFT JOIN (
    SELECT camera_id, min(captured_at) AS oldest
    FROM (
        SELECT camera_id, captured_at FROM cameras_capture WHERE status = 'received'
        UNION ALL
        SELECT camera_id, captured_at FROM plates_plateread WHERE passage_id IS NULL
    ) unread
    GROUP BY camera_id
) waiting ON waiting.camera_id = c.id
WHERE c.active
"""
"""How far each active camera has been heard of: what it delivered but nobody has read or gathered
yet doesn't count. NULL for one that never said."""


def orphan_rates_of(site_id: uuid.UUID) -> dict[uuid.UUID, OrphanRate]:
    """The orphan rate of each entry and exit camera, over the site's last settled visits.

    Counted from the plate-free verdicts, so that what was forgotten on time still counts.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ORPHANS, [site_id, RATE_OVER_VISITS])
        return {camera: OrphanRate(*counts) for camera, *counts in cursor.fetchall()}


def not_configured(error: RuleError, verdict: Verdict = Verdict.NONE) -> Judgement:
    """A site without a usable scheme, window or tariff accuses nobody, and holds up no other."""
    line = Looked(None, "doubt", True, None, error.code, error.sentence)
    return Judgement(verdict, None, explanation=(line,), rules=(ENGINE,))


class Circumstances:
    """Rules, schemes, camera watermarks and suspension of the sites of one batch, by `now`."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self._rules: dict[uuid.UUID, list[SiteRulesRow]] = {}
        self._values: dict[uuid.UUID, SiteRules] = {}
        self._windows: dict[uuid.UUID, Window] = {}
        self._sections: dict[uuid.UUID, Section] = {}
        self._schemes: dict[str, list[Scheme]] = {}
        self._scheme_values: dict[uuid.UUID, calendars.Scheme] = {}
        self._tariffs: dict[uuid.UUID, SiteTariffs] = {}
        self._zones: dict[uuid.UUID, uuid.UUID | None] = {}
        self._states: dict[uuid.UUID, SiteState] = {}
        self._suspended: dict[uuid.UUID, bool] = {}

    def _row(self, site: Site, at: datetime) -> SiteRulesRow:
        if site.pk not in self._rules:
            rows = list(SiteRulesRow.objects.filter(site=site).order_by("-effective_from"))
            for row in rows:
                row.site = site
            self._rules[site.pk] = [*rows, SiteRulesRow(site=site, effective_from=BEGINNING)]
        return next(row for row in self._rules[site.pk] if row.effective_from <= at)

    def rules(self, site: Site, at: datetime) -> SiteRules:
        """The site's rules in force at `at`."""
        row = self._row(site, at)
        if row.pk not in self._values:
            self._values[row.pk] = rule_values(row)
        return self._values[row.pk]

    def window(self, site: Site, at: datetime) -> Window:
        """A zone site's charging window in force at `at`; RuleError where it has none."""
        row = self._row(site, at)
        if row.pk not in self._windows:
            self._windows[row.pk] = window_of(row)
        return self._windows[row.pk]

    def section(self, site: Site, at: datetime) -> Section:
        """A section site's length and limits in force at `at`; RuleError where it has none."""
        row = self._row(site, at)
        if row.pk not in self._sections:
            self._sections[row.pk] = section_of(row)
        return self._sections[row.pk]

    def scheme(self, site: Site, at: datetime) -> tuple[calendars.Scheme, str | None]:
        """A vignette site's scheme in force at `at` and the site's scope in it; RuleError where
        it has none."""
        rules = self._row(site, at)
        if rules.scheme not in self._schemes:
            rows = Scheme.objects.filter(code=rules.scheme).order_by("-effective_from")
            self._schemes[rules.scheme] = list(rows)
        row = next((one for one in self._schemes[rules.scheme] if one.effective_from <= at), None)
        if row is None:
            raise RuleError("unknown-scheme", "No such scheme was in force at that time.")
        if row.pk not in self._scheme_values:
            self._scheme_values[row.pk] = scheme_value(row)
        return self._scheme_values[row.pk], rules.scope or None

    def tariff(self, site: Site, camera: uuid.UUID | None, at: datetime) -> Tariff | None:
        """The tariff in force at `at` for who came in by `camera`, None where parking has no
        price; RuleError for one that can't be read."""
        if site.pk not in self._tariffs:
            tariffs = self._tariffs[site.pk] = SiteTariffs(site)
            if tariffs.by_zone:
                cameras = Camera.objects.filter(site=site, zone__isnull=False)
                self._zones.update(cameras.values_list("pk", "zone_id"))
        return self._tariffs[site.pk].at(at, self._zones.get(camera) if camera else None)

    def state(self, site: Site) -> SiteState:
        """How far the site's active cameras have reported, and whether it is suspended.

        A camera that never said has been heard of through the beginning of time: it holds
        everything open until it reports or is set inactive.
        """
        if site.pk not in self._states:
            with connection.cursor() as cursor:
                cursor.execute(f"{HEARD} AND c.site_id = %s", [site.pk])
                heard = [(role, through) for _, role, through in cursor.fetchall()]
            everyone = [through or BEGINNING for _, through in heard]
            exits = [through or BEGINNING for role, through in heard if role == Camera.Role.EXIT]
            self._states[site.pk] = SiteState(
                exits_heard_through=min(exits, default=END),
                all_heard_through=min(everyone, default=END),
                suspended=self.suspended(site),
            )
        return self._states[site.pk]

    def suspended(self, site: Site) -> bool:
        """Whether nobody is accused at the site for now."""
        if site.pk not in self._suspended:
            rules = self._row(site, self.now)
            self._suspended[site.pk] = rules.suspended or (
                site.kind == Site.Kind.PARKING
                and any(
                    rate.suspends(limit=rules.orphan_rate_limit, over=rules.orphan_rate_over)
                    for rate in orphan_rates_of(site.pk).values()
                )
            )
        return self._suspended[site.pk]
