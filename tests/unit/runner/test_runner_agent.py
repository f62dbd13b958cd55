"""The agent's wheel and environment: built from both packages, renewed when they change."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner import agent, sidevenv, venv
from runner.console import RunError
from runner.paths import Var


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in small."""
    root = tmp_path / "checkout"
    for path in (
        "edge/agent.py",
        "edge/pyproject.toml",
        "edge/__pycache__/agent.pyc",
        "inference/weights/a.onnx",
        "cameras/models.py",
        "LICENSE",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    monkeypatch.setattr(agent, "ROOT", root)
    monkeypatch.setattr(agent, "_PROJECT", root / "edge" / "pyproject.toml")
    return root


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stands in for pip and for making environments: what a build was made of, what was
    installed."""
    done: list[Any] = []

    def run(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        source, folder = Path(command[-1]), Path(command[command.index("-w") + 1])
        done.append(sorted(str(p.relative_to(source)) for p in source.rglob("*") if p.is_file()))
        folder.mkdir()
        (folder / "platewarden_edge-1-py3-none-any.whl").touch()
        broken = (source / "edge" / "agent.py").read_text() == "broken"
        return subprocess.CompletedProcess(command, int(broken))

    def install(python: Path, log: Path, arguments: Sequence[str]) -> int:
        done.append(Path(arguments[-1]).name)
        python.with_name("platewarden-edge").touch()
        return 0

    def ensure(side: sidevenv.SideVenv, var: Var) -> Path:
        side.python(var).parent.mkdir(parents=True, exist_ok=True)
        return side.python(var)

    monkeypatch.setattr(agent.subprocess, "run", run)
    monkeypatch.setattr(venv, "pip_install", install)
    monkeypatch.setattr(sidevenv.SideVenv, "ensure", ensure)
    return done


PARTS = ["LICENSE", "edge/agent.py", "inference/weights/a.onnx", "pyproject.toml"]
WHEEL = "platewarden_edge-1-py3-none-any.whl"


def test_nothing_of_the_server_is_in_it_and_it_is_built_once(
    tree: Path, var: Var, pip: list[Any]
) -> None:
    command = agent.ensure(var)
    assert command == var.root / "agent" / "venv" / "bin" / "platewarden-edge"
    assert pip == [PARTS, WHEEL]
    agent.ensure(var)
    assert len(pip) == 2
    (tree / "inference" / "weights" / "a.onnx").write_text("trained anew")
    agent.ensure(var)
    assert pip == [PARTS, WHEEL] * 2


def test_a_build_that_fails_says_so_and_is_done_again(tree: Path, var: Var, pip: list[Any]) -> None:
    (tree / "edge" / "agent.py").write_text("broken")
    with pytest.raises(RunError, match="could not be built"):
        agent.ensure(var)
    (tree / "edge" / "agent.py").write_text("mended")
    agent.ensure(var)
    assert pip == [PARTS, PARTS, WHEEL]


def test_beside_the_wheel_lies_what_it_runs_on(
    tree: Path,
    tmp_path: Path,
    pip: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PLATEWARDEN_VAR", str(tmp_path / "var"))
    assert agent.main(tmp_path / "dist") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "dist" / WHEEL)
    pinned = (tmp_path / "dist" / "requirements.txt").read_text()
    assert "--hash=sha256:" in pinned
    assert "django" not in pinned.lower()
