"""Tokens of watchlists for devices: which, under which key, for whom, and what is left behind."""

import hashlib
import hmac
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditRow
from cameras.device_settings import device_settings_save
from cameras.keys import device_key_create, device_keys_forget
from cameras.models import Camera, DeviceKey, Organisation, Site
from core.models import User
from core.platetext import ocr_class
from enforcement.watchlist import hotlist
from enforcement.watchlist.hotlist import hotlist_make, hotlist_wanted
from enforcement.watchlist.models import Entry, Watchlist
from enforcement.watchlist.services import entry_remove
from tests.integration.watchlist.watchmaker import (
    ADMIN,
    LATER,
    PLATE,
    add,
    approve,
    make_camera,
    make_list,
    make_site,
)
from vault import blind

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def token(key: str | bytes, text: str) -> str:
    """As a device does it."""
    raw = b64decode(key) if isinstance(key, str) else key
    return hmac.new(raw, text.encode(), hashlib.sha256).digest()[:16].hex()


def watch(camera: Camera, on: bool = True) -> None:
    device_settings_save(camera=camera, raw={"watch": on}, user=None, actor=ADMIN, now=NOW)


def make_key(camera: Camera) -> tuple[DeviceKey, str]:
    return device_key_create(camera=camera, actor=ADMIN, now=NOW)


def ask(shown: str, **headers: str) -> Any:
    return Client().get("/api/v1/hotlist", headers={"Authorization": f"Bearer {shown}"} | headers)


def texts_of(device: DeviceKey, candidates: list[str], now: datetime = NOW) -> set[str]:
    """Which of the candidates a device would take for hits at `now`."""
    wanted = hotlist_wanted(device=device, now=now)
    made = hotlist_make(wanted=wanted, device=device, place="", now=now)
    return {text for text in candidates if token(made.key, text) in made.exact}


@pytest.fixture
def device(camera: Camera) -> tuple[DeviceKey, str]:
    watch(camera)
    return make_key(camera)


def test_a_device_finds_the_plates_and_what_looks_like_them(
    device: tuple[DeviceKey, str], stolen: Watchlist, anna: User
) -> None:
    add(stolen, anna, PLATE, expires_at=datetime.now(UTC) + timedelta(days=3650))
    answer = ask(device[1])
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"key", "expires_at", "exact", "possible", "left_off"}
    assert body["exact"] == [token(body["key"], PLATE)]
    assert body["possible"] == [token(body["key"], ocr_class(PLATE))]
    assert body["left_off"] == 0
    # STOLEN1 has an O where the list has a zero: possible, never exact
    assert token(body["key"], "STOLEN1") not in body["exact"]
    assert token(body["key"], ocr_class("STOLEN1")) in body["possible"]
    # 24 hours, and no plate anywhere in what leaves
    left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    assert PLATE not in answer.content.decode()
    assert answer["Cache-Control"] == "private, no-cache"


def test_only_where_the_cameras_settings_say_so(camera: Camera, stolen: Watchlist) -> None:
    _, shown = make_key(camera)
    assert (ask(shown).status_code, ask(shown).json()["error"]["code"]) == (404, "not_watched")
    watch(camera)
    assert ask(shown).status_code == 200
    watch(camera, on=False)
    assert ask(shown).status_code == 404


def test_without_a_live_key_there_is_nothing(device: tuple[DeviceKey, str]) -> None:
    assert Client().get("/api/v1/hotlist").status_code == 401
    assert ask("pwd_00000000_" + "x" * 43).status_code == 401
    Camera.objects.filter(pk=device[0].camera_id).update(active=False)
    device_keys_forget()
    assert ask(device[1]).status_code == 403


def test_each_device_and_each_day_has_a_key_of_its_own(
    camera: Camera, device: tuple[DeviceKey, str], stolen: Watchlist, anna: User
) -> None:
    add(stolen, anna)
    other, _ = make_key(camera)

    def made(of: DeviceKey, now: datetime) -> hotlist.Hotlist:
        return hotlist_make(wanted=hotlist_wanted(device=of, now=now), device=of, place="", now=now)

    mine, theirs = made(device[0], NOW), made(other, NOW)
    tomorrow, again = (
        made(device[0], NOW + timedelta(days=1)),
        made(device[0], NOW + timedelta(hours=1)),
    )
    assert len({mine.key, theirs.key, tomorrow.key}) == 3
    assert not {*mine.exact, *mine.possible} & {*theirs.exact, *theirs.possible}
    assert (again.key, again.exact) == (mine.key, mine.exact)
    # nor are they the tokens of our own index
    own = {str(blind.exact(PLATE)), blind.exact(PLATE).hex}
    assert not own & set(mine.exact)


def test_what_counts_at_the_site_and_nothing_else(
    organisation: Organisation,
    site: Site,
    device: tuple[DeviceKey, str],
    anna: User,
    bert: User,
) -> None:
    everywhere = make_list(organisation, anna)
    here = make_list(organisation, anna, sites=[site])
    there = make_list(organisation, anna, sites=[make_site(organisation, "other")])
    asking = make_list(organisation, anna, needs_approval=True)
    asleep = make_list(organisation, anna)
    Watchlist.objects.filter(pk=asleep.pk).update(active=False)
    stranger = Organisation.objects.create(name="stranger")
    foreign = make_list(stranger, anna)
    add(everywhere, anna, "EVERY1")
    add(here, anna, "HERE1")
    add(there, anna, "THERE1")
    add(asking, anna, "ASKED1")
    approve(add(asking, anna, "AGREED1"), bert)
    add(asleep, anna, "ASLEEP1")
    add(foreign, anna, "FOREIGN1")
    add(everywhere, anna, "BRIEF1", expires_at=NOW + timedelta(hours=1))
    gone = add(everywhere, anna, "GONE1")
    entry_remove(entry_id=gone.pk, user=anna, now=NOW)
    candidates = [
        "EVERY1", "HERE1", "THERE1", "ASKED1", "AGREED1", "ASLEEP1", "FOREIGN1", "BRIEF1", "GONE1",
    ]  # fmt: skip
    assert texts_of(device[0], candidates) == {"EVERY1", "HERE1", "AGREED1", "BRIEF1"}
    later = NOW + timedelta(hours=1)
    assert texts_of(device[0], candidates, later) == {"EVERY1", "HERE1", "AGREED1"}


def test_what_the_device_holds_is_not_opened_again(
    device: tuple[DeviceKey, str], stolen: Watchlist, anna: User
) -> None:
    far = datetime.now(UTC) + timedelta(days=3650)
    add(stolen, anna, expires_at=far)
    first = ask(device[1])
    rows = AuditRow.objects.filter(purpose="device-watch").count()
    same = ask(device[1], **{"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same["ETag"] == first["ETag"]
    assert AuditRow.objects.filter(purpose="device-watch").count() == rows
    add(stolen, anna, "ANOTHER1", expires_at=far)
    fresh = ask(device[1], **{"If-None-Match": first["ETag"]})
    assert fresh.status_code == 200
    assert len(fresh.json()["exact"]) == 2
    assert fresh["ETag"] != first["ETag"]


def test_a_new_day_is_a_new_list(
    device: tuple[DeviceKey, str], stolen: Watchlist, anna: User
) -> None:
    add(stolen, anna)
    night = NOW.replace(hour=23, minute=59)
    before = hotlist_wanted(device=device[0], now=night)
    after = hotlist_wanted(device=device[0], now=night + timedelta(minutes=2))
    assert before.entries == after.entries
    assert before.etag != after.etag


def test_each_plate_sent_is_audited_under_the_devices_name(
    camera: Camera, device: tuple[DeviceKey, str], stolen: Watchlist, anna: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(hotlist, "_BATCH", 2)
    for number in range(3):
        add(stolen, anna, f"PLATE{number}")
    texts_of(device[0], [])
    rows = AuditRow.objects.filter(purpose="device-watch")
    assert [(r.actor_kind, r.actor, r.action, r.count) for r in rows.order_by("id")] == [
        ("device", str(camera), "tokens", 2),
        ("device", str(camera), "tokens", 1),
    ]
    audited = {token for row in rows for token in row.tokens}
    assert audited == set(Entry.objects.values_list("token_exact", flat=True))


def test_the_most_urgent_come_first_where_there_is_no_room_for_all(
    device: tuple[DeviceKey, str], organisation: Organisation, anna: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(hotlist, "MOST_ENTRIES", 2)
    ordinary = make_list(organisation, anna, priority=50)
    urgent = make_list(organisation, anna, priority=90)
    add(ordinary, anna, "LOW1", priority=10)
    add(ordinary, anna, "OWN1", priority=95)
    add(urgent, anna, "LIST1")
    add(ordinary, anna, "MID1")
    assert texts_of(device[0], ["LOW1", "OWN1", "LIST1", "MID1"]) == {"OWN1", "LIST1"}
    assert hotlist_wanted(device=device[0], now=NOW).left_off == 2


def test_a_long_list_is_paid_for(
    device: tuple[DeviceKey, str], stolen: Watchlist, anna: User, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Who fetches it again and again without saying what it holds is told to wait."""
    from enforcement.watchlist import api

    monkeypatch.setattr(api, "_A_TOKEN_OPENS", 1)
    settings.DEVICE_RATE, settings.DEVICE_BURST = 0.5, 2
    for number in range(4):
        add(stolen, anna, f"PLATE{number}", expires_at=datetime.now(UTC) + timedelta(days=3650))
    first = ask(device[1])
    assert first.status_code == 200
    again = ask(device[1])
    assert again.status_code == 429
    assert int(again["Retry-After"]) >= 1


def test_a_camera_of_another_organisation_gets_none_of_it(
    stolen: Watchlist, anna: User, organisation: Organisation
) -> None:
    add(stolen, anna, expires_at=LATER)
    stranger = make_camera(make_site(Organisation.objects.create(name="else"), "far"), "in")
    watch(stranger)
    key, _ = make_key(stranger)
    assert texts_of(key, [PLATE]) == set()


def test_the_agent_finds_what_the_server_sent(
    device: tuple[DeviceKey, str], stolen: Watchlist, anna: User
) -> None:
    """Both halves compare the same tokens: `edge` has none of our code."""
    from edge import hits

    add(stolen, anna, PLATE)
    wanted = hotlist_wanted(device=device[0], now=NOW)
    made = hotlist_make(wanted=wanted, device=device[0], place="", now=NOW)
    assert hits.token(made.key, PLATE).hex() in made.exact
    for look_alike in ("ST0LEN1", "STOLEN1", "5TOLENI", "SΤ0LEN1"):
        found = hits.token(made.key, hits.look_alike(look_alike)).hex() in made.possible
        assert found == (ocr_class(look_alike) == ocr_class(PLATE)), look_alike
