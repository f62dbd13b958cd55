"""What a delivered right may say, and the error for everything it may not."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cameras.bodies import strict_json
from core.errors import BadInput
from enforcement.rights.intake import right_input

PAYMENT: dict[str, Any] = {
    "kind": "payment",
    "id": "p1",
    "plate": "ab 12-cde",
    "country": "gb",
    "site": "north",
    "from": "2026-03-01T09:00:00+00:00",
    "to": "2026-03-01T12:00:00+01:00",
}
VIGNETTE: dict[str, Any] = {
    "kind": "vignette",
    "id": "v1",
    "plate": "1AB2345",
    "country": "CZ",
    "scheme": "CZ",
    "product": "10-day",
    "first_day": "2026-03-01",
}
PERMIT: dict[str, Any] = {"kind": "permit", "id": "s", "plates": ["AA11AAA", "BB22BBB"]}
EXEMPTION: dict[str, Any] = {"kind": "exemption", "id": "x", "plate": "EM1", "reason": "emergency"}
ZONE: dict[str, Any] = {
    "kind": "zone-payment",
    "id": "z",
    "plate": "AB12CDE",
    "site": "city",
    "day": "2026-03-01",
}


def test_a_payment_is_understood() -> None:
    right = right_input(PAYMENT)
    assert right.plates == ("AB12CDE",)
    assert right.country == "GB"
    assert right.version == 1
    assert right.start == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert right.end == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_the_other_kinds_are_understood() -> None:
    vignette = right_input(VIGNETTE | {"year": 2026, "version": 3})
    assert (vignette.category, vignette.first_day, vignette.year) == (
        "car",
        date(2026, 3, 1),
        2026,
    )
    assert vignette.version == 3
    assert right_input(PERMIT | {"max_present": 1}).max_present == 1
    assert right_input(PERMIT).max_present is None
    assert right_input(EXEMPTION).reason == "emergency"
    assert right_input(ZONE).first_day == date(2026, 3, 1)


@pytest.mark.parametrize(("said", "meant"), [("UK", "GB"), ("el", "GR"), (None, ""), ("", "")])
def test_countries(said: str | None, meant: str) -> None:
    assert right_input(PAYMENT | {"country": said}).country == meant


def test_fields_nobody_knows_are_no_error() -> None:
    assert right_input(PAYMENT | {"known_at": "x", "amount": 3}) == right_input(PAYMENT)


@pytest.mark.parametrize(
    ("base", "change", "code", "field"),
    [
        (PAYMENT, {"kind": "gift"}, "unknown_kind", "kind"),
        (PAYMENT, {"kind": ["payment"]}, "unknown_kind", "kind"),
        (PAYMENT, {"id": None}, "id_missing", "id"),
        (PAYMENT, {"id": "   "}, "id_missing", "id"),
        (PAYMENT, {"id": "x" * 201}, "too_long", "id"),
        (PAYMENT, {"id": "a\x00b"}, "not_text", "id"),
        (PAYMENT, {"id": "\ud800"}, "not_text", "id"),
        (PAYMENT, {"id": 7}, "not_text", "id"),
        (PAYMENT, {"version": -1}, "out_of_range", "version"),
        (PAYMENT, {"version": 10**12}, "out_of_range", "version"),
        (PAYMENT, {"version": True}, "not_a_number", "version"),
        (PAYMENT, {"version": "2"}, "not_a_number", "version"),
        (PAYMENT, {"version": float("nan")}, "not_a_number", "version"),
        (PAYMENT, {"plate": None}, "plate_missing", "plate"),
        (PAYMENT, {"plate": "   "}, "plate_empty", "plate"),
        (PAYMENT, {"plate": "- . -"}, "plate_empty", "plate"),
        (PAYMENT, {"plate": "A" * 10_000}, "plate_too_long", "plate"),
        (PAYMENT, {"plate": "AB\x0012"}, "plate_not_text", "plate"),
        (PAYMENT, {"plate": 12}, "not_text", "plate"),
        (PAYMENT, {"plates": ["AB12"]}, "plate_and_plates", "plate"),
        (PAYMENT, {"plate": None, "plates": ["A1", "B2"]}, "one_plate", "plates"),
        (PAYMENT, {"country": "GBR"}, "unknown_country", "country"),
        (PAYMENT, {"country": "1A"}, "unknown_country", "country"),
        (PAYMENT, {"site": None}, "site_missing", "site"),
        (PAYMENT, {"from": None}, "from_missing", "from"),
        (PAYMENT, {"to": None}, "to_missing", "to"),
        (PAYMENT, {"from": "yesterday"}, "time_unreadable", "from"),
        (PAYMENT, {"from": 1772355600}, "time_unreadable", "from"),
        (PAYMENT, {"from": "2026-03-01T09:00:00"}, "naive_time", "from"),
        (PAYMENT, {"from": "0001-01-01T00:00:00+14:00"}, "time_out_of_range", "from"),
        (PAYMENT, {"to": "9999-12-31T23:59:59-01:00"}, "time_out_of_range", "to"),
        (PAYMENT, {"to": "2026-03-01T08:59:59+00:00"}, "ends_before_start", "to"),
        (VIGNETTE, {"scheme": None}, "scheme_missing", "scheme"),
        (VIGNETTE, {"product": ""}, "product_missing", "product"),
        (VIGNETTE, {"product": "x" * 21}, "too_long", "product"),
        (VIGNETTE, {"first_day": "1.3.2026"}, "day_unreadable", "first_day"),
        (VIGNETTE, {"first_day": "9998-01-01"}, "day_out_of_range", "first_day"),
        (VIGNETTE, {"year": 0}, "out_of_range", "year"),
        (VIGNETTE, {"bought_at": "2026-03-01T09:00:00"}, "naive_time", "bought_at"),
        (VIGNETTE, {"site": "north"}, "site_not_wanted", "site"),
        (PERMIT, {"plates": []}, "plate_missing", "plates"),
        (PERMIT, {"plates": "AA11AAA"}, "plate_missing", "plates"),
        (PERMIT, {"plates": ["AA11AAA", "aa 11 aaa"]}, "plate_twice", "plates"),
        (PERMIT, {"plates": ["AA11AAA", " "]}, "plate_empty", "plates"),
        (PERMIT, {"plates": [f"A{n}" for n in range(201)]}, "too_many_plates", "plates"),
        (PERMIT, {"max_present": 0}, "out_of_range", "max_present"),
        (EXEMPTION, {"reason": " "}, "reason_missing", "reason"),
        (EXEMPTION, {"reason": "x" * 41}, "too_long", "reason"),
        (ZONE, {"day": None}, "day_missing", "day"),
        (ZONE, {"site": None}, "site_missing", "site"),
    ],
)
def test_every_wrong_field_is_named(
    base: dict[str, Any], change: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        right_input(base | change)
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize("item", [None, [], "payment", 7, True])
def test_what_is_no_object_is_refused(item: Any) -> None:
    with pytest.raises(BadInput) as caught:
        right_input(item)
    assert caught.value.code == "not_an_object"


def test_a_field_that_stands_there_twice_is_refused() -> None:
    item = strict_json('{"kind": "payment", "plate": "A1", "plate": "B2"}')
    with pytest.raises(BadInput) as caught:
        right_input(item)
    assert caught.value.code == "duplicate_field"


def test_a_period_of_no_length_is_no_error() -> None:
    right = right_input(PAYMENT | {"to": PAYMENT["from"]})
    assert right.start == right.end


def test_content_is_the_same_for_a_repeat_however_it_is_written() -> None:
    written = right_input(PAYMENT)
    again = PAYMENT | {"plate": "AB12CDE", "to": "2026-03-01T11:00:00Z", "version": 5}
    assert right_input(json.loads(json.dumps(again))).content() == written.content()
    assert right_input(PAYMENT | {"country": "IE"}).content() != written.content()
    one, other = right_input(PERMIT), right_input(PERMIT | {"plates": ["BB22BBB", "AA11AAA"]})
    assert one.content() == other.content()


def test_neither_plate_nor_id_shows_in_a_repr() -> None:
    shown = repr(right_input(PAYMENT | {"id": "AB12CDE-7"}))
    assert "AB12CDE" not in shown
