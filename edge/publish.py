"""From what is to be told of a vehicle to items in the outbox.

In a thread of its own: JPEGs are made and the disk is waited for while the next frames are looked
at. What waits is bounded; when the disk is too slow, the pipeline waits, and frames are dropped
rather than vehicles.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import cv2
import numpy as np

from edge.blur import blurred
from edge.health import Health
from edge.items import Frame, Item, Outbox, Position
from edge.modes import Chooser, Plan
from edge.settings import Blur
from edge.squeeze import fitted, jpeg, squeezed
from edge.vote import Shot, Told
from inference.results import Box, Corners, Picture, Plate
from inference.voting import Consensus

log = logging.getLogger(__name__)

READ_CROP_BYTES: Final = 1_800
"""With its text, as base64, a read stays under 4 kB."""
READ_CROP_WIDTH: Final = 160
"""Pixels: what the reader itself looks at."""
CROP_BYTES: Final = 3_000
MARGIN_READ: Final = 0.15
MARGIN_CROP: Final = 1 / 3
"""Of the plate's size, on each side."""
SHOTS: Final = 2
"""Crops or frames sent of a vehicle: one confirms the other."""
WANTED_QUALITY: Final = 85
MOST_WAITING: Final = 16
_MOST_CANDIDATES: Final = 5


@dataclass(frozen=True, slots=True)
class VehicleRead:
    """What was just put into the outbox, for the log, the page and the watchlist on the device.

    `text`, `score`: "" and 0 where nothing was read here. `again`: the vehicle was told before.
    """

    item: Item = field(repr=False)
    text: str = field(repr=False)
    score: float
    position: Position | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    plan: Plan
    blur: Blur
    told: Told | None
    frame: Frame | None


class Publisher:
    """Takes vehicles and frames; `close` returns when all of them are in the outbox."""

    def __init__(
        self,
        outbox: Outbox,
        health: Health,
        chooser: Chooser,
        on_read: Callable[[VehicleRead], None] | None = None,
    ) -> None:
        self._outbox, self._health, self._chooser = outbox, health, chooser
        self._on_read = on_read
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MOST_WAITING)
        self._frames_sent: deque[int] = deque(maxlen=64)
        self._waiting: deque[datetime] = deque()
        self._thread = threading.Thread(target=self._work, name="publish", daemon=True)
        self._thread.start()

    def vehicle(self, told: Told, plan: Plan, blur: Blur) -> None:
        """Waits where too many wait."""
        self._waiting.append(min(shot.frame.captured_at for shot in told.shots))
        self._jobs.put(_Job(plan, blur, told, None))

    def frame(self, frame: Frame, plan: Plan) -> None:
        """A whole frame in which nothing was looked for. Waits where too many wait."""
        self._waiting.append(frame.captured_at)
        self._jobs.put(_Job(plan, "none", None, frame))

    def waiting_since(self) -> datetime | None:
        """When the first of what is not in the outbox yet was captured; None where all is."""
        return min(tuple(self._waiting), default=None)

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._do(job)
            except OSError:
                self._health.count("items_lost")
                self._health.trouble("publish", "What was seen cannot be kept: is the disk full?")
            except Exception as error:  # one vehicle's picture must not end them all
                self._health.count("items_failed")
                log.exception("publish failed: %s", type(error).__name__)
            else:
                self._health.trouble("publish", None)
            self._waiting.popleft()  # whoever asks between finds it waiting a little too long

    def _do(self, job: _Job) -> None:
        told = job.told
        if told is None:
            assert job.frame is not None
            self._put([_frame_item(job.frame, self._squeezed(job.frame.picture, job.plan))])
            return
        if job.plan.kind == "read":
            items = [_read_item(told, job.blur)]
        elif job.plan.kind == "crop":
            items = [_crop_item(shot, job.blur) for shot in told.shots[:SHOTS]]
        else:
            items = self._frame_items(told, job)
        self._health.count("vehicles_told_again" if told.again else "vehicles_told")
        self._put(items, told)

    def _frame_items(self, told: Told, job: _Job) -> list[Item]:
        """The frames of a vehicle that have not gone out for another."""
        items = []
        for shot in told.shots[:SHOTS]:
            if shot.frame.number not in self._frames_sent:
                self._frames_sent.append(shot.frame.number)
                picture = blurred(shot.frame.picture, shot.places, job.blur)
                items.append(_frame_item(shot.frame, self._squeezed(picture, job.plan)))
        return items

    def _squeezed(self, picture: Picture, plan: Plan) -> bytes:
        data = squeezed(picture, plan.squeeze)
        self._chooser.sent(len(data), plan.squeeze)
        self._health.note("bytes_per_frame", len(data))
        return data

    def _put(self, items: Iterable[Item], told: Told | None = None) -> None:
        first = True
        for item in items:
            self._outbox.put(item)
            self._health.count(f"items_{item.kind}")
            if first and self._on_read is not None:
                self._on_read(_vehicle_read(item, told))
            first = False


def _vehicle_read(item: Item, told: Told | None) -> VehicleRead:
    latitude, longitude = item.fields.get("latitude"), item.fields.get("longitude")
    position = (
        None
        if latitude is None or longitude is None
        else Position(latitude, longitude, item.fields.get("heading"))
    )
    if told is None:
        return VehicleRead(item, "", 0.0, position)
    return VehicleRead(item, told.agreed.text, told.agreed.confidence, position, told.again)


def _place(frame: Frame) -> dict[str, Any]:
    if frame.position is None:
        return {}
    place: dict[str, Any] = {
        "latitude": frame.position.latitude,
        "longitude": frame.position.longitude,
    }
    if frame.position.heading is not None:
        place["heading"] = frame.position.heading
    return place


def _frame_item(frame: Frame, data: bytes) -> Item:
    return Item("frame", frame.captured_at, _place(frame), picture=data, at=frame.at)


def _crop_item(shot: Shot, blur: Blur) -> Item:
    # around the plate nothing is left to blur but a strip of the vehicle, and the reader needs it
    cut, _ = cut_out(shot.frame.picture, shot.plate.box, MARGIN_CROP)
    data, _ = fitted(cut, CROP_BYTES)
    return Item(
        "crop",
        shot.frame.captured_at,
        _place(shot.frame),
        picture=data,
        wanted=_whole(shot, blur),
        at=shot.frame.at,
    )


def _read_item(told: Told, blur: Blur) -> Item:
    shot = told.shots[0]
    crop, scale, at = None, 1.0, (0, 0)
    if blur != "plates":
        cut, at = cut_out(shot.frame.picture, shot.plate.box, MARGIN_READ)
        cut, shrunk = narrowed(cut, READ_CROP_WIDTH)
        crop, further = fitted(cut, READ_CROP_BYTES)
        scale = shrunk * further
    read = read_fields(told.agreed, shot.plate, at, scale)
    # that both texts are one vehicle's, the server learns from the candidates
    read["candidates"] += [[text, 0.0] for text in told.before if text != told.agreed.text]
    return Item(
        "read",
        shot.frame.captured_at,
        {**_place(shot.frame), "read": read},
        crop=crop,
        wanted=_whole(shot, blur),
        at=shot.frame.at,
    )


def _whole(shot: Shot, blur: Blur) -> bytes:
    return jpeg(blurred(shot.frame.picture, shot.places, blur), WANTED_QUALITY)


def read_fields(
    agreed: Consensus, plate: Plate, at: tuple[int, int], scale: float
) -> dict[str, Any]:
    """The `read` of an item. `at`, `scale`: where the crop lies in the frame, and how it was
    scaled: the plate's corners are told in the crop's pixels."""
    quad = (np.asarray(plate.quad, np.float32) - np.array(at, np.float32)) * scale
    return {
        "text": agreed.text,
        "score": round(agreed.confidence, 4),
        "char_scores": [round(score, 3) for score in agreed.char_scores],
        "candidates": [
            [text, round(score, 4)] for text, score in agreed.candidates[:_MOST_CANDIDATES]
        ],
        "country": (agreed.region or "").split("-")[0],
        "quad": _rounded(quad),
        "box": _box(quad),
    }


def _rounded(quad: Corners) -> list[list[float]]:
    return [[round(float(x), 1), round(float(y), 1)] for x, y in quad]


def _box(quad: Corners) -> list[float]:
    low, high = quad.min(axis=0), quad.max(axis=0)
    return [round(float(value), 1) for value in (*low, *high)]


def cut_out(picture: Picture, box: Box, margin: float) -> tuple[Picture, tuple[int, int]]:
    """The picture around a box with a share of its size as margin, and where that lies: x, y."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box
    wide, high = margin * (x2 - x1), margin * (y2 - y1)
    left, top = max(0, int(x1 - wide)), max(0, int(y1 - high))
    right, bottom = min(width, int(x2 + wide) + 1), min(height, int(y2 + high) + 1)
    return picture[top:bottom, left:right], (left, top)


def narrowed(picture: Picture, width: int) -> tuple[Picture, float]:
    """A picture at most so wide, and the scale that took."""
    high, wide = picture.shape[:2]
    scale = min(1.0, width / wide)
    if scale == 1.0:
        return picture, scale
    size = (width, max(1, round(high * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale
