"""What the runner says, and how it fails.

Everything goes to stderr: stdout belongs to the command that was asked for, so that
`./run read --json` and `./run demo --json` can be piped.
"""

from __future__ import annotations

import sys
from pathlib import Path


class RunError(Exception):
    """A failure told to the user as sentences: what is wrong and how to mend it. Exit code 1."""


def say(message: str) -> None:
    """Prints one line of progress."""
    print(message, file=sys.stderr, flush=True)


def tail(path: Path, lines: int = 15) -> str:
    """The last `lines` lines of a log, or an empty string when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 20_000))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
