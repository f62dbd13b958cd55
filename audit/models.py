"""The audit log. No foreign keys: a row must outlive whatever it speaks of."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class AuditRow(models.Model):
    """One access, or one batch of a stage's accesses. Never a plate: tokens of the blind index.

    Rows chain: `digest` is SHA-256 over the previous digest and this row's canonical form, so a
    changed, removed or inserted row shows. Triggers refuse update, delete and truncate.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)  # person, device, provider, stage, command
    actor = models.CharField(max_length=150)
    organisation = models.CharField(max_length=150, blank=True)
    purpose = models.CharField(max_length=32)
    case_ref = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=32)  # search, view, picture, export, change, process, …
    subject = models.CharField(max_length=64, blank=True)  # model label of what was touched
    subject_id = models.CharField(max_length=64, blank=True)
    tokens = ArrayField(models.UUIDField(), default=list)
    count = models.PositiveIntegerField(default=1)
    place = models.CharField(max_length=100, blank=True)  # site, address or stage
    outcome = models.CharField(max_length=16, default="done")
    detail = models.JSONField(default=dict)  # plate-free
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32, unique=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["at"], name="audit_at")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.purpose}"
