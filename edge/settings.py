"""What the server may change while the agent runs: versioned, checked, refused with a reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, get_args

Mode = Literal["auto", "read", "crop", "frame"]
Blur = Literal["none", "plates", "surroundings"]
Point = tuple[float, float]


class SettingsError(ValueError):
    """A setting that cannot be. `field` names it, `sentence` says why."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field, self.sentence = field, sentence


@dataclass(frozen=True, slots=True)
class Settings:
    """One version of the settings.

    `mode`: what is sent; "auto" chooses by measured CPU and bandwidth. `regions`,
    `regions_strict`: as of a site. `min_score`: reads below it are not sent (counted).
    `region_of_interest`: corners of a polygon, shares of width and height, in which plates are
    looked for; empty: everywhere. `squeeze_*`: how a frame is made small in mode "frame":
    `squeeze_width` px (0: as it is), `squeeze_grey`, `squeeze_cut_top` share cut off the top,
    `squeeze_quality` JPEG 1–100. `frames_per_second`: at most so many are looked at (0: all).
    `keep_hours`: items older than that leave the spool. `heartbeat_seconds`,
    `thumbnail_minutes` (0: never). `blur`: what is made unrecognisable in frames sent and shown.
    `watch`: whether tokens of watchlists are kept on the device. `csv`: whether reads are logged
    on the device.
    """

    version: int = 0
    mode: Mode = "auto"
    regions: tuple[str, ...] = ()
    regions_strict: bool = False
    min_score: float = 0.5
    region_of_interest: tuple[Point, ...] = ()
    squeeze_width: int = 0
    squeeze_grey: bool = False
    squeeze_cut_top: float = 0.0
    squeeze_quality: int = 80
    frames_per_second: float = 0.0
    keep_hours: float = 7 * 24.0
    heartbeat_seconds: float = 60.0
    thumbnail_minutes: float = 60.0
    blur: Blur = "none"
    watch: bool = False
    csv: bool = False


def _number(low: float, high: float) -> Callable[[str, Any], float]:
    def check(name: str, value: Any) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise SettingsError(name, f"{name} is not a number.")
        if not low <= value <= high:
            raise SettingsError(name, f"{name} is not between {low:g} and {high:g}.")
        return float(value)

    return check


def _whole(low: int, high: int) -> Callable[[str, Any], int]:
    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise SettingsError(name, f"{name} is not a whole number.")
        return int(_number(low, high)(name, value))

    return check


def _word(words: tuple[str, ...]) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if value not in words:
            raise SettingsError(name, f"{name} is none of {', '.join(words)}.")
        return str(value)

    return check


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(name, f"{name} is neither true nor false.")
    return value


def _regions(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise SettingsError(name, f"{name} is not a list of codes.")
    from inference.syntaxes import SyntaxFileError, load_book

    try:
        load_book().codes(value)
    except SyntaxFileError as error:
        raise SettingsError(name, str(error)) from error
    return tuple(value)


def _polygon(name: str, value: Any) -> tuple[Point, ...]:
    if not isinstance(value, list) or len(value) in (1, 2):
        raise SettingsError(name, f"{name} is not a list of no or at least three corners.")
    share = _number(0, 1)
    found = []
    for corner in value:
        if not isinstance(corner, list) or len(corner) != 2:
            raise SettingsError(name, f"{name} has a corner that is not [x, y].")
        found.append((share(name, corner[0]), share(name, corner[1])))
    return tuple(found)


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "version": _whole(0, 2**31 - 1),
    "mode": _word(get_args(Mode)),
    "regions": _regions,
    "regions_strict": _flag,
    "min_score": _number(0, 1),
    "region_of_interest": _polygon,
    "squeeze_width": _whole(0, 8192),
    "squeeze_grey": _flag,
    "squeeze_cut_top": _number(0, 0.9),
    "squeeze_quality": _whole(1, 100),
    "frames_per_second": _number(0, 1000),
    "keep_hours": _number(1, 24 * 90),
    "heartbeat_seconds": _number(5, 3600),
    "thumbnail_minutes": _number(0, 24 * 60),
    "blur": _word(get_args(Blur)),
    "watch": _flag,
    "csv": _flag,
}
assert set(_CHECKS) == {one.name for one in fields(Settings)}


def parse_settings(raw: Any, before: Settings | None = None) -> Settings:
    """The settings in a JSON object; what it does not name stays as in `before`. SettingsError."""
    if not isinstance(raw, dict):
        raise SettingsError("settings", "The settings are not an object.")
    for name in raw:
        if name not in _CHECKS:
            raise SettingsError(str(name)[:40], "There is no such setting.")
    changes = {name: _CHECKS[name](name, value) for name, value in raw.items()}
    return replace(before or Settings(), **changes)
