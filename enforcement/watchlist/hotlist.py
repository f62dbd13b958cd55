"""Tokens of watchlists for a camera's device, so that a hit can sound when the network is gone.

No plate leaves: the device is given HMAC tokens of the plates that count at its site, under a key
that is this device's and this day's, and compares what it reads. Whoever holds the running device
has that key and can test one plate after another (docs/threat-model.md), so it happens only where
the camera's settings ask for it. What the device finds is a reason to look; alerts are made here.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from audit.access import Access, stage_batch
from audit.services import Actor
from cameras.device_settings import watches
from cameras.models import DeviceKey
from core.errors import NotFound
from core.platetext import ocr_class
from enforcement.watchlist.models import Entry
from enforcement.watchlist.selectors import entries_at
from vault import blind, keyring
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

VALID = timedelta(hours=24)
"""How long a device may go by a list it was given: also a plate taken off meanwhile may sound."""
MOST_ENTRIES = 50_000
"""As many as a small device holds and a request may open; the most urgent come first."""
_BATCH = 1000  # an audit row names so many plates by their tokens

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries a device is to be given, before any is opened. `etag` names them and the
    day's key; `left_off` counts those beyond `MOST_ENTRIES`."""

    etag: str
    entries: tuple[uuid.UUID, ...]
    left_off: int


@dataclass(frozen=True, slots=True)
class Hotlist:
    """What a device is given. `exact` are tokens (32 hex digits) of canonical plates, `possible`
    of their OCR classes, both sorted, so that their order tells nothing."""

    key: bytes = field(repr=False)
    expires_at: datetime
    exact: list[str] = field(repr=False)
    possible: list[str] = field(repr=False)


def hotlist_wanted(*, device: DeviceKey, now: datetime) -> Wanted:
    """What `device` is to be given. NotFound `not_watched` unless its camera's settings say so."""
    if not watches(device.camera):
        raise NotFound("not_watched", "This camera keeps no watchlists.")
    found = entries_at(device.camera.site, now)
    entries = tuple(found.values_list("pk", flat=True)[: MOST_ENTRIES + 1])
    left_off = 0 if len(entries) <= MOST_ENTRIES else found.count() - MOST_ENTRIES
    entries = entries[:MOST_ENTRIES]
    # an entry's plate never changes, so its id stands for it
    names = hashlib.sha256(f"{device.pk} {now.date()} {keyring.index().active}".encode())
    for entry in sorted(entries):
        names.update(entry.bytes)
    return Wanted(names.hexdigest()[:32], entries, left_off)


def hotlist_make(*, wanted: Wanted, device: DeviceKey, place: str, now: datetime) -> Hotlist:
    """The tokens of what is wanted; audited in batches, as looks of that device at those plates.

    What can't be opened (forgotten meanwhile) is left out.
    """
    key = blind.device_key(device.pk, now.date())
    actor = Actor("device", str(device.camera), place=place)
    exact: set[str] = set()
    possible: set[str] = set()
    for start in range(0, len(wanted.entries), _BATCH):
        rows = Entry.objects.filter(pk__in=wanted.entries[start : start + _BATCH])
        with stage_batch("watch", purpose="device-watch", action="tokens", actor=actor) as access:
            for text in _texts(list(rows), access):
                exact.add(blind.device_token(key, text).hex())
                possible.add(blind.device_token(key, ocr_class(text)).hex())
    return Hotlist(key, now + VALID, sorted(exact), sorted(possible))


def _texts(rows: Sequence[Entry], access: Access) -> list[str]:
    texts = []
    for row in rows:
        try:
            texts.append(access.text(row))
        except (KeyDestroyed, SealBroken) as error:
            log.warning("hotlist_unopened", error=type(error).__name__, entry=str(row.pk))
    return texts
