"""Where plates are seen: organisations, sites, cameras, device keys; and what devices send."""

import uuid
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from core.models import MachineKey
from vault.models import SealedRow, SealedTextField, TokenField


def check_timezone(name: str) -> None:
    """A name of the IANA time zone database."""
    if name not in available_timezones():
        raise ValidationError("not an IANA time zone name", code="timezone")


class Organisation(models.Model):
    """Who runs sites and answers for what is looked at there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=150, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Site(models.Model):
    """A place with rules of its own: a car park, a gantry, a charging zone, a stretch of road.

    What is judged there, and by which numbers, stands in `rights.SiteRules` with an effective date.
    """

    class Kind(models.TextChoices):
        PARKING = "parking", "parking (visits)"
        VIGNETTE = "vignette", "vignette road"
        ZONE = "zone", "charging zone"
        SECTION = "section", "section control (average speed)"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="sites")
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    timezone = models.CharField(max_length=64, default="UTC", validators=[check_timezone])
    regions = models.JSONField(
        default=list,
        blank=True,
        help_text="Countries whose plates are common here (ISO 3166 codes): a hint to the reader.",
    )
    regions_strict = models.BooleanField(
        default=False,
        help_text="Consider the plate formats of these countries alone. A foreign plate is then "
        "read as free text, or as the nearest format of these: leave it off on a public road.",
    )
    debounce_seconds = models.PositiveSmallIntegerField(
        default=45, help_text="Reads of one vehicle this close together are one passage."
    )
    skew_limit_seconds = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(0)],
        help_text="A device clock further off than this is quarantined.",
    )
    offline_after_seconds = models.PositiveIntegerField(
        default=180, help_text="A camera silent for longer is shown as offline."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone_info(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


class Zone(models.Model):
    """A part of a site, for occupancy and for tariffs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="zones")
    name = models.CharField(max_length=100)
    places = models.PositiveIntegerField(null=True, blank=True, help_text="Parking places, if any.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="zone_name_per_site")]
        ordering = ["site", "name"]

    def __str__(self) -> str:
        return f"{self.site} · {self.name}"


class Camera(models.Model):
    """One camera at a site and what it last said of itself."""

    class Role(models.TextChoices):
        ENTRY = "entry", "entry"
        EXIT = "exit", "exit"
        PASSING = "passing", "passing"
        ROVING = "roving", "roving"

    class State(models.TextChoices):
        NEW = "new", "never heard of"
        ONLINE = "online", "online"
        OFFLINE = "offline", "offline"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="cameras")
    zone = models.ForeignKey(Zone, on_delete=models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50)
    role = models.CharField(max_length=8, choices=Role.choices)
    direction = models.CharField(max_length=50, blank=True)
    latitude = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)]
    )
    longitude = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)]
    )
    heading = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(360)],
        help_text="Degrees clockwise from north.",
    )
    active = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.NEW, editable=False)
    last_seen_at = models.DateTimeField(null=True, editable=False)
    through = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Everything seen up to here has been delivered (the spool's watermark).",
    )
    queue_depth = models.PositiveIntegerField(null=True, editable=False)
    clock_skew_seconds = models.FloatField(null=True, editable=False)
    detail = models.JSONField(default=dict, editable=False)  # of the newest heartbeat

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "slug"], name="camera_slug_per_site")
        ]
        ordering = ["site", "name"]

    def __str__(self) -> str:
        return f"{self.site} · {self.name}"


class SiteRole(models.Model):
    """What a person may do at a site. Roles see only their sites (domain-rules §7)."""

    class Role(models.TextChoices):
        VIEWER = "viewer", "viewer (figures and camera health, no plates)"
        OPERATOR = "operator", "operator (reads, cases, alerts)"
        SUPERVISOR = "supervisor", "supervisor (operator, and approves)"
        AUDITOR = "auditor", "auditor (the audit log)"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="site_roles"
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "site", "role"], name="role_once_per_site")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} at {self.site}"


class DeviceKey(MachineKey):
    """A camera's credential."""

    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="keys")

    def __str__(self) -> str:
        return f"{self.camera} · {self.prefix}…"


class SetupToken(MachineKey):
    """A one-time token by which a device is given a key of this camera (`cameras.enrolment`)."""

    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="setup_tokens")
    used_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.camera} · {self.prefix}…"


class DeviceSettings(models.Model):
    """What the device of a camera is to do, by `device_settings.SETTINGS`, and whether it does.

    `version` rises with each change. `refused_field` names the setting a device could not take; it
    is one of ours or empty.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "not yet in force"
        APPLIED = "applied", "in force"
        REFUSED = "refused", "refused by the device"

    camera = models.OneToOneField(
        Camera, on_delete=models.CASCADE, primary_key=True, related_name="device_settings"
    )
    version = models.PositiveIntegerField(default=1)
    values = models.JSONField(default=dict)
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    applied_version = models.PositiveIntegerField(null=True)
    refused_version = models.PositiveIntegerField(null=True)
    refused_field = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name_plural = "device settings"

    def __str__(self) -> str:
        return f"{self.camera_id} settings {self.version}"

    @property
    def state(self) -> "DeviceSettings.State":
        """Whether the device has this version in force, as it last said."""
        if self.refused_version == self.version:
            return self.State.REFUSED
        return self.State.APPLIED if self.applied_version == self.version else self.State.WAITING


class Thumbnail(SealedRow):
    """What a camera sees, small: the newest one it sent with a heartbeat. It may show plates."""

    camera = models.OneToOneField(
        Camera, on_delete=models.CASCADE, primary_key=True, related_name="thumbnail"
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    picture = models.CharField(max_length=120)  # name in the sealed store
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"thumbnail {self.camera_id}"


class Heartbeat(models.Model):
    """What a device said of itself, once a minute or so."""

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of received_at
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="heartbeats")
    received_at = models.DateTimeField(db_index=True)
    sent_at = models.DateTimeField(null=True)
    through = models.DateTimeField(null=True)
    queue_depth = models.PositiveIntegerField(null=True)
    clock_skew_seconds = models.FloatField(null=True)
    detail = models.JSONField(default=dict)  # see values.DETAIL: numbers and known words

    def __str__(self) -> str:
        return f"{self.camera_id} {self.received_at:%H:%M:%S}"


class Capture(SealedRow):
    """One thing a camera sent: a frame, a crop or a finished read. The row outlives the plate.

    `id` is a UUIDv7 of the capture time and a hash of camera and event, so a repeat makes the same
    id. `outcome` is plate-free and written by the stages downstream.
    """

    class Kind(models.TextChoices):
        FRAME = "frame", "frame"
        CROP = "crop", "plate crop"
        READ = "read", "finished read"

    class Status(models.TextChoices):
        RECEIVED = "received", "received"
        RECOGNISED = "recognised", "recognised"
        UNREADABLE = "unreadable", "unreadable"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, editable=False)
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="captures")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="captures")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RECEIVED)
    failure = models.CharField(max_length=40, blank=True)  # a code, e.g. broken_picture
    failure_sentence = models.CharField(max_length=200, blank=True)
    event_token = TokenField()  # of the client's own event id, which may contain a plate
    content_digest = models.BinaryField(max_length=32)  # keyed digest of all that was sent
    captured_at = models.DateTimeField()
    received_at = models.DateTimeField()
    quarantined = models.BooleanField(default=False)  # clock off: visible, not enforceable
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    heading = models.FloatField(null=True)
    exposure = models.JSONField(default=dict)  # shutter_us, gain_db, infrared: numbers and booleans
    picture = models.CharField(max_length=120, blank=True)  # names in the sealed store
    crop = models.CharField(max_length=120, blank=True)
    picture_sha256 = models.BinaryField(max_length=32, null=True)  # of the original bytes
    picture_bytes = models.PositiveIntegerField(default=0)
    read = SealedTextField(null=True)  # JSON of a finished read as sent
    wanted_at = models.DateTimeField(null=True)  # somebody asked for the larger picture
    picture_due = models.BooleanField(default=False)  # it came: the outbox to the stage act
    outcome = models.JSONField(default=dict)
    recognised_at = models.DateTimeField(null=True)
    judged_at = models.DateTimeField(null=True)  # the first verdict
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["camera", "event_token"], name="event_once_per_camera"),
            models.CheckConstraint(
                condition=models.Q(status="failed") ^ models.Q(failure=""),
                name="failed_capture_has_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], name="capture_waiting", condition=models.Q(status="received")
            ),
            models.Index(fields=["site", "-received_at"], name="capture_by_site"),
            models.Index(fields=["camera", "-received_at"], name="capture_by_camera"),
            models.Index(
                fields=["camera"],
                name="capture_wanted",
                condition=models.Q(wanted_at__isnull=False, picture=""),
            ),
            models.Index(
                fields=["id"], name="capture_picture_due", condition=models.Q(picture_due=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class DayCount(models.Model):
    """What came of a camera's captures on one day, by the site's clock: numbers only.

    `what` is "captures" (finished ones), "failed", "reads" (plates), or the reason why a find was
    turned down. Written in the transaction that finishes the captures, so each counts once.
    """

    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="day_counts")
    day = models.DateField()
    what = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["camera", "day", "what"], name="counted_once_a_day")
        ]
        indexes = [models.Index(fields=["-day"], name="count_by_day")]

    def __str__(self) -> str:
        return f"{self.camera_id} {self.day}: {self.what} {self.count}"
