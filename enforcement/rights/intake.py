"""Understanding a right as somebody delivers it: scenario.md's shape, one clear error at a time.

Nothing here touches the database: what a site or a scheme has to say comes in `services`. Error
codes name what is wrong (`plate_empty`, `naive_time`, `ends_before_start`, …), `field` which input
is to blame; the sentence never quotes the input, which may hold a plate.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from audit.freetext import printable
from cameras.values import Doubled
from core.errors import BadInput
from core.platetext import PlateTextError, canonical
from enforcement.rights.calendars import day_start
from enforcement.rights.models import Right

Kind = Right.Kind

MOST_PLATES = 200
MOST_VERSIONS = 2_000_000_000
_COUNTRY = re.compile(r"[A-Z]{2}")
_ALSO_CALLED = {"UK": "GB", "EL": "GR"}
"""Codes that people use for a country whose ISO 3166 code is another."""

_YEARS = range(1970, 2200)
"""Years a day may lie in."""


@dataclass(frozen=True, slots=True)
class RightInput:
    """One version of a right as delivered, checked as far as it can be by itself.

    `plates` are canonical and distinct. `version` None: it comes without one (a file), and counts
    as the next if it says something new. Which fields are filled depends on `kind`; a zone
    payment's day is `first_day`. Texts default to "" (any country, any category, no site).
    """

    kind: str
    id: str = field(repr=False)
    plates: tuple[str, ...] = field(repr=False)
    version: int | None = 1
    country: str = ""
    site: str = ""
    start: datetime | None = None
    end: datetime | None = None
    scheme: str = ""
    product: str = ""
    category: str = ""
    scope: str = ""
    first_day: date | None = None
    year: int | None = None
    bought_at: datetime | None = None
    max_present: int | None = None
    reason: str = field(default="", repr=False)

    def content(self) -> str:
        """Everything it says but its version, in one fixed form: equal for a repeat. Holds plates:
        only ever to be put through a keyed token."""
        said = {name: getattr(self, name) for name in _CONTENT}
        said |= {"plates": sorted(self.plates), "version": None}
        return json.dumps(said, sort_keys=True, default=_fixed)


_CONTENT = tuple(one.name for one in fields(RightInput))


def _fixed(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


# --- single values -------------------------------------------------------------------------------


def plate_of(value: Any, name: str = "plate") -> str:
    """A canonical plate; BadInput `plate_empty`, `plate_too_long`, `plate_not_text`."""
    if not isinstance(value, str):
        raise BadInput("not_text", "A plate is text.", field=name)
    try:
        return canonical(value)
    except PlateTextError as error:
        raise BadInput(error.code.replace("-", "_"), error.sentence, field=name) from None


def text_of(value: object, name: str, most: int) -> str:
    """Stripped text of at most `most` characters, "" for None; BadInput `not_text`, `too_long`."""
    if value is None:
        return ""
    if not isinstance(value, str) or not printable(value):
        raise BadInput("not_text", "This must be text.", field=name)
    value = value.strip()
    if len(value) > most:
        raise BadInput("too_long", f"At most {most} characters are allowed here.", field=name)
    return value


def country_of(value: Any, name: str = "country") -> str:
    """An ISO 3166 alpha-2 code, "" for none; BadInput `unknown_country`."""
    code = text_of(value, name, 20).upper()
    code = _ALSO_CALLED.get(code, code)
    if code and not _COUNTRY.fullmatch(code):
        raise BadInput("unknown_country", "Name the country by its two letters.", field=name)
    return code


def instant_of(value: Any, name: str) -> datetime | None:
    """An ISO 8601 instant with its offset, in UTC, None for None.

    BadInput `time_unreadable`, `naive_time`, `time_out_of_range`.
    """
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value.strip())
    except (ValueError, TypeError, AttributeError):
        raise BadInput(
            "time_unreadable", "A time reads 2026-03-01T09:00:00+00:00.", field=name
        ) from None
    if at.tzinfo is None:
        raise BadInput("naive_time", "A time must carry its offset.", field=name)
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = datetime.min.replace(tzinfo=UTC)
    if at.year < _YEARS.start:
        raise BadInput("time_out_of_range", "There is no such time.", field=name)
    return at


def day_of(value: Any, name: str) -> date | None:
    """An ISO 8601 calendar day, None for None; BadInput `day_unreadable`, `day_out_of_range`."""
    if value is None:
        return None
    try:
        day = date.fromisoformat(value.strip())
    except (ValueError, TypeError, AttributeError):
        raise BadInput("day_unreadable", "A day reads 2026-03-01.", field=name) from None
    if day.year not in _YEARS:
        raise BadInput("day_out_of_range", "There is no such day.", field=name)
    return day


def number_of(value: Any, name: str, least: int, most: int) -> int | None:
    """A whole number from `least` to `most`, None for None; BadInput `not_a_number`,
    `out_of_range`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput("not_a_number", "This must be a whole number.", field=name)
    if not least <= value <= most:
        raise BadInput("out_of_range", f"Between {least} and {most}, please.", field=name)
    return value


def whole_of(text: str, name: str, most: int) -> int | None:
    """A whole number from 0 to `most` written in a file's cell, None for an empty one."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise BadInput("not_a_number", "This must be a whole number.", field=name)
    return number_of(int(text), name, 0, most)


def bound_of(
    text: str, name: str, zone: ZoneInfo | None, *, days_later: int = 0
) -> datetime | None:
    """An instant written in a file's cell; of a bare day its first one in `zone`, `days_later`.

    None for an empty cell. BadInput as for `instant_of` and `day_of`, and `naive_time` for a day
    where there is no `zone` to read it in.
    """
    if not text:
        return None
    if "T" in text or ":" in text:
        return instant_of(text, name)
    day = day_of(text, name)
    if day is None or zone is None:
        raise BadInput("naive_time", "Without a site, a time must carry its offset.", field=name)
    return day_start(day + timedelta(days=days_later), zone)


def plates_of(values: Any) -> tuple[str, ...]:
    """The canonical plates of a list; BadInput also `plate_missing`, `plate_twice`,
    `too_many_plates`."""
    if not isinstance(values, list | tuple) or not values:
        raise BadInput("plate_missing", "Name at least one plate.", field="plates")
    if len(values) > MOST_PLATES:
        raise BadInput("too_many_plates", f"At most {MOST_PLATES} plates.", field="plates")
    plates = tuple(plate_of(value, "plates") for value in values)
    if len(set(plates)) != len(plates):
        raise BadInput("plate_twice", "A plate stands there twice.", field="plates")
    return plates


# --- a whole right -------------------------------------------------------------------------------


def right_input(data: Any) -> RightInput:
    """The right in a JSON object of scenario.md's shape; BadInput for the first thing wrong.

    Unknown fields are no error, and fields of another kind are left out.
    """
    if not isinstance(data, Mapping):
        raise BadInput("not_an_object", "A right is a JSON object.")
    if isinstance(data, Doubled):
        raise BadInput("duplicate_field", "A field is there twice.")
    kind = data.get("kind")
    if kind not in Kind.values:
        raise BadInput("unknown_kind", f"The kinds are {', '.join(Kind.values)}.", field="kind")
    right_id = text_of(data.get("id"), "id", 200)
    if not right_id:
        raise BadInput("id_missing", "A right needs its own id.", field="id")
    version = number_of(data.get("version", 1), "version", 0, MOST_VERSIONS)
    right = RightInput(
        kind=kind,
        id=right_id,
        plates=_named_plates(data),
        version=1 if version is None else version,
        country=country_of(data.get("country")),
        site=text_of(data.get("site"), "site", 50),
        **_OF_KIND[kind](data),
    )
    return checked(right)


def checked(right: RightInput) -> RightInput:
    """The right, if what it says fits its kind; BadInput otherwise."""
    many = right.kind in (Kind.PERMIT, Kind.EXEMPTION)
    if not many and len(right.plates) > 1:
        raise BadInput("one_plate", "Such a right is for one plate.", field="plates")
    if right.kind in _OF_A_SITE and not right.site:
        raise BadInput("site_missing", "Say for which site.", field="site")
    if right.kind == Kind.VIGNETTE and right.site:
        raise BadInput("site_not_wanted", "A vignette is for its scheme's roads.", field="site")
    if right.start is not None and right.end is not None and right.end < right.start:
        raise BadInput("ends_before_start", "The right ends before it starts.", field="to")
    return right


def _named_plates(data: Mapping[str, Any]) -> tuple[str, ...]:
    if data.get("plates") is None:
        if data.get("plate") is None:
            raise BadInput("plate_missing", "Name the plate.", field="plate")
        return (plate_of(data["plate"]),)
    if data.get("plate") is not None:
        raise BadInput("plate_and_plates", "Either plate or plates, not both.", field="plate")
    return plates_of(data["plates"])


def _needed(value: Any, name: str) -> Any:
    if value is None or value == "":
        raise BadInput(f"{name}_missing", f"This kind of right needs “{name}”.", field=name)
    return value


def _interval(data: Mapping[str, Any], *, needed: bool) -> dict[str, Any]:
    start, end = instant_of(data.get("from"), "from"), instant_of(data.get("to"), "to")
    if needed:
        _needed(start, "from")
        _needed(end, "to")
    return {"start": start, "end": end}


def _vignette(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "scheme": _needed(text_of(data.get("scheme"), "scheme", 20), "scheme"),
        "product": _needed(text_of(data.get("product"), "product", 20), "product"),
        "category": text_of(data.get("category"), "category", 16) or "car",
        "scope": text_of(data.get("scope"), "scope", 20),
        "first_day": day_of(data.get("first_day"), "first_day"),
        "year": number_of(data.get("year"), "year", _YEARS.start + 1, _YEARS.stop - 2),
        "bought_at": instant_of(data.get("bought_at"), "bought_at"),
    }


def _payment(data: Mapping[str, Any]) -> dict[str, Any]:
    return _interval(data, needed=True)


def _permit(data: Mapping[str, Any]) -> dict[str, Any]:
    return _interval(data, needed=False) | {
        "product": text_of(data.get("product"), "product", 20),
        "max_present": number_of(data.get("max_present"), "max_present", 1, 32_000),
    }


def _exemption(data: Mapping[str, Any]) -> dict[str, Any]:
    reason = _needed(text_of(data.get("reason"), "reason", 40), "reason")
    return _interval(data, needed=False) | {"reason": reason}


def _zone_payment(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"first_day": _needed(day_of(data.get("day"), "day"), "day")}


_OF_KIND = {
    Kind.VIGNETTE: _vignette,
    Kind.PAYMENT: _payment,
    Kind.PERMIT: _permit,
    Kind.EXEMPTION: _exemption,
    Kind.RESERVATION: _payment,
    Kind.VALIDATION: _payment,
    Kind.ZONE_PAYMENT: _zone_payment,
}
_OF_A_SITE = frozenset({Kind.PAYMENT, Kind.RESERVATION, Kind.VALIDATION, Kind.ZONE_PAYMENT})
