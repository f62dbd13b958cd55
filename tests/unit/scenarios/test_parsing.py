"""Scenario files that can't be meant: each named by its place, none quoted, none a traceback."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from scenarios.parsing import scenario_of, scenario_read

GOOD: dict[str, Any] = {
    "name": "a day",
    "now": "2026-03-02T12:00:00+01:00",
    "site": {
        "kind": "parking",
        "timezone": "Europe/London",
        "cameras": [{"id": "in", "role": "entry"}, {"id": "out", "role": "exit"}],
    },
    "rights": [
        {"kind": "payment", "id": "p1", "plate": "ab-12 cde", "country": "gb",
         "from": "2026-03-02T09:00:00Z", "to": "2026-03-02T10:00:00Z"},
        {"kind": "permit", "id": "m", "plates": ["aa 11 aaa", "AA11AAA", "BB22BBB"]},
        {"kind": "exemption", "id": "x", "plate": "EM3RGCY"},
    ],
    "watchlist": [{"plate": "ST0LEN1", "list": "stolen"}],
    "reads": [
        {"id": "r1", "camera": "in", "at": "2026-03-02T09:00:00+00:00", "plate": "ab12\u00b7cde",
         "why": "unknown keys are nobody's business"}
    ],
    "heartbeats": [
        {"camera": "in", "through": "2026-03-02T10:00:00+00:00"},
        {"camera": "in", "through": "2026-03-02T09:00:00+00:00"},
    ],
}  # fmt: skip


def test_what_is_left_out_has_its_default() -> None:
    scenario = scenario_of(GOOD)
    read = scenario.reads[0]
    assert (read.plate, read.country, read.confidence, read.category) == ("AB12CDE", "", 1.0, "car")
    assert read.received_at == read.at
    assert scenario.site.confidence_floor == 0.80
    assert (scenario.site.consideration_min, scenario.site.grace_min) == (5, 10)
    assert scenario.site.max_stay_min == 1440
    assert scenario.rights[0].known_at is None
    assert scenario.rights[0].data.country == "GB"
    assert scenario.rights[2].data.start is None


def test_times_carry_any_offset() -> None:
    assert scenario_of(GOOD).now.isoformat() == "2026-03-02T11:00:00+00:00"


def test_a_vehicle_named_twice_stands_there_once() -> None:
    assert scenario_of(GOOD).rights[1].data.plates == ("AA11AAA", "BB22BBB")


def test_the_latest_of_several_heartbeats_counts() -> None:
    heard = scenario_of(GOOD).heard
    assert heard is not None
    assert {name: at.hour for name, at in heard.items()} == {"in": 10}


@pytest.mark.parametrize("beats", [[], None])
def test_no_heartbeats_are_not_silence(beats: list[Any] | None) -> None:
    assert scenario_of({**GOOD, "heartbeats": beats}).heard is None


def test_a_read_delivered_twice_is_one() -> None:
    twice = {**GOOD["reads"][0], "received_at": "2026-03-02T09:30:00+00:00"}
    assert len(scenario_of({**GOOD, "reads": [GOOD["reads"][0], twice]}).reads) == 1


def test_everything_lies_after_the_beginning() -> None:
    old = {**GOOD["watchlist"][0], "expires": "1999-01-01T00:00:00Z"}
    scenario = scenario_of({**GOOD, "watchlist": [old]})
    assert scenario.beginning < scenario.watchlist[0].expires


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """GOOD with one value another; `...` takes it out."""
    data = deepcopy(GOOD)
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


BAD: list[tuple[tuple[str | int, ...], Any, str, str]] = [
    (("now",), ..., "now_missing", "now"),
    (("now",), "2026-03-02T12:00:00", "naive_time", "now"),
    (("now",), "yesterday", "time_unreadable", "now"),
    (("site",), ..., "not_an_object", "site"),
    (("site", "kind"), "airport", "unknown_word", "site.kind"),
    (("site", "kind"), "vignette", "not_text", "site.scheme"),
    (("site", "kind"), "zone", "not_an_object", "site.window"),
    (("site", "timezone"), "Europe/Atlantis", "unknown_timezone", "site.timezone"),
    (("site", "cameras", 1, "id"), "in", "camera_twice", "site.cameras[1].id"),
    (("site", "cameras", 1, "role"), "roving", "unknown_word", "site.cameras[1].role"),
    (("site", "cameras"), "two", "not_a_list", "site.cameras"),
    (("site", "grace_min"), -1, "out_of_range", "site.grace_min"),
    (("site", "grace_min"), 2.5, "not_a_number", "site.grace_min"),
    (("site", "grace_min"), True, "not_a_number", "site.grace_min"),
    (("site", "confidence_floor"), 80, "out_of_range", "site.confidence_floor"),
    (("site", "suspended"), "no", "not_a_flag", "site.suspended"),
    (("rights", 0, "kind"), "bribe", "unknown_kind", "rights[0].kind"),
    (("rights", 0, "id"), ..., "not_text", "rights[0].id"),
    (("rights", 0, "plate"), "  - ", "plate_empty", "rights[0].plate"),
    (("rights", 0, "plate"), ..., "plate_missing", "rights[0].plate"),
    (("rights", 0, "to"), "2026-03-02T08:00:00Z", "ends_before_start", "rights[0].to"),
    (("rights", 0, "known_at"), "2026-03-02", "naive_time", "rights[0].known_at"),
    (("rights", 0, "version"), "1", "not_a_number", "rights[0].version"),
    (("rights", 1, "max_present"), 0, "out_of_range", "rights[1].max_present"),
    (("rights", 1, "plates"), [], "plate_missing", "rights[1].plates"),
    (("rights", 1, "plates", 0), 7, "not_text", "rights[1].plates"),
    (("watchlist", 0, "plate"), "A" * 17, "plate_too_long", "watchlist[0].plate"),
    (("watchlist", 0, "list"), "", "not_text", "watchlist[0].list"),
    (("reads", 0), [], "not_an_object", "reads[0]"),
    (("reads", 0, "id"), None, "not_text", "reads[0].id"),
    (("reads", 0, "camera"), "roof", "unknown_camera", "reads[0].camera"),
    (("reads", 0, "at"), None, "at_missing", "reads[0].at"),
    (("reads", 0, "plate"), None, "not_text", "reads[0].plate"),
    (("reads", 0, "confidence"), 1.5, "out_of_range", "reads[0].confidence"),
    (("reads", 0, "country"), "Wales", "unknown_country", "reads[0].country"),
    (("reads", 0, "char_scores"), [0.5], "scores_uneven", "reads[0].char_scores"),
    (("heartbeats", 0, "camera"), "roof", "unknown_camera", "heartbeats[0].camera"),
    (("heartbeats", 0, "through"), ..., "through_missing", "heartbeats[0].through"),
]


@pytest.mark.parametrize(("path", "value", "code", "field"), BAD)
def test_the_place_is_named(path: tuple[str | int, ...], value: Any, code: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        scenario_of(changed(path, value))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_two_reads_with_one_id_are_refused() -> None:
    other = {**GOOD["reads"][0], "plate": "XY12ZZZ"}
    with pytest.raises(BadInput) as refused:
        scenario_of({**GOOD, "reads": [GOOD["reads"][0], other]})
    assert (refused.value.code, refused.value.field) == ("read_twice", "reads[1].id")


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(BadInput):
        scenario_of(data)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    for data, code in (
        (b"{", "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b"[" * 99_999, "not_json"),
    ):
        broken.write_bytes(data)
        with pytest.raises(BadInput) as refused:
            scenario_read(broken)
        assert refused.value.code == code
    with pytest.raises(BadInput) as refused:
        scenario_read(tmp_path / "nowhere.json")
    assert refused.value.code == "unreadable"
