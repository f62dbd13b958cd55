"""Watchlists, their sealed entries, and alerts."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from cameras.models import Camera, Organisation, Site
from vault.models import SealedRow, SealedTextField, TokenField


class Watchlist(models.Model):
    """A list of plates to be told about, for a stated purpose."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100, unique=True)
    purpose = models.CharField(
        max_length=300, help_text="Why this list may exist: the legal basis."
    )
    sites = models.ManyToManyField(
        Site, blank=True, related_name="watchlists", help_text="Empty: all of the organisation."
    )
    priority = models.PositiveSmallIntegerField(default=50)  # 0–100
    needs_approval = models.BooleanField(
        default=True, help_text="An entry counts only after a second person approved it."
    )
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["-priority", "name"]

    def __str__(self) -> str:
        return self.name


class Entry(SealedRow):
    """One plate on a list. It counts while approved (where the list asks for it) and unexpired."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    watchlist = models.ForeignKey(Watchlist, on_delete=models.CASCADE, related_name="entries")
    text = SealedTextField()
    token_exact = TokenField(db_index=True)
    token_class = TokenField(db_index=True)
    country = models.CharField(max_length=6, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    priority = models.PositiveSmallIntegerField(null=True)  # 0–100; null: the list's
    expires_at = models.DateTimeField()
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    removed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(
                fields=["watchlist", "token_exact", "country"],
                condition=Q(removed_at__isnull=True),
                name="entry_once_per_list",
            ),
            models.CheckConstraint(
                condition=Q(approved_at__isnull=True, approved_by__isnull=True)
                | Q(approved_at__isnull=False, approved_by__isnull=False),
                name="approval_says_who_and_when",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("added_by")),
                name="approved_by_another_person",
            ),
        ]

    def __str__(self) -> str:
        return f"entry {self.id}"


class Alert(models.Model):
    """A read that hit an entry: `exact` or merely `possible` (domain-rules §4, accuse).

    One per entry and passage: further reads of the vehicle in view do not alert again.
    """

    class Certainty(models.TextChoices):
        EXACT = "exact", "exact"
        POSSIBLE = "possible", "possible"

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of created_at
    entry = models.ForeignKey(Entry, on_delete=models.CASCADE, related_name="alerts")
    watchlist = models.ForeignKey(Watchlist, on_delete=models.PROTECT, related_name="alerts")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="alerts")
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="alerts")
    read_id = models.UUIDField()
    capture_id = models.UUIDField(db_index=True)
    certainty = models.CharField(max_length=8, choices=Certainty.choices)
    why = models.CharField(max_length=200)  # plate-free
    captured_at = models.DateTimeField()
    first_seen_at = models.DateTimeField()  # of the vehicle in view: all its reads are this alert
    last_seen_at = models.DateTimeField()
    created_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    acknowledge_note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "read_id"], name="alert_once_per_read"),
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="acknowledge_says_who_and_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "-created_at"],
                name="alert_open",
                condition=Q(acknowledged_at__isnull=True),
            ),
            models.Index(fields=["entry", "camera", "last_seen_at"], name="alert_debounce"),
        ]

    def __str__(self) -> str:
        return f"{self.certainty} alert {self.id}"
