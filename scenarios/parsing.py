"""A scenario file, understood: every value checked, the first wrong one named.

The format is scenario.md's; what it leaves open is settled in README.md beside this file. Unknown
keys are ignored. Errors are `BadInput` with a `field` that is a path into the file, such as
`reads[3].camera`; no sentence quotes a value, which could be a plate.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.errors import BadInput, ProductError
from core.platetext import canonical
from enforcement.rights.calendars import zone_of
from enforcement.rights.intake import RightInput, country_of, instant_of, plate_of, right_input
from enforcement.rights.outcomes import Role, SiteKind
from enforcement.rights.zones import Window

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""When a right was delivered that was known from the beginning; earlier if anything else is."""

UNLIKELY = 0.1
"""The score of a text that the reader also thought of, where nothing else is said."""

_FOREVER = datetime(2190, 1, 1, tzinfo=UTC)
_SITE_SLUG = "site"
_LONGEST_CATEGORY = 16
_MOST_MINUTES = 60 * 24 * 366 * 10


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """The site. `window` is raw (checked), `cameras` are id → role in the file's order."""

    kind: SiteKind
    timezone: str
    cameras: Mapping[str, Role]
    confidence_floor: float = 0.80
    suspended: bool = False
    consideration_min: int = 5
    grace_min: int = 10
    max_stay_min: int = 1440
    scheme: str = ""
    scope: str = ""
    window: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RightSpec:
    """A right to deliver at `known_at`; None: before everything else. `name` is the file's id."""

    name: str
    known_at: datetime | None
    data: RightInput = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadSpec:
    """A finished read; `place` is its place in the file, `plate` canonical."""

    name: str
    place: int
    camera: str
    at: datetime
    received_at: datetime
    plate: str = field(repr=False)
    country: str
    confidence: float
    category: str
    candidates: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    char_scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchSpec:
    """A plate on a list; without `expires` it stays there."""

    list_name: str
    plate: str = field(repr=False)
    country: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole file. `heard` is camera → through, None where the file has no heartbeats."""

    name: str
    now: datetime
    site: SiteSpec
    rights: tuple[RightSpec, ...]
    watchlist: tuple[WatchSpec, ...]
    reads: tuple[ReadSpec, ...]
    heard: Mapping[str, datetime] | None
    expect: Any = None

    @property
    def beginning(self) -> datetime:
        """An instant before anything in the file."""
        times = [read.at for read in self.reads] + [read.received_at for read in self.reads]
        times += [right.known_at for right in self.rights if right.known_at is not None]
        times += [watch.expires for watch in self.watchlist]
        return min([BEGINNING, *(at - timedelta(days=1) for at in times)])


def scenario_read(path: Path) -> Any:
    """The JSON of a file; BadInput `unreadable`, `not_json`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput("unreadable", f"The file can't be read: {error.strerror}.") from None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadInput("not_json", "The file is no JSON.") from None


def scenario_of(data: Any) -> Scenario:
    """The scenario in parsed JSON; BadInput for the first thing that is wrong."""
    data = _mapping(data, "")
    now = _instant(data, "now", "")
    if now is None:
        raise BadInput("now_missing", "Say when the scenario ends.", field="now")
    site = _site(_mapping(data.get("site"), "site"))
    reads = tuple(
        _read(_mapping(one, f"reads[{n}]"), n, site)
        for n, one in enumerate(_list(data.get("reads"), "reads"))
    )
    rights = tuple(
        _right(_mapping(one, f"rights[{n}]"), f"rights[{n}]")
        for n, one in enumerate(_list(data.get("rights"), "rights"))
    )
    watchlist = tuple(
        _watch(_mapping(one, f"watchlist[{n}]"), f"watchlist[{n}]")
        for n, one in enumerate(_list(data.get("watchlist"), "watchlist"))
    )
    beats = _list(data.get("heartbeats"), "heartbeats")
    return Scenario(
        name=name_of(data),
        now=now,
        site=site,
        rights=rights,
        watchlist=watchlist,
        reads=_distinct(reads),
        heard=_heard(beats, site) if beats else None,
        expect=data.get("expect"),
    )


def name_of(data: Any, otherwise: str = "") -> str:
    """What the file calls itself."""
    name = data.get("name") if isinstance(data, Mapping) else None
    return name if isinstance(name, str) else otherwise


# --- parts ---------------------------------------------------------------------------------------


def _site(data: Mapping[str, Any]) -> SiteSpec:
    kind = _one_of(data.get("kind", "parking"), [one.value for one in SiteKind], "site.kind")
    timezone = _text(data.get("timezone", "UTC"), "site.timezone", 64)
    _checked("site.timezone", lambda: zone_of(timezone))
    cameras: dict[str, Role] = {}
    for n, one in enumerate(_list(data.get("cameras"), "site.cameras")):
        where = f"site.cameras[{n}]"
        camera = _mapping(one, where)
        name = _text(camera.get("id"), f"{where}.id", 100)
        if name in cameras:
            raise BadInput("camera_twice", "A camera stands there twice.", field=f"{where}.id")
        roles = [role.value for role in Role]
        cameras[name] = Role(_one_of(camera.get("role"), roles, f"{where}.role"))
    window = data.get("window")
    if kind == SiteKind.ZONE:
        window = _mapping(window, "site.window")
        _checked("site.window", lambda: Window.from_data(window, timezone))
    return SiteSpec(
        kind=SiteKind(kind),
        timezone=timezone,
        cameras=cameras,
        confidence_floor=_share(data.get("confidence_floor", 0.80), "site.confidence_floor"),
        suspended=_flag(data.get("suspended", False), "site.suspended"),
        consideration_min=_minutes(data, "consideration_min", 5),
        grace_min=_minutes(data, "grace_min", 10),
        max_stay_min=_minutes(data, "max_stay_min", 1440),
        scheme=_text(data.get("scheme"), "site.scheme", 20) if kind == SiteKind.VIGNETTE else "",
        scope=_text(data["scope"], "site.scope", 20) if data.get("scope") else "",
        window=dict(window) if kind == SiteKind.ZONE and window is not None else None,
    )


def _right(data: Mapping[str, Any], where: str) -> RightSpec:
    said = dict(data)
    if said.get("kind") != "vignette":
        said["site"] = _SITE_SLUG
    else:
        said.pop("site", None)
        said.setdefault("bought_at", said.get("known_at"))
    if said.get("kind") == "exemption":
        said["reason"] = said.get("reason") or "exempt"
    if isinstance(said.get("plates"), list):
        # a vehicle named twice has one place, as if it stood there once
        plates = [
            _checked(where, lambda one=one: plate_of(one, "plates")) for one in said["plates"]
        ]
        said["plates"] = list(dict.fromkeys(plates))
    name = _text(data.get("id"), f"{where}.id", 200)
    checked: RightInput = _checked(where, lambda: right_input(said))
    return RightSpec(name=name, known_at=_instant(data, "known_at", f"{where}."), data=checked)


def _read(data: Mapping[str, Any], place: int, site: SiteSpec) -> ReadSpec:
    where = f"reads[{place}]"
    camera = _text(data.get("camera"), f"{where}.camera", 100)
    if camera not in site.cameras:
        raise BadInput("unknown_camera", "The site has no such camera.", field=f"{where}.camera")
    at = _instant(data, "at", f"{where}.")
    if at is None:
        raise BadInput("at_missing", "Say when it was captured.", field=f"{where}.at")
    plate: str = _checked(where, lambda: plate_of(data.get("plate")))
    category = data.get("category")
    scores = _list(data.get("char_scores"), f"{where}.char_scores")
    if scores and len(scores) != len(plate):
        raise BadInput(
            "scores_uneven", "One score a character, please.", field=f"{where}.char_scores"
        )
    return ReadSpec(
        name=_text(data.get("id"), f"{where}.id", 190),
        place=place,
        camera=camera,
        at=at,
        received_at=_instant(data, "received_at", f"{where}.") or at,
        plate=plate,
        country=_checked(where, lambda: country_of(data.get("country"))),
        confidence=_share(data.get("confidence", 1.0), f"{where}.confidence"),
        category=_text(category, f"{where}.category", _LONGEST_CATEGORY) if category else "car",
        candidates=tuple(
            _candidate(one, f"{where}.candidates")
            for one in _list(data.get("candidates"), f"{where}.candidates")
        ),
        char_scores=tuple(_share(one, f"{where}.char_scores") for one in scores),
    )


def _candidate(value: Any, where: str) -> tuple[str, float]:
    """A text the reader thought of too, alone or with its score."""
    text, score = value if isinstance(value, list) and len(value) == 2 else (value, UNLIKELY)
    if not isinstance(text, str):
        raise BadInput("not_text", "A candidate is a text.", field=where)
    return _checked(where, lambda: canonical(text)), _share(score, where)


def _distinct(reads: tuple[ReadSpec, ...]) -> tuple[ReadSpec, ...]:
    """The reads; one delivered twice as it stands is one (the product stores a repeat once)."""
    known: dict[str, ReadSpec] = {}
    for read in reads:
        first = known.setdefault(read.name, read)
        if first is not read and _content(first) != _content(read):
            raise BadInput("read_twice", "Two reads have this id.", field=f"reads[{read.place}].id")
    return tuple(known.values())


def _content(read: ReadSpec) -> tuple[Any, ...]:
    return (read.camera, read.at, read.plate, read.country, read.confidence, read.category)


def _watch(data: Mapping[str, Any], where: str) -> WatchSpec:
    return WatchSpec(
        list_name=_text(data.get("list"), f"{where}.list", 100),
        plate=_checked(where, lambda: plate_of(data.get("plate"))),
        country=_checked(where, lambda: country_of(data.get("country"))),
        expires=_instant(data, "expires", f"{where}.") or _FOREVER,
    )


def _heard(beats: list[Any], site: SiteSpec) -> dict[str, datetime]:
    heard: dict[str, datetime] = {}
    for n, one in enumerate(beats):
        where = f"heartbeats[{n}]"
        beat = _mapping(one, where)
        camera = _text(beat.get("camera"), f"{where}.camera", 100)
        if camera not in site.cameras:
            raise BadInput(
                "unknown_camera", "The site has no such camera.", field=f"{where}.camera"
            )
        through = _instant(beat, "through", f"{where}.")
        if through is None:
            raise BadInput(
                "through_missing", "Say how far it was heard of.", field=f"{where}.through"
            )
        heard[camera] = max(through, heard.get(camera, through))
    return heard


# --- values --------------------------------------------------------------------------------------


def _checked(where: str, check: Any) -> Any:
    """What `check` gives; its error with the path of what it speaks of."""
    try:
        return check()
    except ProductError as error:
        field_ = f"{where}.{error.field}" if error.field else where
        raise BadInput(error.code.replace("-", "_"), error.sentence, field=field_) from None


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput("not_an_object", "This must be a JSON object.", field=where or None)
    return value


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput("not_a_list", "This must be a list.", field=where)
    return value


def _text(value: Any, where: str, most: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise BadInput("not_text", "This must be a text.", field=where)
    if len(value) > most:
        raise BadInput("too_long", f"At most {most} characters.", field=where)
    return value


def _one_of(value: Any, known: list[str], where: str) -> str:
    if value not in known:
        raise BadInput("unknown_word", f"One of {', '.join(known)}, please.", field=where)
    return str(value)


def _instant(data: Mapping[str, Any], name: str, where: str) -> datetime | None:
    try:
        return instant_of(data.get(name), name)
    except BadInput as error:
        raise BadInput(error.code, error.sentence, field=f"{where}{name}") from None


def _share(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadInput("out_of_range", "Between 0 and 1, please.", field=where)
    return float(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadInput("not_a_flag", "This must be true or false.", field=where)
    return value


def _minutes(data: Mapping[str, Any], name: str, default: int) -> int:
    value = data.get(name, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput("not_a_number", "Whole minutes, please.", field=f"site.{name}")
    if not 0 <= value <= _MOST_MINUTES:
        raise BadInput("out_of_range", f"0 to {_MOST_MINUTES}.", field=f"site.{name}")
    return value
