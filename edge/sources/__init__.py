"""Where pictures come from: `open_source` makes a source of what the configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.health import Health
from edge.sources.base import LiveSource, Place, Source, SourceError, name_without_secrets
from edge.sources.file import FileSource
from edge.sources.folder import FolderSource
from edge.sources.picamera import PiCamera
from edge.sources.snapshot import SnapshotCamera
from edge.sources.stream import open_rtsp, open_usb, parse_wanted

__all__ = ["Place", "Source", "SourceError", "open_source"]

_LONGEST_INTERVAL: Final = 3600.0
_DIGITS: Final = 2


def open_source(
    spec: str,
    *,
    clock: Clock,
    health: Health,
    place: Place | None = None,
    realtime: bool = True,
    loop: bool = False,
    every: float = 1.0,
    keep: bool = False,
) -> Source:
    """The source that `spec` names. Nothing is opened before `frames` is asked for.

    - `rtsp://…`, `rtsps://…`: a network camera; name and password stand in the address.
    - `usb:0` or `/dev/video0`, with `?width=1280&height=720&fps=30` if wanted: a USB camera.
    - `picamera:0`, with the same: a Raspberry Pi's camera.
    - `http://…`, `https://…`: a picture fetched every `every` seconds.
    - a folder: each new picture in it; see `folder.FolderSource` for `keep`.
    - a video file: in real time, late frames dropped as a camera would, or (`realtime` False) as
      fast as it is read; `loop`: from the beginning again at its end. Capture times are the start
      plus the position in the file.

    Raises SourceError.
    """
    if not 0 <= every <= _LONGEST_INTERVAL:
        raise SourceError("The seconds between two snapshots lie between 0 and 3600.")
    kind, _, rest = spec.partition(":")
    if kind in ("rtsp", "rtsps"):
        return LiveSource(
            name_without_secrets(spec),
            lambda: open_rtsp(spec),
            clock=clock,
            health=health,
            place=place,
        )
    if kind in ("http", "https"):
        SnapshotCamera(spec).close()  # an address that can't be is said at once
        return LiveSource(
            name_without_secrets(spec),
            lambda: SnapshotCamera(spec),
            clock=clock,
            health=health,
            place=place,
            every=every,
        )
    if kind in ("usb", "picamera") or spec.startswith("/dev/"):
        return _local(kind, rest, spec, clock=clock, health=health, place=place)
    if not spec or "://" in spec:
        raise SourceError(
            "A source is a file, a folder, usb:0, picamera:0 or an address of rtsp or http."
        )
    path = Path(spec)
    if path.is_dir():
        return FolderSource(path, clock=clock, health=health, place=place, keep=keep)
    if path.is_file():
        return FileSource(
            path, clock=clock, health=health, place=place, realtime=realtime, loop=loop
        )
    raise SourceError("There is no such file, folder or camera.")


def _local(
    kind: str, rest: str, spec: str, *, clock: Clock, health: Health, place: Place | None
) -> Source:
    """A camera at this device."""
    which, _, query = (spec if spec.startswith("/dev/") else rest).partition("?")
    wanted = parse_wanted(query)
    if kind == "picamera" or not which.startswith("/dev/"):
        if not which.isascii() or not which.isdigit() or len(which) > _DIGITS:
            raise SourceError(f"{kind}: is followed by the camera's number: {kind}:0.")
        which = str(int(which))
    if kind == "picamera":
        number = int(which)
        return LiveSource(
            f"the Pi camera {number}",
            lambda: PiCamera(number, wanted),
            clock=clock,
            health=health,
            place=place,
        )
    device = which if which.startswith("/dev/") else f"/dev/video{which}"
    return LiveSource(
        f"the camera {device}",
        lambda: open_usb(device, wanted),
        clock=clock,
        health=health,
        place=place,
    )
