"""One raw item: what is accepted, what each refusal is called, and which field it names."""

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from cameras.bodies import strict_json
from cameras.intake import Limits, Sent, sent
from core.errors import ProductError

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LIMITS = Limits(timedelta(days=31), timedelta(minutes=60), 200_000, 1_000_000)
JPEG = cv2.imencode(".jpg", np.full((20, 40, 3), 90, np.uint8))[1].tobytes()
MISSING = object()
SURROGATE = chr(0xD800)


def parsed(**fields: Any) -> Sent:
    raw: dict[str, Any] = {"captured_at": "2026-03-01T09:00:00Z", "picture": JPEG, **fields}
    raw = {name: value for name, value in raw.items() if value is not MISSING}
    return sent(raw, camera="lane-1", now=NOW, limits=LIMITS)


def parsed_read(**fields: Any) -> Sent:
    read: dict[str, Any] = {"text": "1AB 2345", "score": 0.9, **fields}
    read = {name: value for name, value in read.items() if value is not MISSING}
    return parsed(kind="read", read=read)


def refusal(call: Any, **fields: Any) -> tuple[str, str | None]:
    with pytest.raises(ProductError) as caught:
        call(**fields)
    assert 400 <= caught.value.status < 500
    assert caught.value.sentence
    assert "1AB" not in f"{caught.value}{caught.value.field}"
    return caught.value.code, caught.value.field


# --- times ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T09:00:00Z", NOW),
        ("2026-03-01t10:00:00+01:00", NOW),
        ("2026-03-01 10:00:00+0100", NOW),
        ("2026-03-01T09:00:00.250-00:00", NOW + timedelta(milliseconds=250)),
        ("2026-03-01T08:59:59.123456789Z", NOW - timedelta(microseconds=876_544)),
        ("2026-01-29T09:00:00Z", NOW - LIMITS.max_age),
        ("2026-03-01T10:00:00Z", NOW + LIMITS.max_ahead),
    ],
)
def test_capture_times_taken(text: str, expected: datetime) -> None:
    assert parsed(captured_at=text).captured_at == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (MISSING, "captured_at_missing"),
        (None, "captured_at_missing"),
        ("", "captured_at_missing"),
        ("2026-03-01T09:00:00", "captured_at_naive"),
        ("2026-03-01", "captured_at_invalid"),
        ("2026-03-01T09:00Z", "captured_at_invalid"),
        ("yesterday", "captured_at_invalid"),
        ("2026-02-30T09:00:00Z", "captured_at_invalid"),
        ("2026-03-01T09:00:00+25:00", "captured_at_invalid"),
        ("2026-03-01T24:00:01Z", "captured_at_invalid"),
        ("0001-01-01T00:00:00+14:00", "captured_at_invalid"),
        ("٢٠٢٦-03-01T09:00:00Z", "captured_at_invalid"),
        ("2026-03-01T09:00:00Z\0", "captured_at_invalid"),
        (1772355600, "captured_at_invalid"),
        (math.nan, "captured_at_invalid"),
        (True, "captured_at_invalid"),
        (["2026-03-01T09:00:00Z"], "captured_at_invalid"),
        (b"2026-03-01T09:00:00Z", "captured_at_invalid"),
        ("2025-03-01T09:00:00Z", "captured_at_too_old"),
        ("2026-01-29T08:59:59.999Z", "captured_at_too_old"),
        ("1970-01-01T00:00:00Z", "captured_at_too_old"),
        ("2027-03-01T09:00:00Z", "captured_at_in_future"),
        ("2026-03-01T10:00:00.001Z", "captured_at_in_future"),
        ("9999-12-31T23:59:59Z", "captured_at_in_future"),
    ],
)
def test_capture_times_refused(value: Any, code: str) -> None:
    assert refusal(parsed, captured_at=value) == (code, "captured_at")


@pytest.mark.parametrize("name", ["sent_at", "through"])
def test_other_times(name: str) -> None:
    assert getattr(parsed(), name) is None
    assert getattr(parsed(**{name: "2036-03-01T09:00:00Z"}), name).year == 2036
    assert refusal(parsed, **{name: "2026-03-01T09:00:00"}) == (f"{name}_naive", name)
    assert refusal(parsed, **{name: 5}) == (f"{name}_invalid", name)


def test_whether_the_device_knew_the_time() -> None:
    assert parsed().clock_known
    assert parsed(clock=None).clock_known
    assert parsed(clock="known").clock_known
    assert not parsed(clock="unknown").clock_known
    for value in ("", "Unknown", False, ["unknown"], {"unknown": 1}):
        assert refusal(parsed, clock=value) == ("clock_invalid", "clock")


# --- identity -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({}, None),
        ({"event_id": "e" * 200}, "id:" + "e" * 200),
        ({"event_id": "5"}, "id:5"),
        ({"sequence": 5}, "seq:5"),
        ({"sequence": 0}, "seq:0"),
        ({"event_id": "žluťoučký 🚗"}, "id:žluťoučký 🚗"),
    ],
)
def test_events(fields: dict[str, Any], event: str | None) -> None:
    assert parsed(**fields).event == event


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"event_id": ""}, "event_id_invalid", "event_id"),
        ({"event_id": "  "}, "event_id_invalid", "event_id"),
        ({"event_id": 7}, "event_id_invalid", "event_id"),
        ({"event_id": "a\0b"}, "event_id_invalid", "event_id"),
        ({"event_id": f"a{SURROGATE}b"}, "event_id_invalid", "event_id"),
        ({"event_id": "a\ufffdb"}, "event_id_invalid", "event_id"),
        ({"event_id": "e" * 201}, "event_id_too_long", "event_id"),
        ({"event_id": "e", "sequence": 1}, "event_ambiguous", "event_id"),
        ({"sequence": -1}, "sequence_out_of_range", "sequence"),
        ({"sequence": 2**63}, "sequence_out_of_range", "sequence"),
        ({"sequence": 1.5}, "sequence_invalid", "sequence"),
        ({"sequence": True}, "sequence_invalid", "sequence"),
        ({"sequence": math.inf}, "sequence_invalid", "sequence"),
        ({"camera": "lane-2"}, "unknown_camera", "camera"),
        ({"camera": ["lane-1"]}, "unknown_camera", "camera"),
        ({"kind": "video"}, "kind_invalid", "kind"),
        ({"kind": ["frame"]}, "kind_invalid", "kind"),
        ({"lattitude": 50}, "unknown_field", "lattitude"),
        ({"1AB2345 <b>": 50}, "unknown_field", None),
    ],
)
def test_identity_refused(fields: dict[str, Any], code: str, field: str | None) -> None:
    assert refusal(parsed, **fields) == (code, field)


def test_own_camera_may_be_named() -> None:
    assert parsed(camera="lane-1").kind == "frame"


@pytest.mark.parametrize("item", [None, 5, "text", [], [1], True, math.nan])
def test_an_item_is_an_object(item: Any) -> None:
    with pytest.raises(ProductError) as caught:
        sent(item, camera="lane-1", now=NOW, limits=LIMITS)
    assert caught.value.code == "not_an_object"


# --- place and exposure ---------------------------------------------------------------------------
def test_position_at_its_limits() -> None:
    one = parsed(latitude=-90, longitude=180, heading=360)
    assert (one.latitude, one.longitude, one.heading) == (-90.0, 180.0, 360.0)


@pytest.mark.parametrize("name", ["latitude", "longitude", "heading"])
@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "invalid"),
        (math.inf, "invalid"),
        (-math.inf, "invalid"),
        ("NaN", "invalid"),
        ("50", "invalid"),
        (True, "invalid"),
        ([50], "invalid"),
        ({}, "invalid"),
        (361, "out_of_range"),
        (-181, "out_of_range"),
        (10**24, "out_of_range"),
    ],
)
def test_positions_refused(name: str, value: Any, why: str) -> None:
    fields = {"latitude": 50.0, "longitude": 14.0, name: value}
    assert refusal(parsed, **fields) == (f"{name}_{why}", name)


def test_half_a_position_is_none() -> None:
    assert refusal(parsed, latitude=50.0) == ("position_incomplete", "longitude")
    assert refusal(parsed, longitude=14.0) == ("position_incomplete", "latitude")


def test_exposure() -> None:
    facts = {"shutter_us": 500, "gain_db": 12.5, "infrared": True, "mode": "night"}
    assert parsed(exposure=facts).exposure == facts


@pytest.mark.parametrize(
    ("exposure", "code", "field"),
    [
        ([], "exposure_invalid", "exposure"),
        ("{}", "exposure_invalid", "exposure"),
        (5, "exposure_invalid", "exposure"),
        ({"mode": "1AB2345"}, "exposure_invalid", "exposure.mode"),
        ({"mode": "x" * 10_000}, "exposure_invalid", "exposure.mode"),
        ({"iso": math.nan}, "exposure_invalid", "exposure.iso"),
        ({"iso": math.inf}, "exposure_invalid", "exposure.iso"),
        ({"iso": 10**13}, "exposure_invalid", "exposure.iso"),
        ({"iso": None}, "exposure_invalid", "exposure.iso"),
        ({"iso": {"deep": 1}}, "exposure_invalid", "exposure.iso"),
        ({"plate_1ab2345": 1}, "unknown_field", "exposure.plate_1ab2345"),
        ({"1AB 2345": 1}, "unknown_field", "exposure"),
        ({f"k{n}": n for n in range(5000)}, "unknown_field", "exposure.k0"),
    ],
)
def test_exposure_refused(exposure: Any, code: str, field: str) -> None:
    assert refusal(parsed, exposure=exposure) == (code, field)


# --- pictures -------------------------------------------------------------------------------------
def test_pictures_come_as_bytes_or_base64() -> None:
    assert parsed(picture=base64.b64encode(JPEG).decode()).picture == JPEG
    assert parsed(crop=JPEG).crop == JPEG
    assert parsed(kind="crop").picture == JPEG
    one = parsed(kind="read", picture=MISSING, read={"text": "1AB2345", "score": 1})
    assert (one.picture, one.crop) == (None, None)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"picture": MISSING}, "picture_missing", "picture"),
        ({"picture": None}, "picture_missing", "picture"),
        ({"kind": "crop", "crop": JPEG}, "crop_unexpected", "crop"),
        ({"kind": "crop", "picture": MISSING}, "picture_missing", "picture"),
        ({"picture": b""}, "picture_empty", "picture"),
        ({"picture": ""}, "picture_empty", "picture"),
        ({"picture": "no base64!"}, "picture_invalid", "picture"),
        ({"picture": "žluťoučký"}, "picture_invalid", "picture"),
        ({"picture": SURROGATE}, "picture_invalid", "picture"),
        ({"picture": 5}, "picture_invalid", "picture"),
        ({"picture": {"a": 1}}, "picture_invalid", "picture"),
        ({"picture": b"text"}, "picture_unsupported", "picture"),
        ({"picture": "A" * 400_000}, "picture_too_large", "picture"),
        ({"picture": JPEG + b"\0" * 200_000}, "picture_too_large", "picture"),
        ({"crop": b"text"}, "picture_unsupported", "crop"),
        ({"crop": b""}, "crop_empty", "crop"),
        ({"crop": "?"}, "crop_invalid", "crop"),
    ],
)
def test_pictures_refused(fields: dict[str, Any], code: str, field: str) -> None:
    assert refusal(parsed, **fields) == (code, field)


# --- finished reads -------------------------------------------------------------------------------
def test_a_read_is_kept_in_canonical_form() -> None:
    one = parsed_read(
        text="1ab-23 45",
        char_scores=[1, 0.5, 0.5, 0.5, 0.5, 0.5, 0],
        candidates=[["1a8 2345", 0.2]],
        country="cz",
        category="car",
        quad=[[0, 0], [9.5, 0], [9.5, 4], [0, 4]],
        box=[0, 0, 10, 4],
    )
    assert one.read == {
        "text": "1AB2345",
        "score": 0.9,
        "char_scores": [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0],
        "candidates": [["1A82345", 0.2]],
        "country": "CZ",
        "category": "car",
        "quad": [[0.0, 0.0], [9.5, 0.0], [9.5, 4.0], [0.0, 4.0]],
        "box": [0.0, 0.0, 10.0, 4.0],
    }
    assert "1AB2345" not in repr(one)


def test_a_bare_read_is_enough() -> None:
    read = parsed_read(country=None, category="", quad=None).read
    assert read is not None
    assert (read["country"], read["category"], read["quad"], read["box"]) == ("", "", None, None)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"text": MISSING}, "plate_missing", "read.text"),
        ({"text": None}, "plate_missing", "read.text"),
        ({"text": 12345}, "plate_not_text", "read.text"),
        ({"text": ""}, "plate_empty", "read.text"),
        ({"text": "   "}, "plate_empty", "read.text"),
        ({"text": " - . "}, "plate_empty", "read.text"),
        ({"text": "A" * 10_000}, "plate_too_long", "read.text"),
        ({"text": "A" * 17}, "plate_too_long", "read.text"),
        ({"text": " " * 10_000}, "plate_too_long", "read.text"),
        ({"text": "ﷺ" * 2}, "plate_too_long", "read.text"),  # 30 characters after NFKC
        ({"text": "1AB\0"}, "plate_not_text", "read.text"),
        ({"text": f"1AB{SURROGATE}"}, "plate_not_text", "read.text"),
        ({"text": "1AB\ufffd"}, "plate_not_text", "read.text"),
        ({"score": MISSING}, "score_missing", "read.score"),
        ({"score": 1.01}, "score_out_of_range", "read.score"),
        ({"score": -0.01}, "score_out_of_range", "read.score"),
        ({"score": math.nan}, "score_invalid", "read.score"),
        ({"score": "0.9"}, "score_invalid", "read.score"),
        ({"char_scores": [0.9]}, "char_scores_invalid", "read.char_scores"),
        ({"char_scores": {"0": 1}}, "char_scores_invalid", "read.char_scores"),
        ({"char_scores": [0.9] * 6 + [2]}, "char_scores_out_of_range", "read.char_scores"),
        ({"char_scores": [0.9] * 6 + [math.nan]}, "char_scores_invalid", "read.char_scores"),
        ({"candidates": "1AB"}, "candidates_invalid", "read.candidates"),
        ({"candidates": [["1AB2346"]]}, "candidates_invalid", "read.candidates"),
        ({"candidates": [["A" * 17, 1]]}, "plate_too_long", "read.candidates"),
        ({"candidates": [["", 1]]}, "plate_empty", "read.candidates"),
        ({"candidates": [["1AB2346", 7]]}, "candidates_out_of_range", "read.candidates"),
        ({"candidates": [["1AB2346", 1]] * 21}, "candidates_invalid", "read.candidates"),
        ({"country": "CZE"}, "country_invalid", "read.country"),
        ({"country": "ZZ"}, "country_invalid", "read.country"),
        ({"country": "ſt"}, "country_invalid", "read.country"),
        ({"country": 42}, "country_invalid", "read.country"),
        ({"category": "1ab2345"}, "category_invalid", "read.category"),
        ({"category": ["car"]}, "category_invalid", "read.category"),
        ({"quad": [[0, 0], [1, 0], [1, 1]]}, "quad_invalid", "read.quad"),
        ({"quad": [0, 0, 1, 0, 1, 1, 0, 1]}, "quad_invalid", "read.quad"),
        ({"quad": [[0, 0, 0]] * 4}, "quad_invalid", "read.quad"),
        ({"quad": "square"}, "quad_invalid", "read.quad"),
        ({"quad": [[0, 0], [1, 0], [1, math.nan], [0, 1]]}, "quad_invalid", "read.quad"),
        ({"quad": [[0, 0], [1, 0], [1, 1e9], [0, 1]]}, "quad_out_of_range", "read.quad"),
        ({"box": [0, 0, 1]}, "box_invalid", "read.box"),
        ({"box": [5, 0, 5, 4]}, "box_invalid", "read.box"),
        ({"box": [0, 0, 1e9, 4]}, "box_out_of_range", "read.box"),
        ({"plate": "1AB2345"}, "unknown_field", "read.plate"),
    ],
)
def test_reads_refused(fields: dict[str, Any], code: str, field: str) -> None:
    assert refusal(parsed_read, **fields) == (code, field)


def test_reads_only_where_they_belong() -> None:
    assert refusal(parsed, kind="read") == ("read_missing", "read")
    assert refusal(parsed, kind="read", read="1AB2345") == ("read_invalid", "read")
    assert refusal(parsed, read={"text": "1AB2345", "score": 1}) == ("read_unexpected", "read")


# --- JSON -----------------------------------------------------------------------------------------
def test_odd_numbers_stay_with_their_item() -> None:
    value = strict_json("[NaN, -Infinity, 1e999, %s, 12]" % ("9" * 5000))
    assert math.isnan(value[0])
    assert value[1:] == [-math.inf, math.inf, math.inf, 12]


def test_doubled_keys_stay_with_their_item() -> None:
    good, bad = strict_json('[{"sequence": 1}, {"sequence": 1, "sequence": 2}]')
    assert refusal(lambda: sent(bad, camera="c", now=NOW, limits=LIMITS)) == (
        "duplicate_field",
        None,
    )
    assert refusal(lambda: sent(good, camera="c", now=NOW, limits=LIMITS))[0] != "duplicate_field"
    read = strict_json('{"text": "A", "text": "B", "score": 1}')
    assert refusal(parsed, kind="read", read=read) == ("duplicate_field", "read")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe{}", b'{"a": "\xff"}', b"[" * 100_000, b'{"a":' * 100_000, b"{'a': 1}"],
)
def test_no_json(data: bytes) -> None:
    with pytest.raises(ValueError):
        strict_json(data)
