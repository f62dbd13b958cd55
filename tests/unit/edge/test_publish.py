"""What leaves the device of one vehicle, in each mode."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from edge.health import Health
from edge.items import Frame, Item, Position
from edge.modes import Chooser, Plan
from edge.publish import CROP_BYTES, READ_CROP_BYTES, SHOTS, Publisher, VehicleRead
from edge.squeeze import Squeeze
from edge.vote import Shot, Told
from inference.results import Candidate, Picture, Plate
from inference.voting import Consensus

WHEN = datetime(2026, 3, 2, 8, tzinfo=UTC)
BOX = (300, 200, 420, 240)
QUAD = ((300.0, 202.0), (420.0, 200.0), (420.0, 238.0), (300.0, 240.0))
PLATE = Plate("1AB2345", BOX, QUAD, 0.97, 0.8, (0.9,) * 7, "US-CA", (Candidate("1AB2345", 0.97),))
AGREED = Consensus(
    "1AB2345", 0.991234, (0.99,) * 7, (("1AB2345", 0.99), ("1AB2346", 0.01)), "US-CA"
)


def scene(seed: int = 1) -> Picture:
    coarse = np.random.default_rng(seed).integers(0, 255, (36, 64, 3), dtype=np.uint8)
    picture = np.asarray(cv2.resize(coarse, (640, 360)), np.uint8)
    picture[200:240, 300:420] = 240
    for x in range(304, 420, 16):
        picture[206:234, x : x + 6] = 10
    return picture


def shot(number: int = 1, position: Position | None = None) -> Shot:
    at = WHEN + timedelta(seconds=number)
    return Shot(Frame(number, scene(number), float(number), at, position), PLATE, (BOX,))


def told(*shots: Shot, before: tuple[str, ...] = ()) -> Told:
    return Told(1, AGREED, shots or (shot(),), before)


def plan(kind: Any, squeeze: Squeeze | None = None) -> Plan:
    return Plan(kind, True, squeeze or Squeeze(), "a test", "set")


class Published:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self.told: list[VehicleRead] = []
        self.health = Health()
        self.publisher = Publisher(self, self.health, Chooser(self.health), self.told.append)

    def put(self, item: Item) -> None:
        self.items.append(item)

    def of(self, one: Told, kind: Any, blur: Any = "none", **squeeze: Any) -> list[Item]:
        self.publisher.vehicle(one, plan(kind, Squeeze(**squeeze)), blur)
        self.publisher.close()
        return self.items


def size(data: bytes | None) -> tuple[int, ...]:
    return decoded(data).shape[:2]


def decoded(data: bytes | None) -> Picture:
    assert data is not None
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_a_read_tells_what_all_frames_say_with_the_best_ones_crop() -> None:
    (item,) = Published().of(told(shot(2), shot(1)), "read")
    assert (item.kind, item.picture) == ("read", None)
    assert item.captured_at == WHEN + timedelta(seconds=2)
    read = item.fields["read"]
    assert read["text"] == "1AB2345"
    assert read["score"] == 0.9912
    assert read["candidates"] == [["1AB2345", 0.99], ["1AB2346", 0.01]]
    assert read["country"] == "US"
    assert item.crop is not None
    assert len(item.crop) <= READ_CROP_BYTES
    assert size(item.wanted) == (360, 640)


def test_corners_are_told_in_the_crops_own_pixels() -> None:
    (item,) = Published().of(told(), "read")
    high, wide = size(item.crop)
    read = item.fields["read"]
    x1, y1, x2, y2 = read["box"]
    assert 0 < x1 < x2 < wide
    assert 0 < y1 < y2 < high
    assert (x2 - x1) / (y2 - y1) == pytest.approx(3.0, rel=0.05)
    # where the crop shows the plate: bright between the corners, as in the frame
    inside = decoded(item.crop)[round(y1) + 1 : round(y2) - 1, round(x1) + 1 : round(x2) - 1]
    assert float(inside[:2].mean()) > 180


def test_a_crop_is_cut_around_the_plate_from_the_best_frames() -> None:
    items = Published().of(told(shot(3), shot(1), shot(2)), "crop")
    assert [item.kind for item in items] == ["crop"] * SHOTS
    assert [item.captured_at.second for item in items] == [3, 1]
    for item in items:
        assert "read" not in item.fields
        assert item.picture is not None
        assert len(item.picture) <= CROP_BYTES
        high, wide = size(item.picture)
        assert wide / high == pytest.approx(200 / 67, rel=0.05)


def test_a_frame_is_sent_squeezed_and_only_once_for_two_vehicles() -> None:
    published = Published()
    published.publisher.vehicle(told(shot(1)), plan("frame"), "none")
    items = published.of(told(shot(1), shot(2)), "frame", width=320, grey=True)
    assert [item.captured_at.second for item in items] == [1, 2]
    assert size(items[0].picture) == (360, 640)
    assert size(items[1].picture) == (180, 320)
    assert published.health.snapshot()["bytes_per_frame"] == len(items[1].picture or b"")


def test_where_it_was_goes_with_it() -> None:
    (item,) = Published().of(told(shot(1, Position(50.1, 14.4, 275.0))), "read")
    assert (item.fields["latitude"], item.fields["longitude"]) == (50.1, 14.4)
    assert item.fields["heading"] == 275.0
    (item,) = Published().of(told(shot(1, Position(50.1, 14.4))), "read")
    assert "heading" not in item.fields
    (item,) = Published().of(told(), "read")
    assert "latitude" not in item.fields


@pytest.mark.parametrize("kind", ["read", "crop", "frame"])
def test_the_moment_it_was_seen_goes_with_it(kind: str) -> None:
    [item, *_] = Published().of(told(shot(5)), kind)
    assert (item.captured_at, item.at) == (WHEN + timedelta(seconds=5), 5.0)


def test_what_was_told_before_is_named_so_that_the_server_sees_one_vehicle() -> None:
    published = Published()
    (item,) = published.of(told(before=("A82345", "1AB2345")), "read")
    assert ["A82345", 0.0] in item.fields["read"]["candidates"]
    assert len(item.fields["read"]["candidates"]) == 3
    assert published.told[0].again
    assert published.health.snapshot()["vehicles_told_again"] == 1


def test_with_plates_blurred_no_picture_of_one_leaves() -> None:
    (item,) = Published().of(told(), "read", "plates")
    assert item.crop is None
    plain = scene()[200:240, 300:420]
    shown = decoded(item.wanted)[200:240, 300:420]
    assert float(plain.std()) > 60
    assert float(shown.std()) < 20


def test_with_surroundings_blurred_only_the_plate_is_left() -> None:
    (item,) = Published().of(told(), "frame", "surroundings", quality=95)
    sent, plain = decoded(item.picture).astype(int), scene().astype(int)
    assert float(np.abs(sent - plain)[202:238, 302:418].mean()) < 6
    around = (slice(0, 190), slice(0, 640))
    assert steps(sent[around]) < steps(plain[around]) / 3


def steps(picture: Any) -> float:
    """How much a picture changes from pixel to pixel."""
    return float(np.abs(np.diff(picture, axis=1)).mean())


def test_every_item_has_an_event_of_its_own_and_shows_no_plate_when_printed() -> None:
    items = Published().of(told(shot(1), shot(2)), "crop")
    assert len({item.event_id for item in items}) == 2
    published = Published()
    published.of(told(), "read")
    assert "1AB2345" not in repr(published.items)
    assert "1AB2345" not in repr(published.told)


def test_what_is_told_is_in_the_outbox_already() -> None:
    published = Published()
    seen: list[int] = []
    published.publisher._on_read = lambda read: seen.append(len(published.items))
    published.of(told(), "read")
    assert seen == [1]


def test_until_it_is_kept_it_counts_as_waiting() -> None:
    published = Published()
    slow, begun = threading.Event(), threading.Event()
    put = published.put

    def slowly(item: Item) -> None:
        begun.set()
        assert slow.wait(10)
        put(item)

    published.put = slowly  # type: ignore[method-assign]
    published.publisher.vehicle(told(shot(5), shot(4)), plan("read"), "none")
    assert begun.wait(10)
    assert published.publisher.waiting_since() == WHEN + timedelta(seconds=4)
    slow.set()
    published.publisher.close()
    assert published.publisher.waiting_since() is None


def test_a_picture_that_cannot_be_made_does_not_end_the_others() -> None:
    published = Published()
    broken = replace(PLATE, quad=((0.0, 0.0),) * 3)  # type: ignore[arg-type]
    bad = Shot(Frame(1, np.zeros((0, 0, 3), np.uint8), 1.0, WHEN), broken, ())
    published.publisher.vehicle(told(bad), plan("read"), "none")
    (item,) = published.of(told(), "read")
    assert item.fields["read"]["text"] == "1AB2345"
    assert published.health.snapshot()["items_failed"] == 1
