"""Where pictures come from: `open_source` makes a source of what the configuration names."""

from __future__ import annotations

from edge.clock import Clock
from edge.health import Health
from edge.sources.base import Place, Source, SourceError

__all__ = ["Place", "Source", "SourceError", "open_source"]


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
    raise SourceError(f"{type(spec).__name__}: not yet")
