"""Roads written down frame by frame, and what a pipeline tells of them."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import cv2
import numpy as np
import pytest

from edge.follow import AGAIN, EAGER
from edge.items import Frame
from edge.pipeline import MOST_WAITING, Pipeline
from edge.publish import Publisher
from edge.settings import Blur, Settings
from edge.vote import GLIMPSE, LONGEST_WAIT, MANY, SURE
from tests.unit.edge.roadside import START, Moment, Script, Sight, empty, passing, run

LEFT = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
"""A region of interest."""


def test_a_vehicle_is_told_once_and_before_it_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, passing("1AB2345", frames=30))
    assert ran.texts == ["1AB2345"]
    (item,) = ran.items
    assert item.kind == "read"
    assert item.captured_at <= START + timedelta(seconds=1 / 18)  # one of the first two
    read = item.fields["read"]
    assert read["text"] == "1AB2345"
    assert read["country"] == "CZ"
    assert len(read["char_scores"]) == 7
    assert item.wanted is not None


def test_a_settled_plate_is_read_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, passing("1AB2345", frames=72, speed=6))
    assert len(ran.script.looked) == 72
    assert len(ran.script.read) <= 2 + 4 / AGAIN
    assert ran.texts == ["1AB2345"]


def test_a_read_with_its_crop_is_under_four_kilobytes(monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = run(monkeypatch, passing("1AB2345")).items
    assert item.crop is not None
    body = json.dumps({**item.fields, "crop": base64.b64encode(item.crop).decode()})
    assert len(body) + 200 < 4000


def parked(text: str, seconds: float, rate: float = 5) -> list[Moment]:
    return [Moment(n / rate, (Sight(text, 400),)) for n in range(round(seconds * rate))]


def test_a_parked_car_is_one_passage_and_one_behind_it_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [
        Moment(one.at, (*one.sights, Sight("9XY8765", 20 + 40 * (one.at - 60), 60)))
        if 60 <= one.at < 72
        else one
        for one in parked("1AB2345", 300)
    ]
    ran = run(monkeypatch, moments)
    assert ran.texts == ["1AB2345", "9XY8765"]
    assert ran.fact("frames_still") > 1000
    assert len(ran.script.looked) < 300


def test_a_parked_car_that_was_hidden_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(one: Moment) -> Moment:
        if 20 <= one.at < 32:  # a lorry without a plate stops in front of it
            return Moment(one.at, (Sight(None, 300 + 8 * (one.at - 20), 190, 120, 60),))
        return one

    assert run(monkeypatch, [hidden(one) for one in parked("1AB2345", 60)]).texts == ["1AB2345"]


def test_a_car_that_comes_again_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [*passing("1AB2345"), *empty(1.2, 60), *passing("1AB2345", begin=70)]
    assert run(monkeypatch, moments).texts == ["1AB2345", "1AB2345"]


def test_the_next_in_a_queue_is_another_vehicle(monkeypatch: pytest.MonkeyPatch) -> None:
    """At two frames a second the next car stands where the one before stood."""
    texts = ["1AB2345"] * 6 + ["9XY8765"] * 6 + ["3CD5678"] * 6
    moments = [Moment(n / 2, (Sight(text, 300 + n),)) for n, text in enumerate(texts)]
    assert run(monkeypatch, moments).texts == ["1AB2345", "9XY8765", "3CD5678"]


@pytest.mark.parametrize(("apart", "texts"), [(1 / 18, []), (2.0, ["1AB2345"])])
def test_what_one_frame_shows_counts_where_frames_are_far_apart(
    monkeypatch: pytest.MonkeyPatch, apart: float, texts: list[str]
) -> None:
    moments = [Moment(n * apart) for n in range(90)]
    moments[3] = Moment(3 * apart, (Sight("1AB2345", 100),))
    ran = run(monkeypatch, moments)
    assert ran.texts == texts
    assert ran.fact("glimpses") == (1 if apart <= GLIMPSE else 0)


def test_a_sign_that_was_read_once_in_many_frames_is_no_vehicle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where frames are far apart: it was there all the time."""
    moments = [Moment(n / 2, (Sight(None, 100), Sight(None, n * 5, 20))) for n in range(40)]
    moments[20] = Moment(10, (Sight("2020522", 100, score=0.9), Sight(None, 100, 20)))
    assert run(monkeypatch, moments).texts == []


def test_what_is_read_in_vain_is_tried_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [Moment(n / 18, (Sight(None, 100), Sight(None, 10 + n, 20))) for n in range(180)]
    assert len(run(monkeypatch, moments).script.read) < 2 * 20


def test_a_plate_that_comes_out_from_behind_something_is_told_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What shows of it reads as a plate too, and grows."""
    moments = [
        Moment(0.00, (Sight("73126", 300, wide=45, score=0.95),)),
        Moment(0.05, (Sight("A23126", 290, wide=58),)),
        Moment(0.10, (Sight("A23126", 275, wide=68),)),
        *[Moment(0.15 + n / 20, (Sight("34A23126", 260 - 8 * n, wide=80),)) for n in range(12)],
    ]
    ran = run(monkeypatch, moments)
    assert ran.texts == ["34A23126"]


def test_a_better_text_is_told_too_and_names_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = [Moment(n / 18, (Sight("1AB2346", 20 + n, wide=60, score=0.93),)) for n in range(2)]
    near = [
        Moment((2 + n) / 18, (Sight("1AB2345", 25 + 4 * n, wide=90, high=22.5, score=0.99),))
        for n in range(40)
    ]
    ran = run(monkeypatch, [*far, *near])
    assert ran.texts == ["1AB2346", "1AB2345"]
    assert [one.again for one in ran.told] == [False, True]
    assert "1AB2346" in [text for text, _ in ran.items[1].fields["read"]["candidates"]]


def test_many_frames_that_agree_are_enough_while_none_is_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [
        Moment(n / 18, (Sight("1AB2345", 20 + 4 * n, wide=60 + n, score=SURE - 0.05),))
        for n in range(30)
    ]
    ran = run(monkeypatch, moments)
    assert ran.texts == ["1AB2345"]
    assert ran.items[0].captured_at < START + timedelta(seconds=MANY / 18)


def test_who_stays_without_a_sure_text_is_told_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [
        Moment(n / 5, (Sight("1AB2345", 300 + n / 10, score=0.6),))
        for n in range(round(5 * LONGEST_WAIT) + 10)
    ]
    ran = run(monkeypatch, moments)
    assert ran.texts == ["1AB2345"]
    assert len(ran.script.read) < len(moments)
    assert len(ran.script.read) > EAGER


def test_a_read_below_the_least_score_is_counted_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [Moment(n / 18, (Sight("1AB2345", 20 + 20 * n, score=0.3),)) for n in range(20)]
    ran = run(monkeypatch, moments, Settings(mode="read", min_score=0.9))
    assert ran.texts == []
    assert ran.fact("reads_unsure") == 1


def test_only_plates_in_the_region_of_interest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    region = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
    moments = [
        Moment(n / 18, (Sight("1AB2345", 20 + 20 * n, 250), Sight("9XY8765", 20 + 20 * n, 60)))
        for n in range(20)
    ]
    settings = Settings(mode="read", region_of_interest=region)
    assert run(monkeypatch, moments, settings).texts == ["1AB2345"]


def test_no_more_frames_are_looked_at_than_the_settings_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(mode="read", frames_per_second=6)
    ran = run(monkeypatch, passing("1AB2345", frames=36, speed=8), settings)
    assert len(ran.script.looked) == 12
    assert ran.texts == ["1AB2345"]
    assert ran.fact("frames_dropped") == 0


def test_what_cannot_be_kept_up_with_is_dropped_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script(passing("1AB2345", frames=28))
    begun, all_sent = threading.Event(), threading.Event()
    frames = script.frames

    def telling() -> Iterator[Frame]:
        """All others come while the first is looked at."""
        iterator = frames()
        yield next(iterator)
        assert begun.wait(10)
        yield from iterator
        all_sent.set()

    def slow(number: int) -> None:
        begun.set()
        if number == 1:
            assert all_sent.wait(10)

    script.before = slow
    script.frames = telling  # type: ignore[method-assign]
    ran = run(monkeypatch, script, waits=False)
    assert script.looked == [1, *range(28 - MOST_WAITING + 1, 29)]
    assert ran.fact("frames_dropped") == 27 - MOST_WAITING
    assert sorted(frame.number for frame, _ in ran.shown) == list(range(1, 29))


def test_a_source_that_can_wait_loses_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, passing("1AB2345", frames=28))
    assert ran.script.looked == list(range(1, 29))
    assert ran.fact("frames_dropped") == 0


def test_a_frame_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(passing("1AB2345"))

    def fail(number: int) -> None:
        if number == 3:
            raise RuntimeError("a bad frame")

    script.before = fail
    ran = run(monkeypatch, script)
    assert ran.fact("frames_failed") == 1
    assert ran.texts == ["1AB2345"]
    assert "pipeline" not in ran.health.troubles


def test_what_cannot_be_kept_is_counted_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, passing("1AB2345"), refuse=1)
    assert ran.items == []
    assert ran.fact("items_lost") == 1
    assert "publish" in ran.health.troubles
    moments = [*passing("1AB2345"), *empty(1.2, 5), *passing("9XY8765", begin=7)]
    ran = run(monkeypatch, moments, refuse=1)
    assert ran.texts == ["9XY8765"]
    assert "publish" not in ran.health.troubles


def test_a_change_of_mode_applies_to_the_next_vehicle(monkeypatch: pytest.MonkeyPatch) -> None:
    current = Settings(mode="read")
    moments = [*passing("1AB2345"), *empty(1.2, 5), *passing("9XY8765", begin=7)]
    script = Script(moments)

    def change(number: int) -> None:
        nonlocal current
        if moments[number - 1].at > 3:
            current = Settings(mode="crop", version=2)

    script.before = change
    ran = run(monkeypatch, script, lambda: current)
    assert [item.kind for item in ran.items] == ["read", "crop", "crop"]
    assert ran.texts == ["1AB2345", "9XY8765"]


def test_the_server_is_kept_from_closing_the_books_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A vehicle in view that is not told yet holds the watermark at its first frame."""
    moments = [Moment(1 + n / 18, (Sight("1AB2345", 20 + 20 * n, score=0.7),)) for n in range(20)]
    ran = run(monkeypatch, [*empty(0, 1), *moments])
    first = START + timedelta(seconds=1)
    assert ran.held[0] is None
    assert {one for one in ran.held[18:-1] if one} == {first}
    assert ran.held[-1] is None
    assert len(ran.items) == 1


def test_the_page_is_shown_where_plates_are_and_what_they_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = run(monkeypatch, passing("1AB2345"))
    assert [frame.number for frame, _ in ran.shown] == list(range(1, 21))
    frame, marks = ran.shown[-1]
    (mark,) = marks
    assert mark.text == "1AB2345"
    assert mark.place[0] == pytest.approx(20 + 20 * (frame.number - 1), abs=1)


@pytest.mark.parametrize("blur", ["none", "plates", "surroundings"])
def test_a_plate_that_is_on_no_track_is_shown_and_blurred_as_one(
    monkeypatch: pytest.MonkeyPatch, blur: Blur
) -> None:
    """One too far away to be read; and one outside the region, which is blurred with the plates."""
    moments = [
        Moment(n / 18, (Sight(None, 100 + 5 * n), Sight("1AB2345", 500, 100))) for n in range(20)
    ]
    settings = Settings(mode="read", blur=blur, region_of_interest=LEFT)
    ran = run(monkeypatch, moments, settings)
    frame, marks = ran.shown[-1]
    expected = [100.0 + 5 * (frame.number - 1), *([500.0] if blur == "plates" else [])]
    assert sorted(mark.place[0] for mark in marks) == pytest.approx(expected, abs=1)
    assert [mark.text for mark in marks] == [None] * len(expected)


def test_a_plate_outside_the_region_leaves_unreadable_where_plates_are_blurred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [
        Moment(n / 18, (Sight("1AB2345", 20 + 10 * n), Sight("9XY8765", 500, 100)))
        for n in range(20)
    ]
    seen = {}
    blurs: tuple[Blur, ...] = ("none", "plates")
    for blur in blurs:
        settings = Settings(mode="read", blur=blur, region_of_interest=LEFT)
        ran = run(monkeypatch, moments, settings)
        assert ran.texts == ["1AB2345"]
        assert ran.items[0].wanted is not None
        raw = np.frombuffer(ran.items[0].wanted, np.uint8)
        whole = np.asarray(cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE))
        seen[blur] = whole[102:118, 505:575]
    assert np.abs(seen["none"].astype(int) - seen["plates"].astype(int)).mean() > 5


def test_a_dropped_frame_is_not_shown_where_something_is_to_be_blurred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blurs: tuple[Blur, ...] = ("none", "plates")
    for blur in blurs:
        script = Script(passing("1AB2345", frames=60))
        script.before = lambda _: time.sleep(0.005)
        ran = run(monkeypatch, script, Settings(mode="read", blur=blur), waits=False)
        dropped = ran.fact("frames_dropped")
        assert dropped > 0
        assert len(ran.shown) == 60 - (dropped if blur == "plates" else 0)


def test_what_was_handed_over_is_kept_though_the_end_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("at the very end")

    monkeypatch.setattr(Pipeline, "_finish", fail)
    closed: list[Publisher] = []
    close = Publisher.close

    def noted(publisher: Publisher) -> None:
        close(publisher)
        closed.append(publisher)

    monkeypatch.setattr(Publisher, "close", noted)
    with pytest.raises(RuntimeError):
        run(monkeypatch, passing("1AB2345"))
    assert len(closed) == 1


def test_what_is_in_view_when_it_stops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    script = Script([Moment(n / 18, (Sight("1AB2345", 20 + 5 * n, score=0.7),)) for n in range(60)])
    script.before = lambda number: stop.set() if number == 10 else None
    ran = run(monkeypatch, script, stop=stop)
    assert ran.texts == ["1AB2345"]
    assert script.closed
