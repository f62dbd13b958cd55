"""`/api/v1/rights` over HTTP: keys, answers, batches that lose nothing, and each to its own."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditRow
from cameras.models import Organisation, Site
from core.keys import make_key
from enforcement.rights.api import MOST_ITEMS
from enforcement.rights.keys import provider_key_create, provider_key_revoke
from enforcement.rights.models import ProviderKey, Right
from tests.integration.rights.rightsmaker import ADMIN, RIGHTS, Seller, make_seller, make_site

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def payment(**change: Any) -> dict[str, Any]:
    return {
        "kind": "payment",
        "id": "p1",
        "plate": "AB12CDE",
        "country": "GB",
        "site": "north",
        "from": "2026-03-01T09:00:00+00:00",
        "to": "2026-03-01T11:00:00+00:00",
    } | change


def code(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["field"]


# --- keys -----------------------------------------------------------------------------------------


def test_refused_keys(seller: Seller) -> None:
    def ask(header: str | None) -> tuple[int, str, str | None]:
        headers = {} if header is None else {"Authorization": header}
        return code(Client().post(RIGHTS, payment(), "application/json", headers=headers))

    assert ask(None) == (401, "key_missing", None)
    assert ask("Bearer ") == (401, "key_missing", None)
    assert ask(f"Token {seller.shown}") == (401, "key_missing", None)
    assert ask("Bearer secret") == (401, "key_unknown", None)
    assert ask(f"Bearer {make_key('pwp')[0]}") == (401, "key_unknown", None)
    assert ask(f"Bearer {make_key('pwd')[0]}") == (401, "key_unknown", None)
    assert ask(f"Bearer {seller.shown[:-1]}") == (401, "key_unknown", None)
    assert ask(f"Bearer {seller.shown[:-1]}\u00e9") == (401, "key_unknown", None)
    changed = "A" if seller.shown[20] != "A" else "B"
    assert ask(f"Bearer {seller.shown[:20]}{changed}{seller.shown[21:]}") == (
        401,
        "key_unknown",
        None,
    )
    assert Right.objects.count() == 0


def test_keys_rotate_expire_and_are_revoked(seller: Seller) -> None:
    now = datetime.now(UTC)
    newer, shown = provider_key_create(
        provider=seller.provider, actor=ADMIN, now=now, expires_at=now + timedelta(days=1)
    )
    both = [seller, Seller(seller.provider, newer, shown, Client())]
    assert [one.post(payment()).status_code for one in both] == [201, 200]
    provider_key_revoke(key_id=seller.key.pk, actor=ADMIN, now=now)
    assert code(both[0].post(payment())) == (403, "key_revoked", None)
    ProviderKey.objects.filter(pk=newer.pk).update(expires_at=now)
    assert code(both[1].post(payment())) == (403, "key_expired", None)
    ProviderKey.objects.filter(pk=newer.pk).update(expires_at=None)
    type(seller.provider).objects.filter(pk=seller.provider.pk).update(active=False)
    assert code(both[1].post(payment())) == (403, "provider_inactive", None)
    assert not ProviderKey.objects.filter(digest__contains=shown.encode()).exists()
    assert AuditRow.objects.filter(action="key-revoke").count() == 1


def test_a_session_is_no_key(seller: Seller, django_user_model: Any) -> None:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("root", "root@example.com"))
    assert code(client.post(RIGHTS, payment(), "application/json")) == (401, "key_missing", None)


# --- one right ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [RIGHTS, RIGHTS + "/"])
def test_new_repeat_conflict(seller: Seller, path: str) -> None:
    response = seller.post(payment(), path)
    body = response.json()
    assert response.status_code == 201
    assert body == {"id": body["id"], "status": "new", "url": f"{RIGHTS}/{body['id']}"}
    response = seller.post(payment(), path)
    assert (response.status_code, response.json()) == (200, body | {"status": "repeat"})
    assert code(seller.post(payment(plate="XX99XXX"), path)) == (409, "version_conflict", "version")
    assert seller.post(payment(plate="XX99XXX", version=2), path).status_code == 201


def test_the_status_of_a_right_has_no_plate(seller: Seller) -> None:
    made = seller.post(payment(id="app-AB12CDE")).json()
    for path in (made["url"], made["url"] + "/"):
        response = seller.get(path)
        assert response.status_code == 200
        assert "AB12CDE" not in response.content.decode()
    status = response.json()
    assert status == {
        "id": made["id"],
        "kind": "payment",
        "version": 1,
        "current": True,
        "site": "north",
        "scheme": None,
        "product": None,
        "from": "2026-03-01T09:00:00+00:00",
        "to": "2026-03-01T11:00:00+00:00",
        "known_at": status["known_at"],
        "withdrawn_at": None,
    }


def test_each_provider_sees_only_its_own(seller: Seller, organisation: Organisation) -> None:
    rival = make_seller(organisation)
    made = seller.post(payment()).json()
    for path in (made["url"], f"{RIGHTS}/{uuid.uuid4()}"):
        assert code(rival.get(path)) == (404, "not_found", None)
        assert code(rival.delete(path)) == (404, "not_found", None)
    assert seller.get(made["url"]).json()["withdrawn_at"] is None
    assert rival.post(payment(plate="XX99XXX")).status_code == 201  # its own p1


def test_withdrawing(seller: Seller) -> None:
    made = seller.post(payment()).json()
    first = seller.delete(made["url"])
    assert first.status_code == 200
    assert first.json()["withdrawn_at"] is not None
    assert seller.delete(made["url"]).json() == first.json()
    seller.post(payment(version=2))
    assert code(seller.delete(made["url"])) == (409, "superseded", None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (payment(site="south"), (400, "unknown_site", "site")),
        (payment(plate=" "), (400, "plate_empty", "plate")),
        (payment(plate="A" * 10_000), (400, "plate_too_long", "plate")),
        (payment(to="2026-03-01T08:00:00+00:00"), (400, "ends_before_start", "to")),
        (payment(**{"from": "2026-03-01T09:00:00"}), (400, "naive_time", "from")),
        ([], (400, "not_an_object", None)),
        (None, (400, "not_an_object", None)),
        ("payment", (400, "not_an_object", None)),
        ({}, (400, "unknown_kind", "kind")),
        ({"items": []}, (400, "empty_batch", "items")),
        ({"items": {}}, (400, "items_invalid", "items")),
        ({"items": [{}] * (MOST_ITEMS + 1)}, (400, "batch_too_large", "items")),
        (b"{", (400, "json_malformed", None)),
        (b"\xff\xfe", (400, "json_malformed", None)),
        (b"[" * 200_000, (400, "json_malformed", None)),
        (b'{"kind": "payment", "version": ' + b"1" * 10_000 + b"}", (400, "id_missing", "id")),
        (b"", (400, "unknown_kind", "kind")),
    ],
)
def test_bodies_that_are_refused(
    seller: Seller, other_site: Site, body: Any, expected: tuple[int, str, str | None]
) -> None:
    response = seller.post(body)
    assert code(response) == expected
    assert "AB12CDE" not in response.content.decode()
    assert Right.objects.count() == 0


def test_a_body_over_the_limit_is_refused_before_it_is_read(seller: Seller, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    assert code(seller.post({"items": [payment()] * 100})) == (413, "body_too_large", None)
    assert code(seller.post(b"[" * 1001)) == (413, "body_too_large", None)
    assert Right.objects.count() == 0
    assert seller.post(payment()).status_code == 201


def test_other_media_types_are_refused(seller: Seller) -> None:
    response = seller.client.post(
        RIGHTS, {"kind": "payment"}, headers={"Authorization": f"Bearer {seller.shown}"}
    )
    assert code(response) == (415, "unsupported_media_type", None)


# --- batches --------------------------------------------------------------------------------------


def test_a_batch_never_loses_good_items(seller: Seller) -> None:
    items: list[Any] = [
        payment(id="a"),
        payment(id="b", plate=" "),
        None,
        payment(id="c", version=10**30),
        payment(id="a"),
        payment(id="a", plate="XX99XXX"),
        payment(id="d", site="nowhere"),
        payment(id="e"),
    ]
    response = seller.post({"items": items})
    body = response.json()
    assert response.status_code == 201
    assert (body["accepted"], body["rejected"]) == (3, 5)
    assert [one["index"] for one in body["results"]] == list(range(8))
    assert [one.get("status") or one["error"]["code"] for one in body["results"]] == [
        "new",
        "plate_empty",
        "not_an_object",
        "not_a_number",
        "repeat",
        "version_conflict",
        "unknown_site",
        "new",
    ]
    assert Right.objects.count() == 2
    assert seller.post({"items": [items[0], items[-1]]}).status_code == 200


def test_a_batch_with_nothing_accepted_says_why(seller: Seller) -> None:
    response = seller.post({"items": [payment(plate=" "), payment(site="nowhere")]})
    body = response.json()
    assert code(response) == (400, "plate_empty", "plate")
    assert (body["accepted"], body["rejected"], len(body["results"])) == (0, 2, 2)


def test_every_plate_of_a_batch_is_audited(seller: Seller) -> None:
    seller.post({"items": [payment(id=f"p{n}", plate=f"AB12CD{n}") for n in range(5)]})
    rows = AuditRow.objects.filter(action="deliver")
    assert len({row.tokens[0] for row in rows}) == rows.count() == 5
    assert {row.actor for row in rows} == {seller.provider.name}


def test_a_site_of_another_organisation_is_unknown(seller: Seller) -> None:
    make_site(Organisation.objects.create(name="somebody else"), "abroad")
    assert code(seller.post(payment(site="abroad"))) == (400, "unknown_site", "site")


def test_the_schema_knows_the_rights_api_without_a_warning(capsys: Any) -> None:
    from drf_spectacular.drainage import GENERATOR_STATS
    from drf_spectacular.generators import SchemaGenerator

    from enforcement.rights import api_urls

    GENERATOR_STATS.reset()
    schema = SchemaGenerator(patterns=api_urls.urlpatterns).get_schema(request=None, public=True)
    assert not GENERATOR_STATS, capsys.readouterr().err
    methods = {path.rstrip("/"): set(found) for path, found in schema["paths"].items()}
    assert methods == {
        "/rights": {"post"},
        "/rights/{right_id}": {"get", "delete"},
        "/providers/{slug}/events": {"post"},
    }
    assert schema["components"]["securitySchemes"]["providerKey"]["scheme"] == "bearer"
