"""When the page shows which frame: in order, evenly, never late."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.page.pace import FASTEST, SLOWEST, Reorder


def played(
    arrivals: list[tuple[float, int, float]], *, step: float = 0.002, buffer: Reorder[int]
) -> list[tuple[float, int]]:
    """When which frame is shown; `arrivals` are (when, number, seen at)."""
    waiting, shown, now = sorted(arrivals), [], 0.0
    while waiting or len(buffer):
        while waiting and waiting[0][0] <= now:
            when, number, at = waiting.pop(0)
            buffer.push(at, number, when)
        if (found := buffer.due(now)) is not None:
            shown.append((now, found))
        now += step
    return shown


def steps(shown: list[tuple[float, int]]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.diff([when for when, _ in shown])


def test_frames_that_come_in_bursts_and_out_of_order_are_shown_evenly_in_order() -> None:
    draw = np.random.default_rng(3)
    fps, count = 25, 500
    seen = [number / fps for number in range(count)]
    # every third frame is read and takes 60 ms longer than the next, which overtakes it
    arrivals = [
        (at + 0.02 + (0.06 if number % 3 == 0 else 0.0) + draw.uniform(0, 0.01), number, at)
        for number, at in enumerate(seen)
    ]
    assert [number for _, number, _ in sorted(arrivals)] != list(range(count))
    buffer: Reorder[int] = Reorder()
    shown = played(arrivals, buffer=buffer)
    assert [number for _, number in shown] == list(range(count))
    apart = steps(shown)[50:]
    assert apart.mean() == pytest.approx(1 / fps, rel=0.01)
    assert apart.max() < 1.6 / fps
    assert apart.std() < 0.25 * np.diff(sorted(when for when, _, _ in arrivals)).std()
    assert (buffer.skipped, buffer.too_late) == (0, 0)


def test_after_a_standstill_the_pace_recovers_without_a_rush() -> None:
    fps = 25
    arrivals = [(number / fps, number, number / fps) for number in range(300)]
    # 0.4 s in which nothing comes, then all of it at once
    late = [(6.4 if 6.0 <= when < 6.4 else when, number, at) for when, number, at in arrivals]
    buffer: Reorder[int] = Reorder()
    shown = played(late, buffer=buffer)
    assert [number for _, number in shown] == list(range(300))
    after = steps([one for one in shown if one[0] > 6.45])
    assert after.min() >= 1 / fps / FASTEST - 0.004
    assert after.max() <= 1 / fps / SLOWEST + 0.004
    # and what waits is back to where it was
    assert shown[-1][0] - 299 / fps < 0.3


@given(
    arrivals=st.lists(
        st.tuples(st.floats(0, 3), st.integers(0, 60)), min_size=1, max_size=60,
        unique_by=lambda one: one[1],
    ),
    fps=st.sampled_from([15.0, 30.0, 120.0]),
)  # fmt: skip
def test_always_in_order_never_late_and_every_frame_accounted_for(
    arrivals: list[tuple[float, int]], fps: float
) -> None:
    buffer: Reorder[int] = Reorder(target_s=0.1, most_s=0.5)
    came = {number: when for when, number in arrivals}
    shown = played(
        [(when, number, number / fps) for when, number in arrivals], buffer=buffer, step=0.01
    )
    numbers = [number for _, number in shown]
    assert numbers == sorted(set(numbers))
    assert len(shown) + buffer.skipped + buffer.too_late == len(arrivals)
    for when, number in shown:
        assert when - came[number] <= 0.5 + 0.02


def test_a_picture_every_ten_seconds_is_not_held_back() -> None:
    arrivals = [(10.0 * number, number, 10.0 * number) for number in range(5)]
    shown = played(arrivals, buffer=Reorder(), step=0.01)
    assert [number for _, number in shown] == list(range(5))
    assert max(when - 10.0 * number for when, number in shown) <= 0.62


def test_a_full_buffer_plays_faster_and_an_empty_one_slower() -> None:
    buffer: Reorder[int] = Reorder(target_s=0.2, most_s=0.6)
    assert buffer.pace == SLOWEST
    paces = []
    for number in range(30):
        buffer.push(number / 50, number, 0.0)
        paces.append(buffer.pace)
    assert paces == sorted(paces)
    assert paces[10] == pytest.approx(1.0)
    assert paces[-1] == FASTEST


def test_a_camera_opened_anew_goes_on_though_its_time_begins_again() -> None:
    buffer: Reorder[str] = Reorder()
    for number in range(3):
        buffer.push(100.0 + number / 25, "old", 0.0)
    assert buffer.due(0.2) == "old"
    buffer.push(99.9, "late", 0.2)
    assert buffer.too_late == 1
    buffer.push(3.0, "new", 0.3)
    assert buffer.due(0.5) == "new"
    assert buffer.skipped == 2
