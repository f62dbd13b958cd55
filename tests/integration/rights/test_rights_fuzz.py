"""Whatever a provider sends, over every road: an answer below 500, and nothing half-done."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cameras.models import Site
from enforcement.rights.models import Right, RightPlate
from enforcement.rights.webhooks import signature, webhook_secret_create
from tests.integration.rights.providers import secret_key
from tests.integration.rights.rightsmaker import ADMIN, NOW, RIGHTS, Seller

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

WHOLE = [
    {
        "kind": "payment",
        "id": "p1",
        "version": 1,
        "plate": "AB12CDE",
        "country": "GB",
        "site": "north",
        "from": "2026-03-01T09:00:00+00:00",
        "to": "2026-03-01T11:00:00+00:00",
    },
    {
        "kind": "vignette",
        "id": "v1",
        "scheme": "HU",
        "product": "month",
        "plate": "ABC123",
        "country": "HU",
        "category": "car",
        "scope": "Pest",
        "first_day": "2026-01-31",
        "year": 2026,
        "bought_at": "2026-01-30T09:00:00+00:00",
    },
    {
        "kind": "permit",
        "id": "staff",
        "site": "north",
        "plates": ["AA11AAA", "BB22BBB"],
        "max_present": 1,
        "product": "staff",
    },
    {"kind": "exemption", "id": "x1", "plate": "EM3RGCY", "reason": "emergency", "site": "north"},
    {"kind": "zone-payment", "id": "z1", "plate": "AB12CDE", "site": "city", "day": "2026-03-01"},
]
SESSION = {
    "id": "s1",
    "version": 1,
    "actualStart": "2026-03-01T13:10:02Z",
    "actualEnd": "2026-03-01T14:10:02Z",
    "credentials": [{"identifier": {"id": "AB12XYZ", "className": "UKNumberPlate"}}],
    "hierarchyElement": {"id": "north", "version": 1},
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        [
            "\x00",
            "AB12\x00CDE",
            "\u202eEDC21BA",
            "Ａ１",
            "ß" * 20,
            "0001-01-01",
            "9999-12-31",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "2026-02-30",
            "2026-02-29",
            "2026-13-01T25:00:00Z",
            "2026-W01-1",
            "annual",
            "1-day",
            "A" * 500,
            10**400,
            -(2**31),
            2**31,
            2**63,
            "north",
            "zone-payment",
            "vignette",
        ]
    ),
    st.lists(st.one_of(st.text(), st.integers(), st.none()), max_size=4),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
)


@st.composite
def bent(draw: st.DrawFn, wholes: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole body with some of its fields replaced, added or gone."""
    body = dict(draw(st.sampled_from(wholes)))
    names = sorted({name for one in wholes for name in one})
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        if draw(st.booleans()) or name not in body:
            body[name] = draw(ODD)
        else:
            del body[name]
    return body


MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def fine(response: Any) -> None:
    """Below 500; a refusal names a code and quotes no plate; nothing was stored by half."""
    assert response.status_code < 500
    if response.status_code >= 400:
        error = response.json()["error"]
        assert error["code"]
        assert error["sentence"]
        text = response.content.decode()
        assert not [plate for plate in ("AB12CDE", "EM3RGCY", "AB12XYZ") if plate in text]
    assert not Right.objects.filter(plates=None).exists()
    assert not RightPlate.objects.filter(text=None).exists()


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode()


@MANY
@given(bent(WHOLE))
def test_the_rights_api(
    seller: Seller, zone_site: Site, schemes: None, body: dict[str, Any]
) -> None:
    seller.provider.sites.add(zone_site)
    fine(seller.post(dumped(body), RIGHTS))
    fine(seller.post(dumped({"items": [body]}), RIGHTS))


@MANY
@given(bent([SESSION]))
def test_apds(seller: Seller, body: dict[str, Any]) -> None:
    for path in ("/sessions", "/rights/assigned"):
        fine(seller.post(dumped(body), path))
        fine(
            seller.client.put(
                path,
                dumped(body),
                "application/json",
                headers={"Authorization": f"Bearer {seller.shown}"},
            )
        )
    fine(seller.get("/rights/assigned"))


@MANY
@given(bent(WHOLE), st.sampled_from(["right.delivered", "right.withdrawn"]), st.booleans())
def test_events(seller: Seller, schemes: None, body: dict[str, Any], kind: str, many: bool) -> None:
    secret, shown = webhook_secret_create(provider=seller.provider, actor=ADMIN, now=NOW)
    data = dumped({"type": kind, "items": [body]} if many else {"type": kind, "data": body})
    now = str(int(time.time()))
    response = seller.client.post(
        f"/api/v1/providers/{seller.provider.slug}/events",
        data,
        "application/json",
        headers={
            "webhook-id": secret.pk.hex,
            "webhook-timestamp": now,
            "webhook-signature": signature(secret_key(shown), secret.pk.hex, now, data),
        },
    )
    secret.delete()
    fine(response)


@MANY
@given(st.text())
def test_questions_by_address(seller: Seller, text: str) -> None:
    headers = {"Authorization": f"Bearer {seller.shown}"}
    for name in ("place", "credential_id", "start_after", "offset"):
        fine(seller.client.get("/rights/assigned", {name: text}, headers=headers))
