"""What every page of an operator knows: their sites and roles, their purpose, what waits."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from audit.purposes import for_people
from cameras.access import INSPECT, OPERATE, SEE, sites_of
from cameras.models import Site, SiteRole
from dashboard import purposes
from enforcement.cases.models import OPEN_STATES, Case
from enforcement.watchlist.models import Alert


@dataclass
class Operator:
    """The person at the screen. Counts are of the sites where they may handle them."""

    sites: list[Site] = field(default_factory=list)
    may_see: bool = False
    may_operate: bool = False
    may_inspect: bool = False
    purpose: purposes.Chosen | None = None
    open_cases: int = 0
    open_alerts: int = 0

    @property
    def purposes(self) -> list[Any]:
        """The list a purpose is chosen from."""
        return for_people()


def _operator(request: HttpRequest) -> Operator:
    user = getattr(request, "user", None)  # none yet where a request was refused early
    if user is None or not user.is_authenticated:
        return Operator()
    held: dict[Any, set[str]] = defaultdict(set)
    if not user.is_superuser:
        for site_id, role in SiteRole.objects.filter(user=user).values_list("site_id", "role"):
            held[site_id].add(role)
    sites = list(sites_of(user, *SEE))
    roles = set().union(*held.values()) if held else set()
    operated = sites_of(user, *OPERATE)
    operator = Operator(
        sites=sites,
        may_see=bool(sites) or user.is_superuser,
        may_operate=user.is_superuser or bool(roles & set(OPERATE)),
        may_inspect=user.is_superuser or bool(roles & set(INSPECT)),
        purpose=purposes.shift(request, timezone.now()),
    )
    if operator.may_operate:
        operator.open_cases = Case.objects.filter(site__in=operated, state__in=OPEN_STATES).count()
        operator.open_alerts = Alert.objects.filter(
            site__in=operated, acknowledged_at__isnull=True
        ).count()
    return operator


def operator(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `operator`, looked up only by templates that use it."""
    return {"operator": SimpleLazyObject(lambda: _operator(request))}
