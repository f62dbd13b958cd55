"""Cases and their evidence. Transitions are constraints in the database, not only in code."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from cameras.models import Site
from vault.models import SealedRow, SealedTextField, TokenField

OPEN_STATES = ("candidate", "review")
CLOSED_STATES = ("dismissed", "closed", "paid", "cancelled", "written-off")


class Case(SealedRow):
    """A possible violation, proposed by the judge. Nothing goes out unless a human confirms it.

    candidate / review → confirmed → notice-issued → paid | appealed → upheld / cancelled /
    written-off; dismissed by a human, or closed by the judge (paid after all), before a notice.
    A trigger holds the transitions, constraints hold who/when/why.
    """

    class State(models.TextChoices):
        CANDIDATE = "candidate", "candidate"
        REVIEW = "review", "needs a human look"
        CONFIRMED = "confirmed", "confirmed"
        NOTICE_ISSUED = "notice-issued", "notice issued"
        PAID = "paid", "paid"
        APPEALED = "appealed", "appealed"
        UPHELD = "upheld", "appeal refused"
        CANCELLED = "cancelled", "cancelled"
        WRITTEN_OFF = "written-off", "written off"
        DISMISSED = "dismissed", "dismissed"
        CLOSED = "closed", "closed by the judge"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=20, unique=True)  # for people: 2026-000123
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="cases")
    subject_key = models.CharField(max_length=80)  # visit:<id>, passage:<id>, zone:<day>:<token>
    passage_ids = models.JSONField(default=list)
    visit_id = models.UUIDField(null=True, db_index=True)
    state = models.CharField(max_length=14, choices=State.choices)
    verdict = models.CharField(max_length=10)
    reason = models.CharField(max_length=20)
    verdict_id = models.UUIDField()
    overstay_minutes = models.PositiveIntegerField(default=0)
    explanation = models.JSONField(default=list)
    seen_from = models.DateTimeField()
    seen_to = models.DateTimeField()
    text = SealedTextField()
    token_exact = TokenField(db_index=True)
    country = models.CharField(max_length=6, blank=True)
    confidence = models.FloatField()
    opened_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decision_reason = models.CharField(max_length=40, blank=True)
    decision_note = models.CharField(max_length=500, blank=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_key"],
                condition=~Q(state__in=CLOSED_STATES),
                name="one_live_case_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[*OPEN_STATES, "closed"])
                | Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(decision_reason=""),
                name="decided_case_says_who_when_why",
            ),
            models.CheckConstraint(
                condition=Q(state__in=CLOSED_STATES, closed_at__isnull=False)
                | ~Q(state__in=CLOSED_STATES) & Q(closed_at__isnull=True),
                name="closed_case_says_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "-opened_at"],
                name="case_open",
                condition=Q(state__in=OPEN_STATES),
            )
        ]

    def __str__(self) -> str:
        return self.number


class CaseEvent(models.Model):
    """What happened to a case: who, when, why; the append-only history."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    from_state = models.CharField(max_length=14, blank=True)
    to_state = models.CharField(max_length=14)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=40, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.case_id} → {self.to_state}"


class Evidence(SealedRow):
    """What a case keeps of one read: re-sealed under the case class, so that forgetting the read
    leaves it, and closing the case ends it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="evidence")
    role = models.CharField(max_length=8)  # entry, exit, passing
    camera_name = models.CharField(max_length=210)
    captured_at = models.DateTimeField()
    received_at = models.DateTimeField()
    text = SealedTextField()  # the raw read
    score = models.FloatField()
    char_scores = models.JSONField(default=list)
    quad = models.JSONField(null=True)
    models_used = models.JSONField(default=dict)
    picture = models.CharField(max_length=120, blank=True)
    crop = models.CharField(max_length=120, blank=True)
    picture_sha256 = models.BinaryField(max_length=32, null=True)  # of the original bytes
    capture_id = models.UUIDField()
    token_exact = TokenField(db_index=True)

    class Meta:
        ordering = ["captured_at"]
        constraints = [
            models.UniqueConstraint(fields=["case", "capture_id"], name="evidence_once_per_capture")
        ]

    def __str__(self) -> str:
        return f"evidence of {self.case_id}"
