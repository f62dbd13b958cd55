"""The tables of providers' channels: webhooks that come in, look-ups that go out."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from cameras.models import Site
from vault.models import TokenField


class WebhookSecret(models.Model):
    """A secret a provider signs its events with. Only its number lies here: the secret itself is
    derived from the index key outside the database (`vault.blind.webhook_key`)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        "rights.Provider", on_delete=models.CASCADE, related_name="webhook_secrets"
    )
    index_key = models.PositiveSmallIntegerField(editable=False)
    created_at = models.DateTimeField(editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.provider} · {self.pk.hex[-8:]}"


class WebhookEvent(models.Model):
    """An event that was taken, so that it counts once; kept far longer than a signature holds."""

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of received_at
    provider = models.ForeignKey("rights.Provider", on_delete=models.CASCADE, related_name="+")
    event_token = TokenField()  # of the sender's own id, which may contain a plate
    content_token = TokenField()  # of the body
    signed_at = models.DateTimeField()
    received_at = models.DateTimeField(db_index=True)
    answer = models.JSONField()  # ids of rights and codes of errors, never what was sent

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_token"], name="webhook_event_once")
        ]

    def __str__(self) -> str:
        return f"event {self.pk}"


class LookupService(models.Model):
    """Where a provider is asked for a payment right before a case is opened, and how it fares.

    A circuit breaker: after several failures in a row nobody asks until `open_until`; then one
    look-up tries whether it answers again.
    """

    provider = models.OneToOneField(
        "rights.Provider", primary_key=True, on_delete=models.CASCADE, related_name="lookup"
    )
    url = models.URLField(
        max_length=300, help_text="Asked by POST; its host must be allowed (docs/rights-in.md)."
    )
    active = models.BooleanField(default=True)
    timeout_seconds = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(10)]
    )
    failures = models.PositiveIntegerField(default=0, editable=False)  # in a row
    open_until = models.DateTimeField(null=True, editable=False)
    last_answer_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=40, blank=True, editable=False)

    def __str__(self) -> str:
        return f"look-ups at {self.provider}"


class Lookup(models.Model):
    """One question to one provider: did this vehicle pay after all? Waits until it is answered.

    Names the passages whose plates are asked for, never a plate. `verdict_ids` are the versions
    that ask for the case (this room knows no verdicts); `hold_until` how long it waits for this.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for the provider"
        ANSWERED = "answered", "answered"
        GIVEN_UP = "given-up", "given up"

    id = models.UUIDField(primary_key=True, editable=False)  # UUIDv7 of asked_at
    provider = models.ForeignKey(
        "rights.Provider", on_delete=models.CASCADE, related_name="lookups"
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    subject_key = models.CharField(max_length=80)  # of the case that waits
    verdict_ids = ArrayField(models.UUIDField())
    passage_ids = ArrayField(models.UUIDField())
    seen_from = models.DateTimeField()
    seen_to = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField()
    hold_until = models.DateTimeField()
    next_try_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    found = models.PositiveSmallIntegerField(default=0)  # rights in the answer
    last_error = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "subject_key"], name="one_lookup_each")
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="lookup_due", condition=Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"look-up {self.pk}"
