"""Cases and their evidence. Transitions are constraints in the database, not only in code."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from cameras.models import Site
from enforcement.cases.policies import CasePolicy as CasePolicy  # a table of this room
from vault.models import SealedRow, SealedTextField, TokenField

OPEN_STATES = ("candidate", "review")
CLOSED_STATES = ("dismissed", "closed", "paid", "cancelled", "written-off")
AUTO_CONFIRM = "auto-confirm"
"""Why a case is confirmed at a site whose policy says that nobody need look."""


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
    # who else: the first of two people where the site asks two, and who looks at it just now
    vouched_at = models.DateTimeField(null=True)
    vouched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    taken_until = models.DateTimeField(null=True)
    # money in minor units of the currency, days of the site's time zone, each the last that counts
    tariff_amount = models.PositiveIntegerField(null=True)  # the stay's unpaid charge
    last_issue_day = models.DateField(null=True)  # null: no limit, or no policy yet
    issued_at = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    amount = models.PositiveIntegerField(null=True)
    discount_amount = models.PositiveIntegerField(null=True)
    discount_until = models.DateField(null=True)
    due_on = models.DateField(null=True)
    appeal_until = models.DateField(null=True)
    # the judge no longer holds it, but it is out of the judge's hands: a person sees to it
    withdrawal_asked_at = models.DateTimeField(null=True)
    withdrawal_reason = models.CharField(max_length=40, blank=True)
    turn = models.PositiveIntegerField(default=0, editable=False)  # counted by the database

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
                | Q(decided_at__isnull=False, decided_by__isnull=False) & ~Q(decision_reason="")
                | Q(decided_at__isnull=False, decision_reason=AUTO_CONFIRM),
                name="decided_case_says_who_when_why",
            ),
            models.CheckConstraint(
                condition=Q(state__in=CLOSED_STATES, closed_at__isnull=False)
                | ~Q(state__in=CLOSED_STATES) & Q(closed_at__isnull=True),
                name="closed_case_says_when",
            ),
            models.CheckConstraint(
                condition=Q(issued_at__isnull=False)
                | Q(state__in=[*OPEN_STATES, "confirmed", "dismissed", "closed"]),
                name="issued_case_says_when",
            ),
            models.CheckConstraint(
                condition=Q(issued_at__isnull=True)
                | ~Q(currency="") & Q(amount__isnull=False, due_on__isnull=False),
                name="issued_case_says_what_is_due",
            ),
            models.CheckConstraint(
                condition=Q(vouched_at__isnull=True, vouched_by__isnull=True)
                | Q(vouched_at__isnull=False, vouched_by__isnull=False),
                name="vouched_case_says_who_and_when",
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
    turn = models.PositiveIntegerField(default=0, editable=False)  # the case's, by the database

    class Meta:
        ordering = ["at", "turn"]

    def __str__(self) -> str:
        return f"{self.case_id} → {self.to_state}"


class EvidenceQuerySet(models.QuerySet["Evidence"]):
    """Evidence of cases."""

    def shown(self) -> "EvidenceQuerySet":
        """What speaks for its case: not what was set aside."""
        return self.filter(set_aside_at__isnull=True)


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
    salt = SealedTextField(null=True)  # of its digest in the chain; null: kept before the chain was
    score = models.FloatField()
    char_scores = models.JSONField(default=list)
    quad = models.JSONField(null=True)
    models_used = models.JSONField(default=dict)
    picture = models.CharField(max_length=120, blank=True)
    crop = models.CharField(max_length=120, blank=True)
    picture_sha256 = models.BinaryField(max_length=32, null=True)  # of the original bytes
    crop_sha256 = models.BinaryField(max_length=32, null=True)
    capture_id = models.UUIDField()
    token_exact = TokenField(db_index=True)

    # a late read paired the visit differently: this is not of its vehicle, and nobody is shown it
    set_aside_at = models.DateTimeField(null=True)

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        ordering = ["captured_at"]
        constraints = [
            models.UniqueConstraint(fields=["case", "capture_id"], name="evidence_once_per_capture")
        ]

    def __str__(self) -> str:
        return f"evidence of {self.case_id}"


class CasePayment(models.Model):
    """Money that came for a notice. Never changed; part payments add up."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="payments")
    amount = models.PositiveIntegerField()  # minor units of the case's currency
    paid_on = models.DateField()  # the day it counts as paid, at the site
    reference = models.CharField(max_length=64)  # of the bank or the till; no plate
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["paid_on", "recorded_at"]
        constraints = [
            models.UniqueConstraint(fields=["case", "reference"], name="case_payment_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="case_payment_is_some"),
        ]

    def __str__(self) -> str:
        return f"payment for {self.case_id}"


class CaseAppeal(SealedRow):
    """What an addressee says against a notice, and what became of it."""

    class Through(models.TextChoices):
        PAGE = "page", "the notice's page"
        LETTER = "letter", "letter"
        MAIL = "mail", "e-mail"
        SPOKEN = "spoken", "in person or by telephone"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="appeals")
    text = SealedTextField()
    contact = SealedTextField()  # where the answer goes; may be empty
    token_exact = TokenField(db_index=True)  # the case's: who looks at an appeal looks at a plate
    through = models.CharField(max_length=6, choices=Through.choices)
    received_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    outcome = models.CharField(max_length=11, blank=True)  # the state it led to
    reason = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["case"], condition=Q(decided_at__isnull=True), name="one_open_appeal"
            ),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by__isnull=True, outcome="")
                | Q(decided_at__isnull=False) & ~Q(outcome="") & ~Q(reason=""),
                name="decided_appeal_says_what",
            ),
        ]

    def __str__(self) -> str:
        return f"appeal in {self.case_id}"


class Correction(SealedRow):
    """What a person says a read of a case really was. The read itself stays as it was read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="corrections")
    evidence = models.ForeignKey(Evidence, on_delete=models.CASCADE, related_name="corrections")
    text = SealedTextField()
    salt = SealedTextField()
    token_exact = TokenField(db_index=True)
    country = models.CharField(max_length=6, blank=True)
    reason = models.CharField(max_length=40)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"correction of {self.evidence_id}"


class ChainEntry(models.Model):
    """One link of a site's evidence chain: digests only, so that it says nothing about a case that
    was lawfully deleted, and outlives it (and the site: no foreign key).

    Only (site_id, kind, content, at) are given; a trigger numbers and links the entry, and refuses
    update, delete and truncate. See `enforcement.cases.chain`.
    """

    class Kind(models.TextChoices):
        EVIDENCE = "evidence", "a read was kept"
        VERDICT = "verdict", "the judge's verdict"
        DECISION = "decision", "a step of a case"
        CORRECTION = "correction", "a read was corrected"
        MANIFEST = "manifest", "a manifest was signed"
        NOTICE = "notice", "a notice was issued"

    id = models.BigAutoField(primary_key=True)
    site_id = models.UUIDField()
    seq = models.BigIntegerField()  # 1, 2, 3, … in each site
    kind = models.CharField(max_length=12, choices=Kind.choices)
    content = models.BinaryField(max_length=32)  # SHA-256 of what it attests
    at = models.DateTimeField()
    previous = models.BinaryField(max_length=32)  # digest of entry seq - 1
    skip = models.BinaryField(max_length=32)  # digest of entry seq - (largest power of 2 in seq)
    digest = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["site_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["site_id", "seq"], name="one_chain_without_gaps"),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "evidence",
                        "verdict",
                        "decision",
                        "correction",
                        "manifest",
                        "notice",
                    ]
                ),
                name="chain_entry_is_of_a_kind",
            ),
        ]
        indexes = [models.Index(fields=["content"], name="chain_content")]

    def __str__(self) -> str:
        return f"{self.site_id} {self.seq} {self.kind}"


class SigningKey(models.Model):
    """The public half of a key that manifests were signed with: kept for as long as there are
    manifests. The private half never is in a database."""

    fingerprint = models.CharField(max_length=64, primary_key=True)  # SHA-256 of `public`, in hex
    public = models.BinaryField(max_length=32)  # Ed25519
    first_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.fingerprint


class Manifest(models.Model):
    """A signed manifest of a case as it stood then. Its text is not stored, as it holds the plate:
    it is made anew from the rows, to the byte, for as long as they stand as they did."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="manifests")
    made_at = models.DateTimeField()
    sha256 = models.BinaryField(max_length=32)
    chain_seq = models.BigIntegerField()
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="+")
    signature = models.BinaryField(max_length=64)

    class Meta:
        ordering = ["chain_seq"]

    def __str__(self) -> str:
        return f"manifest of {self.case_id}"
