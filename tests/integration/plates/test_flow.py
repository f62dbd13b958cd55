"""Bells, leases, the sweeper and the partitions: what keeps rows moving when messages get lost."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection, connections, transaction
from kombu import pools

import enforcement.cases.tasks
import enforcement.visits.tasks
import enforcement.watchlist.tasks  # noqa: F401  (registers its task, like the two above)
from cameras.models import Camera, Capture
from core import stages
from core.leases import claim, untried
from core.stages import STAGES, UNHEARD_SECONDS, hear, ring, ring_now, task_name
from plates import tasks
from plates.gathering import reads_gather
from plates.models import Passage, PlateRead
from plates.partitions import MONTHS_AHEAD, MONTHS_BACK, TABLE, partitions_ensure
from plates.recognition import Found, Outcome
from plates.services import capture_finish, captures_recognise
from tests.integration.road import Road
from vault import files
from vault.models import DoomedFile

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LEASE = timedelta(seconds=15)
QUEUES = {stage.queue for stage in STAGES.values()}
CLOSED = "redis://127.0.0.1:1/0"


@pytest.fixture
def road() -> Road:
    return Road("parking", {"in": "entry", "out": "exit"}, T)


def use_broker(url: str) -> None:
    """Let the Celery application of this process talk to another broker from now on."""
    pools.reset()
    current_app._pool = None
    current_app.amqp._producer_pool = None
    current_app.conf.broker_url = url
    current_app.conf.broker_read_url = current_app.conf.broker_write_url = url


class Broker:
    """The real broker's queues, in a database of its own so that no worker empties them."""

    def __init__(self) -> None:
        self.url = urlsplit(settings.REDIS_URL)._replace(path="/9").geturl()
        self.client = redis.Redis.from_url(self.url)

    def empty(self) -> None:
        self.client.delete(*QUEUES, *(f"pw:bell:{stage}" for stage in STAGES))

    def bells(self) -> Counter[str]:
        """How often each task waits in its queue."""
        return Counter(
            json.loads(message)["headers"]["task"]
            for queue in QUEUES
            for message in self.client.lrange(queue, 0, -1)
        )

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(one) for queue in QUEUES for one in self.client.lrange(queue, 0, -1)]


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    broker.empty()
    use_broker(broker.url)
    yield broker
    broker.empty()
    use_broker(settings.CELERY_BROKER_URL)


@pytest.fixture
def no_broker() -> Iterator[None]:
    use_broker(CLOSED)
    yield
    use_broker(settings.CELERY_BROKER_URL)


def sweep(broker: Broker) -> Counter[str]:
    broker.empty()
    tasks.sweep()
    return broker.bells()


ALWAYS = Counter({f"stage.{name}": 1 for name in ("judge", "rejudge", "act", "deliver")})


# --- bells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_bell_is_the_stages_name_on_its_queue_and_nothing_else(
    broker: Broker, stage: str
) -> None:
    assert ring_now(stage) is True
    (message,) = broker.messages()
    assert message["headers"]["task"] == task_name(stage)
    assert message["properties"]["delivery_info"]["routing_key"] == STAGES[stage].queue
    assert message["headers"]["argsrepr"] == "()"
    assert message["headers"]["kwargsrepr"] == "{}"
    assert message["headers"]["expires"] is not None


def test_a_bell_rings_only_when_its_transaction_commits(broker: Broker) -> None:
    with transaction.atomic():
        ring("gather")
        assert broker.bells() == Counter()
    assert broker.bells() == Counter({"stage.gather": 1})
    broker.empty()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ring("gather")
        raise ZeroDivisionError
    assert broker.bells() == Counter()


def test_a_stage_that_is_not_in_the_flow_is_a_mistake_in_the_code() -> None:
    with pytest.raises(KeyError):
        task_name("recognize")


def test_without_a_broker_nothing_fails_and_the_row_is_stored(no_broker: None, road: Road) -> None:
    assert ring_now("recognise") is False
    capture = road.send("1AB2345", "in", T)
    assert Capture.objects.get(pk=capture.pk).status == "received"
    assert captures_recognise(now=T) == 1
    assert reads_gather(now=T) == 1
    tasks.sweep()
    assert Passage.objects.count() == 1


def test_an_unknown_broker_error_does_not_reach_the_caller(
    monkeypatch: pytest.MonkeyPatch, road: Road
) -> None:
    def burst(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("not a broker error at all")

    monkeypatch.setattr(current_app, "send_task", burst)
    road.send("1AB2345", "in", T)
    assert Capture.objects.count() == 1


def test_what_recognition_wakes(broker: Broker, road: Road) -> None:
    road.send("1AB2345", "in", T)
    assert broker.bells() == Counter({"stage.recognise": 1})
    broker.empty()
    captures_recognise(now=T)
    assert broker.bells() == Counter({"stage.watch": 1, "stage.gather": 1})
    broker.empty()
    reads_gather(now=T)
    assert broker.bells() == Counter({"stage.judge": 1})
    broker.empty()
    unreadable = road.send("1AB2345", "in", T + SECOND)
    capture_finish(capture=unreadable, outcome=Outcome(), now=T)
    broker.empty()
    assert reads_gather(now=T) == 0
    assert broker.bells() == Counter(), "nothing to wake anybody for"


# --- the sweeper ----------------------------------------------------------------------------------


def test_the_sweeper_rings_for_whatever_waits(broker: Broker, road: Road) -> None:
    assert sweep(broker) == ALWAYS
    for second in range(3):
        road.send("1AB2345", "in", T + second * SECOND)
    assert sweep(broker) == ALWAYS + Counter({"stage.recognise": 1})
    while captures_recognise(now=T):
        pass
    assert sweep(broker) == ALWAYS + Counter({"stage.watch": 1, "stage.gather": 1})
    PlateRead.objects.update(watched_at=T)
    assert sweep(broker) == ALWAYS + Counter({"stage.gather": 1})
    while reads_gather(now=T):
        pass
    assert sweep(broker) == ALWAYS


def test_a_crowd_of_captures_gets_one_bell_until_it_is_heard(
    broker: Broker, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "UNHEARD_SECONDS", 600)
    for second in range(20):
        road.send("1AB2345", "in", T + second * SECOND)
    assert broker.bells() == Counter({"stage.recognise": 1})
    hear("recognise")
    road.send("1AB2345", "in", T + 20 * SECOND)
    assert broker.bells() == Counter({"stage.recognise": 2}), "whoever heard it may look too early"


def test_a_bell_that_was_lost_is_not_waited_for_long(broker: Broker) -> None:
    ring_now("recognise")
    (seconds,) = {broker.client.ttl("pw:bell:recognise")}
    assert 0 < seconds <= UNHEARD_SECONDS


def test_every_task_that_can_be_rung_for_hears_its_bell(broker: Broker) -> None:
    for stage in ("recognise", "watch", "gather", "judge", "rejudge", "act"):
        ring_now(stage)
        current_app.tasks[f"stage.{stage}"]()
        assert not broker.client.exists(f"pw:bell:{stage}"), stage


class Clock:
    """Time that passes only when somebody sleeps, or the test says so."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_process_looks_ten_times_a_second_at_most(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(tasks, "time", clock)
    monkeypatch.setattr(tasks, "_looked", {})
    for wait in (0.0, 0.03, 5.0):
        clock.now += wait
        tasks.answer("gather")
    assert clock.slept == [0.0, pytest.approx(tasks._PACE - 0.03), 0.0]


def test_the_sweeper_closes_what_is_over_and_wakes_the_judge(broker: Broker, road: Road) -> None:
    road.send("1AB2345", "in", T)
    captures_recognise(now=T)
    reads_gather(now=T)
    PlateRead.objects.update(watched_at=T)
    Camera.objects.update(through=T + DAY)
    assert sweep(broker) == ALWAYS
    assert Passage.objects.get().status == "closed"


def test_the_sweeper_removes_files_whose_rows_are_gone(sealed_store: Path, broker: Broker) -> None:
    name = files.put(b"ciphertext", now=T)
    DoomedFile.objects.create(name=name, doomed_at=T)  # the process died between commit and removal
    sweep(broker)
    assert not (sealed_store / name).exists()
    assert not DoomedFile.objects.exists()


def test_a_stage_that_never_ends_rings_again_and_lets_others_have_a_turn(broker: Broker) -> None:
    calls = []

    def step(now: datetime) -> int:
        calls.append(now)
        return 1

    tasks.drain(step, "gather", most=1, seconds=-1.0)
    assert len(calls) == 1
    assert broker.bells() == Counter({"stage.gather": 1})


def test_the_tasks_do_what_their_names_say(road: Road, broker: Broker) -> None:
    road.send("1AB2345", "in", T)
    current_app.tasks["stage.recognise"]()
    assert PlateRead.objects.count() == 1
    current_app.tasks["stage.gather"]()
    assert Passage.objects.count() == 1


# --- leases ---------------------------------------------------------------------------------------


def take(limit: int, now: datetime = T) -> list[Capture]:
    waiting = Capture.objects.filter(status=Capture.Status.RECEIVED)
    return claim(waiting, limit=limit, lease=LEASE, now=now)


def test_a_claim_takes_the_oldest_first_and_marks_them(road: Road) -> None:
    sent = [road.send("1AB2345", "in", T + n * SECOND, now=T + DAY) for n in (3, 1, 2, 0)]
    oldest = [one.pk for one in sorted(sent, key=lambda one: one.captured_at)]
    first = take(2)
    assert [one.pk for one in first] == oldest[:2]
    assert len({one.lease_token for one in first}) == 1
    stored = Capture.objects.get(pk=oldest[0])
    assert (stored.lease_until, stored.attempts) == (T + LEASE, 1)
    assert stored.lease_token == first[0].lease_token
    assert [one.pk for one in take(9)] == oldest[2:]
    assert take(9) == []


@pytest.mark.parametrize(("later", "free"), [(LEASE, 0), (LEASE + timedelta(microseconds=1), 1)])
def test_a_lease_is_respected_until_it_has_passed(road: Road, later: timedelta, free: int) -> None:
    road.send("1AB2345", "in", T)
    assert len(take(1)) == 1
    again = take(1, T + later)
    assert len(again) == free
    assert [one.attempts for one in again] == [2] * free


def test_a_claim_passes_over_rows_that_are_locked(road: Road) -> None:
    first, second = (road.send("1AB2345", "in", T + n * SECOND) for n in range(2))
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(Capture.objects.select_for_update().filter(pk=first.pk))
                locked.set()
                release.wait(30)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(30)
    try:
        assert [one.pk for one in take(9)] == [second.pk]
    finally:
        release.set()
        holder.join()
    assert [one.pk for one in take(9)] == [first.pk]


def test_an_attempt_that_could_not_begin_is_taken_back_but_only_from_its_own_claim(
    road: Road,
) -> None:
    road.send("1AB2345", "in", T)
    mine = take(1)
    untried(mine)
    stored = Capture.objects.get()
    assert (stored.attempts, stored.lease_until) == (0, T + LEASE)
    theirs = take(1, T + 2 * LEASE)
    untried(mine)
    assert Capture.objects.get().attempts == theirs[0].attempts == 1


# --- partitions -----------------------------------------------------------------------------------


def partitions() -> dict[str, str]:
    """The partitions of the reads and their bounds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
            [TABLE],
        )
        return dict(cursor.fetchall())


@pytest.fixture
def new_partitions() -> Iterator[set[str]]:
    """The names of partitions that a test makes; gone again afterwards."""
    before, made = set(partitions()), set()
    yield made
    PlateRead.objects.all().delete()
    with connection.cursor() as cursor:
        for name in set(partitions()) - before:
            cursor.execute(f"DROP TABLE {name}")


def lies_in(read: PlateRead) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM plates_plateread WHERE id = %s", [read.pk]
        )
        return str(cursor.fetchone()[0])


def read_at(road: Road, at: datetime) -> PlateRead:
    capture = road.send("1AB2345", "in", at, now=T)
    found = Outcome(plates=(Found(text="1AB2345", score=0.9),))
    assert capture_finish(capture=capture, outcome=found, now=T)
    return PlateRead.objects.get(capture_id=capture.pk)


def test_migrating_made_the_months_around_today() -> None:
    today = datetime.now(UTC)
    months = [today.year * 12 + today.month - 1 + n for n in range(-MONTHS_BACK, MONTHS_AHEAD + 1)]
    wanted = {f"{TABLE}_{month // 12}{month % 12 + 1:02}" for month in months}
    assert wanted | {f"{TABLE}_default"} <= partitions().keys()


def test_partitions_go_from_last_month_to_two_ahead_and_are_made_once(
    new_partitions: set[str],
) -> None:
    now = datetime(2031, 11, 30, 23, 59, 59, tzinfo=UTC)
    names = [f"{TABLE}_{month}" for month in ("203110", "203111", "203112", "203201")]
    assert partitions_ensure(now=now) == names
    assert partitions_ensure(now=now) == []
    assert partitions_ensure(now=now + SECOND) == [f"{TABLE}_203202"]


def test_a_read_lies_in_the_month_it_was_seen_and_an_odd_one_in_the_default(
    road: Road, new_partitions: set[str]
) -> None:
    partitions_ensure(now=datetime(2031, 5, 15, tzinfo=UTC))
    june = datetime(2031, 6, 1, tzinfo=UTC)
    millisecond = timedelta(milliseconds=1)
    assert lies_in(read_at(road, june - millisecond)) == f"{TABLE}_203105"
    assert lies_in(read_at(road, june)) == f"{TABLE}_203106"
    assert lies_in(read_at(road, datetime(2031, 7, 31, 23, 59, tzinfo=UTC))) == f"{TABLE}_203107"
    odd = read_at(road, datetime(1999, 12, 31, tzinfo=UTC))
    assert lies_in(odd) == f"{TABLE}_default"
    assert PlateRead.objects.get(pk=odd.pk).captured_at.year == 1999


def test_a_month_whose_reads_already_lie_in_the_default_leaves_them_there(
    road: Road, new_partitions: set[str]
) -> None:
    now = datetime(2031, 6, 15, tzinfo=UTC)
    early = read_at(road, now)
    assert lies_in(early) == f"{TABLE}_default"
    made = partitions_ensure(now=now)
    assert f"{TABLE}_203106" not in made
    assert len(made) == MONTHS_BACK + MONTHS_AHEAD
    assert PlateRead.objects.get(pk=early.pk).token_exact == early.token_exact


def test_making_a_partition_does_not_wait_behind_a_long_transaction(
    road: Road, new_partitions: set[str]
) -> None:
    read_at(road, T)
    busy, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(PlateRead.objects.select_for_update())
                busy.set()
                release.wait(30)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    busy.wait(30)
    try:
        assert partitions_ensure(now=datetime(2031, 6, 15, tzinfo=UTC)) == []
    finally:
        release.set()
        holder.join()
    assert len(partitions_ensure(now=datetime(2031, 6, 15, tzinfo=UTC))) == 4
