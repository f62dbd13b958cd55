"""The engine on its real models: drawn pictures, and the bench where it is present."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference import cli, models
from inference.detector import PlateDetector
from inference.engine import Engine, Options, default_engine, engine_for
from inference.geometry import box_of, overlap
from inference.models import SECOND_READER, ModelError, load_session, locate, registered, registry
from inference.pictures import decode_picture
from inference.pipeline import Kind
from inference.reader import PlateReader, crop_of
from inference.results import ALPHABET, Detector, Picture
from inference.second import SecondReader, fold, plate_character
from inference.syntaxes import SyntaxFileError, load_book
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


def test_finding_and_reading_in_two_steps_is_reading(engine: Engine) -> None:
    """What the edge does frame by frame, so that it may read only some of what it finds."""
    two = scene_with(plate_face("AB12 CDE"), TILTED)
    below = [(x - 150, y + 150) for x, y in TILTED]
    two[330:] = scene_with(plate_face("XY34 ZKL"), below)[330:]
    whole, places = engine.read(two), engine.find(two)
    assert {plate.text for plate in whole.plates} == {"AB12CDE", "XY34ZKL"}
    assert engine.read_places(two, places).plates == whole.plates
    for plate in whole.plates:
        own = [place for place in places if overlap(place.quad, plate.quad) > 0.5]
        (alone,) = engine.read_places(two, own).plates
        assert (alone.text, alone.box) == (plate.text, plate.box)
        assert plate.box in [box_of(place.quad, 800, 500) for place in own]
    assert engine.read_places(two, []).plates == ()


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
    (plate,) = engine_for(["GB"], strict=True).read(scene).plates
    assert (plate.text, plate.region) == ("AB12CDE", "GB")


def test_two_rows_are_read_as_one_plate() -> None:
    picture = scene_with(plate_face("DL3C", "AB1234", room=6), SQUARE)
    plate = engine_for(["IN"]).read(picture).plates[0]
    assert (plate.text, plate.region) == ("DL3CAB1234", "IN")
    assert overlap(plate.quad, SQUARE) > 0.9


def test_nobody_is_sure_of_a_plate_that_a_frame_cuts(engine: Engine, scene: Picture) -> None:
    """What is left of a plate may read clearly, and is another plate: nobody may be accused."""
    (whole,) = engine.read(scene).plates
    left, _, right, _ = whole.box
    cut = scene[:, : left + (right - left) * 3 // 4]
    assert whole.score > 0.5
    assert all(plate.score <= 0.5 for plate in engine.read(cut).plates)


def test_a_gap_in_the_middle_does_not_split_a_plate(engine: Engine) -> None:
    picture = scene_with(plate_face("RK    708AI"), TILTED)
    (plate,) = engine.read(picture).plates
    assert plate.text == "RK708AI"


def test_a_crop_may_be_a_vanity_plate(engine: Engine) -> None:
    plates = engine.read(plate_face("FZRULZ"), kind="crop").plates
    assert [plate.text for plate in plates] == ["FZRULZ"]


def test_a_crop_is_read_whole(engine: Engine) -> None:
    face = cv2.resize(plate_face("RK 768AI"), (130, 30), interpolation=cv2.INTER_AREA)
    plate = engine.read(face, kind="crop").plates[0]
    assert plate.text == "RK768AI"
    assert overlap(plate.quad, [(0, 0), (130, 0), (130, 30), (0, 30)]) > 0.9


def test_a_wide_crop_is_searched(engine: Engine, scene: Picture) -> None:
    assert engine.read(scene[150:350, 150:650], kind="crop").plates[0].text == "AB12CDE"


@pytest.mark.parametrize("size", [(1, 1, 3), (3, 900, 3), (900, 3, 3), (64, 64, 3)])
@pytest.mark.parametrize("kind", ["frame", "crop"])
def test_pictures_with_nothing_in_them(
    engine: Engine, size: tuple[int, int, int], kind: Kind
) -> None:
    assert engine.read(np.full(size, 90, np.uint8), kind=kind).plates == ()


def test_a_small_plate_in_a_large_frame_is_found_in_tiles(engine: Engine, scene: Picture) -> None:
    large = np.full((2160, 3840, 3), 70, np.uint8)
    small = cv2.resize(scene, (200, 125), interpolation=cv2.INTER_AREA)
    large[1500:1625, 2700:2900] = small
    corners = np.array(TILTED) / 4 + (2700, 1500)

    def nearest(detector: Detector) -> float:
        """How far the best quad's worst corner is from the plate's, in pixels."""
        return min(float(np.abs(found.quad - corners).max()) for found in detector.detect(large))

    assert nearest(engine.detector) < 10 < nearest(PlateDetector(tiles="never"))


def test_the_readers_agree_on_a_clear_plate(scene: Picture) -> None:
    second = SecondReader().read(scene, np.array(TILTED, np.float32))
    assert second is not None
    assert second.shape[1] == 1 + len(ALPHABET)
    assert SecondReader().read(scene, np.array(SQUARE, np.float32)) is None


def test_the_reader_reads_several_plates_at_once_as_it_reads_each(scene: Picture) -> None:
    reader = PlateReader()
    quads = [np.array(quad, np.float32) for quad in (TILTED, SQUARE)]
    both = reader.read(scene, quads)
    assert [one.emissions.shape for one in both] == [(80, 1 + len(ALPHABET))] * 2
    for quad, one in zip(quads, both, strict=True):
        (alone,) = reader.read(scene, [quad])
        assert np.allclose(alone.emissions, one.emissions, atol=0.02)
        assert np.allclose(one.emissions.sum(axis=1), 1, atol=1e-3)
        assert 0 < sum(one.regions.values()) <= 1.001
    assert crop_of(scene, quads[0]).shape == (64, 160, 3)
    assert reader.read(scene, []) == []


def test_the_reader_knows_the_regions_of_the_syntaxes() -> None:
    known = {syntax.code for syntax in load_book().syntaxes}
    assert set(PlateReader()._network.regions) == known


def test_unknown_regions_are_refused() -> None:
    with pytest.raises(SyntaxFileError):
        Engine(["Czechia"])


def test_versions_name_the_models_and_syntaxes(engine: Engine) -> None:
    assert engine.versions.keys() == {"detector", "recogniser", "syntaxes"}
    assert engine.versions["detector"] == registered("plate-detector").version
    assert all("@" in version for version in engine.versions.values())
    both = engine_for(options=Options(second=True)).versions
    assert both == engine.versions | {"second": SECOND_READER.version}


def test_engines_share_models_and_are_kept() -> None:
    first, second = engine_for(["CZ", "sk"]), engine_for(["SK", "CZ"])
    assert first is second
    assert first is not default_engine()
    assert first.detector is default_engine().detector
    assert default_engine() is default_engine()
    assert engine_for(["CZ"], strict=True) is not engine_for(["CZ"])


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


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[Path]:
    """A folder of models of a test's own; what was read from it is forgotten afterwards."""
    yield tmp_path
    registry.cache_clear()


@pytest.mark.parametrize("name", ["plate-detector", "plate-reader"])
def test_a_changed_model_is_refused(name: str, own_registry: Path) -> None:
    model = registered(name)
    with pytest.raises(ModelError, match="not the registered file"):
        load_session(replace(model, sha256="0" * 64))
    (own_registry / "changed.onnx").write_bytes(locate(model).read_bytes() + b"\0")
    row = {"file": "changed.onnx", "sha256": model.sha256}
    (own_registry / "manifest.json").write_text(json.dumps({name: row}))
    with pytest.raises(ModelError, match="not the registered file"):
        load_session(registry(own_registry)[name])


@pytest.mark.parametrize(
    "model",
    [
        replace(SECOND_READER, package="no_such_package"),
        replace(SECOND_READER, path="models/no-such-file.onnx"),
        replace(SECOND_READER, package="", path="/no/such/file.onnx"),
    ],
)
def test_a_missing_model_is_named(model: models.ModelFile) -> None:
    with pytest.raises(ModelError, match="pp-ocrv6-rec-small was not found"):
        locate(model)


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"plate-detector": {}}', '{"a": 1}'])
def test_a_broken_list_of_models_is_a_model_error(manifest: str | None, own_registry: Path) -> None:
    if manifest is not None:
        (own_registry / "manifest.json").write_text(manifest)
    with pytest.raises(ModelError, match="cannot be read"):
        registry(own_registry)


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ModelError, match="plate-detector"):
        registered("no-such-model")


def test_the_manifest_lists_each_file_once_and_all_of_them_are_small() -> None:
    listed = {Path(model.path) for model in registry().values()}
    assert listed == set(models.WEIGHTS.glob("*.onnx"))
    assert sum(path.stat().st_size for path in listed) <= 15 * 2**20
    for model in registry().values():
        raw, right = zip(*model.calibration, strict=True)
        assert list(raw) == sorted(raw)
        assert list(right) == sorted(right)
        assert 0 <= min(raw + right) <= max(raw + right) <= 1


def test_a_calibration_is_a_line_through_its_points() -> None:
    points = ((0.0, 0.0), (0.5, 0.2), (1.0, 0.9))
    reader = PlateReader(replace(registered("plate-reader"), calibration=points))
    assert reader.calibrate(0.25) == pytest.approx(0.1)
    assert reader.calibrate(1.0) == pytest.approx(0.9)


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
    assert found[0].keys() == {"file", "ms", "plates", "rejected"}


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
    code, lines = run_cli(capsys, "--regions", " gb,", "--strict", str(folder / "b.png"))
    assert code == 0
    assert "AB12CDE" in lines[0]
    assert "GB" in lines[0]


def test_cli_crop(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(folder / "crop.png"), plate_face("FZRULZ"))
    _, lines = run_cli(capsys, "--json", "--crop", "--second", str(folder / "crop.png"))
    assert json.loads(lines[0])["plates"][0]["text"] == "FZRULZ"


def test_cli_says_why_a_plate_was_not_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(folder / "speck.png"), np.full((3, 9, 3), 120, np.uint8))
    _, lines = run_cli(capsys, "--json", "--crop", str(folder / "speck.png"))
    (refused,) = json.loads(lines[0])["rejected"]
    assert (refused["reason"], refused["box"]) == ("too-small", [0, 0, 9, 3])
    _, lines = run_cli(capsys, "--crop", str(folder / "speck.png"))
    assert "not read: too-small" in lines[0]


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
