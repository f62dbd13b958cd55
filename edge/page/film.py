"""The annotated stream: frames from the pipeline, in order and evenly, to everybody who watches.

Nobody watching costs nothing. One thread makes each frame small once, however many watch; whoever
cannot take all of them gets the newest each time.
"""

from __future__ import annotations

import asyncio
import json
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np

from edge.blur import blurred
from edge.health import Health
from edge.items import Frame, Mark
from edge.page.pace import Reorder
from edge.settings import Settings

WIDEST: Final = 960
QUALITY: Final = 72
MOST_WATCHERS: Final = 4
SILENCE_S: Final = 2.0
"""A watcher hears at least this often, so that it can tell a still camera from a lost one."""

HEAD: Final = struct.Struct(">II")
"""Before each message: the bytes of its JSON and of its JPEG (0: no new picture)."""


class _Watcher:
    def __init__(self) -> None:
        self.loop, self.news = asyncio.get_running_loop(), asyncio.Event()

    def wake(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self.news.set)
        except RuntimeError:  # its loop has ended, and so has the watcher
            return


class Film:
    """`show` is the pipeline's, `watch` each browser's; `start` and `close` the page's."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        health: Health,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._health, self._now = settings, health, now
        self._news = threading.Condition()
        self._buffer: Reorder[tuple[Frame, tuple[Mark, ...]]] = Reorder()
        self._watchers: list[_Watcher] = []
        self._message = (0, b"")
        self._closed = False
        self._thread = threading.Thread(target=self._play, name="page-film", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._news:
            self._closed = True
            self._news.notify_all()
            for one in self._watchers:
                one.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    @property
    def state(self) -> dict[str, float | int]:
        """How the buffer is: `waiting_ms`, `pace`, `skipped`, `too_late`."""
        with self._news:
            one = self._buffer
            return {
                "waiting_ms": round(1000 * one.waiting_s),
                "pace": round(one.pace, 3),
                "skipped": one.skipped,
                "too_late": one.too_late,
            }

    def show(self, frame: Frame, marks: Sequence[Mark]) -> None:
        """A frame has been looked at. Returns at once; the picture is not written into later."""
        if not self._watchers:
            return
        with self._news:
            self._buffer.push(frame.at, (frame, tuple(marks)), self._now())
            self._news.notify_all()

    async def watch(self, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Messages (`HEAD`, JSON, JPEG) until the page closes or `allowed` says no (asked every
        two seconds)."""
        me = _Watcher()
        with self._news:
            if not self._watchers:
                self._buffer = Reorder()
            self._watchers.append(me)
        seen, asked = self._message[0], self._now()
        try:
            while not self._closed:
                try:
                    await asyncio.wait_for(me.news.wait(), SILENCE_S)
                except TimeoutError:
                    yield _framed({}, b"")
                me.news.clear()
                number, message = self._message
                if number != seen:
                    seen = number
                    yield message
                if self._now() - asked > SILENCE_S:
                    asked = self._now()
                    if not allowed():
                        return
        finally:
            with self._news:
                self._watchers.remove(me)

    # --- the thread that plays --------------------------------------------------------------------
    def _play(self) -> None:
        while (found := self._next()) is not None:
            frame, marks = found
            try:
                message = self._made(frame, marks)
            except Exception:  # one frame that cannot be shown must not end the film
                self._health.count("page_frames_failed")
                continue
            with self._news:
                self._message = (self._message[0] + 1, message)
                for one in self._watchers:
                    one.wake()

    def _next(self) -> tuple[Frame, tuple[Mark, ...]] | None:
        """The next frame when its time has come; None when the page closes."""
        with self._news:
            while not self._closed:
                if (found := self._buffer.due(self._now())) is not None:
                    return found
                self._news.wait(self._buffer.wait(self._now()))
        return None

    def _made(self, frame: Frame, marks: Sequence[Mark]) -> bytes:
        blur = self._settings().blur
        height, width = frame.picture.shape[:2]
        picture = blurred(frame.picture, [one.place for one in marks], blur)
        if width > WIDEST:
            size = (WIDEST, max(1, round(height * WIDEST / width)))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        said = {
            "number": frame.number,
            "captured_at": frame.captured_at.isoformat(timespec="milliseconds"),
            "marks": [
                {
                    "quad": [[round(x / width, 5), round(y / height, 5)] for x, y in one.quad],
                    # what the settings make unrecognisable is not written beside it either
                    "text": None if blur == "plates" else one.text,
                    "score": round(one.score, 3),
                }
                for one in marks
            ],
        }
        return _framed(said, jpeg.tobytes())


def _framed(said: dict[str, Any], jpeg: bytes) -> bytes:
    head = json.dumps(said, ensure_ascii=False).encode()
    return HEAD.pack(len(head), len(jpeg)) + head + jpeg
