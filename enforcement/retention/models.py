"""How long each data class is kept per site, what is exempt, and what was erased."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from cameras.models import Site
from vault.models import DataClass, TokenField


class Policy(models.Model):
    """Hours a data class is kept at a site after its clock starts. No row: the default counts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="policies")
    data_class = models.CharField(max_length=16, choices=DataClass.choices)
    keep_minutes = models.PositiveIntegerField(help_text="0: gone as soon as the clock starts.")
    why = models.CharField(max_length=200, help_text="The legal basis for keeping it this long.")

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["site", "data_class"], name="one_policy_per_class")
        ]

    def __str__(self) -> str:
        return f"{self.site}: {self.data_class} {self.keep_minutes} min"


class Hold(models.Model):
    """A legal hold: the plate, case or site it names is not erased while it stands."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    token_exact = TokenField(null=True, blank=True, db_index=True)
    case_id = models.UUIDField(null=True, blank=True)
    reference = models.CharField(max_length=64)
    reason = models.CharField(max_length=200)
    placed_at = models.DateTimeField()
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(token_exact__isnull=False)
                | Q(case_id__isnull=False)
                | Q(site__isnull=False),
                name="hold_names_something",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="lift_says_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"hold {self.reference}"


class ErasureReport(models.Model):
    """What one run erased per site and data class (or would have: a dry run is not stored)."""

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of at
    at = models.DateTimeField(db_index=True)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    data_class = models.CharField(max_length=16, choices=DataClass.choices)
    reads = models.PositiveIntegerField(default=0)
    passages = models.PositiveIntegerField(default=0)
    pictures = models.PositiveIntegerField(default=0)
    other = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    keys_destroyed = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.site} {self.data_class} {self.at:%Y-%m-%d %H:%M}"
