"""Reading cameras and captures: for the API, the overview's figures and the health screen."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Count, Q

from cameras.access import sites_of
from cameras.models import Camera, Capture, DeviceKey, DeviceSettings, Site
from cameras.values import TROUBLES
from core.errors import NotFound
from core.models import User


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """A camera and what is wrong with it; `key` is its newest live key, if it has any."""

    camera: Camera
    skewed: bool
    newest_key: DeviceKey | None

    @property
    def healthy(self) -> bool:
        """Online, in time, able to log in, and without a trouble that its device speaks of."""
        online = self.camera.state == Camera.State.ONLINE
        settings = getattr(self.camera, "device_settings", None)
        refused = settings is not None and settings.state == DeviceSettings.State.REFUSED
        troubled = any(self.camera.detail.get(f"trouble_{part}") is True for part in TROUBLES)
        able = self.newest_key is not None
        return online and able and not (self.skewed or refused or troubled)


def capture_or_404(
    *, capture_id: str, camera: Camera | None, user: User | AnonymousUser
) -> Capture:
    """The capture, for a device of `camera` or else for a person with a role at its site.

    NotFound for anything else, also for an id that is none.
    """
    wanted = as_capture_id(capture_id)
    seen = (
        Capture.objects.filter(camera=camera)
        if camera is not None
        else Capture.objects.filter(site__in=sites_of(user))
    )
    capture = seen.filter(pk=wanted).first()
    if capture is None:
        raise nothing_here()
    return capture


def as_capture_id(text: str) -> uuid.UUID:
    """The id in an address; NotFound for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise nothing_here() from None


def nothing_here() -> NotFound:
    """The one answer to whatever isn't there, or isn't the asker's."""
    return NotFound("not_found", "There is nothing here.")


def camera_or_404(camera_id: uuid.UUID, sites: "models.QuerySet[Site]") -> Camera:
    """A camera of `sites`, with what is known of its device. NotFound."""
    known = Camera.objects.select_related("site", "device_settings", "thumbnail")
    camera = known.filter(pk=camera_id, site__in=sites).first()
    if camera is None:
        raise nothing_here()
    return camera


def captures_today(sites: "models.QuerySet[Site]", now: datetime) -> dict[str, int]:
    """Captures received since midnight, each site by its own clock: status → count, and `total`,
    `quarantined`."""
    by_zone: dict[str, list[uuid.UUID]] = {}
    for site_id, name in sites.values_list("pk", "timezone"):
        by_zone.setdefault(name, []).append(site_id)
    today = Q(pk__in=[])
    for name, ids in by_zone.items():
        midnight = now.astimezone(ZoneInfo(name)).replace(hour=0, minute=0, second=0, microsecond=0)
        today |= Q(site__in=ids, received_at__gte=midnight)
    counts = Capture.objects.filter(today).aggregate(
        total=Count("pk"),
        quarantined=Count("pk", filter=Q(quarantined=True)),
        **{status: Count("pk", filter=Q(status=status)) for status in Capture.Status.values},
    )
    return {name: int(count) for name, count in counts.items()}


def cameras_health(sites: "models.QuerySet[Site]", now: datetime) -> list[CameraHealth]:
    """Every active camera of `sites` with its health, those in trouble first. Three queries."""
    live = DeviceKey.objects.filter(revoked_at__isnull=True).filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    )
    cameras = (
        Camera.objects.filter(site__in=sites, active=True)
        .select_related("site", "device_settings")
        .prefetch_related(models.Prefetch("keys", live.order_by("-created_at"), "live_keys"))
    )
    found = [
        CameraHealth(
            camera=camera,
            skewed=camera.clock_skew_seconds is not None
            and abs(camera.clock_skew_seconds) > camera.site.skew_limit_seconds,
            newest_key=next(iter(camera.live_keys), None),
        )
        for camera in cameras
    ]
    return sorted(found, key=lambda one: one.healthy)
