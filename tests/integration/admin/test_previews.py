"""“Try it”: what a rule would say, before it is stored, and without storing anything."""

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRow
from cameras.models import Site, Zone
from enforcement.rights.models import Scheme, SiteRules, Tariff
from tests.integration.admin.conftest import World
from tests.integration.admin.test_changes import RULES, audited_since, newest, split

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

TRY = {"_try": "1"}
EVERY = [1, 2, 3, 4, 5, 6, 7]
BANDS: list[dict[str, Any]] = [
    {
        "name": "day",
        "days": EVERY,
        "from": "08:00",
        "to": "18:00",
        "steps": [{"minutes": 60, "amount": 4000}],
    },
    {"name": "night", "days": EVERY, "from": "18:00", "to": "08:00", "free": True},
]


def tariff_form(site: Site, *bands: dict[str, Any], **change: str) -> dict[str, Any]:
    return {
        "site": site.pk,
        "name": "Parking",
        "currency": "czk",
        "rules": json.dumps({"bands": bands or BANDS}),
        **split(timezone.now()),
        **change,
    }


def sent(admin: Client, what: str, form: dict[str, Any]) -> str:
    """The page shown again, as text; nothing may have been stored or written down."""
    tables = (Tariff, Scheme, SiteRules, LogEntry)
    before, counts = newest(), [table.objects.count() for table in tables]
    answer = admin.post(reverse(f"admin:rights_{what}_add"), {**form, **TRY})
    assert answer.status_code == 200
    assert [table.objects.count() for table in tables] == counts
    assert audited_since(before) == []
    return unescape(answer.content.decode())


def test_a_tariff_is_tried_before_it_is_stored(world: World, admin: Client) -> None:
    form = tariff_form(world.site, try_at="2026-03-02T16:30", try_to="2026-03-02T22:00")
    page = sent(admin, "tariff", {**form, "try_country": "cz"})
    assert "Tried, not stored: unpaid (no-right)" in page
    assert "day, 2026-03-02 16:30 to 18:00: 2 × 40.00 CZK." in page
    assert "<strong>80.00 CZK</strong>" in page
    assert 'value="2026-03-02T16:30"' in page, "the question is still there"

    paid = {"try_paid_from": "2026-03-02T16:30", "try_paid_to": "2026-03-02T18:00"}
    page = sent(admin, "tariff", {**form, **paid})
    assert "Tried, not stored: paid (payment)" in page
    assert "<strong>0.00 CZK</strong>" in page

    night = {"try_at": "2026-03-02T19:00", "try_to": "2026-03-02T22:00"}
    assert "Tried, not stored: none (outside-window)" in sent(admin, "tariff", {**form, **night})


def test_what_was_tried_can_then_be_stored(world: World, admin: Client) -> None:
    form = tariff_form(world.site, try_at="2026-03-02T16:30", try_to="2026-03-02T22:00")
    before = newest()
    assert admin.post(reverse("admin:rights_tariff_add"), form).status_code == 302
    stored = Tariff.objects.exclude(pk=world.tariff.pk).get()
    assert (stored.currency, stored.rules) == ("CZK", {"bands": BANDS})
    (fields,) = [row[3] for row in audited_since(before)]
    assert not [name for name in fields if name.startswith("try_")]
    page = unescape(
        admin.get(reverse("admin:rights_tariff_change", args=[stored.pk])).content.decode()
    )
    assert "08:00 to 18:00: 40.00 CZK for each started 60 min" in page
    assert 'name="_try"' not in page, "it counts already: it is only read"


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"try_to": "2026-03-02T17:00"}, "Say when it comes in."),
        ({"try_at": "2026-03-02T17:00"}, "Say when it leaves."),
        (
            {"try_at": "2026-03-02T17:00", "try_to": "2026-03-02T16:59"},
            "It leaves before it comes in.",
        ),
        (
            {"try_at": "2026-03-02T17:00", "try_to": "2027-03-02T16:59"},
            "At most 31 days, please.",
        ),
        (
            {
                "try_at": "2026-03-02T17:00",
                "try_to": "2026-03-02T18:00",
                "try_paid_from": "2026-03-02T17:00",
            },
            "Say both from when and until when is paid.",
        ),
    ],
)
def test_a_question_with_a_hole_is_asked_back(
    world: World, admin: Client, form: dict[str, str], sentence: str
) -> None:
    page = sent(admin, "tariff", {**tariff_form(world.site), **form})
    assert sentence in page
    assert "Tried, not stored" not in page


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"rules": json.dumps({"bands": BANDS[:1]})}, "nothing says what 00:00 to 08:00 costs."),
        ({"rules": json.dumps({"bands": [*BANDS, BANDS[0]]})}, "both hold from 08:00."),
        ({"rules": "{"}, "valid JSON"),
        ({"rules": "[]"}, "This is a JSON object."),
        ({"currency": "K1"}, "Three letters, as in GBP."),
    ],
)
@pytest.mark.parametrize("tried", [True, False])
def test_a_tariff_with_a_hole_is_refused_at_the_field(
    world: World, admin: Client, form: dict[str, str], sentence: str, tried: bool
) -> None:
    asked = {"try_at": "2026-03-02T16:30", "try_to": "2026-03-02T22:00"} if tried else {}
    said = {**tariff_form(world.site), **form, **asked, **(TRY if tried else {})}
    answer = admin.post(reverse("admin:rights_tariff_add"), said)
    assert answer.status_code == 200
    assert sentence in unescape(answer.content.decode())
    assert Tariff.objects.count() == 1


def test_a_tariff_fits_its_site(world: World, admin: Client) -> None:
    road = Site.objects.create(
        organisation=world.organisation, name="r", slug="r", kind="vignette", timezone="UTC"
    )
    zone = Zone.objects.create(site=road, name="z")
    where = reverse("admin:rights_tariff_add")
    answer = admin.post(where, tariff_form(road))
    assert "Only a car park has a tariff." in answer.content.decode()
    answer = admin.post(where, {**tariff_form(world.site), "zone": zone.pk})
    assert "That zone is of another site." in answer.content.decode()
    past = {**tariff_form(world.site), **split(timezone.now() - timedelta(days=3))}
    assert "lies in the past" in admin.post(where, past).content.decode()
    assert Tariff.objects.count() == 1


def test_a_tariff_in_force_is_read_and_has_successors(world: World, admin: Client) -> None:
    where = reverse("admin:rights_tariff_change", args=[world.tariff.pk])
    assert admin.post(where, tariff_form(world.site)).status_code == 403
    page = admin.get(f"{reverse('admin:rights_tariff_add')}?of={world.tariff.pk}").content.decode()
    assert world.tariff.name in page
    ended = {**tariff_form(world.site), "rules": "", **split(timezone.now() + timedelta(days=1))}
    assert admin.post(reverse("admin:rights_tariff_add"), ended).status_code == 302
    assert Tariff.objects.exclude(pk=world.tariff.pk).get().rules is None


# --- schemes, windows and site rules ----------------------------------------------------------


def czech() -> dict[str, Any]:
    row = Scheme.objects.filter(code="CZ").order_by("-effective_from")[0]
    return {
        "code": "XX",
        "name": "Ours",
        "country": "CZ",
        "timezone": "Europe/Prague",
        "rules": json.dumps(row.rules),
        **split(timezone.now()),
    }


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, ["unpaid (no-right)", "No right covers this vehicle"]),
        ({"try_country": ""}, ["review (country-unknown)"]),
        ({"try_category": "electric"}, ["exempt (exemption)"]),
        (
            {"try_product": "10-day", "try_first_day": "2026-02-21"},
            ["paid (vignette)", "valid from 2026-02-21 00:00 to 2026-03-03 00:00."],
        ),
        ({"try_product": "10-day", "try_first_day": "2026-02-20"}, ["unpaid (right-ended)"]),
        ({"try_product": "10-day", "try_first_day": "2026-03-03"}, ["unpaid (right-not-started)"]),
        (
            {
                "try_product": "annual",
                "try_first_day": "2026-06-03",
                "try_bought_at": "2026-03-02T09:00",
            },
            ["unpaid (right-not-started)", "A seller would refuse it: The first day may lie"],
        ),
        ({"try_product": "week", "try_first_day": "2026-03-02"}, ["XX has no such product."]),
        ({"try_product": "10-day"}, ["This product counts from a day: name it."]),
        ({"try_at": ""}, ["Say when it is seen."]),
    ],
)
def test_a_scheme_is_tried(
    world: World, admin: Client, asked: dict[str, str], says: list[str]
) -> None:
    question = {"try_at": "2026-03-02T12:00", "try_country": "CZ"}
    page = sent(admin, "scheme", {**czech(), **question, **asked})
    for sentence in says:
        assert sentence in page


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (
            "2026-03-02T12:00",
            ["unpaid (no-right)", "Charged for 2026-03-02; it can be paid until 2026-03-06 00:00."],
        ),
        ("2026-03-02T06:59", ["none (outside-window)"]),
        ("2026-04-06T12:00", ["none (outside-window)", "A holiday: Easter Monday."]),
    ],
)
def test_a_charging_window_is_tried(
    world: World, admin: Client, seen: str, says: list[str]
) -> None:
    site = Site.objects.create(
        organisation=world.organisation, name="z", slug="z", kind="zone", timezone="Europe/Prague"
    )
    window = {
        "days": [1, 2, 3, 4, 5],
        "from": "07:00",
        "to": "18:00",
        "holidays_of": {"country": "CZ"},
        "pay_until": "P3D midnight",
    }
    form = {**RULES, "site": site.pk, "window": json.dumps(window), **split(timezone.now())}
    page = sent(admin, "siterules", {**form, "try_at": seen, "try_country": "CZ"})
    for sentence in says:
        assert sentence in page


def test_the_rules_of_a_car_park_are_tried(world: World, admin: Client) -> None:
    form = {**RULES, "site": world.site.pk, **split(timezone.now())}
    minutes = int(RULES["grace_minutes"]) + int(RULES["consideration_minutes"])
    paid = {"try_paid_from": "2020-03-02T09:00", "try_paid_to": "2020-03-02T10:00"}
    asked = {"try_at": "2020-03-02T09:00", "try_country": "CZ", **paid}
    page = sent(admin, "siterules", {**form, **asked, "try_to": f"2020-03-02T10:{minutes}"})
    assert "excused (grace)" in page
    page = sent(admin, "siterules", {**form, **asked, "try_to": f"2020-03-02T10:{minutes + 1}"})
    assert "overstay (right-ended)" in page


def test_the_rules_of_a_road_are_tried_with_the_scheme_in_force(
    world: World, admin: Client
) -> None:
    site = Site.objects.create(
        organisation=world.organisation, name="r", slug="r", kind="vignette", timezone="UTC"
    )
    form = {**RULES, "site": site.pk, "scheme": "HU", **split(timezone.now())}
    asked = {
        "try_at": "2026-03-02T09:00",
        "try_country": "HU",
        "try_product": "1-day",
        "try_first_day": "2026-03-02",
        "try_bought_at": "2026-03-02T10:00",
    }
    page = sent(admin, "siterules", {**form, **asked})
    assert "paid (vignette)" in page
    assert "lets such a purchase count" in page
    page = sent(admin, "siterules", {**form, **asked, "try_bought_at": "2026-03-02T10:01"})
    assert "unpaid" in page


def test_nobody_without_the_permission_tries(world: World, clerk: Client) -> None:
    answer = clerk.post(reverse("admin:rights_tariff_add"), {**tariff_form(world.site), **TRY})
    assert answer.status_code == 403
    assert AuditRow.objects.filter(subject="rights.tariff").count() == 0
