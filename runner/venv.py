"""The virtual environment: made once from pinned, hashed requirements, renewed when they change."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from runner import files
from runner.console import RunError, say, tail
from runner.paths import ROOT, VENV, VENV_PYTHON

REQUIREMENTS = ROOT / "requirements"
STAMP = VENV / "platewarden.json"
INSTALL_LOG = VENV / "install.log"


def fingerprint(requirements: Path) -> str:
    """What a requirements file says, as one number."""
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def installed() -> dict[str, str]:
    """What the stamp says is installed: requirements file name → fingerprint. Empty without one."""
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def _wanted(test: bool) -> dict[str, str]:
    names = ["base.txt", "test.txt"] if test else ["base.txt"]
    return {name: fingerprint(REQUIREMENTS / name) for name in names}


def is_ready(*, test: bool = False) -> bool:
    """Whether everything the current requirements name is installed."""
    return VENV_PYTHON.exists() and _wanted(test).items() <= installed().items()


def ensure(*, test: bool = False) -> None:
    """Makes or renews the environment; does nothing, quickly, when it is ready.

    Raises RunError with the end of pip's log when something can't be installed.
    """
    if is_ready(test=test):
        return
    waiting = files.is_locked(REQUIREMENTS)
    if waiting:
        say("another ./run is installing; waiting for it")
    with files.lock(REQUIREMENTS):
        if is_ready(test=test):
            return
        if not _venv_works():
            say(f"[1/2] making .venv with Python {platform.python_version()}")
            make(VENV)
        _install("test.txt" if test else "base.txt")
        # Last of all: an install that was interrupted before this line is done again.
        files.write_private(STAMP, json.dumps(_wanted(test), indent=1) + "\n")


def _venv_works() -> bool:
    """Whether the environment is whole and its interpreter still there, and new enough."""
    if not VENV_PYTHON.exists():
        return False
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    answer = subprocess.run([str(VENV_PYTHON), "-c", probe], capture_output=True, check=False)
    return answer.returncode == 0


def make(folder: Path) -> None:
    """Makes an empty virtual environment, in place of any there. Raises RunError."""
    answer = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise RunError(
            "The virtual environment could not be made:\n"
            f"{(answer.stdout + answer.stderr).strip()}\n"
            "On Debian and Ubuntu, install the package python3-venv."
        )


def _install(name: str) -> None:
    count = len(re.findall(r"^[^\s#]+==", (REQUIREMENTS / name).read_text(), re.MULTILINE))
    say(f"[2/2] installing {count} pinned packages from requirements/{name} (about a minute)")
    began = time.monotonic()
    arguments = ["--require-hashes", "-r", str(REQUIREMENTS / name)]
    code = pip_install(VENV_PYTHON, INSTALL_LOG, arguments)
    if code != 0:
        raise RunError(
            f"pip could not install everything. The end of {INSTALL_LOG}:\n{tail(INSTALL_LOG)}\n"
            "Mend that (often it is the network) and start again: it continues where it stopped."
        )
    say(f"      installed in {time.monotonic() - began:.0f} s")


def pip_install(python: Path, log: Path, arguments: Sequence[str]) -> int:
    """Runs `pip install` of that environment, everything it says into `log`; its exit code."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return subprocess.run(
            [
                str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
                *arguments,
            ],
            stdout=handle,
            stderr=handle,
            check=False,
        ).returncode  # fmt: skip
    finally:
        os.close(handle)
