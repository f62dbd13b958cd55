"""Tables, plots and sheets, and what a benchmark says when its pictures are missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from benchmarks import accuracy, datasets, plots, report, speed
from benchmarks.scores import calibration, recognition, times
from benchmarks.sheets import Tile, sheet
from benchmarks.systems import FP32, OURS, Answer, BenchmarkError, System, peers
from benchmarks.tables import table, width
from tests.unit.benchmarks.test_bench_scores import PLATE, answer, picture


def test_columns_of_a_table_line_up() -> None:
    text = table("Title", ["", "exact", "n"], [["皖", "9.5 %", "3"], ["long name", "–", "12"]])
    lines = text.splitlines()
    assert lines[:2] == ["", "Title"]
    assert {width(line) for line in lines[3:]} == {width(lines[3])}
    assert lines[5].endswith("12")


def result() -> dict[str, Any]:
    seen = [(picture(), answer(("AB12CD", PLATE, 0.93)))]
    system = {
        "regions": {"eu": recognition(seen)},
        "heights": {"20–30": {"plates": 1, "exact": 1.0}, "≥45": {"plates": 0, "exact": None}},
        "calibration": calibration(seen),
        "ms": times([one for _, one in seen]),
        "peak_mb": 123.4,
    }
    crops = {"crops": 2, "exact": 0.5, "exact_without_province": 1.0}
    provinces = {"皖": {"crops": 1, "exact": 1.0}, "沪": {"crops": 1, "exact": 0.0}}
    return {
        "pictures": 1,
        "systems": {"ours": system, "peer <&>": system},
        "romania": {"ours": {"ap50": 0.9634, "recall": None}},
        "platefree": {
            "ours": {"pictures": 297, "with_false_read": 1, "reads": 2, "reads_at_0.9": 0}
        },
        "china": {"ours": {**crops, "provinces": provinces}},
    }


def test_every_section_has_its_table() -> None:
    text = report.accuracy(result())
    for wanted in ("EU, 1 pictures", "100.0 %", "96.3 %", "0.3 %", "peer <&>", "–", "123"):
        assert wanted in text
    assert text.index("沪") < text.index("皖")
    assert report.accuracy({"pictures": 0}) == ""


def test_what_eight_bits_cost_is_said_in_points() -> None:
    both = {name: {"ap50": ap50, "recall": 1.0} for name, ap50 in ((OURS, 0.95), (FP32, 0.962))}
    text = report.accuracy({"pictures": 1, "romania": both})
    (line,) = (line for line in text.splitlines() if "held clips" in line)
    assert line.split()[-1] == "1.2"
    alone = {"pictures": 1, "romania": {OURS: both[OURS]}}
    assert "points lost" not in report.accuracy(alone)


def test_networks_are_shown_at_the_sizes_that_are_used_first() -> None:
    rows = [
        {"network": "n", "input": size, "product": used, "int8": 2.0, "fp32": fp32}
        for size, used, fp32 in (("512", True, 4.0), ("1280", False, 5.0))
    ]
    lines = report.speed({"networks": rows}).splitlines()
    assert next(i for i, line in enumerate(lines) if "2.00×" in line) < next(
        i for i, line in enumerate(lines) if "at other sizes" in line
    )
    assert lines[-1].endswith("2.50×")


def test_plots_are_well_formed_and_say_what_they_show(tmp_path: Path) -> None:
    plots.accuracy(result(), tmp_path / "made")
    plots.speed({"ours": [1.0, 2.0, 0.5, 0.0]}, ("a", "b", "c", "d"), tmp_path / "made")
    made = sorted(path.name for path in (tmp_path / "made").iterdir())
    assert made == ["accuracy.svg", "heights.svg", "reliability.svg", "speed.svg"]
    for path in (tmp_path / "made").iterdir():
        root = ElementTree.parse(path).getroot()  # noqa: S314 - our own file
        title = root.find("{http://www.w3.org/2000/svg}title")
        assert title is not None
        assert title.text
    assert "3.5 ms" in (tmp_path / "made" / "speed.svg").read_text()
    with_fp32 = result()
    with_fp32["systems"][FP32] = with_fp32["systems"]["ours"]
    plots.accuracy(with_fp32, tmp_path / "made")
    assert FP32 not in (tmp_path / "made" / "accuracy.svg").read_text()
    plots.accuracy({}, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_column_is_as_high_as_its_share() -> None:
    drawing = plots.columns("t", ["a", "b"], {"x": [0.5, None]})
    bars = [piece for piece in drawing.pieces if piece.startswith("<rect")]
    assert sum('height="95.0"' in bar for bar in bars) == 1  # half of 190 pixels
    assert len(bars) == 2  # the legend's and one column: nothing is drawn for no value


def test_a_sheet_holds_every_tile(tmp_path: Path) -> None:
    grey = np.full((90, 160, 3), 128, np.uint8)
    tiles = [Tile(grey, ("name", "read: 皖A1"), true=((10, 10, 60, 30),)) for _ in range(7)]
    sheet(tiles, tmp_path / "sheet.png", columns=3, size=200)
    with Image.open(tmp_path / "sheet.png") as made:
        assert made.size == (600, 3 * (150 + 34))
        assert (60, 220, 90) in {made.getpixel((x, 20)) for x in range(200)}


def test_missing_pictures_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert accuracy.main(["--data", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert str(tmp_path / "bench" / "truth.jsonl") in said
    assert "PLATEWARDEN_DATA" in said


def test_missing_peers_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="peers"):
        peers(tmp_path, tmp_path)


def test_real_frames_are_optional(tmp_path: Path) -> None:
    assert speed.real_frames(tmp_path / "nowhere", tmp_path) == []
    assert len(speed.drawn_frames()) > 20


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder like the real one: two end-to-end pictures, three frames, two crops."""
    for folder in ("bench/images", "detect/romania", "crops"):
        (tmp_path / folder).mkdir(parents=True)
    plate = {"text": "AB12CD", "box": [1, 2, 30, 12]}
    truth = [{"file": f"images/{n}.jpg", "region": "eu", "plates": [plate]} for n in "ab"]
    clips = ["nightride_type3_001", "dayride_type1_001", "dayride_type1_003"]
    frames = [
        {"file": f"romania/{c}.avif", "boxes": [[1, 2, 30, 12]], "group": c, "clip": c}
        for c in clips
    ]
    crops = [{"file": f"china/{n:05}.jpg", "text": "皖A12345"} for n in range(40)]
    for name, rows in (
        ("bench/truth.jsonl", truth),
        ("detect/labels.jsonl", frames),
        ("crops/labels.jsonl", crops),
    ):
        (tmp_path / name).write_text("\n".join(json.dumps(row) for row in rows))
    return tmp_path


def test_only_held_pictures_are_measured(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = data / "platefree.json"
    listed.write_text(json.dumps({"further": {"bench/images/a.jpg": [[5, 5, 9, 9]]}, "rest": {}}))
    monkeypatch.setattr(datasets, "PLATEFREE", listed)
    first, second = datasets.bench(data)
    assert first.others == ((5.0, 5.0, 9.0, 9.0),)
    assert (second.others, second.texts) == ((), ("AB12CD",))
    assert [one.region for one in datasets.romania(data)] == [
        "nightride_type3_001",
        "dayride_type1_003",
    ]
    held = datasets.china(data)
    assert 0 < len(held) < 40
    assert held[0].region == "皖"


@pytest.mark.parametrize("key", ["further", "rest"])
def test_whatever_is_painted_is_a_box(key: str) -> None:
    for name, boxes in datasets.seen_by_eye(key).items():
        assert name.startswith(("bench/images/", "detect/romania/"))
        assert all(x1 < x2 and y1 < y2 for x1, y1, x2, y2 in boxes)


def test_ratios_are_of_neighbouring_turns() -> None:
    def took(wall: float) -> Answer:
        return Answer((), {"decode": 1.0, "detect": 1.0, "read": 1.0, "text": 1.0}, wall, wall)

    figures = speed.figures(
        {"ours": [took(2), took(20), took(2)], "peer": [took(8), took(80), took(6)]}
    )
    assert figures["ours"]["ratio"] == 1.0
    assert figures["peer"]["ratio"] == 4.0


class Turns(System):
    """Writes down who was asked."""

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__(name, [])
        self.log = log

    def ask(self, picture: Path, **_: object) -> Answer:
        self.log.append(self.name)
        return answer()


def test_systems_take_turns_and_change_who_is_first() -> None:
    log: list[str] = []
    answers = speed.take_turns(
        [Turns("a", log), Turns("b", log)], [Path("1"), Path("2")], rounds=1, what="x"
    )
    assert log == ["a", "b", "b", "a", "b", "a", "a", "b"]  # the first round warms up
    assert {name: len(mine) for name, mine in answers.items()} == {"a": 2, "b": 2}
