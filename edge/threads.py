"""The agent's parts, each in a thread of its own that is started again when it fails."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from edge.health import Health
from edge.transport.backoff import Backoff

log = logging.getLogger("edge")


class Part:
    """Runs `body(stop)` until it returns; where it raises, says so and begins again, later each
    time. Of an error only its type and place are told: its text may hold a plate."""

    def __init__(
        self,
        name: str,
        body: Callable[[threading.Event], None],
        *,
        stop: threading.Event,
        health: Health,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self._body, self._stop, self._health = body, stop, health
        self._backoff = backoff or Backoff(low=1.0, high=60.0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for its end; whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._body(self._stop)
                return
            except Exception as error:
                pause = self._backoff.failed()
                self._failed(error, pause)
                self._stop.wait(pause)
                self._health.trouble(self.name, None)

    def _failed(self, error: Exception, pause: float) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        log.error("%s: %s at %s; again in %.0f s", self.name, type(error).__name__, place, pause)
        self._health.count(f"{self.name}_restarts")
        self._health.trouble(
            self.name, f"This part failed ({type(error).__name__}) and is being started again."
        )
