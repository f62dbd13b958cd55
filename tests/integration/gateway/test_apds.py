"""APDS sessions and assigned rights: what the National Parking Platform's clients send."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from audit.models import AuditRow
from cameras.models import Organisation, Site
from enforcement.rights.models import Right
from tests.integration.rights.rightsmaker import Seller, make_seller, make_site, whole_database

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

ID = "e2089853-b790-459b-884e-4869b40d193d"
BEGAN, ENDED = "2026-03-01T13:10:02Z", "2026-03-01T14:10:02Z"


@pytest.fixture
def organisation(db: None) -> Organisation:
    return Organisation.objects.create(name="council")


@pytest.fixture
def site(organisation: Organisation) -> Site:
    return make_site(organisation, "220001")


@pytest.fixture
def app(organisation: Organisation, site: Site) -> Seller:
    return make_seller(organisation, site)


def session(**change: Any) -> dict[str, Any]:
    """A session as the platform's own documentation has it."""
    return {
        "id": ID,
        "version": 1,
        "initiator": "e0326b5c-d73d-43ab-b274-3ecaea5a80db",
        "actualStart": BEGAN,
        "actualEnd": ENDED,
        "credentials": [
            {
                "identifier": {"id": "AB12 XYZ", "className": "UKNumberPlate"},
                "type": "licensePlate",
                "issuer": {"en": "Vehicle Registry"},
            }
        ],
        "hierarchyElement": {"id": "220001", "version": 1},
        "segments": [
            {
                "financialTransactions": [
                    {
                        "dateCollected": BEGAN,
                        "segmentValue": 450,
                        "serviceProvider": {"en": "RED Parking"},
                        "transactionId": "TX-1",
                    }
                ]
            }
        ],
    } | change


def assigned(**change: Any) -> dict[str, Any]:
    return {
        "id": "20410eec-2352-4cc1-820c-21ea6cbce506",
        "version": 1,
        "rightHolder": {
            "credentials": [
                {
                    "type": "licensePlate",
                    "identifier": {"id": "BD18SMR", "className": "UKNumberPlate"},
                }
            ]
        },
        "rightSpecification": {"id": "0ab95c73-4c2b-4fe3-8528-0403c7734b92", "version": 1},
        "issuanceTime": "2026-01-18T15:21:00Z",
        "expiry": "2026-12-31T23:59:59Z",
        "assignedRightIssuer": {"id": "SP0001", "className": "DigitalServiceProvider"},
        "issueMethod": "electronic",
    } | change


def put(app: Seller, path: str, body: Any) -> Any:
    return app.client.put(
        path, body, "application/json", headers={"Authorization": f"Bearer {app.shown}"}
    )


def error(response: Any) -> tuple[int, str, str | None]:
    said = response.json()["error"]
    return response.status_code, said["code"], said["field"]


# --- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sessions", "/sessions/", "/v1/parking/sessions"])
def test_a_session_is_a_payment_at_the_place(app: Seller, site: Site, path: str) -> None:
    response = app.post(session(), path)
    assert (response.status_code, response.json()["id"]) == (201, ID)
    right = Right.objects.get()
    assert (right.kind, right.site, right.provider) == ("payment", site, app.provider)
    assert right.starts_at == datetime(2026, 3, 1, 13, 10, 2, tzinfo=UTC)
    assert right.ends_at == datetime(2026, 3, 1, 14, 10, 2, tzinfo=UTC)
    assert right.plates.get().country == "GB"
    assert app.post(session(), path).status_code == 200
    assert Right.objects.count() == 1
    assert "AB12XYZ" not in whole_database()


def test_a_session_that_runs_has_no_end_and_is_ended_under_the_same_version(app: Seller) -> None:
    app.post(session(actualEnd=None), "/sessions")
    assert Right.objects.get().ends_at is None
    for path in (f"/sessions/{ID}", f"/sessions/{ID}/", "/sessions"):
        assert put(app, path, session()).status_code == 200
    newest = Right.objects.get(current=True)
    assert newest.ends_at == datetime(2026, 3, 1, 14, 10, 2, tzinfo=UTC)
    assert Right.objects.count() == 2, "the open session stays in the history, a repeat adds none"
    later = session(actualEnd="2026-03-01T15:00:00Z", version=2)
    assert put(app, "/sessions", later).status_code == 200
    assert app.post(session(actualEnd=None), "/sessions").status_code == 200, "a late repeat"
    put(app, "/sessions", session(actualEnd="2026-03-01T14:30:00Z"))  # late, of version 1
    newest = Right.objects.get(current=True)
    assert newest.ends_at == datetime(2026, 3, 1, 15, tzinfo=UTC)


def test_another_content_under_a_known_version_is_a_conflict_by_post(app: Seller) -> None:
    app.post(session(), "/sessions")
    changed = app.post(session(actualEnd="2026-03-01T18:00:00Z"), "/sessions")
    assert error(changed) == (409, "version_conflict", "version")
    assert app.post(session(actualEnd="2026-03-01T18:00:00Z", version=2), "/sessions").status_code
    assert Right.objects.get(current=True).ends_at == datetime(2026, 3, 1, 18, tzinfo=UTC)


def test_changes_at_once_lose_none(app: Seller) -> None:
    app.post(session(), "/sessions")
    answers: list[int] = []

    def change(hour: int) -> None:
        own = Seller(app.provider, app.key, app.shown, Client())
        try:
            body = session(actualEnd=f"2026-03-01T{hour}:00:00Z")
            answers.append(put(own, "/sessions", body).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=change, args=(hour,)) for hour in range(15, 19)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert answers == [200] * 4
    assert Right.objects.count() == 5
    assert Right.objects.filter(current=True).count() == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": None}, (400, "id_missing", "id")),
        ({"id": 7}, (400, "not_text", "id")),
        ({"version": "1"}, (400, "not_a_number", "version")),
        ({"version": 10**30}, (400, "not_a_number", "version")),
        ({"version": 2_000_000}, (400, "out_of_range", "version")),
        ({"credentials": None}, (400, "credentials_missing", "credentials")),
        ({"credentials": []}, (400, "plate_missing", "plates")),
        ({"credentials": ["AB12XYZ"]}, (400, "plate_missing", "plates")),
        ({"credentials": [{"type": "licensePlate"}]}, (400, "not_text", "credentials")),
        ({"credentials": [{"identifier": {"id": "  "}}]}, (400, "plate_empty", "credentials")),
        ({"credentials": [{"identifier": "AB12XYZ"}]}, (400, "not_an_object", "identifier")),
        (
            {"credentials": [{"identifier": {"id": "A" * 99}}]},
            (400, "plate_too_long", "credentials"),
        ),
        (
            {"credentials": [{"identifier": {"id": "AB1"}}, {"identifier": {"id": "AB2"}}]},
            (400, "one_plate", "plates"),
        ),
        ({"actualStart": None}, (400, "actualStart_missing", "actualStart")),
        ({"actualStart": "2026-03-01 13:10:02"}, (400, "naive_time", "actualStart")),
        ({"actualEnd": "soon"}, (400, "time_unreadable", "actualEnd")),
        ({"actualEnd": "2026-03-01T13:00:00Z"}, (400, "ends_before_start", "actualEnd")),
        ({"hierarchyElement": None}, (400, "site_missing", "hierarchyElement")),
        ({"hierarchyElement": "220001"}, (400, "not_an_object", "hierarchyElement")),
        ({"hierarchyElement": {"id": "nowhere"}}, (400, "unknown_site", "hierarchyElement")),
    ],
)
def test_what_is_wrong_is_said_by_the_field(
    app: Seller, change: dict[str, Any], expected: tuple[int, str, str | None]
) -> None:
    response = app.post(session(**change), "/sessions")
    assert error(response) == expected
    assert "AB12" not in response.content.decode()
    assert not Right.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_bodies_that_are_none_are_refused(app: Seller, body: bytes) -> None:
    for path in ("/sessions", "/rights/assigned"):
        assert app.post(body, path).status_code == 400
    assert not Right.objects.exists()


def test_an_address_that_names_another_session_is_refused(app: Seller) -> None:
    assert error(put(app, "/sessions/another", session())) == (400, "id_differs", "id")


def test_nobody_gets_in_without_a_key(app: Seller) -> None:
    for path in ("/sessions", "/rights/assigned", f"/sessions/{ID}"):
        for method in ("get", "post", "put"):
            answer = getattr(Client(), method)(path, REMOTE_ADDR="203.0.113.9")
            assert answer.status_code in (401, 405), (method, path)


# --- assigned rights ------------------------------------------------------------------------------


def test_an_assigned_right_is_a_permit_until_it_expires(app: Seller, site: Site) -> None:
    assert app.post(assigned(), "/rights/assigned").status_code == 201
    right = Right.objects.get()
    assert (right.kind, right.site, right.version) == ("permit", None, 1000)
    assert right.starts_at == datetime(2026, 1, 18, 15, 21, tzinfo=UTC)
    assert right.ends_at == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    bound = assigned(
        id="b",
        hierarchyElement={"id": str(site.pk)},
        plannedUses=[{"startTime": BEGAN, "endTime": ENDED}],
    )
    assert put(app, "/rights/assigned", bound).status_code == 200
    newest = Right.objects.get(site=site)
    assert (newest.starts_at, newest.ends_at) == (
        datetime(2026, 3, 1, 13, 10, 2, tzinfo=UTC),
        datetime(2026, 3, 1, 14, 10, 2, tzinfo=UTC),
    )


def test_a_provider_finds_its_own_rights_and_no_others(
    app: Seller, organisation: Organisation, site: Site
) -> None:
    rival = make_seller(organisation, site)
    app.post(session(), "/sessions")
    app.post(assigned(), "/rights/assigned")
    rival.post(session(id="theirs"), "/sessions")

    def found(path: str, who: Seller = app) -> list[str]:
        response = who.get(path)
        assert response.status_code == 200
        assert response.json()["meta"]["total"] == len(response.json()["data"])
        return sorted(one["id"] for one in response.json()["data"])

    other = assigned()["id"]
    assert found("/rights/assigned") == sorted([other, ID])
    assert found("/rights/assigned", rival) == ["theirs"]
    assert found("/rights/assigned?place=220001&credential_id=AB12XYZ&start_after=1610751600") == [
        ID
    ]
    assert found("/rights/assigned?identifier_id=ab12-xyz") == [ID]
    assert found("/rights/assigned?credential_id=ZZ99ZZZ") == []
    assert found("/rights/assigned?start_after=2026-02-01T00:00:00+00:00") == [ID]
    assert found(f"/rights/assigned/{ID}") == [ID]
    assert found("/rights/assigned/theirs") == []
    shown = app.get(f"/rights/assigned/{ID}").json()["data"][0]
    assert shown["rightHolder"]["credentials"] == [
        {"type": "licensePlate", "identifier": {"id": "AB12XYZ", "className": "UKNumberPlate"}}
    ]
    assert (shown["version"], shown["expiry"]) == (1, "2026-03-01T14:10:02Z")


def test_every_plate_shown_and_every_search_is_audited(app: Seller) -> None:
    app.post(session(), "/sessions")
    before = AuditRow.objects.count()
    app.get("/rights/assigned?credential_id=AB12XYZ")
    rows = AuditRow.objects.order_by("id")[before:]
    token = Right.objects.get().plates.get().token_exact
    assert [(row.actor, row.action) for row in rows] == [
        (app.provider.name, "search"),
        (app.provider.name, "view"),
        (app.provider.name, "view"),
    ]
    assert [row.tokens for row in rows] == [[token], [], [token]]


@pytest.mark.parametrize(
    "query",
    [
        "place=nowhere",
        "credential_id=%20",
        "start_after=yesterday",
        "start_after=2026-02-01",
        "offset=-1",
        "offset=x",
        "credential_id=" + "A" * 99,
        "start_after=99999999999999",
        "place=%00",
        "place=" + "x" * 99,
    ],
)
def test_odd_questions_are_refused(app: Seller, query: str) -> None:
    assert app.get(f"/rights/assigned?{query}").status_code == 400
