"""Captures → sealed reads: exactly once, whoever dies, whatever is broken."""

import errno
import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, OperationalError, connections

from audit.access import stage_batch
from audit.models import AuditRow
from cameras.intake import Sent
from cameras.models import Capture, Site
from cameras.services import capture_receive
from plates import services
from plates.models import PlateRead
from plates.recognition import Found, Outcome
from plates.services import MOST_AT_ONCE, MOST_ATTEMPTS, capture_finish, captures_recognise, read_id
from tests.integration.road import Road, outcome
from vault import blind, files, keys
from vault.models import Sealed

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEASE = settings.RECOGNISE_LEASE
SECOND = timedelta(seconds=1)
SCRIPT = json.loads((settings.BASE_DIR / "demo" / "script.json").read_text(encoding="utf-8"))
SCENE = next(one for one in SCRIPT["pictures"] if one["picture"] == "01-overstay-in.jpg")
HUGE_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3\x50\0\0\xc3\x50\x08\x02\0\0\0"


@pytest.fixture
def road() -> Road:
    return Road("parking", {"in": "entry", "out": "exit"}, T)


def shipped(name: str) -> bytes:
    return (settings.BASE_DIR / "demo" / "pictures" / name).read_bytes()


def frame(road: Road, picture: bytes, at: datetime = T, kind: str = "frame") -> Capture:
    sent = Sent(kind=kind, captured_at=at, event=f"id:{uuid.uuid4()}", picture=picture)
    return capture_receive(camera=road.camera("in"), sent=sent, now=at)


def again(capture: Capture) -> Capture:
    return Capture.objects.select_related("site").get(pk=capture.pk)


def everything(now: datetime) -> int:
    done = 0
    while step := captures_recognise(now=now):
        done += step
    return done


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """Run `work` in several threads that start together; what each returned."""
    gate, results = threading.Barrier(count), []

    def run() -> None:
        try:
            gate.wait()
            results.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- what it makes -------------------------------------------------------------------------------


def test_a_shipped_scene_becomes_a_sealed_read_with_its_crop(
    road: Road, sealed_store: Path
) -> None:
    Site.objects.update(regions=["CZ", "SK"])
    capture = frame(road, shipped(SCENE["picture"]))
    assert captures_recognise(now=T + SECOND) == 1
    read = PlateRead.objects.get()
    plate = SCENE["text"]
    assert (read.token_exact, read.token_class) == (blind.exact(plate), blind.equivalent(plate))
    with stage_batch("test") as access:
        assert access.text(read) == plate
        named = dict(json.loads(access.text(read, "candidates")))
        crop = access.file(read, "crop")
    assert plate in named
    assert plate.encode() not in bytes(read.text)
    assert crop.startswith(b"\xff\xd8\xff")
    assert len(crop) < len(shipped(SCENE["picture"]))
    assert (sealed_store / read.crop).exists()
    assert read.country == SCENE["country"]
    assert 0.5 < read.score <= 1
    assert read.detector_score is not None
    assert len(read.char_scores) == len(plate)
    assert read.quad is not None
    assert len(read.quad) == 8
    assert read.models_used
    assert (read.source, read.index, read.capture_id) == ("ours", 0, capture.pk)
    assert (read.captured_at, read.received_at) == (T, T)
    done = again(capture)
    assert (done.status, done.recognised_at) == ("recognised", T + SECOND)
    assert (done.lease_until, done.lease_token, done.attempts) == (None, None, 1)
    assert outcome(capture)["reads"] == 1
    assert isinstance(outcome(capture)["rejected"], list)


def test_a_crop_is_read_without_cutting_it_again(road: Road, sealed_store: Path) -> None:
    frame(road, shipped(SCENE["picture"]))
    captures_recognise(now=T)
    with stage_batch("test") as access:
        cut = access.file(PlateRead.objects.get(), "crop")
    capture = frame(road, cut, T + SECOND, kind="crop")
    captures_recognise(now=T + SECOND)
    read = PlateRead.objects.get(capture_id=capture.pk)
    assert read.token_exact == blind.exact(SCENE["text"])
    assert read.crop == ""


def test_a_finished_read_is_taken_as_it_is(road: Road) -> None:
    capture = road.send("1ab-2345", "in", T, score=0.91)
    captures_recognise(now=T)
    read = PlateRead.objects.get()
    assert read.pk == read_id(capture, 0)
    assert read.token_exact == blind.exact("1AB2345")
    assert (read.source, read.score, read.country) == ("device", 0.91, "CZ")
    assert read.quarantined is capture.quarantined is False


def test_one_audit_row_a_batch(road: Road) -> None:
    for _ in range(7):
        road.send("1AB2345", "in", T)
    assert captures_recognise(now=T) == 7
    row = AuditRow.objects.get(actor="recognise")
    assert (row.count, row.purpose, row.action, row.outcome) == (7, "pipeline", "process", "done")
    assert captures_recognise(now=T) == 0
    assert AuditRow.objects.filter(actor="recognise").count() == 1


# --- exactly once --------------------------------------------------------------------------------


def test_workers_side_by_side_take_each_capture_once(road: Road) -> None:
    sent = {road.send(f"1AB{n:04}", "in", T + n * SECOND).pk for n in range(120)}
    results = at_once(3, lambda: everything(T))
    assert sum(results) == 120
    assert {read.capture_id for read in PlateRead.objects.all()} == sent
    assert PlateRead.objects.count() == 120
    assert set(Capture.objects.values_list("status", "attempts")) == {("recognised", 1)}
    # what each batch opened is the audit's to say: no capture was opened twice
    assert sum(AuditRow.objects.filter(actor="recognise").values_list("count", flat=True)) == 120


def test_the_slower_of_two_workers_changes_nothing_and_leaves_no_file(
    road: Road, sealed_store: Path
) -> None:
    capture = frame(road, b"\xff\xd8\xff not looked at")
    found = Outcome(plates=(Found(text="1AB2345", score=0.9, crop=b"a crop"),))
    [slow] = claimed(T)
    [quick] = claimed(T + LEASE + SECOND)
    assert slow.pk == quick.pk == capture.pk
    assert slow.lease_token != quick.lease_token
    assert capture_finish(capture=quick, outcome=found, now=T + LEASE + SECOND) is True
    kept = PlateRead.objects.get()
    other = Outcome(plates=(Found(text="9ZZ9999", score=0.2, crop=b"another"),))
    assert capture_finish(capture=slow, outcome=other, now=T + 2 * LEASE) is False
    read = PlateRead.objects.get()
    assert (read.pk, read.token_exact, read.crop) == (kept.pk, blind.exact("1AB2345"), kept.crop)
    assert again(capture).recognised_at == T + LEASE + SECOND
    assert again(capture).attempts == 2
    stored = {path.relative_to(sealed_store).as_posix() for path in sealed_store.rglob("*.sealed")}
    assert stored == {capture.picture, kept.crop}


def test_a_slow_worker_that_is_done_first_counts_although_its_lease_ran_out(road: Road) -> None:
    # on a busy machine every worker may be slower than the lease: if only the holder of the lease
    # could finish, each would undo the work of the one before, until the capture is given up
    capture = frame(road, b"\xff\xd8\xff not looked at")
    found = Outcome(plates=(Found(text="1AB2345", score=0.9),))
    [slow] = claimed(T)
    [other] = claimed(T + LEASE + SECOND)
    assert capture_finish(capture=slow, outcome=found, now=T + LEASE + SECOND) is True
    assert capture_finish(capture=other, outcome=found, now=T + 2 * LEASE) is False
    assert again(capture).status == "recognised"
    assert PlateRead.objects.count() == 1


def claimed(now: datetime) -> list[Capture]:
    return services._claim(now)


def test_a_lease_holds_until_it_runs_out(road: Road) -> None:
    frame(road, b"\xff\xd8\xff not looked at")
    assert len(claimed(T)) == 1
    assert claimed(T + LEASE) == []
    assert len(claimed(T + LEASE + SECOND)) == 1


def test_finished_reads_without_end_do_not_keep_a_frame_waiting_for_ever(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_AT_ONCE", 2)
    capture = frame(road, b"\xff\xd8\xff not looked at", T + SECOND)
    kinds = []
    for turn in range(8):
        for number in range(3):  # more come than are taken
            road.send("1AB2345", "in", T - (3 * turn + number) * SECOND, now=T)
        kinds += sorted({one.kind for one in claimed(T)})
    assert kinds.count("frame") == 1
    assert kinds.count("read") == 7
    assert again(capture).attempts == 1


def test_what_a_worker_died_on_is_tried_again_alone(road: Road) -> None:
    for second in range(3):
        road.send("1AB2345", "in", T + second * SECOND)
    assert len(claimed(T)) == 3  # … and died
    later = T + LEASE + SECOND
    assert [len(claimed(later)) for _ in range(4)] == [1, 1, 1, 0]


def test_pictures_that_do_not_fit_into_memory_together_are_opened_in_lots(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = shipped(SCENE["picture"])
    monkeypatch.setattr(services, "_MOST_BYTES", 2 * len(picture))
    captures = [frame(road, picture, T + n * SECOND) for n in range(5)]
    assert [len(part) for part in services._parts(captures)] == [2, 2, 1]


@pytest.mark.parametrize("count", [1, MOST_AT_ONCE])
def test_a_batch_costs_the_same_statements_whatever_its_size(
    road: Road, count: int, django_assert_max_num_queries: Any
) -> None:
    for second in range(count):
        road.send("1AB2345", "in", T + second * SECOND)
    with django_assert_max_num_queries(22):
        assert captures_recognise(now=T) == count


# --- what can't be read --------------------------------------------------------------------------


def test_a_capture_whose_workers_all_died_is_given_up(road: Road) -> None:
    capture = frame(road, shipped(SCENE["picture"]))
    now = T
    for _ in range(MOST_ATTEMPTS):
        assert len(claimed(now)) == 1  # … and died
        now += LEASE + SECOND
    assert captures_recognise(now=now) == 1
    done = again(capture)
    assert (done.status, done.failure) == ("failed", "worker_lost")
    assert done.failure_sentence
    assert not PlateRead.objects.exists()
    assert not AuditRow.objects.filter(actor="recognise").exists(), "it was not even opened"


def test_a_stored_picture_that_is_gone_fails_its_capture_only(
    road: Road, sealed_store: Path
) -> None:
    gone = frame(road, shipped(SCENE["picture"]))
    (sealed_store / gone.picture).unlink()
    nameless = frame(road, shipped(SCENE["picture"]))
    Capture.objects.filter(pk=nameless.pk).update(picture="")
    fine = road.send("1AB2345", "in", T)
    everything(T)
    assert again(gone).failure == again(nameless).failure == "picture_gone"
    assert again(fine).status == "recognised"


@pytest.mark.parametrize(
    ("picture", "failure"),
    [
        (shipped("01-overstay-in.jpg")[:9000], "broken_picture"),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3\x50\0\0\xc3\x50\x08\x02\0\0\0",
            "picture_too_large",
        ),
        (b"GIF89a", "unsupported_picture"),
        (b"", "picture_gone"),
    ],
)
def test_a_broken_picture_fails_with_its_reason(road: Road, picture: bytes, failure: str) -> None:
    capture = frame(road, picture)
    captures_recognise(now=T)
    done = again(capture)
    assert (done.status, done.failure) == ("failed", failure)
    assert done.failure_sentence
    assert outcome(capture)["reads"] == 0


def test_a_picture_without_a_plate_is_unreadable(road: Road) -> None:
    import cv2
    import numpy as np

    grey = cv2.imencode(".png", np.full((300, 400, 3), 127, np.uint8))[1].tobytes()
    capture = frame(road, grey)
    captures_recognise(now=T)
    done = again(capture)
    assert (done.status, done.failure) == ("unreadable", "")
    assert outcome(capture) == {"reads": 0, "rejected": []}


def test_an_error_of_recognition_fails_its_capture_and_the_batch_goes_on(
    road: Road, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = services.from_device

    def trip(read: dict[str, Any]) -> Outcome:
        if read["text"] == "7X77777":
            raise RuntimeError(f"tripped over {read['text']}")
        return real(read)

    monkeypatch.setattr(services, "from_device", trip)
    plates = ["1AB2345", "7X77777", "2CD3456"]
    captures = [road.send(text, "in", T + n * SECOND) for n, text in enumerate(plates)]
    assert captures_recognise(now=T + 3 * SECOND) == 3
    assert [again(one).status for one in captures] == ["recognised", "failed", "recognised"]
    failed = again(captures[1])
    assert failed.failure == "recognition_error"
    assert failed.failure_sentence == "Recognition failed: RuntimeError."
    assert "7X77777" not in caplog.text


@pytest.mark.parametrize(
    "what",
    [
        Found(text="7X77777", score=0.9, country="far too long for its column"),
        Found(text="7X77777", score=0.9, char_scores=("\ud800",)),  # type: ignore[arg-type]
        Found(text="7X77777", score=None),  # type: ignore[arg-type]
    ],
)
def test_what_no_column_can_hold_fails_its_capture_and_the_batch_goes_on(
    road: Road, monkeypatch: pytest.MonkeyPatch, what: Found
) -> None:
    real = services.from_device
    monkeypatch.setattr(
        services,
        "from_device",
        lambda read: Outcome(plates=(what,)) if read["text"] == "7X77777" else real(read),
    )
    plates = ["1AB2345", "7X77777", "2CD3456"]
    captures = [road.send(text, "in", T + n * SECOND) for n, text in enumerate(plates)]
    assert captures_recognise(now=T + 3 * SECOND) == 3
    assert [again(one).status for one in captures] == ["recognised", "failed", "recognised"]
    assert again(captures[1]).failure == "recognition_error"
    assert "7X77777" not in again(captures[1]).failure_sentence
    assert PlateRead.objects.count() == 2


def test_one_capture_that_was_tampered_with_does_not_hold_up_its_batch(road: Road) -> None:
    captures = [road.send("1AB2345", "in", T + n * SECOND) for n in range(3)]
    sealed = bytearray(bytes(again(captures[0]).read))
    sealed[-1] ^= 1
    Capture.objects.filter(pk=captures[0].pk).update(read=Sealed(bytes(sealed)))
    forgotten = Capture.objects.get(pk=captures[1].pk)
    stranger = Sealed(bytes(forgotten.read)[:1] + uuid.uuid4().bytes + bytes(forgotten.read)[17:])
    Capture.objects.filter(pk=forgotten.pk).update(read=stranger)
    assert captures_recognise(now=T + 3 * SECOND) == 3
    assert [again(one).status for one in captures] == ["failed", "failed", "recognised"]
    assert again(captures[0]).failure == again(captures[1]).failure == "seal_broken"


# --- what lies outside the capture ---------------------------------------------------------------


def outage(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, error: Exception) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr(where, name, away)


@pytest.mark.parametrize("error", [ConnectionError("away"), files.StoreAway("EndpointError")])
def test_a_store_that_is_away_loses_nothing_however_long(
    road: Road, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    capture = frame(road, shipped(SCENE["picture"]))
    with monkeypatch.context() as patch:
        outage(patch, files, "get", error)
        now = T
        for _ in range(3 * MOST_ATTEMPTS):
            assert everything(now) == 1, "once a lease, and no busy loop"
            fine = road.send("1AB2345", "in", now)
            assert everything(now) == 1
            assert again(fine).status == "recognised", "others are not held up"
            now += LEASE + SECOND
    assert again(capture).status == "received"
    everything(now)
    assert again(capture).status == "recognised"


def test_a_full_disk_at_the_crop_loses_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = frame(road, shipped(SCENE["picture"]))
    with monkeypatch.context() as patch:
        outage(patch, files, "put", OSError(errno.ENOSPC, "No space left on device"))
        now = T
        for _ in range(MOST_ATTEMPTS + 2):
            everything(now)
            now += LEASE + SECOND
    assert again(capture).status == "received"
    everything(now)
    assert again(capture).status == "recognised"


def test_a_key_store_that_is_away_loses_nothing(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = [road.send("1AB2345", "in", T + n * SECOND) for n in range(3)]
    with monkeypatch.context() as patch:
        outage(patch, keys, "raw_key", OperationalError("away"))
        now = T + 3 * SECOND
        for _ in range(MOST_ATTEMPTS + 2):
            with pytest.raises(DatabaseError):
                captures_recognise(now=now)
            now += LEASE + SECOND
    assert captures_recognise(now=now) == 3
    assert {again(one).status for one in captures} == {"recognised"}


@pytest.mark.parametrize("where", ["recognise_picture", "captures_finish"])
def test_a_worker_that_runs_out_of_time_does_not_fail_a_good_capture(
    road: Road, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    # the database, or the machine, may be what was slow
    capture = frame(road, shipped(SCENE["picture"]))
    with monkeypatch.context() as patch:
        outage(patch, services, where, SoftTimeLimitExceeded())
        with pytest.raises(SoftTimeLimitExceeded):
            captures_recognise(now=T)
    assert (again(capture).status, again(capture).attempts) == ("received", 1)
    assert captures_recognise(now=T + LEASE + SECOND) == 1
    assert again(capture).status == "recognised"


def test_a_database_lost_in_mid_batch_loses_nothing_and_repeats_nothing(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = [road.send(f"1AB000{n}", "in", T + n * SECOND) for n in range(4)]
    with monkeypatch.context() as patch:
        outage(patch, services, "announce", OperationalError("server closed the connection"))
        with pytest.raises(OperationalError):
            captures_recognise(now=T + 4 * SECOND)
    assert {again(one).status for one in captures} == {"received"}
    assert not PlateRead.objects.exists()
    later = T + 4 * SECOND + LEASE + SECOND
    assert everything(later) == 4
    assert {again(one).status for one in captures} == {"recognised"}
    assert PlateRead.objects.count() == 4
