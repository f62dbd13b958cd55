"""Pid files that survive the reuse of a pid: they hold the moment the process began, too."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from pathlib import Path


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identity(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when it has ended.

    A zombie has ended: in a container without an init nobody may ever reap it.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
        return _identity_by_ps(pid)
    # The name, in parentheses, may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def command_line(pid: int) -> str:
    """The command line of a process, its parts joined by spaces; empty when it has none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    answer = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout


def write(path: Path, pid: int) -> None:
    """Notes a running process. The first line is the pid alone, for scripts."""
    temporary = path.with_name(f".{path.name}.{pid}")
    temporary.write_text(f"{pid}\n{identity(pid)}\n")
    os.replace(temporary, path)


def read(path: Path) -> int | None:
    """The pid of the very process that was noted, or None when it has ended."""
    try:
        pid, _, started = path.read_text().strip().partition("\n")
        number = int(pid)
    except (OSError, ValueError):
        return None
    return number if identity(number) == started else None


def wait_gone(pid: int, seconds: float) -> bool:
    """Waits until the process has ended; False when it hasn't after `seconds`."""
    began = identity(pid)
    end = time.monotonic() + seconds
    while began is not None and identity(pid) == began:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def end_group(pid: int, first: signal.Signals, seconds: float) -> None:
    """Ends a process that is not our child, and its group: asked first, then killed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, first)
    if not wait_gone(pid, seconds):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        wait_gone(pid, 5)
