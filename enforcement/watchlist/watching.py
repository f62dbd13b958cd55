"""The stage `watch`: every read against the lists, at once, before anything slower.

Reads and entries meet by their blind-index tokens, so a read that hits nothing is never opened. A
hit is opened, in an audited batch, for the strict matcher to say whether it is exact or merely
possible. Reads of quarantined cameras alert like any other (domain-rules §1).
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db.models import Count

from audit.access import Access, stage_batch
from cameras.outcomes import captures_tell
from core.ids import uuid7
from core.live import announce
from enforcement.rights.facts import Reading
from enforcement.rights.matching import accuse
from enforcement.rights.outcomes import Certainty
from enforcement.rights.selectors import rules_at
from enforcement.watchlist.models import Alert, Entry
from enforcement.watchlist.selectors import counting
from plates.models import PlateRead
from vault import blind, keyring
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

MOST_WATCHED = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A read that is, or may be, the plate of an entry."""

    read: PlateRead
    entry: Entry
    certainty: Certainty
    why: str


def reads_watch(*, now: datetime, limit: int = MOST_WATCHED) -> int:
    """Watch up to `limit` reads that nobody watched yet; how many there were.

    One alert per entry and vehicle in view: further reads within the site's debounce of one that
    belongs to the alert only say that it is still there.
    """
    with stage_batch("watch") as access:
        waiting = PlateRead.objects.filter(watched_at__isnull=True).select_related("site")
        reads = list(
            waiting.select_for_update(skip_locked=True, of=("self",)).order_by("id")[:limit]
        )
        alerts = [
            alert for hit in _hits(reads, access) if (alert := _alert(hit, now=now)) is not None
        ]
        PlateRead.objects.filter(pk__in=[read.pk for read in reads]).update(watched_at=now)
        alerted = {alert.capture_id for alert in alerts}
        if alerted:
            counted = Alert.objects.filter(capture_id__in=alerted).values_list("capture_id")
            counts = counted.order_by("capture_id").annotate(Count("pk"))
            captures_tell({capture_id: {"alerts": count} for capture_id, count in counts})
    return len(reads)


def _hits(reads: Sequence[PlateRead], access: Access) -> list[_Hit]:
    """What hits what, in the order the vehicles were seen."""
    classes = {read.pk: _class_tokens(read, access) for read in reads}
    wanted = {token for tokens in classes.values() for token in tokens}
    if not wanted:
        return []
    entries: dict[uuid.UUID, list[Entry]] = {}
    # Locked in one order: two workers with two reads of one vehicle must not both find no alert.
    # Lists are asked after the lock, since what is locked may have been removed while we waited.
    for entry in (
        Entry.objects.filter(counting(), token_class__in=wanted)
        .select_related("watchlist")
        .prefetch_related("watchlist__sites")
        .select_for_update(no_key=True, of=("self",))
        .order_by("pk")
    ):
        entries.setdefault(entry.token_class, []).append(entry)
    hits = []
    for read in sorted(reads, key=lambda one: (one.captured_at, one.pk)):
        for token in classes[read.pk]:
            for entry in entries.get(token, ()):
                hit = _hit(read, entry, access) if _applies(entry, read) else None
                if hit is not None:
                    hits.append(hit)
    return hits


def _class_tokens(read: PlateRead, access: Access) -> Iterable[uuid.UUID]:
    """The read's class token; under every index key while keys are being rotated."""
    if len(keyring.index().keys) == 1:
        return (read.token_class,)
    try:
        return blind.equivalent_lookup(access.text(read))
    except (KeyDestroyed, SealBroken) as error:
        return _unopened(error, read=read.pk)


def _unopened(error: Exception, **ids: uuid.UUID) -> tuple[()]:
    """One value that can't be opened must not keep the others from being watched."""
    log.warning(
        "watch_unopened",
        error=type(error).__name__,
        **{name: str(value) for name, value in ids.items()},
    )
    return ()


def _applies(entry: Entry, read: PlateRead) -> bool:
    """Whether the entry counted at the read's site when the vehicle was seen.

    A clock that is ahead must not make an entry expire: nothing is seen after it was received.
    """
    if entry.expires_at <= min(read.captured_at, read.received_at):
        return False
    sites = {site.pk for site in entry.watchlist.sites.all()}
    if sites:
        return read.site_id in sites
    return read.site.organisation_id == entry.watchlist.organisation_id


def _hit(read: PlateRead, entry: Entry, access: Access) -> _Hit | None:
    try:
        text, wanted = access.text(read), access.text(entry)
    except (KeyDestroyed, SealBroken) as error:
        _unopened(error, read=read.pk, entry=entry.pk)
        return None
    reading = Reading(text=text, country=read.country or None, confidence=read.score)
    floor = rules_at(read.site, read.captured_at).confidence_floor
    certainty = accuse(reading, wanted, entry.country or None, floor=floor)
    if certainty is None:
        return None
    return _Hit(read, entry, certainty, _why(reading, wanted, entry.country, floor))


def _why(reading: Reading, wanted: str, country: str, floor: float) -> str:
    """Why an alert is what it is, for the person who looks at it. Plate-free."""
    doubts = [
        sentence
        for doubtful, sentence in (
            (reading.text != wanted, "characters that look alike differ"),
            (reading.country is None, "the read's country is unknown"),
            (not country, "the entry names no country"),
            (
                bool(country) and reading.country not in (None, country),
                "the countries differ",
            ),
            (reading.confidence < floor, "the read is below the confidence floor"),
        )
        if doubtful
    ]
    return "; ".join(doubts) or "the same plate of the same country"


def _alert(hit: _Hit, *, now: datetime) -> Alert | None:
    """A new alert, or None where the vehicle in view already has one."""
    read, entry = hit.read, hit.entry
    gap = timedelta(seconds=read.site.debounce_seconds)
    known = Alert.objects.filter(
        entry=entry,
        camera=read.camera_id,
        first_seen_at__lte=read.captured_at + gap,
        last_seen_at__gte=read.captured_at - gap,
    ).first()
    if known is not None:
        known.first_seen_at = min(known.first_seen_at, read.captured_at)
        known.last_seen_at = max(known.last_seen_at, read.captured_at)
        known.save(update_fields=["first_seen_at", "last_seen_at"])
        return None
    alert = Alert.objects.create(
        id=uuid7(now),
        entry=entry,
        watchlist=entry.watchlist,
        site=read.site,
        camera_id=read.camera_id,
        read_id=read.pk,
        capture_id=read.capture_id,
        certainty=hit.certainty.value,
        why=hit.why,
        captured_at=read.captured_at,
        first_seen_at=read.captured_at,
        last_seen_at=read.captured_at,
        created_at=now,
    )
    announce("alert", alert)
    return alert
