"""Importing a file on the command line: its bytes streamed, a bar, a report without plates."""

import csv
import getpass
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.core.management.base import CommandError, CommandParser

from audit.services import Actor
from core.errors import ProductError
from enforcement.rights.tables import Progress, RowError

REFUSED = 3
"""Exit code where rows were refused; 1 is for a file that can't be imported at all."""

_WIDTH = 30
_PAUSE = 0.2
_PAUSE_IN_LOGS = 30.0
_SHOWN = 10

Told = Callable[[RowError], None]
Start = Callable[[BinaryIO, Told], Iterator[Progress]]


def add_file_arguments(parser: CommandParser) -> None:
    """What every import of a file takes."""
    parser.add_argument("file", metavar="FILE", help="the CSV file, or - for standard input")
    parser.add_argument(
        "--all-or-nothing", action="store_true", help="store nothing if any row is refused"
    )
    parser.add_argument(
        "--report", metavar="CSV", type=Path, help="write every refused row here: number and why"
    )
    parser.add_argument(
        "--state-of", metavar="CC", default="", help="the country whose states PlateState names"
    )


def shell_actor() -> Actor:
    """Whoever runs a command, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = "unknown"
    return Actor("command", name, place="command line")


def import_file(start: Start, options: dict[str, Any], *, out: Any, err: Any) -> None:
    """Import the file of `options` by `start`, showing how far it is; then say what came of it.

    CommandError for a file that can't be read, exit code 3 where rows were refused.
    """
    refused: Counter[str] = Counter()
    first: list[RowError] = []
    with ExitStack() as stack:
        source, size = _opened(options["file"], stack)
        write = _reporter(options["report"], stack)

        def told(error: RowError) -> None:
            refused[error.code] += 1
            if len(first) < _SHOWN:
                first.append(error)
            if write is not None:
                write(error)

        bar = _Bar(source, size, err)
        progress = Progress()
        try:
            for progress in start(source, told):
                bar.show(progress)
        except ProductError as error:
            bar.end()
            raise CommandError(f"{error.sentence} [{error.code}]") from None
        bar.end()
    _summary(progress, refused, first, options["report"], out, err)
    if progress.refused:
        sys.exit(REFUSED)


def _opened(name: str, stack: ExitStack) -> tuple[BinaryIO, int]:
    if name == "-":
        return sys.stdin.buffer, 0
    path = Path(name)
    try:
        return stack.enter_context(path.open("rb")), path.stat().st_size
    except OSError as error:
        raise CommandError(f"The file cannot be read: {error.strerror}.") from None


def _reporter(path: Path | None, stack: ExitStack) -> Told | None:
    if path is None:
        return None
    try:
        file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    except OSError as error:
        raise CommandError(f"The report cannot be written: {error.strerror}.") from None
    rows = csv.writer(file, delimiter=";")
    rows.writerow(("row", "code", "column", "sentence"))
    return lambda error: rows.writerow((error.row, error.code, error.field or "", error.sentence))


def _summary(
    progress: Progress,
    refused: Counter[str],
    first: list[RowError],
    report: Path | None,
    out: Any,
    err: Any,
) -> None:
    for error in first if report is None else ():
        err.write(f"row {error.row}: {error.sentence} [{error.code}]")
    for code, count in refused.most_common():
        err.write(f"{count} × {code}")
    if not progress.applied:
        err.write("Nothing was stored: all or nothing was asked for.")
    out.write(
        f"{progress.rows} rows: {progress.stored} stored, {progress.repeated} known already, "
        f"{progress.refused} refused"
    )


class _Bar:
    """How far an import is, by the bytes read: a bar in a terminal, now and then a line in a log.

    It shows no more than rows and per cent: what a row says never leaves the import.
    """

    def __init__(self, source: BinaryIO, size: int, err: Any) -> None:
        self.source = source
        self.size = size
        self.stream: TextIO = err._out if hasattr(err, "_out") else err
        self.live = self.stream.isatty()
        self.began = self.shown = time.monotonic()

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.shown < (_PAUSE if self.live else _PAUSE_IN_LOGS):
            return
        self.shown = now
        text = f"{progress.rows:,} rows, {progress.rows / max(now - self.began, 0.001):,.0f}/s"
        if self.size:
            part = min(1.0, self.source.tell() / self.size)
            bar = "█" * round(part * _WIDTH)
            text = f"{bar:░<{_WIDTH}} {part:4.0%}  {text}"
        if progress.refused:
            text += f", {progress.refused:,} refused"
        self.stream.write(f"\r\x1b[K{text}" if self.live else f"{text}\n")
        self.stream.flush()

    def end(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
