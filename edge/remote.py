"""Settings from the server: checked, kept on the disk, in force at once, refused with a reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.disk import write_whole
from edge.health import Health
from edge.settings import Settings, SettingsError, parse_settings


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server's settings are not in force. Goes out with each heartbeat until it sends
    others; `field` is one of `Settings` or the unknown name it sent."""

    version: int
    field: str
    sentence: str


class Remote:
    """The settings in force; call it to get them. Threads share one.

    `file` keeps what the server last set, so that a reboot without a network has it. `first` are
    the device's own settings: what the server does not name is as it is there.
    """

    def __init__(self, file: Path, first: Settings, health: Health) -> None:
        self._file, self._first, self._health = file, first, health
        self._lock = threading.Lock()
        self._current = first
        self._refusal: Refusal | None = None
        self._listeners: list[Callable[[Settings], None]] = []
        self._read_file()
        health.note("settings_version", self._current.version)

    def __call__(self) -> Settings:
        return self._current

    @property
    def refusal(self) -> Refusal | None:
        return self._refusal

    def listen(self, listener: Callable[[Settings], None]) -> None:
        """Call `listener` with new settings as soon as they are in force, in the thread that
        brought them. Most parts rather call this object each time they need a setting."""
        self._listeners.append(listener)

    def offer(self, raw: Any) -> bool:
        """Take the settings of a heartbeat's answer; whether they are in force now.

        An object without a `version` (the server has set nothing) changes nothing. Settings of the
        version in force, or of the one that was refused, are not looked at again.
        """
        if not isinstance(raw, dict) or "version" not in raw:
            return False
        version = raw["version"] if type(raw["version"]) is int else -1
        with self._lock:
            if version == self._current.version:
                self._accepted()
                return True
            if self._refusal is not None and version == self._refusal.version:
                return False
            try:
                found = parse_settings(raw, self._first)
            except SettingsError as error:
                self._refused(Refusal(version, error.field, error.sentence))
                return False
            self._current = found
            self._accepted()
            self._health.note("settings_version", found.version)
            self._write_file(found)
        for listener in self._listeners:
            listener(found)
        return True

    def _accepted(self) -> None:
        self._refusal = None
        self._health.trouble("settings", None)

    def _refused(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._health.count("settings_refused")
        self._health.trouble(
            "settings", f"The server's settings cannot be used: {refusal.sentence}"
        )

    def _read_file(self) -> None:
        try:
            raw = json.loads(self._file.read_text(encoding="utf-8"))
            self._current = parse_settings(raw, self._first)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:  # a SettingsError is a ValueError
            self._health.trouble(
                "settings",
                "The settings kept on the disk cannot be read"
                f" ({type(error).__name__}); this device's own are in force.",
            )

    def _write_file(self, settings: Settings) -> None:
        try:
            write_whole(self._file, json.dumps(asdict(settings)).encode())
        except OSError:
            self._health.trouble(
                "settings", "The new settings are in force but cannot be kept on the disk."
            )
