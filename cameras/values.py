"""Strict reading of single values out of a request: each is right, or a BadInput that names it.

Pure. Values come from JSON (or from form fields already read as JSON), so any type may turn up
anywhere. No sentence ever repeats a value: it could be a plate.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Any

from core.errors import BadInput

_MOMENT = re.compile(r"(?a:\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|z|[+-]\d\d:?\d\d)?)")
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_VERSION = re.compile(r"(?a:\d{1,3}(?:\.\d{1,3}){1,3})")


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


WORDS = words(
    "auto manual day night dawn on off low normal high fixed infrared colour grey ok "
    "warning failed unknown "
    "read crop frame "  # modes of the agent, and why it chose one
    "set starting cpu bandwidth room "
    "fp32 int8 cuda tensorrt openvino coreml "
    "rest mqtt"
)
"""The only words facts about a device may hold: free text in the clear could be a plate."""

EXPOSURE = words(
    "shutter_us gain_db iso f_number focal_mm ev lux brightness gamma white_balance_k "
    "infrared flash mode day_night"
)
TROUBLES = words(
    "source spool sender clock place models pipeline settings hotlist csv page heartbeat disk "
    "picture publish hits"
)
"""Parts of a device that may be in trouble; it says so by `trouble_<part>`: true."""
_VERSIONS = words("version firmware model_version detector_version reader_version python system")
DETAIL = (
    words(
        "fps source_fps dropped glimpses uptime_s temperature_c cpu_percent memory_percent "
        "memory_mb disk_percent disk_free_mb battery_percent voltage_v signal_dbm infrared state "
        "spool_items spool_bytes spool_oldest_s spool_evicted spool_refused "
        "items_sent bytes_sent bytes_per_second frames_captured frames_frozen source_reconnects "
        "clock_offset_s round_trip_ms mode mode_because ms_per_frame plate_px hits "
        "precision provider transport"
    )
    | _VERSIONS
    | {f"trouble_{part}" for part in TROUBLES}
)
_LARGEST_FACT = 1e12

CATEGORIES = words(
    "car motorcycle van bus truck trailer camper electric hydrogen historic over-3.5t"
)
"""Vehicle categories a device may state; they are kept in clear, so the list is closed."""


class Doubled(dict[str, Any]):
    """A JSON object that names a key twice: nobody can say which value was meant."""


def invalid(field: str, sentence: str) -> BadInput:
    """The refusal `<field>_invalid` (of a nested field: its last name)."""
    return BadInput(f"{field.rpartition('.')[2]}_invalid", sentence, field=field)


def text(value: Any, field: str, *, most: int) -> str:
    """1 to `most` characters that a database can hold and that arrived undamaged."""
    if not isinstance(value, str):
        raise invalid(field, f"{field} is not text.")
    if len(value) > most:
        name = field.rpartition(".")[2]
        raise BadInput(f"{name}_too_long", f"{field} has more than {most} characters.", field=field)
    if not value.strip():
        raise invalid(field, f"{field} is empty.")
    # U+FFFD is what undecodable bytes of a form field have become
    if any(c in "\0\ufffd" or "\ud800" <= c <= "\udfff" for c in value):
        raise invalid(field, f"{field} holds something that is not text.")
    return value


def moment(value: Any, field: str) -> datetime:
    """A time of ISO 8601 with seconds and offset, in UTC.

    Codes: `<field>_invalid`, and `<field>_naive` where only the offset is missing.
    """
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise invalid(
            field, f"{field} is not a time like 2026-03-01T09:00:00.250+01:00 (ISO 8601)."
        )
    if match[1] is None:
        raise BadInput(f"{field}_naive", f"{field} has no offset from UTC.", field=field)
    try:
        return datetime.fromisoformat(match[0].upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(field, f"{field} is not a time that exists.") from error


def number(value: Any, field: str, *, low: float, high: float) -> float:
    """A finite number from `low` to `high`, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(field, f"{field} is not a number.")
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(field, f"{field} is not a finite number.")
    if not low <= value <= high:
        name = field.rpartition(".")[2]
        raise BadInput(
            f"{name}_out_of_range", f"{field} is not between {low:g} and {high:g}.", field=field
        )
    return float(value)


def integer(value: Any, field: str, *, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, f"{field} is not a whole number.")
    if not low <= value <= high:
        name = field.rpartition(".")[2]
        raise BadInput(
            f"{name}_out_of_range", f"{field} is not between {low} and {high}.", field=field
        )
    return value


def mapping(value: Any, field: str, *, allowed: frozenset[str]) -> Mapping[str, Any]:
    """An object with no keys but `allowed` and none of them twice."""
    if not isinstance(value, dict):
        raise invalid(field, f"{field} is not an object.")
    known_only(value, allowed, prefix=f"{field}.")
    return value


def known_only(value: Mapping[str, Any], allowed: frozenset[str], *, prefix: str = "") -> None:
    """Refuse keys that nobody reads (a misspelt field would be lost unseen) and doubled ones."""
    if isinstance(value, Doubled):
        raise BadInput("duplicate_field", "A field is there twice.", field=prefix[:-1] or None)
    for name in value:
        if name not in allowed:
            shown = f"{prefix}{name}" if _PLAIN_NAME.fullmatch(name) else prefix[:-1] or None
            raise BadInput("unknown_field", "There is no such field.", field=shown)


def facts(value: Any, field: str, *, allowed: frozenset[str]) -> dict[str, bool | float | str]:
    """Plate-free facts of a device: known keys with numbers, booleans and known words.

    They are kept in clear, so neither a key nor a text is free: numbers up to 10¹² in size,
    `WORDS`, and version numbers like 1.4.2 where a version belongs.
    """
    found: dict[str, bool | float | str] = {}
    for name, fact in mapping(value, field, allowed=allowed).items():
        if not _is_fact(name, fact):
            raise BadInput(
                f"{field}_invalid",
                f"{field}.{name} is not a number, true, false or a known word.",
                field=f"{field}.{name}",
            )
        found[name] = fact
    return found


def _is_fact(name: str, fact: Any) -> bool:
    if isinstance(fact, str):
        return fact in WORDS or (name in _VERSIONS and _VERSION.fullmatch(fact) is not None)
    return isinstance(fact, int | float) and abs(fact) <= _LARGEST_FACT  # False for NaN


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    table = resources.files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    listed = {line[:2] for line in table.splitlines() if line and not line.startswith("#")}
    return frozenset(listed | {"XK"})  # Kosovo: user-assigned, and on plates


def country(value: Any, field: str) -> str:
    """An ISO 3166 alpha-2 code, upper case."""
    code = value.upper() if isinstance(value, str) and value.isascii() else ""
    if code not in _countries():
        raise invalid(field, f"{field} is not a two-letter country code of ISO 3166.")
    return code
