"""A log of reads on the device, for those who ask for one: plates in clear, so 0600 and short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge.health import Health
from edge.items import Position
from edge.settings import Settings


class CsvLog:
    """Rotating CSV files in `folder`; nothing is written unless `settings().csv`."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Callable[[], Settings],
        health: Health,
        max_bytes: int = 16 * 2**20,
    ) -> None:
        raise NotImplementedError

    def write(
        self, captured_at: datetime, text: str, score: float, position: Position | None
    ) -> None:
        """One line. Never raises: a full disk is counted and shown, reads go on."""
        raise NotImplementedError
