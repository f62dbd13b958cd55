"""A heartbeat out of its raw JSON: every field checked. Pure, but for the limits passed in."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cameras import values
from cameras.device_settings import SETTINGS
from cameras.intake import Limits, optional_moment, picture
from core.errors import BadInput

FIELDS = values.words(
    "queue_depth through sent_at detail settings_version settings_refused thumbnail"
)
REFUSED = values.words("version field sentence")
THUMBNAIL_BYTES = 60_000
THUMBNAIL_PIXELS = 1_000_000
_MOST = 2**31 - 1
_LONGEST_SENTENCE = 500


@dataclass(frozen=True, slots=True)
class Beat:
    """What a device says of itself. Times in UTC.

    `settings_version`: which one it has in force. `refused_version`, `refused_field`: which one it
    could not take and because of which setting: a name of ours, or "" (a name of its own could say
    anything, and so could its sentence, which is not kept).
    """

    queue_depth: int | None = None
    through: datetime | None = None
    sent_at: datetime | None = None
    detail: dict[str, bool | float | str] = field(default_factory=dict)
    settings_version: int | None = None
    refused_version: int | None = None
    refused_field: str = ""
    thumbnail: bytes | None = field(repr=False, default=None)


def beat(raw: Any, limits: Limits) -> Beat:
    """The heartbeat in `raw`; `limits` are of its thumbnail. BadInput (400), TooLarge (413) or
    Unsupported (415), each naming the field."""
    if not isinstance(raw, dict):
        raise BadInput("not_an_object", "Send a JSON object.")
    values.known_only(raw, FIELDS)
    detail = raw.get("detail")
    refused = _refused(raw.get("settings_refused"))
    return Beat(
        queue_depth=_count(raw, "queue_depth"),
        through=optional_moment(raw, "through"),
        sent_at=optional_moment(raw, "sent_at"),
        detail={} if detail is None else values.facts(detail, "detail", allowed=values.DETAIL),
        settings_version=_count(raw, "settings_version"),
        refused_version=refused[0],
        refused_field=refused[1],
        thumbnail=picture(raw.get("thumbnail"), "thumbnail", limits, required=False),
    )


def _count(raw: dict[str, Any], name: str) -> int | None:
    return None if raw.get(name) is None else values.integer(raw[name], name, low=0, high=_MOST)


def _refused(value: Any) -> tuple[int | None, str]:
    if value is None:
        return None, ""
    name = "settings_refused"
    said = values.mapping(value, name, allowed=REFUSED)
    version = values.integer(said.get("version"), f"{name}.version", low=-1, high=_MOST)
    for part in ("field", "sentence"):
        text = said.get(part, "")
        if not isinstance(text, str) or len(text) > _LONGEST_SENTENCE:
            raise values.invalid(name, f"{name}.{part} is not a short text.")
    blamed = said.get("field", "")
    if version < 0:  # settings without a version of ours, so none that we wait for
        return None, ""
    return version, blamed if blamed in SETTINGS else ""
