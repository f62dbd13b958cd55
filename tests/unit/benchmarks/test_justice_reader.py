"""The simulated reader, and the table of errors it draws from."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks import _justice_measure, _justice_plates
from benchmarks._justice_measure import Slip, slip_of, tabulate
from benchmarks._justice_reader import Reader, load_table
from benchmarks.systems import BenchmarkError
from enforcement.rights.syntax import breaks_syntax
from inference.results import Candidate, Plate

TABLE = load_table()
PLATE = "AB12CDE"


@pytest.fixture(scope="module")
def perfect() -> Reader:
    return Reader(TABLE, scale=0)


def test_plates_are_well_formed_and_slips_are_slips() -> None:
    rng = Random(2)
    for country in _justice_plates.FORMS:
        for _ in range(200):
            text = _justice_plates.plate(rng, country)
            assert not breaks_syntax(text, country), text
            mate = _justice_plates.fleet_mate(rng, text, country)
            assert not breaks_syntax(mate, country)
            assert sum(a != b for a, b in zip(text, mate, strict=True)) == 1
            assert _justice_plates.mistyped(rng, text, 1) != text
    assert not breaks_syntax(_justice_plates.electric(rng), "CZ")


@pytest.mark.parametrize(
    ("truth", "read", "slip"),
    [
        ("AB12", "AB12", None),
        ("AB10", "AB1O", Slip("twin", 3, "0", "O")),
        ("AB12", "AX12", Slip("other", 1, "B", "X")),
        ("AB12", "A12", Slip("missing", 1, "B", "")),
        ("AB12", "AB112", Slip("extra", 2, "", "1")),
        ("AB12", "BA12", Slip("swap", 0)),
        ("AB12", "XY12", Slip("more")),
        ("AB12", "AB1234", Slip("more")),
    ],
)
def test_how_a_reading_differs(truth: str, read: str, slip: Slip | None) -> None:
    assert slip_of(truth, read) == slip


def test_the_reader_errs_as_often_as_measured(perfect: Reader) -> None:
    rng, reader = Random(3), Reader(TABLE)
    right = wrong = unread = 0
    for _ in range(20_000):
        text = _justice_plates.plate(rng, "PL")
        quirk = reader.quirk(rng, text, "PL")
        frames = reader.look(rng, text, "PL", quirk).frames
        unread += not frames
        right += sum(one.text == text for one in frames)
        wrong += sum(one.text != text for one in frames)
        assert all(len(one.char_scores) == len(one.text) for one in frames)
    measured = TABLE["real"]["wrong"] / TABLE["real"]["readings"]
    # a text without a place for a twin is not misread as one
    assert measured * 0.8 < wrong / (right + wrong) < measured * 1.1
    assert 0.005 < unread / 20_000 < TABLE["real"]["unread"] / TABLE["real"]["pictures"]
    clear = perfect.look(rng, PLATE, "GB", perfect.quirk(rng, PLATE, "GB")).frames
    assert {one.text for one in clear} == {PLATE}


@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_correlation_is_how_far_a_misread_repeats_itself(correlation: float) -> None:
    rng, reader = Random(7), Reader(TABLE, correlation=correlation, scale=5)
    alike = both = 0
    for _ in range(4000):
        text = _justice_plates.plate(rng, "GB")
        quirk = reader.quirk(rng, text, "GB")
        seen = [reader.look(rng, text, "GB", quirk).frames for _ in range(2)]
        if all(len(one) > 2 and len({frame.text for frame in one}) == 1 for one in seen):
            first, second = (one[0].text for one in seen)
            if first != text:
                both += 1
                alike += first == second
    assert both > 50
    share = alike / both
    assert share == pytest.approx(correlation, abs=0.15)


def test_the_table_names_its_making_and_holds_no_plate() -> None:
    assert TABLE["made_by"].startswith("./run bench justice --measure")
    drawn = TABLE["drawn"]
    assert all(len(true) <= 1 for true in drawn["confusions"])
    texts = [one for row in drawn["right_readings"] for one in row if isinstance(one, str)]
    assert set(texts) <= {"right", "none", "wrong"}


def plate_read(text: str, score: float = 0.9) -> Plate:
    box = (0, 0, 10, 5)
    quad = ((0.0, 0.0), (10.0, 0.0), (10.0, 5.0), (0.0, 5.0))
    return Plate(text, box, quad, score, 1.0, (0.9,) * len(text), "GB", (Candidate(text, score),))


def frames(number: int, gate: str, *texts: str) -> list[dict[str, Any]]:
    return [
        {
            "plate": number,
            "gate": gate,
            "text": "AO12CDE",
            "region": "GB",
            "plate_read": plate_read(text) if text else None,
        }
        for text in texts
    ]


def test_how_errors_come_together_is_counted() -> None:
    rows = [
        *frames(0, "entry", "A012CDE", "A012CDE", "AO12CDE"),  # a twin, in two frames of three
        *frames(0, "exit", "A012CDE", "A012CDE", "A012CDE"),  # and at the other gate
        *frames(1, "entry", "AO12CDX", "AO12CDE", "AO12CDE"),
        *frames(1, "exit", "", "", "AO12CDE"),
    ]
    made = tabulate(rows)
    assert (made["frames"], made["unread"], made["right"]) == (12, 2, 4)
    assert made["slips"] == {"GB": {"other": 1, "twin": 5}}
    assert made["confusions"] == {"E": {"X": 1}, "O": {"0": 5}}
    together = made["together"]
    assert together["frames"]["twin"] == {"seen": 10, "alike": 8}
    assert together["frames"]["rest"] == {"seen": 2, "alike": 0}
    assert together["frames"]["unread"] == {"seen": 4, "alike": 2}
    assert together["gates"]["twin"] == {"seen": 2, "alike": 2}
    assert together["passages"] == {
        "all": 4,
        "read": 4,
        "wrong": 2,
        "wrong_though_frames_agreed": 2,
    }


def test_rates_come_from_what_the_accuracy_bench_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_justice_measure, "RESULTS", tmp_path)
    with pytest.raises(BenchmarkError, match="bench accuracy first"):
        _justice_measure.real()
    region = {"pictures": 10, "exact": 0.8, "folded": 0.9}
    calibration = {
        "readings": 9,
        "bins": [{"low": 0.9, "high": 1.0, "count": 9, "mean_score": 0.95, "right": 8 / 9}],
    }
    ours = {"calibration": calibration, "versions": {}, "regions": {"eu": region}}
    found = {"commit": "abc", "pictures": 10, "systems": {"ours": ours}}
    (tmp_path / "accuracy.json").write_text(json.dumps(found))
    real = _justice_measure.real()
    assert (real["readings"], real["unread"], real["wrong"], real["twins"]) == (9, 1, 1, 1)
    assert real["europe"] == {"pictures": 10, "twins": 1, "unread": 1}
    assert real["bins"] == [{"low": 0.9, "high": 1.0, "right": 8, "wrong": 1}]
