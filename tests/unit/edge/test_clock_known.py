"""A device that does not know the time, and how it learns it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.boot import boot_id, is_synchronised
from edge.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Machine:
    """A machine that was switched on at noon with a clock `wrong` by seconds."""

    def __init__(self, memory: Path | None = None, *, boot: str = "one", wrong: float = 0.0):
        self.ticks, self.wrong, self.synchronised = 10.0, wrong, False
        self.began, self.boot, self.memory = NOON, boot, memory

    @property
    def true(self) -> datetime:
        return self.began + timedelta(seconds=self.ticks - 10)

    def clock(self) -> Clock:
        """Of a process that starts now."""
        return Clock(
            monotonic=lambda: self.ticks,
            wall=lambda: self.true.timestamp() + self.wrong,
            synchronised=lambda: self.synchronised,
            boot=self.boot,
            memory=self.memory,
        )

    def exchange(self, clock: Clock) -> None:
        """Ask the server, whose clock is right."""
        sent = clock.now()
        self.ticks += 0.02
        clock.heard(sent, self.true - timedelta(seconds=0.01), clock.now())


def off(machine: Machine, clock: Clock) -> float:
    """Seconds by which the clock is ahead of the truth."""
    return (clock.utc() - machine.true).total_seconds()


def test_nobody_is_believed_but_the_server_and_ntp() -> None:
    machine = Machine(wrong=-86_400)
    clock = machine.clock()
    found = [clock.known_since]
    machine.ticks += 3600
    machine.wrong = 0  # somebody may have set it by hand, or not
    found.append(clock.known_since)
    machine.exchange(clock)
    learnt = machine.ticks
    found.append(clock.known_since)
    machine.ticks += 100_000
    found.append(clock.known_since)
    assert found == [None, None, learnt, learnt], "it stays known"


def test_ntp_is_believed_also_once_the_kernel_no_longer_vouches_for_it() -> None:
    machine = Machine(wrong=-86_400)
    clock = machine.clock()
    machine.ticks += 60
    machine.wrong, machine.synchronised = 0.0, True
    assert clock.known_since == machine.ticks
    assert off(machine, clock) == pytest.approx(0)
    machine.ticks += 60_000
    machine.synchronised = False
    assert clock.known_since is not None


@pytest.mark.parametrize("wrong", [-20 * 86_400.0, 3 * 86_400.0])
def test_what_was_seen_before_gets_its_true_time(wrong: float) -> None:
    machine = Machine(wrong=wrong)
    clock = machine.clock()
    machine.ticks += 50
    seen, then = clock.now(), machine.true
    assert abs((clock.utc(seen) - then).total_seconds() - wrong) < 0.1
    machine.ticks += 5000
    machine.exchange(clock)
    assert abs((clock.utc(seen) - then).total_seconds()) < 0.1
    assert off(machine, clock) == pytest.approx(0, abs=0.1), "at once, and backwards if need be"


def test_the_next_process_of_the_same_boot_knows_it_still(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "clock.json", wrong=-500.0)
    clock = machine.clock()
    clock.remember()
    assert not (tmp_path / "clock.json").exists(), "nothing is known"
    machine.exchange(clock)
    clock.remember()
    assert (tmp_path / "clock.json").stat().st_mode & 0o077 == 0
    machine.ticks += 3600
    again = machine.clock()
    assert again.known_since == machine.ticks
    assert off(machine, again) == pytest.approx(0, abs=0.1)


def test_what_ntp_said_is_remembered_too(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "clock.json")
    machine.synchronised = True
    machine.clock().remember()
    machine.ticks += 3600
    machine.synchronised = False
    assert machine.clock().known_since is not None
    assert off(machine, machine.clock()) == pytest.approx(0)


def test_after_a_power_cut_time_is_at_least_what_it_was(tmp_path: Path) -> None:
    before = Machine(tmp_path / "clock.json")
    before.ticks += 40_000
    clock = before.clock()
    before.exchange(clock)
    clock.remember()
    last = before.true

    after = Machine(tmp_path / "clock.json", boot="two", wrong=-90 * 86_400.0)
    after.began = last + timedelta(hours=2)
    clock = after.clock()
    assert clock.known_since is None
    assert abs((clock.utc() - last).total_seconds()) < 0.1
    after.ticks += 30
    assert abs((clock.utc() - last).total_seconds() - 30) < 0.1, "it runs"
    clock.remember()
    assert json.loads((tmp_path / "clock.json").read_bytes())["boot"] == "one"
    after.exchange(clock)
    assert off(after, clock) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"boot": "one", "at": 1, "ahead": "x", "give": 0, "until": 2}',
        b'{"boot": "one", "at": 1, "ahead": NaN, "give": 0, "until": 2}',
        b'{"boot": "one", "at": 1, "ahead": 1e300, "give": 0, "until": 2}',
        b'{"boot": "one", "at": 1, "ahead": 5, "give": 0, "until": 2}',
        b'{"boot": "one", "at": 1, "ahead": 1772366400, "give": -1, "until": 2}',
        b'{"boot": "one", "at": 1e9, "ahead": 1772366400, "give": 0.1, "until": 1e9}',
    ],
)
def test_a_memory_that_cannot_be_is_none(tmp_path: Path, said: bytes) -> None:
    (tmp_path / "clock.json").write_bytes(said)
    machine = Machine(tmp_path / "clock.json")
    clock = machine.clock()
    assert clock.known_since is None
    if b"1e9" not in said:  # the time before the cut, as far as anybody can tell
        assert off(machine, clock) == pytest.approx(0)


def test_what_this_machine_says_of_itself() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) >= 32
    assert is_synchronised() in (True, False)
