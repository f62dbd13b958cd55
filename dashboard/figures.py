"""Today's figures of a person's sites, each day by its site's own clock."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour

from cameras.models import Camera, Site, Zone
from cameras.selectors import captures_today
from core.ids import uuid7_floor
from enforcement.rights.lookups import cases_waiting
from enforcement.rights.outcomes import COMPLIANT, Verdict
from enforcement.visits.models import VerdictVersion
from enforcement.visits.selectors import occupancy
from plates.models import PlateRead

HOURS = 24
SERIES = (
    (
        "Covered",
        "good",
        "check",
        tuple(sorted(COMPLIANT)),
    ),
    (
        "Unpaid, overstay or too fast",
        "bad",
        "cross",
        (Verdict.UNPAID, Verdict.OVERSTAY, Verdict.TOO_FAST),
    ),
    ("Review", "warn", "eye", (Verdict.REVIEW,)),
    ("Pending", "wait", "hourglass", (Verdict.PENDING,)),
    ("Nothing charged", "none", "dash", (Verdict.NONE,)),
)


@dataclass(frozen=True)
class Series:
    """One colour of the chart: verdicts counted together, per hour, oldest first."""

    label: str
    tone: str
    icon: str
    values: list[int]
    today: int


@dataclass(frozen=True)
class Inside:
    """Vehicles present in a zone (or a whole site), and its places where they are known."""

    name: str
    vehicles: int
    places: int | None

    @property
    def share(self) -> float:
        """Of the places, 0–100; 0 where they aren't known."""
        return min(100.0, 100.0 * self.vehicles / self.places) if self.places else 0.0

    @property
    def tone(self) -> str:
        """How full it is."""
        return "bad" if self.share >= 95 else "warn" if self.share >= 80 else "good"


@dataclass(frozen=True)
class Figures:
    """What the overview shows."""

    captures: dict[str, int]
    reads: int
    series: list[Series]
    hours: list[str]
    clock: str
    cameras_online: int
    cameras_offline: int
    cameras_new: int
    inside: list["Inside"]
    cases_waiting: int

    @property
    def chart(self) -> dict[str, Any]:
        """The chart's data as JSON."""
        series = [{"label": s.label, "tone": s.tone, "values": s.values} for s in self.series]
        return {"labels": self.hours, "series": series}

    @property
    def table(self) -> list[tuple[str, list[int]]]:
        """The same as rows: the hour, and a number per series."""
        return [
            (hour, [series.values[place] for series in self.series])
            for place, hour in enumerate(self.hours)
        ]


def _since_midnight(sites: "QuerySet[Site]", now: datetime) -> dict[datetime, list[uuid.UUID]]:
    """The sites by when their day began."""
    found: dict[datetime, list[uuid.UUID]] = {}
    for site_id, name in sites.values_list("pk", "timezone"):
        local = now.astimezone(ZoneInfo(name))
        start = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        found.setdefault(start, []).append(site_id)
    return found


def _inside(sites: "QuerySet[Site]") -> list[Inside]:
    present = occupancy(sites)
    parking = sites.filter(kind=Site.Kind.PARKING).values_list("pk", "name")
    zones = Zone.objects.filter(site__in=sites).select_related("site").order_by("site", "name")
    found = []
    for zone in zones:
        vehicles = present.get((zone.site_id, zone.pk), 0)
        found.append(Inside(f"{zone.site.name} · {zone.name}", vehicles, zone.places))
    zoned = {zone.site_id for zone in zones}
    for site_id, name in parking:
        unzoned = present.get((site_id, None), 0)
        if unzoned or site_id not in zoned:
            found.append(Inside(name, unzoned, None))
    return found


def figures(sites: "QuerySet[Site]", now: datetime) -> Figures:
    """Today's counts and the last day hour by hour, over `sites`. A fixed number of queries."""
    names = set(sites.values_list("timezone", flat=True))
    clock = ZoneInfo(names.pop()) if len(names) == 1 else UTC
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=HOURS - 1)
    reads_today, verdicts_today = Q(pk__in=[]), Q(pk__in=[])
    for start, ids in _since_midnight(sites, now).items():
        reads_today |= Q(site__in=ids, id__gte=uuid7_floor(start))
        verdicts_today |= Q(site__in=ids, seen_at__gte=start)
    current = VerdictVersion.objects.filter(current=True)
    today = dict(
        current.filter(verdicts_today).values_list("verdict").annotate(Count("pk")).order_by()
    )
    by_hour: dict[tuple[str, int], int] = {}
    counted = (
        current.filter(site__in=sites, seen_at__gte=first)
        .annotate(hour=TruncHour("seen_at"))
        .values_list("verdict", "hour")
        .annotate(number=Count("pk"))
        .order_by()
    )
    for verdict, hour, number in counted:
        by_hour[verdict, int((hour - first).total_seconds() // 3600)] = number
    states = dict(
        Camera.objects.filter(site__in=sites, active=True)
        .values_list("state")
        .annotate(Count("pk"))
        .order_by()
    )
    return Figures(
        captures=captures_today(sites, now),
        reads=PlateRead.objects.filter(reads_today).count(),
        series=[
            Series(
                label,
                tone,
                icon,
                [sum(by_hour.get((v, hour), 0) for v in verdicts) for hour in range(HOURS)],
                sum(today.get(v, 0) for v in verdicts),
            )
            for label, tone, icon, verdicts in SERIES
        ],
        hours=[
            f"{(first + timedelta(hours=hour)).astimezone(clock):%H:%M}" for hour in range(HOURS)
        ],
        clock=str(clock),
        cameras_online=states.get(Camera.State.ONLINE, 0),
        cameras_offline=states.get(Camera.State.OFFLINE, 0),
        cameras_new=states.get(Camera.State.NEW, 0),
        inside=_inside(sites),
        cases_waiting=cases_waiting(sites, now),
    )
