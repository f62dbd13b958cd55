"""Searching and reading plates: only with a reason, only at one's own sites, written down."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client

from audit.access import reveal_text
from audit.models import AuditRow
from audit.services import Actor
from cameras.models import Capture, Site, SiteRole
from core.errors import BadInput, NotFound
from core.models import User
from plates.models import PlateRead
from plates.recognition import Found, Outcome
from plates.selectors import plate_search, read_get, reads_latest, reads_of_capture
from plates.services import capture_finish, captures_recognise
from tests.integration.road import Road
from vault import blind, keys

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ANNA = Actor("person", "anna", "Demo", "127.0.0.1")
READS = "/api/v1/reads"


@pytest.fixture
def road() -> Road:
    return Road("parking", {"in": "entry"}, T)


def seen(road: Road, plate: str, at: datetime = T) -> PlateRead:
    capture = road.send(plate, "in", at)
    captures_recognise(now=at)
    return PlateRead.objects.get(capture_id=capture.pk)


def search(plate: str, **more: Any) -> list[uuid.UUID]:
    asked: dict[str, Any] = {
        "sites": Site.objects.all(),
        "actor": ANNA,
        "purpose": "monitoring",
        "case_ref": "",
        "now": T + SECOND,
        **more,
    }
    return [read.pk for read in plate_search(plate=plate, **asked)]


# --- search ---------------------------------------------------------------------------------------


def test_a_search_finds_what_is_read_alike_or_only_the_very_text(road: Road) -> None:
    exact = seen(road, "1AB2345", T - SECOND)
    alike = seen(road, "IA82345")
    seen(road, "1AB2346")
    assert search("1ab-2345") == [alike.pk, exact.pk], "newest first"
    assert search("1AB2345", tolerant=False) == [exact.pk]
    assert search("9ZZ9999") == []
    assert search("1AB2345", limit=1) == [alike.pk]


def test_a_search_still_finds_what_was_stored_under_an_older_index_key(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vault import keyring

    old = seen(road, "1AB2345", T - SECOND)
    ring = keyring.index()
    rotated = keyring.Keyring(9, {9: b"9" * 32, **ring.keys})
    monkeypatch.setattr(keyring, "index", lambda: rotated)
    blind._derived.cache_clear()
    try:
        new = seen(road, "1AB2345")
        assert new.token_exact != old.token_exact
        assert search("1AB2345") == search("1AB2345", tolerant=False) == [new.pk, old.pk]
    finally:
        blind._derived.cache_clear()


def test_a_search_goes_back_as_many_days_as_asked(road: Road) -> None:
    now = T + 10 * DAY
    old, edge = seen(road, "1AB2345", T), seen(road, "1AB2345", T + 3 * DAY)
    assert search("1AB2345", now=now, days=7) == [edge.pk]
    assert search("1AB2345", now=now + SECOND, days=7) == []
    assert search("1AB2345", now=now) == [edge.pk, old.pk]


def test_a_search_sees_only_the_sites_it_may(road: Road) -> None:
    other = Road("parking", {"in": "entry"}, T)
    mine, theirs = seen(road, "1AB2345"), seen(other, "1AB2345")
    here = Site.objects.filter(pk=road.site.pk)
    assert search("1AB2345", sites=here) == [mine.pk]
    assert search("1AB2345", sites=Site.objects.none()) == []
    assert read_get(mine.pk, here).pk == mine.pk
    with pytest.raises(NotFound):
        read_get(theirs.pk, here)
    assert [read.pk for read in reads_latest(here)] == [mine.pk]
    assert [read.pk for read in reads_of_capture(mine.capture_id, here)] == [mine.pk]
    with pytest.raises(NotFound):
        reads_of_capture(theirs.capture_id, here)


def test_a_search_is_written_down_even_if_it_finds_nothing(road: Road) -> None:
    search("9ZZ 9999", purpose="authority-request", case_ref="PD-7/26", days=3, tolerant=False)
    row = AuditRow.objects.get(action="search")
    assert (row.actor, row.organisation, row.place) == ("anna", "Demo", "127.0.0.1")
    assert (row.purpose, row.case_ref) == ("authority-request", "PD-7/26")
    assert row.tokens == [blind.exact("9ZZ9999")]
    assert row.detail == {"days": 3, "tolerant": False}
    assert "9ZZ" not in json.dumps(row.detail) + row.subject + row.subject_id


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"purpose": ""}, "purpose_required"),
        ({"purpose": "nosiness"}, "purpose_required"),
        ({"purpose": "pipeline"}, "purpose_required"),
        ({"purpose": "authority-request"}, "case_required"),
        ({"case_ref": "x" * 65}, "too_long"),
        ({"case_ref": "a\0b"}, "not_text"),
        ({"case_ref": "the car 1AB 23-45, again"}, "names_plate"),
    ],
)
def test_no_reason_no_search(road: Road, wrong: dict[str, str], code: str) -> None:
    read = seen(road, "1AB2345")
    asked = {"purpose": "monitoring", "case_ref": "", **wrong}
    with pytest.raises(BadInput) as refused:
        search("1AB2345", **asked)
    assert refused.value.code == code
    with pytest.raises(BadInput) as refused:
        reveal_text(read, "text", actor=ANNA, **asked)
    assert refused.value.code == code
    assert not AuditRow.objects.filter(actor="anna").exists()


@pytest.mark.parametrize("text", ["", " - ", "X" * 17, "1AB\u0007234"])
def test_what_is_no_plate_is_not_searched(road: Road, text: str) -> None:
    with pytest.raises(BadInput) as refused:
        search(text)
    assert refused.value.code == "plate_invalid"
    assert text.strip(" -") == "" or text not in str(refused.value)
    assert not AuditRow.objects.filter(action="search").exists()


# --- the API --------------------------------------------------------------------------------------


@pytest.fixture
def capture(road: Road) -> Capture:
    """A capture that shows two vehicles."""
    capture = road.send("1AB2345", "in", T)
    pair = Outcome(
        plates=(
            Found(text="1AB2345", score=0.97, country="CZ", char_scores=(0.9,) * 7),
            Found(text="2CD3456", score=0.62, quad=(1, 2, 3, 4, 5, 6, 7, 8)),
        )
    )
    assert capture_finish(capture=capture, outcome=pair, now=T)
    return capture


def somebody(road: Road, role: str = "", **more: Any) -> Client:
    name = uuid.uuid4().hex[:8]
    user = User.objects.create(username=name, email=f"{name}@x.invalid", **more)
    if role:
        SiteRole.objects.create(user=user, site=road.site, role=role)
    client = Client()
    client.force_login(user)
    return client


def ask(client: Client, capture: object, path: str = READS, **headers: str) -> Any:
    headers = {"X-Purpose": "monitoring", **headers}
    return client.get(path, {"capture": str(getattr(capture, "pk", capture))}, headers=headers)


def looks() -> "QuerySet[AuditRow]":
    return AuditRow.objects.filter(actor_kind="person").order_by("id")


@pytest.mark.parametrize("role", ["operator", "supervisor"])
def test_an_operator_reads_a_captures_plates_and_each_is_written_down(
    road: Road, capture: Capture, role: str
) -> None:
    headers = {"X-Purpose": "case-review", "X-Case-Ref": "2026-7"}
    answer = ask(somebody(road, role), capture, **headers)
    assert answer.status_code == 200
    first, second = answer.json()["reads"]
    assert (first["text"], first["index"], first["country"]) == ("1AB2345", 0, "CZ")
    assert (first["camera"], first["captured_at"]) == ("in", T.isoformat())
    assert (second["text"], second["index"], second["country"]) == ("2CD3456", 1, None)
    assert second["quad"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [row.tokens for row in looks()] == [[blind.exact("1AB2345")], [blind.exact("2CD3456")]]
    assert [row.subject_id for row in looks()] == [first["id"], second["id"]]
    for row in looks():
        assert (row.action, row.purpose, row.case_ref) == ("view", "case-review", "2026-7")
        assert (row.place, row.organisation) == ("127.0.0.1", road.organisation.name)


def test_both_forms_of_the_address_answer(road: Road, capture: Capture) -> None:
    client = somebody(road, "operator")
    assert ask(client, capture).json() == ask(client, capture, READS + "/").json()


@pytest.mark.parametrize("key", ["", "Bearer pwd_00000000_" + "x" * 43])
def test_without_a_log_in_there_is_nothing(capture: Capture, key: str) -> None:
    answer = ask(Client(), capture, Authorization=key)
    assert answer.status_code in (401, 403)
    assert answer.json()["error"]["code"]
    assert not looks().exists()


@pytest.mark.parametrize("role", ["", "viewer", "auditor"])
def test_only_an_operator_reads_plates(road: Road, capture: Capture, role: str) -> None:
    answer = ask(somebody(road, role), capture)
    assert answer.status_code == 404
    assert "1AB2345" not in answer.content.decode()
    assert not looks().exists()


def test_an_operator_of_another_site_is_told_as_much_as_of_nothing(
    road: Road, capture: Capture
) -> None:
    elsewhere = Road("parking", {"in": "entry"}, T)
    client = somebody(elsewhere, "operator")
    foreign, none = ask(client, capture), ask(client, uuid.uuid4())
    assert foreign.status_code == none.status_code == 404
    assert foreign.json() == none.json()
    gone = somebody(road, "operator", is_active=False)
    assert ask(gone, capture).status_code in (401, 403)
    assert not looks().exists()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-Purpose": ""}, "purpose_required"),
        ({"X-Purpose": "curiosity"}, "purpose_required"),
        ({"X-Purpose": "pipeline"}, "purpose_required"),
        ({"X-Purpose": "case-review"}, "case_required"),
        ({"X-Purpose": "case-review", "X-Case-Ref": "x" * 65}, "too_long"),
        ({"X-Purpose": "case-review", "X-Case-Ref": "about 1AB-2345"}, "names_plate"),
    ],
)
def test_without_a_reason_there_is_no_plate(
    road: Road, capture: Capture, headers: dict[str, str], code: str
) -> None:
    answer = ask(somebody(road, "operator"), capture, **headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert "1AB2345" not in answer.content.decode()
    assert not looks().exists()


def test_the_reason_is_asked_before_it_shows_whether_there_is_anything(road: Road) -> None:
    client = somebody(road, "operator")
    for unknown in (uuid.uuid4(), road.send("1AB2345", "in", T).pk):
        assert ask(client, unknown, **{"X-Purpose": ""}).status_code == 400


@pytest.mark.parametrize("capture_id", ["", "7", "not-an-id", "1AB2345\0"])
def test_what_is_no_capture_id_is_refused(road: Road, capture_id: str) -> None:
    answer = ask(somebody(road, "operator"), capture_id)
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "capture_invalid",
        "sentence": "Name a capture's id.",
        "field": "capture",
    }


def test_a_plate_forgotten_meanwhile_is_left_out(road: Road, capture: Capture) -> None:
    keys.destroy([PlateRead.objects.get(index=0).data_key], now=T)
    answer = ask(somebody(road, "operator"), capture)
    assert answer.status_code == 200
    assert answer.json() == {"reads": []}


def test_a_capture_that_is_not_read_yet_has_none(road: Road) -> None:
    waiting = road.send("1AB2345", "in", T)
    assert ask(somebody(road, "operator"), waiting).json() == {"reads": []}
