"""Looking at processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def pid_of(path: Path) -> int:
    """The pid a started process has written down."""
    return int(path.read_text().split()[0])


def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition. The limit only ends a test that would hang."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited 60 s in vain"
        time.sleep(0.02)
