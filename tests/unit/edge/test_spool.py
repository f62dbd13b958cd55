"""The disk queue: nothing lost that was put, nothing in clear, a stated order when it is full."""

import os
import shutil
import sqlite3
import stat
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from edge.health import Health
from edge.items import Item, Kind
from edge.spool import SETTLING, Spool
from tests.unit.edge.spooling import BEGIN, Clock, make_item, make_spool, waiting


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock, health: Health) -> Spool:
    return make_spool(tmp_path / "spool", clock, health)


# --- in and out -------------------------------------------------------------------------------
def test_items_come_out_as_they_went_in_and_in_their_order(spool: Spool) -> None:
    fields = {"read": {"text": "AB1CD"}, "latitude": 50.1, "exposure": {"gain_db": 3}}
    items = [
        Item("read", BEGIN + timedelta(microseconds=123457), fields, crop=b"crop"),
        Item("frame", BEGIN - timedelta(days=1), {}, picture=b"frame"),
        Item("read", BEGIN, {"read": {}}, picture=b"larger", crop=b"close"),
    ]
    for item in items:
        spool.put(item)
    found = spool.peek(10, 10**6)
    assert [one.item for one in found] == items
    assert [one.number for one in found] == sorted(one.number for one in found)


def test_they_outlive_the_process(tmp_path: Path, clock: Clock) -> None:
    for number in range(3):
        make_spool(tmp_path, clock).put(make_item(number))  # a new one each time, none closed
    assert waiting(make_spool(tmp_path, clock)) == ["event-0", "event-1", "event-2"]


def test_what_the_server_has_is_gone(spool: Spool, health: Health) -> None:
    for number in range(4):
        spool.put(make_item(number))
    spool.done({"event-0": None, "event-2": "some-capture"})
    assert waiting(spool) == ["event-1", "event-3"]
    assert health.snapshot()["items_sent"] == 2


def test_the_same_event_twice_is_one_item(spool: Spool) -> None:
    spool.put(make_item(1))
    spool.put(make_item(1))
    assert waiting(spool) == ["event-1"]


def test_a_batch_keeps_within_its_bounds_but_is_never_empty(spool: Spool) -> None:
    for number in range(5):
        spool.put(make_item(number, size=10_000))
    assert len(spool.peek(2, 10**9)) == 2
    assert len(spool.peek(5, 35_000)) == 3
    assert len(spool.peek(5, 1)) == 1


def test_waiting_ends_with_the_next_item(spool: Spool) -> None:
    assert not spool.wait(0)
    spool.put(make_item(1))
    assert spool.wait(0)
    assert not spool.wait(0)


# --- on the disk ------------------------------------------------------------------------------
def test_no_plate_and_no_picture_lies_in_clear(tmp_path: Path, spool: Spool) -> None:
    for number in range(20):
        more = {"wanted": b"larger-picture" * 20, "crop": b"close-picture" * 20}
        spool.put(make_item(number, **more))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2
    everything = b"".join(path.read_bytes() for path in files)
    assert b"event-7" in everything  # it is these files that hold the items
    for secret in (b"AB7CD", b"larger-picture", b"close-picture", b'"text"'):
        assert secret not in everything


def test_only_the_owner_may_read_it(tmp_path: Path, spool: Spool) -> None:
    spool.put(make_item(1))
    folder = tmp_path / "spool"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.glob("spool.db*"))


def test_each_put_is_synced_to_the_disk(spool: Spool) -> None:
    said: list[str] = []
    spool._file.db.set_trace_callback(said.append)
    spool.put(make_item(1))
    assert said[0] == "PRAGMA synchronous = FULL"
    assert said[-1] == "COMMIT"


def test_the_power_fails_after_a_put(tmp_path: Path, clock: Clock) -> None:
    """What was put is in the bytes synced then; what came later without a sync may be missing."""
    spool = make_spool(tmp_path / "spool", clock)
    for number in range(3):
        spool.put(make_item(number))
    synced = {path.name: path.stat().st_size for path in (tmp_path / "spool").glob("spool.db*")}
    spool.done({"event-0": None})  # not synced
    left = tmp_path / "left"
    left.mkdir()
    for name, size in synced.items():
        if not name.endswith("-shm"):  # not on the disk at all
            whole = (tmp_path / "spool" / name).read_bytes()
            (left / name).write_bytes(whole[:size] + b"\xaa" * 500)
    assert waiting(make_spool(left, clock)) == ["event-0", "event-1", "event-2"]


def test_an_item_that_no_longer_opens_is_set_aside(spool: Spool) -> None:
    for number in range(3):
        spool.put(make_item(number))
    spool._file.db.execute("UPDATE item SET body = zeroblob(90) WHERE event_id = 'event-1'")
    assert waiting(spool) == ["event-0", "event-2"]
    assert [(one.event_id, one.code) for one in spool.refused()] == [("event-1", "unreadable")]


def test_items_are_bound_to_their_rows(spool: Spool) -> None:
    for number in range(2):
        spool.put(make_item(number))
    database = spool._file.db
    (body,) = database.execute("SELECT body FROM item WHERE event_id = 'event-0'").fetchone()
    database.execute("UPDATE item SET body = ? WHERE event_id = 'event-1'", (body,))
    assert waiting(spool) == ["event-0"]


def test_another_key_opens_nothing_and_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    make_spool(tmp_path, clock).put(make_item(1))
    other = Spool(tmp_path, bytes(32), max_bytes=10**6, keep_hours=1, clock=clock, health=Health())
    assert waiting(other) == []
    assert other.put_back() == 1
    assert waiting(make_spool(tmp_path, clock)) == ["event-1"]


def test_a_file_that_is_no_spool_is_moved_aside(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "spool.db").write_bytes(b"not a database" * 1000)
    health = Health()
    spool = make_spool(tmp_path, clock, health)
    spool.put(make_item(1))
    assert waiting(spool) == ["event-1"]
    assert health.snapshot()["spool_damaged"] == 1
    assert "disk" in health.troubles
    (aside,) = tmp_path.glob("damaged-*.db")
    assert aside.read_bytes().startswith(b"not a database")
    spool.expire()
    assert aside.exists()
    os.utime(aside, (0, 0))
    spool.expire()
    assert not aside.exists()


def test_what_is_readable_of_a_damaged_file_is_kept(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    for number in range(200):
        spool.put(make_item(number, size=3000, wanted=b"larger"))
    spool.close()
    path = tmp_path / "spool.db"
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2 // 4096 * 4096
    whole[middle : middle + 5 * 4096] = b"\x05" * 5 * 4096
    path.write_bytes(whole)

    health = Health()
    spool = make_spool(tmp_path, clock, health)
    spool.put(make_item(1000))
    found = waiting(spool)
    assert found[-1] == "event-1000"
    numbers = [int(one.partition("-")[2]) for one in found]
    assert numbers == sorted(numbers)
    assert 150 < len(found) <= 201
    assert health.snapshot()["spool_rescued"] >= len(found) - 1


def test_a_file_that_gets_damaged_meanwhile_heals(
    tmp_path: Path, clock: Clock, health: Health
) -> None:
    spool = make_spool(tmp_path, clock, health)
    for number in range(100):
        spool.put(make_item(number, size=3000))
    spool._file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spool._file.db.execute("PRAGMA cache_size = 0")
    with (tmp_path / "spool.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\x05" * 4096 * 40)
    for _ in range(3):
        with suppress(sqlite3.DatabaseError):
            waiting(spool)
    spool.put(make_item(1000))
    assert waiting(spool)[-1] == "event-1000"
    assert health.snapshot()["spool_damaged"] == 1


# --- refused ----------------------------------------------------------------------------------
def test_what_the_server_refuses_is_set_aside_and_listed(spool: Spool) -> None:
    for number in range(3):
        spool.put(make_item(number))
    spool.set_aside("event-1", "plate_too_long", "read.text")
    assert waiting(spool) == ["event-0", "event-2"]
    (refusal,) = spool.refused()
    assert (refusal.event_id, refusal.kind, refusal.code, refusal.field) == (
        "event-1",
        "read",
        "plate_too_long",
        "read.text",
    )
    assert refusal.captured_at == BEGIN + timedelta(seconds=1)
    assert spool.state().refused == 1


def test_somebody_may_put_it_back(spool: Spool) -> None:
    for number in range(3):
        spool.put(make_item(number))
    spool.set_aside("event-1", "captured_at_in_future")
    assert spool.put_back() == 1
    assert waiting(spool) == ["event-0", "event-1", "event-2"]
    assert spool.refused() == []


def test_what_came_too_early_waits_until_its_time_has_come(spool: Spool, clock: Clock) -> None:
    for number in (10, 3600):
        spool.put(make_item(number))
    spool.set_aside("event-10", "refused")
    spool.set_aside("event-3600", "captured_at_in_future")
    clock.seconds = 3599
    spool.expire()
    assert waiting(spool) == []
    clock.seconds = 3600
    spool.expire()
    assert waiting(spool) == ["event-3600"]
    assert [one.event_id for one in spool.refused()] == ["event-10"]


# --- larger pictures --------------------------------------------------------------------------
def test_a_larger_picture_waits_until_the_server_asks(spool: Spool) -> None:
    spool.put(make_item(1, wanted=b"larger"))
    assert spool.peek(1, 1)[0].item.wanted is None
    spool.done({"event-1": "capture-1"})
    assert spool.state().waiting == 0
    assert spool.larger("capture-1") == b"larger"
    assert spool.larger("capture-2") is None
    spool.larger_done("capture-1")
    assert spool.larger("capture-1") is None
    assert spool.state().bytes == 0


def test_one_that_nobody_can_ask_for_goes_with_its_item(spool: Spool) -> None:
    spool.put(make_item(1, wanted=b"larger"))
    spool.done({"event-1": None})
    assert spool.state().bytes == 0


# --- limits -----------------------------------------------------------------------------------
def evicted(health: Health) -> dict[str, object]:
    return {name: n for name, n in health.snapshot().items() if name.startswith("spool_evicted")}


def test_the_stated_order_of_eviction(tmp_path: Path, clock: Clock, health: Health) -> None:
    spool = make_spool(tmp_path, clock, health, max_bytes=150_000)
    kinds: list[Kind] = ["read", "crop", "frame"]
    for number, kind in enumerate(kinds):
        spool.put(make_item(number, kind, size=10_000))
    spool.put(make_item(3, size=10_000))
    spool.set_aside("event-3", "refused")
    spool.put(make_item(4, "read", wanted=b"w" * 10_000))
    spool.put(make_item(5, "read", wanted=b"w" * 10_000))
    spool.done({"event-5": "capture-5"})
    gone = []
    for number in range(6, 40):
        spool.put(make_item(number, "read", size=20_000))
        for name in evicted(health):
            if name not in gone:
                gone.append(name)
    assert gone == [
        "spool_evicted_larger_sent",
        "spool_evicted_larger",
        "spool_evicted_refused",
        "spool_evicted_frame",
        "spool_evicted_crop",
        "spool_evicted_read",
    ]
    left = waiting(spool)
    assert left == [f"event-{number}" for number in range(40 - len(left), 40)]
    assert spool.state().bytes <= 150_000
    assert sum(int(str(n)) for n in evicted(health).values()) == 40 - len(left) + 2 - 1
    # 40 items less one that was sent, and two larger pictures


def test_a_frame_never_displaces_a_read(tmp_path: Path, clock: Clock, health: Health) -> None:
    spool = make_spool(tmp_path, clock, health, max_bytes=50_000)
    for number in range(4):
        spool.put(make_item(number, size=10_000))
    with pytest.raises(OSError, match="worth more"):
        spool.put(make_item(4, "frame", size=20_000))
    assert waiting(spool) == [f"event-{number}" for number in range(4)]
    assert evicted(health) == {"spool_evicted_frame": 1}
    assert health.snapshot()["spool_put_failed"] == 1
    assert "spool" in health.troubles
    spool.put(make_item(5))
    assert "spool" not in health.troubles


def test_a_larger_picture_without_room_is_left_out(
    tmp_path: Path, clock: Clock, health: Health
) -> None:
    spool = make_spool(tmp_path, clock, health, max_bytes=30_000)
    spool.put(make_item(1, size=10_000, wanted=b"w" * 25_000))
    assert waiting(spool) == ["event-1"]
    assert evicted(health) == {"spool_evicted_larger": 1}
    spool.put(make_item(2, size=1000, wanted=b"w" * 10_000))
    spool.done({"event-2": "capture-2"})
    assert spool.larger("capture-2") == b"w" * 10_000


def test_old_items_go_whatever_they_are(tmp_path: Path, clock: Clock, health: Health) -> None:
    spool = make_spool(tmp_path, clock, health, keep_hours=1)
    for number in (1, 2, 3599):
        spool.put(make_item(number, wanted=b"larger"))
    spool.set_aside("event-2", "refused")
    clock.seconds = 3600 + 3
    spool.expire()
    assert waiting(spool) == ["event-3599"]
    assert spool.refused() == []
    assert health.snapshot()["spool_expired"] == 2
    spool.keep_hours = 0.0001
    spool.expire()
    assert spool.state().bytes == 0


def test_a_full_disk_costs_the_least_first(tmp_path: Path, clock: Clock, health: Health) -> None:
    spool = make_spool(tmp_path, clock, health, max_bytes=10**9)
    for number in range(100):
        spool.put(make_item(number, "frame" if number % 2 else "read", size=10_000))
    database = spool._file.db
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")  # as if no block were left
    for number in range(100, 110):
        spool.put(make_item(number, size=10_000))
    left = waiting(spool)
    assert left[-10:] == [f"event-{number}" for number in range(100, 110)]
    assert [one for one in left if int(one[6:]) < 100 and int(one[6:]) % 2 == 0] == [
        f"event-{number}" for number in range(0, 100, 2)
    ]
    assert int(str(evicted(health)["spool_evicted_frame"])) == 110 - len(left)
    assert health.snapshot()["spool_disk_full"] >= 1


def test_a_disk_that_cannot_be_written_says_so(spool: Spool, health: Health) -> None:
    spool.put(make_item(1))
    spool._file.db.execute("PRAGMA query_only = ON")
    with pytest.raises(OSError, match="cannot be written"):
        spool.put(make_item(2))
    spool._file.db.execute("PRAGMA query_only = OFF")
    assert health.snapshot()["spool_put_failed"] == 1
    assert waiting(spool) == ["event-1"]


# --- how it is --------------------------------------------------------------------------------
def test_the_watermark_stays_behind_everything_unsent(spool: Spool, clock: Clock) -> None:
    clock.seconds = 100
    now = BEGIN + timedelta(seconds=100)
    assert spool.watermark() == now - SETTLING
    spool.put(make_item(60))
    spool.put(make_item(50))
    assert BEGIN + timedelta(seconds=49.9) < spool.watermark() < BEGIN + timedelta(seconds=50)
    spool.done({"event-50": None})
    assert BEGIN + timedelta(seconds=59.9) < spool.watermark() < BEGIN + timedelta(seconds=60)
    spool.hold(BEGIN + timedelta(seconds=30))
    assert BEGIN + timedelta(seconds=29.9) < spool.watermark() < BEGIN + timedelta(seconds=30)
    spool.hold(None)
    spool.set_aside("event-60", "refused")
    assert spool.watermark() == now - SETTLING


def test_a_road_that_ends_at_a_broker_proves_nothing(spool: Spool, clock: Clock) -> None:
    spool.confirmed = False
    clock.seconds = 100
    spool.put(make_item(50))
    batch = spool.peek(1, 1)
    assert spool.watermark().year == 1970
    assert spool.watermark_behind(batch) == BEGIN + timedelta(seconds=100) - SETTLING
    spool.put(make_item(60))
    assert BEGIN + timedelta(seconds=59) < spool.watermark_behind(batch)
    assert spool.watermark_behind(batch) < BEGIN + timedelta(seconds=60)


def test_its_state_is_told(spool: Spool, clock: Clock, health: Health) -> None:
    assert spool.state().oldest_s == 0
    for number in range(3):
        spool.put(make_item(number, size=1000))
    clock.seconds = 60
    state = spool.state()
    assert (state.waiting, state.refused, state.oldest_s) == (3, 0, 60)
    assert 3000 < state.bytes < 6000
    told = health.snapshot()
    assert (told["queue_depth"], told["spool_oldest_s"], told["spool_bytes"]) == (
        3,
        60.0,
        state.bytes,
    )
    spool.done({f"event-{number}": None for number in range(3)})
    assert spool.state().bytes == 0


def test_its_size_is_known_again_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    spool.put(make_item(1, size=1000, wanted=b"larger"))
    assert make_spool(tmp_path, clock).state() == spool.state()


def test_there_is_a_reserve_for_a_full_disk(tmp_path: Path, clock: Clock) -> None:
    spool = make_spool(tmp_path, clock)
    reserve = tmp_path / "spool.reserve"
    if shutil.disk_usage(tmp_path).free > 100 << 20:
        assert reserve.stat().st_size > 1 << 20
    assert spool._file._give_reserve()
    assert not reserve.exists()
    spool.put(make_item(1))
    assert waiting(spool) == ["event-1"]
