"""The pipeline on real models: drawn pictures, and the bench where it is present."""

import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference import cli, models
from inference.engine import Engine, Kind, default_engine, engine_for
from inference.geometry import overlap
from inference.models import REGISTRY, ModelError, load_session, locate
from inference.pictures import PictureError, decode_picture
from inference.recogniser import fold, plate_character
from inference.results import ALPHABET, REASONS, Picture
from inference.syntaxes import SyntaxFileError
from tests.unit.inference.drawnplates import plate_face, scene_with

ROOT = Path(__file__).resolve().parents[3]
TILTED = [(250.0, 200.0), (545.0, 225.0), (540.0, 305.0), (247.0, 276.0)]
SQUARE = [(300.0, 180.0), (480.0, 180.0), (480.0, 310.0), (300.0, 310.0)]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return default_engine()


@pytest.fixture(scope="module")
def scene() -> Picture:
    return scene_with(plate_face("AB12 CDE"), TILTED)


def test_a_plate_in_a_scene(engine: Engine, scene: Picture) -> None:
    reading = engine.read(scene)
    (plate,) = reading.plates
    assert plate.text == "AB12CDE"
    assert overlap(plate.quad, TILTED) > 0.9
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = plate.quad
    assert ax < bx
    assert dx < cx
    assert ay < dy
    assert by < cy
    assert by > ay + 5  # the quad follows the tilt
    x1, y1, x2, y2 = plate.box
    assert (x1, y1, x2, y2) == (int(min(ax, dx)), int(min(ay, by)), x2, y2)
    assert 0 <= x1 < x2 <= 800
    assert 0 <= y1 < y2 <= 500
    assert len(plate.chars) == 7
    assert 0.5 < plate.score <= min(plate.chars) <= 1
    assert 0.5 < plate.detector_score <= 1
    assert plate.candidates[0].text == "AB12CDE"
    assert reading.ms > 0


def test_the_expected_country_is_named(scene: Picture) -> None:
    (plate,) = engine_for(["GB"]).read(scene).plates
    assert (plate.text, plate.region) == ("AB12CDE", "GB")


def test_two_rows_are_read_as_one_plate() -> None:
    picture = scene_with(plate_face("MH12", "AB4375"), SQUARE)
    plate = engine_for(["IN"]).read(picture).plates[0]
    assert (plate.text, plate.region) == ("MH12AB4375", "IN")
    assert overlap(plate.quad, SQUARE) > 0.9


def test_a_plate_cut_by_the_edge_of_a_frame_is_read_but_not_trusted(
    engine: Engine, scene: Picture
) -> None:
    """What is left of a plate may read clearly, and is another plate: nobody may be accused."""
    (whole,) = engine.read(scene).plates[:1]
    left, _, right, _ = whole.box
    cut = scene[:, : left + (right - left) * 3 // 4]
    (rest,) = engine.read(cut).plates[:1]
    assert rest.text != whole.text
    assert rest.score <= 0.5 < whole.score
    assert rest.candidates[0].score == pytest.approx(rest.score, abs=1e-3)
    tight = engine.read(cut[:, left - 10 :], kind="crop")
    assert tight.plates[0].score > 0.5, "a crop may be tight"


def test_a_gap_in_the_middle_does_not_split_a_plate(engine: Engine) -> None:
    picture = scene_with(plate_face("RK    708AI"), TILTED)
    (plate,) = engine.read(picture).plates
    assert plate.text == "RK708AI"


def test_other_writing_is_turned_down_with_a_reason(engine: Engine) -> None:
    picture = scene_with(plate_face("PARKING"), TILTED)
    reading = engine.read(picture)
    assert reading.plates == ()
    assert "words" in {refused.reason for refused in reading.rejected}
    assert {refused.reason for refused in reading.rejected} <= REASONS.keys()


def test_a_crop_may_be_a_vanity_plate(engine: Engine) -> None:
    plates = engine.read(plate_face("FZRULZ"), kind="crop").plates
    assert [plate.text for plate in plates] == ["FZRULZ"]


def test_a_crop_is_read_whole(engine: Engine) -> None:
    face = cv2.resize(plate_face("RK 708AI"), (130, 30), interpolation=cv2.INTER_AREA)
    plate = engine.read(face, kind="crop").plates[0]
    assert plate.text == "RK708AI"
    assert overlap(plate.quad, [(0, 0), (130, 0), (130, 30), (0, 30)]) > 0.9


def test_a_wide_crop_is_searched(engine: Engine, scene: Picture) -> None:
    assert engine.read(scene[150:350, 150:650], kind="crop").plates[0].text == "AB12CDE"


@pytest.mark.parametrize("size", [(1, 1, 3), (3, 900, 3), (900, 3, 3), (64, 64, 3)])
@pytest.mark.parametrize("kind", ["frame", "crop"])
def test_pictures_with_nothing_in_them(
    engine: Engine, size: tuple[int, int, int], kind: Kind
) -> None:
    assert engine.read(np.full(size, 90, np.uint8), kind=kind).plates == ()


def test_what_is_no_picture_is_refused(engine: Engine) -> None:
    with pytest.raises(PictureError):
        engine.read(np.zeros((10, 10), np.uint8))


def test_unknown_regions_are_refused() -> None:
    with pytest.raises(SyntaxFileError):
        Engine(["Czechia"])


def test_versions_name_the_models_and_syntaxes(engine: Engine) -> None:
    assert engine.versions.keys() == {"detector", "recogniser", "syntaxes"}
    assert engine.versions["detector"] == "pp-ocrv6-det-small@090f04abcd9d"
    assert all("@" in version for version in engine.versions.values())


def test_engines_share_models_and_are_kept() -> None:
    first, second = engine_for(["CZ", "sk"]), engine_for(["SK", "CZ"])
    assert first is second
    assert first is not default_engine()
    assert first.detector is default_engine().detector
    assert default_engine() is default_engine()


def _child(answer: Connection, parents: int) -> None:
    engine = default_engine()
    plates = engine.read(scene_with(plate_face("AB12 CDE"), TILTED)).plates
    answer.send((id(engine) != parents, [plate.text for plate in plates]))


def test_a_forked_child_makes_its_own_engine(engine: Engine, scene: Picture) -> None:
    engine.read(scene)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_child, args=(there, id(engine)))
    child.start()
    assert here.poll(60), "the child did not answer"
    assert here.recv() == (True, ["AB12CDE"])
    child.join(30)
    assert child.exitcode == 0


def test_a_changed_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = replace(REGISTRY["pp-ocrv6-det-small"], sha256="0" * 64)
    with pytest.raises(ModelError, match="not the registered file"):
        load_session(model)
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(locate(REGISTRY["pp-ocrv6-det-small"]).read_bytes() + b"\0")
    monkeypatch.setattr(models, "locate", lambda model: changed)
    with pytest.raises(ModelError, match="not the registered file"):
        load_session(REGISTRY["pp-ocrv6-det-small"])


@pytest.mark.parametrize(
    "model",
    [
        replace(REGISTRY["pp-ocrv6-rec-small"], package="no_such_package"),
        replace(REGISTRY["pp-ocrv6-rec-small"], path="models/no-such-file.onnx"),
    ],
)
def test_a_missing_model_is_named(model: models.ModelFile) -> None:
    with pytest.raises(ModelError, match="pp-ocrv6-rec-small was not found"):
        locate(model)


def test_nothing_heavy_is_imported() -> None:
    """The models are found inside a wheel whose own code is never run."""
    script = (
        "import sys, numpy as np\n"
        "from inference.engine import default_engine\n"
        "default_engine().warm_up()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "onnxruntime" in loaded
    assert not loaded & {"rapidocr", "django", "torch", "shapely", "pyclipper", "PIL"}


@pytest.mark.parametrize(
    ("seen", "character"),
    [("a", "A"), ("７", "7"), ("É", "E"), ("ł", None), ("l", "I"), ("|", "I"),
     ("京", "京"), ("囍", None), ("-", None), ("", None), ("ß", "B"), ("o", "O")],
)  # fmt: skip
def test_plate_characters(seen: str, character: str | None) -> None:
    assert plate_character(seen) == character


def test_folding_adds_classes_of_one_character_and_blanks_the_rest() -> None:
    probabilities = np.array([[0.1, 0.5, 0.2, 0.2]], np.float32)  # blank, "A", "a", "囍"
    emissions = fold(probabilities, np.array([1, 2]), np.array([1, 1]))
    assert emissions.shape == (1, 1 + len(ALPHABET))
    assert emissions[0, 1] == pytest.approx(0.7)
    assert emissions[0, 0] == pytest.approx(0.3)


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = cli.main(arguments)
    return code, capsys.readouterr().out.splitlines()


@pytest.fixture
def folder(tmp_path: Path, scene: Picture) -> Path:
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "b.png"), scene)
    cv2.imwrite(str(tmp_path / "deep" / "c.JPG"), np.full((60, 90, 3), 99, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_cli_prints_one_object_per_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = run_cli(capsys, "--json", str(folder))
    assert code == 0
    found = [json.loads(line) for line in lines]
    assert [one["file"] for one in found] == [str(folder / "b.png"), str(folder / "deep" / "c.JPG")]
    (plate,) = found[0]["plates"]
    assert plate.keys() == {
        "text", "box", "quad", "score", "detector_score", "chars", "region", "candidates",
    }  # fmt: skip
    assert plate["text"] == plate["candidates"][0][0] == "AB12CDE"
    assert found[1]["plates"] == []
    assert found[0].keys() == {"file", "ms", "plates"}


def test_cli_goes_on_after_a_broken_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes()[:500])
    code, lines = run_cli(capsys, "--json", str(folder / "none.jpg"), str(folder))
    missing, broken, whole, _ = (json.loads(line) for line in lines)
    assert code == 1
    assert missing["error"]["code"] == "unreadable_file"
    assert broken["error"]["code"] == "broken_picture"
    assert broken["plates"] == []
    assert whole["plates"][0]["text"] == "AB12CDE"


def test_cli_table_and_hints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run_cli(capsys, "--regions", " gb,", str(folder / "b.png"))
    assert code == 0
    assert "AB12CDE" in lines[0]
    assert "GB" in lines[0]


def test_cli_crop(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(folder / "crop.png"), plate_face("FZRULZ"))
    assert json.loads(run_cli(capsys, "--json", str(folder / "crop.png"))[1][0])["plates"] == []
    _, lines = run_cli(capsys, "--json", "--crop", str(folder / "crop.png"))
    assert json.loads(lines[0])["plates"][0]["text"] == "FZRULZ"


def test_cli_without_anything_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(capsys, "--json", str(tmp_path)) == (1, [])
    assert run_cli(capsys, "--regions", "nowhere", str(tmp_path)) == (2, [])


def test_some_bench_pictures_of_each_region_are_read() -> None:
    """A guard against a broken pipeline, not the measurement: that is benchmarks' business."""
    data = Path(os.environ.get("PLATEWARDEN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "bench" / "truth.jsonl").is_file():
        pytest.skip("no bench pictures: set PLATEWARDEN_DATA to the folder that holds bench/")
    wrong: dict[str, int] = {}
    taken: dict[str, int] = {}
    for line in (data / "bench" / "truth.jsonl").read_text().splitlines():
        truth = json.loads(line)
        region = truth["region"]
        if taken.get(region, 0) == 6:
            continue
        taken[region] = taken.get(region, 0) + 1
        picture = decode_picture((data / "bench" / truth["file"]).read_bytes())
        plates = default_engine().read(picture).plates
        right = bool(plates) and plates[0].text == truth["plates"][0]["text"]
        wrong[region] = wrong.get(region, 0) + (not right)
    assert taken.keys() == {"us", "eu", "br"}
    assert all(count <= 2 for count in wrong.values()), wrong
