"""What a camera's device says of itself (`cameras.values.DETAIL`), in words for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cameras import values
from cameras.device_settings import GROUPS, SETTINGS, Setting

Detail = Mapping[str, Any]
Fact = tuple[str, str]

MODES: Final = {
    "read": "reads, each with a small crop",
    "crop": "crops of plates",
    "frame": "whole frames",
    "auto": "what suits it",
}
BECAUSE: Final = {
    "set": "so it is set",
    "starting": "it has just begun to measure",
    "cpu": "its processor is too slow for more",
    "bandwidth": "the network is too slow for more",
    "room": "its processor and the network bear it",
}
TROUBLES: Final = {
    "source": "the camera",
    "spool": "what waits to be sent",
    "sender": "sending",
    "clock": "its clock",
    "place": "its position",
    "models": "the networks that read",
    "pipeline": "reading",
    "settings": "its settings",
    "hotlist": "its watchlists",
    "csv": "its log of reads",
    "page": "its own page",
    "heartbeat": "its heartbeat",
    "disk": "its disk",
    "picture": "a picture that is black or stands still",
    "publish": "keeping what it saw",
    "hits": "sounding a hit",
}


@dataclass(frozen=True, slots=True)
class Device:
    """A device as a page shows it. `brief` is for a card, `facts` for the camera's own page;
    `troubles` are the parts it has trouble with."""

    brief: list[Fact]
    facts: list[Fact]
    troubles: list[str]


def device(detail: Detail) -> Device:
    """What to show of a heartbeat's facts; empty for a device that says nothing of itself."""
    troubles = [
        TROUBLES[part] for part in sorted(values.TROUBLES) if detail.get(f"trouble_{part}") is True
    ]
    brief = [(label, text) for label, tell in _BRIEF if (text := tell(detail))]
    more = [(label, text) for label, tell in _MORE if (text := tell(detail))]
    return Device(brief, [*brief, *more], troubles)


def setting_words(one: Setting, value: Any) -> str:
    """A setting's value in words."""
    match one.kind:
        case "word":
            return dict(one.words).get(value, str(value))
        case "flag":
            return "yes" if value else "no"
        case "polygon":
            return f"{len(value)} corners" if value else "everywhere"
        case "regions":
            return ", ".join(value) or "no hint"
        case _:
            return one.zero if one.zero and value == 0 else f"{value:g}"


def settings_words(chosen: Detail) -> list[tuple[str, list[Fact]]]:
    """Settings in words, by group."""
    return [
        (
            title,
            [
                (one.label, setting_words(one, chosen[one.name]))
                for one in some
                if one.name in chosen
            ],
        )
        for title, some in GROUPS
    ]


def setting_label(name: str) -> str:
    """What a setting is called; of a name that is none of ours, nothing."""
    return SETTINGS[name].label if name in SETTINGS else ""


def span(seconds: float) -> str:
    """A length of time, in the largest unit of which there are two."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: float) -> str:
    """Bytes, in kB, MB or GB."""
    for unit, length in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count:.0f} B"


def _number(detail: Detail, name: str) -> float | None:
    value = detail.get(name)
    return None if isinstance(value, bool | str) or value is None else float(value)


def _told(name: str, words: Callable[[float], str]) -> Callable[[Detail], str]:
    """Tells one number; nothing where it is not said."""

    def tell(detail: Detail) -> str:
        value = _number(detail, name)
        return "" if value is None else words(value)

    return tell


def _counted(name: str) -> Callable[[Detail], str]:
    """Tells a count; nothing where there is nothing to count."""
    return _told(name, lambda value: f"{value:.0f}" if value else "")


def _joined(*tells: Callable[[Detail], str]) -> Callable[[Detail], str]:
    return lambda detail: ", ".join(text for tell in tells if (text := tell(detail)))


def _sends(detail: Detail) -> str:
    mode = MODES.get(detail.get("mode", ""), "")
    because = BECAUSE.get(detail.get("mode_because", ""), "")
    return f"{mode}: {because}" if mode and because else mode


def _version(label: str, name: str) -> Callable[[Detail], str]:
    return lambda detail: f"{label} {detail[name]}" if isinstance(detail.get(name), str) else ""


def _network(detail: Detail) -> str:
    words = {"int8": "8 bits", "fp32": "32 bits"}
    parts = (words.get(detail.get("precision", "")), detail.get("provider"))
    return " on ".join(str(part) for part in parts if part)


_BRIEF: Final[tuple[tuple[str, Callable[[Detail], str]], ...]] = (
    ("Sends", _sends),
    ("Oldest waiting", _told("spool_oldest_s", lambda s: span(s) if s >= 1 else "")),
    (
        "Frames",
        _joined(
            _told("fps", lambda n: f"{n:.1f} a second"),
            _told("dropped", lambda n: f"{n:.0f} dropped"),
        ),
    ),
    (
        "Device",
        _joined(
            _told("temperature_c", lambda n: f"{n:.0f} °C"),
            _told("cpu_percent", lambda n: f"processor {n:.0f} %"),
            _told("disk_percent", lambda n: f"disk {n:.0f} % full"),
        ),
    ),
    ("Software", _joined(_version("agent", "version"), _version("models", "model_version"))),
)
_MORE: Final[tuple[tuple[str, Callable[[Detail], str]], ...]] = (
    ("Source gives", _told("source_fps", lambda n: f"{n:.1f} frames a second")),
    ("A frame takes", _told("ms_per_frame", lambda n: f"{n:.1f} ms")),
    ("Plates are", _told("plate_px", lambda n: f"{n:.0f} px wide")),
    ("Seen too briefly", _counted("glimpses")),
    ("Frozen pictures", _counted("frames_frozen")),
    ("Source came back", _counted("source_reconnects")),
    ("Networks", _network),
    (
        "Model versions",
        _joined(_version("detector", "detector_version"), _version("reader", "reader_version")),
    ),
    (
        "Sent",
        _joined(
            _told("items_sent", lambda n: f"{n:.0f} captures"),
            _told("bytes_sent", size),
        ),
    ),
    ("Network", _told("bytes_per_second", lambda n: f"{size(n)} a second")),
    ("Round trip", _told("round_trip_ms", lambda n: f"{n:.0f} ms")),
    ("Waiting on its disk", _told("spool_bytes", size)),
    ("Thrown away unsent", _counted("spool_evicted")),
    ("Refused by this server", _counted("spool_refused")),
    ("Hits on its lists", _counted("hits")),
    ("Memory", _told("memory_percent", lambda n: f"{n:.0f} % used")),
    ("Disk", _told("disk_free_mb", lambda n: f"{size(n * 1e6)} free")),
    ("Running for", _told("uptime_s", span)),
    ("System", _joined(_version("", "system"), _version("Python", "python"))),
)
