"""Visits paired from passages, and verdicts: every version of them."""

from django.db import models
from django.db.models import Q

from cameras.models import Site
from enforcement.rights.outcomes import Reason, VisitStatus
from enforcement.rights.outcomes import Verdict as VerdictName
from vault.models import TokenField


class Visit(models.Model):
    """A stay at a parking site, paired from an entry and an exit passage.

    Pairing can be replayed at any time: the id is deterministic (the entry passage, or the exit of
    an orphan), so a late read changes the visit it belongs to instead of making another.
    Holds tokens, no plate: the text stays sealed in its passages.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="visits")
    entry_passage_id = models.UUIDField(null=True, db_index=True)
    exit_passage_id = models.UUIDField(null=True, db_index=True)
    entered_at = models.DateTimeField(null=True)
    exited_at = models.DateTimeField(null=True)  # inferred where there is no exit passage
    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in VisitStatus])
    fuzzy = models.BooleanField(default=False)  # paired at a cost of 1
    contradicted = models.BooleanField(default=False)  # seen outside meanwhile
    enforceable = models.BooleanField(default=False)
    token_exact = TokenField(db_index=True)
    token_class = TokenField(db_index=True)
    final_at = models.DateTimeField(null=True)  # nothing can change its verdict any more

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(entered_at__isnull=False) | Q(exited_at__isnull=False),
                name="visit_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(enforceable=False)
                | Q(status="complete", fuzzy=False, contradicted=False),
                name="enforceable_is_complete",
            ),
        ]
        indexes = [
            models.Index(fields=["site", "entered_at"], name="visit_by_site"),
            models.Index(
                fields=["site"], name="visit_not_final", condition=Q(final_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"visit {self.id}"


class VerdictVersion(models.Model):
    """One version of the verdict on a passage (vignette, zone) or a visit (parking).

    The newest version counts; older ones stay. `explanation` says which rights were looked at and
    why each did or didn't apply; it holds ids and costs, never a plate.
    """

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of decided_at
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    passage_id = models.UUIDField(null=True, db_index=True)
    visit_id = models.UUIDField(null=True, db_index=True)
    version = models.PositiveIntegerField()
    current = models.BooleanField(default=True)
    seen_at = models.DateTimeField()  # capture time it is judged for
    decided_at = models.DateTimeField(db_index=True)
    provisional = models.BooleanField(default=True)
    verdict = models.CharField(max_length=10, choices=[(v.value, v.value) for v in VerdictName])
    reason = models.CharField(
        max_length=20, choices=[(r.value, r.value) for r in Reason], null=True
    )
    right_id = models.UUIDField(null=True)
    overstay_minutes = models.PositiveIntegerField(default=0)
    explanation = models.JSONField(default=list)
    rules = models.JSONField(default=list)  # versions judged by: the engine's, the site's, scheme's
    camera_id = models.UUIDField(null=True)  # of the passage, or of the visit's entry
    exit_camera_id = models.UUIDField(null=True)
    visit_status = models.CharField(max_length=12, blank=True, default="")  # outlives the visit
    due_at = models.DateTimeField(null=True)  # judge again then: a deadline passes, a stay expires
    awaits_through = models.DateTimeField(null=True)  # … once every camera has reported past this
    act_due = models.BooleanField(default=False)  # the outbox of the stage `act`

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(passage_id__isnull=False) ^ Q(visit_id__isnull=False),
                name="verdict_on_one_thing",
            ),
            models.UniqueConstraint(fields=["passage_id", "version"], name="passage_verdict_once"),
            models.UniqueConstraint(fields=["visit_id", "version"], name="visit_verdict_once"),
            models.UniqueConstraint(
                fields=["passage_id"], condition=Q(current=True), name="passage_verdict_current"
            ),
            models.UniqueConstraint(
                fields=["visit_id"], condition=Q(current=True), name="visit_verdict_current"
            ),
        ]
        indexes = [
            models.Index(fields=["site", "-decided_at"], name="verdict_by_site"),
            models.Index(
                fields=["site", "seen_at"], name="verdict_seen", condition=Q(current=True)
            ),
            models.Index(
                fields=["due_at"],
                name="verdict_due",
                condition=Q(current=True, due_at__isnull=False),
            ),
            models.Index(
                fields=["site", "awaits_through"],
                name="verdict_awaits",
                condition=Q(current=True, awaits_through__isnull=False),
            ),
            models.Index(fields=["id"], name="verdict_to_act", condition=Q(act_due=True)),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} v{self.version}"
