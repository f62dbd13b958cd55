"""What the device knows of itself, in words for the person in front of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from edge.health import Value

Tone = Literal["good", "warn", "bad", "none"]

PARTS: Final[Mapping[str, str]] = {
    "source": "Camera",
    "picture": "Picture",
    "pipeline": "Reading",
    "models": "Models",
    "publish": "Keeping",
    "spool": "Queue",
    "sender": "Sending",
    "heartbeat": "Server",
    "settings": "Settings",
    "clock": "Clock",
    "place": "Position",
    "hotlist": "Watchlist",
    "hits": "Hits",
    "csv": "Log of reads",
    "disk": "Disk",
    "page": "This page",
}
MODES: Final[Mapping[str, tuple[str, str]]] = {
    "read": ("Reads", "plates are read here, text and a small picture are sent"),
    "crop": ("Crops", "the plates' pictures are sent and read at the server"),
    "frame": ("Frames", "whole pictures are sent and read at the server"),
}
_LATE_S: Final = 300.0
_HOT_C: Final = 80.0


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: what it is, its value, a few words beside it, and whether it is well."""

    name: str
    label: str
    value: str
    note: str
    tone: Tone


Facts = Mapping[str, Value]


def tiles(facts: Facts) -> list[Tile]:
    """The figures that tell how the device is; `facts` as `Health.snapshot` and `device_facts`
    give them. What is not known yet reads "–"."""
    return [make(facts) for make in _TILES]


def trouble_title(part: str) -> str:
    """What people call a part of the agent."""
    return PARTS.get(part, part.capitalize())


def number(facts: Facts, name: str) -> float | None:
    value = facts.get(name)
    return None if value is None or isinstance(value, str) else float(value)


def amount(size: float) -> str:
    """Bytes: "812 B", "3.4 kB", "1.2 GB"."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: "12 s", "3 min", "5 h", "2 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def _pictures(facts: Facts) -> Tile:
    rate, source = number(facts, "frames_per_second"), number(facts, "source_fps")
    note = "looked at" if source is None else f"the camera gives {source:.0f}"
    if rate is None:
        return Tile("pictures", "Pictures a second", "–", "none yet", "warn")
    return Tile("pictures", "Pictures a second", f"{rate:.1f}", note, "good" if rate else "bad")


def _dropped(facts: Facts) -> Tile:
    lost, all_ = number(facts, "frames_dropped") or 0, number(facts, "frames_captured") or 0
    share = lost / all_ if all_ else 0.0
    note = f"{share:.1%} of all, to keep up" if lost else "this device keeps up"
    return Tile(
        "dropped", "Pictures dropped", f"{lost:.0f}", note, "warn" if share > 0.02 else "good"
    )


def _waiting(facts: Facts) -> Tile:
    depth, oldest = number(facts, "queue_depth"), number(facts, "spool_oldest_s") or 0.0
    if depth is None:
        return Tile("waiting", "Waiting to be sent", "–", "", "none")
    note = (
        f"kept on the disk, the oldest for {span(oldest)}"
        if depth
        else "everything is at the server"
    )
    return Tile(
        "waiting",
        "Waiting to be sent",
        f"{depth:.0f}",
        note,
        "warn" if oldest > _LATE_S else "good",
    )


def _sent(facts: Facts) -> Tile:
    count, size = number(facts, "items_sent") or 0, number(facts, "bytes_sent") or 0
    note = f"{amount(size)}, {amount(size / count)} each" if count else "since the start"
    return Tile("sent", "Sent", f"{count:.0f}", note, "good" if count else "none")


def _mode(facts: Facts) -> Tile:
    mode = str(facts.get("mode", ""))
    title, meaning = MODES.get(mode, ("–", ""))
    because = str(facts.get("mode_because", ""))
    return Tile("mode", "What is sent", title, because if len(because) > 12 else meaning, "none")


def _processor(facts: Facts) -> Tile:
    load, heat = number(facts, "cpu_percent"), number(facts, "temperature_c")
    note = "of all cores" if heat is None else f"{heat:.0f} °C"
    if heat is not None and heat >= _HOT_C:
        return Tile("processor", "Processor", _percent(load), f"{note}: too hot", "bad")
    if load is not None and load > 95:
        return Tile("processor", "Processor", _percent(load), f"{note}, none to spare", "warn")
    return Tile("processor", "Processor", _percent(load), note, "good")


def _memory(facts: Facts) -> Tile:
    used, ours = number(facts, "memory_percent"), number(facts, "memory_mb")
    note = "" if ours is None else f"{ours:.0f} MB are the agent's"
    full = used is not None and used > 92
    return Tile("memory", "Memory used", _percent(used), note, "warn" if full else "good")


def _disk(facts: Facts) -> Tile:
    used, free = number(facts, "disk_percent"), number(facts, "disk_free_mb")
    note = "" if free is None else f"{amount(free * 1e6)} free"
    full = used is not None and used > 90
    return Tile("disk", "Disk used", _percent(used), note, "warn" if full else "good")


def _clock(facts: Facts) -> Tile:
    offset = number(facts, "clock_offset_s")
    if offset is None:
        return Tile("clock", "Clock", "–", "not compared with the server yet", "none")
    value = (
        "right" if abs(offset) < 1 else f"{span(abs(offset))} {'slow' if offset > 0 else 'fast'}"
    )
    note = (
        f"{abs(offset):.2f} s from the server's"
        if abs(offset) < 1
        else "capture times are set right"
    )
    return Tile("clock", "Clock", value, note, "good" if abs(offset) < 30 else "warn")


def _seen(facts: Facts) -> Tile:
    hits = sum(number(facts, f"hits_{how}") or 0 for how in ("exact", "possible"))
    entries = number(facts, "hotlist_entries") or 0
    if not entries:
        return Tile("hits", "Watchlist hits", "–", "no watchlist on this device", "none")
    return Tile(
        "hits",
        "Watchlist hits",
        f"{hits:.0f}",
        f"{entries:.0f} entries",
        "warn" if hits else "good",
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} %"


_TILES: Final[tuple[Callable[[Facts], Tile], ...]] = (
    _pictures,
    _dropped,
    _waiting,
    _sent,
    _mode,
    _processor,
    _memory,
    _disk,
    _clock,
    _seen,
)
