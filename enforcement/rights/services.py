"""Rights coming in, changing and going; schemes; and what a used right remembers.

A right is delivered in versions: the newest counts, older ones stay as history, and a repeat
changes nothing. Two versions of one right may be delivered at the same instant by two servers of a
provider, so each delivery holds the right's own lock until its commit.
"""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet

from audit import freetext
from audit.services import Actor, record
from cameras.models import Site
from core.errors import BadInput, Conflict, NotFound, ProductError
from core.ids import uuid7
from core.stages import ring
from enforcement.rights import calendars
from enforcement.rights.calendars import day_start
from enforcement.rights.facts import RuleError
from enforcement.rights.intake import RightInput
from enforcement.rights.matching import shortened
from enforcement.rights.models import Provider, Right, RightPlate, RightTouch, Scheme
from enforcement.rights.selectors import FEW, provider_sites, scheme_value
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

_FIELD_OF = {
    "unknown-product": "product",
    "unknown-scheme": "scheme",
    "year-needed": "year",
    "first-day-needed": "first_day",
    "date-out-of-range": "first_day",
    "first-day-too-far": "first_day",
}

Token = uuid.UUID


def _lock(name: str, *, shared: bool = False) -> None:
    """Hold an advisory lock until commit."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    call = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {call}(%s)", [number])


def right_name(provider: Provider | None, site: Site | None, kind: str, right_id: str) -> str:
    """Who calls it what: the text of its external token. Ids of different deliverers, or of
    different sites where a person imports, never meet."""
    owner = str(provider.pk) if provider else f"site:{site.pk if site else ''}"
    return f"{owner}:{kind}:{right_id}"


class Registrar:
    """Turns inputs of one deliverer into rows; remembers sites and schemes between them.

    `sites` are those the deliverer may name. One per request or import, never kept longer.
    """

    def __init__(self, *, provider: Provider | None, sites: QuerySet[Site], now: datetime) -> None:
        self.provider = provider
        self.now = now
        self._sites = sites
        self._by_slug: dict[str, Site] = {}
        self._schemes: dict[str, tuple[calendars.Scheme, ...]] = {}

    def site_of(self, data: RightInput) -> Site | None:
        """The site a right names; BadInput `unknown_site`, also for one that is not theirs."""
        if not data.site:
            return None
        if data.site not in self._by_slug:
            site = self._sites.filter(slug=data.site).first()
            if site is None:
                raise BadInput("unknown_site", "There is no such site for you.", field="site")
            self._by_slug[data.site] = site
        return self._by_slug[data.site]

    def row(self, data: RightInput) -> "Delivery":
        """The right as unsaved, sealed rows; BadInput for what its site or scheme refuses."""
        site = self.site_of(data)
        name = right_name(self.provider, site, data.kind, data.id)
        content = data.content()
        right = Right(
            kind=data.kind,
            site=site,
            provider=self.provider,
            external_token=blind.token(blind.Kind.EVENT, name),
            content_token=blind.token(blind.Kind.EVENT, content),
            version=1 if data.version is None else data.version,
            scheme=data.scheme,
            product=data.product,
            category=data.category,
            scope=data.scope,
            max_present=data.max_present,
            first_day=data.first_day,
            year=data.year,
            starts_at=data.start,
            ends_at=data.end,
            bought_at=data.bought_at,
            known_at=self.now,
        )
        self._settle_interval(right, data)
        scope = str(site.pk) if site else "registry"
        assign_key(right, scope=scope, data_class=DataClass.RIGHT, now=self.now)
        seal_text(right, {"external_id": data.id})
        plates = []
        for text in data.plates:
            plate = RightPlate(
                right=right,
                token_exact=blind.exact(text),
                token_class=blind.equivalent(text),
                tokens_near=blind.near(site.pk, shortened(text))
                if site is not None and right.kind in FEW
                else [],
                country=data.country,
                data_class=right.data_class,
                data_key=right.data_key,
            )
            seal_text(plate, {"text": text})
            plates.append(plate)
        right.reason = freetext.clean(data.reason, field="reason", most=40, plates=data.plates)
        if data.kind == Right.Kind.PERMIT:
            freetext.clean(data.product, field="product", most=20, plates=data.plates)
        return Delivery(
            data=data,
            right=right,
            plates=plates,
            names=blind.tokens(blind.Kind.EVENT, name),
            contents=blind.tokens(blind.Kind.EVENT, content),
        )

    def _settle_interval(self, right: Right, data: RightInput) -> None:
        """Put the right on the calendar of its scheme or site."""
        if right.kind == Right.Kind.ZONE_PAYMENT and right.site and data.first_day:
            if right.site.kind != Site.Kind.ZONE:
                raise BadInput("no_zone", "That site is no charging zone.", field="site")
            zone = right.site.zone_info
            right.starts_at = day_start(data.first_day, zone)
            right.ends_at = day_start(data.first_day + timedelta(days=1), zone)
        if right.kind != Right.Kind.VIGNETTE:
            return
        right.bought_at = data.bought_at or self.now
        try:
            scheme = self._scheme(data.scheme, right.bought_at)
            value = scheme.right(
                id="",
                plate=data.plates[0],
                country=data.country or None,
                category=data.category,
                product=data.product,
                first_day=data.first_day,
                bought_at=right.bought_at,
                year=data.year,
            )
            if self.provider is not None and self.provider.sells and data.first_day is not None:
                scheme.check_advance(data.product, data.first_day, right.bought_at)
        except RuleError as error:
            raise BadInput(
                error.code.replace("-", "_"), error.sentence, field=_FIELD_OF.get(error.code)
            ) from None
        right.starts_at, right.ends_at = value.start, value.end
        right.healed_from = value.healed_from
        if value.start == value.end and (value.healed_from or value.end) >= value.end:
            raise BadInput("ends_before_start", "It was bought after its end.", field="bought_at")

    def _scheme(self, code: str, at: datetime) -> calendars.Scheme:
        """The version in force when it was bought; RuleError `unknown-scheme`."""
        if code not in self._schemes:
            rows = Scheme.objects.filter(code=code)
            self._schemes[code] = tuple(scheme_value(row) for row in rows)
        return calendars.scheme_at(self._schemes[code], code, at)


@dataclass(slots=True)
class Delivery:
    """One input on its way into the tables: unsaved rows, and what came of them.

    `names` and `contents` are the tokens of its name and content under every index key. After
    `rights_store` exactly one holds: `created`; `stored` is the row it repeats; `refused` says why.
    """

    data: RightInput = field(repr=False)
    right: Right
    plates: list[RightPlate]
    names: list[Token]
    contents: list[Token]
    created: bool = False
    stored: Right | None = None
    refused: ProductError | None = None


def rights_store(
    deliveries: Sequence[Delivery], *, provider: Provider | None, now: datetime
) -> None:
    """Store deliveries with distinct names in the caller's transaction, and wake the judge.

    A repeat of a stored version is left alone; the same version with other content is refused
    (`version_conflict`); a lower version than the newest becomes history.
    """
    known = _known_versions(deliveries, provider)
    superseded: list[Right] = []
    for delivery in deliveries:
        versions = known.get(delivery.names[0], [])
        newest = max(versions, key=lambda right: right.version, default=None)
        _place(delivery, versions, newest)
        if delivery.created and delivery.right.current and newest is not None:
            superseded.append(newest)
            if {plate.token_exact for plate in newest.plates.all()} == {
                plate.token_exact for plate in delivery.plates
            }:
                delivery.right.used_up_at = newest.used_up_at
    created = [delivery for delivery in deliveries if delivery.created]
    # before the insert: only one version of a right may be current at any moment
    Right.objects.filter(pk__in=[right.pk for right in superseded]).update(current=False)
    Right.objects.bulk_create([delivery.right for delivery in created])
    RightPlate.objects.bulk_create([plate for delivery in created for plate in delivery.plates])
    touched = [delivery.right for delivery in created if delivery.right.current]
    rights_touch([*superseded, *touched], now=now)


def _known_versions(
    deliveries: Sequence[Delivery], provider: Provider | None
) -> dict[Token, list[Right]]:
    """The stored versions of what is delivered, by the name's token under the active key."""
    active = {token: delivery.names[0] for delivery in deliveries for token in delivery.names}
    known: dict[Token, list[Right]] = {}
    stored = Right.objects.filter(provider=provider, external_token__in=list(active))
    for right in stored.prefetch_related("plates"):
        known.setdefault(active[right.external_token], []).append(right)
    return known


def _place(delivery: Delivery, versions: list[Right], newest: Right | None) -> None:
    """Decide what one delivery is beside the versions already stored."""
    right = delivery.right
    if newest is None:
        delivery.created = True
        return
    if delivery.data.version is None:
        if newest.content_token in delivery.contents:
            delivery.stored = newest
            return
        right.version = newest.version + 1
    for one in versions:
        if one.version == right.version:
            if one.content_token in delivery.contents:
                delivery.stored = one
            else:
                delivery.refused = Conflict(
                    "version_conflict",
                    "This version is known with other content: raise the version to change it.",
                    field="version",
                )
            return
    # one name, one token: a rotated index key must not let a second "newest" in
    right.external_token = newest.external_token
    right.current = right.version > newest.version
    delivery.created = True


def rights_touch(rights: Iterable[Right], *, now: datetime) -> None:
    """Have the verdicts that these rights may change looked at again."""
    touches = [RightTouch(id=uuid7(now), right=right, created_at=now) for right in rights]
    if touches:
        RightTouch.objects.bulk_create(touches)
        ring("rejudge")


def import_lock(provider: Provider | None, site: Site | None) -> None:
    """Keep single deliveries of the same deliverer out until the caller's commit."""
    _lock(_deliverer(provider, site))


def _deliverer(provider: Provider | None, site: Site | None) -> str:
    return f"rights of {provider.pk if provider else site.pk if site else 'nobody'}"


def intake_purpose(actor: Actor) -> str:
    """Why this actor delivers rights, for the audit log."""
    return "rights-admin" if actor.kind == "person" else "rights-intake"


def right_receive(
    *,
    provider: Provider | None,
    data: RightInput,
    actor: Actor,
    now: datetime,
    sites: QuerySet[Site] | None = None,
) -> tuple[Right, bool]:
    """Store one version of a right; the row, and whether it is new (False for a repeat).

    `sites` are those the deliverer may name: the provider's own where None; without a provider
    everybody's, so a person's caller must pass theirs. One audit row a plate, repeats included.

    Raises BadInput (`unknown_site`, `no_zone`, `unknown_scheme`, `unknown_product`, `year_needed`,
    `first_day_needed`, `ends_before_start`, `names_plate`, …) and Conflict (`version_conflict`).
    """
    if sites is None:
        sites = provider_sites(provider) if provider else Site.objects.all()
    with transaction.atomic():
        delivery = Registrar(provider=provider, sites=sites, now=now).row(data)
        # an import holds the first of these alone; two versions of one right meet at the second
        _lock(_deliverer(provider, delivery.right.site), shared=True)
        _lock(f"right {delivery.right.external_token}")
        rights_store([delivery], provider=provider, now=now)
        if delivery.refused is not None:
            raise delivery.refused
        right = delivery.stored or delivery.right
        for plate in delivery.plates:
            record(
                actor,
                "deliver",
                purpose=intake_purpose(actor),
                subject=Right._meta.label_lower,
                subject_id=right.pk,
                tokens=[plate.token_exact],
                detail={"version": right.version, "repeat": not delivery.created},
            )
    return right, delivery.created


def right_withdraw(
    *, right_id: uuid.UUID, actor: Actor, now: datetime, provider: Provider | None = None
) -> Right:
    """End a right for good at `now`; what it covered until then stays covered. A repeat is fine.

    To undo a right altogether, deliver a new version of no length. With `provider`, only one of
    its own; a person's caller has checked that they may. NotFound where there is none, Conflict
    `superseded` for a version that is history.
    """
    with transaction.atomic():
        mine = Right.objects.filter(provider=provider) if provider else Right.objects.all()
        right = mine.select_for_update(no_key=True, of=("self",)).filter(pk=right_id).first()
        if right is None:
            raise NotFound("not_found", "There is nothing here.")
        if not right.current:
            raise Conflict("superseded", "A newer version of this right is known.")
        if right.withdrawn_at is None:
            right.withdrawn_at = now
            right.save(update_fields=["withdrawn_at"])
            rights_touch([right], now=now)
            for plate in right.plates.all():
                record(
                    actor,
                    "withdraw",
                    purpose=intake_purpose(actor),
                    subject=Right._meta.label_lower,
                    subject_id=right.pk,
                    tokens=[plate.token_exact],
                )
    return right


def right_mark_used(*, right_ids: Iterable[uuid.UUID], now: datetime) -> int:
    """Remember that a vehicle matching these exactly was present: they excuse nobody else, even
    when the visit itself is forgotten (domain-rules §4, §7). How many were not marked yet."""
    return Right.objects.filter(pk__in=list(right_ids), used_up_at__isnull=True).update(
        used_up_at=now
    )


def schemes_load() -> int:
    """Bring the schemes that ship into the table; how many were new. Never changes a stored
    version: verdicts were made by it, and an administrator may have edited it."""
    made = 0
    for data in calendars.scheme_data():
        _, created = Scheme.objects.get_or_create(
            code=data["code"],
            effective_from=datetime.fromisoformat(data["effective_from"]),
            defaults={name: data[name] for name in ("name", "country", "timezone", "rules")},
        )
        made += created
    return made
