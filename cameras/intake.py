"""One capture out of one raw item: every field checked, in the order a reader of the API expects.

Pure: what it may depend on (now, limits, the key's own camera) is passed in.
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cameras import pictures, values
from cameras.reads import Read, read
from core.errors import BadInput

_FIELDS = values.words(
    "kind picture crop captured_at event_id sequence sent_at through latitude longitude "
    "heading exposure read camera clock"
)
_KINDS = ("frame", "crop", "read")
CLOCKS = ("known", "unknown")
_LARGEST_SEQUENCE = 2**63 - 1
_LONGEST_EVENT = 200


class _MissingPart:
    """A picture whose file part is not in the form."""


MISSING_PART = _MissingPart()


@dataclass(frozen=True, slots=True)
class Limits:
    """What intake takes: ages and leads of the capture time, bytes and pixels of one picture."""

    max_age: timedelta
    max_ahead: timedelta
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One checked capture as a device sent it. Times in UTC; degrees; pictures as they came.

    `event` identifies it among its camera's captures (`id:…` or `seq:…`); None when the device
    gave neither, so that the content has to. A text in `event` or `read` may hold a plate.
    `clock_known` is False where the device says that it did not know the time when it captured.
    """

    kind: str
    captured_at: datetime
    clock_known: bool = True
    event: str | None = field(repr=False, default=None)
    picture: bytes | None = field(repr=False, default=None)
    crop: bytes | None = field(repr=False, default=None)
    sent_at: datetime | None = None
    through: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None
    exposure: dict[str, bool | float | str] = field(default_factory=dict)
    read: Read | None = field(repr=False, default=None)


def sent(raw: Any, *, camera: str, now: datetime, limits: Limits) -> Sent:
    """The capture in `raw`, sent with the key of the camera with slug `camera`.

    BadInput (400), TooLarge (413) or Unsupported (415), each naming the field.
    """
    if not isinstance(raw, dict):
        raise BadInput("not_an_object", "An item is not an object.")
    values.known_only(raw, _FIELDS)
    if raw.get("camera") not in (None, "", camera):
        raise BadInput(
            "unknown_camera", "This key belongs to no camera of that name.", field="camera"
        )
    kind = "frame" if raw.get("kind") is None else raw["kind"]
    if kind not in _KINDS:
        raise values.invalid("kind", "kind is not frame, crop or read.")
    clock = "known" if raw.get("clock") is None else raw["clock"]
    if clock not in CLOCKS:
        raise values.invalid("clock", "clock is neither known nor unknown.")
    captured_at = _captured_at(raw.get("captured_at"), now, limits)
    latitude, longitude = _position(raw)
    exposure = raw.get("exposure")
    return Sent(
        kind=kind,
        captured_at=captured_at,
        clock_known=clock == "known",
        event=_event(raw),
        sent_at=optional_moment(raw, "sent_at"),
        through=optional_moment(raw, "through"),
        latitude=latitude,
        longitude=longitude,
        heading=_number(raw, "heading", 0, 360),
        exposure={}
        if exposure is None
        else values.facts(exposure, "exposure", allowed=values.EXPOSURE),
        read=_read(raw.get("read"), kind),
        picture=picture(raw.get("picture"), "picture", limits, required=kind != "read"),
        crop=_crop(raw.get("crop"), kind, limits),
    )


def optional_moment(raw: dict[str, Any], name: str) -> datetime | None:
    """The time in field `name`, or None where it isn't there."""
    return None if raw.get(name) is None else values.moment(raw[name], name)


def _captured_at(value: Any, now: datetime, limits: Limits) -> datetime:
    if value is None or value == "":
        raise BadInput(
            "captured_at_missing", "captured_at is missing: when was it seen?", field="captured_at"
        )
    at = values.moment(value, "captured_at")
    if now - at > limits.max_age:
        raise BadInput(
            "captured_at_too_old",
            f"captured_at is more than {limits.max_age.days} days ago.",
            field="captured_at",
        )
    if at - now > limits.max_ahead:
        minutes = limits.max_ahead.total_seconds() / 60
        raise BadInput(
            "captured_at_in_future",
            f"captured_at is more than {minutes:g} minutes ahead of this server's clock.",
            field="captured_at",
        )
    return at


def _event(raw: dict[str, Any]) -> str | None:
    event_id, sequence = raw.get("event_id"), raw.get("sequence")
    if event_id is not None and sequence is not None:
        raise BadInput("event_ambiguous", "Send event_id or sequence, not both.", field="event_id")
    if event_id is not None:
        return f"id:{values.text(event_id, 'event_id', most=_LONGEST_EVENT)}"
    if sequence is not None:
        number = values.integer(sequence, "sequence", low=0, high=_LARGEST_SEQUENCE)
        return f"seq:{number}"
    return None


def _number(raw: dict[str, Any], name: str, low: float, high: float) -> float | None:
    return None if raw.get(name) is None else values.number(raw[name], name, low=low, high=high)


def _position(raw: dict[str, Any]) -> tuple[float | None, float | None]:
    latitude = _number(raw, "latitude", -90, 90)
    longitude = _number(raw, "longitude", -180, 180)
    if (latitude is None) != (longitude is None):
        missing = "latitude" if latitude is None else "longitude"
        raise BadInput(
            "position_incomplete", "A position needs latitude and longitude.", field=missing
        )
    return latitude, longitude


def _read(value: Any, kind: str) -> Read | None:
    if kind == "read":
        if value is None:
            raise BadInput("read_missing", "A capture of kind read needs its read.", field="read")
        return read(value)
    if value is not None:
        raise BadInput("read_unexpected", "Only a capture of kind read has a read.", field="read")
    return None


def _crop(value: Any, kind: str, limits: Limits) -> bytes | None:
    if kind == "crop" and value is not None:
        raise BadInput(
            "crop_unexpected", "A capture of kind crop has its crop in picture.", field="crop"
        )
    return picture(value, "crop", limits, required=False)


def picture(value: Any, name: str, limits: Limits, *, required: bool) -> bytes | None:
    """The bytes of a picture sent as file or base64 text, checked by its header; None where there
    is none and none is `required`.

    BadInput `<name>_missing`, `<name>_invalid`, and the refusals of `pictures.check`.
    """
    if value is None:
        if required:
            raise BadInput(f"{name}_missing", f"{name} is missing.", field=name)
        return None
    if value is MISSING_PART:
        raise BadInput(f"{name}_missing", "The form has no file part of that name.", field=name)
    if isinstance(value, str):
        value = _base64(value, name, limits)
    if not isinstance(value, bytes):
        raise values.invalid(name, f"{name} is neither a file nor base64 text.")
    pictures.check(value, field=name, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
    return value


def _base64(value: str, name: str, limits: Limits) -> bytes:
    if len(value) > limits.max_bytes * 4 // 3 + 4:
        raise pictures.too_many_bytes(name, limits.max_bytes)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise values.invalid(name, f"{name} is not base64.") from None
