"""PlateRead: one plate in one capture. Passage: one vehicle in view of one camera."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from cameras.models import Camera, Site
from vault.models import SealedRow, SealedTextField, TokenField


class PlateRead(SealedRow):
    """A plate read off one capture. Partitioned by range of its UUIDv7 id (capture time).

    The id is deterministic (capture id and index), so reading a capture twice makes the same rows.
    Nothing has a database foreign key to it: partitions are dropped (house.md). The different
    scores are different facts and each is kept.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    capture_id = models.UUIDField(db_index=True)
    index = models.PositiveSmallIntegerField()  # place among the capture's plates, best first
    site = models.ForeignKey(Site, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    camera = models.ForeignKey(
        Camera, on_delete=models.PROTECT, db_constraint=False, related_name="+"
    )
    captured_at = models.DateTimeField()
    received_at = models.DateTimeField()
    quarantined = models.BooleanField(default=False)
    text = SealedTextField()
    candidates = SealedTextField()  # JSON [[text, score], …]
    token_exact = TokenField(db_index=True)
    token_class = TokenField(db_index=True)
    country = models.CharField(max_length=6, blank=True)  # of the syntax; "" when ambiguous
    category = models.CharField(max_length=16, blank=True)  # vehicle category if a device says so
    score = models.FloatField()  # 0–1, the reader's of the whole text
    detector_score = models.FloatField(null=True)  # 0–1
    char_scores = ArrayField(models.FloatField(), default=list)  # one per character, 0–1
    box = ArrayField(models.FloatField(), null=True)  # x1, y1, x2, y2 in px of the picture
    quad = ArrayField(models.FloatField(), null=True)  # 4 × (x, y) px, clockwise from top left
    models_used = models.JSONField(default=dict)  # model name → version
    source = models.CharField(max_length=10, default="ours")  # ours | device
    crop = models.CharField(max_length=120, blank=True)  # name in the sealed store
    watched_at = models.DateTimeField(null=True)
    passage_id = models.UUIDField(null=True, db_index=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], name="read_unwatched", condition=models.Q(watched_at__isnull=True)
            ),
            models.Index(
                fields=["id"], name="read_ungathered", condition=models.Q(passage_id__isnull=True)
            ),
            models.Index(fields=["site", "-id"], name="read_by_site"),
        ]

    def __str__(self) -> str:
        return f"read {self.id}"


class Passage(SealedRow):
    """One vehicle in view of one camera: one or more reads and their consensus text.

    `revision` counts changes of what was seen; `judged_revision` is the last one judged. The stage
    `judge` looks for passages where they differ, so a late read re-opens the evaluation.
    """

    class Status(models.TextChoices):
        OPEN = "open", "open"
        CLOSED = "closed", "closed"

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7, from its first read's id
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    camera = models.ForeignKey(
        Camera, on_delete=models.PROTECT, db_index=False, related_name="+"
    )  # `passage_by_camera` serves
    status = models.CharField(max_length=6, choices=Status.choices, default=Status.OPEN)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    received_at = models.DateTimeField()  # the earliest receipt of its reads
    quarantined = models.BooleanField(default=False)
    text = SealedTextField()  # the consensus
    candidates = SealedTextField()
    token_exact = TokenField(db_index=True)
    token_class = TokenField(db_index=True)
    near_classes = ArrayField(TokenField(), null=True)  # of its candidates; null: open it to know
    country = models.CharField(max_length=6, blank=True)
    category = models.CharField(max_length=16, blank=True)
    confidence = models.FloatField()  # 0–1, of the consensus
    char_scores = ArrayField(models.FloatField(), default=list)
    reads = models.PositiveIntegerField(default=1)  # a parked vehicle is read for ever
    agreed = models.BooleanField(default=True)  # one read, or at least two that give this text
    first_read_id = models.UUIDField()
    best_read_id = models.UUIDField()
    revision = models.PositiveIntegerField(default=1)
    judged_revision = models.PositiveIntegerField(default=0)
    final_at = models.DateTimeField(null=True)  # nothing can change its verdict any more
    class_since = models.DateTimeField(default=timezone.now)  # when its data class began

    class Meta:
        indexes = [
            models.Index(fields=["site", "data_class", "class_since"], name="passage_to_forget"),
            models.Index(
                fields=["id"],
                name="passage_to_judge",
                condition=~models.Q(judged_revision=models.F("revision")),
            ),
            models.Index(
                fields=["camera", "last_at"], name="passage_open", condition=models.Q(status="open")
            ),
            models.Index(fields=["site", "first_at"], name="passage_by_site"),
            models.Index(fields=["camera", "last_at"], name="passage_by_camera"),
        ]

    def __str__(self) -> str:
        return f"passage {self.id}"
