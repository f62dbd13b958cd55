"""The clock: UTC that never runs backwards, set right by what the server says."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hands:
    """The two clocks of a device, moved by hand, and the true time beside them."""

    def __init__(self, wrong: float = 0.0) -> None:
        self.ticks, self.wrong = 1000.0, wrong

    def monotonic(self) -> float:
        return self.ticks

    @property
    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.ticks - 1000)

    def wall(self) -> float:
        return self.true.timestamp() + self.wrong

    def clock(self) -> Clock:
        return Clock(monotonic=self.monotonic, wall=self.wall, synchronised=lambda: True)

    def exchange(self, clock: Clock, there: float = 0.02, back: float = 0.02) -> None:
        """Ask the server, whose clock is right."""
        sent = clock.now()
        self.ticks += there
        said = self.true
        self.ticks += back
        clock.heard(sent, said, clock.now())


def off(hands: Hands, clock: Clock) -> float:
    """Seconds by which the clock is ahead of the truth."""
    return (clock.utc() - hands.true).total_seconds()


def test_a_clock_left_alone_says_the_devices_time_and_knows_no_offset() -> None:
    hands = Hands(wrong=0.7)
    clock = hands.clock()
    hands.ticks += 100
    assert off(hands, clock) == pytest.approx(0.7)
    assert clock.utc().tzinfo is UTC
    assert clock.offset_s is None


def test_moments_gone_by_keep_their_time() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.ticks += 10
    assert clock.utc(1004.5) == NOON + timedelta(seconds=4.5)
    assert clock.utc(990.0) == NOON - timedelta(seconds=10), "before the clock was made"


def test_the_offset_is_the_midpoint_of_the_quickest_exchange() -> None:
    hands = Hands(wrong=-3.0)
    clock = hands.clock()
    hands.exchange(clock, there=0.9, back=0.1)  # errs by 0.4: give or take 0.5
    assert clock.offset_s == pytest.approx(3.4)
    hands.exchange(clock, there=0.02, back=0.01)
    assert clock.offset_s == pytest.approx(3.005)
    hands.exchange(clock, there=1.5, back=0.1)
    assert clock.offset_s == pytest.approx(3.005), "a slower one says less"


def test_an_old_exchange_counts_for_less_than_one_of_today() -> None:
    hands = Hands(wrong=-3.0)
    clock = hands.clock()
    hands.exchange(clock)
    hands.ticks += 24 * 3600
    hands.wrong = -4.0  # its quartz
    hands.exchange(clock, there=0.5, back=0.5)
    assert clock.offset_s == pytest.approx(4.0)


def test_a_device_clock_that_was_never_set_is_set_right_by_the_first_answer() -> None:
    hands = Hands(wrong=-9_000_000)
    clock = hands.clock()
    before = clock.utc()
    hands.exchange(clock)
    assert off(hands, clock) == pytest.approx(0, abs=0.05)
    assert clock.utc() > before


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_clock_stepped_by_an_hour_is_seen_through_once_the_server_was_heard(step: float) -> None:
    hands = Hands()
    clock = hands.clock()
    hands.exchange(clock)
    hands.ticks += 1
    hands.wrong = step
    assert off(hands, clock) == pytest.approx(0, abs=0.05)
    assert clock.offset_s == pytest.approx(-step, abs=0.05)
    hands.ticks += 3600
    assert off(hands, clock) == pytest.approx(0, abs=0.05)


def test_without_a_server_a_step_forwards_is_followed_at_once() -> None:
    """A Raspberry Pi has no clock of its own: it starts in the past until NTP has answered."""
    hands = Hands(wrong=-3600)
    clock = hands.clock()
    hands.ticks += 5
    assert off(hands, clock) == -3600
    hands.wrong = 0
    assert off(hands, clock) == pytest.approx(0)


def test_without_a_server_a_step_backwards_is_followed_slowly() -> None:
    hands = Hands(wrong=3600)
    clock = hands.clock()
    clock.utc()
    hands.wrong = 0
    said = [clock.utc()]
    for _ in range(80):
        hands.ticks += 60
        said.append(clock.utc())
    assert said == sorted(set(said)), "never back, never the same twice"
    assert off(hands, clock) == pytest.approx(0, abs=0.05)
    assert said[1] - said[0] == timedelta(seconds=6), "a tenth of the speed meanwhile"


def test_a_clock_kept_by_ntp_is_not_shaken_by_slow_answers() -> None:
    hands = Hands()
    clock = hands.clock()
    for there, back in [(0.1, 0.9), (0.9, 0.1), (0.0, 0.4), (0.4, 0.0)]:
        hands.exchange(clock, there, back)
        hands.ticks += 60
        assert off(hands, clock) == pytest.approx(0)


def test_a_server_whose_clock_was_set_is_believed_when_it_says_so_twice() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.exchange(clock)
    for number in range(2):
        assert clock.offset_s == pytest.approx(0, abs=0.05), f"after {number}"
        hands.ticks += 60
        clock.heard(clock.now(), hands.true + timedelta(seconds=90), clock.now())
    assert clock.offset_s == pytest.approx(90)


def test_one_wrong_answer_among_right_ones_moves_nothing() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.exchange(clock)
    for _ in range(5):
        hands.ticks += 60
        clock.heard(clock.now(), hands.true + timedelta(days=1), clock.now())
        hands.ticks += 60
        hands.exchange(clock)
        assert off(hands, clock) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("year", [1970, 9999])
def test_a_year_that_cannot_be_is_passed_over(year: int) -> None:
    hands = Hands()
    clock = hands.clock()
    clock.heard(clock.now(), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC), clock.now())
    assert clock.offset_s is None
    assert off(hands, clock) == pytest.approx(0)


def test_received_before_sent_is_refused() -> None:
    with pytest.raises(ValueError, match="received"):
        Clock().heard(2.0, NOON, 1.0)


def test_a_thread_held_up_between_the_two_clocks_is_no_step() -> None:
    hands = Hands()
    held = iter([True, True])

    def wall() -> float:
        if next(held, False):
            hands.ticks += 30
        return hands.wall()

    clock = Clock(monotonic=hands.monotonic, wall=wall)
    assert off(hands, clock) == pytest.approx(0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("tick"), st.floats(0.001, 5000)),
            st.tuples(st.just("step"), st.floats(-5000, 5000)),
            st.tuples(st.just("hear"), st.floats(0, 3)),
        ),
        max_size=40,
    )
)
def test_whatever_happens_to_the_clocks_later_is_later(events: list[tuple[str, float]]) -> None:
    hands = Hands()
    clock = hands.clock()
    said = [(clock.now(), clock.utc())]
    for what, much in events:
        if what == "tick":
            hands.ticks += much
        elif what == "step":
            hands.wrong += much
        else:
            hands.exchange(clock, much, 0.01)
        said.append((clock.now(), clock.utc()))
    for (at, utc), (later_at, later_utc) in pairwise(said):
        assert (later_utc > utc) if later_at > at + 1e-4 else (later_utc >= utc)


def test_threads_share_one() -> None:
    clock = Clock()
    wrong: list[datetime] = []

    def ask() -> None:
        last = clock.utc()
        for _ in range(500):
            now = clock.utc()
            if now < last:
                wrong.append(now)
            last = now

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert clock.utc(clock.now()) <= datetime.now(UTC) + timedelta(seconds=0.1)
