"""Lists, their entries, and what people do with alerts. Whoever calls has checked the role.

Entries count while they are approved (where the list asks for a second person), not expired and
not removed. Every change is audited with the plate's token.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from audit.freetext import clean
from audit.services import Actor, record
from cameras.access import person_actor
from cameras.models import Organisation, Site
from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.live import announce
from core.models import User
from enforcement.rights.intake import country_of, number_of, plate_of
from enforcement.watchlist.models import Alert, Entry, Watchlist
from enforcement.watchlist.watching import reads_watch as reads_watch
from plates.models import PlateRead
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

PURPOSE = "watchlist-admin"
_APPROVE_BATCH = 1000


def _nothing() -> NotFound:
    return NotFound("not_found", "There is nothing here.")


# --- lists --------------------------------------------------------------------------------------


def watchlist_create(
    *,
    organisation: Organisation,
    name: str,
    purpose: str,
    user: User,
    now: datetime,
    sites: Iterable[Site] = (),
    priority: int = 50,
    needs_approval: bool = True,
    actor: Actor | None = None,
) -> Watchlist:
    """A new list of `organisation`, for some of its sites (none named: all of them).

    `purpose` is the legal basis and must be given; `priority` 0 to 100. Raises BadInput
    (`name_missing`, `purpose_missing`, `name_taken`, `out_of_range`, `foreign_site`).
    """
    watchlist = Watchlist(organisation=organisation)
    return watchlist_change(
        watchlist=watchlist,
        name=name,
        purpose=purpose,
        sites=sites,
        priority=priority,
        needs_approval=needs_approval,
        active=True,
        user=user,
        now=now,
        actor=actor,
    )


def watchlist_change(
    *,
    watchlist: Watchlist,
    name: str,
    purpose: str,
    sites: Iterable[Site],
    priority: int,
    needs_approval: bool,
    active: bool,
    user: User,
    now: datetime,
    actor: Actor | None = None,
) -> Watchlist:
    """Store a list with all it says of itself; see `watchlist_create` for what is refused.

    An entry nobody approved stays silent when its list starts to ask for approval.
    """
    sites = list(sites)
    for field, text in (("name", name), ("purpose", purpose)):
        if not text.strip():
            raise BadInput(f"{field}_missing", f"A list needs its {field}.", field=field)
    if any(site.organisation_id != watchlist.organisation_id for site in sites):
        raise BadInput("foreign_site", "A list's sites are its organisation's.", field="sites")
    if Watchlist.objects.filter(name=name.strip()).exclude(pk=watchlist.pk).exists():
        raise BadInput("name_taken", "Another list has this name.", field="name")
    number_of(priority, "priority", 0, 100)
    created = watchlist._state.adding
    with transaction.atomic():
        watchlist.name = clean(name, field="name", most=100)
        watchlist.purpose = clean(purpose, field="purpose", most=300)
        watchlist.priority = priority
        watchlist.needs_approval = needs_approval
        watchlist.active = active
        watchlist.save()
        watchlist.sites.set(sites)
        record(
            actor or person_actor(user),
            "create" if created else "change",
            purpose=PURPOSE,
            subject=Watchlist._meta.label_lower,
            subject_id=watchlist.pk,
            detail={
                "sites": sorted(site.slug for site in sites),
                "priority": priority,
                "needs_approval": needs_approval,
                "active": active,
            },
        )
    return watchlist


# --- entries ------------------------------------------------------------------------------------


def list_lock(watchlist_id: uuid.UUID) -> Watchlist:
    """The list, held until commit: additions to one list go one after the other, so that a plate
    stands on it once. NotFound where there is none."""
    locked = Watchlist.objects.select_for_update(no_key=True, of=("self",))
    watchlist = locked.filter(pk=watchlist_id).first()
    if watchlist is None:
        raise _nothing()
    return watchlist


def entry_build(
    *,
    watchlist: Watchlist,
    plate: str,
    country: str,
    reason: str,
    priority: int | None,
    expires_at: datetime | None,
    user: User,
    now: datetime,
) -> Entry:
    """A sealed entry, not yet saved; BadInput for what can't be one (see `entry_add`)."""
    text = plate_of(plate)
    entry = Entry(
        watchlist=watchlist,
        token_exact=blind.exact(text),
        token_class=blind.equivalent(text),
        country=country_of(country),
        priority=number_of(priority, "priority", 0, 100),
        expires_at=_expiry(expires_at, now),
        added_at=now,
        added_by=user,
    )
    entry.reason = clean(reason, field="reason", most=200, plates=[text])
    scope = f"org:{watchlist.organisation_id}"
    assign_key(entry, scope=scope, data_class=DataClass.ENTRY, now=now)
    seal_text(entry, {"text": text})
    return entry


def _expiry(at: datetime | None, now: datetime) -> datetime:
    if at is None:
        raise BadInput(
            "expires_missing", "Say until when it stays on the list.", field="expires_at"
        )
    if at.tzinfo is None:
        raise BadInput("naive_time", "A time must carry its offset.", field="expires_at")
    if at <= now:
        raise BadInput("expired_already", "It would have expired already.", field="expires_at")
    return at


def entry_add(
    *,
    watchlist: Watchlist,
    plate: str,
    expires_at: datetime | None,
    user: User,
    now: datetime,
    country: str = "",
    reason: str = "",
    priority: int | None = None,
    actor: Actor | None = None,
) -> Entry:
    """Put a plate on a list until `expires_at`.

    Without a `country` it only ever makes *possible* alerts. Raises BadInput (`plate_empty`,
    `plate_too_long`, `unknown_country`, `expires_missing`, `expired_already`, `naive_time`,
    `names_plate`, …) and Conflict `entry_exists` while the plate stands there already.
    """
    with transaction.atomic():
        watchlist = list_lock(watchlist.pk)
        entry = entry_build(
            watchlist=watchlist,
            plate=plate,
            country=country,
            reason=reason,
            priority=priority,
            expires_at=expires_at,
            user=user,
            now=now,
        )
        same = Entry.objects.filter(
            watchlist=watchlist,
            token_exact__in=blind.exact_lookup(plate_of(plate)),
            country=entry.country,
            removed_at__isnull=True,
        )
        if same.filter(expires_at__gt=now).exists():
            raise Conflict("entry_exists", "This plate stands on the list already.", field="plate")
        same.update(removed_at=now)  # expired ones make room
        entry.save(force_insert=True)
        _record_entry(entry, "add", user, actor)
    return entry


def entry_approve(
    *, entry_id: uuid.UUID, user: User, now: datetime, actor: Actor | None = None
) -> Entry:
    """A second person lets an entry count. A repeat changes nothing.

    Raises NotFound, NotAllowed `another_person` for whoever added it, Conflict `entry_gone` for
    one that was removed or has expired.
    """
    with transaction.atomic():
        entry = _locked_entry(entry_id)
        if entry.approved_at is not None:
            return entry
        if entry.added_by_id == user.pk:
            raise NotAllowed("another_person", "Whoever added an entry can't approve it.")
        if entry.removed_at is not None or entry.expires_at <= now:
            raise Conflict("entry_gone", "This entry was removed or has expired.")
        entry.approved_at, entry.approved_by = now, user
        entry.save(update_fields=["approved_at", "approved_by"])
        _record_entry(entry, "approve", user, actor)
    return entry


def entries_approve(
    *, watchlist_id: uuid.UUID, user: User, now: datetime, actor: Actor | None = None
) -> int:
    """Approve everything that waits on a list and that others added; how many. For lists that
    came as a file: one audit row per thousand, with each plate's token."""
    approved = 0
    while True:
        # a transaction each: the audit chain's lock must not be held while entries are waited for
        with transaction.atomic():
            watchlist = list_lock(watchlist_id)
            waiting = Entry.objects.filter(
                watchlist=watchlist,
                approved_at__isnull=True,
                removed_at__isnull=True,
                expires_at__gt=now,
            ).exclude(added_by=user)
            batch = dict(waiting.order_by("pk").values_list("pk", "token_exact")[:_APPROVE_BATCH])
            if not batch:
                return approved
            Entry.objects.filter(pk__in=list(batch)).update(approved_at=now, approved_by=user)
            record(
                actor or person_actor(user),
                "approve",
                purpose=PURPOSE,
                subject=Watchlist._meta.label_lower,
                subject_id=watchlist.pk,
                tokens=batch.values(),
                count=len(batch),
            )
        approved += len(batch)


def entry_remove(
    *, entry_id: uuid.UUID, user: User, now: datetime, actor: Actor | None = None
) -> Entry:
    """Take a plate off its list; a repeat changes nothing. NotFound where there is none."""
    with transaction.atomic():
        entry = _locked_entry(entry_id)
        if entry.removed_at is None:
            entry.removed_at = now
            entry.save(update_fields=["removed_at"])
            _record_entry(entry, "remove", user, actor)
    return entry


def _locked_entry(entry_id: uuid.UUID) -> Entry:
    locked = Entry.objects.select_for_update(no_key=True, of=("self",))
    entry = locked.filter(pk=entry_id).first()
    if entry is None:
        raise _nothing()
    return entry


def _record_entry(entry: Entry, action: str, user: User, actor: Actor | None) -> None:
    record(
        actor or person_actor(user),
        action,
        purpose=PURPOSE,
        subject=Entry._meta.label_lower,
        subject_id=entry.pk,
        tokens=[entry.token_exact],
        detail={"watchlist": str(entry.watchlist_id)},
    )


# --- alerts -------------------------------------------------------------------------------------


def alert_acknowledge(
    *, alert_id: uuid.UUID, user: User, note: str, now: datetime, actor: Actor | None = None
) -> Alert:
    """Somebody has seen an alert and says what came of it; a repeat by the same person is fine.

    Raises NotFound, Conflict `acknowledged_already` after somebody else, BadInput (`too_long`,
    `names_plate`) for the note, which is stored in the clear.
    """
    with transaction.atomic():
        locked = Alert.objects.select_for_update(no_key=True, of=("self",))
        alert = locked.select_related("entry").filter(pk=alert_id).first()
        if alert is None:
            raise _nothing()
        if alert.acknowledged_at is not None:
            if alert.acknowledged_by_id == user.pk:
                return alert
            raise Conflict("acknowledged_already", "Somebody else has acknowledged this alert.")
        seen = PlateRead.objects.filter(pk=alert.read_id).values_list("token_exact", flat=True)
        tokens = [alert.entry.token_exact, *seen]
        alert.acknowledge_note = clean(note, field="note", most=300, tokens=tokens)
        alert.acknowledged_at, alert.acknowledged_by = now, user
        alert.save(update_fields=["acknowledged_at", "acknowledged_by", "acknowledge_note"])
        announce("alert", alert)
        record(
            actor or person_actor(user),
            "acknowledge",
            purpose="alert-handling",
            subject=Alert._meta.label_lower,
            subject_id=alert.pk,
            tokens=[alert.entry.token_exact],
        )
    return alert
