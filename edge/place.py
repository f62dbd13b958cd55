"""Where the camera is: gpsd, an NMEA receiver on a serial line, or a recorded track."""

from __future__ import annotations

import bisect
import math
import os
import select
import socket
import termios
import threading
import tty
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from edge.clock import Clock
from edge.fixes import Fix, TrackError, parse_gpsd, parse_nmea, parse_track
from edge.health import Health
from edge.items import Position
from edge.sources.base import Place
from edge.transport.backoff import Backoff

__all__ = ["Place", "PlaceError", "open_place"]

_STALE: Final = 5.0
"""Seconds for which a fix still says where the camera is."""

_GAP: Final = 15.0
"""Seconds between two fixes within which the way between them was a straight line."""

_SILENCE: Final = 60.0
_KEPT: Final = 600
_EARTH: Final = 6_371_000.0
_MOVED: Final = 2.0
"""Metres from one fix to the next that tell a direction."""

_WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
_LONGEST_LINE: Final = 65_536


class PlaceError(ValueError):
    """What was named can't say where the camera is. `str()` is a sentence."""


def open_place(spec: str, *, clock: Clock, health: Health) -> Place:
    """The place that `spec` names, asked by moments of `clock.now()`.

    - `gpsd://host:2947` (the port may be left out);
    - `/dev/ttyACM0` or `nmea:/dev/ttyACM0`, with `?baud=9600` where it isn't 9600: a receiver on a
      serial line;
    - the path of a recorded track (NMEA, GPX or CSV; see `fixes.parse_track`): its first fix is at
      the first moment asked for.

    Receivers are tried again for ever; what is wrong is told as trouble `place`. Raises PlaceError.
    """
    if spec.startswith("gpsd://"):
        try:
            parts = urlsplit(spec)
            host, port = parts.hostname, parts.port or 2947
        except ValueError as error:
            raise PlaceError("gpsd's address cannot be read.") from error
        if not host:
            raise PlaceError("gpsd's address names no host.")
        return Receiver(lambda: _gpsd(host, port), parse_gpsd, clock=clock, health=health)
    device, _, query = spec.removeprefix("nmea:").partition("?")
    if spec.startswith(("nmea:", "/dev/")):
        baud = parse_qs(query).get("baud", ["9600"])[0]
        speed = getattr(termios, f"B{baud}", None) if baud.isascii() and baud.isdigit() else None
        if speed is None:
            raise PlaceError("A serial line has no such speed.")
        return Receiver(lambda: _serial(device, speed), parse_nmea, clock=clock, health=health)
    try:
        return Track(parse_track(Path(spec).read_bytes()))
    except OSError as error:
        raise PlaceError("The track cannot be read.") from error
    except TrackError as error:
        raise PlaceError(str(error)) from error


class Track:
    """A recorded track."""

    def __init__(self, fixes: Sequence[Fix]) -> None:
        self._fixes = _with_headings(fixes)
        self._begun: float | None = None

    def at(self, moment: float) -> Position | None:
        if self._begun is None:
            self._begun = moment
        return position(self._fixes, moment - self._begun + self._fixes[0].at)

    def close(self) -> None:
        """Nothing is open."""


class Receiver:
    """A thread that listens to a receiver and keeps the last ten minutes of fixes.

    `connect` opens what is read from (raises OSError), `parse` makes a fix of a line and the moment
    at which it came.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        parse: Callable[[str, float], Fix | None],
        *,
        clock: Clock,
        health: Health,
    ) -> None:
        self._connect, self._parse, self._clock, self._health = connect, parse, clock, health
        self._lock = threading.Lock()
        self._fixes: list[Fix] = []
        self._closed = threading.Event()
        self._heard = clock.now()
        self._thread = threading.Thread(target=self._run, name="place", daemon=True)
        self._thread.start()

    def at(self, moment: float) -> Position | None:
        with self._lock:
            return position(self._fixes, moment)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        backoff = Backoff(high=60.0)
        while not self._closed.is_set():
            try:
                with self._connect() as line:
                    self._listen(line, backoff)
            except OSError:
                pass  # told below: its own words hold paths and addresses
            if not self._closed.is_set():
                self._health.trouble("place", "The GPS receiver does not answer.")
                self._closed.wait(backoff.failed())

    def _listen(self, line: Any, backoff: Backoff) -> None:
        """Until it ends."""
        rest = b""
        self._heard = self._clock.now()
        while not self._closed.is_set():
            if select.select([line], [], [], 0.5)[0]:
                data = os.read(line.fileno(), 4096)
                if not data:
                    return
                *lines, rest = (rest + data)[-_LONGEST_LINE:].split(b"\n")
                for one in lines:
                    if fix := self._parse(one.decode("ascii", "replace"), self._clock.now()):
                        backoff.worked()
                        self._keep(fix)
            if self._clock.now() - self._heard > _SILENCE:
                self._health.trouble("place", "The GPS receiver has had no fix for a minute.")

    def _keep(self, fix: Fix) -> None:
        self._heard = fix.at
        self._health.trouble("place", None)
        with self._lock:
            # what stands keeps looking where it looked
            last = self._fixes[-1:]
            self._fixes = [*self._fixes[-_KEPT:], _with_headings([*last, fix])[-1]]


def position(fixes: Sequence[Fix], moment: float) -> Position | None:
    """Where it was at a moment: between two fixes on the straight line, after the last one where
    that was for a few seconds, else unknown. `fixes`: in order of time."""
    after = bisect.bisect_right(fixes, moment, key=lambda fix: fix.at)
    if after == 0:
        return None
    one = fixes[after - 1]
    if after < len(fixes) and fixes[after].at - one.at <= _GAP:
        two = fixes[after]
        share = (moment - one.at) / (two.at - one.at)
        return Position(
            one.latitude + share * (two.latitude - one.latitude),
            _around(one.longitude + share * _turn(one.longitude, two.longitude)),
            _heading_between(one, two, share),
        )
    if moment - one.at > _STALE:
        return None
    return Position(one.latitude, one.longitude, one.heading)


def _with_headings(fixes: Sequence[Fix]) -> list[Fix]:
    """Headings that were not told are those of the movement, or the last known."""
    found = list(fixes[:1])
    for one, two in pairwise(fixes):
        heading = two.heading
        if heading is None:
            heading = _bearing(one, two) if _metres(one, two) >= _MOVED else found[-1].heading
        found.append(Fix(two.at, two.latitude, two.longitude, heading))
    return found


def _heading_between(one: Fix, two: Fix, share: float) -> float | None:
    if one.heading is None or two.heading is None:
        return two.heading if one.heading is None else one.heading
    return (one.heading + share * _turn(one.heading, two.heading)) % 360


def _turn(start: float, end: float) -> float:
    """Degrees from one direction to another, the shorter way round."""
    return (end - start + 180) % 360 - 180


def _around(longitude: float) -> float:
    return (longitude + 180) % 360 - 180 if abs(longitude) > 180 else longitude


def _metres(one: Fix, two: Fix) -> float:
    east = math.radians(_turn(one.longitude, two.longitude)) * math.cos(math.radians(one.latitude))
    return _EARTH * math.hypot(east, math.radians(two.latitude - one.latitude))


def _bearing(one: Fix, two: Fix) -> float:
    east = _turn(one.longitude, two.longitude) * math.cos(math.radians(one.latitude))
    return math.degrees(math.atan2(east, two.latitude - one.latitude)) % 360


def _gpsd(host: str, port: int) -> socket.socket:
    line = socket.create_connection((host, port), timeout=5)
    line.sendall(_WATCH)
    return line


def _serial(device: str, speed: int) -> Any:
    line = open(  # noqa: SIM115 - closed by its thread
        os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK), "rb", buffering=0
    )
    if os.isatty(line.fileno()):
        tty.setraw(line.fileno(), termios.TCSANOW)  # what has come already is not thrown away
        settings = termios.tcgetattr(line.fileno())
        settings[4] = settings[5] = speed
        termios.tcsetattr(line.fileno(), termios.TCSANOW, settings)
    return line
