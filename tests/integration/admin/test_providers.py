"""A provider's page: where it is asked, and the secrets it signs its events with."""

import base64
import json
import re
import time
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditRow
from enforcement.rights.channels import LookupService, WebhookSecret
from enforcement.rights.models import Right
from enforcement.rights.webhooks import signature
from tests.integration.admin.conftest import World

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture(autouse=True)
def may_be_asked(settings: Any) -> None:
    settings.LOOKUP_HOSTS = ["pay.example", "10.0.0.7"]
    settings.LOOKUP_NETWORKS = [ip_network("10.0.0.0/8")]


def form(world: World, url: str, **change: str) -> dict[str, Any]:
    said = {
        "name": world.provider.name,
        "slug": world.provider.slug,
        "organisation": str(world.provider.organisation_id),
        "active": "on",
        "lookup-0-provider": str(world.provider.pk),
        "lookup-0-url": url,
        "lookup-0-timeout_seconds": "5",
        "lookup-0-active": "on",
        "lookup-TOTAL_FORMS": "1",
        "lookup-INITIAL_FORMS": "0",
    }
    for name in ("keys", "webhook_secrets"):
        said |= {f"{name}-TOTAL_FORMS": "0", f"{name}-INITIAL_FORMS": "0"}
    return said | change


def page_of(world: World) -> str:
    return reverse("admin:rights_provider_change", args=[world.provider.pk])


def test_where_a_provider_is_asked_is_set_on_its_page(world: World, admin: Client) -> None:
    answer = admin.post(page_of(world), form(world, "https://pay.example/ask"))
    assert answer.status_code == 302
    service = LookupService.objects.get()
    assert (service.provider, service.url, service.active) == (
        world.provider,
        "https://pay.example/ask",
        True,
    )
    assert AuditRow.objects.filter(subject="rights.lookupservice").exists()
    text = admin.get(page_of(world)).content.decode()
    assert "https://pay.example/ask" in text
    assert "cases that wait" in text.lower()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://evil.example/ask", "not among those that may be asked"),
        ("https://user:word@pay.example/", "reads https://host/path"),
        ("ftp://pay.example/ask", "over https only"),
        ("nonsense", "valid URL"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused_at_the_field(
    world: World, admin: Client, url: str, sentence: str
) -> None:
    answer = admin.post(page_of(world), form(world, url))
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not LookupService.objects.exists()


def test_a_secret_is_shown_once_signs_and_is_revoked(world: World, admin: Client) -> None:
    new = reverse("admin:rights_provider_add_secret", args=[world.provider.pk])
    assert admin.get(new).status_code == 200
    answer = admin.post(new)
    shown = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.content.decode())
    assert shown is not None
    assert "no-store" in answer["Cache-Control"]
    assert shown[0] not in admin.get(page_of(world)).content.decode()
    where = reverse("api_provider_events", args=[world.provider.slug])
    assert where in answer.content.decode()

    def send(message: str) -> int:
        body = json.dumps({"type": "ping"}).encode()
        now = str(int(time.time()))
        key = base64.b64decode(shown[0].removeprefix("whsec_")) if shown else b""
        headers = {
            "webhook-id": message,
            "webhook-timestamp": now,
            "webhook-signature": signature(key, message, now, body),
        }
        return Client().post(where, body, "application/json", headers=headers).status_code

    before = Right.objects.count()
    assert send("a") == 200
    revoke = reverse("admin:rights_provider_revoke_secret", args=[world.provider.pk])
    secret = WebhookSecret.objects.get()
    assert admin.get(revoke).status_code == 200
    assert admin.post(revoke, {"secret": "nonsense"}).status_code == 200
    assert admin.post(revoke, {"secret": str(secret.pk)}).status_code == 302
    assert send("b") == 401
    assert Right.objects.count() == before
    subjects = AuditRow.objects.filter(subject="rights.webhooksecret")
    assert list(subjects.order_by("id").values_list("action", flat=True)) == [
        "key-create",
        "key-revoke",
    ]


def test_nobody_without_the_permission_makes_or_revokes_one(world: World, clerk: Client) -> None:
    for name in ("add_secret", "revoke_secret"):
        where = reverse(f"admin:rights_provider_{name}", args=[world.provider.pk])
        assert clerk.post(where).status_code == 403
    assert not WebhookSecret.objects.exists()
