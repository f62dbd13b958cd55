"""Reading lists and alerts; nothing here opens a plate."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import IntegerField, Q, QuerySet
from django.db.models.functions import Coalesce

from cameras.access import sites_of
from cameras.models import Site
from core.errors import NotFound
from core.models import User
from enforcement.watchlist.models import Alert, Entry, Watchlist


def _urgency() -> Coalesce:
    """The entry's own priority, else its list's."""
    return Coalesce("entry__priority", "watchlist__priority", output_field=IntegerField())


def alerts_of(sites: Iterable[Site]) -> "QuerySet[Alert]":
    """Every alert at `sites`, newest first; `priority` is the entry's, else the list's."""
    return (
        Alert.objects.filter(site__in=list(sites))
        .select_related("watchlist", "site", "camera", "acknowledged_by")
        .annotate(priority=_urgency())
        .order_by("-created_at")
    )


def alerts_open(sites: Iterable[Site]) -> "QuerySet[Alert]":
    """Alerts at `sites` that nobody acknowledged: the most urgent first, then the newest."""
    waiting = alerts_of(sites).filter(acknowledged_at__isnull=True)
    return waiting.order_by(_urgency().desc(), "-created_at")


def alert_or_404(user: User | AnonymousUser, alert_id: uuid.UUID, *roles: str) -> Alert:
    """The alert, if `user` has one of `roles` at its site; NotFound otherwise."""
    alert = alerts_of(sites_of(user, *roles)).select_related("entry").filter(pk=alert_id).first()
    if alert is None:
        raise NotFound("not_found", "There is nothing here.")
    return alert


def watchlists_of(user: User | AnonymousUser, *roles: str) -> "QuerySet[Watchlist]":
    """Lists that watch a site where `user` has one of `roles`."""
    sites = sites_of(user, *roles)
    return Watchlist.objects.filter(
        Q(sites__in=sites) | Q(sites__isnull=True, organisation__in=sites.values("organisation"))
    ).distinct()


def counting() -> Q:
    """Entries that count, as far as the entry and its list have it to say."""
    return Q(
        Q(watchlist__needs_approval=False) | Q(approved_at__isnull=False),
        removed_at__isnull=True,
        watchlist__active=True,
    )


def entries_at(site: Site, now: datetime) -> "QuerySet[Entry]":
    """The entries that count at a site at `now`, the most urgent first."""
    lists = Watchlist.objects.filter(
        Q(sites=site) | Q(sites__isnull=True, organisation=site.organisation_id)
    )
    urgency = Coalesce("priority", "watchlist__priority", output_field=IntegerField())
    return Entry.objects.filter(
        counting(), watchlist__in=lists.values("pk"), expires_at__gt=now
    ).order_by(urgency.desc(), "-added_at", "pk")


def entries_standing(watchlist: Watchlist, now: datetime) -> "QuerySet[Entry]":
    """What stands on a list at `now`, newest first, approved or not."""
    return (
        Entry.objects.filter(watchlist=watchlist, removed_at__isnull=True, expires_at__gt=now)
        .select_related("added_by", "approved_by")
        .order_by("-added_at", "pk")
    )
