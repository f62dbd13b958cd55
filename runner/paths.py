"""Where things lie: the checkout, its virtual environment, and one data folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"


@dataclass(frozen=True)
class Var:
    """One data folder: everything an installation must keep, and nothing else of it is elsewhere.

    All of it is mode 0700 or 0600: it holds keys, sealed pictures and a database.
    """

    root: Path

    @classmethod
    def default(cls) -> Var:
        """`PLATEWARDEN_VAR`, or `var/` in the checkout."""
        return cls(Path(os.environ.get("PLATEWARDEN_VAR") or ROOT / "var").absolute())

    @property
    def run(self) -> Path:
        """What is true only while it runs: pid files, status, the environment of the services."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def lock_file(self) -> Path:
        """Held with flock by whoever runs the services of this folder."""
        return self.run / "supervisor.lock"

    @property
    def users_lock_file(self) -> Path:
        """Held shared by commands that borrow services somebody else started."""
        return self.run / "users.lock"

    @property
    def env_file(self) -> Path:
        return self.run / "env.json"

    @property
    def status_file(self) -> Path:
        return self.run / "status.json"

    def pid_file(self, name: str) -> Path:
        return self.run / f"{name}.pid"

    def log_file(self, name: str) -> Path:
        return self.log / f"{name}.log"

    def make(self) -> None:
        """Makes the folders, 0700. Raises OSError when the place is not writable."""
        for folder in (self.root, self.run, self.log, self.secrets, self.pictures, self.valkey):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
