"""Sites, cameras, lists and reads for the tests of watchlists."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.services import Actor
from cameras.models import Camera, Capture, Organisation, Site
from core.ids import uuid7
from core.models import User
from enforcement.watchlist.models import Entry, Watchlist
from enforcement.watchlist.services import entry_add, entry_approve, watchlist_create
from plates.models import PlateRead
from vault import blind
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
PLATE = "ST0LEN1"
ADMIN = Actor("command", "test")


def make_user(name: str) -> User:
    return User.objects.create_user(name, f"{name}@example.com")


def make_site(organisation: Organisation, slug: str) -> Site:
    return Site.objects.create(
        organisation=organisation, name=slug, slug=slug, kind="parking", timezone="Europe/London"
    )


def make_camera(site: Site, slug: str) -> Camera:
    return Camera.objects.create(site=site, name=slug, slug=slug, role="entry")


def make_list(organisation: Organisation, user: User, **change: Any) -> Watchlist:
    values: dict[str, Any] = {
        "name": f"list {uuid.uuid4().hex[:8]}",
        "purpose": "reported stolen to the police",
        "needs_approval": False,
    }
    return watchlist_create(organisation=organisation, user=user, now=NOW, **values | change)


def add(watchlist: Watchlist, user: User, plate: str = PLATE, **change: Any) -> Entry:
    values: dict[str, Any] = {"country": "GB", "expires_at": LATER, "now": NOW}
    return entry_add(watchlist=watchlist, plate=plate, user=user, **values | change)


def approve(entry: Entry, user: User) -> Entry:
    return entry_approve(entry_id=entry.pk, user=user, now=NOW)


def make_read(
    camera: Camera,
    text: str = PLATE,
    *,
    at: datetime = NOW,
    received_at: datetime | None = None,
    country: str = "GB",
    score: float = 0.95,
    quarantined: bool = False,
    capture: Capture | None = None,
    index: int = 0,
) -> PlateRead:
    """A sealed read, as the stage `recognise` leaves it."""
    received_at = received_at or at + timedelta(seconds=1)
    if capture is None:
        capture = make_capture(camera, at, received_at)
    read = PlateRead(
        id=uuid7(at, capture.pk.bytes + bytes([index])),
        capture_id=capture.pk,
        index=index,
        site=camera.site,
        camera=camera,
        captured_at=at,
        received_at=received_at,
        quarantined=quarantined,
        token_exact=blind.exact(text),
        token_class=blind.equivalent(text),
        country=country,
        score=score,
        char_scores=[score] * len(text),
    )
    assign_key(read, scope=str(camera.site_id), data_class=DataClass.PENDING, now=NOW)
    seal_text(read, {"text": text, "candidates": "[]"})
    read.save(force_insert=True)
    return read


def make_capture(camera: Camera, at: datetime, received_at: datetime) -> Capture:
    capture = Capture(
        id=uuid7(at),
        camera=camera,
        site=camera.site,
        kind="crop",
        status="recognised",
        event_token=uuid.uuid4(),
        content_digest=bytes(32),
        captured_at=at,
        received_at=received_at,
    )
    assign_key(capture, scope=str(camera.site_id), data_class=DataClass.PENDING, now=NOW)
    capture.save(force_insert=True)
    return capture
