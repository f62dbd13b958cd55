"""What is put while the time is not known, and what becomes of it."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.health import Health
from edge.items import Item, Kind
from edge.spool import SETTLING, Spool
from edge.spooltimes import moment
from tests.unit.edge.spooling import BEGIN, Clock, make_item, make_spool, waiting

MONTH = timedelta(days=30)


@pytest.fixture
def clock() -> Clock:
    """Of a device that thinks it is a month ago."""
    made = Clock()
    made.known_since, made.wrong = None, -MONTH
    return made


def seen(clock: Clock, number: int, kind: Kind = "read", **more: Any) -> Item:
    """What the camera sees now."""
    clock.seconds = float(number)
    item = make_item(number, kind, **more)
    return Item(
        kind,
        clock.utc(clock.seconds),
        item.fields,
        item.picture,
        item.crop,
        item.wanted,
        item.event_id,
        at=clock.seconds,
    )


def learn(clock: Clock, wrong: timedelta = timedelta(0)) -> None:
    clock.wrong, clock.known_since = wrong, clock.seconds


def times(spool: Spool) -> list[tuple[str, datetime, bool]]:
    return [
        (one.item.event_id, one.item.captured_at, one.item.timed)
        for one in spool.peek(100, 10_000_000)
    ]


def test_items_wait_for_the_time_and_go_with_the_right_one_in_order(
    tmp_path: Path, clock: Clock
) -> None:
    spool = make_spool(tmp_path, clock)
    spool.put(make_item(0))  # of no clock of this device's
    for number in (1, 2, 3):
        spool.put(seen(clock, number))
    assert waiting(spool) == ["event-0"]
    assert spool.state().waiting == 4
    assert spool.watermark() == spool.watermark_behind(()) == moment(0)
    clock.seconds = 500.0
    learn(clock)
    early = Item("read", BEGIN - MONTH, {"read": {}}, event_id="under way", at=4.0)
    spool.put(early)  # captured before and put after
    spool.put(seen(clock, 600))
    assert times(spool) == [
        ("event-0", BEGIN, True),
        *((f"event-{number}", BEGIN + timedelta(seconds=number), True) for number in (1, 2, 3)),
        ("under way", BEGIN + timedelta(seconds=4), True),
        ("event-600", BEGIN + timedelta(seconds=600), True),
    ]
    assert [one.item.fields for one in spool.peek(2, 10**6)][1] == make_item(1).fields
    assert spool.watermark() == BEGIN - timedelta(microseconds=1)
    spool.done({one.item.event_id: None for one in spool.peek(100, 10**6)})
    assert spool.watermark() == BEGIN + timedelta(seconds=600) - SETTLING


def test_the_watermark_heeds_the_true_time_before_anything_was_looked_at(
    tmp_path: Path, clock: Clock
) -> None:
    clock.wrong = MONTH  # ahead: what it believed would let the watermark pass
    spool = make_spool(tmp_path, clock)
    spool.put(seen(clock, 7))
    clock.seconds = 1000.0
    learn(clock)
    assert spool.watermark() == BEGIN + timedelta(seconds=7) - timedelta(microseconds=1)


def test_once_told_the_time_stays_also_for_another_process(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    spool.put(seen(clock, 1))
    learn(clock)
    told = times(spool)
    spool.close()
    clock.wrong = timedelta(seconds=1)  # measured a little differently
    assert times(make_spool(tmp_path, clock)) == told


def test_a_later_process_of_the_same_boot_tells_the_time(tmp_path: Path, clock: Clock) -> None:
    make_spool(tmp_path, clock).put(seen(clock, 1))
    spool = make_spool(tmp_path, clock)
    assert waiting(spool) == []
    learn(clock)
    assert times(spool) == [("event-1", BEGIN + timedelta(seconds=1), True)]


def test_what_an_earlier_boot_saw_goes_marked(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    spool.put(seen(clock, 1, size=50))
    spool.close()
    clock.boot, clock.seconds = "the next boot", 0.0
    spool = make_spool(tmp_path, clock)
    spool.put(seen(clock, 2))
    marked = ("event-1", BEGIN - MONTH + timedelta(seconds=1), False)
    assert times(spool) == [marked]
    learn(clock)
    assert times(spool) == [marked, ("event-2", BEGIN + timedelta(seconds=2), True)]
    assert spool.peek(1, 10**6)[0].item.crop == b"c" * 50


def test_nothing_is_too_old_for_a_device_that_does_not_know_the_time(
    tmp_path: Path, clock: Clock
) -> None:
    health = Health()
    spool = make_spool(tmp_path, clock, health, keep_hours=1)
    spool.put(make_item(0))
    spool.put(seen(clock, 1, wanted=b"larger"))
    clock.wrong = MONTH
    spool.expire()
    assert spool.state().waiting == 2
    clock.seconds = 1800.0
    learn(clock)
    spool.expire()
    assert waiting(spool) == ["event-0", "event-1"], "true ages"
    spool.done({"event-1": "capture-1"})
    spool.expire()
    assert spool.larger("capture-1") == b"larger"
    clock.seconds = 4000.0
    spool.expire()
    assert (waiting(spool), spool.larger("capture-1")) == ([], None)
    assert health.snapshot()["spool_expired"] == 1


def test_an_item_of_no_known_time_has_no_age_until_it_is_refused(
    tmp_path: Path, clock: Clock
) -> None:
    spool = make_spool(tmp_path, clock, keep_hours=1)
    spool.put(seen(clock, 1))
    clock.boot = "the next boot"
    learn(clock)
    spool.expire()
    assert waiting(spool) == ["event-1"]
    spool.set_aside("event-1", "captured_at_too_old")
    spool.expire()
    assert spool.refused() == []


def test_a_damaged_file_keeps_what_is_needed_to_tell_the_time(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    spool.put(seen(clock, 1))
    spool._file.begin_anew()
    learn(clock)
    assert times(spool) == [("event-1", BEGIN + timedelta(seconds=1), True)]


def test_the_second_it_was_seen_is_sealed_in(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    spool.put(seen(clock, 1))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as file:
        file.execute("UPDATE item SET seen = seen - 3600000000")
    spool = make_spool(tmp_path, clock)
    learn(clock)
    assert times(spool) == []
    assert [one.code for one in spool.refused()] == ["unreadable"]


def test_looking_for_what_may_be_sent_costs_nothing_while_many_wait(
    tmp_path: Path, clock: Clock
) -> None:
    spool = make_spool(tmp_path, clock)
    for number in range(20):
        spool.put(seen(clock, number))
    steps = []
    spool._file.db.set_progress_handler(lambda: steps.append(1), 10)
    assert spool.peek(100, 10**6) == []
    few = len(steps)
    spool._file.db.set_progress_handler(None, 0)
    for number in range(20, 400):
        spool.put(seen(clock, number))
    steps.clear()
    spool._file.db.set_progress_handler(lambda: steps.append(1), 10)
    assert spool.peek(100, 10**6) == []
    assert len(steps) <= few + 5
