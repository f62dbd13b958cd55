"""The edge agent's wheel, and an environment of its own with nothing of the server in it.

The wheel is built from a copy of `edge/` and `inference/`, so that the checkout stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runner import files, venv
from runner.console import RunError, say, tail
from runner.paths import ROOT, Var
from runner.sidevenv import SideVenv

PACKAGES: Final = ("edge", "inference")
REQUIREMENTS: Final = ROOT / "requirements" / "edge.txt"
_PROJECT: Final = ROOT / "edge" / "pyproject.toml"
_HASHED: Final = ("--require-hashes", "--no-deps")
_LEFT_OUT: Final = ("__pycache__", "pyproject.toml")
_ZIP_EPOCH: Final = "1767225600"  # 2026-01-01: one source gives one wheel, to the byte

BUILD: Final = SideVenv("build", ((ROOT / "requirements" / "build.txt", _HASHED),))
AGENT: Final = SideVenv("agent", ((REQUIREMENTS, _HASHED),))
_STAMP: Final = "agent.json"


def wheel(var: Var, folder: Path) -> Path:
    """Builds the agent's wheel into `folder`; its path. Raises RunError."""
    python = BUILD.ensure(var)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="platewarden-wheel-") as name:
        source, built = Path(name, "source"), Path(name, "built")
        source.mkdir()
        for package in PACKAGES:
            shutil.copytree(
                ROOT / package, source / package, ignore=shutil.ignore_patterns(*_LEFT_OUT)
            )
        for path in (_PROJECT, ROOT / "LICENSE"):
            shutil.copy(path, source)
        log = BUILD.folder(var) / "wheel.log"
        with log.open("wb") as out:
            code = subprocess.run(
                [
                    *(str(python), "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
                    *("--no-input", "--disable-pip-version-check", "--no-cache-dir"),
                    *("-w", str(built), str(source)),
                ],
                env={**os.environ, "SOURCE_DATE_EPOCH": _ZIP_EPOCH},
                stdout=out,
                stderr=out,
                check=False,
            ).returncode
        if code != 0:
            raise RunError(f"The agent's wheel could not be built. The end of {log}:\n{tail(log)}")
        (made,) = built.glob("*.whl")
        return Path(shutil.move(made, folder / made.name))


def ensure(var: Var) -> Path:
    """The agent installed as on a device; the path of its command. Raises RunError.

    Built and installed again only when something of it has changed.
    """
    python = AGENT.ensure(var)
    command = python.with_name("platewarden-edge")
    stamp, wanted = AGENT.folder(var) / _STAMP, json.dumps({"sources": _fingerprint()})
    with files.lock(AGENT.folder(var).parent):
        if command.exists() and stamp.exists() and stamp.read_text() == wanted:
            return command
        say("building the agent and installing it into an environment of its own")
        stamp.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="platewarden-wheel-") as folder:
            made = wheel(var, Path(folder))
            log = AGENT.folder(var) / "agent.log"
            if venv.pip_install(python, log, ["--no-deps", "--force-reinstall", str(made)]) != 0:
                raise RunError(f"The agent could not be installed. The end of {log}:\n{tail(log)}")
        files.write_private(stamp, wanted)
    return command


def main(folder: Path) -> int:
    """`./run wheel`: the wheel, and beside it what it runs on, pinned."""
    made = wheel(Var.default(), folder)
    shutil.copy(REQUIREMENTS, folder / "requirements.txt")
    print(made)
    return 0


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in _sources():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(ROOT)}:{content}\n".encode())
    return digest.hexdigest()
