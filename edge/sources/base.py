"""What every source of pictures is, and what those that may fail and come back have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol
from urllib.parse import urlsplit

import cv2

from edge.clock import Clock
from edge.health import Health
from edge.items import Frame, Position
from edge.sources.watch import Watch
from edge.transport.backoff import Backoff
from inference.results import Picture

_LONGEST_PAUSE: Final = 60.0
"""Seconds. A camera that comes back is not kept waiting for longer."""


class SourceError(ValueError):
    """What was named can't be a source. `sentence` says why, without name or password."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class SourceLostError(Exception):
    """No picture came. `sentence` says why, without address, name or password."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Place(Protocol):
    """Where the camera was; see `edge.place`."""

    def at(self, moment: float) -> Position | None:
        """At a moment of `clock.now()`; None where unknown."""

    def close(self) -> None: ...


class Source(Protocol):
    """Pictures, one after the other."""

    @property
    def name(self) -> str:
        """For people: where the pictures come from, never with a name or password."""

    def frames(self) -> Iterator[Frame]:
        """Pictures until there are no more or `close` is called. To be asked for once, by one
        thread. Comes back by itself from what can come back. May raise SourceError."""

    def close(self) -> None:
        """End `frames` soon. From any thread, as often as one likes."""


class Camera(Protocol):
    """An opened camera."""

    def read(self) -> Picture:
        """The next picture. Waits for it, but not for ever. Raises SourceLostError."""

    def close(self) -> None: ...


def name_without_secrets(address: str) -> str:
    """An address for people: no name, no password, no query (cameras take passwords there)."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


class Framing:
    """Numbers the pictures of a source, tells where and when they were taken, and watches them."""

    def __init__(
        self, clock: Clock, health: Health, place: Place | None, watch: Watch | None
    ) -> None:
        self._clock, self._health, self._place, self._watch = clock, health, place, watch
        self._number = 0

    def frame(self, picture: Picture, at: float) -> Frame:
        """`at`: a moment of `clock.now()`."""
        self._number += 1
        self._health.count("frames_captured")
        self._health.mark("frames_captured")
        if self._watch is not None:
            self._watch.saw(picture, at)
        return Frame(
            self._number,
            picture,
            at,
            self._clock.utc(at),
            None if self._place is None else self._place.at(at),
        )


class LiveSource:
    """A camera that may go away and come back: tried again after pauses that double up to a
    minute."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Camera],
        *,
        clock: Clock,
        health: Health,
        place: Place | None = None,
        every: float = 0.0,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`connect` raises SourceLostError. `every`: seconds from one picture to the next, 0: as
        they come. `wait` is for tests: pauses for seconds, cut short by `close`."""
        self.name = name
        self._connect, self._clock, self._health = connect, clock, health
        self._framing = Framing(clock, health, place, Watch(health))
        self._every = every
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait

    def close(self) -> None:
        self._closed.set()

    def frames(self) -> Iterator[Frame]:
        backoff = Backoff(high=_LONGEST_PAUSE)
        last_seen = self._clock.now()
        while not self._closed.is_set():
            camera: Camera | None = None
            try:
                camera = self._connect()
                while not self._closed.is_set():
                    picture = camera.read()
                    last_seen = self._clock.now()
                    backoff.worked()
                    self._health.trouble("source", None)
                    yield self._framing.frame(picture, last_seen)
                    if self._every:  # one that was late is not made up for
                        self._wait(max(0.0, last_seen + self._every - self._clock.now()))
            except (SourceLostError, cv2.error) as error:
                why = error.sentence if isinstance(error, SourceLostError) else "it broke off"
                self._pause(why, backoff.failed(), self._clock.now() - last_seen)
            finally:
                if camera is not None:
                    camera.close()

    def _pause(self, why: str, pause: float, without: float) -> None:
        self._health.count("source_reconnects")
        self._health.trouble(
            "source",
            f"No picture from {self.name}{f' for {without:.0f} s' if without >= 1 else ''}: {why}. "
            f"Trying again in {max(1.0, pause):.0f} s.",
        )
        self._wait(pause)
