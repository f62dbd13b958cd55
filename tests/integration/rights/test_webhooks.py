"""Events of providers: only whoever has the secret is heard, and nothing counts twice."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditRow
from cameras.models import Organisation
from core.errors import Conflict
from enforcement.rights.channels import WebhookEvent, WebhookSecret
from enforcement.rights.models import Provider, Right
from enforcement.rights.webhooks import (
    MOST_SECRETS,
    webhook_secret_create,
    webhook_secret_revoke,
)
from tests.integration.rights.rightsmaker import ADMIN, NOW, Seller, make_seller, whole_database
from vault import keyring

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


class Sender:
    """A provider's server: signs as standardwebhooks.com has it, by code of its own."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.secret, self.shown = webhook_secret_create(provider=provider, actor=ADMIN, now=NOW)
        self.client = Client()

    def signed(
        self, body: bytes, *, message: str = "msg_1", at: float | None = None, key: bytes = b""
    ) -> dict[str, str]:
        key = key or base64.b64decode(self.shown.removeprefix("whsec_"))
        when = str(int(time.time() if at is None else at))
        digest = hmac.new(key, f"{message}.{when}.".encode() + body, hashlib.sha256).digest()
        return {
            "webhook-id": message,
            "webhook-timestamp": when,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    def raw(self, body: bytes, headers: dict[str, str], slug: str = "") -> Any:
        path = f"/api/v1/providers/{slug or self.provider.slug}/events"
        return self.client.post(path, body, "application/json", headers=headers)

    def send(self, event: Any, **how: Any) -> Any:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return self.raw(body, self.signed(body, **how))


@pytest.fixture
def sender(seller: Seller) -> Sender:
    return Sender(seller.provider)


def paid(**change: Any) -> dict[str, Any]:
    right = {
        "kind": "payment",
        "id": "p1",
        "plate": "AB12CDE",
        "site": "north",
        "from": "2026-03-01T09:00:00+00:00",
        "to": "2026-03-01T11:00:00+00:00",
    } | change
    return {"type": "right.delivered", "data": right}


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


# --- what an event does ---------------------------------------------------------------------------


def test_a_signed_event_delivers_a_right(sender: Sender) -> None:
    response = sender.send(paid())
    right = Right.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "results": [{"index": 0, "id": str(right.pk), "status": "new"}],
        "accepted": 1,
        "rejected": 0,
        "status": "new",
    }
    assert (right.provider, right.kind) == (sender.provider, "payment")
    row = AuditRow.objects.get(action="deliver")
    assert (row.actor, row.purpose) == (sender.provider.name, "rights-intake")
    assert "AB12CDE" not in whole_database()


def test_an_event_withdraws_a_right(sender: Sender) -> None:
    sender.send(paid())
    gone = {"type": "right.withdrawn", "data": {"kind": "payment", "id": "p1"}}
    assert sender.send(gone, message="msg_2").json()["results"][0]["status"] == "withdrawn"
    assert Right.objects.get().withdrawn_at is not None
    unknown = {"type": "right.withdrawn", "data": {"kind": "payment", "id": "p2"}}
    assert code(sender.send(unknown, message="msg_3")) == (404, "not_found")


def test_several_items_are_each_done_or_refused(sender: Sender) -> None:
    items = [paid()["data"], paid(plate=" ")["data"], None, paid(id="p2")["data"]]
    response = sender.send({"type": "right.delivered", "items": items})
    body = response.json()
    assert (response.status_code, body["accepted"], body["rejected"]) == (200, 2, 2)
    assert [one.get("status") or one["error"]["code"] for one in body["results"]] == [
        "new",
        "plate_empty",
        "not_an_object",
        "new",
    ]


def test_a_ping_is_answered(sender: Sender) -> None:
    assert sender.send({"type": "ping"}).json()["status"] == "new"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"{", (400, "json_malformed")),
        (b"\xff", (400, "json_malformed")),
        (b"", (400, "json_malformed")),
        (b"[" * 100_000, (400, "json_malformed")),
        ([], (400, "not_an_object")),
        ({}, (400, "unknown_event")),
        ({"type": "right.exploded"}, (400, "unknown_event")),
        ({"type": ["ping"]}, (400, "unknown_event")),
        ({"type": "right.delivered"}, (400, "not_an_object")),
        ({"type": "right.delivered", "items": []}, (400, "empty_batch")),
        ({"type": "right.withdrawn", "data": {"kind": []}}, (400, "unknown_kind")),
        ({"type": "right.withdrawn", "data": {"kind": "payment", "id": 5}}, (400, "not_text")),
        (paid(to="2026-03-01T08:00:00+00:00"), (400, "ends_before_start")),
    ],
)
def test_an_event_of_which_nothing_can_be_done_may_be_mended_and_sent_again(
    sender: Sender, event: Any, expected: tuple[int, str]
) -> None:
    assert code(sender.send(event)) == expected
    assert not WebhookEvent.objects.exists()
    assert sender.send(paid()).status_code == 200


# --- who may --------------------------------------------------------------------------------------


def test_only_whoever_has_the_secret_is_heard(sender: Sender, organisation: Organisation) -> None:
    body = json.dumps(paid()).encode()
    good = sender.signed(body)
    rival = Sender(make_seller(organisation).provider)
    refused = {
        "nothing signed": {},
        "no id": {**good, "webhook-id": ""},
        "another id": {**good, "webhook-id": "msg_2"},
        "another time": {**good, "webhook-timestamp": str(int(time.time()) + 1)},
        "no number": {**good, "webhook-timestamp": "soon"},
        "another key": sender.signed(body, key=b"guess"),
        "a rival's key": rival.signed(body),
        "no signature": {**good, "webhook-signature": "v1,"},
        "another kind": {
            **good,
            "webhook-signature": good["webhook-signature"].replace("v1", "v2"),
        },
        "bytes": {**good, "webhook-signature": "v1,\u00e9\u00e9"},
    }
    for what, headers in refused.items():
        response = sender.raw(body, headers)
        assert response.status_code == 401, what
        assert response.json()["error"]["code"] in ("signature_missing", "signature_wrong"), what
    assert code(sender.raw(body + b" ", good)) == (401, "signature_wrong")
    assert code(sender.raw(body, good, slug=rival.provider.slug)) == (401, "signature_wrong")
    assert code(sender.raw(body, good, slug="nobody")) == (401, "signature_wrong")
    assert not Right.objects.exists()
    assert sender.raw(body, good).status_code == 200


@pytest.mark.parametrize("off", [-400, 400, -(10**9), 10**9, 998_000_000_000])
def test_a_signature_holds_for_five_minutes_either_way(sender: Sender, off: int) -> None:
    assert code(sender.send(paid(), at=time.time() + off)) == (401, "signature_expired")
    assert sender.send(paid(), at=time.time() + (200 if off > 0 else -200)).status_code == 200


def test_a_large_event_is_refused_before_it_is_looked_at(sender: Sender) -> None:
    assert code(sender.send(b" " * (1024 * 1024 + 1))) == (413, "body_too_large")


def test_a_provider_that_is_switched_off_is_not_heard(sender: Sender) -> None:
    Provider.objects.filter(pk=sender.provider.pk).update(active=False)
    assert code(sender.send(paid())) == (401, "signature_wrong")


# --- replay ---------------------------------------------------------------------------------------


def test_the_very_same_message_is_refused_and_does_nothing(sender: Sender) -> None:
    body = json.dumps(paid()).encode()
    headers = sender.signed(body)
    assert sender.raw(body, headers).status_code == 200
    before = AuditRow.objects.count()
    assert code(sender.raw(body, headers)) == (409, "event_replayed")
    assert AuditRow.objects.count() == before


def test_an_event_sent_anew_is_answered_like_the_first_and_does_nothing(sender: Sender) -> None:
    now = time.time()
    first = sender.send(paid(), at=now - 10).json()
    # meanwhile the right was withdrawn: the repeat must not bring it back
    withdrawn = {"type": "right.withdrawn", "data": {"kind": "payment", "id": "p1"}}
    sender.send(withdrawn, message="msg_2")
    before = AuditRow.objects.count()
    again = sender.send(paid(), at=now)
    assert (again.status_code, again.json()) == (200, first | {"status": "repeat"})
    assert AuditRow.objects.count() == before
    assert Right.objects.get(current=True).withdrawn_at is not None


def test_another_content_under_a_known_id_is_refused(sender: Sender) -> None:
    sender.send(paid())
    assert code(sender.send(paid(id="p2"), at=time.time() - 5)) == (409, "event_conflict")
    assert Right.objects.count() == 1


def test_ids_of_two_providers_never_meet(sender: Sender, organisation: Organisation) -> None:
    rival = Sender(make_seller(organisation).provider)
    assert sender.send({"type": "ping"}).status_code == 200
    assert rival.send({"type": "ping"}).json()["status"] == "new"


# --- secrets --------------------------------------------------------------------------------------


def test_a_provider_rotates_by_two_secrets_and_a_revoked_one_is_refused(sender: Sender) -> None:
    newer = Sender(sender.provider)
    assert sender.send(paid()).status_code == 200
    assert newer.send(paid(id="p2"), message="msg_2").status_code == 200
    webhook_secret_revoke(secret_id=sender.secret.pk, actor=ADMIN, now=NOW)
    webhook_secret_revoke(secret_id=sender.secret.pk, actor=ADMIN, now=NOW)
    assert code(sender.send(paid(id="p3"), message="msg_3")) == (401, "signature_wrong")
    assert newer.send(paid(id="p3"), message="msg_3").status_code == 200
    assert AuditRow.objects.filter(action="key-revoke").count() == 1
    for _ in range(MOST_SECRETS - 1):
        webhook_secret_create(provider=sender.provider, actor=ADMIN, now=NOW)
    with pytest.raises(Conflict, match="too_many_secrets"):
        webhook_secret_create(provider=sender.provider, actor=ADMIN, now=NOW)


def test_the_secret_is_nowhere_in_the_database(sender: Sender) -> None:
    sender.send(paid())
    text = whole_database()
    key = base64.b64decode(sender.shown.removeprefix("whsec_"))
    for said in (sender.shown, sender.shown.removeprefix("whsec_"), key.hex()):
        assert said not in text


def test_a_secret_outlives_a_new_index_key_until_the_old_one_is_gone(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = keyring.index()
    both = {**ring.keys, 9: b"9" * 32}
    monkeypatch.setattr(keyring, "index", lambda: keyring.Keyring(9, both))
    assert sender.send(paid()).status_code == 200
    assert WebhookSecret.objects.get().last_used_at is not None
    only = keyring.Keyring(9, {9: b"9" * 32})
    monkeypatch.setattr(keyring, "index", lambda: only)
    assert code(sender.send(paid(id="p2"), message="msg_2")) == (401, "signature_wrong")
