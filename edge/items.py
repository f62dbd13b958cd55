"""What flows through the agent: frames in, items out."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from inference.results import Picture, Quad
from inference.tracking import Place

Kind = Literal["frame", "crop", "read"]


@dataclass(frozen=True, slots=True)
class Position:
    """Where the camera was. Degrees; `heading` clockwise from north, None where unknown."""

    latitude: float
    longitude: float
    heading: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of the source.

    `number` counts from 1 in a run; `at` is in seconds of the agent's clock that never goes back
    (`clock.Clock`), `captured_at` the same moment in UTC as that clock understands it.
    """

    number: int
    picture: Picture
    at: float
    captured_at: datetime
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One capture on its way to the server, as `POST /api/v1/captures` takes it.

    `fields`: JSON-ready fields beside `event_id`, `kind` and `captured_at`, which the spool adds:
    `read`, `latitude`, `longitude`, `heading`, `exposure`. `picture`, `crop`: JPEG. `wanted`: a
    larger picture of the vehicle that stays on the device until the server asks for it. `at`: the
    moment of the agent's clock (`Frame.at`) that `captured_at` was made of; None where that is not
    of this device's clock. `timed`: whether the time was known, so that `captured_at` is right.
    No part of an item is ever logged: `read` holds a plate.
    """

    kind: Kind
    captured_at: datetime
    fields: dict[str, Any] = field(repr=False, default_factory=dict)
    picture: bytes | None = field(repr=False, default=None)
    crop: bytes | None = field(repr=False, default=None)
    wanted: bytes | None = field(repr=False, default=None)
    event_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float | None = None
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """A plate as it stands in a frame: corners in pixels; `text` None where it was not read yet,
    `score` 0–1."""

    quad: Quad
    text: str | None = field(repr=False, default=None)
    score: float = 0.0

    @property
    def place(self) -> Place:
        xs, ys = [x for x, _ in self.quad], [y for _, y in self.quad]
        return min(xs), min(ys), max(xs), max(ys)


class Outbox(Protocol):
    """Where finished items go: durable once `put` has returned."""

    def put(self, item: Item) -> None:
        """Raises OSError where it cannot be kept (counted and shown, never silent)."""
