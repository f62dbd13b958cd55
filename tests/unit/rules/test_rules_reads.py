"""Single reads, at a vignette gantry and in a charging zone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from enforcement.rights.facts import RuleError
from enforcement.rights.outcomes import Judgement
from enforcement.rights.zones import Window, day_start, zone_payment
from tests.unit.rules.ruleplay import Played, said


def gantry(rights: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return said(gantry_judgement(rights, **more))


def gantry_judgement(
    rights: list[dict[str, Any]],
    *,
    scheme: str = "CZ",
    at: str = "2026-03-02T12:00:00+01:00",
    now: str = "2026-03-04T00:00:00+00:00",
    site: dict[str, Any] | None = None,
    **read: Any,
) -> Judgement:
    one = {"id": "r1", "camera": "g", "at": at, "plate": "1A23456", "country": "CZ",
           "confidence": 0.95, **read}  # fmt: skip
    played = Played(
        {
            "site": {
                "kind": "vignette",
                "scheme": scheme,
                "cameras": [{"id": "g", "role": "passing"}],
                **(site or {}),
            },
            "now": now,
            "rights": rights,
            "reads": [one],
        }
    )
    assert "1A2" not in repr(played.verdicts)
    return played.verdicts["r1"]


def vignette(id: str = "v1", plate: str = "1A23456", **more: Any) -> dict[str, Any]:
    return {
        "kind": "vignette",
        "id": id,
        "scheme": "CZ",
        "product": "10-day",
        "plate": plate,
        "country": "CZ",
        "first_day": "2026-03-01",
        **more,
    }


def answer(
    verdict: str, reason: str, right: str | None = None, case: str | None = None
) -> dict[str, Any]:
    return {"verdict": verdict, "reason": reason, "right": right, "case": case}


UNPAID = answer("unpaid", "no-right", None, "candidate")
BROKEN = vignette("b", "IA23456")  # I for 1: no Czech series has it


@pytest.mark.parametrize(
    ("rights", "read", "expected"),
    [
        pytest.param([vignette()], {}, answer("paid", "vignette", "v1"), id="a payer is paid"),
        pytest.param([], {}, UNPAID, id="no vignette"),
        pytest.param([], {"at": "2026-03-02T12:00:00+01:00", "received_at":
                          "2026-03-02T11:59:57+01:00"},
                     answer("none", "clock-skew"), id="a clock 3 s ahead judges nobody"),
        pytest.param([], {"received_at": "2026-03-02T11:59:58+01:00"}, UNPAID,
                     id="a skew of exactly 2 s is none"),
        pytest.param([vignette()], {"at": "2026-03-01T00:00:00+01:00"},
                     answer("paid", "vignette", "v1"), id="from the first midnight, local"),
        pytest.param([vignette()], {"at": "2026-02-28T23:59:59+01:00"},
                     answer("unpaid", "right-not-started", "v1", "candidate"),
                     id="not a second before"),
        pytest.param([vignette()], {"at": "2026-03-10T23:59:59+01:00",
                                    "now": "2026-04-01T00:00:00+00:00"},
                     answer("paid", "vignette", "v1"), id="to the last midnight, local"),
        pytest.param([vignette()], {"at": "2026-03-11T00:00:00+01:00",
                                    "now": "2026-04-01T00:00:00+00:00"},
                     answer("unpaid", "right-ended", "v1", "candidate"), id="and no further"),
        pytest.param([vignette(first_day="2026-01-01"), vignette("v2", first_day="2026-02-01")],
                     {}, answer("unpaid", "right-ended", "v2", "candidate"),
                     id="the last of the ended rights is named"),
        pytest.param([vignette(first_day="2026-01-01"), vignette("v2", first_day="2026-05-01"),
                      vignette("v3", first_day="2026-04-01")],
                     {}, answer("unpaid", "right-not-started", "v3", "candidate"),
                     id="or the next to begin"),
        # bought, known
        pytest.param([vignette(known_at="2026-03-02T13:00:00+01:00")], {},
                     answer("unpaid", "right-not-started", "v1", "candidate"),
                     id="bought an hour after the read"),
        pytest.param([vignette(known_at="2026-03-02T12:00:00+01:00")], {},
                     answer("paid", "vignette", "v1"), id="bought the moment of the read"),
        pytest.param([vignette(known_at="2026-03-03T12:00:00+01:00",
                               bought_at="2026-03-02T11:00:00+01:00")], {},
                     answer("paid", "paid-late", "v1"),
                     id="bought before, known after: nobody is a violator for a slow registry"),
        # tolerance: hardly any
        pytest.param([BROKEN], {}, answer("excused", "ocr-equivalent", "b"),
                     id="a text no country issues is a slip of the keypad"),
        pytest.param([vignette("o", "1A2345B")], {}, UNPAID, id="one edit away is a neighbour"),
        pytest.param([vignette("o", "1AB3456")], {"plate": "1A83456"}, UNPAID,
                     id="an equivalent text of a lawful plate is another vehicle"),
        pytest.param([vignette("o", "1AB3456")],
                     {"plate": "1A83456", "char_scores": [.99, .99, .5, .99, .99, .99, .99]},
                     answer("excused", "ocr-equivalent", "o"),
                     id="unless the reader was unsure of that very character"),
        pytest.param([vignette("o", "1AB3456")],
                     {"plate": "1A83456", "char_scores": [.5, .5, .80, .5, .5, .5, .5]}, UNPAID,
                     id="being unsure of another does not count"),
        pytest.param([vignette("o", "1AB3456")],
                     {"plate": "1A83456", "candidates": ["1AB3456"]},
                     answer("review", "near-right", "o", "review"),
                     id="what the reader itself thought of is for a person"),
        pytest.param([vignette("o", "1A23457")], {"candidates": ["1A23457"]},
                     answer("review", "near-right", "o", "review"),
                     id="also one edit away"),
        pytest.param([vignette("o", "1A23457", first_day="2026-01-01")],
                     {"candidates": ["1A23457"]}, UNPAID,
                     id="but not of a right of another time"),
        pytest.param([vignette("o", "1A99999")], {"candidates": ["1A99999"]}, UNPAID,
                     id="nor of a text that is far"),
        pytest.param([BROKEN, BROKEN | {"id": "c", "plate": "LA23456"}], {},
                     answer("review", "several-candidates", None, "review"),
                     id="two slips: a machine does not choose"),
        pytest.param([BROKEN, BROKEN | {"id": "c"}], {},
                     answer("excused", "ocr-equivalent", "b"),
                     id="two vignettes under one slip are one vehicle's"),
        pytest.param([BROKEN | {"category": "trailer"}], {}, UNPAID,
                     id="a slip does not change the category"),
        pytest.param([BROKEN | {"country": "SK", "plate": "IA23456"}], {}, UNPAID,
                     id="nor the country"),
        # country and category
        pytest.param([vignette(country="SK")], {},
                     answer("review", "wrong-country", "v1", "review"),
                     id="the text of another country's plate is for a person"),
        pytest.param([vignette(country="SK", first_day="2026-01-01")], {}, UNPAID,
                     id="unless that right did not cover the time"),
        pytest.param([vignette(country="SK"), vignette("v2")], {},
                     answer("paid", "vignette", "v2"), id="its own right comes first"),
        pytest.param([vignette()], {"country": None}, answer("paid", "vignette", "v1"),
                     id="an unknown country does not stand before excusing"),
        pytest.param([vignette(), vignette("v2", country="SK")], {"country": None},
                     answer("review", "country-unknown", None, "review"),
                     id="but two countries' rights do"),
        pytest.param([vignette(), vignette("v2", country="SK", first_day="2026-01-01")],
                     {"country": None}, answer("paid", "vignette", "v1"),
                     id="unless one of them had ended"),
        pytest.param([], {"country": None}, answer("review", "country-unknown", None, "review"),
                     id="an unknown country accuses nobody"),
        pytest.param([vignette(category="trailer")], {},
                     answer("unpaid", "wrong-category", "v1", "candidate"),
                     id="a trailer's vignette is not the car's"),
        pytest.param([vignette(category="trailer"), vignette("v2")], {},
                     answer("paid", "vignette", "v2"), id="its own category comes first"),
        pytest.param([vignette(category="trailer")], {"country": None},
                     answer("review", "country-unknown", "v1", "review"),
                     id="a wrong category accuses nobody of unknown country"),
        pytest.param([vignette(scheme="SK")], {}, UNPAID, id="another country's scheme"),
        # exemptions
        pytest.param([], {"category": "electric"}, answer("exempt", "exemption"),
                     id="a Czech electric car is exempt"),
        pytest.param([], {"category": "electric", "country": "SK"}, UNPAID,
                     id="a Slovak one is not"),
        pytest.param([vignette(country="SK")], {"category": "electric", "country": "SK"},
                     answer("paid", "vignette", "v1"), id="and pays as a car"),
        pytest.param([], {"category": "over-3.5t"}, answer("exempt", "exemption"),
                     id="a lorry pays toll instead"),
        pytest.param([{"kind": "exemption", "id": "x", "plate": "1A23456", "reason": "police"}],
                     {}, answer("exempt", "exemption", "x"), id="an exemption by hand"),
        pytest.param([vignette(), {"kind": "exemption", "id": "x", "plate": "1A23456"}], {},
                     answer("exempt", "exemption", "x"),
                     id="who is exempt need not have paid: the refund is theirs"),
        pytest.param([vignette("v2", first_day="2026-03-02"), vignette()], {},
                     answer("paid", "vignette", "v1"), id="of two the earlier is named"),
        # doubt
        pytest.param([], {"confidence": 0.79},
                     answer("review", "low-confidence", None, "review"), id="a poor read"),
        pytest.param([vignette()], {"confidence": 0.2}, answer("paid", "vignette", "v1"),
                     id="a poor read of a payer is paid"),
        pytest.param([], {"confidence": 0.80}, UNPAID, id="confidence at the floor"),
        pytest.param([], {"site": {"suspended": True}}, answer("unpaid", "site-suspended"),
                     id="a suspended site makes no case"),
    ],
)  # fmt: skip
def test_gantry(
    rights: list[dict[str, Any]], read: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert gantry(rights, **read) == expected


@pytest.mark.parametrize(
    ("rights", "read", "lines"),
    [
        ([vignette()], {}, [("v1", "exact", True)]),
        ([], {}, [(None, "no-right-found", True)]),
        ([BROKEN], {}, [("b", "ocr-equivalent", True)]),
        (
            [BROKEN, BROKEN | {"id": "c", "plate": "LA23456"}],
            {},
            [
                ("b", "ocr-equivalent", False),
                ("c", "ocr-equivalent", False),
                (None, "several-candidates", True),
            ],
        ),
        (
            [vignette(), vignette("v2", country="SK")],
            {"country": None},
            [("v1", "exact", False), ("v2", "exact", False), (None, "two-countries", True)],
        ),
        (
            [
                vignette("n", "1A2345B"),
                vignette("o", "1A23457"),
                vignette("e", first_day="2026-01-01"),
                vignette("l", first_day="2026-05-01"),
                vignette("s", country="SK"),
                vignette("t", category="trailer"),
            ],
            {"candidates": ["1A23457"]},
            [
                ("s", "other-country", False),
                ("t", "other-category", False),
                ("o", "near-named", False),
                ("n", "near-in-registry", False),
                ("l", "begins-after", False),
                ("e", "ended-before", False),
            ],
        ),
        (
            [vignette("o", "1AB3456")],
            {"plate": "1A83456"},
            [("o", "near-well-formed", False), (None, "no-right-found", True)],
        ),
        ([], {"category": "over-3.5t"}, [(None, "toll-instead", True)]),
        (
            [
                vignette("e1", first_day="2026-01-01"),
                vignette("e2", first_day="2026-02-01"),
                vignette("l1", first_day="2026-05-01"),
                vignette("l2", first_day="2026-06-01"),
            ],
            {},
            [
                ("l1", "begins-after", False),
                ("e2", "ended-before", False),
                (None, "no-right-found", True),
            ],
        ),
    ],
)
def test_a_read_explains_which_rights_were_looked_at(
    rights: list[dict[str, Any]],
    read: dict[str, Any],
    lines: list[tuple[str | None, str, bool]],
) -> None:
    judgement = gantry_judgement(rights, **read)
    explanation = [(line.right_id, line.code, line.applied) for line in judgement.explanation]
    assert sorted(explanation, key=repr) == sorted(lines, key=repr)
    assert judgement.rules == ("judge/1", "site/1", "CZ/2020-12-01")


def hungarian(**more: Any) -> dict[str, Any]:
    return vignette(scheme="HU", product="1-day", first_day="2026-03-02") | more


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param("12:00", answer("paid", "paid-late", "v1"), id="60 minutes heal, inclusive"),
        pytest.param("12:30", answer("paid", "paid-late", "v1"), id="half an hour heals"),
        pytest.param("13:00", answer("paid", "vignette", "v1"), id="from its purchase on"),
        pytest.param(
            "11:59:59",
            answer("unpaid", "right-not-started", "v1", "candidate"),
            id="61 minutes do not",
        ),
    ],
)
def test_a_purchase_soon_after_entry_heals_in_hungary(seen: str, expected: dict[str, Any]) -> None:
    right = hungarian(known_at="2026-03-02T13:00:00+01:00")
    assert gantry([right], scheme="HU", at=f"2026-03-02T{seen}+01:00") == expected
    seen_at = f"2026-03-02T{seen}+01:00"
    explanation = gantry_judgement([right], scheme="HU", at=seen_at).explanation
    assert explanation[0].code == {
        "paid-late": "healed", "vignette": "exact", "right-not-started": "begins-after",
    }[expected["reason"]]  # fmt: skip
    if expected["reason"] == "paid-late":  # and nowhere else
        elsewhere = {**right, "scheme": "CZ"}
        assert gantry([elsewhere], at=f"2026-03-02T{seen}+01:00")["verdict"] == "unpaid"


def test_healing_reaches_over_midnight() -> None:
    right = hungarian(known_at="2026-03-02T00:20:00+01:00")
    assert gantry([right], scheme="HU", at="2026-03-01T23:45:00+01:00")["verdict"] == "paid"


def test_an_advance_purchase_heals_nothing() -> None:
    right = hungarian(first_day="2026-03-05", known_at="2026-03-02T13:00:00+01:00")
    assert gantry([right], scheme="HU", at="2026-03-02T12:30:00+01:00")["reason"] == (
        "right-not-started"
    )


def test_a_county_vignette_covers_its_county_only() -> None:
    county = hungarian(scope="Pest")
    seen = {"scheme": "HU", "at": "2026-03-02T12:00:00+01:00"}
    assert gantry([county], site={"scope": "Pest"}, **seen) == answer("paid", "vignette", "v1")
    assert gantry([county], site={"scope": "Vas"}, **seen) == UNPAID
    assert gantry([hungarian()], site={"scope": "Vas"}, **seen)["verdict"] == "paid"


WINDOW = {
    "days": [1, 2, 3, 4, 5],
    "from": "07:00",
    "to": "18:00",
    "holidays": ["2026-12-25"],
    "pay_until": "P3D midnight",
}


def zone(rights: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return said(zone_judgement(rights, **more))


def zone_judgement(
    rights: list[dict[str, Any]],
    *,
    at: str = "2026-03-02T12:00:00+00:00",
    now: str = "2026-04-01T00:00:00+00:00",
    window: dict[str, Any] | None = None,
    timezone: str = "Europe/London",
    suspended: bool = False,
    **read: Any,
) -> Judgement:
    one = {"id": "r1", "camera": "z", "at": at, "plate": "AB12CDE", "country": "GB",
           "confidence": 0.95, **read}  # fmt: skip
    played = Played(
        {
            "site": {
                "kind": "zone",
                "timezone": timezone,
                "window": {**WINDOW, **(window or {})},
                "cameras": [{"id": "z", "role": "passing"}],
                "suspended": suspended,
            },
            "now": now,
            "rights": rights,
            "reads": [one],
        }
    )
    assert "AB12" not in repr(played.verdicts)
    return played.verdicts["r1"]


def paid_for(day: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "zone-payment",
        "id": "z1",
        "plate": "AB12CDE",
        "country": "GB",
        "day": day,
        **more,
    }


OUTSIDE = answer("none", "outside-window")
PAID = answer("paid", "zone-payment", "z1")
# a Monday is payable until the midnight that ends Thursday
DEADLINE = "2026-03-06T00:00:00+00:00"


@pytest.mark.parametrize(
    ("rights", "read", "expected"),
    [
        pytest.param([], {}, UNPAID, id="nobody paid"),
        pytest.param([paid_for("2026-03-02")], {}, PAID, id="a payer is paid"),
        pytest.param([paid_for("2026-03-03")], {}, UNPAID, id="another day's payment"),
        pytest.param([], {"at": "2026-03-02T07:00:00+00:00"}, UNPAID, id="from its first second"),
        pytest.param([], {"at": "2026-03-02T06:59:59+00:00"}, OUTSIDE, id="not before"),
        pytest.param([], {"at": "2026-03-02T17:59:59+00:00"}, UNPAID, id="to its last second"),
        pytest.param([], {"at": "2026-03-02T18:00:00+00:00"}, OUTSIDE, id="not after"),
        pytest.param([], {"at": "2026-03-07T12:00:00+00:00"}, OUTSIDE, id="not on Saturday"),
        pytest.param([], {"at": "2026-12-25T12:00:00+00:00", "now": "2027-01-10T00:00:00+00:00"},
                     OUTSIDE, id="not on a holiday"),
        pytest.param([], {"at": "2026-03-30T06:00:00+00:00", "now": "2026-05-01T00:00:00+00:00"},
                     UNPAID, id="local time, after the clocks changed"),
        pytest.param([], {"at": "2026-03-27T06:30:00+00:00", "now": "2026-05-01T00:00:00+00:00"},
                     OUTSIDE, id="local time, before the clocks changed"),
        # the deadline
        pytest.param([], {"now": "2026-03-05T23:59:59+00:00"},
                     answer("pending", "awaiting-deadline"), id="until the deadline it is pending"),
        pytest.param([], {"now": DEADLINE}, UNPAID, id="at the deadline it no longer is"),
        pytest.param([paid_for("2026-03-02", known_at=DEADLINE)], {},
                     PAID, id="paid at the last moment"),
        pytest.param([paid_for("2026-03-02", known_at="2026-03-06T00:00:01+00:00")], {},
                     UNPAID, id="a second late does not count"),
        pytest.param([], {"now": "2026-03-05T00:00:00+00:00", "confidence": 0.1},
                     answer("pending", "awaiting-deadline"),
                     id="a poor read waits for its deadline too"),
        pytest.param([paid_for("2026-03-02", country="FR")], {"now": "2026-03-05T00:00:00+00:00"},
                     answer("pending", "awaiting-deadline", "z1"),
                     id="so does a right of another country"),
        pytest.param([paid_for("2026-03-02", known_at="2026-03-04T00:00:00+00:00"),
                      paid_for("2026-03-02", known_at="2026-03-20T00:00:00+00:00", version=2)],
                     {}, PAID, id="a correction after the deadline takes no payment away"),
        # tolerance
        pytest.param([paid_for("2026-03-02", plate="AB12CDF")], {}, UNPAID, id="one edit away"),
        pytest.param([paid_for("2026-03-02", plate="ABI2CDE")], {},
                     answer("excused", "ocr-equivalent", "z1"), id="a slip no country issues"),
        pytest.param([paid_for("2026-03-02", country="FR")], {},
                     answer("review", "wrong-country", "z1", "review"), id="another country"),
        pytest.param([{"kind": "exemption", "id": "x", "plate": "AB12CDE",
                       "known_at": "2026-03-20T00:00:00+00:00"}], {},
                     answer("exempt", "exemption", "x"), id="an exemption has no deadline"),
        pytest.param([{"kind": "permit", "id": "res", "plates": ["AB12CDE"],
                       "from": "2026-01-01T00:00:00+00:00", "to": "2026-03-02T12:00:00+00:00"}],
                     {}, UNPAID, id="a residents' permit that just ended"),
        pytest.param([{"kind": "permit", "id": "res", "plates": ["AB12CDE"],
                       "from": "2026-03-02T12:00:00+00:00", "to": "2027-01-01T00:00:00+00:00"}],
                     {}, answer("permitted", "permit", "res"), id="and one that just began"),
        pytest.param([{"kind": "permit", "id": "res", "plates": ["ABI2CDE", "A8I2CDE"]}], {},
                     UNPAID, id="a slip proves nothing where the right's country is unknown"),
        pytest.param([{"kind": "permit", "id": "res", "plates": ["ABI2CDE", "A8I2CDE"],
                       "country": "GB"}], {}, answer("excused", "ocr-equivalent", "res"),
                     id="two near plates of one permit are one candidate"),
        # doubt
        pytest.param([], {"confidence": 0.1}, answer("review", "low-confidence", None, "review"),
                     id="a poor read"),
        pytest.param([], {"suspended": True}, answer("unpaid", "site-suspended"),
                     id="a suspended site"),
        pytest.param([], {"received_at": "2026-03-02T11:00:00+00:00"},
                     answer("none", "clock-skew"), id="a skewed clock"),
    ],
)  # fmt: skip
def test_zone(rights: list[dict[str, Any]], read: dict[str, Any], expected: dict[str, Any]) -> None:
    assert zone(rights, **read) == expected


def test_a_payment_too_late_is_shown_to_whoever_decides() -> None:
    late = {"known_at": "2026-03-06T00:00:01+00:00"}
    rights = [
        paid_for("2026-03-02", **late),
        paid_for("2026-03-03", **late) | {"id": "z2"},
        paid_for("2026-03-02", **late, plate="AB12CDF") | {"id": "z3"},
        paid_for("2026-03-01", known_at=DEADLINE) | {"id": "z4"},
    ]
    lines = zone_judgement(rights).explanation
    assert [(line.right_id, line.code, line.applied) for line in lines] == [
        (None, "no-right-found", True),
        ("z1", "not-in-time", False),
    ]
    in_time = zone_judgement([paid_for("2026-03-02", known_at=DEADLINE)]).explanation
    assert [line.code for line in in_time] == ["exact"]


def test_a_residents_permit_for_a_car_is_not_a_vans() -> None:
    resident = {"kind": "permit", "id": "res", "plates": ["AB12CDE"], "category": "car"}
    assert zone([resident])["verdict"] == "permitted"
    assert zone([resident], category="van") == answer(
        "unpaid", "wrong-category", "res", "candidate"
    )


def test_both_sides_of_midnight_are_two_charges() -> None:
    whole_day = {"from": "00:00", "to": "24:00"}
    before, after = "2026-03-02T23:59:59+00:00", "2026-03-03T00:00:00+00:00"
    rights = [paid_for("2026-03-02")]
    assert zone(rights, at=before, window=whole_day) == PAID
    assert zone(rights, at=after, window=whole_day) == UNPAID


def window(**more: Any) -> Window:
    return Window.from_data({**WINDOW, **more}, "Europe/London")


def test_charged_days() -> None:
    london = window().timezone
    night = window(**{"from": "22:00", "to": "06:00"})
    assert night.charged_day(datetime(2026, 3, 2, 23, tzinfo=london)) == date(2026, 3, 2)
    assert night.charged_day(datetime(2026, 3, 3, 5, tzinfo=london)) == date(2026, 3, 3)
    assert night.charged_day(datetime(2026, 3, 3, 12, tzinfo=london)) is None
    assert night.charged_day(datetime(2026, 3, 3, 6, tzinfo=london)) is None
    assert night.charged_day(datetime(2026, 3, 3, 22, tzinfo=london)) == date(2026, 3, 3)
    round_the_clock = window(**{"from": "06:00", "to": "06:00"})
    assert round_the_clock.charged_day(datetime(2026, 3, 2, 6, tzinfo=london)) == date(2026, 3, 2)
    assert round_the_clock.charged_day(datetime(2026, 3, 2, 3, tzinfo=london)) == date(2026, 3, 2)
    # in the hour that comes twice, a local day is still one
    late = datetime(2026, 10, 26, 0, 30, tzinfo=UTC)
    assert window(**{"from": "00:00", "to": "24:00"}).charged_day(late) == date(2026, 10, 26)


def test_the_deadline_follows_local_midnights_over_a_clock_change() -> None:
    assert window().deadline(date(2026, 3, 27)) == datetime(2026, 3, 30, 23, tzinfo=UTC)
    assert window(pay_until="P0D midnight").deadline(date(2026, 3, 2)) == datetime(
        2026, 3, 3, tzinfo=UTC
    )


def test_a_payment_runs_over_its_local_day() -> None:
    london = window().timezone
    right = zone_payment(
        id="z", plate="AB12CDE", country="GB", day=date(2026, 3, 29), timezone=london
    )
    assert right.end - right.start == timedelta(hours=23)
    assert right.start == day_start(date(2026, 3, 29), london)


@pytest.mark.parametrize(
    "broken",
    [
        {"days": [0]},
        {"days": [8]},
        {"days": None},
        {"from": "7:00"},
        {"from": "24:00"},
        {"to": "25:00"},
        {"to": "18:60"},
        {"to": 18},
        {"holidays": ["Christmas"]},
        {"pay_until": "P3D"},
        {"pay_until": "soon"},
        {"pay_until": None},
    ],
)
def test_a_window_with_a_hole_is_refused_when_it_is_read(broken: dict[str, Any]) -> None:
    with pytest.raises(RuleError) as refused:
        window(**broken)
    assert refused.value.code == "window-malformed"
