"""Where the camera is: gpsd, an NMEA receiver, or a recorded track."""

from __future__ import annotations

from edge.clock import Clock
from edge.health import Health
from edge.sources.base import Place

__all__ = ["Place", "open_place"]


def open_place(spec: str, *, clock: Clock, health: Health) -> Place:
    """The place that `spec` names: `gpsd://host:2947`, `nmea:/dev/ttyACM0?baud=9600`, or the path
    of a recorded track (NMEA, GPX or CSV), played from now on. `.at(moment of clock.now())`."""
    raise NotImplementedError
