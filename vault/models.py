"""Data keys (in the key store's own database), the sealed field, and rows that carry it."""

import uuid
from typing import Any

from django.db import models


class DataClass(models.TextChoices):
    """What a sealed thing is kept for; each class has its own clock per site (domain-rules §7)."""

    PENDING = "pending", "pending read"
    COMPLIANT = "compliant", "compliant read"
    UNMATCHED = "unmatched", "unmatched non-violation read"
    WATCHLIST = "watchlist", "watchlist hit"
    CASE = "case", "case evidence"
    DEVICE_IMAGE = "device-image", "device image"
    RIGHT = "right", "right (vignette, permit, payment)"
    ENTRY = "entry", "watchlist entry"


class DataKey(models.Model):
    """A wrapped AES-256 key of one scope (site), day and data class. Lives in the `keys` database.

    `wrapped` is emptied when the key is destroyed: what it sealed, backups included, is then
    noise. A key is made for the day of sealing (UTC), so yesterday's keys never seal again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=64)
    day = models.DateField()
    data_class = models.CharField(max_length=16, choices=DataClass.choices)
    master_key = models.PositiveSmallIntegerField()
    wrapped = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "day", "data_class"],
                condition=models.Q(destroyed_at__isnull=True),
                name="one_live_data_key",
            ),
            models.CheckConstraint(
                condition=models.Q(destroyed_at__isnull=True, wrapped__isnull=False)
                | models.Q(destroyed_at__isnull=False, wrapped__isnull=True),
                name="destroyed_key_is_empty",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.day} {self.data_class}"


class KeyCheck(models.Model):
    """Proof that a master or index key is the one this installation began with (`keys` database).

    `value` is a known text sealed with the key (master) or its HMAC (index).
    """

    kind = models.CharField(max_length=8)
    key_number = models.PositiveSmallIntegerField()
    value = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "key_number"], name="one_check_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.kind} k{self.key_number}"


class DoomedFile(models.Model):
    """A sealed file whose row is gone: written in the transaction that removes the row, so that no
    crash leaves a picture behind."""

    name = models.CharField(max_length=120, primary_key=True)
    doomed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Sealed(bytes):
    """Ciphertext as it lies in a column. Says nothing about what is inside."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<sealed, {len(self)} bytes>"

    __str__ = __repr__


class SealedTextField(models.BinaryField):  # type: ignore[type-arg]
    """A column of sealed text. Values are `Sealed`; only `vault.sealing` makes them."""

    description = "text sealed with AES-256-GCM, bound to its row and field"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        """The column's bytes as `Sealed`."""
        return None if value is None else Sealed(bytes(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Refuse anything that was not sealed: clear text can't be stored by mistake."""
        if value is not None and not isinstance(value, Sealed):
            raise TypeError(f"{self.name} takes only sealed values")
        return super().get_db_prep_value(
            None if value is None else bytes(value), connection, prepared
        )


class TokenField(models.UUIDField):  # type: ignore[type-arg]
    """A blind-index token: 1 byte key number and 15 bytes HMAC-SHA256, in PostgreSQL's 16-byte
    native type."""

    description = "blind index token"


class SealedRow(models.Model):
    """A row with sealed fields or files: all of them under one data key, named here."""

    data_class = models.CharField(max_length=16, choices=DataClass.choices)
    data_key = models.UUIDField(db_index=True, editable=False)

    class Meta:
        abstract = True
