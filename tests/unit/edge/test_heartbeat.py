"""The heartbeat: what it says, what it does with the answer, how it bears a server that is away."""

import random
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cameras import values
from edge.clock import Clock
from edge.device import device_facts
from edge.health import Health
from edge.heartbeat import LONGEST_PAUSE_S, Heartbeat
from edge.hits import PURPOSE, Hits
from edge.remote import Remote
from edge.sealing import Sealer
from edge.settings import Settings
from edge.spool import State
from edge.transport import BatchRefused, KeyRefused, Later, TooMuch, Unreachable
from tests.unit.edge.steps import Steps
from tests.unit.edge.test_hits import ANSWER

WATERMARK = datetime(2026, 3, 1, 11, 59, tzinfo=UTC)


class Server:
    """The other end of the line: keeps what it gets, answers what it is told."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.bodies: list[dict[str, Any]] = []
        self.pictures: dict[str, bytes] = {}
        self.asked_with: list[str | None] = []
        self.answer: dict[str, Any] = {}
        self.ahead = timedelta(0)
        self.refuse: Callable[[Mapping[str, Any]], Exception | None] = lambda body: None
        self.picture_error: Exception | None = None
        self.list: tuple[str | None, Any] | None = ('"e1"', ANSWER)

    def heartbeat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if (error := self.refuse(body)) is not None:
            raise error
        self.bodies.append(dict(body))
        self.steps.ticks += 0.1
        now = self.steps.clock.utc() + self.ahead
        self.steps.ticks += 0.1
        return {"received_at": now.isoformat(), **self.answer}

    def put_picture(self, capture_id: str, picture: bytes) -> None:
        if self.picture_error is not None:
            raise self.picture_error
        self.pictures[capture_id] = picture

    def hotlist(self, etag: str | None) -> tuple[str | None, Any] | None:
        self.asked_with.append(etag)
        return None if etag == '"e1"' else self.list


class Store:
    def __init__(self) -> None:
        self.kept = {"c1": b"one", "c2": b"two"}

    def watermark(self) -> datetime:
        return WATERMARK

    def state(self) -> State:
        return State(waiting=7, refused=1, bytes=9000, oldest_s=61.5)

    def larger(self, capture_id: str) -> bytes | None:
        return self.kept.get(capture_id)

    def larger_done(self, capture_id: str) -> None:
        self.kept.pop(capture_id)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.steps, self.store, self.health = Steps(), Store(), Health()
        self.server = Server(self.steps)
        self.remote = Remote(folder / "settings.json", Settings(), self.health)
        self.hits = Hits(
            folder / "hotlist",
            Sealer(b"s" * 32, PURPOSE),
            lambda: datetime(2026, 3, 1, 13, tzinfo=UTC),
            self.health,
        )
        self.thumbnails: list[bytes | None] = []
        self.heart = Heartbeat(
            self.server,
            self.store,
            self.steps.clock,
            self.health,
            self.remote,
            self.hits,
            folder=folder,
            thumbnail=lambda: self.thumbnails.pop(0) if self.thumbnails else None,
            draw=random.Random(1),
        )

    @property
    def said(self) -> dict[str, Any]:
        return self.server.bodies[-1]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# --- what is said ---------------------------------------------------------------------------------


def test_it_says_how_the_device_is(bench: Bench) -> None:
    bench.health.count("frames_dropped", 3)
    bench.health.count("spool_evicted_frame", 2)
    bench.health.count("spool_evicted_larger", 1)
    bench.health.note("mode", "crop")
    bench.health.note("mode_why", "cpu")
    bench.health.note("mode_because", "a sentence for people")
    bench.health.trouble("source", "No picture for 20 s.")
    bench.heart.beat()
    detail = bench.said["detail"]
    assert bench.said["queue_depth"] == 7
    assert bench.said["through"] == WATERMARK.isoformat()
    assert datetime.fromisoformat(bench.said["sent_at"]).tzinfo is not None
    assert (detail["dropped"], detail["spool_evicted"]) == (3, 3)
    assert (detail["mode"], detail["mode_because"]) == ("crop", "cpu")
    assert detail["trouble_source"] is True
    assert detail["disk_free_mb"] > 0


def test_the_server_takes_everything_it_may_say(bench: Bench) -> None:
    """Against the server's own reading of a heartbeat: a fact it does not know would cost all."""
    from edge.heartbeat import _TOLD, _TROUBLES

    words = {
        "mode": "read",
        "mode_why": "bandwidth",
        "precision": "int8",
        "provider": "TensorrtExecutionProvider",
    }
    for name in _TOLD:
        bench.health.note(name, words.get(name, "rest" if name == "transport" else 1.5))
    for part in _TROUBLES:
        bench.health.trouble(part, "Something.")
    bench.heart.beat()
    detail = values.facts(bench.said["detail"], "detail", allowed=values.DETAIL)
    assert detail.keys() >= {*_TOLD.values(), "version", *(f"trouble_{one}" for one in _TROUBLES)}
    assert values.TROUBLES == _TROUBLES


def test_no_sentence_of_a_trouble_and_no_unknown_trouble_leaves(bench: Bench) -> None:
    bench.health.trouble("source", "rtsp://user:word@camera/ does not answer.")
    bench.health.trouble("anything", "The program fails.")
    bench.heart.beat()
    assert "word@camera" not in str(bench.said)
    assert "trouble_anything" not in bench.said["detail"]


def test_the_machine_is_told_as_far_as_it_tells_itself(tmp_path: Path) -> None:
    facts = device_facts(tmp_path)
    for name in ("cpu_percent", "memory_percent", "disk_percent"):
        assert 0 <= float(facts[name]) <= 100
    assert float(facts["memory_mb"]) > 1
    assert "disk_percent" not in device_facts(tmp_path / "is not there")


def test_a_thumbnail_now_and_then(bench: Bench) -> None:
    bench.thumbnails = [b"first", b"second"]
    bench.heart.beat()
    assert b64decode(bench.said["thumbnail"]) == b"first"
    bench.steps.ticks += 59 * 60
    bench.heart.beat()
    assert "thumbnail" not in bench.said
    bench.steps.ticks += 60
    bench.heart.beat()
    assert b64decode(bench.said["thumbnail"]) == b"second"
    bench.remote.offer({"version": 1, "thumbnail_minutes": 0})
    bench.steps.ticks += 24 * 3600
    bench.thumbnails = [b"third"]
    bench.heart.beat()
    assert "thumbnail" not in bench.said


def test_a_thumbnail_that_never_left_is_tried_again(bench: Bench) -> None:
    bench.thumbnails = [b"first", b"second"]
    bench.server.refuse = lambda body: Unreachable("No connection.")
    bench.heart.next_pause()
    bench.server.refuse = lambda body: None
    bench.heart.beat()
    assert b64decode(bench.said["thumbnail"]) == b"second"


@pytest.mark.parametrize("error", [TooMuch("Too much."), BatchRefused("thumbnail_invalid", None)])
def test_a_thumbnail_that_is_refused_does_not_stop_the_heart(
    bench: Bench, error: Exception
) -> None:
    bench.thumbnails = [b"first", b"second"]
    bench.server.refuse = lambda body: error if "thumbnail" in body else None
    bench.heart.next_pause()
    bench.heart.next_pause()
    assert "thumbnail" not in bench.said


def test_an_older_server_is_spared_what_it_does_not_know(bench: Bench) -> None:
    unknown = ["detail.glimpses", "settings_version", "detail.hits"]

    def refuse(body: Mapping[str, Any]) -> Exception | None:
        for name in unknown:
            home, _, last = name.rpartition(".")
            if last in (body[home] if home else body):
                return BatchRefused("unknown_field", name)
        return None

    bench.health.count("glimpses")
    bench.server.refuse = refuse
    bench.heart.beat()
    assert len(bench.server.bodies) == 1
    assert "glimpses" not in bench.said["detail"]
    assert "settings_version" not in bench.said
    assert bench.said["queue_depth"] == 7


def test_what_is_needed_is_never_left_out(bench: Bench) -> None:
    bench.server.refuse = lambda body: BatchRefused("unknown_field", "queue_depth")
    with pytest.raises(BatchRefused):
        bench.heart.beat()
    bench.server.refuse = lambda body: None
    bench.heart.beat()
    assert bench.said["queue_depth"] == 7


# --- what is heard --------------------------------------------------------------------------------


def test_the_servers_time_sets_the_clock(bench: Bench) -> None:
    bench.server.ahead = timedelta(hours=1)
    before = bench.steps.clock.utc()
    bench.heart.beat()
    assert bench.steps.clock.utc() - before == pytest.approx(
        timedelta(hours=1, seconds=0.2), abs=timedelta(seconds=0.2)
    )
    assert bench.health.snapshot()["clock_offset_s"] == pytest.approx(3600, abs=0.2)


@pytest.mark.parametrize("said", [None, "", "soon", 7, "2026-03-01T12:00:00"])
def test_a_time_that_is_none_sets_nothing(bench: Bench, said: Any) -> None:
    bench.server.answer = {"received_at": said}
    bench.heart.beat()
    assert bench.steps.clock.offset_s is None


def test_a_device_that_does_not_know_the_time_says_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as timeless:
        timeless.setattr(Clock, "known_since", None)
        bench.heart.beat()
    assert "sent_at" not in bench.said
    bench.heart.beat()
    assert "sent_at" in bench.said


def test_settings_are_applied_and_told(bench: Bench) -> None:
    bench.server.answer = {"settings": {"version": 5, "mode": "crop"}}
    bench.heart.beat()
    assert bench.remote().mode == "crop"
    bench.heart.beat()
    assert bench.said["settings_version"] == 5
    assert "settings_refused" not in bench.said


def test_settings_that_cannot_be_are_refused_in_the_next_heartbeat(bench: Bench) -> None:
    bench.server.answer = {"settings": {"version": 6, "min_score": 3}}
    bench.heart.beat()
    bench.heart.beat()
    assert bench.said["settings_version"] == 0
    refused = bench.said["settings_refused"]
    assert (refused["version"], refused["field"]) == (6, "min_score")
    assert "between" in refused["sentence"]


def test_pictures_that_are_wanted_are_sent_once(bench: Bench) -> None:
    bench.server.answer = {"wanted": ["c2", "gone", 5, "c1"]}
    bench.heart.beat()
    assert bench.server.pictures == {"c1": b"one", "c2": b"two"}
    assert bench.store.kept == {}
    assert bench.health.snapshot()["wanted_gone"] == 1


def test_a_picture_the_line_could_not_take_is_kept_and_one_refused_is_not(bench: Bench) -> None:
    bench.server.answer = {"wanted": ["c1"]}
    bench.server.picture_error = Unreachable("No connection.")
    bench.heart.next_pause()
    assert "c1" in bench.store.kept
    bench.server.picture_error = BatchRefused("picture_not_wanted", None)
    bench.heart.next_pause()
    assert "c1" not in bench.store.kept


def test_the_watchlist_is_fetched_kept_and_dropped_as_the_server_says(bench: Bench) -> None:
    bench.server.answer = {"settings": {"version": 1, "watch": True}, "hotlist": True}
    bench.heart.beat()
    bench.heart.beat()
    assert bench.server.asked_with == [None, '"e1"']
    at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert bench.hits.check("1AB2345", at) is not None
    bench.server.answer = {"settings": {"version": 2, "watch": False}, "hotlist": False}
    bench.heart.beat()
    assert bench.hits.check("1AB2345", at) is None
    assert len(bench.server.asked_with) == 2


def test_a_line_too_thin_for_a_picture_still_brings_the_watchlist(bench: Bench) -> None:
    settings = {"version": 1, "watch": True}
    bench.server.answer = {"settings": settings, "hotlist": True, "wanted": ["c1"]}
    bench.server.picture_error = Unreachable("The line is too slow.")
    bench.heart.next_pause()
    assert bench.hits.etag == '"e1"'


def test_no_watchlist_is_asked_for_unless_the_settings_say_so(bench: Bench) -> None:
    bench.server.answer = {"hotlist": True}
    bench.heart.beat()
    assert bench.server.asked_with == []


# --- when it beats --------------------------------------------------------------------------------


def test_beats_come_each_minute_and_not_in_step(bench: Bench) -> None:
    pauses = [bench.heart.next_pause() for _ in range(50)]
    assert 54 <= min(pauses) < 57
    assert 63 < max(pauses) <= 66
    bench.remote.offer({"version": 1, "heartbeat_seconds": 10})
    assert 9 <= bench.heart.next_pause() <= 11


@pytest.mark.parametrize("error", [Unreachable("No connection."), KeyRefused("Not this key.")])
def test_a_server_that_is_away_is_asked_soon_and_then_seldom(
    bench: Bench, error: Exception
) -> None:
    bench.server.refuse = lambda body: error
    pauses = [bench.heart.next_pause() for _ in range(20)]
    assert pauses[0] <= 1
    assert LONGEST_PAUSE_S / 2 <= pauses[-1] <= LONGEST_PAUSE_S
    assert bench.health.troubles["heartbeat"] == str(error)
    bench.server.refuse = lambda body: None
    assert bench.heart.next_pause() >= 54
    assert "heartbeat" not in bench.health.troubles
    assert bench.health.snapshot()["heartbeats_missed"] == 20


def test_a_server_that_asks_for_patience_gets_it(bench: Bench) -> None:
    bench.server.refuse = lambda body: Later("Patience.", 300.0)
    assert bench.heart.next_pause() == 300.0


def test_whatever_fails_the_next_beat_comes_and_says_nothing_it_should_not(bench: Bench) -> None:
    bench.server.refuse = lambda body: RuntimeError("1AB2345")
    assert 54 <= bench.heart.next_pause() <= 66
    assert "1AB2345" not in bench.health.troubles["heartbeat"]
