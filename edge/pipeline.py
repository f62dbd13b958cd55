"""A camera's pictures → what is sent of them: the stages, and the threads they run in.

Capture has a thread of its own, which puts frames into a short queue. When the stages can't keep
up, the oldest frame in it is dropped and counted, so what is looked at is never older than the
queue is long. A source that can wait (a file read as fast as it can be, a folder) waits instead.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

from edge.clock import Clock
from edge.health import Health
from edge.items import Frame, Mark, Outbox
from edge.models import Choice, choose, make_engine
from edge.modes import Chooser
from edge.publish import Publisher, VehicleRead
from edge.settings import Settings
from edge.sources import Source
from edge.stages import STAGES, Look, Road
from inference.engine import Engine
from inference.tracking import OVERLAP, overlap

log = logging.getLogger(__name__)

OnFrame = Callable[[Frame, tuple[Mark, ...]], None]
OnRead = Callable[[VehicleRead], None]

MOST_WAITING: Final = 4
"""Frames between capture and the stages."""
_POLL: Final = 0.5


class Pipeline:
    """Runs until the source ends or it is told to stop.

    `settings`: asked for each frame; changes apply at once. `waits`: frames are never dropped, the
    source waits. `choice`: which models run on what; picked if not given. `on_frame`: called for
    each frame, with the plates as last known; frames that were dropped are shown too, unless
    something is to be blurred in them, so numbers may come a little out of order. `on_read`: called
    for each vehicle told, after it is in the outbox. `hold`: told all the time when the first frame
    was captured of what is seen and not in the outbox yet, None where nothing is (`Spool.hold`).
    All are called from the pipeline's threads and must be quick.
    """

    def __init__(
        self,
        source: Source,
        outbox: Outbox,
        settings: Callable[[], Settings],
        clock: Clock,
        health: Health,
        on_frame: OnFrame | None = None,
        on_read: OnRead | None = None,
        *,
        hold: Callable[[datetime | None], None] | None = None,
        waits: bool = False,
        choice: Choice | None = None,
    ) -> None:
        self._source, self._outbox, self._settings = source, outbox, settings
        self._clock, self._health = clock, health
        self._on_frame, self._on_read = on_frame, on_read
        self._hold, self._waits = hold, waits
        self._choice = choice
        self._engine: tuple[tuple[tuple[str, ...], bool], Engine] | None = None
        self._marks: tuple[Mark, ...] = ()
        self._queue = _Frames(MOST_WAITING)
        self._failed: BaseException | None = None
        self._chooser = Chooser(health)

    def run(self, stop: threading.Event) -> None:
        """Until the source ends or `stop` is set; then what is in view is told as it stands.
        Raises ModelError, and what the source raises."""
        choice = self._choice or choose()
        self._choice = choice
        self._health.note("provider", choice.provider)
        self._health.note("precision", choice.precision)
        self._engine_for(self._settings()).warm_up()
        publisher = Publisher(self._outbox, self._health, self._chooser, self._on_read)
        road = Road(self._health, self._chooser, publisher)
        capture = threading.Thread(target=self._capture, args=(stop,), name="capture", daemon=True)
        capture.start()
        last: Frame | None = None
        try:
            while not stop.is_set():
                frame = self._queue.get(_POLL)
                if frame is not None:
                    last = frame
                    self._look(road, frame)
                elif self._queue.ended:
                    break
                self._tell_hold(road, last)
        finally:
            self._source.close()
            self._queue.end()
            try:
                if last is not None:
                    self._finish(road, last)
            finally:
                publisher.close()
                self._tell_hold(road, None)
                capture.join(timeout=5)
        if self._failed is not None:
            raise self._failed

    def _capture(self, stop: threading.Event) -> None:
        last_at = float("-inf")
        try:
            for frame in self._source.frames():
                if stop.is_set():
                    return
                self._chooser.came(frame)
                rate = self._settings().frames_per_second
                if rate and frame.at - last_at < 0.99 / rate:
                    continue
                last_at = frame.at
                dropped = self._queue.put(frame, wait=self._waits)
                if dropped is not None:
                    self._health.count("frames_dropped")
                    if self._settings().blur == "none":  # nobody knows where its plates are
                        self._show(dropped)
        except Exception as error:
            self._failed = error
        finally:
            self._queue.end()

    def _look(self, road: Road, frame: Frame) -> None:
        settings = self._settings()
        try:
            look = Look(
                frame,
                settings,
                self._chooser.plan(settings, frame.at),
                self._engine_for(settings),
            )
            for stage in STAGES:
                stage(road, look)
        except Exception as error:  # one frame that can't be looked at must not end the others
            self._health.count("frames_failed")
            self._health.trouble("pipeline", f"A frame failed ({type(error).__name__}).")
            log.exception("a frame failed: %s", type(error).__name__)
            return
        self._health.mark("frames")
        self._health.trouble("pipeline", None)
        if not self._waits:
            self._health.note("latency_ms", round(1000 * (self._clock.now() - frame.at)))
        if look.moved:
            self._marks = _marks(road, look)
        self._show(frame)

    def _tell_hold(self, road: Road, last: Frame | None) -> None:
        if self._hold is None:
            return
        since = [road.publisher.waiting_since()]
        if last is not None:
            at = last.at if self._waits else self._clock.now()
            since.append(road.votes.waiting_since(at))
        self._hold(min((one for one in since if one is not None), default=None))

    def _show(self, frame: Frame) -> None:
        if self._on_frame is not None:
            self._on_frame(frame, self._marks)

    def _finish(self, road: Road, last: Frame) -> None:
        """No frame will follow: tell of what is still in view."""
        settings = self._settings()
        plan = self._chooser.plan(settings, last.at)
        left = road.votes.leave(
            road.follower.tracker.finish(),
            road.follower.seen_before,
            self._chooser.apart,
            settings.min_score,
        )
        road.count()
        for told in left:
            road.publisher.vehicle(told, plan, settings.blur)

    def _engine_for(self, settings: Settings) -> Engine:
        wanted = (settings.regions, settings.regions_strict)
        if self._engine is None or self._engine[0] != wanted:
            assert self._choice is not None
            engine = make_engine(self._choice, settings.regions, strict=settings.regions_strict)
            self._engine = (wanted, engine)
        return self._engine[1]


def _marks(road: Road, look: Look) -> tuple[Mark, ...]:
    marks = []
    for track in road.follower.tracker.live:
        if track.last_at == look.frame.at:
            x1, y1, x2, y2 = track.place
            text, score = road.votes.text(track.number)
            marks.append(Mark(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), text or None, score))
    for x1, y1, x2, y2 in look.to_blur:
        if all(overlap(mark.place, (x1, y1, x2, y2)) < OVERLAP for mark in marks):
            marks.append(Mark(((x1, y1), (x2, y1), (x2, y2), (x1, y2))))  # on no track (yet)
    return tuple(marks)


class _Frames:
    """A short queue that lets the oldest go when it is full."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: deque[Frame] = deque()
        self._news = threading.Condition()
        self.ended = False

    def put(self, frame: Frame, *, wait: bool) -> Frame | None:
        """The frame that was dropped for it, if one was. `wait`: for room instead."""
        with self._news:
            while wait and len(self._frames) >= self._most and not self.ended:
                self._news.wait()
            dropped = self._frames.popleft() if len(self._frames) >= self._most else None
            self._frames.append(frame)
            self._news.notify_all()
            return dropped

    def get(self, timeout: float) -> Frame | None:
        """None where none came in time, or none will."""
        with self._news:
            if not self._frames and not self.ended:
                self._news.wait(timeout)
            frame = self._frames.popleft() if self._frames else None
            self._news.notify_all()
            return frame

    def end(self) -> None:
        with self._news:
            self.ended = True
            self._news.notify_all()
