"""How many captures, plates and refused finds each camera has on each day: never a plate.

A capture's own outcome is the truth, and what is counted is taken from there; sums are kept beside
it because a camera's day may be a hundred thousand captures, too many to add up for a page.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import QuerySet

from cameras.models import DayCount, Site

DAYS = 7

_COUNT = """
INSERT INTO cameras_daycount (camera_id, day, what, count)
SELECT c.camera_id, v.day, f.what, sum(f.number)
FROM unnest(%s::uuid[], %s::date[]) AS v(id, day)
JOIN cameras_capture c USING (id)
CROSS JOIN LATERAL (
    SELECT 'captures', 1
    UNION ALL SELECT 'failed', CASE WHEN c.status = 'failed' THEN 1 ELSE 0 END
    UNION ALL SELECT 'reads', coalesce((c.outcome ->> 'reads')::int, 0)
    UNION ALL SELECT r.reason, r.count
    FROM jsonb_to_recordset(coalesce(c.outcome -> 'rejected', '[]')) AS r(reason text, count int)
) AS f(what, number)
WHERE f.number > 0
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (camera_id, day, what)
DO UPDATE SET count = cameras_daycount.count + excluded.count
"""

NO_REASON = frozenset({"captures", "failed", "reads"})
"""What is counted besides the reasons for which finds are turned down."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A camera's numbers of some days. `rejected`: reason → finds turned down, the most first."""

    captures: int = 0
    failed: int = 0
    reads: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def turned_down(self) -> int:
        """All finds turned down."""
        return sum(self.rejected.values())


def captures_count(days: Mapping[uuid.UUID, date]) -> None:
    """Count captures that were finished in this very transaction, each on its day.

    Last in the transaction: workers that count for one camera wait for each other from here to
    the commit, and take the rows in one order. One statement for all.
    """
    if not days:
        return
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [list(days), list(days.values())])


def day_of(site: Site, at: datetime) -> date:
    """The day at a site, by its own clock."""
    return at.astimezone(site.zone_info).date()


def counted(
    sites: "QuerySet[Site]", now: datetime, days: int = DAYS
) -> dict[uuid.UUID, tuple[Counted, Counted]]:
    """By camera: today's numbers and those of the last `days` days with today, each site by its own
    clock; a camera without any is left out. One query."""
    earliest = (now - timedelta(days=days + 1)).date()
    rows = DayCount.objects.filter(camera__site__in=sites, day__gte=earliest).values_list(
        "camera_id", "camera__site__timezone", "day", "what", "count"
    )
    todays: dict[str, date] = {}
    sums: dict[uuid.UUID, tuple[dict[str, int], dict[str, int]]] = {}
    for camera_id, zone, day, what, count in rows:
        if zone not in todays:
            todays[zone] = now.astimezone(ZoneInfo(zone)).date()
        ago = (todays[zone] - day).days
        if not 0 <= ago < days:
            continue
        today, lately = sums.setdefault(camera_id, ({}, {}))
        for numbers in (today, lately) if ago == 0 else (lately,):
            numbers[what] = numbers.get(what, 0) + count
    return {camera: (_as_counted(a), _as_counted(b)) for camera, (a, b) in sums.items()}


def _as_counted(numbers: Mapping[str, int]) -> Counted:
    rejected = sorted(
        ((what, count) for what, count in numbers.items() if what not in NO_REASON),
        key=lambda one: (-one[1], one[0]),
    )
    return Counted(
        numbers.get("captures", 0),
        numbers.get("failed", 0),
        numbers.get("reads", 0),
        dict(rejected),
    )
