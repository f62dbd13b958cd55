"""Carries what is spooled to the server, oldest first, until the spool is empty.

What the server did not clearly take stays and goes again, with the same event ids. Batches grow
while all goes well and halve when something was too much, too slow or broken. An item the server
refuses is set aside. So is one it fails over (`_SUSPECT` times alone, no sense in any answer) while
it takes the next one; where it takes neither, the trouble is the server's and the item waits.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Final

from edge.health import Health
from edge.settings import Settings
from edge.spool import Spool, Spooled
from edge.spooltimes import Moments
from edge.transport import (
    BatchRefused,
    KeyRefused,
    Later,
    Misanswered,
    Refused,
    Taken,
    TooMuch,
    Transport,
    TransportError,
)
from edge.transport.backoff import Backoff

MOST_ITEMS: Final = 100  # the server takes no more in one request
_MOST_BYTES: Final = 4_000_000
_LEAST_BYTES: Final = 64_000
_BATCH_SECONDS: Final = 5.0
_SUSPECT: Final = 8
_SHORTEST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 3600.0
_KEY_WAIT: Final = 60.0
_TELLING_BYTES: Final = 16_000
_STOCK_EVERY: Final = 60.0
_TELL_EVERY: Final = 1.0
_IDLE_S: Final = 0.5
_SHARE: Final = 0.3  # of a new measurement in the bandwidth


class Sender:
    """`run` it in a thread of its own. `health`: counters `batches_sent`, `bytes_sent`,
    `sends_failed`, gauge `bytes_per_second` (of the road to the server, as last measured), trouble
    `sender`."""

    def __init__(
        self,
        spool: Spool,
        transport: Transport,
        *,
        clock: Moments,
        health: Health,
        settings: Callable[[], Settings],
        draw: random.Random | None = None,
    ) -> None:
        self._spool, self._transport = spool, transport
        self._clock, self._health, self._settings = clock, health, settings
        self._draw = draw or random.Random()
        self._backoff = Backoff(0.5, 60.0, self._draw)
        self._most = MOST_ITEMS
        self._head = (0, 0)  # number of the first item, how often it came back with nonsense
        self._rate: float | None = None
        self._stocked = self._told = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Blocks until `stop`."""
        try:
            while not stop.is_set():
                pause = self.step()
                if pause is None:
                    self._spool.wait(_IDLE_S)
                elif pause > 0:
                    stop.wait(pause)
        finally:
            self._transport.close()

    def step(self) -> float | None:
        """Send one batch, if something waits; seconds to wait before the next step, None when there
        is nothing to do until something is put. Raises nothing a server or a disk can cause."""
        try:
            self._keep_house()
            batch = self._spool.peek(self._most, self._batch_bytes())
            if not batch:
                return None
            try:
                self._send(batch)
            except TransportError as error:
                self._health.count("sends_failed")
                pause = self._after(batch, error)
                if pause > 0:
                    self._say(f"{error} Trying again in {max(1, round(pause))} s.")
                return pause
        except (sqlite3.Error, OSError) as error:
            self._say(f"The spool cannot be used ({type(error).__name__}).")
            return self._backoff.failed()
        self._most = min(MOST_ITEMS, 2 * self._most)
        self._backoff.worked()
        self._say(None)
        return 0.0

    def _send(self, batch: Sequence[Spooled]) -> None:
        """One attempt; what was taken or refused is noted. TransportError."""
        began = self._clock.now()
        answer = self._transport.send(
            batch,
            # what a device that does not know the time believes would be taken for its clock's skew
            sent_at=None if self._clock.known_since is None else self._clock.utc(began),
            through=self._spool.watermark_behind(batch),
        )
        self._measure(answer.bytes_sent, self._clock.now() - began)
        taken: dict[str, str | None] = {}
        left = False
        for spooled, outcome in zip(batch, answer.outcomes, strict=True):
            event_id = spooled.item.event_id
            if isinstance(outcome, Taken):
                taken[event_id] = outcome.capture_id
            elif isinstance(outcome, Refused):
                self._spool.set_aside(event_id, outcome.code, outcome.field)
            else:
                left = True
        if taken:
            self._spool.done(taken)
        self._health.count("batches_sent")
        if left:
            raise Later("The server took a part only.")

    def _after(self, batch: Sequence[Spooled], error: TransportError) -> float:
        """What a failed attempt changes; the seconds to wait."""
        if isinstance(error, Later):
            if error.seconds is None:
                return self._backoff.failed()
            # not before; and not all devices in the same moment after
            asked = min(max(error.seconds, _SHORTEST_WAIT), _LONGEST_WAIT)
            return asked * self._draw.uniform(1.0, 1.1)
        if isinstance(error, KeyRefused):
            return _KEY_WAIT * self._draw.uniform(0.5, 1.0)
        self._most = max(1, len(batch) // 2)
        if isinstance(error, TooMuch | BatchRefused):
            if len(batch) == 1:
                code, field = "too_large", None
                if isinstance(error, BatchRefused):
                    code, field = error.code, error.field
                self._spool.set_aside(batch[0].item.event_id, code, field)
            return 0.0
        if isinstance(error, Misanswered) and self._is_culprit(batch):
            self._spool.set_aside(batch[0].item.event_id, "server_error")
            return 0.0
        return self._backoff.failed()

    def _is_culprit(self, batch: Sequence[Spooled]) -> bool:
        """Whether the server fails over the first item and not over the one behind it."""
        number, count = self._head
        count = count + 1 if number == batch[0].number else 1
        self._head = (batch[0].number, count)
        if len(batch) > 1 or count < _SUSPECT:
            return False
        behind = self._spool.peek(2, _MOST_BYTES)[1:]
        try:
            if behind:
                self._send(behind)
        except TransportError:
            return False
        return bool(behind)

    # --- beside ----------------------------------------------------------------------------------
    def _batch_bytes(self) -> int:
        """As much as the road carries in a few seconds."""
        if self._rate is None:
            return 4 * _LEAST_BYTES
        return int(min(_MOST_BYTES, max(_LEAST_BYTES, self._rate * _BATCH_SECONDS)))

    def _measure(self, size: int, seconds: float) -> None:
        """A small batch takes as long as the way there and back, whatever the bandwidth: it can
        only prove that there is more than was known."""
        self._health.count("bytes_sent", size)
        seen = size / max(seconds, 1e-3)
        if self._rate is None:
            self._rate = seen
        elif size >= _TELLING_BYTES:
            self._rate += _SHARE * (seen - self._rate)
        else:
            self._rate = max(self._rate, seen)
        self._health.note("bytes_per_second", round(self._rate))

    def _keep_house(self) -> None:
        now = self._clock.now()
        if now - self._stocked >= _STOCK_EVERY:
            self._stocked = now
            self._spool.keep_hours = self._settings().keep_hours
            self._spool.expire()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            self._spool.state()

    def _say(self, sentence: str | None) -> None:
        self._health.trouble("sender", sentence)
