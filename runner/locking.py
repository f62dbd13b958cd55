"""`./run lock`: pins requirements/*.in into *.txt with hashes, for all platforms at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from runner.console import RunError, say
from runner.paths import ROOT

OPTIONS = (
    "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
    "--no-header", "-q",
)  # fmt: skip


def main(*, upgrade: bool) -> int:
    """Writes every lock file with uv, from an environment thrown away after.

    Versions that are pinned and still fit stay, unless `upgrade`.
    """
    with tempfile.TemporaryDirectory(prefix="platewarden-lock-") as folder:
        say("[1/5] fetching uv")
        _run([sys.executable, "-m", "venv", folder])
        python = str(Path(folder) / "bin" / "python")
        _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "uv"])
        compile_ = [str(Path(folder) / "bin" / "uv"), "pip", "compile", *OPTIONS]
        compile_ += ["--upgrade"] if upgrade else []
        say("[2/5] requirements/base.txt")
        _run([*compile_, "-o", "base.txt", "base.in"])
        say("[3/5] requirements/test.txt")
        _run([*compile_, "-c", "base.txt", "-o", "test.txt", "test.in"])
        say("[4/5] requirements/edge.txt, build.txt and mutation.txt")
        _run([*compile_, "-c", "base.txt", "-o", "edge.txt", "edge.in"])
        _run([*compile_, "-o", "build.txt", "build.in"])
        _run([*compile_, "-c", "test.txt", "-o", "mutation.txt", "mutation.in"])
        say("[5/5] benchmarks/peers/requirements.txt")
        pinned = str(ROOT / "requirements" / "base.txt")
        peers = ["-c", pinned, "-o", "requirements.txt", "requirements.in"]
        _run([*compile_, "--no-annotate", *peers], folder=ROOT / "benchmarks" / "peers")
    return 0


def _run(command: list[str], *, folder: Path = ROOT / "requirements") -> None:
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RunError(f"{command[0]} failed:\n{(answer.stderr or answer.stdout).strip()}")
