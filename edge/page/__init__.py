"""The device's own page: the annotated stream, the last reads, how the device is.

Off until a password is set. It asks no other host for anything, and what it shows is in memory
only: a restart of the agent forgets the reads.

    page = LocalPage(password_hash, settings=remote, health=health, camera="North", folder=data)
    Pipeline(…, on_frame=page.frame, …)
    page.start() … page.close()
"""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn

from edge.device import device_facts
from edge.health import Health, Value
from edge.hits import How
from edge.items import Frame, Item, Kind, Mark
from edge.page import words
from edge.page.app import make_app
from edge.page.door import SHORTEST_PASSWORD, Door, hash_password
from edge.page.film import Film
from edge.settings import Settings

__all__ = ["SHORTEST_PASSWORD", "LocalPage", "Mark", "hash_password"]

KEPT_READS: Final = 40
_MOST_CONNECTIONS: Final = 64
_DEVICE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Read:
    """What is kept of an item: not its large pictures."""

    number: int
    kind: Kind
    captured_at: str
    text: str | None = field(repr=False)
    score: float | None
    country: str | None
    how: How | None
    crop: bytes | None = field(repr=False)


class LocalPage:
    """The page of one agent, in threads of its own.

    `listen`, `port`: where (port 0: any free one, then in `port`). `certificate`, `private_key`:
    PEM files; without them the page is plain HTTP and best left on 127.0.0.1.
    Raises ValueError where `password_hash` is none.
    """

    def __init__(
        self,
        password_hash: str,
        *,
        settings: Callable[[], Settings],
        health: Health,
        camera: str,
        folder: Path,
        listen: str = "127.0.0.1",
        port: int = 8090,
        certificate: Path | None = None,
        private_key: Path | None = None,
    ) -> None:
        self._settings, self._health, self._folder = settings, health, folder
        self._listen, self.port = listen, port
        self._film = Film(settings, health)
        self._numbers = itertools.count(1)
        self._reads: deque[_Read] = deque(maxlen=KEPT_READS)
        self._device: tuple[float, Mapping[str, Value]] = (float("-inf"), {})
        self._socket: socket.socket | None = None
        app = make_app(
            Door(password_hash), self._film, state=self.state, crop=self.crop, camera=camera
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level=logging.CRITICAL,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                http="h11",
                loop="asyncio",
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_keep_alive=20,
                timeout_graceful_shutdown=1,
                ssl_certfile=certificate,
                ssl_keyfile=private_key,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)

    # --- what the pipeline tells it ---------------------------------------------------------------
    def frame(self, frame: Frame, marks: Sequence[Mark]) -> None:
        """A frame has been looked at. Returns at once."""
        self._film.show(frame, marks)

    def read(
        self, item: Item, how: How | None = None, *, text: str = "", score: float = 0.0
    ) -> None:
        """An item is in the spool; `how` it stands on the device's watchlist, if so; what was read
        here, where something was (the item itself says so in mode "read" only)."""
        said = item.fields.get("read") or {}
        self._reads.append(
            _Read(
                number=next(self._numbers),
                kind=item.kind,
                captured_at=item.captured_at.isoformat(timespec="milliseconds"),
                text=text or said.get("text"),
                score=score if text else said.get("score"),
                country=said.get("country") or None,
                how=how,
                crop=item.crop or (item.picture if item.kind == "crop" else None),
            )
        )

    # --- what it tells ----------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """What the page shows beside the stream, JSON-ready. It holds plates."""
        facts = {**self._health.snapshot(), **self._device_facts()}
        settings = self._settings()
        return {
            "troubles": [
                {"title": words.trouble_title(part), "sentence": sentence}
                for part, sentence in sorted(self._health.troubles.items())
            ],
            "tiles": [asdict(one) for one in words.tiles(facts)],
            "reads": [
                {**asdict(one), "crop": one.crop is not None}
                for one in reversed(self._reads.copy())
            ],
            "region": settings.region_of_interest,
            "blur": settings.blur,
            "stream": {"watchers": self._film.watchers, **self._film.state},
            "facts": dict(sorted(facts.items())),
        }

    def crop(self, number: int) -> bytes | None:
        """The small picture (JPEG) of a read that is shown."""
        for one in self._reads.copy():
            if one.number == number:
                return one.crop
        return None

    # --- its life ---------------------------------------------------------------------------------
    def start(self) -> bool:
        """Open the page; False, and a trouble, where the address can't be had: the agent goes on
        without it."""
        try:
            family, _, _, _, address = socket.getaddrinfo(
                self._listen, self.port, type=socket.SOCK_STREAM
            )[0]
            self._socket = socket.create_server(address[:2], family=family)
        except OSError as error:
            self._health.trouble(
                "page", f"The local page cannot be opened ({error.strerror or 'no such address'})."
            )
            return False
        self.port = self._socket.getsockname()[1]
        self._film.start()
        self._thread.start()
        return True

    def close(self) -> None:
        """Close it and wait until it is closed."""
        self._film.close()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        if self._socket is not None:
            self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket] if self._socket else None)
        except Exception as error:  # a page that fails is no reason for the agent to
            self._health.trouble("page", f"The local page failed ({type(error).__name__}).")

    def _device_facts(self) -> Mapping[str, Value]:
        at, facts = self._device
        now = time.monotonic()
        if now - at > _DEVICE_S:
            facts = device_facts(self._folder)
            self._device = (now, facts)
        return facts
