"""Frigate's messages as captures of kind read."""

import json
from typing import Any

import pytest

from core.errors import BadInput
from gateway.frigate import read_of

LPR: dict[str, Any] = {
    "type": "lpr",
    "id": "1607123955.475377-mxklsc",
    "name": "the postman",
    "plate": "AB12 CDE",
    "score": 0.91,
    "camera": "garage",
    "timestamp": 1700000000.25,
}


def of(**change: Any) -> tuple[str, dict[str, Any]] | None:
    return read_of(json.dumps(LPR | change).encode())


def test_a_plate_becomes_a_read() -> None:
    assert of() == (
        "garage",
        {
            "kind": "read",
            "captured_at": "2023-11-14T22:13:20.250000+00:00",
            "event_id": "frigate:1607123955.475377-mxklsc:1700000000.250000",
            "read": {"text": "AB12 CDE", "score": 0.91},
        },
    )


def test_each_reading_of_an_object_is_an_event_and_a_repeat_is_none() -> None:
    first, again, later = of(), of(), of(timestamp=1700000001.5)
    assert first is not None
    assert again is not None
    assert later is not None
    assert first[1]["event_id"] == again[1]["event_id"] != later[1]["event_id"]


@pytest.mark.parametrize("kind", ["description", "face", "classification", None, 3])
def test_other_messages_are_none_of_ours(kind: Any) -> None:
    assert of(type=kind) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"camera": None}, "camera_missing"),
        ({"camera": ""}, "camera_missing"),
        ({"camera": {"a": 1}}, "camera_missing"),
        ({"id": None}, "id_invalid"),
        ({"id": 7}, "id_invalid"),
        ({"timestamp": None}, "timestamp_invalid"),
        ({"timestamp": True}, "timestamp_invalid"),
        ({"timestamp": "now"}, "timestamp_invalid"),
        ({"timestamp": 1e300}, "timestamp_invalid"),
        ({"timestamp": -1e17}, "timestamp_invalid"),
    ],
)
def test_what_says_too_little_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        of(**change)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "json_malformed"),
        (b"\xff{}", "json_malformed"),
        (b"[1]", "not_an_object"),
        (b'{"type": "lpr", "camera": "c", "id": "i", "timestamp": NaN}', "timestamp_invalid"),
        (b'{"type": "lpr", "camera": "c", "id": "i", "timestamp": 1e999}', "timestamp_invalid"),
    ],
)
def test_what_is_no_message_is_refused(payload: bytes, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_of(payload)
    assert caught.value.code == code
