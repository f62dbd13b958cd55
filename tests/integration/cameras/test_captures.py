"""POST and GET of captures: stored once, sealed, answered as promised."""

import base64
import errno
import itertools
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

import cameras.services as services
from audit.access import Access
from cameras.api import _weight
from cameras.keys import device_keys_forget
from cameras.models import Camera, Capture, SiteRole
from core.models import User
from tests.integration.cameras.conftest import CAPTURES, Device, ago, make_site, picture
from vault import files, keyring
from vault.models import DoomedFile

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
PLATE = "1AB2345"


def read_item(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "read",
        "captured_at": ago(seconds=5),
        "read": {"text": "1ab 2345", "score": 0.97, "country": "cz"},
        **fields,
    }


def sealed_files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


# --- accepted -------------------------------------------------------------------------------------
@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
def test_a_frame_is_stored_sealed(device: Device, sealed_store: Path, extension: str) -> None:
    data = picture(extension=extension)
    at = ago(seconds=3)
    answer = device.form(
        picture=data,
        captured_at=at,
        event_id="gantry-1-17",
        latitude=50.1,
        longitude=14.4,
        heading=90,
        exposure={"shutter_us": 500, "infrared": True},
    )
    assert answer.status_code == 202
    capture = Capture.objects.get()
    assert answer.json() == {
        "id": str(capture.pk),
        "status": "received",
        "url": f"/api/v1/captures/{capture.pk}",
    }
    assert (capture.kind, capture.status) == ("frame", "received")
    assert capture.captured_at == datetime.fromisoformat(at)
    assert (capture.latitude, capture.longitude, capture.heading) == (50.1, 14.4, 90)
    assert capture.exposure == {"shutter_us": 500, "infrared": True}
    assert (capture.picture_bytes, capture.quarantined) == (len(data), False)
    (file,) = sealed_files(sealed_store)
    assert data[:40] not in file.read_bytes()
    assert Access().file(capture, "picture") == data


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_read_is_kept_sealed_and_never_in_clear(device: Device, slash: str) -> None:
    body = read_item(event_id=f"{PLATE}-at-dawn", crop=base64.b64encode(picture()).decode())
    answer = device.json(body, CAPTURES + slash)
    assert answer.status_code == 202
    capture = Capture.objects.get()
    read = json.loads(Access().text(capture, "read"))
    assert (read["text"], read["score"], read["country"]) == (PLATE, 0.97, "CZ")
    assert Access().file(capture, "crop") == picture()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text FROM cameras_capture c")
        (row,) = cursor.fetchone()
    for clear in (PLATE, "1ab 2345", PLATE.encode().hex(), "dawn"):
        assert clear not in row
        assert clear not in answer.content.decode()


def test_form_and_json_say_the_same(device: Device) -> None:
    at, data = ago(seconds=9), picture()
    first = device.form(picture=data, captured_at=at, event_id="e", latitude=1, longitude=2.0)
    again = device.json(
        {
            "picture": base64.b64encode(data).decode(),
            "captured_at": at,
            "event_id": "e",
            "latitude": 1.0,
            "longitude": 2,
        }
    )
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert Capture.objects.count() == 1


def test_a_truncated_jpeg_is_for_the_worker_to_fail(device: Device) -> None:
    data = picture(size=(640, 480))
    assert device.form(picture=data[: len(data) // 3], captured_at=ago()).status_code == 202


# --- repeats and conflicts ------------------------------------------------------------------------
@pytest.mark.parametrize("identity", [{"event_id": "e-1"}, {"sequence": 7}, {}])
def test_a_repeat_answers_the_same_and_is_stored_once(
    device: Device, sealed_store: Path, identity: dict[str, Any]
) -> None:
    fields = {"picture": picture(), "captured_at": ago(seconds=8), **identity}
    first = device.form(**fields, sent_at=ago(seconds=7))
    Capture.objects.update(status="recognised")
    again = device.form(**fields, sent_at=ago(seconds=1))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert Capture.objects.count() == 1
    assert len(sealed_files(sealed_store)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"picture": picture(91)},
        {"captured_at": ago(seconds=20)},
        {"heading": 12},
        {"exposure": {"iso": 100}},
        {"kind": "crop"},
        {"crop": picture(92)},
    ],
)
def test_the_same_event_with_other_content_is_a_conflict(
    device: Device, sealed_store: Path, change: dict[str, Any]
) -> None:
    fields = {"picture": picture(), "captured_at": ago(seconds=8), "event_id": "e-1"}
    assert device.form(**fields).status_code == 202
    answer = device.form(**{**fields, **change})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "event_conflict"
    assert answer.json()["error"]["field"] == "event_id"
    assert len(sealed_files(sealed_store)) == Capture.objects.count() == 1


def test_another_reading_of_the_same_event_is_a_conflict(device: Device) -> None:
    body = read_item(event_id="e-1")
    assert device.json(body).status_code == 202
    body["read"] = {**body["read"], "text": "1AB2346"}
    assert device.json(body).status_code == 409


def test_events_are_each_cameras_own(device: Device, neighbour: Device) -> None:
    body = read_item(event_id="e-1")
    ids = {device.json(body).json()["id"], neighbour.json(body).json()["id"]}
    assert len(ids) == Capture.objects.count() == 2


def test_sequence_and_event_id_do_not_meet(device: Device) -> None:
    body = read_item()
    assert (
        device.json({**body, "event_id": "5"}).json() != device.json({**body, "sequence": 5}).json()
    )


def test_a_repeat_is_known_after_the_index_key_was_rotated(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"picture": picture(), "captured_at": ago(seconds=8), "event_id": "e-1"}
    first = device.form(**fields)
    ring = keyring.index()
    rotated = keyring.Keyring(200, {200: b"r" * 32, **ring.keys})
    monkeypatch.setattr(keyring, "index", lambda: rotated)
    again = device.form(**fields)
    assert (again.status_code, again.json()) == (202, first.json())
    assert device.form(**fields, heading=1).status_code == 409
    assert Capture.objects.count() == 1


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
@pytest.mark.parametrize("same", [True, False])
def test_two_posts_of_one_event_race(
    device: Device, sealed_store: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    both_sealed = threading.Barrier(2, timeout=20)
    seal = services._seal

    def seal_and_wait(*args: Any) -> None:
        seal(*args)
        both_sealed.wait()

    monkeypatch.setattr(services, "_seal", seal_and_wait)
    at = ago(seconds=4)
    answers: list[Any] = []

    def post(shade: int) -> None:
        try:
            one = Device(device.camera, device.key, device.shown, Client())
            answers.append(one.form(picture=picture(shade), captured_at=at, event_id="race"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=post, args=(shade,)) for shade in (1, 1 if same else 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == ([202, 202] if same else [202, 409])
    capture = Capture.objects.get()
    assert str(capture.pk) in {answer.json().get("id") for answer in answers}
    (file,) = sealed_files(sealed_store)
    assert str(file).endswith(capture.picture)
    assert not DoomedFile.objects.exists()


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_failure_after_sealing_leaves_no_file(
    device: Device, sealed_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = services._seal

    def seal_and_fail(*args: Any) -> None:
        seal(*args)
        raise OSError("no space left on device")

    monkeypatch.setattr(services, "_seal", seal_and_fail)
    with pytest.raises(OSError, match="no space"):
        device.form(picture=picture(), captured_at=ago())
    assert not Capture.objects.exists()
    assert not sealed_files(sealed_store)


# --- the clock ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("ahead", "quarantined"), [(-60.0, False), (1.5, False), (30.0, True)])
def test_a_clock_ahead_is_quarantined(device: Device, ahead: float, quarantined: bool) -> None:
    assert device.json(read_item(captured_at=ago(seconds=-ahead))).status_code == 202
    assert Capture.objects.get().quarantined is quarantined


def test_a_device_that_did_not_know_the_time_is_quarantined(device: Device) -> None:
    unknown = read_item(captured_at=ago(days=3), clock="unknown", event_id="event-1")
    assert device.json(unknown).status_code == 202
    assert device.json(unknown).status_code == 202, "the same again"
    assert device.json({**unknown, "clock": "known"}).status_code == 409
    assert Capture.objects.get().quarantined
    assert device.json(read_item(captured_at=ago(days=3), clock="known")).status_code == 202
    assert Capture.objects.filter(quarantined=False).count() == 1


def test_exactly_the_limit_is_no_skew(device: Device) -> None:
    now = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    limit = timedelta(seconds=2)
    for lead, expected in ((limit, False), (limit + timedelta(milliseconds=1), True)):
        sent = services.Sent(kind="read", captured_at=now + lead)
        assert services._quarantined(device.camera, sent, now) is expected


def test_a_spooled_capture_betrays_its_clock_when_sent(device: Device) -> None:
    device.json(read_item(captured_at=ago(hours=3), sent_at=ago(seconds=-30), through=ago()))
    assert Capture.objects.get().quarantined
    camera = Camera.objects.get(pk=device.camera.pk)
    assert camera.through is None
    assert camera.last_seen_at is not None


# --- batches --------------------------------------------------------------------------------------
def test_a_bad_item_never_harms_a_good_one(device: Device, sealed_store: Path) -> None:
    good = read_item(event_id="good")
    items = [
        good,
        {"captured_at": "yesterday"},
        "not an object",
        {**read_item(), "read": {"text": "A" * 10_000, "score": 1}},
        {**read_item(), "latitude": float("nan"), "longitude": 1},
        {**good, "heading": 3},
        good,
        {**read_item(), "kind": "frame", "read": None, "picture": "aGVsbG8="},
        read_item(event_id="last"),
    ]
    answer = device.json({"items": items})
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["rejected"]) == (3, 6)
    assert [result["index"] for result in body["results"]] == list(range(9))
    assert [result.get("error", {}).get("code") for result in body["results"]] == [
        None,
        "captured_at_invalid",
        "not_an_object",
        "plate_too_long",
        "latitude_invalid",
        "event_conflict",
        None,
        "picture_unsupported",
        None,
    ]
    assert body["results"][0]["id"] == body["results"][6]["id"]
    assert Capture.objects.count() == 2


def test_a_form_batch_names_its_parts(device: Device) -> None:
    items = [
        {"captured_at": ago(seconds=3), "picture": "a", "event_id": "1"},
        {"captured_at": ago(seconds=2), "picture": "b", "crop": "a", "event_id": "2"},
        {"captured_at": ago(seconds=1), "picture": "c", "event_id": "3"},
    ]
    answer = device.form(items=items, a=picture(1), b=picture(2))
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1)
    assert answer.json()["results"][2]["error"]["code"] == "picture_missing"
    first, second = Capture.objects.order_by("captured_at")
    access = Access()
    assert access.file(first, "picture") == access.file(second, "crop") == picture(1)
    assert access.file(second, "picture") == picture(2)


def test_a_batch_of_nothing_good_is_refused_with_its_reasons(device: Device) -> None:
    answer = device.json({"items": [{}, {"captured_at": ago()}]})
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"]["code"] == "nothing_accepted"
    assert (body["accepted"], body["rejected"]) == (0, 2)
    assert [result["error"]["code"] for result in body["results"]] == [
        "captured_at_missing",
        "picture_missing",
    ]


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_two_batches_of_the_same_events_race(
    device: Device, sealed_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_sealed = threading.Barrier(2, timeout=20)
    seal = services._seal_all

    def seal_and_wait(*args: Any) -> Any:
        unstored = seal(*args)
        both_sealed.wait()
        return unstored

    monkeypatch.setattr(services, "_seal_all", seal_and_wait)
    crop = base64.b64encode(picture(size=(40, 12))).decode()
    shared = [read_item(event_id=f"e-{number}", crop=crop) for number in range(4)]
    # one event with another content in each, and one only they have
    batches = [
        [*shared, read_item(event_id="differs", heading=n), read_item(event_id=f"own-{n}")]
        for n in (1, 2)
    ]
    answers: list[Any] = []

    def post(items: list[Any]) -> None:
        try:
            one = Device(device.camera, device.key, device.shown, Client())
            answers.append(one.json({"items": items}))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=post, args=(items,)) for items in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.json()["accepted"] for answer in answers) == [5, 6]
    one, other = (answer.json()["results"] for answer in answers)
    assert one[:4] == other[:4]
    codes = [result[4].get("error", {}).get("code") for result in (one, other)]
    assert sorted(codes, key=str) == [None, "event_conflict"]
    assert Capture.objects.count() == 7
    names = {name for name in Capture.objects.values_list("crop", flat=True) if name}
    assert {str(file.relative_to(sealed_store)) for file in sealed_files(sealed_store)} == names
    assert not DoomedFile.objects.exists()


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_picture_that_cannot_be_stored_keeps_no_other_out(
    device: Device, sealed_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, count = files.put, itertools.count()

    def sometimes(sealed: bytes, *, now: datetime) -> str:
        if next(count) == 2:
            raise OSError(errno.ENOSPC, "no space left on device")
        return put(sealed, now=now)

    monkeypatch.setattr(files, "put", sometimes)
    crop = base64.b64encode(picture(size=(40, 12))).decode()
    items = [read_item(event_id=f"e-{number}", crop=crop) for number in range(5)]
    answer = device.json({"items": items})
    # the device keeps all of them: nothing was accepted, and what is stored is known when it comes
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_full")
    assert Capture.objects.count() == 4
    assert len(sealed_files(sealed_store)) == 4
    assert Camera.objects.get(pk=device.camera.pk).last_seen_at is not None
    assert device.json({"items": items}).json()["accepted"] == 5
    assert Capture.objects.count() == 5
    assert len(sealed_files(sealed_store)) == 5
    names = Capture.objects.values_list("crop", flat=True)
    assert {str(file.relative_to(sealed_store)) for file in sealed_files(sealed_store)} == set(
        names
    )


def test_a_batch_costs_no_more_statements_than_one_capture(
    device: Device, django_assert_num_queries: Any
) -> None:
    def post(count: int) -> None:
        items = [read_item(event_id=uuid.uuid4().hex) for _ in range(count)]
        assert device.json({"items": items}).json()["accepted"] == count

    post(1)
    Camera.objects.filter(pk=device.camera.pk).update(
        last_seen_at=datetime.now(UTC) + timedelta(days=1)
    )
    device_keys_forget()
    post(1)
    # what is known, the rows, what came of them
    with django_assert_num_queries(3):
        post(100)


def test_a_batch_knows_its_repeats_after_the_index_key_was_rotated(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [read_item(event_id=f"e-{number}") for number in range(3)]
    first = device.json({"items": items}).json()
    ring = keyring.index()
    rotated = keyring.Keyring(200, {200: b"r" * 32, **ring.keys})
    monkeypatch.setattr(keyring, "index", lambda: rotated)
    assert device.json({"items": items}).json() == first
    fresh = device.json({"items": [*items, read_item(event_id="new")]}).json()
    assert fresh["results"][:3] == first["results"]
    assert Capture.objects.count() == 4


def test_ten_light_reads_weigh_what_one_capture_does() -> None:
    light, heavy = read_item(), read_item(picture="aGVsbG8=")
    frame = {"kind": "frame", "picture": "aGVsbG8="}
    assert _weight([light] * 100) == pytest.approx(10)
    assert _weight([light] * 10 + [heavy, frame, "not an object", 7]) == pytest.approx(5)


# --- what became of it ----------------------------------------------------------------------------
def test_a_device_asks_what_became_of_its_capture(device: Device, neighbour: Device) -> None:
    url = device.json(read_item()).json()["url"]
    capture = Capture.objects.get()
    outcome = {"reads": 1, "verdicts": {"0": {"verdict": "paid"}}}
    Capture.objects.update(status="recognised", outcome=outcome)
    for address in (url, url + "/"):
        body = device.get(address).json()
        assert body.pop("received_at") > body.pop("captured_at")
        assert body == {
            "id": str(capture.pk),
            "status": "recognised",
            "kind": "read",
            "quarantined": False,
            "failure": None,
            "outcome": outcome,
            "judged_at": None,
        }
    assert neighbour.get(url).status_code == 404
    for nonsense in ("nothing", "00000000-0000-7000-8000-000000000000", "%00", "1" * 500):
        answer = device.get(f"{CAPTURES}/{nonsense}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_failed_capture_says_why(device: Device) -> None:
    url = device.json(read_item()).json()["url"]
    Capture.objects.update(
        status="failed", failure="broken_picture", failure_sentence="It can't be decoded."
    )
    assert device.get(url).json()["failure"] == {
        "code": "broken_picture",
        "sentence": "It can't be decoded.",
    }


def test_people_see_the_captures_of_their_sites(device: Device, client: Client) -> None:
    url = device.json(read_item()).json()["url"]
    assert client.get(url).status_code == 401
    viewer = User.objects.create_user("viewer", "viewer@example.org")
    client.force_login(viewer)
    SiteRole.objects.create(user=viewer, site=make_site("elsewhere"), role="operator")
    assert client.get(url).status_code == 404
    SiteRole.objects.create(user=viewer, site=device.camera.site, role="viewer")
    assert client.get(url).status_code == 200


def test_captures_are_not_listed(device: Device) -> None:
    answer = device.get(CAPTURES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
