"""The one gate to a site: who may do what there. A denied object is a 404 (style.md)."""

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.http import HttpRequest

from audit.services import Actor
from cameras.models import Site, SiteRole
from core.models import User

OPERATE = (SiteRole.Role.OPERATOR, SiteRole.Role.SUPERVISOR)
SEE = (SiteRole.Role.VIEWER, *OPERATE)
SUPERVISE = (SiteRole.Role.SUPERVISOR,)
INSPECT = (SiteRole.Role.AUDITOR,)


def sites_of(user: User | AnonymousUser, *roles: str) -> "models.QuerySet[Site]":
    """The sites where `user` has one of `roles` (any role when none is named)."""
    if not user.is_authenticated or not user.is_active:
        return Site.objects.none()
    if user.is_superuser:
        return Site.objects.all()
    held = SiteRole.objects.filter(user=user)
    if roles:
        held = held.filter(role__in=roles)
    return Site.objects.filter(pk__in=held.values("site"))


def person_actor(user: User, request: HttpRequest | None = None) -> Actor:
    """The audit's actor for a person: user name, organisations they work for, address."""
    names = (
        Site.objects.filter(roles__user=user)
        .values_list("organisation__name", flat=True)
        .distinct()
        .order_by("organisation__name")
    )
    address = request.META.get("REMOTE_ADDR", "") if request is not None else ""
    return Actor("person", user.get_username(), ", ".join(names)[:150], str(address))
