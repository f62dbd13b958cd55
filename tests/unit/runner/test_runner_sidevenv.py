"""Environments beside the product's: made once, renewed when their requirements change."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner import sidevenv, venv
from runner.console import RunError
from runner.paths import ROOT, Var


@pytest.fixture
def side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sidevenv.SideVenv:
    monkeypatch.setattr(sidevenv, "ROOT", tmp_path)
    hashed, plain = tmp_path / "hashed.txt", tmp_path / "plain.txt"
    hashed.write_text("a==1 \\\n    --hash=sha256:00\nb==2 \\\n    --hash=sha256:01\n")
    plain.write_text("# why\ntorch==2\n")
    return sidevenv.SideVenv("apart", ((hashed, ("--require-hashes",)), (plain, ("--no-deps",))))


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for making an environment and for pip: what pip was asked."""
    asked: list[list[str]] = []

    def make(folder: Path) -> None:
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()

    def install(python: Path, log: Path, arguments: Sequence[str]) -> int:
        asked.append(list(arguments))
        log.write_text("no network\n")
        return int("broken" in Path(arguments[-1]).read_text())

    monkeypatch.setattr(venv, "make", make)
    monkeypatch.setattr(venv, "pip_install", install)
    return asked


def test_it_is_made_once_and_renewed_when_a_file_changes(
    side: sidevenv.SideVenv, var: Var, pip: list[list[str]], tmp_path: Path
) -> None:
    python = side.ensure(var)
    assert python == var.root / "apart" / "venv" / "bin" / "python"
    side.ensure(var)
    hashed, plain = str(tmp_path / "hashed.txt"), str(tmp_path / "plain.txt")
    assert pip == [["--require-hashes", "-r", hashed], ["--no-deps", "-r", plain]]
    (tmp_path / "plain.txt").write_text("torch==3\n")
    assert not side.is_ready(var)
    side.ensure(var)
    assert len(pip) == 4


def test_a_failed_installation_says_why_and_is_done_again(
    side: sidevenv.SideVenv, var: Var, pip: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "plain.txt").write_text("broken==1\n")
    with pytest.raises(RunError, match="no network"):
        side.ensure(var)
    assert not side.is_ready(var)
    (tmp_path / "plain.txt").write_text("torch==2\n")
    side.ensure(var)
    assert side.is_ready(var)


def test_a_stamp_that_is_no_stamp_is_no_stamp(
    side: sidevenv.SideVenv, var: Var, pip: list[list[str]]
) -> None:
    side.ensure(var)
    stamp = side.folder(var) / sidevenv.STAMP
    assert len(json.loads(stamp.read_text())) == 2
    stamp.write_text("{")
    assert not side.is_ready(var)


def _pins(text: str) -> set[tuple[str, str]]:
    """Names, with the marker where there is one, and versions of pinned requirements."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)[ ]*(;[^\\\n]*)?", text, re.MULTILINE)
    return {(name + re.sub(r"[\s'\"]", "", marker), version) for name, version, marker in found}


def test_training_runs_on_what_the_product_runs_on() -> None:
    product = dict(_pins((venv.REQUIREMENTS / "base.txt").read_text()))
    ((path, _),) = sidevenv.TRAINING.requirements
    shared = {pin for pin in _pins(path.read_text()) if pin[0] in product}
    assert shared == {(name, product[name]) for name, _ in shared}
    assert {name.partition(";")[0] for name, _ in shared} >= {
        "numpy", "onnxruntime", "opencv-python-headless", "pillow", "rapidocr",
    }  # fmt: skip


@pytest.mark.parametrize("made", [sidevenv.TRAINING, sidevenv.PEERS])
def test_the_requirements_are_there(made: sidevenv.SideVenv) -> None:
    for path, options in made.requirements:
        text = path.read_text()
        assert path.is_relative_to(ROOT)
        assert ("--hash=sha256:" in text) == ("--require-hashes" in options)
