"""A log of reads on the device, for those who ask for one.

Plates stand in it in clear, so it exists only while the settings say `csv`, can be read by the
agent's user alone (0600), and no line outlives the settings' `keep_hours` by more than the time
until the next read or `tidy`.
"""

from __future__ import annotations

import csv
import io
import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge.health import Health
from edge.items import Position
from edge.settings import Settings

_COLUMNS: Final = ("time", "text", "score", "latitude", "longitude", "heading")
_FILES: Final = 8
"""Into so many files the size and the age that are kept are divided: the oldest goes as a whole."""

_NAME: Final = re.compile(r"reads-(\d{8}T\d{6}Z)\.csv")
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class CsvLog:
    """Rotating CSV files in `folder`, each named for its first line's time, in UTC.

    `max_bytes`: of all files together. Nothing is written unless `settings().csv`; files from
    before it was switched off go with their age. Threads share one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Callable[[], Settings],
        health: Health,
        max_bytes: int = 16_000_000,
    ) -> None:
        self._folder, self._settings, self._health = folder, settings, health
        self._max_bytes = max_bytes
        self._lock = threading.RLock()

    def write(
        self, captured_at: datetime, text: str, score: float, position: Position | None
    ) -> None:
        """One line. Never raises: what cannot be written is counted (`csv_failed`) and shown as
        trouble `csv`; reads go on."""
        line = io.StringIO()
        place = (
            ("", "", "")
            if position is None
            else (
                f"{position.latitude:.6f}",
                f"{position.longitude:.6f}",
                "" if position.heading is None else f"{position.heading:.0f}",
            )
        )
        csv.writer(line).writerow((_iso(captured_at), text, f"{score:.3f}", *place))
        try:
            with self._lock:
                if self._settings().csv:
                    self._append(captured_at, line.getvalue().encode())
                    self._health.trouble("csv", None)
                self.tidy(captured_at)
        except OSError:
            self._health.count("csv_failed")
            self._health.trouble("csv", "The log of reads cannot be written: is the disk full?")

    def tidy(self, now: datetime) -> None:
        """Delete what is too old or too much. Raises OSError."""
        limit = now - timedelta(hours=self._settings().keep_hours)
        with self._lock:
            files = self._files()
            sizes = [path.stat().st_size for _, path in files]
            for (began, path), size in zip(files, list(sizes), strict=True):
                if began < limit or sum(sizes) > self._max_bytes:
                    path.unlink(missing_ok=True)
                    sizes.remove(size)

    def _files(self) -> list[tuple[datetime, Path]]:
        """Oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(
            (datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC), path)
            for path in self._folder.iterdir()
            if (found := _NAME.fullmatch(path.name))
        )

    def _append(self, captured_at: datetime, line: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = self._files()
        path = self._folder / f"reads-{captured_at.astimezone(UTC).strftime(_STAMP)}.csv"
        if files:
            began, newest = files[-1]
            age = captured_at - began
            lasts = timedelta(hours=self._settings().keep_hours) / _FILES
            full = newest.stat().st_size + len(line) > self._max_bytes // _FILES
            if age < lasts and not full:
                path = newest
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.fstat(handle).st_size == 0:
                line = ",".join(_COLUMNS).encode() + b"\r\n" + line
            os.write(handle, line)
        finally:
            os.close(handle)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
