"""Vignette roads and charging zones: each passage is judged by itself."""

import pytest

from cameras.models import Capture
from core.platetext import ocr_class
from enforcement.rights.matching import cost
from enforcement.rights.models import RightTouch
from enforcement.visits.models import VerdictVersion
from enforcement.visits.registry import one_slip_away
from tests.integration.visits.world import at, city, motorway

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_first_read_is_judged_at_once_and_finally_when_the_camera_has_reported() -> None:
    road = motorway()
    road.right(
        "vignette", "1AB2345", country="CZ", scheme="CZ", product="1-day", first_day="2026-03-02"
    )
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.judge()
    first = road.verdict(read)
    assert (first.verdict, first.reason, first.provisional) == ("paid", "vignette", True)
    assert road.passage(read).final_at is None
    capture = Capture.objects.get(pk=read.capture_id)
    assert capture.judged_at == road.now
    assert capture.outcome["verdicts"]["0"]["verdict"] == "paid"
    assert capture.outcome["verdicts"]["0"]["provisional"] is True
    judged_at = capture.judged_at

    road.settle(at("10:05"))
    last = road.verdict(read)
    assert (last.verdict, last.provisional, last.version) == ("paid", False, first.version + 1)
    assert road.passage(read).final_at == at("10:05")
    capture.refresh_from_db()
    assert capture.judged_at == judged_at
    assert capture.outcome["verdicts"]["0"]["provisional"] is False


def test_without_a_vignette_it_is_unpaid_and_never_final() -> None:
    road = motorway()
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.settle(at("10:05"))
    verdict = road.verdict(read)
    assert (verdict.verdict, verdict.reason, verdict.provisional) == ("unpaid", "no-right", False)
    assert verdict.act_due
    assert road.passage(read).final_at is None


def test_one_that_ended_yesterday_is_named_as_the_reason() -> None:
    road = motorway()
    right = road.right(
        "vignette",
        "1AB2345",
        country="CZ",
        scheme="CZ",
        product="1-day",
        first_day="2026-03-01",
        bought_at=at("08:00", -1),
    )
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.settle(at("10:05"))
    verdict = road.verdict(read)
    assert (verdict.verdict, verdict.reason, verdict.right_id) == (
        "unpaid",
        "right-ended",
        right.pk,
    )


def test_ocr_equivalence_excuses_only_what_breaks_its_countrys_syntax() -> None:
    road = motorway()
    # O does not occur in Czech plates: whoever typed it meant a zero
    road.right(
        "vignette",
        "1ABO345",
        country="CZ",
        scheme="CZ",
        product="annual",
        first_day="2026-01-01",
        bought_at=at("08:00", -90),
    )
    excused = road.read("gantry", "1AB0345", at("10:00"))
    # 8 and B both do, each in its place: another vehicle's vignette
    road.right(
        "vignette",
        "2AB8888",
        country="CZ",
        scheme="CZ",
        product="annual",
        first_day="2026-01-01",
        bought_at=at("08:00", -90),
    )
    other = road.read("gantry", "2A88888", at("10:10"))
    road.settle(at("10:20"))
    assert road.says(excused) == ("excused", "ocr-equivalent")
    assert road.says(other) == ("unpaid", "no-right")


def test_a_vignette_of_another_country_goes_to_a_person() -> None:
    road = motorway()
    road.right(
        "vignette",
        "BA123CD",
        country="SK",
        scheme="CZ",
        product="annual",
        first_day="2026-01-01",
        bought_at=at("08:00", -90),
    )
    read = road.read("gantry", "BA123CD", at("10:00"), country="PL")
    road.settle(at("10:05"))
    assert road.says(read) == ("review", "wrong-country")


def test_a_read_below_the_floor_never_accuses_but_is_excused() -> None:
    road = motorway()
    road.right(
        "vignette",
        "1AB2345",
        country="CZ",
        scheme="CZ",
        product="annual",
        first_day="2026-01-01",
        bought_at=at("08:00", -90),
    )
    paid = road.read("gantry", "1AB2345", at("10:00"), score=0.5)
    doubtful = road.read("gantry", "3CD4567", at("10:10"), score=0.5)
    road.settle(at("10:20"))
    assert road.says(paid) == ("paid", "vignette")
    assert road.says(doubtful) == ("review", "low-confidence")


def test_a_purchase_that_heals_turns_the_verdict_and_says_so() -> None:
    road = motorway("HU")
    read = road.read("gantry", "ABC123", at("10:00"), country="HU")
    road.settle(at("10:05"))
    assert road.says(read) == ("unpaid", "no-right")
    road.now = at("10:40")
    road.right(
        "vignette",
        "ABC123",
        country="HU",
        scheme="HU",
        product="10-day",
        first_day="2026-03-02",
        bought_at=at("10:40"),
    )
    road.judge()
    verdict = road.verdict(read)
    assert (verdict.verdict, verdict.reason, verdict.act_due) == ("paid", "paid-late", True)
    assert not RightTouch.objects.exists()
    assert road.judge() == 0


def test_a_quarantined_read_is_seen_and_judged_by_nobody() -> None:
    road = motorway()
    read = road.read("gantry", "1AB2345", at("10:00"), quarantined=True)
    road.settle(at("10:05"))
    assert road.says(read) == ("none", "clock-skew")


def test_a_site_without_a_scheme_accuses_nobody_and_holds_nobody_up() -> None:
    nowhere = motorway("XX", slug="nowhere")
    road = motorway(slug="somewhere")
    lost = nowhere.read("gantry", "1AB2345", at("10:00"))
    read = road.read("gantry", "1AB2345", at("10:00"))
    nowhere.hear(at("10:05"))
    road.settle(at("10:05"))
    assert nowhere.says(lost) == ("none", None)
    assert nowhere.verdict(lost).provisional
    assert road.says(read) == ("unpaid", "no-right")


def test_a_case_waits_for_the_slowest_camera_of_the_site() -> None:
    road = motorway()
    slow = road.cameras["gantry"].__class__.objects.create(
        site=road.site, name="slow", slug="slow", role="passing"
    )
    road.cameras["slow"] = slow
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.hear(at("10:05"), "gantry")
    road.judge()
    verdict = road.verdict(read)
    assert (verdict.verdict, verdict.provisional) == ("unpaid", True)
    assert verdict.awaits_through == at("10:00")
    assert road.judge() == 0
    road.hear(at("10:00"), "slow")
    assert road.judge() == 0, "reported through it is not yet past it"
    road.hear(at("10:00:01"), "slow")
    assert road.judge() == 1
    assert not road.verdict(read).provisional
    assert road.judge() == 0


def test_two_frames_that_disagree_never_accuse() -> None:
    road = motorway()
    read = road.read("gantry", "1AB2345", at("10:00:00"), candidates=(("1AB2346", 0.4),))
    road.read("gantry", "1AB2346", at("10:00:10"), candidates=(("1AB2345", 0.4),))
    road.settle(at("10:05"))
    assert road.passage(read).reads == 2
    assert road.says(read) == ("review", "low-confidence")


def test_a_vignette_one_slip_away_excuses_nobody_but_is_named_to_whoever_decides() -> None:
    road = motorway()
    near = road.right(
        "vignette",
        "1AB2346",
        country="CZ",
        scheme="CZ",
        product="annual",
        first_day="2026-01-01",
        bought_at=at("08:00", -90),
    )
    read = road.read("gantry", "1AB2345", at("10:00"))
    road.settle(at("10:05"))
    assert road.says(read) == ("unpaid", "no-right")
    lines = road.verdict(read).explanation
    named = [line for line in lines if line["right_id"] == str(near.pk)]
    assert [(line["cost"], line["applied"], line["code"]) for line in named] == [
        (1, False, "near-in-registry")
    ]


def test_slips_are_what_the_matcher_counts_as_one() -> None:
    text = "1AC2345"
    around = one_slip_away(ocr_class(text))
    assert {cost(text, other) for other in around} == {1}
    for other in ("1AC2346", "1A2345", "1AC23455", "1CA2345", "XAC2345", "1AC234"):
        assert ocr_class(other) in around


# --- charging zone -------------------------------------------------------------------------------


def test_a_zones_day_can_be_paid_until_its_deadline_and_not_after() -> None:
    zone = city()
    paid = zone.read("north", "1AB2345", at("10:00"))
    late = zone.read("north", "3CD4567", at("10:30"))
    night = zone.read("north", "5EF6789", at("20:00"))
    zone.settle(at("20:30"))
    assert zone.says(paid) == zone.says(late) == ("pending", "awaiting-deadline")
    assert zone.says(night) == ("none", "outside-window")
    assert zone.passage(night).final_at is not None
    # midnight of the third day after Monday, 2 March: the first instant of Friday, 6 March
    assert zone.verdict(paid).due_at == at("00:00", 4)

    zone.now = at("09:00", 2)
    zone.right("zone-payment", "1AB2345", country="CZ", day="2026-03-02")
    zone.judge()
    assert zone.says(paid) == ("paid", "zone-payment")
    assert zone.says(late) == ("pending", "awaiting-deadline")

    zone.now = at("00:00", 4)
    assert zone.judge() == 1
    assert zone.says(late) == ("unpaid", "no-right")
    assert not zone.verdict(late).provisional
    zone.now = at("00:01", 4)
    zone.right("zone-payment", "3CD4567", country="CZ", day="2026-03-02")
    zone.judge()
    assert zone.says(late) == ("unpaid", "no-right")
    assert VerdictVersion.objects.filter(passage_id=zone.passage(late).pk).count() == 2


def test_a_gantry_may_take_more_characters_for_one_another() -> None:
    road = motorway(ocr_classes="VU")
    day = {"product": "1-day", "scheme": "CZ", "first_day": "2026-03-02", "country": "CZ"}
    road.right("vignette", "V123456", bought_at=at("08:00"), **day)  # no Czech plate
    read = road.read("gantry", "U123456", at("09:00"))
    road.settle(at("09:10"))
    assert road.says(read) == ("excused", "ocr-equivalent")
