"""What is left over: keys that seal nothing, reads that belong nowhere, files that no row names."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from cameras.models import Capture, Site, Thumbnail
from enforcement.cases.models import Case, CaseAppeal, Correction, Evidence
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.retention import selection
from enforcement.retention.erasing import reads_erase, report
from enforcement.rights.models import Right, RightPlate
from enforcement.watchlist.models import Entry
from plates.models import Passage, PlateRead
from vault import files, keys
from vault.models import DataClass, DataKey

SEALED_MODELS = (
    Right,
    RightPlate,
    Entry,
    Passage,
    PlateRead,
    Case,
    Evidence,
    Correction,
    CaseAppeal,
    Notice,
    NoticeDelivery,
    Capture,
    Thumbnail,
)
_STILL_SEALED = "picture <> '' OR crop <> '' OR read IS NOT NULL"
"""A capture's row outlives what was sealed in it."""


def keys_destroy_unused(*, now: datetime) -> int:
    """Destroy data keys of past days that no row is sealed with any more; how many.

    Today's and yesterday's keys are left: a process may hold one in its cache and still seal. After
    this, backups of the main database hold nothing but noise for these rows.
    """
    old = DataKey.objects.using(keys.STORE).filter(
        destroyed_at__isnull=True, day__lt=(now - timedelta(days=1)).date()
    )
    unused = list(old.values_list("pk", flat=True))
    for model in SEALED_MODELS:
        if not unused:
            return 0
        still = _STILL_SEALED if model is Capture else "true"
        # one look into the index per key, however many rows are sealed with it
        sql = (
            f"SELECT key FROM unnest(%s::uuid[]) AS key WHERE NOT EXISTS (SELECT 1 "  # noqa: S608
            f"FROM {model._meta.db_table} WHERE data_key = key AND ({still}))"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, [unused])
            unused = [key_id for (key_id,) in cursor.fetchall()]
    return keys.destroy(unused, now=now) if unused else 0


def strays_erase(*, now: datetime) -> int:
    """Erase reads that belong to no passage and are past the clock of pending ones; how many.

    There are none unless a read could not be opened when it was to be gathered.
    """
    gone = 0
    for site in Site.objects.all():
        if selection.site_is_held(site):
            continue
        with transaction.atomic():
            strays = selection.strays_due(selection.keep_of(site), now)
            ids = list(strays.values_list("pk", flat=True)[: selection.CHUNK])
            if ids:
                counts = reads_erase(PlateRead.objects.filter(pk__in=ids), now=now)
                report(site, DataClass.PENDING, counts, now=now)
                gone += counts["reads"]
    return gone


def orphans_remove(*, now: datetime) -> int:
    """Remove stored files of past days that no row names: left by a crash between file and row.

    Files of today and yesterday are left: their row may be about to commit.
    """
    gone = 0
    names = files.names_before(now - timedelta(days=1))
    for start in range(0, len(names), 1000):
        page = names[start : start + 1000]
        named: set[str] = set()
        for model, fields in NAMING:
            for field_name in fields:
                rows = model.objects.filter(**{f"{field_name}__in": page})
                named.update(rows.values_list(field_name, flat=True))
        with transaction.atomic():
            files.doom([name for name in page if name not in named], now=now)
        gone += len(page) - len(named)
    return gone


NAMING: tuple[
    tuple[type[Capture | PlateRead | Evidence | Notice | Thumbnail], tuple[str, ...]], ...
] = (
    (Capture, ("picture", "crop")),
    (PlateRead, ("crop",)),
    (Evidence, ("picture", "crop")),
    (Notice, ("pdf",)),
    (Thumbnail, ("picture",)),
)
"""Where rows name files of the sealed store."""
