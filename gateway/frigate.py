"""Frigate's licence plates: topic `frigate/tracked_object_update`, messages of type `lpr`.

Pure. Frigate sends a message each time it reads the plate of a tracked object better than before,
so an object is many events: the object's id and the moment of the reading name one. The `name` it
may have for a plate (of its owner, say) is dropped: nobody asked for it.
"""

import math
from datetime import UTC, datetime
from typing import Any

from cameras.bodies import strict_json
from core.errors import BadInput

TOPIC = "frigate/tracked_object_update"


def read_of(payload: bytes) -> tuple[str, dict[str, Any]] | None:
    """(Frigate's name of the camera, a capture of kind read as REST takes it); None for a message
    about something else than a plate.

    BadInput `json_malformed`, `not_an_object`, `camera_missing`, `timestamp_invalid`,
    `id_invalid`. Plate and score are left to intake's own checks.
    """
    try:
        said = strict_json(payload)
    except ValueError:
        raise BadInput("json_malformed", "The message is not JSON in UTF-8.") from None
    if not isinstance(said, dict):
        raise BadInput("not_an_object", "The message is not a JSON object.")
    if said.get("type") != "lpr":
        return None
    camera, tracked = said.get("camera"), said.get("id")
    if not isinstance(camera, str) or not camera:
        raise BadInput("camera_missing", "The message names no camera.", field="camera")
    if not isinstance(tracked, str) or not tracked:
        raise BadInput("id_invalid", "The message names no tracked object.", field="id")
    at = _moment(said.get("timestamp"))
    return camera, {
        "kind": "read",
        "captured_at": at.isoformat(),
        "event_id": f"frigate:{tracked}:{at.timestamp():.6f}",
        "read": {"text": said.get("plate"), "score": said.get("score")},
    }


def _moment(value: Any) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    wrong = BadInput("timestamp_invalid", "timestamp is not seconds since 1970.", field="timestamp")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise wrong
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise wrong from None
