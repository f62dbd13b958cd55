"""What a device sends, by what it was measured to do."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from edge.health import Health
from edge.items import Frame
from edge.modes import ENOUGH, EVERY, HOLD, LEAST_WIDTHS, NEEDS, TRIAL, Chooser, Plan
from edge.settings import Settings
from edge.squeeze import Squeeze

PICTURE = np.zeros((720, 1280, 3), np.uint8)
WHEN = datetime(2026, 3, 2, tzinfo=UTC)
AUTO = Settings(mode="auto")


class Device:
    """A chooser, and what is measured on its device."""

    def __init__(self, detect: float, read: float, *, rate: float = 25, line: float = 0) -> None:
        self.health = Health()
        self.chooser = Chooser(self.health)
        self.detect, self.read, self.rate = detect, read, rate
        self.at = 0.0
        self.line = line
        for number in range(200):
            self.chooser.came(Frame(number, PICTURE, number / rate, WHEN))

    def runs(self, seconds: float, settings: Settings = AUTO) -> Plan:
        """The plan after so many seconds."""
        self.health.note("bytes_per_second", self.line)
        until = self.at + seconds
        while True:
            for _ in range(40):
                self.chooser.took("detect", self.detect)
                self.chooser.took("read", self.read)
            plan = self.chooser.plan(settings, self.at)
            if self.at >= until:
                return plan
            self.at += EVERY

    def plates(self, *widths: int, top: int = 400) -> None:
        for width in widths:
            self.chooser.plate((100, top, 100 + width, top + 20), 720)


def test_a_device_that_can_reads() -> None:
    device = Device(8, 5)
    plan = device.runs(60)
    assert (plan.kind, plan.detect) == ("read", True)
    facts = device.health.snapshot()
    assert facts["mode"] == "read"
    assert "77 frames a second" in str(facts["mode_because"])
    assert facts["ms_per_frame"] == 13.0
    assert facts["source_fps"] == 25.0


@pytest.mark.parametrize(
    ("detect", "read", "line", "kind"),
    [
        (120, 60, 0, "read"),  # 5.6 a second are enough
        (180, 200, 0, "crop"),  # finds in time, reads too late
        (600, 400, 0, "frame"),  # neither; of the line nothing is known against it
        (600, 400, 1e6, "frame"),
        (600, 400, 5_000, "read"),  # the line bears no frames either
    ],
)
def test_what_it_cannot_do_in_time_it_leaves_to_the_server(
    detect: float, read: float, line: float, kind: str
) -> None:
    device = Device(detect, read, line=line)
    plan = device.runs(3 * HOLD)
    assert plan.kind == kind
    assert plan.detect == (kind != "frame")
    assert plan.because


def test_a_slow_source_asks_for_no_more_than_it_brings() -> None:
    assert Device(300, 300, rate=1).runs(3 * HOLD).kind == "read"
    assert Device(300, 300, rate=25).runs(3 * HOLD).kind == "frame"


def test_a_moment_of_other_load_changes_nothing() -> None:
    device = Device(8, 5)
    device.runs(60)
    device.detect = device.read = 400
    assert device.runs(HOLD - EVERY).kind == "read"
    device.detect, device.read = 8, 5
    assert device.runs(60).kind == "read"
    device.detect = device.read = 400
    assert device.runs(2 * HOLD).kind == "frame"


def test_it_does_not_swing_to_and_fro_at_the_limit() -> None:
    """What is just enough to stay is not enough to come back."""
    device = Device(500 / ENOUGH + 5, 500 / ENOUGH + 5)
    assert device.runs(2 * HOLD).kind == "crop"
    device.detect = device.read = 500 / ENOUGH - 2
    assert device.runs(4 * HOLD).kind == "crop"
    device.detect = device.read = 500 / ENOUGH / 1.3
    assert device.runs(2 * HOLD).kind == "read"


@pytest.mark.parametrize("mode", ["read", "crop", "frame"])
def test_what_is_set_is_done(mode: Any) -> None:
    plan = Device(20, 20).runs(0, Settings(mode=mode, squeeze_width=416))
    assert (plan.kind, plan.detect, plan.squeeze.width) == (mode, True, 416)


def test_a_change_of_settings_applies_at_once() -> None:
    device = Device(20, 20)
    assert device.chooser.plan(AUTO, 0.0).kind == "read"
    assert device.chooser.plan(Settings(mode="crop"), 0.01).kind == "crop"


def test_frames_are_sent_as_they_move_where_the_device_is_too_slow() -> None:
    plan = Device(900, 20).runs(0, Settings(mode="frame"))
    assert not plan.detect
    assert "too slow" in plan.because


@pytest.mark.parametrize("mode", ["auto", "frame", "crop"])
def test_where_plates_are_made_unreadable_they_are_read_here(mode: Any) -> None:
    device = Device(900, 900)
    device.runs(3 * HOLD)
    plan = device.runs(10, Settings(mode=mode, blur="plates"))
    assert (plan.kind, plan.detect) == ("read", True)


def test_only_a_device_that_looks_for_plates_can_blur_what_surrounds_them() -> None:
    assert Device(900, 900).runs(0, Settings(mode="frame", blur="surroundings")).detect


def test_auto_never_squeezes_below_what_the_plates_here_bear() -> None:
    wanted = Settings(mode="auto", squeeze_width=416, squeeze_cut_top=0.45, squeeze_grey=True)
    device = Device(900, 900)
    device.runs(3 * HOLD, wanted)
    assert device.runs(5, wanted).squeeze.width == 0  # nothing is known of plates here
    device.plates(*[120] * LEAST_WIDTHS, top=200)
    plan = device.runs(10, wanted)
    assert plan.squeeze.width == 1280 * NEEDS / 120
    assert plan.squeeze.cut_top == pytest.approx(200 / 720 - 0.05)
    assert plan.squeeze.grey
    device.plates(*[400] * 190, top=600)
    assert device.runs(10, wanted).squeeze.width == 416
    device.plates(*[50] * 30, top=600)
    assert device.runs(10, wanted).squeeze.width == 1280
    assert device.health.snapshot()["plate_px"] == 50


def test_auto_squeezes_by_itself_for_a_thin_line_as_far_as_plates_bear() -> None:
    device = Device(900, 900, line=100_000)
    device.plates(*[240] * 20, top=500)
    plan = device.runs(3 * HOLD)
    assert plan.kind == "frame"
    assert 1280 * NEEDS / 240 <= plan.squeeze.width < 1280
    assert plan.squeeze.grey
    device.line = 10_000  # too thin for frames that would still be read
    assert device.runs(3 * HOLD).kind == "read"


def test_what_frames_take_is_learnt_from_those_sent() -> None:
    device = Device(900, 900, line=200_000)
    assert device.runs(3 * HOLD).kind == "read"  # 138 kB each, as far as is known
    for _ in range(100):
        device.chooser.sent(40_000, Squeeze())
    assert device.runs(3 * HOLD).kind == "frame"


def test_where_plates_are_not_looked_for_it_is_tried_now_and_then() -> None:
    chooser = Chooser(Health())
    assert [at for at in range(200) if chooser.trial(at)] == [0, TRIAL, 2 * TRIAL, 3 * TRIAL]
