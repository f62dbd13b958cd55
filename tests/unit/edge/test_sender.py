"""The sender: everything taken once and in order, whatever the road answers."""

import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge.health import Health
from edge.settings import Settings
from edge.spool import Spool, Spooled
from edge.transport import (
    Answer,
    BatchRefused,
    KeyRefused,
    Later,
    Misanswered,
    NotYet,
    Outcome,
    Refused,
    Taken,
    TooMuch,
    TransportError,
    Unreachable,
)
from edge.transport.sender import MOST_ITEMS, Sender
from tests.unit.edge.spooling import BEGIN, Clock, make_item, make_spool, waiting

Judge = Callable[[Sequence[str]], Sequence[Outcome]]


class Road:
    """A transport that does what it is told, attempt by attempt, and then takes everything."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.plan: list[TransportError | Judge] = []
        self.always: TransportError | Judge | None = None
        self.asked: list[list[str]] = []
        self.taken: list[str] = []
        self.seconds, self.bytes_each = 0.1, 1000
        self.through: list[datetime] = []
        self.sent_at: list[datetime | None] = []
        self.closed = False

    def send(
        self, items: Sequence[Spooled], *, sent_at: datetime | None, through: datetime
    ) -> Answer:
        self.through.append(through)
        self.sent_at.append(sent_at)
        names = [one.item.event_id for one in items]
        self.asked.append(names)
        self.clock.seconds += self.seconds
        said = self.plan.pop(0) if self.plan else self.always
        if isinstance(said, TransportError):
            raise said
        outcomes = said(names) if said else [Taken(f"capture of {name}") for name in names]
        pairs = zip(names, outcomes, strict=True)
        self.taken += [name for name, outcome in pairs if isinstance(outcome, Taken)]
        return Answer(outcomes, self.bytes_each * len(names))

    def close(self) -> None:
        self.closed = True


class Scene:
    def __init__(self, folder: Path) -> None:
        self.clock, self.health = Clock(), Health()
        self.spool: Spool = make_spool(folder, self.clock, self.health)
        self.road = Road(self.clock)
        self.settings = Settings()
        self.sender = Sender(
            self.spool,
            self.road,
            clock=self.clock,
            health=self.health,
            settings=lambda: self.settings,
            draw=random.Random(1),
        )

    def put(self, count: int) -> list[str]:
        for number in range(count):
            self.spool.put(make_item(number))
        return [f"event-{number}" for number in range(count)]

    def steps(self, most: int = 1000) -> list[float]:
        """Step until nothing waits; the pauses on the way."""
        pauses: list[float] = []
        while (pause := self.sender.step()) is not None:
            self.clock.seconds += pause
            pauses.append(pause)
            assert len(pauses) < most, "it never ends"
        return pauses


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def refuse(name: str, code: str = "plate_too_long") -> Judge:
    return lambda names: [Refused(code) if one == name else Taken() for one in names]


def test_all_goes_in_order_in_batches_of_the_server(scene: Scene) -> None:
    names = scene.put(250)
    assert scene.steps() == [0.0, 0.0, 0.0]
    assert scene.road.taken == names
    assert [len(batch) for batch in scene.road.asked] == [MOST_ITEMS, MOST_ITEMS, 50]
    told = scene.health.snapshot()
    assert (told["items_sent"], told["batches_sent"], told["bytes_sent"]) == (250, 3, 250_000)
    assert scene.sender.step() is None


def test_each_batch_says_what_is_complete_once_it_has_arrived(scene: Scene) -> None:
    scene.put(250)
    scene.clock.seconds = 1000
    scene.steps()
    first, second, third = scene.road.through
    assert BEGIN + timedelta(seconds=99) < first < BEGIN + timedelta(seconds=100)
    assert BEGIN + timedelta(seconds=199) < second < BEGIN + timedelta(seconds=200)
    assert third > BEGIN + timedelta(seconds=980)


@pytest.mark.parametrize(
    "error", [Unreachable("No line."), Misanswered("Garbage."), Later("Patience.")]
)
def test_what_was_not_taken_goes_again_later_and_later(scene: Scene, error: TransportError) -> None:
    names = scene.put(30)
    scene.road.plan = [error] * 6
    pauses = scene.steps()
    waits = pauses[:6]
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits))
    assert set(pauses[6:]) == {0.0}
    assert scene.road.taken == names
    assert scene.health.snapshot()["sends_failed"] == 6
    assert scene.health.troubles == {}


def test_trouble_is_said_in_words_while_it_lasts(scene: Scene) -> None:
    scene.put(1)
    scene.road.plan = [Unreachable("No connection to the server (Timeout).")]
    scene.sender.step()
    assert scene.health.troubles["sender"].startswith("No connection to the server (Timeout). Try")
    scene.sender.step()
    assert scene.health.troubles == {}


def test_batches_halve_when_broken_and_grow_again(scene: Scene) -> None:
    scene.put(400)
    scene.road.plan = [Unreachable("No line.")] * 2
    scene.steps()
    assert [len(batch) for batch in scene.road.asked] == [100, 50, 25, 50, 100, 100, 100, 25]


def test_patience_is_given_as_long_as_asked(scene: Scene) -> None:
    names = scene.put(3)
    scene.road.plan = [Later("Patience.", seconds) for seconds in (120.0, 10.0**9, 0.0)]
    first, second, third, _ = scene.steps()
    assert 120 <= first <= 132
    assert 3600 <= second <= 3960
    assert third >= 0.5
    assert scene.road.taken == names
    assert [len(batch) for batch in scene.road.asked] == [3, 3, 3, 3]


def test_too_much_is_tried_with_half_at_once(scene: Scene) -> None:
    names = scene.put(9)

    def at_most_two(sent: Sequence[str]) -> Sequence[Outcome]:
        if len(sent) > 2:
            raise TooMuch("Too much.")
        return [Taken() for _ in sent]

    scene.road.always = at_most_two
    assert set(scene.steps()) == {0.0}
    assert scene.road.taken == names


def test_one_that_is_too_large_alone_is_set_aside(scene: Scene) -> None:
    names = scene.put(5)

    def not_the_third(sent: Sequence[str]) -> Sequence[Outcome]:
        if "event-2" in sent:
            raise TooMuch("Too much.")
        return [Taken() for _ in sent]

    scene.road.always = not_the_third
    scene.steps()
    assert scene.road.taken == [name for name in names if name != "event-2"]
    assert [(one.event_id, one.code) for one in scene.spool.refused()] == [("event-2", "too_large")]


def test_a_refused_item_harms_no_neighbour(scene: Scene) -> None:
    names = scene.put(5)
    scene.road.plan = [refuse("event-3")]
    scene.steps()
    assert scene.road.taken == [name for name in names if name != "event-3"]
    assert [one.code for one in scene.spool.refused()] == ["plate_too_long"]
    assert len(scene.road.asked) == 1


def test_a_request_refused_as_a_whole_is_taken_apart(scene: Scene) -> None:
    names = scene.put(8)

    def without_the_sixth(sent: Sequence[str]) -> Sequence[Outcome]:
        if "event-5" in sent:
            raise BatchRefused("json_malformed")
        return [Taken() for _ in sent]

    scene.road.always = without_the_sixth
    scene.steps()
    assert scene.road.taken == [name for name in names if name != "event-5"]
    assert [(o.event_id, o.code) for o in scene.spool.refused()] == [("event-5", "json_malformed")]


def test_items_not_taken_just_now_go_again(scene: Scene) -> None:
    names = scene.put(4)
    scene.road.plan = [lambda sent: [Taken(), NotYet(), Taken(), NotYet()]]
    pauses = scene.steps()
    assert pauses[0] > 0
    assert sorted(scene.road.taken) == names
    assert scene.road.asked[1] == ["event-1", "event-3"]


def test_an_item_the_server_fails_over_is_set_aside_if_the_next_one_passes(scene: Scene) -> None:
    names = scene.put(10)

    def fails_over_one(sent: Sequence[str]) -> Sequence[Outcome]:
        if "event-4" in sent:
            raise Misanswered("The server is not well (500).")
        return [Taken() for _ in sent]

    scene.road.always = fails_over_one
    scene.steps()
    assert sorted(scene.road.taken) == [name for name in names if name != "event-4"]
    assert [(o.event_id, o.code) for o in scene.spool.refused()] == [("event-4", "server_error")]


def test_a_server_that_fails_over_everything_costs_nothing(scene: Scene) -> None:
    names = scene.put(10)
    scene.road.always = Misanswered("The server is not well (500).")
    for _ in range(50):
        scene.sender.step()
    assert scene.spool.refused() == []
    assert waiting(scene.spool) == names
    scene.road.always = None
    scene.steps()
    assert scene.road.taken == names


def test_a_broken_line_makes_no_item_suspect(scene: Scene) -> None:
    scene.put(2)

    def breaks_over_one(sent: Sequence[str]) -> Sequence[Outcome]:
        if "event-0" in sent:
            raise Unreachable("Too slow.")
        return [Taken() for _ in sent]

    scene.road.always = breaks_over_one
    for _ in range(50):
        scene.sender.step()
    assert scene.spool.refused() == []
    assert scene.road.taken == []


def test_a_device_whose_key_is_refused_keeps_everything(scene: Scene) -> None:
    names = scene.put(3)
    scene.road.plan = [KeyRefused("The server refuses this device's key (key_revoked).")] * 3
    pauses = [scene.sender.step() for _ in range(3)]
    assert all(pause is not None and 30 <= pause <= 60 for pause in pauses)
    assert "key_revoked" in scene.health.troubles["sender"]
    scene.steps()
    assert scene.road.taken == names


def test_the_bandwidth_is_that_of_the_last_large_batches(scene: Scene) -> None:
    scene.put(100)
    scene.road.bytes_each, scene.road.seconds = 1000, 2.0
    scene.sender.step()
    assert scene.health.snapshot()["bytes_per_second"] == 50_000
    scene.spool.put(make_item(1000))
    scene.sender.step()  # a small one that takes as long says nothing
    assert scene.health.snapshot()["bytes_per_second"] == 50_000
    for number in range(2000, 2020):
        scene.spool.put(make_item(number))
    scene.road.bytes_each = 1000
    scene.sender.step()
    assert 10_000 < int(str(scene.health.snapshot()["bytes_per_second"])) < 50_000


def test_a_slow_line_gets_small_batches(scene: Scene) -> None:
    for number in range(40):
        scene.spool.put(make_item(number, size=20_000))
    scene.road.bytes_each, scene.road.seconds = 20_000, 20.0
    scene.steps()
    assert len(scene.road.asked[0]) > 4
    assert {len(batch) for batch in scene.road.asked[1:-1]} == {3}


def test_settings_of_the_server_apply_to_what_is_kept(scene: Scene) -> None:
    scene.put(5)
    scene.settings = Settings(keep_hours=1)
    scene.road.always = Unreachable("No line.")
    scene.clock.seconds = 3600 + 2.5
    scene.sender.step()
    assert waiting(scene.spool) == ["event-3", "event-4"]


def test_a_disk_in_trouble_is_said_and_waited_for(scene: Scene) -> None:
    scene.put(2)
    scene.spool._file.db.execute("PRAGMA query_only = ON")
    pause = scene.sender.step()
    assert pause
    assert "spool" in scene.health.troubles["sender"]
    scene.spool._file.db.execute("PRAGMA query_only = OFF")
    scene.steps()
    assert scene.road.taken[-2:] == ["event-0", "event-1"]
    assert scene.health.troubles == {}


def test_it_runs_in_a_thread_until_told_to_stop(scene: Scene) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=scene.sender.run, args=(stop,))
    thread.start()
    came = threading.Event()

    def take(names: Sequence[str]) -> Sequence[Outcome]:
        came.set()
        return [Taken() for _ in names]

    scene.road.always = take
    scene.spool.put(make_item(1))
    assert came.wait(20)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert scene.road.closed
    assert scene.road.taken == ["event-1"]


def test_a_device_that_does_not_know_the_time_does_not_say_one(scene: Scene) -> None:
    scene.clock.known_since = None
    scene.put(1)
    scene.steps()
    assert scene.road.sent_at == [None]
    assert scene.road.through[0].year == 1970
    scene.clock.known_since = scene.clock.seconds
    scene.spool.put(make_item(7))
    at = scene.clock.utc(scene.clock.seconds)
    scene.steps()
    assert scene.road.sent_at[1] == at
