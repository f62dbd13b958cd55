"""What a provider may ask about rights: those it delivered itself, by its own names for them."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.db.models import Q, QuerySet

from audit.access import reveal_text, stage_batch
from audit.services import Actor, record
from cameras.models import Site
from core.errors import BadInput
from enforcement.rights.intake import RightInput
from enforcement.rights.models import Provider, Right, RightPlate
from enforcement.rights.selectors import provider_sites
from enforcement.rights.services import right_name
from vault import blind


def own_site(provider: Provider, place: str, *, field: str) -> Site:
    """The site a provider calls `place`: by its slug, or its id here. BadInput `unknown_site`."""
    named = Q(slug=place)
    with suppress(ValueError):  # most places have short names
        named |= Q(pk=uuid.UUID(place))
    site = provider_sites(provider).filter(named).first()
    if site is None:
        raise BadInput("unknown_site", "There is no such place for you.", field=field)
    return site


def own_versions(provider: Provider, kind: str, right_id: str) -> list[Right]:
    """Every version of one right, oldest first; [] where it was never delivered."""
    tokens = blind.tokens(blind.Kind.EVENT, right_name(provider, None, kind, right_id))
    mine = Right.objects.filter(provider=provider, external_token__in=tokens)
    return list(mine.order_by("version"))


def own_says(right: Right, data: RightInput) -> bool:
    """Whether a stored version says just this, its number aside."""
    return right.content_token in blind.tokens(blind.Kind.EVENT, data.content())


def own_rights(
    provider: Provider,
    *,
    actor: Actor,
    kinds: Sequence[str],
    right_id: str | None = None,
    site: Site | None = None,
    plate: str | None = None,
    start_after: datetime | None = None,
) -> "QuerySet[Right]":
    """The newest versions of a provider's own rights that aren't withdrawn, newest first.

    `right_id`: the provider's own. `site`: those that count there. `plate` (canonical): those for
    it; the search is written to the audit log first. `start_after`: those that begin later.
    """
    rights = Right.objects.filter(
        provider=provider, current=True, withdrawn_at__isnull=True, kind__in=kinds
    )
    if right_id is not None:
        names = [right_name(provider, None, kind, right_id) for kind in kinds]
        named = [token for name in names for token in blind.tokens(blind.Kind.EVENT, name)]
        rights = rights.filter(external_token__in=named)
    if plate is not None:
        record(
            actor,
            "search",
            purpose="rights-intake",
            subject=Right._meta.label_lower,
            tokens=[blind.exact(plate)],
        )
        tokens = blind.exact_lookup(plate)
        theirs = RightPlate.objects.filter(token_exact__in=tokens).values("right")
        rights = rights.filter(pk__in=theirs)
    if site is not None:
        rights = rights.filter(Q(site=site) | Q(site__isnull=True))
    if start_after is not None:
        rights = rights.filter(starts_at__gt=start_after)
    return rights.order_by("-known_at", "pk").select_related("site").prefetch_related("plates")


def own_texts(
    rights: Sequence[Right], *, actor: Actor
) -> list[tuple[Right, str, list[tuple[str, str]]]]:
    """(right, the provider's id of it, its plates as (text, country)) for the provider itself: one
    audit row a plate, and one for all the ids."""
    with stage_batch("rights", purpose="rights-intake", action="view", actor=actor) as access:
        names = [access.text(right, "external_id") for right in rights]
    found = []
    for right, name in zip(rights, names, strict=True):
        plates = [
            (reveal_text(plate, "text", actor=actor, purpose="rights-intake"), plate.country)
            for plate in sorted(right.plates.all(), key=lambda plate: plate.pk)
        ]
        found.append((right, name, plates))
    return found
