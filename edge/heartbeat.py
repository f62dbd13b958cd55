"""The agent's heart: each minute it says how the device is, and hears what it should do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from edge.health import Health
from edge.hits import Hits
from edge.remote import Remote


class Line(Protocol):
    """The way to the server (`transport.rest.RestTransport`)."""

    def heartbeat(self, body: Mapping[str, Any]) -> Mapping[str, Any]: ...
    def put_picture(self, capture_id: str, picture: bytes) -> None: ...


class Heartbeat:
    """Beats until stopped. `thumbnail`: the newest frame as a small JPEG, None where there is
    none."""

    def run(self, stop: threading.Event) -> None:
        """Beat each `heartbeat_seconds` (±10 %, so that a street's cameras do not all ask at
        once), later and later while the server does not answer."""
        raise NotImplementedError

    def beat(self) -> bool:
        """One heartbeat; whether the server answered."""
        raise NotImplementedError
