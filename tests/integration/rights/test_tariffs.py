"""Rules that change: by tariff and by scheme, stays are judged by what was in force at the time."""

from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from cameras.models import Site, Zone
from enforcement.rights.importing import Layout, import_rights
from enforcement.rights.models import Right, Scheme, SiteRules, Tariff
from enforcement.rights.selectors import stay_charge
from enforcement.visits.models import VerdictVersion
from plates.models import Passage, PlateRead
from tests.integration.rights.rightsmaker import ADMIN, NOW, Seller
from tests.integration.visits.world import BASE, World, at, car_park, city, motorway

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

EVERY = [1, 2, 3, 4, 5, 6, 7]


def bands(price: int, opens: str = "08:00", closes: str = "18:00") -> dict[str, Any]:
    """So much for each started hour of the day; the night is free."""
    steps = [{"minutes": 60, "amount": price}]
    day = {"name": "day", "days": EVERY, "from": opens, "to": closes, "steps": steps}
    night = {"name": "night", "days": EVERY, "from": closes, "to": opens, "free": True}
    return {"bands": [day, night]}


def tariff(
    site: Site,
    rules: dict[str, Any] | None,
    since: datetime = BASE - timedelta(days=30),
    zone: Zone | None = None,
) -> Tariff:
    return Tariff.objects.create(
        site=site, zone=zone, name="Parking", effective_from=since, currency="CZK", rules=rules
    )


def stay(park: World, plate: str, start: datetime, end: datetime, entry: str = "in") -> PlateRead:
    read = park.read(entry, plate, start)
    park.read("out", plate, end)
    return read


def again(park: World) -> None:
    """Have everything judged anew."""
    passages = Passage.objects.filter(site=park.site)
    for passage in passages:
        Passage.objects.filter(pk=passage.pk).update(revision=passage.revision + 1)
    assert park.judge() == len(passages)


def versions() -> list[tuple[Any, ...]]:
    rows = VerdictVersion.objects.order_by("id")
    return list(rows.values_list("id", "verdict", "reason", "rules", "explanation", "current"))


def test_a_free_night_is_no_violation_and_a_paid_evening_covers_it() -> None:
    park = car_park()
    tariff(park.site, bands(4000))
    night = stay(park, "1AB2345", at("19:00"), at("22:00"))
    day = stay(park, "2AB2345", at("10:00"), at("12:30"))
    park.right("payment", "3AB2345", country="CZ", from_=at("17:00"), to=at("18:00"))
    evening = stay(park, "3AB2345", at("17:00"), at("23:00"))
    park.settle(at("23:30"))
    assert park.says(night) == ("none", "outside-window")
    assert park.verdict(night).provisional is False
    assert park.visit(night).final_at is not None
    assert park.says(evening) == ("paid", "payment")
    assert park.says(day) == ("unpaid", "no-right")
    verdict = park.verdict(day)
    assert verdict.act_due
    assert verdict.rules[-1].startswith(f"tariff/{park.site.slug}/")
    assert "By the tariff the time without a right costs 120.00 CZK." in [
        line["sentence"] for line in verdict.explanation
    ]


def test_a_stay_is_charged_by_the_version_in_force_when_it_began() -> None:
    park = car_park()
    tariff(park.site, bands(4000))
    before = stay(park, "1AB2345", at("10:00"), at("11:30"))
    park.settle(at("11:40"))
    was = versions()
    tariff(
        park.site,
        {
            "bands": [
                {
                    **bands(1)["bands"][0],
                    "from": "00:00",
                    "to": "24:00",
                    "steps": [{"minutes": 60, "amount": 9900}],
                }
            ]
        },
        since=at("12:00"),
    )
    again(park)
    assert versions() == was, "what was judged stays as it was judged"

    after = stay(park, "2AB2345", at("12:00"), at("12:30"))
    across = stay(park, "3AB2345", at("11:59"), at("20:00"))
    night = stay(park, "4AB2345", at("19:00"), at("22:00"))
    park.settle(at("23:00"))
    assert "99.00 CZK" in str(park.verdict(after).explanation)
    assert "280.00 CZK" in str(park.verdict(across).explanation), "seven hours at the old price"
    assert park.says(night) == ("unpaid", "no-right"), "nights are no longer free"
    assert park.says(before) == ("unpaid", "no-right")


def test_a_tariff_can_end() -> None:
    park = car_park()
    tariff(park.site, bands(4000))
    tariff(park.site, None, since=at("12:00"))
    read = stay(park, "1AB2345", at("19:00"), at("22:00"))
    park.settle(at("23:00"))
    assert park.says(read) == ("unpaid", "no-right")
    assert "tariff" not in str(park.verdict(read).rules)


def test_a_zone_has_a_tariff_of_its_own() -> None:
    park = car_park()
    deck = Zone.objects.create(site=park.site, name="deck")
    tariff(park.site, bands(4000))
    tariff(park.site, bands(1000, opens="12:00"), zone=deck)
    park.cameras["in"].zone = deck
    park.cameras["in"].save()
    read = stay(park, "1AB2345", at("09:00"), at("11:59"))
    park.settle(at("13:00"))
    assert park.says(read) == ("none", "outside-window"), "before noon the deck is free"
    assert str(deck.pk) in str(park.verdict(read).rules)
    other = Zone.objects.create(site=park.site, name="street")
    assert stay_amount(park.site, deck) == 1000
    assert stay_amount(park.site, other) == stay_amount(park.site, None) == 12000


def stay_amount(site: Site, zone: Zone | None) -> int:
    charge = stay_charge(site, at("10:00"), at("13:00"), zone_id=zone.pk if zone else None)
    assert charge is not None
    return charge.amount


def test_what_a_stay_still_owes() -> None:
    park = car_park()
    assert stay_charge(park.site, at("10:00"), at("13:00")) is None
    tariff(park.site, bands(4000))
    rest = stay_charge(park.site, at("10:00"), at("13:00"), covered=[(at("10:00"), at("11:00"))])
    assert rest is not None
    assert (rest.amount, rest.currency) == (8000, "CZK")


def test_a_tariff_that_cannot_be_read_accuses_nobody() -> None:
    park = car_park()
    tariff(park.site, {"bands": []})
    read = stay(park, "1AB2345", at("09:00"), at("12:00"))
    park.settle(at("13:00"))
    verdict = park.verdict(read)
    assert (verdict.verdict, verdict.act_due) == ("pending", False)
    assert [line["code"] for line in verdict.explanation] == ["tariff-hole"]


def test_without_a_tariff_a_night_costs_like_a_day() -> None:
    park = car_park()
    read = stay(park, "1AB2345", at("19:00"), at("22:00"))
    park.settle(at("23:00"))
    assert park.says(read) == ("unpaid", "no-right")
    assert not any("tariff" in rule for rule in park.verdict(read).rules)


# --- changing a scheme or a site's rules ---------------------------------------------------------


def test_a_new_version_of_a_scheme_changes_no_past_verdict() -> None:
    road = motorway()
    road.right(
        "vignette", "1AB2345", country="CZ", scheme="CZ", product="1-day", first_day="2026-03-02"
    )
    paid = road.read("gantry", "1AB2345", at("10:00"))
    unpaid = road.read("gantry", "2AB2345", at("10:01"))
    road.settle(at("10:05"))
    was = versions()
    old = Scheme.objects.get(code="CZ")
    rules = {
        **old.rules,
        "exemptions": [{"categories": ["car"], "countries": None, "code": "toll-instead"}],
    }
    Scheme.objects.create(
        code="CZ",
        name="now exempt",
        country="CZ",
        timezone="Europe/Prague",
        effective_from=at("12:00"),
        rules=rules,
    )
    again(road)
    assert versions() == was
    later = road.read("gantry", "2AB2345", at("12:00"))
    road.settle(at("12:05"))
    assert (road.says(paid), road.says(unpaid)) == (("paid", "vignette"), ("unpaid", "no-right"))
    assert road.says(later) == ("exempt", "exemption")


def test_a_new_window_changes_no_past_verdict() -> None:
    zone = city()
    charged = zone.read("north", "1AB2345", at("10:00"))
    zone.settle(at("10:05"))
    was = versions()
    free = {
        "hours": [{"days": [6, 7], "from": "00:00", "to": "24:00"}],
        "pay_until": "P0D midnight",
    }
    SiteRules.objects.create(site=zone.site, effective_from=at("12:00"), window=free)
    again(zone)
    assert versions() == was
    later = zone.read("north", "2AB2345", at("13:00"))
    zone.settle(at("13:05"))
    assert zone.says(charged) == ("pending", "awaiting-deadline")
    assert zone.says(later) == ("none", "outside-window")


def test_new_allowances_change_no_past_verdict() -> None:
    park = car_park()
    before = stay(park, "1AB2345", at("09:00"), at("09:30"))
    park.settle(at("10:00"))
    was = versions()
    SiteRules.objects.create(site=park.site, effective_from=at("12:00"), consideration_minutes=30)
    again(park)
    assert versions() == was
    after = stay(park, "2AB2345", at("12:00"), at("12:30"))
    park.settle(at("13:00"))
    assert park.says(before) == ("unpaid", "no-right")
    assert park.says(after) == ("excused", "consideration")


def test_a_window_knows_the_holidays_of_a_country() -> None:
    window = {
        "hours": [
            {"days": [1, 2, 3, 4, 5], "from": "07:00", "to": "10:00"},
            {"days": [1, 2, 3, 4, 5], "from": "16:00", "to": "18:00"},
        ],
        "holidays_of": {"country": "CZ"},
        "pay_until": "P0D midnight",
    }
    zone = city()
    SiteRules.objects.filter(site=zone.site).update(window=window)
    morning = zone.read("north", "1AB2345", at("09:59"))
    noon = zone.read("north", "2AB2345", at("10:00"))
    afternoon = zone.read("north", "3AB2345", at("16:00"))
    easter_monday = zone.read("north", "4AB2345", at("09:00", 35))
    zone.settle(at("12:00", 35))
    assert zone.says(morning) == zone.says(afternoon) == ("unpaid", "no-right")
    assert zone.says(noon) == zone.says(easter_monday) == ("none", "outside-window")
    assert any(rule.startswith("holidays/CZ/") for rule in zone.verdict(morning).rules)


# --- a fifth scheme, and who sells ---------------------------------------------------------------


def test_a_fifth_scheme_is_data() -> None:
    Scheme.objects.create(
        code="XX",
        name="A fifth",
        country="SI",
        timezone="Europe/Ljubljana",
        effective_from=BASE - timedelta(days=400),
        rules={
            "heal_min": 30,
            "products": {"week": {"span": "days", "count": 7}},
            "counts_as": {"van": "car"},
            "exemptions": [],
        },
    )
    road = motorway(scheme="XX")
    vignette = {"country": "SI", "scheme": "XX", "product": "week", "first_day": "2026-03-02"}
    road.now = at("10:00")
    read = road.read("gantry", "LJAB123", at("09:30"), country="SI")
    early = road.read("gantry", "LJAB124", at("09:29"), country="SI")
    road.right("vignette", "LJAB123", bought_at=at("10:00"), **vignette)
    road.right("vignette", "LJAB124", bought_at=at("10:00"), **vignette)
    road.settle(at("10:05"))
    assert road.says(read)[0] == "paid"
    assert road.says(early)[0] == "unpaid"
    last = road.read("gantry", "LJAB124", at("22:59", 6), country="SI")
    over = road.read("gantry", "LJAB124", at("23:00", 6), country="SI")
    road.settle(at("23:05", 6))
    assert road.says(last) == ("paid", "vignette"), "to the midnight of the seventh day"
    assert road.says(over) == ("unpaid", "right-ended")


def vignette(id: str, first_day: str, **change: Any) -> dict[str, Any]:
    return {
        "kind": "vignette",
        "id": id,
        "plate": "1AB2345",
        "country": "CZ",
        "scheme": "CZ",
        "product": "10-day",
        "first_day": first_day,
        "bought_at": "2026-03-01T08:00:00+00:00",
    } | change


@pytest.mark.parametrize("sells", [True, False])
def test_only_a_seller_is_held_to_how_far_ahead_a_scheme_sells(
    seller: Seller, sells: bool, schemes: None
) -> None:
    seller.provider.sells = sells
    seller.provider.save()
    assert seller.post(vignette("v1", "2026-06-01")).status_code == 201
    answer = seller.post(vignette("v2", "2026-06-02"))
    if sells:
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], error["field"]) == ("first_day_too_far", "first_day")
        assert Right.objects.count() == 1
    else:
        assert answer.status_code == 201
    assert seller.post(vignette("v3", "2027-01-01", scheme="SK")).status_code == 201


def test_a_sellers_file_is_held_to_it_row_by_row(seller: Seller, schemes: None) -> None:
    seller.provider.sells = True
    seller.provider.save()
    source = BytesIO(
        b"VignetteID;Scheme;Product;PlateCountry;PlateNumber;FirstDay;BoughtAt\n"
        b"v1;CZ;10-day;CZ;1AB2345;2026-06-01;2026-03-01T08:00:00+00:00\n"
        b"v2;CZ;10-day;CZ;2AB2345;2026-06-02;2026-03-01T08:00:00+00:00\n"
    )
    *_, progress = import_rights(
        source,
        layout=Layout.VIGNETTES,
        site=None,
        provider=seller.provider,
        actor=ADMIN,
        now=NOW,
        all_or_nothing=False,
    )
    assert (progress.rows, progress.stored) == (2, 1)
    assert [(e.row, e.code) for e in progress.errors] == [(3, "first_day_too_far")]


@pytest.mark.parametrize("kind", ["reservation", "validation"])
def test_a_reservation_or_validation_pays_like_a_payment(kind: str) -> None:
    park = car_park()
    park.right(
        kind, "1AB2345", country="CZ", site=park.site.slug, from_=at("09:00"), to=at("11:00")
    )
    read = stay(park, "1AB2345", at("09:10"), at("10:50"))
    other = stay(park, "1AB2346", at("09:10"), at("10:50"))
    park.settle(at("11:30"))
    assert park.says(read) == ("paid", "payment")
    assert park.says(other) == ("unpaid", "no-right"), "its own vehicle uses it up"
    assert Right.objects.get().used_up_at is not None
