"""What may excuse a vehicle: site rules, schemes, and rights with their sealed plates."""

import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.text import slugify

from cameras.models import Organisation, Site, Zone
from core.models import MachineKey

# Django looks for an app's models here
from enforcement.rights.channels import (  # noqa: F401
    Lookup,
    LookupService,
    WebhookEvent,
    WebhookSecret,
)
from vault.models import SealedRow, SealedTextField, TokenField


def check_classes(text: str) -> None:
    """Groups of at least two different characters of plates, at most eight of them."""
    groups = text.split()
    if len(groups) > 8 or any(
        len(set(group)) < max(2, len(group)) or group != group.upper() or not group.isalnum()
        for group in groups
    ):
        raise ValidationError(
            "Groups of two or more different capital letters or digits, with blanks between them.",
            code="ocr_classes",
        )


class SiteRules(models.Model):
    """The numbers a site judges by, from an instant on: a case is always judged by the rules in
    force when the vehicle was seen (domain-rules, preamble)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="rules")
    effective_from = models.DateTimeField()
    scheme = models.CharField(
        max_length=20, blank=True, help_text="Code of the vignette scheme, at a vignette site."
    )
    scope = models.CharField(
        max_length=20, blank=True, help_text="Part of the scheme's network, where rights name one."
    )
    window = models.JSONField(
        null=True, blank=True, help_text="Charging window, at a zone site (docs/rules.md)."
    )
    section = models.JSONField(
        null=True, blank=True, help_text="Length and limits, at a section (docs/rules.md)."
    )
    confidence_floor = models.FloatField(
        default=0.80, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    ocr_classes = models.CharField(
        max_length=100,
        blank=True,
        validators=[check_classes],
        help_text="More characters that this site takes for one another, in groups: “VU MN”. "
        "0OQD, 1IL, 2Z, 5S and 8B always are.",
    )
    consideration_minutes = models.PositiveIntegerField(default=5)
    grace_minutes = models.PositiveIntegerField(default=10)
    max_stay_minutes = models.PositiveIntegerField(default=1440)
    orphan_rate_limit = models.FloatField(
        default=0.20, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    orphan_rate_over = models.PositiveIntegerField(default=50)
    suspended = models.BooleanField(
        default=False, help_text="Nothing is enforced here: passages are still recorded."
    )
    lookup_wait_minutes = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(10_080)],
        help_text="How long a case waits for a provider that is asked for a payment and does not "
        "answer; then a person has to look.",
    )

    class Meta:
        verbose_name_plural = "site rules"
        ordering = ["site", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "effective_from"], name="one_rule_set_per_instant"
            )
        ]

    def __str__(self) -> str:
        return f"{self.site} from {self.effective_from:%Y-%m-%d}"


class Scheme(models.Model):
    """A vignette scheme as data: products, categories, exemptions (`calendars.py` reads it)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    country = models.CharField(max_length=2)
    timezone = models.CharField(max_length=64)
    effective_from = models.DateTimeField()
    rules = models.JSONField()

    class Meta:
        ordering = ["code", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "effective_from"], name="one_scheme_version_per_instant"
            )
        ]

    def __str__(self) -> str:
        begins = self.effective_from.astimezone(ZoneInfo(self.timezone))
        return f"{self.code} from {begins:%Y-%m-%d}"


class Tariff(models.Model):
    """What parking costs, as data, from an instant on (`tariffs.py` reads it; docs/rules.md).

    A stay is charged by the version in force when it began: its entry's zone's if that has one,
    else the site's. `rules` null: from then on there is no tariff.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="tariffs")
    zone = models.ForeignKey(
        Zone,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="tariffs",
        help_text="Where vehicles came in by a camera of this zone; empty: everywhere else.",
    )
    name = models.CharField(max_length=100)
    effective_from = models.DateTimeField()
    currency = models.CharField(max_length=3, help_text="Three letters, as ISO 4217 has them.")
    rules = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["site", "zone", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "zone", "effective_from"],
                name="one_tariff_per_instant",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} from {self.effective_from:%Y-%m-%d}"


class Provider(models.Model):
    """Who delivers rights: a payment app, a kiosk, a permit office. Sees only its own rights.

    What it delivers counts at `sites` only; when none is named, at all of its organisation.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    sites = models.ManyToManyField(
        Site, blank=True, related_name="providers", help_text="Empty: all of the organisation."
    )
    active = models.BooleanField(default=True)
    sells = models.BooleanField(
        default=False,
        help_text="Sells vignettes itself: a first day further ahead than the scheme sells is "
        "refused. Off for a state's own registry, which is believed.",
    )
    slug = models.SlugField(
        unique=True, blank=True, help_text="Its name in addresses; made of its name where empty."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Named for addresses, if nobody has."""
        if not self.slug:
            end = (self.pk or uuid.uuid4()).hex[-8:]  # the admin takes an unsaved row's key away
            self.slug = f"{slugify(self.name)[:41] or 'provider'}-{end}"
        super().save(*args, **kwargs)


class ProviderKey(MachineKey):
    """A provider's credential."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="keys")

    def __str__(self) -> str:
        return f"{self.provider} · {self.prefix}…"


class Right(SealedRow):
    """A vignette, permit, payment or exemption: one version of it.

    A new version supersedes the older ones, which stay as history. `starts_at`/`ends_at` is the
    half-open interval in UTC, computed once by the scheme's calendar when the right came in.
    """

    class Kind(models.TextChoices):
        VIGNETTE = "vignette", "vignette"
        PAYMENT = "payment", "parking payment"
        PERMIT = "permit", "permit"
        EXEMPTION = "exemption", "exemption"
        RESERVATION = "reservation", "reservation"
        VALIDATION = "validation", "validation by a merchant"
        ZONE_PAYMENT = "zone-payment", "zone payment"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, related_name="rights"
    )
    provider = models.ForeignKey(
        Provider, on_delete=models.PROTECT, null=True, blank=True, related_name="rights"
    )
    external_token = TokenField()  # of the seller's own id, which may contain a plate
    external_id = SealedTextField()
    content_token = TokenField()  # of everything delivered: tells a repeat from a contradiction
    version = models.PositiveIntegerField(default=1)
    current = models.BooleanField(default=True)
    scheme = models.CharField(max_length=20, blank=True)
    product = models.CharField(max_length=20, blank=True)  # of a permit: its own category
    scope = models.CharField(max_length=20, blank=True)  # part of the country; "" is all of it
    category = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=40, blank=True)  # of an exemption
    max_present = models.PositiveSmallIntegerField(null=True, blank=True)  # of a shared permit
    first_day = models.DateField(null=True, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField(null=True)  # null on both sides: always
    ends_at = models.DateTimeField(null=True)
    healed_from = models.DateTimeField(null=True)  # reads from here on the purchase heals
    bought_at = models.DateTimeField(null=True, blank=True)
    known_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    used_up_at = models.DateTimeField(null=True, editable=False)  # an exact vehicle was present

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "external_token", "version"],
                name="right_version_once",
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                fields=["provider", "external_token"],
                condition=Q(current=True),
                name="one_current_version",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True, ends_at__isnull=True)
                | Q(ends_at__gte=F("starts_at")),
                name="right_ends_after_start",
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "starts_at", "ends_at"],
                name="right_at_site",
                condition=Q(current=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class PlateManager(models.Manager["RightPlate"]):
    """Plates without the tokens of what is near them, thirty a plate, which only the database
    compares."""

    def get_queryset(self) -> models.QuerySet["RightPlate"]:
        return super().get_queryset().defer("tokens_near")


class RightPlate(SealedRow):
    """One plate a right is for (a shared permit has several)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="plates")
    text = SealedTextField()
    token_exact = TokenField(db_index=True)
    token_class = TokenField(db_index=True)
    tokens_near = ArrayField(models.UUIDField(), default=list)  # where bound to a site and few
    country = models.CharField(max_length=6, blank=True)  # "" fits any country

    objects = PlateManager()

    class Meta:
        indexes = [GinIndex(fields=["tokens_near"], name="right_plate_near")]

    def __str__(self) -> str:
        return f"plate of right {self.right_id}"


class RightTouch(models.Model):
    """A right that came, changed or went and may change verdicts: consumed by the stage `rejudge`.

    Rights can't import visits (house.md), so they leave a row and ring.
    """

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of created_at
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"touch of {self.right_id}"
