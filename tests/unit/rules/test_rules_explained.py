"""Every verdict of a stay explains itself: what was looked at, why it did or didn't count, by how
much. The operator reads these lines, and so does whoever is asked to pay."""

from datetime import UTC, datetime
from typing import Any

import pytest

from enforcement.rights.facts import Reading, SiteRules, SiteState
from enforcement.rights.outcomes import Judgement, VisitStatus
from enforcement.rights.presence import Presences
from enforcement.rights.stays import Stay, judge_stay
from enforcement.rights.tariffs import Tariff
from tests.unit.rules.ruleplay import Played, at, car_park, payment, read

Line = tuple[str | None, str, str, bool, int | None]

NOTHING: Line = (None, "doubt", "no-right-found", True, None)


def permit(*plates: str, places: int | None = None) -> dict[str, Any]:
    return {"kind": "permit", "id": "staff", "plates": list(plates), "max_present": places}


def explained(played: Played, index: int = 0) -> tuple[list[Line], list[str]]:
    """The lines of a visit's verdict, and the sentences of those that count something."""
    judgement = played.verdicts[played.visits[index].id]
    lines = [
        (line.right_id, line.kind, line.code, line.applied, line.cost)
        for line in judgement.explanation
    ]
    counted = [line.sentence for line in judgement.explanation if line.kind == "allowance"]
    return lines, counted


def stayed(
    start: str, end: str, *rights: dict[str, Any], country: str | None = "GB", **site: Any
) -> Played:
    both = {"country": country}
    reads = [read("a", "in", start, "AB12CDE", **both), read("b", "out", end, "AB12CDE", **both)]
    return car_park(reads, list(rights), **site)


PAID = payment("p1", "AB12CDE", "09:00", "10:00")
SLIP = payment("p2", "AB12CDF", "09:00", "10:00")
MORE = payment("p3", "AB12CDF", "10:00", "11:00")
FAR = payment("p4", "AB12CFG", "09:00", "10:00")
FAR_MORE = payment("p5", "AB12CFG", "10:00", "11:00")
EARLY = payment("e", "AB12CDE", "07:00", "08:00")
CALLED_OFF = payment("p0", "AB12CDE", "09:00", "09:00")


@pytest.mark.parametrize(
    ("played", "lines", "counted"),
    [
        pytest.param(
            lambda: stayed("09:00", "10:00", PAID),
            [("p1", "payment", "exact", True, 0)], [],
            id="paid",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:00", CALLED_OFF, PAID),
            [("p1", "payment", "exact", True, 0)], [],
            id="paid, after a session that was called off",
        ),
        pytest.param(
            lambda: stayed("08:56:30", "10:00", PAID),
            [
                ("p1", "payment", "exact", True, 0),
                (None, "allowance", "consideration-used", True, None),
            ],
            ["3 min unpaid before the first right, within 5 min allowed."],
            id="paid after reading the terms",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:12:30", PAID),
            [("p1", "payment", "exact", True, 0), (None, "allowance", "grace", True, None)],
            ["12 min unpaid, within the 15 min of consideration and grace."],
            id="left within the grace",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:46:59", PAID),
            [("p1", "payment", "exact", True, 0), (None, "allowance", "overstayed", True, None)],
            ["46 min unpaid, beyond the 15 min of consideration and grace."],
            id="overstayed",
        ),
        pytest.param(
            lambda: stayed("09:00", "09:04:59"),
            [(None, "allowance", "consideration", True, None)],
            ["The stay of 4 min is within the consideration period of 5 min."],
            id="only read the terms",
        ),
        pytest.param(lambda: stayed("09:00", "10:00"), [NOTHING], [], id="nothing at all"),
        pytest.param(
            lambda: stayed("09:00", "10:00", SLIP),
            [("p2", "payment", "one-edit", True, 1)], [],
            id="a slip",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:00", PAID, SLIP),
            [("p1", "payment", "exact", True, 0), ("p2", "payment", "not-needed", False, 1)], [],
            id="a slip that nobody needs",
        ),
        pytest.param(
            lambda: stayed("09:00", "11:00", PAID, MORE),
            [("p1", "payment", "exact", True, 0), ("p3", "payment", "one-edit", True, 1)], [],
            id="a mistyped extension",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:00", FAR),
            [("p4", "payment", "two-edits", False, 2)], [],
            id="two slips",
        ),
        pytest.param(
            lambda: stayed("09:00", "11:00", PAID, FAR_MORE),
            [("p1", "payment", "exact", True, 0), ("p5", "payment", "two-edits", False, 2)], [],
            id="an extension mistyped twice",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:00", SLIP, {**SLIP, "id": "p6", "plate": "AB12CDG"}),
            [
                ("p2", "payment", "one-edit", False, 1),
                ("p6", "payment", "one-edit", False, 1),
                (None, "doubt", "several-candidates", True, None),
            ], [],
            id="two payments it could be",
        ),
        pytest.param(
            lambda: stayed(
                "09:00", "10:00", PAID, {**PAID, "id": "p7", "country": "FR"}, country=None
            ),
            [
                ("p1", "payment", "exact", False, 0),
                ("p7", "payment", "exact", False, 0),
                (None, "doubt", "two-countries", True, None),
            ], [],
            id="paid under two countries",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:00", {**PAID, "country": "FR"}),
            [("p1", "payment", "other-country", False, 0)], [],
            id="paid for another country's plate",
        ),
        pytest.param(
            lambda: stayed(
                "09:00", "10:00", {**EARLY, "id": "e1", "from": at("06:00"), "to": at("07:00")},
                EARLY, payment("l1", "AB12CDE", "12:00", "13:00"),
                payment("l2", "AB12CDE", "14:00", "15:00"),
            ),
            [
                ("l1", "payment", "begins-after", False, 0),
                ("e", "payment", "ended-before", False, 0),
                NOTHING,
            ], [],
            id="paid at other times",
        ),
        pytest.param(
            lambda: stayed("09:00", "10:00", {**EARLY, "country": "FR"}),
            [NOTHING], [],
            id="another country's plate paid at another time",
        ),
        pytest.param(
            lambda: stayed(
                "09:00", "10:00", {**EARLY, "country": "FR"}, country=None
            ),
            [
                ("e", "payment", "ended-before", False, 0), NOTHING,
                (None, "doubt", "country-unknown", True, None),
            ], [],
            id="paid at another time, country unknown",
        ),
    ],
)  # fmt: skip
def test_a_stay_explains_itself(played: Any, lines: list[Line], counted: list[str]) -> None:
    assert explained(played()) == (lines, counted)


def test_a_payment_whose_own_vehicle_was_there_says_so() -> None:
    reads = [
        read("a", "in", "09:00", "AB12CDE"),
        read("b", "in", "09:10", "AB12CDF"),
        read("c", "out", "09:50", "AB12CDF"),
        read("d", "out", "10:00", "AB12CDE"),
    ]
    lines, _ = explained(car_park(reads, [SLIP]))
    assert lines == [("p2", "payment", "used-up", False, 1), NOTHING]


@pytest.mark.parametrize(("permitted", "cost"), [("KL98MNO", 0), ("KL98MNP", 1)])
def test_a_permit_in_use_says_so(permitted: str, cost: int) -> None:
    reads = [
        read("a", "in", "09:00", "AB12CDE"),
        read("b", "in", "09:10", "KL98MNO"),
        read("c", "out", "09:50", "KL98MNO"),
        read("d", "out", "10:00", "AB12CDE"),
    ]
    played = car_park(reads, [permit("AB12CDE", permitted, places=1)])
    lines, _ = explained(played, index=1)
    assert lines == [("staff", "permit", "permit-in-use", False, cost)]
    assert played.visit(1)["reason"] == "permit-in-use"


def test_a_sites_own_classes_count_at_a_car_park() -> None:
    judged = {
        classes: direct(payment_for="AB12CDE", seen="AB12CVE", classes=classes)
        for classes in ((), ("VD",))
    }
    assert judged[()].reason == "keying-error"
    assert judged[("VD",)].reason == "ocr-equivalent"


def direct(
    payment_for: str | None,
    seen: str,
    status: VisitStatus = VisitStatus.COMPLETE,
    classes: tuple[str, ...] = (),
    start: str = "09:00",
    end: str = "10:00",
    tariff: Tariff | None = None,
) -> Judgement:
    """A stay judged without a player, and with nothing said of what went before."""
    came, left = (datetime.fromisoformat(at(clock)) for clock in (start, end))
    stay = Stay("s", status, came, left, (Reading(seen, "GB", 0.95),))
    paid = [payment("p1", payment_for, "09:00", "10:00")] if payment_for else []
    rights = car_park([], paid).rights
    late = datetime(2026, 3, 3, tzinfo=UTC)
    return judge_stay(
        stay,
        rights=rights,
        presences=Presences([]),
        rules=SiteRules(version="site/7", classes=classes),
        state=SiteState(late, late),
        now=late,
        tariff=tariff,
    )


def test_nobody_was_accused_unless_it_is_said() -> None:
    judgement = direct("AB12CDE", "AB12CDE")
    assert (judgement.verdict, judgement.reason) == ("paid", "payment")
    assert judgement.rules == ("judge/1", "site/7")


@pytest.mark.parametrize(
    ("status", "code"),
    [(VisitStatus.OPEN, "visit-open"), (VisitStatus.EXPIRED, "inferred-end")],
)
def test_a_visit_without_an_end_says_why_it_is_not_judged(status: VisitStatus, code: str) -> None:
    (line,) = direct("AB12CDE", "AB12CDE", status).explanation
    assert (line.right_id, line.kind, line.code, line.applied) == (None, "doubt", code, True)


def charged(start: str, end: str, **more: Any) -> list[tuple[str, str, str]]:
    """What a stay without a right is told, where parking costs 2.00 an hour from 8 to 18."""
    day = {"days": [1, 2, 3, 4, 5, 6, 7], "name": "day", "from": "08:00", "to": "18:00"}
    night = {"days": [1, 2, 3, 4, 5, 6, 7], "name": "night", "from": "18:00", "to": "08:00"}
    hourly = [{"minutes": 60, "amount": 200, "exact": True}]
    tariff = Tariff.from_data(
        {"bands": [{**day, "steps": hourly}, {**night, "free": True}], **more},
        timezone="UTC",
        currency="GBP",
        version="tariff/1",
    )
    judgement = direct(None, "AB12CDE", start=start, end=end, tariff=tariff)
    return [(line.kind, line.code, line.sentence) for line in judgement.explanation]


def test_a_tariffs_part_in_the_verdict_is_told() -> None:
    nothing = ("doubt", "no-right-found", "No right covers this vehicle at this time.")
    assert charged("19:00", "20:00") == [
        ("window", "free-times", "The whole stay lies in times that cost nothing.")
    ]
    assert charged("16:30", "18:10:30") == [
        ("tariff", "free-part", "10 min of the stay cost nothing by the tariff."),
        nothing,
        ("tariff", "owed", "By the tariff the time without a right costs 3.00 GBP."),
    ]
    assert charged("17:55", "18:10:30") == [
        ("tariff", "free-part", "10 min of the stay cost nothing by the tariff."),
        (
            "allowance",
            "consideration",
            "The stay of 5 min is within the consideration period of 5 min.",
        ),
    ]


def test_a_stay_within_the_time_to_consider_needs_no_tariff() -> None:
    pounds = {"round_to": 100, "rounding": "down"}
    assert [code for _, code, _ in charged("09:00", "09:05", **pounds)] == ["consideration"]
    assert [code for _, code, _ in charged("09:00", "09:06", **pounds)] == ["costs-nothing"]
