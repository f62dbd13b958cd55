"""A car park: passages become visits, and visits are judged together."""

import random
from datetime import timedelta

import pytest

from cameras.models import Camera, Capture
from enforcement.rights.matching import FAR, cost, shortened
from enforcement.rights.models import Right
from enforcement.visits.models import VerdictVersion, Visit
from enforcement.visits.selectors import occupancy, site_suspended
from tests.integration.visits.world import at, car_park

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_paid_stay_from_first_read_to_final() -> None:
    park = car_park()
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    entry = park.read("in", "1AB2345", at("09:01"))
    park.judge()
    assert park.says(entry) == ("pending", "awaiting-camera")
    visit = park.visit(entry)
    assert (visit.status, visit.entered_at, visit.exited_at) == ("open", at("09:01"), None)
    assert occupancy(type(park.site).objects.all()) == {(park.site.pk, None): 1}

    exit_ = park.read("out", "1AB2345", at("10:50"))
    park.settle(at("11:00"))
    assert park.says(exit_) == ("paid", "payment")
    visit.refresh_from_db()
    assert (visit.status, visit.exited_at, visit.enforceable) == ("complete", at("10:50"), True)
    assert visit.final_at is not None
    assert park.passage(entry).final_at == park.passage(exit_).final_at == visit.final_at
    for read in (entry, exit_):
        capture = Capture.objects.get(pk=read.capture_id)
        assert capture.outcome["verdicts"]["0"]["verdict"] == "paid"
        assert capture.judged_at is not None
    assert Right.objects.get().used_up_at is not None
    assert occupancy(type(park.site).objects.all()) == {}
    assert park.judge() == 0


def test_unpaid_waits_for_every_camera() -> None:
    park = car_park()
    entry = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("10:00"))
    park.hear(at("10:05"), "in", "out")
    park.judge()
    assert park.says(entry) == ("pending", "awaiting-camera")
    assert park.verdict(entry).provisional
    park.hear(at("10:05"), "road")
    park.judge()
    verdict = park.verdict(entry)
    assert (verdict.verdict, verdict.reason, verdict.provisional) == ("unpaid", "no-right", False)
    assert verdict.act_due
    assert park.visit(entry).final_at is None


def test_a_payment_that_comes_late_is_paid_late() -> None:
    park = car_park()
    entry = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("10:00"))
    park.settle(at("10:05"))
    assert park.says(entry) == ("unpaid", "no-right")
    park.now = at("12:00")
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    assert park.judge() == 2, "both ends bear the plate"
    assert park.says(entry) == ("paid", "paid-late")
    assert park.verdict(entry).act_due
    assert park.judge() == 0


def test_the_double_dip_is_two_short_stays() -> None:
    park = car_park()
    reads = [
        park.read("in", "1AB2345", at("09:00")),
        park.read("out", "1AB2345", at("09:04")),
        park.read("in", "1AB2345", at("15:00")),
        park.read("out", "1AB2345", at("15:05")),
    ]
    park.settle(at("16:00"))
    assert [park.says(read) for read in reads] == [("excused", "consideration")] * 4
    assert park.visit(reads[0]).pk == park.visit(reads[1]).pk
    assert park.visit(reads[2]).pk == park.visit(reads[3]).pk
    assert Visit.objects.count() == 2


def test_a_late_read_pairs_again() -> None:
    """First in, last out looks like eight hours, until the two reads in between arrive."""
    park = car_park()
    first = park.read("in", "1AB2345", at("09:00"))
    last = park.read("out", "1AB2345", at("17:00"))
    park.hear(at("17:30"), "in")
    park.judge()
    assert park.visit(first).exit_passage_id == park.passage(last).pk
    out = park.read("out", "1AB2345", at("09:04"))
    back = park.read("in", "1AB2345", at("16:57"))
    park.settle(at("18:00"))
    assert park.visit(first).exit_passage_id == park.passage(out).pk
    assert park.visit(back).exit_passage_id == park.passage(last).pk
    assert {park.says(read) for read in (first, out, back, last)} == {("excused", "consideration")}
    assert VerdictVersion.objects.filter(current=True).count() == 2


def test_a_missed_exit_is_nobodys_fault() -> None:
    park = car_park()
    first = park.read("in", "1AB2345", at("09:00"))
    again = park.read("in", "1AB2345", at("15:00"))
    out = park.read("out", "1AB2345", at("15:03"))
    ignored = park.read("out", "1AB2345", at("15:20"))
    orphan = park.read("out", "3CD4567", at("15:21"))
    park.settle(at("16:00"))
    assert park.visit(first).status == "exit-missed"
    assert park.says(first) == ("none", "inferred-end")
    assert park.visit(first).final_at is not None
    assert park.visit(again).pk == park.visit(out).pk
    assert park.says(ignored) == ("none", None)
    assert park.visit(orphan).status == "entry-missed"
    assert park.says(orphan) == ("none", "inferred-end")


def test_a_stay_beyond_the_maximum_expires_by_the_clock_alone() -> None:
    park = car_park(max_stay_minutes=120)
    read = park.read("in", "1AB2345", at("09:00"))
    park.settle(at("10:00"))
    assert park.says(read)[0] == "pending"
    park.now = at("11:00")
    assert park.judge() == 0
    park.now = at("11:00:01")
    assert park.judge() == 1
    assert park.visit(read).status == "expired"
    assert park.says(read) == ("none", "inferred-end")


def test_a_keying_error_is_forgiven_until_the_vehicle_it_names_turns_up() -> None:
    park = car_park()
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("12:00"))
    entry = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("10:00"))
    park.settle(at("10:05"))
    assert park.says(entry) == ("excused", "keying-error")
    assert park.visit(entry).final_at is None, "its own vehicle may still come"
    own = park.read("in", "1AB2346", at("11:00"))
    park.settle(at("11:01"))
    assert park.says(entry) == ("unpaid", "no-right")
    assert park.says(own)[0] == "pending"


def test_a_keying_error_is_final_once_the_payment_is_over() -> None:
    park = car_park()
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("12:00"))
    entry = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("10:00"))
    park.settle(at("11:59"))
    assert park.visit(entry).final_at is None
    park.settle(at("12:00"))
    assert park.visit(entry).final_at is None, "reported through its end is not yet past it"
    park.settle(at("12:00:01"))
    assert park.visit(entry).final_at is not None


def test_a_used_up_payment_stays_so_when_its_visit_is_forgotten() -> None:
    park = car_park()
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("12:00"))
    own = park.read("in", "1AB2346", at("09:00"))
    park.read("out", "1AB2346", at("09:30"))
    park.settle(at("09:35"))
    assert park.visit(own).final_at is not None
    for model in (Visit, type(park.passage(own)), type(own)):
        model.objects.all().delete()
    other = park.read("in", "1AB2345", at("10:00"))
    park.read("out", "1AB2345", at("11:00"))
    park.settle(at("11:05"))
    assert park.says(other) == ("unpaid", "no-right")


def test_a_payment_one_slip_away_that_comes_late_is_found() -> None:
    park = car_park()
    entry = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("10:00"))
    park.settle(at("10:05"))
    assert park.says(entry) == ("unpaid", "no-right")
    park.right("payment", "7XY9999", country="CZ", from_=at("09:00"), to=at("11:00"))
    assert park.judge() == 0, "a right of quite another text touches nothing"
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("11:00"))
    park.judge()
    assert park.says(entry) == ("excused", "keying-error")


def test_a_shared_permits_places_go_to_the_first_and_pass_on() -> None:
    park = car_park()
    park.right("permit", ["1AA1111", "2BB2222", "3CC3333"], country="CZ", max_present=1)
    first = park.read("in", "1AA1111", at("09:00"))
    second = park.read("in", "2BB2222", at("10:00"))
    park.read("out", "2BB2222", at("12:00"))
    third = park.read("in", "3CC3333", at("12:30"))
    park.read("out", "3CC3333", at("13:30"))
    park.settle(at("14:00"))
    assert park.says(second) == ("unpaid", "permit-in-use")
    assert park.says(third) == ("unpaid", "permit-in-use")
    # a camera that was offline delivers the exit of the first, before the second came
    park.read("out", "1AA1111", at("09:30"))
    park.settle(at("14:10"))
    assert park.says(first) == ("permitted", "permit")
    assert park.says(second) == ("permitted", "permit")
    assert park.says(third) == ("permitted", "permit")


def test_a_right_ended_and_an_overstay() -> None:
    park = car_park()
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("10:00"))
    over = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("11:00"))
    park.right("payment", "3CD4567", country="CZ", from_=at("06:00"), to=at("07:00"))
    after = park.read("in", "3CD4567", at("09:00"))
    park.read("out", "3CD4567", at("11:00"))
    park.settle(at("11:30"))
    verdict = park.verdict(over)
    assert (verdict.verdict, verdict.reason, verdict.overstay_minutes) == (
        "overstay",
        "right-ended",
        45,
    )
    assert park.says(after) == ("unpaid", "right-ended")


def test_an_extension_supersedes_and_is_judged_again() -> None:
    park = car_park()
    park.right("payment", "1AB2345", id="p1", country="CZ", from_=at("09:00"), to=at("10:00"))
    read = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("11:00"))
    park.settle(at("11:30"))
    assert park.says(read)[0] == "overstay"
    park.right(
        "payment", "1AB2345", id="p1", version=2, country="CZ", from_=at("09:00"), to=at("11:00")
    )
    park.judge()
    assert park.says(read) == ("paid", "paid-late")


def test_seen_outside_meanwhile_goes_to_a_person() -> None:
    park = car_park()
    read = park.read("in", "1AB2345", at("09:00"))
    park.read("out", "1AB2345", at("11:00"))
    park.settle(at("11:05"))
    assert park.says(read) == ("unpaid", "no-right")
    outside = park.read("road", "1AB2345", at("10:00"))
    park.settle(at("11:10"))
    assert park.says(read) == ("review", "contradiction")
    assert not park.visit(read).enforceable
    assert park.says(outside) == ("none", None)


def test_entry_and_exit_read_differently_pair_but_never_accuse() -> None:
    park = car_park()
    entry = park.read("in", "1AB2345", at("09:00"))
    exit_ = park.read("out", "1AB2S45", at("10:00"))
    other = park.read("in", "9ZZ9999", at("09:30"))
    park.settle(at("10:05"))
    assert park.visit(entry).pk == park.visit(exit_).pk
    assert park.visit(entry).fuzzy
    assert park.says(entry) == ("review", "fuzzy-pairing")
    assert park.visit(other).status == "open"
    # the exit it really belongs to arrives late: the slip is not needed any more
    true = park.read("out", "1AB2345", at("09:20"))
    park.settle(at("10:10"))
    assert park.visit(entry).exit_passage_id == park.passage(true).pk
    assert not park.visit(entry).fuzzy
    assert park.visit(exit_).status == "entry-missed"
    for read in (entry, true, exit_):
        heard = Capture.objects.get(pk=read.capture_id).outcome["verdicts"]["0"]
        assert (heard["verdict"], heard["reason"]) == park.says(read)


def test_a_read_joined_later_corrects_the_text_and_the_pairing() -> None:
    park = car_park()
    early = park.read("in", "1AB2345", at("08:00"))
    wrong = park.read("in", "1AB2345", at("09:00"), score=0.6, candidates=(("1AB2346", 0.55),))
    park.judge()
    assert park.visit(early).status == "exit-missed"
    park.read("in", "1AB2346", at("09:00:10"), score=0.98)
    park.judge()
    assert park.passage(wrong).reads == 2
    assert park.visit(early).status == "open"
    assert park.visit(wrong).status == "open"


def test_too_many_orphans_suspend_the_site() -> None:
    park = car_park(orphan_rate_over=4)
    for minute in range(4):
        park.read("in", f"{minute}AA1111", at(f"09:0{minute}"))
        park.read("out", f"{minute}AA1111", at(f"10:0{minute}"))
    park.settle(at("11:00"))
    assert not site_suspended(park.site, park.now)
    for minute in range(2):
        park.read("out", f"{minute}BB2222", at(f"11:0{minute}"))
    park.settle(at("11:30"))
    assert site_suspended(park.site, park.now)
    late = park.read("in", "3CD4567", at("12:00"))
    park.read("out", "3CD4567", at("13:00"))
    park.settle(at("13:30"))
    assert park.says(late) == ("unpaid", "site-suspended")
    assert not park.visit(late).enforceable


def test_a_roving_camera_neither_opens_nor_contradicts_a_stay() -> None:
    park = car_park()
    park.cameras["patrol"] = Camera.objects.create(
        site=park.site, name="patrol", slug="patrol", role="roving"
    )
    read = park.read("in", "1AB2345", at("09:00"))
    inside = park.read("patrol", "1AB2345", at("09:30"))
    park.read("out", "1AB2345", at("11:00"))
    park.settle(at("11:05"))
    assert park.says(read) == ("unpaid", "no-right")
    assert park.says(inside) == ("none", None)


def test_nothing_is_judged_twice_without_cause() -> None:
    park = car_park()
    park.read("in", "1AB2345", at("09:00"))
    park.settle(at("09:05"))
    versions = VerdictVersion.objects.count()
    for minute in range(6, 20):
        park.hear(at(f"09:{minute:02}"))
        assert park.judge() == 0
    assert VerdictVersion.objects.count() == versions
    assert park.now - at("09:05") > timedelta(0)


def test_texts_within_two_slips_share_what_is_left_when_characters_go() -> None:
    chance = random.Random(7)
    alphabet = "ABCEHK0123456789"
    compared = 0
    for _ in range(4000):
        one = "".join(chance.choices(alphabet, k=chance.randint(4, 8)))
        other = list(one)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(other) - 1)
            match chance.randrange(4):
                case 0:
                    other[place] = chance.choice(alphabet)
                case 1:
                    del other[place]
                case 2:
                    other.insert(place, chance.choice(alphabet))
                case _:
                    other[place], other[place + 1] = other[place + 1], other[place]
        text = "".join(other)
        if cost(one, text) < FAR:
            compared += 1
            assert shortened(one, ()) & shortened(text, ()), (one, text)
    assert compared > 2000


def test_a_site_may_take_more_characters_for_one_another() -> None:
    park = car_park(ocr_classes="VU")
    park.right("payment", "1AV23U5", country="CZ", from_=at("09:00"), to=at("12:00"))
    entry = park.read("in", "1AU23V5", at("09:00"))
    park.read("out", "1AU23V5", at("10:00"))
    other = park.read("in", "7XU99V5", at("09:00"))
    park.read("out", "7XU99V5", at("10:00"))
    park.settle(at("12:30"))
    assert park.says(entry) == ("excused", "ocr-equivalent")
    assert park.says(other)[0] == "unpaid"
