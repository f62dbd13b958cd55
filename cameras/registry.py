"""Changing what an administrator manages here: organisations, sites, zones, cameras, roles."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Model

from audit.services import Actor, record
from cameras.keys import PURPOSE, device_keys_forget
from cameras.models import Camera, Organisation, Site, SiteRole, Zone

Managed = Organisation | Site | Zone | Camera | SiteRole


def registry_save(*, row: Managed, actor: Actor, changed: Iterable[str] = ()) -> None:
    """Check and store a new or changed row; the audit log says which fields (`changed`) and who.

    Django's ValidationError, by field, when the row is not valid.
    """
    row.full_clean()
    created = row._state.adding
    with transaction.atomic():
        row.save()
        change_record(row, actor, "created" if created else "changed", sorted(changed))
        transaction.on_commit(device_keys_forget)


def registry_delete(*, row: Managed, actor: Actor) -> None:
    """Delete a row. ProtectedError while something that must be kept points to it."""
    with transaction.atomic():
        change_record(row, actor, "deleted", [])
        row.delete()
        transaction.on_commit(device_keys_forget)


def change_record(row: Model, actor: Actor, what: str, fields: list[str]) -> None:
    """Append to the audit log that a row was created, changed or deleted, and which fields."""
    record(
        actor,
        "change",
        purpose=PURPOSE,
        subject=row._meta.label_lower,
        subject_id=row.pk,
        detail={"what": what, "fields": fields},
    )
