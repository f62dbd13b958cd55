"""What a camera sees, small: one sealed picture a camera, replaced by the next."""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from cameras.models import Camera, Thumbnail
from vault import files, sealing
from vault.models import DataClass


def thumbnail_store(*, camera: Camera, data: bytes, now: datetime) -> Thumbnail:
    """Keep `data` in place of the picture before it, whose file goes.

    It is a device image: kept as long as the site keeps those, and opened through `audit.access`
    like every picture, since plates may be on it.
    """
    row = Thumbnail(camera=camera, site_id=camera.site_id, received_at=now)
    scope = str(camera.site_id)
    sealing.assign_key(row, scope=scope, data_class=DataClass.DEVICE_IMAGE, now=now)
    sealing.seal_file(row, "picture", data, now=now)
    with transaction.atomic():
        # two heartbeats at once: the second waits here and finds the first one's file
        Camera.objects.select_for_update(of=("self",), no_key=True).get(pk=camera.pk)
        before = Thumbnail.objects.filter(camera=camera).values_list("picture", flat=True)
        files.doom(list(before), now=now)
        row.save(force_insert=not before)
    return row


def thumbnails_of(site_id: uuid.UUID, *, until: datetime) -> "QuerySet[Thumbnail]":
    """The thumbnails of a site that were received until then."""
    return Thumbnail.objects.filter(site_id=site_id, received_at__lte=until)


def thumbnails_erase(due: "QuerySet[Thumbnail]", *, now: datetime) -> int:
    """Remove thumbnails with their files, in the caller's transaction; how many."""
    rows = list(due.select_for_update().order_by("pk"))
    files.doom([row.picture for row in rows], now=now)
    Thumbnail.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
