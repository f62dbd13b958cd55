"""Notices as they were issued, and the outbox by which they leave the house."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from cameras.models import Site
from enforcement.cases.models import Case
from vault.models import SealedRow, SealedTextField, TokenField


class Notice(SealedRow):
    """A notice to the keeper of a vehicle: the document itself, sealed, and what it says.

    What was issued is never changed: the row and its PDF stay as they went out. `content` is the
    snapshot the PDF was made from (JSON), with it the address and the plate: so it is sealed.
    """

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        CZECH = "cs", "Czech"
        GERMAN = "de", "German"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="notice")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="notices")
    number = models.CharField(max_length=20, unique=True)  # the case's, as it is printed
    language = models.CharField(max_length=5, choices=Language.choices)
    template_version = models.PositiveSmallIntegerField()
    content = SealedTextField()
    pdf = models.CharField(max_length=120)  # its name in the sealed store
    pdf_sha256 = models.BinaryField(max_length=32)
    pages = models.PositiveSmallIntegerField()
    currency = models.CharField(max_length=3)
    amount = models.PositiveIntegerField()  # minor units
    discounted = models.PositiveIntegerField(null=True)  # minor units; null: no discount
    deadlines = models.JSONField(default=dict)  # as printed: name → ISO date
    link_digest = models.BinaryField(max_length=32, unique=True)  # SHA-256 of the link's secret
    token_exact = TokenField(db_index=True)
    issued_at = models.DateTimeField()
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-issued_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(discounted__isnull=True) | Q(discounted__lte=F("amount")),
                name="notice_discount_is_one",
            )
        ]

    def __str__(self) -> str:
        return self.number


class PrintBatch(models.Model):
    """The notices of a site that were taken to be printed together.

    Its PDF and its list are put together anew whenever they are asked for, from what lies sealed:
    a download that broke off loses nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="print_batches")
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.site} {self.made_at:%Y-%m-%d %H:%M}"


class NoticeDelivery(SealedRow):
    """One way a notice goes out; the outbox.

    queued → sending → sent, or back to queued with a later `next_at`, or failed (e-mail);
    queued → printed (print); sent or printed → returned when it came back. A worker holds a row
    that is `sending` until `leased_until`; after that another takes it, so a killed one loses
    nothing. What goes out twice carries the same `message_id`.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", "e-mail"
        PRINT = "print", "print and post"

    class State(models.TextChoices):
        QUEUED = "queued", "waiting"
        SENDING = "sending", "being sent"
        SENT = "sent", "sent"
        PRINTED = "printed", "printed"
        FAILED = "failed", "failed"
        RETURNED = "returned", "came back"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=5, choices=Channel.choices)
    address = SealedTextField()  # an e-mail address, or the lines of a postal one
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    queued_at = models.DateTimeField()
    next_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    message_id = models.CharField(max_length=100, unique=True)  # no address, no plate
    error = models.CharField(max_length=60, blank=True)  # a code, never what a server said
    done_at = models.DateTimeField(null=True)  # sent, printed or given up
    batch = models.ForeignKey(
        PrintBatch, on_delete=models.PROTECT, null=True, related_name="deliveries"
    )

    class Meta:
        ordering = ["queued_at"]
        verbose_name_plural = "notice deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("queued", "sending"), done_at__isnull=True)
                | ~Q(state__in=("queued", "sending")) & Q(done_at__isnull=False),
                name="notice_delivery_done_says_when",
            ),
            models.CheckConstraint(
                condition=Q(state="sending", leased_until__isnull=False)
                | ~Q(state="sending") & Q(leased_until__isnull=True),
                name="notice_delivery_sending_has_a_lease",
            ),
            models.CheckConstraint(
                condition=Q(batch__isnull=True) | Q(channel="print"),
                name="notice_delivery_batch_is_of_print",
            ),
            models.CheckConstraint(
                condition=~Q(state="printed") | Q(batch__isnull=False),
                name="notice_delivery_printed_in_a_batch",
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "next_at"],
                name="notice_delivery_due",
                condition=Q(state__in=("queued", "sending")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.id}"
