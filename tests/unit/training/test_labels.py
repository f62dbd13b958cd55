"""Texts of real plates: what is agreed by rule, how choices refer to texts, what is kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inference.syntaxes import grammar_for
from training.labels import load
from training.labels.agree import plate_rows, settle, spelled
from training.labels.boxes import plates
from training.labels.choices import (
    ChoiceError,
    check,
    decode,
    encode,
    load_choices,
    save_choices,
)
from training.labels.ocr import CHARACTERS, Line, folded, greedy
from training.labels.propose import (
    BOX_CUTS,
    LINE_CUTS,
    Cut,
    Proposal,
    as_json,
    found_rows,
    read_proposals,
)
from training.labels.review import decide, parse_marks
from training.labels.sheets import CELL, cut_out

LINES = tuple(LINE_CUTS)
BOXES = tuple(BOX_CUTS)
SQUARE = ("halves", "halves+")


def proposal(**cuts: tuple[str, float]) -> Proposal:
    """Cut name → its rows, joined by "/", and the score."""
    read = tuple(
        Cut(name.replace("_", "+"), tuple(text.split("/")), score)
        for name, (text, score) in cuts.items()
    )
    return Proposal("somewhere/1.avif#0", (0, 0, 100, 30), read, None, 0.8)


def alike(text: str, score: float = 0.98, *, names: tuple[str, ...] = LINES + BOXES) -> Proposal:
    return proposal(**dict.fromkeys(names, (text, score)))


class TestAgreement:
    def test_cuts_that_agree_on_a_plate_settle_it(self) -> None:
        settled = settle(alike("HJ37KLM"))
        assert (settled.verdict, settled.text) == ("agreed", "HJ37KLM")
        assert settled.in_syntax

    def test_the_position_decides_between_o_and_0(self) -> None:
        assert settle(alike("HJI7KLM")).text == "HJ17KLM"

    def test_a_spelling_that_fits_two_places_is_left_to_a_person(self) -> None:
        # A British AV03 OJP and a French AV-030-JP are the same shapes.
        settled = settle(alike("AV030JP"))
        assert settled.verdict == "disputed"
        assert not spelled(["AV030JP"], grammar_for())[1]

    @pytest.mark.parametrize(
        "score",
        [pytest.param(0.7, id="no cut is sure"), pytest.param(0.35, id="hardly legible")],
    )
    def test_weak_reads_are_disputed(self, score: float) -> None:
        assert settle(alike("HJ37KLM", score)).verdict == "disputed"

    def test_lines_alone_are_not_enough(self) -> None:
        cuts = dict.fromkeys(LINES, ("HJ37KLM", 0.99)) | dict.fromkeys(BOXES, ("J37KLM", 0.3))
        assert settle(proposal(**cuts)).verdict == "disputed"

    def test_a_clear_cut_against_it_is_a_dispute(self) -> None:
        cuts = dict.fromkeys(LINES + BOXES, ("HJ37KLM", 0.99)) | {"inner": ("HJ37KLF", 0.8)}
        assert settle(proposal(**cuts)).verdict == "disputed"

    def test_a_free_text_must_be_clear_in_all_cuts(self) -> None:
        assert settle(alike("QWZXYVW")).verdict == "agreed"
        cuts = dict.fromkeys(LINES + BOXES, ("QWZXYVW", 0.99)) | {"inner": ("QWZXYVV", 0.2)}
        assert settle(proposal(**cuts)).verdict == "disputed"

    def test_a_short_number_may_be_half_a_plate(self) -> None:
        assert settle(alike("76543")).verdict == "disputed"
        assert settle(alike("7654328")).verdict == "agreed"

    def test_two_rows_are_left_to_a_person(self) -> None:
        assert settle(alike("LEA/1234", names=LINES + SQUARE)).verdict == "disputed"

    def test_nothing_read_is_unreadable(self) -> None:
        assert settle(alike("AB", 0.9)).verdict == "unreadable"
        assert settle(alike("HJ37KLM", 0.1)).verdict == "unreadable"

    def test_names_of_places_are_no_rows_of_a_plate(self) -> None:
        assert plate_rows(("ICT", "AB123", "ISLAMABAD")) == ("AB123",)
        assert plate_rows(("LEA", "1234")) == ("LEA", "1234")
        assert plate_rows(("VANITY",)) == ("VANITY",)


class TestChoices:
    @pytest.mark.parametrize(
        ("text", "reference"),
        [
            ("HJ37KLM", "0"),
            ("XY98ZZT", "1"),
            ("HJ37KLF", "0 =6:F"),
            ("HJ37KL", "0 -6"),
            ("1HJ37KLM", "0 +0:1"),
            ("京HJ37KLM", "0 +0:京"),
            ("HJ3KLMF", "0 -3 +7:F"),
        ],
    )
    def test_there_and_back(self, text: str, reference: str) -> None:
        candidates = ("HJ37KLM", "XY98ZZT")
        encoded = encode(text, candidates)
        assert encoded == f"{reference} ~{check(text)}"
        assert decode(encoded, candidates) == text

    def test_any_edit_comes_back(self) -> None:
        rng = np.random.default_rng(1)
        for _ in range(300):
            have, want = (
                "".join(rng.choice(list("AB10"), size=rng.integers(4, 9))) for _ in range(2)
            )
            encoded = encode(want, [have])
            if encoded is not None:
                assert decode(encoded, [have]) == want

    def test_a_text_is_never_written_out(self) -> None:
        assert encode("HJ37KLM", ()) is None
        assert encode("HJ37KLM", ("ZZ99YYX",)) is None
        assert encode("AB1", ("A",)) is None

    def test_no_text(self) -> None:
        assert decode("unreadable", ()) is None
        assert decode("wrong box", ()) is None

    @pytest.mark.parametrize(
        "reference",
        [
            pytest.param(f"0 ~{check('HJ37KLM')}", id="made for other proposals"),
            pytest.param("7 ~00", id="no such candidate"),
            pytest.param("0 =9:A ~00", id="beyond its end"),
            pytest.param("HJ37KLM", id="no reference at all"),
        ],
    )
    def test_a_reference_that_no_longer_holds_is_told(self, reference: str) -> None:
        with pytest.raises(ChoiceError):
            decode(reference, ("XY98ZZT",))

    def test_the_file_keeps_them(self, tmp_path: Path) -> None:
        path = tmp_path / "choices.json"
        assert load_choices(path) == {}
        save_choices({"b#0": "unreadable", "a#1": "0 ~3f"}, path)
        assert load_choices(path) == {"a#1": "0 ~3f", "b#0": "unreadable"}
        assert path.read_text().index("a#1") < path.read_text().index("b#0")

    def test_the_committed_file_holds_references_alone(self) -> None:
        for reference in load_choices().values():
            # Whatever is not a number, an edit or a check would be text.
            assert reference in {"unreadable", "wrong box"} or all(
                part.isdigit() or part[0] in "=+-~" for part in reference.split()
            )


class TestReview:
    def test_marks(self) -> None:
        assert parse_marks("3=AB12 5,8-9=?") == {3: "AB12", 5: "?", 8: "?", 9: "?"}
        with pytest.raises(ValueError, match="AB12"):
            parse_marks("AB12")

    def test_what_is_not_marked_is_right(self) -> None:
        shown = [("a#0", "HJ37KLM"), ("b#0", "HJ37KLM"), ("c#0", "HJ37KLM"), ("d#0", "HJ37KLM")]
        candidates = {key: ("HJ37KLM",) for key, _ in shown}
        decided = decide(shown, parse_marks("1=HJ37KLF 2=? 3=-"), candidates)
        assert {key: decode(value, ["HJ37KLM"]) for key, value in decided.items()} == {
            "a#0": "HJ37KLM",
            "b#0": "HJ37KLF",
            "c#0": None,
        }
        with pytest.raises(ValueError, match="4"):
            decide(shown, {4: "HJ37KLM"}, candidates)


class TestReading:
    def test_greedy_merges_repeats_and_keeps_the_weakest(self) -> None:
        emissions = np.zeros((6, 37), np.float32)
        for step, (char, score) in enumerate(
            [("A", 0.9), ("A", 0.7), (None, 1.0), ("A", 0.8), ("1", 0.6), ("1", 0.95)]
        ):
            emissions[step, CHARACTERS.index(char) + 1 if char else 0] = score
        read = greedy(emissions)
        assert read.text == "AA1"
        assert read.score == pytest.approx(0.8)

    def test_folding(self) -> None:
        assert [folded(char) for char in "aÖ|７-京"] == ["A", "O", "I", "7", None, None]

    def test_rows_are_found_without_the_small_print(self) -> None:
        def line(x: float, y: float, wide: float, high: float) -> Line:
            quad = [[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]]
            return Line(np.array(quad, np.float32), 0.9)

        box = np.array([[0, 0], [100, 0], [100, 60], [0, 60]], np.float32)
        upper, left, right = line(10, 5, 60, 20), line(5, 32, 40, 22), line(50, 33, 45, 21)
        small, outside = line(10, 56, 60, 6), line(10, 90, 60, 20)
        rows = found_rows([small, right, outside, left, upper], box)
        assert [[id(part) for part in row] for row in rows] == [
            [id(upper)],
            [id(left), id(right)],
        ]

    def test_proposals_come_back_and_a_cut_line_is_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "proposals.jsonl"
        made = alike("HJ37KLM")
        line = json.dumps(as_json(made))
        path.write_text(f"{line}\n{line[:40]}")
        assert read_proposals(path) == {made.key: made}

    def test_candidates_by_how_often_and_how_surely(self) -> None:
        made = proposal(line=("AB1", 0.4), tight=("AB1", 0.4), box=("AB7", 0.9), inner=("", 0.0))
        assert made.candidates == ("AB1", "AB7")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of two made-up pictures, one of them in a held clip of `romania`."""
    rows = [
        {"file": "openlpr/1.avif", "boxes": [[0, 0, 100, 30], [5, 5, 20, 12]], "group": "g"},
        {"file": "romania/1.avif", "boxes": [[0, 0, 100, 30]], "group": "h"},
    ]
    rows[0] |= {"source": "openlpr"}
    rows[1] |= {"source": "romania", "clip": "nightride_type3_001"}
    (tmp_path / "detect").mkdir()
    (tmp_path / "crops").mkdir()
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "detect" / "labels.jsonl").write_text(text)
    (tmp_path / "crops" / "labels.jsonl").write_text("")
    monkeypatch.setattr(load, "data", lambda: tmp_path)
    return tmp_path


class TestLoading:
    KEYS = ("openlpr/1.avif#0", "romania/1.avif#0")

    def read(self, folder: Path) -> Path:
        path = folder / "proposals.jsonl"
        made = as_json(alike("HJ37KLM"))
        path.write_text("\n".join(json.dumps(made | {"key": key}) for key in self.KEYS))
        return path

    def test_small_boxes_and_held_clips_are_left_out(self, folder: Path) -> None:
        assert [plate.key for plate in plates(folder, "train", "validation")] == [self.KEYS[0]]

    def test_agreed_then_by_eye(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = self.read(folder)
        for reference, expected in {
            "": [("HJ37KLM", "agreed")],
            f"0 =6:F ~{check('HJ37KLF')}": [("HJ37KLF", "by eye")],
            "unreadable": [],
            "0 ~zz": [],
        }.items():
            chosen = {self.KEYS[0]: reference} if reference else {}
            monkeypatch.setattr(load, "load_choices", lambda chosen=chosen: chosen)
            found = load.load_labels("train", "validation", proposals=path)
            assert [(crop.text, crop.sure) for crop in found] == expected

    def test_a_crop_on_a_sheet_fits_its_cell(self, folder: Path) -> None:
        (plate,) = plates(folder, "train", "validation")
        picture = np.zeros((60, 200, 3), np.uint8)
        high, wide, _ = cut_out(picture, plate).shape
        assert wide <= CELL[0]
        assert high <= CELL[1]
        assert CELL[0] - wide <= 1 or CELL[1] - high <= 1
