"""Stays at a car park: each case is named after the wrong it prevents."""

from typing import Any

import pytest

from tests.unit.rules.ruleplay import car_park, payment, read, stay


def verdict(visit: dict[str, Any]) -> tuple[str, str | None, str | None]:
    return visit["verdict"], visit["reason"], visit["right"]


P1 = payment("p1", "AB12CDE", "09:00", "11:00")


@pytest.mark.parametrize(
    ("start", "end", "rights", "expected", "overstay"),
    [
        pytest.param("09:00", "10:30", [P1], ("paid", "payment", "p1"), 0, id="a payer is paid"),
        pytest.param("09:00", "11:00", [P1], ("paid", "payment", "p1"), 0, id="to the last second"),
        pytest.param(
            "08:55", "11:00", [P1], ("paid", "payment", "p1"), 0,
            id="reading the terms before paying changes nothing",
        ),
        pytest.param(
            "08:54:59", "11:00", [P1], ("excused", "grace", "p1"), 0,
            id="a second more of reading is still within all allowances",
        ),
        pytest.param(
            "09:00", "11:15", [P1], ("excused", "grace", "p1"), 0,
            id="grace and the unused consideration period, inclusive",
        ),
        pytest.param(
            "09:00", "11:15:01", [P1], ("overstay", "right-ended", "p1"), 0,
            id="a second beyond is an overstay of no whole minute",
        ),
        pytest.param(
            "08:57", "11:12", [P1], ("excused", "grace", "p1"), 0,
            id="consideration used at the start is not there at the end, inclusive",
        ),
        pytest.param(
            "08:57", "11:12:01", [P1], ("overstay", "right-ended", "p1"), 0,
            id="consideration is not given twice",
        ),
        pytest.param(
            "09:00", "12:00", [P1], ("overstay", "right-ended", "p1"), 45,
            id="an overstay counts only what is beyond all allowances",
        ),
        pytest.param(
            "09:00", "12:00:59", [P1], ("overstay", "right-ended", "p1"), 45,
            id="an overstay counts whole minutes",
        ),
        pytest.param(
            "08:30", "11:00", [P1], ("overstay", "right-ended", "p1"), 15,
            id="time before paying counts once it is more than considering",
        ),
        pytest.param("09:00", "09:05", [], ("excused", "consideration", None), 0,
                     id="turning round within the consideration period, inclusive"),
        pytest.param("09:00", "09:05:01", [], ("unpaid", "no-right", None), 0,
                     id="a second longer is a stay"),
        pytest.param("07:00", "08:50", [P1], ("unpaid", "right-not-started", "p1"), 0,
                     id="paying for later"),
        pytest.param("07:00", "09:00", [P1], ("unpaid", "right-not-started", "p1"), 0,
                     id="a right that begins as the stay ends covers none of it"),
        pytest.param("11:00", "12:00", [P1], ("unpaid", "right-ended", "p1"), 0,
                     id="a right that ends as the stay begins covers none of it"),
        pytest.param("12:00", "12:04", [P1], ("excused", "consideration", None), 0,
                     id="coming back for a moment after the right ended"),
        pytest.param(
            "09:00", "13:00", [P1, payment("p2", "AB12CDE", "11:00", "13:00")],
            ("paid", "payment", "p1"), 0, id="two payments end to end",
        ),
        pytest.param(
            "09:00", "13:00", [P1, payment("p2", "AB12CDE", "10:00", "13:00")],
            ("paid", "payment", "p1"), 0, id="overlapping payments count once",
        ),
        pytest.param(
            "09:00", "12:30", [P1, payment("p2", "AB12CDE", "09:30", "10:00"),
                               payment("p3", "AB12CDE", "10:30", "12:00")],
            ("overstay", "right-ended", "p3"), 15, id="a payment inside another adds nothing",
        ),
        pytest.param(
            "09:00", "13:00", [P1, payment("p2", "AB12CDE", "11:10", "13:00")],
            ("excused", "grace", "p2"), 0, id="a short gap between payments is within allowances",
        ),
        pytest.param(
            "09:00", "17:00", [P1, payment("p2", "AB12CDE", "15:00", "17:00")],
            ("review", "contradiction", None), 0,
            id="two payments far apart are two visits, not one long unpaid one",
        ),
        pytest.param(
            "09:00", "13:00", [P1, payment("p2", "AB12CDE", "11:00", "12:00")],
            ("overstay", "right-ended", "p2"), 45, id="payments end to end are not two visits",
        ),
        pytest.param(
            "09:00", "10:30", [payment("p0", "AB12CDE", "08:00", "09:30"), P1],
            ("paid", "payment", "p1"), 0, id="the right that pays alone is named",
        ),
        pytest.param(
            "12:00", "13:00", [payment("p0", "AB12CDE", "08:00", "09:30"), P1],
            ("unpaid", "right-ended", "p1"), 0, id="of several ended the last is named",
        ),
        pytest.param(
            "07:00", "08:00", [payment("p2", "AB12CDE", "10:00", "12:00"), P1],
            ("unpaid", "right-not-started", "p1"), 0, id="of several to come the next is named",
        ),
        pytest.param(
            "09:00", "12:30", [payment("p1", "AB12CDE", "09:00", "10:00"),
                               payment("p1", "AB12CDE", "09:00", "12:30", version=2)],
            ("paid", "payment", "p1"), 0, id="an extension counts",
        ),
        pytest.param(
            "09:00", "12:30", [payment("p1", "AB12CDE", "09:00", "12:30", version=2),
                               payment("p1", "AB12CDE", "09:00", "10:00")],
            ("paid", "payment", "p1"), 0, id="the newest version counts, not the last to arrive",
        ),
        pytest.param(
            "09:00", "12:30", [payment("p1", "AB12CDE", "09:00", "12:30"),
                               payment("p1", "AB12CDE", "09:00", "10:00", version=2)],
            ("overstay", "right-ended", "p1"), 135, id="a version that shortens counts, too",
        ),
    ],
)  # fmt: skip
def test_time(
    start: str,
    end: str,
    rights: list[dict[str, Any]],
    expected: tuple[str, str, str | None],
    overstay: int,
) -> None:
    visit = stay(start, end, rights)
    said = verdict(visit)
    if expected[1] == "contradiction":
        said = (*said[:2], None)
    assert said == expected
    assert visit["overstay_min"] == overstay
    assert visit["case"] == {
        "unpaid": "candidate",
        "overstay": "candidate",
        "review": "review",
    }.get(expected[0])


def test_a_session_called_off_is_no_right() -> None:
    off = payment("p1", "AB12CDE", "09:00", "09:00", version=2)
    assert verdict(stay("08:50", "09:10", [P1, off])) == ("unpaid", "no-right", None)


def test_a_vehicle_read_in_and_out_at_once_is_covered_by_a_right_that_begins_then() -> None:
    assert verdict(stay("09:00", "09:00", [P1])) == ("paid", "payment", "p1")
    assert verdict(stay("09:00", "09:00", [])) == ("excused", "consideration", None)


def test_a_stay_is_measured_in_time_not_on_the_clock() -> None:
    """Clocks go forward at 01:00: a stay from 00:50 to 02:05 lasts 15 minutes."""
    visit = stay(
        "2026-03-29T00:50:00+00:00",
        "2026-03-29T02:05:00+01:00",
        [payment("p1", "AB12CDE", "2026-03-29T00:50:00+00:00", "2026-03-29T00:51:00+00:00")],
        now="2026-04-01T00:00:00+00:00",
    )
    assert verdict(visit) == ("excused", "grace", "p1")


NEAR = payment("n1", "AB12CDF", "09:00", "11:00")
EQUIVALENT = payment("o1", "A812CDE", "09:00", "11:00")
FAR = payment("f1", "AB12CXF", "09:00", "11:00")


@pytest.mark.parametrize(
    ("end", "rights", "expected"),
    [
        pytest.param("10:30", [EQUIVALENT], ("excused", "ocr-equivalent", "o1"),
                     id="a camera's confusion is not the driver's fault"),
        pytest.param("10:30", [NEAR], ("excused", "keying-error", "n1"),
                     id="a slip on the keypad is not a violation"),
        pytest.param("10:30", [payment("n", "BA12CDE", "09:00", "11:00")],
                     ("excused", "keying-error", "n"), id="nor is a swap"),
        pytest.param("10:30", [payment("n", "AB12CD", "09:00", "11:00")],
                     ("excused", "keying-error", "n"), id="nor a missing character"),
        pytest.param("10:30", [NEAR, EQUIVALENT], ("excused", "ocr-equivalent", "o1"),
                     id="an equivalent comes before a slip"),
        pytest.param("10:30", [NEAR, EQUIVALENT, P1], ("paid", "payment", "p1"),
                     id="its own right comes before everything"),
        pytest.param("10:30", [NEAR, payment("n2", "AB12CDX", "09:00", "11:00")],
                     ("review", "several-candidates", None),
                     id="a machine does not choose between two slips"),
        pytest.param("10:30", [EQUIVALENT, payment("o2", "ABI2CDE", "09:00", "11:00")],
                     ("review", "several-candidates", None), id="nor between two equivalents"),
        pytest.param("10:30", [NEAR, payment("n2", "AB12CDF", "10:00", "12:00")],
                     ("excused", "keying-error", "n1"),
                     id="two payments under one slipped text are one vehicle's"),
        pytest.param("10:30", [FAR], ("review", "near-right", "f1"),
                     id="two slips are for a person to see"),
        pytest.param("10:30", [FAR, payment("f2", "XB12CXE", "09:00", "11:00")],
                     ("review", "several-candidates", None), id="two far rights likewise"),
        pytest.param("10:30", [NEAR, FAR], ("excused", "keying-error", "n1"),
                     id="a far right does not stand before a near one"),
        pytest.param("10:30", [payment("x", "AB1XXXE", "09:00", "11:00")],
                     ("unpaid", "no-right", None), id="three slips are another vehicle"),
        pytest.param("10:30", [payment("n", "AB12CDF", "11:00", "12:00")],
                     ("unpaid", "no-right", None), id="a near right at another time is no right"),
        pytest.param("11:12", [NEAR], ("excused", "grace", "n1"),
                     id="grace is for those who paid under a slip, too"),
        pytest.param("12:30", [NEAR], ("review", "keying-error", "n1"),
                     id="an overstay under a slip is for a person"),
        pytest.param("13:30", [NEAR, payment("n2", "AB12CDF", "10:00", "12:00")],
                     ("review", "keying-error", "n2"), id="…of the last right under it"),
        pytest.param("12:30", [EQUIVALENT], ("review", "keying-error", "o1"),
                     id="an overstay under an equivalent likewise"),
        pytest.param("12:30", [P1, payment("n", "AB12CDF", "11:00", "13:00")],
                     ("excused", "keying-error", "n"), id="a slip in the extension only"),
        pytest.param("11:10", [P1, payment("n", "AB12CDF", "11:00", "13:00")],
                     ("excused", "grace", "p1"),
                     id="who is within grace needs nobody else's payment"),
        pytest.param("11:15", [P1, payment("n", "AB12CDF", "11:00", "13:00")],
                     ("excused", "grace", "p1"), id="to its last second"),
        pytest.param("12:30", [P1, payment("n", "AB12CDF", "09:00", "10:00")],
                     ("overstay", "right-ended", "p1"),
                     id="a near right that adds no time changes nothing"),
        pytest.param("12:30", [P1, payment("f", "AB12CXF", "09:00", "13:00")],
                     ("review", "near-right", "f"),
                     id="two slips that would pay the rest are a person's to see"),
        pytest.param("12:30", [P1, payment("f", "AB12CXF", "11:00", "13:00"),
                               payment("g", "AB12XXE", "11:00", "13:00")],
                     ("review", "several-candidates", None), id="or two such"),
        pytest.param("12:30", [P1, payment("f", "AB12CXF", "09:00", "10:00")],
                     ("overstay", "right-ended", "p1"),
                     id="two slips that pay nothing more are nothing"),
        pytest.param("11:15", [P1, payment("f", "AB12CXF", "11:00", "13:00")],
                     ("excused", "grace", "p1"), id="nor are they to who is within grace"),
        pytest.param("09:05", [FAR], ("excused", "consideration", None),
                     id="who turns round needs no right, near or far"),
        pytest.param("09:05", [payment("a", "AB12CDF", "09:02", "11:00"),
                               payment("b", "AB12CDX", "09:02", "11:00")],
                     ("excused", "consideration", None), id="nor several"),
    ],
)  # fmt: skip
def test_tolerance(
    end: str, rights: list[dict[str, Any]], expected: tuple[str, str, str | None]
) -> None:
    assert verdict(stay("09:00", end, rights)) == expected


def test_every_verdict_names_the_rights_it_looked_at_and_no_plate() -> None:
    reads = [read("r1", "in", "09:00", "AB12CDE"), read("r2", "out", "10:30", "AB12CDE")]
    elsewhere = payment("c1", "AB12CDE", "09:00", "11:00", country="FR")
    played = car_park(reads, [FAR, elsewhere, payment("y", "AB12CDE", "07:00", "08:00")])
    judgement = played.verdicts["r1"]
    assert judgement.rules == ("judge/1", "site/1")
    assert {(line.right_id, line.code, line.cost) for line in judgement.explanation} == {
        ("f1", "two-edits", 2),
        ("c1", "other-country", 0),
    }
    assert "AB12" not in repr(judgement)
    assert "AB12" not in repr(played.visits)
    assert "AB12" not in repr(played.rights)


def codes(rights: list[dict[str, Any]], start: str, end: str) -> list[tuple[str, bool]]:
    reads = [read("r1", "in", start, "AB12CDE"), read("r2", "out", end, "AB12CDE")]
    explanation = car_park(reads, rights).verdicts["r1"].explanation
    assert all("{" not in line.sentence for line in explanation)
    return [(line.code, line.applied) for line in explanation]


def test_an_explanation_says_what_applied_and_what_did_not() -> None:
    assert codes([P1, NEAR], "08:55", "10:00") == [
        ("exact", True), ("consideration-used", True), ("not-needed", False),
    ]  # fmt: skip
    assert codes([P1], "09:00", "10:00") == [("exact", True)]
    assert codes([NEAR], "09:00", "10:00") == [("one-edit", True)]
    extension = payment("n", "AB12CDF", "11:00", "13:00")
    assert codes([P1, extension], "09:00", "12:30") == [("exact", True), ("one-edit", True)]
    assert codes([FAR], "09:00", "10:00") == [("two-edits", False)]
    assert codes([P1], "09:00", "11:10") == [("exact", True), ("grace", True)]
    assert codes([P1], "09:00", "12:10") == [("exact", True), ("overstayed", True)]
    assert codes([FAR], "09:00", "09:02") == [("consideration", True), ("not-needed", False)]
    later = payment("p2", "AB12CDE", "15:00", "16:00")
    assert codes([P1, later], "12:00", "13:00") == [
        ("begins-after", False), ("ended-before", False), ("no-right-found", True),
    ]  # fmt: skip
    several = [NEAR, payment("n2", "AB12CDX", "09:00", "11:00")]
    assert codes(several, "09:00", "10:00") == [
        ("one-edit", False), ("one-edit", False), ("several-candidates", True),
    ]  # fmt: skip


def test_a_payment_after_a_permit_ended_is_a_second_arrival_too() -> None:
    morning = permit("AB12CDE", to="2026-03-02T10:00:00+00:00")
    afternoon = payment("p2", "AB12CDE", "15:00", "17:00")
    assert verdict(stay("09:00", "17:00", [morning, afternoon]))[:2] == ("review", "contradiction")


def test_a_permit_that_begins_during_a_stay_is_no_second_arrival() -> None:
    evening = permit("AB12CDE", **{"from": "2026-03-02T15:00:00+00:00"})
    morning = payment("p1", "AB12CDE", "09:00", "10:00")
    assert verdict(stay("09:00", "17:00", [morning, evening]))[:2] == ("overstay", "right-ended")


class TestUsedUp:
    """A payment that its own vehicle uses excuses nobody else."""

    def verdicts(self, *reads: dict[str, Any], rights: list[dict[str, Any]]) -> dict[str, str]:
        played = car_park(list(reads), rights)
        return {played.visits[n].text: played.visit(n)["reason"] for n in range(len(played.visits))}

    def test_by_a_vehicle_present_during_its_interval(self) -> None:
        reasons = self.verdicts(
            read("a1", "in", "09:10", "AB12CDF"), read("a2", "out", "10:00", "AB12CDF"),
            read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "10:30", "AB12CDE"),
            rights=[NEAR],
        )  # fmt: skip
        assert reasons == {"AB12CDF": "payment", "AB12CDE": "no-right"}

    def test_by_a_vehicle_seen_only_later(self) -> None:
        before = car_park(
            [read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "09:30", "AB12CDE")], [NEAR]
        )
        assert before.visit()["reason"] == "keying-error"
        reasons = self.verdicts(
            read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "09:30", "AB12CDE"),
            read("a1", "in", "10:50", "AB12CDF"), read("a2", "out", "10:58", "AB12CDF"),
            rights=[NEAR],
        )  # fmt: skip
        assert reasons == {"AB12CDF": "payment", "AB12CDE": "no-right"}

    def test_by_a_vehicle_still_inside(self) -> None:
        reasons = self.verdicts(
            read("a1", "in", "2026-03-03T21:55:00+00:00", "AB12CDF"),
            read("b1", "in", "2026-03-03T22:00:00+00:00", "AB12CDE"),
            read("b2", "out", "2026-03-03T23:00:00+00:00", "AB12CDE"),
            rights=[
                payment("n", "AB12CDF", "2026-03-03T22:30:00+00:00", "2026-03-04T08:00:00+00:00")
            ],
        )
        assert reasons == {"AB12CDF": None, "AB12CDE": "no-right"}

    def test_by_an_orphan_exit(self) -> None:
        reasons = self.verdicts(
            read("a2", "out", "10:00", "AB12CDF"),
            read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "10:30", "AB12CDE"),
            rights=[NEAR],
        )  # fmt: skip
        assert reasons["AB12CDE"] == "no-right"

    @pytest.mark.parametrize(
        ("start", "end", "reason"),
        [
            ("11:00", "12:00", "keying-error"),  # the interval's end is outside it
            ("10:59:59", "12:00", "no-right"),
            ("07:00", "09:00", "no-right"),  # its start is inside
            ("07:00", "08:59:59", "keying-error"),
        ],
    )
    def test_only_during_its_interval(self, start: str, end: str, reason: str) -> None:
        reasons = self.verdicts(
            read("a1", "in", start, "AB12CDF"), read("a2", "out", end, "AB12CDF"),
            read("b1", "in", "09:30", "AB12CDE"), read("b2", "out", "10:30", "AB12CDE"),
            rights=[NEAR],
        )  # fmt: skip
        assert reasons["AB12CDE"] == reason

    def test_not_by_a_vehicle_of_another_day(self) -> None:
        reasons = self.verdicts(
            read("a1", "in", "2026-03-01T09:00:00+00:00", "AB12CDF"),
            read("a2", "out", "2026-03-01T10:00:00+00:00", "AB12CDF"),
            read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "10:30", "AB12CDE"),
            rights=[NEAR],
        )  # fmt: skip
        assert reasons == {"AB12CDF": "right-not-started", "AB12CDE": "keying-error"}

    def test_not_by_the_vehicle_of_another_country(self) -> None:
        reasons = self.verdicts(
            read("a1", "in", "09:00", "AB12CDF", country="FR"),
            read("a2", "out", "10:00", "AB12CDF", country="FR"),
            read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "10:30", "AB12CDE"),
            rights=[NEAR],
        )  # fmt: skip
        assert reasons == {"AB12CDF": "wrong-country", "AB12CDE": "keying-error"}

    def test_a_far_right_in_use_is_no_reason_to_review(self) -> None:
        reasons = self.verdicts(
            read("a1", "in", "09:00", "AB12CXF"), read("a2", "out", "10:00", "AB12CXF"),
            read("b1", "in", "09:00", "AB12CDE"), read("b2", "out", "10:30", "AB12CDE"),
            rights=[FAR],
        )  # fmt: skip
        assert reasons["AB12CDE"] == "no-right"


def permit(*plates: str, places: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "kind": "permit",
        "id": "staff",
        "plates": list(plates),
        "from": "2026-01-01T00:00:00+00:00",
        "to": "2027-01-01T00:00:00+00:00",
        **({} if places is None else {"max_present": places}),
        **more,
    }


class TestPermits:
    def reasons(self, *reads: dict[str, Any], rights: list[dict[str, Any]]) -> dict[str, str]:
        played = car_park(list(reads), rights)
        visits = [played.visit(n) for n in range(len(played.visits))]
        return {visit["entry"]: f"{visit['verdict']} {visit['reason']}" for visit in visits}

    def test_a_permit_permits_and_an_exemption_exempts(self) -> None:
        exemption = {"kind": "exemption", "id": "x1", "plate": "AB12CDE", "reason": "emergency"}
        assert verdict(stay("09:00", "18:00", [permit("ZZ99ZZZ", "AB12CDE")])) == (
            "permitted", "permit", "staff",
        )  # fmt: skip
        assert verdict(stay("09:00", "18:00", [exemption])) == ("exempt", "exemption", "x1")
        both = [payment("p1", "AB12CDE", "08:00", "19:00"), permit("AB12CDE"), exemption]
        assert verdict(stay("09:00", "18:00", both)) == ("exempt", "exemption", "x1")

    def test_the_first_to_enter_hold_the_places(self) -> None:
        said = self.reasons(
            read("a1", "in", "09:00", "AA11AAA"), read("b1", "in", "09:30", "BB22BBB"),
            read("b2", "out", "11:00", "BB22BBB"), read("a2", "out", "12:00", "AA11AAA"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said == {"a1": "permitted permit", "b1": "unpaid permit-in-use"}

    def test_a_place_is_free_again_the_instant_its_holder_leaves(self) -> None:
        said = self.reasons(
            read("a1", "in", "09:00", "AA11AAA"), read("a2", "out", "10:00", "AA11AAA"),
            read("b1", "in", "10:00", "BB22BBB"), read("b2", "out", "11:00", "BB22BBB"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said == {"a1": "permitted permit", "b1": "permitted permit"}

    def test_a_place_is_free_again_when_its_holder_expired(self) -> None:
        said = self.reasons(
            read("a1", "in", "2026-03-01T09:00:00+00:00", "AA11AAA"),
            read("b1", "in", "09:01", "BB22BBB"), read("b2", "out", "11:00", "BB22BBB"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said == {"a1": "none inferred-end", "b1": "permitted permit"}

    def test_a_holder_that_comes_again_takes_its_own_place(self) -> None:
        said = self.reasons(
            read("a1", "in", "09:00", "AA11AAA"), read("a3", "in", "10:00", "AA11AAA"),
            read("a4", "out", "12:00", "AA11AAA"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said == {"a1": "none inferred-end", "a3": "permitted permit"}

    def test_a_vehicle_that_found_no_place_holds_none(self) -> None:
        said = self.reasons(
            read("a1", "in", "09:00", "AA11AAA"), read("a2", "out", "10:00", "AA11AAA"),
            read("b1", "in", "09:30", "BB22BBB"), read("b2", "out", "12:00", "BB22BBB"),
            read("c1", "in", "10:30", "CC33CCC"), read("c2", "out", "11:00", "CC33CCC"),
            rights=[permit("AA11AAA", "BB22BBB", "CC33CCC", places=1)],
        )  # fmt: skip
        assert said["b1"] == "unpaid permit-in-use"
        assert said["c1"] == "permitted permit"

    def test_two_places_are_two(self) -> None:
        said = self.reasons(
            read("a1", "in", "09:00", "AA11AAA"), read("b1", "in", "09:10", "BB22BBB"),
            read("c1", "in", "09:20", "CC33CCC"), read("a2", "out", "12:00", "AA11AAA"),
            read("b2", "out", "12:00", "BB22BBB"), read("c2", "out", "12:00", "CC33CCC"),
            rights=[permit("AA11AAA", "BB22BBB", "CC33CCC", places=2)],
        )  # fmt: skip
        assert [said[one] for one in ("a1", "b1", "c1")] == [
            "permitted permit", "permitted permit", "unpaid permit-in-use",
        ]  # fmt: skip

    def test_who_finds_no_place_may_still_turn_round_or_pay(self) -> None:
        said = self.reasons(
            read("a1", "in", "09:00", "AA11AAA"), read("a2", "out", "12:00", "AA11AAA"),
            read("b1", "in", "09:30", "BB22BBB"), read("b2", "out", "09:35", "BB22BBB"),
            read("c1", "in", "09:30", "CC33CCC"), read("c2", "out", "10:35", "CC33CCC"),
            rights=[
                permit("AA11AAA", "BB22BBB", "CC33CCC", places=1),
                payment("p", "CC33CCC", "09:30", "11:00"),
            ],
        )  # fmt: skip
        assert said["b1"] == "excused consideration"
        assert said["c1"] == "paid payment"

    def test_a_misread_staff_car_is_excused_though_it_came_well_read_yesterday(self) -> None:
        said = self.reasons(
            read("a1", "in", "2026-03-01T09:00:00+00:00", "AA11AAA"),
            read("a2", "out", "2026-03-01T10:00:00+00:00", "AA11AAA"),
            read("b1", "in", "09:00", "AA11AAX"), read("b2", "out", "10:00", "AA11AAX"),
            rights=[permit("AA11AAA")],
        )  # fmt: skip
        assert said["b1"] == "excused keying-error"

    def test_a_neighbour_of_a_staff_car_that_is_inside_itself_is_not(self) -> None:
        said = self.reasons(
            read("a1", "in", "08:00", "AA11AAA"), read("a2", "out", "12:00", "AA11AAA"),
            read("b1", "in", "09:00", "AA11AAX"), read("b2", "out", "10:00", "AA11AAX"),
            rights=[permit("AA11AAA")],
        )  # fmt: skip
        assert said["b1"] == "unpaid no-right"

    def test_who_was_there_before_a_permit_began_does_not_use_it(self) -> None:
        said = self.reasons(
            read("a1", "in", "08:00", "AA11AAA"), read("a2", "out", "08:30", "AA11AAA"),
            read("b1", "in", "08:20", "AA11AAX"), read("b2", "out", "10:00", "AA11AAX"),
            rights=[permit("AA11AAA", **{"from": "2026-03-02T08:31:00+00:00"})],
        )  # fmt: skip
        assert said["b1"] == "excused grace"

    def test_a_slip_does_not_widen_a_shared_permit(self) -> None:
        said = self.reasons(
            read("a1", "in", "08:00", "AA11AAA"), read("a2", "out", "12:00", "AA11AAA"),
            read("b1", "in", "09:00", "BB22BBX"), read("b2", "out", "10:00", "BB22BBX"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said["b1"] == "unpaid permit-in-use"

    def test_two_slips_from_a_full_permit_are_a_stranger(self) -> None:
        said = self.reasons(
            read("a1", "in", "08:00", "AA11AAA"), read("a2", "out", "12:00", "AA11AAA"),
            read("b1", "in", "09:00", "BB22BXX"), read("b2", "out", "10:00", "BB22BXX"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said["b1"] == "unpaid no-right"

    def test_a_slip_beside_a_free_place_is_excused(self) -> None:
        said = self.reasons(
            read("a1", "in", "08:00", "AA11AAA"), read("a2", "out", "09:00", "AA11AAA"),
            read("b1", "in", "09:00", "BB22BBX"), read("b2", "out", "10:00", "BB22BBX"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said["b1"] == "excused keying-error"

    def test_the_second_of_two_near_plates_of_one_permit_is_tried(self) -> None:
        said = self.reasons(
            read("a1", "in", "08:00", "AA11AAA"), read("a2", "out", "12:00", "AA11AAA"),
            read("b1", "in", "09:00", "AA11AAX"), read("b2", "out", "10:00", "AA11AAX"),
            rights=[permit("AA11AAA", "AA11AAB", places=2)],
        )  # fmt: skip
        assert said["b1"] == "excused keying-error"

    def test_two_near_plates_of_one_permit_are_one_candidate(self) -> None:
        said = self.reasons(
            read("b1", "in", "09:00", "AA11AAX"), read("b2", "out", "10:00", "AA11AAX"),
            rights=[permit("AA11AAA", "AA11AAB", places=2)],
        )  # fmt: skip
        assert said["b1"] == "excused keying-error"

    def test_of_two_entering_at_once_the_one_read_exactly_holds_the_place(self) -> None:
        said = self.reasons(
            read("b1", "in", "09:00", "BB22BBX"), read("b2", "out", "10:00", "BB22BBX"),
            read("c1", "in", "09:00", "AA11AAA"), read("c2", "out", "12:00", "AA11AAA"),
            rights=[permit("AA11AAA", "BB22BBB", places=1)],
        )  # fmt: skip
        assert said == {"b1": "unpaid permit-in-use", "c1": "permitted permit"}

    def test_a_permit_that_begins_under_a_parked_car_gives_its_place_then(self) -> None:
        mid = {"from": "2026-03-02T09:30:00+00:00", "to": "2026-03-02T12:00:00+00:00"}
        said = self.reasons(
            read("a1", "in", "09:29", "AA11AAA"), read("a2", "out", "11:00", "AA11AAA"),
            read("b1", "in", "09:31", "BB22BBB"), read("b2", "out", "11:00", "BB22BBB"),
            rights=[permit("AA11AAA", "BB22BBB", places=1, **mid)],
        )  # fmt: skip
        assert said == {"a1": "permitted permit", "b1": "unpaid permit-in-use"}


@pytest.mark.parametrize(
    ("expected", "more"),
    [
        pytest.param(("review", "low-confidence"), {"confidence": 0.79}, id="a poor read"),
        pytest.param(("unpaid", "no-right"), {"confidence": 0.80}, id="confidence at the floor"),
        pytest.param(("review", "country-unknown"), {"country": None}, id="no country"),
        pytest.param(
            ("review", "low-confidence"), {"country": None, "confidence": 0.5}, id="both: the first"
        ),
        pytest.param(
            ("unpaid", "site-suspended"), {"site": {"suspended": True}}, id="a suspended site"
        ),
        pytest.param(
            ("review", "low-confidence"),
            {"confidence": 0.5, "site": {"suspended": True}},
            id="a poor read at a suspended site",
        ),
    ],
)
def test_doubt_stands_before_a_candidate(expected: tuple[str, str], more: dict[str, Any]) -> None:
    visit = stay("09:00", "10:30", **more)
    assert verdict(visit)[:2] == expected
    assert visit["case"] != "candidate" or expected == ("unpaid", "no-right")
    assert visit["enforceable"] is not more.get("site", {}).get("suspended", False)


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ([P1], ("paid", "payment")),
        ([EQUIVALENT], ("excused", "ocr-equivalent")),
        ([NEAR], ("excused", "keying-error")),
        ([FAR], ("review", "near-right")),
    ],
)
@pytest.mark.parametrize("more", [{"confidence": 0.1}, {"country": None}])
def test_doubt_never_stands_in_the_way_of_excusing(
    rights: list[dict[str, Any]], expected: tuple[str, str], more: dict[str, Any]
) -> None:
    assert verdict(stay("09:00", "10:30", rights, **more))[:2] == expected


def test_an_overstay_at_a_suspended_site_makes_no_case() -> None:
    visit = stay("09:00", "15:00", [P1], site={"suspended": True})
    assert verdict(visit)[:2] == ("unpaid", "site-suspended")
    assert visit["case"] is None
    assert visit["overstay_min"] == 0


def test_a_plate_of_another_country_is_for_a_person() -> None:
    assert verdict(stay("09:00", "10:30", [P1], country="FR")) == ("review", "wrong-country", "p1")


def test_a_right_without_a_country_fits_any() -> None:
    anywhere = payment("p", "AB12CDE", "09:00", "11:00", country=None)
    assert verdict(stay("09:00", "10:30", [anywhere], country="FR"))[0] == "paid"


def test_a_slip_does_not_cross_a_border() -> None:
    foreign = payment("n", "AB12CDF", "09:00", "11:00", country="FR")
    assert verdict(stay("09:00", "10:30", [foreign])) == ("unpaid", "no-right", None)


def test_one_text_in_two_countries_is_ambiguous_where_the_read_knows_none() -> None:
    rights = [P1, payment("p2", "AB12CDE", "09:00", "11:00", country="FR")]
    assert verdict(stay("09:00", "10:30", rights, country=None))[:2] == (
        "review", "country-unknown",
    )  # fmt: skip
    assert verdict(stay("09:00", "10:30", rights))[2] == "p1"


def test_slips_towards_two_countries_are_several() -> None:
    rights = [NEAR, payment("n2", "AB12CDF", "09:00", "11:00", country="FR")]
    assert verdict(stay("09:00", "10:30", rights, country=None))[1] == "several-candidates"


class TestAwaiting:
    def played(self, heard: dict[str, str], rights: list[dict[str, Any]] | None = None) -> Any:
        return car_park(
            [read("r1", "in", "09:00", "AB12CDE"), read("r2", "out", "10:30", "AB12CDE")],
            rights,
            now="12:00",
            heartbeats=[
                {"camera": camera, "through": f"2026-03-02T{clock}+00:00"}
                for camera, clock in heard.items()
            ],
        ).visit()

    def test_no_case_before_every_camera_reported(self) -> None:
        heard = {"in": "11:00:00", "out": "11:00:00", "road": "10:30:00"}
        assert verdict(self.played(heard))[:2] == ("pending", "awaiting-camera")
        assert self.played(heard)["case"] is None
        assert verdict(self.played({**heard, "road": "10:30:01"}))[:2] == ("unpaid", "no-right")

    def test_a_camera_never_heard_of_is_awaited(self) -> None:
        heard = {"in": "11:00:00", "out": "11:00:00"}
        assert verdict(self.played(heard))[:2] == ("pending", "awaiting-camera")

    def test_a_payer_need_not_wait(self) -> None:
        assert verdict(self.played({"in": "09:00:00"}, [P1]))[:2] == ("paid", "payment")

    def test_a_review_by_its_rights_waits_too(self) -> None:
        heard = {"in": "11:00:00", "out": "11:00:00"}
        assert verdict(self.played(heard, [FAR]))[:2] == ("pending", "awaiting-camera")

    def test_an_open_visit_says_whether_a_camera_is_silent(self) -> None:
        inside = [read("r1", "in", "09:00", "AB12CDE")]
        silent = [{"camera": "out", "through": "2026-03-02T11:59:59+00:00"}]
        all_well = [{"camera": "out", "through": "2026-03-02T12:00:00+00:00"}]
        assert verdict(car_park(inside, [P1], now="12:00", heartbeats=silent).visit())[:2] == (
            "pending", "awaiting-camera",
        )  # fmt: skip
        assert verdict(car_park(inside, [P1], now="12:00", heartbeats=all_well).visit())[:2] == (
            "pending", None,
        )  # fmt: skip


class TestPaidLate:
    late = payment("p1", "AB12CDE", "09:00", "11:00", known_at="2026-03-03T00:00:00+00:00")

    def test_a_payment_known_late_closes_the_case_and_says_so(self) -> None:
        visit = stay("09:00", "10:30", [self.late])
        assert verdict(visit) == ("paid", "paid-late", "p1")
        assert visit["case"] is None

    def test_a_payment_known_before_anyone_was_accused_is_not_late(self) -> None:
        before_exit = {**self.late, "known_at": "2026-03-02T10:00:00+00:00"}
        assert verdict(stay("09:00", "10:30", [before_exit]))[1] == "payment"

    def test_before_it_is_known_it_does_not_count(self) -> None:
        visit = stay("09:00", "10:30", [self.late], now="2026-03-02T23:00:00+00:00")
        assert verdict(visit)[:2] == ("unpaid", "no-right")

    def test_a_late_extension_pays_late(self) -> None:
        first = payment("p1", "AB12CDE", "09:00", "10:00")
        more = payment(
            "p1", "AB12CDE", "09:00", "13:00", version=2, known_at="2026-03-03T00:00:00+00:00"
        )
        assert verdict(stay("09:00", "13:00", [first, more]))[:2] == ("paid", "paid-late")

    def test_a_review_that_turns_out_paid_is_late_too(self) -> None:
        visit = stay("09:00", "10:30", [self.late], country=None)
        assert verdict(visit)[:2] == ("paid", "paid-late")

    def test_only_paid_is_late(self) -> None:
        staff = permit("AB12CDE", known_at="2026-03-03T00:00:00+00:00")
        assert verdict(stay("09:00", "10:30", [staff]))[:2] == ("permitted", "permit")
