"""Virtual environments beside the product's: what trains the networks, what peers run in.

They lie in the data folder, are made on first use and renewed when their requirements change, and
nothing of them is ever installed into the product's own.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runner import files, venv
from runner.console import RunError, say, tail
from runner.paths import ROOT, Var

STAMP: Final = "platewarden.json"


@dataclass(frozen=True)
class SideVenv:
    """`name` is its folder below the data folder; each file is installed with pip's `options`."""

    name: str
    requirements: tuple[tuple[Path, tuple[str, ...]], ...]

    def folder(self, var: Var) -> Path:
        return var.root / self.name / "venv"

    def python(self, var: Var) -> Path:
        return self.folder(var) / "bin" / "python"

    def is_ready(self, var: Var) -> bool:
        """Whether everything its requirements name is installed."""
        try:
            stamp = json.loads((self.folder(var) / STAMP).read_text())
        except (OSError, ValueError):
            return False
        return self.python(var).exists() and bool(stamp == self._wanted())

    def ensure(self, var: Var) -> Path:
        """Makes or renews it; the path of its Python. Raises RunError with the end of pip's log."""
        if self.is_ready(var):
            return self.python(var)
        home = self.folder(var).parent
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.lock(home):
            if self.is_ready(var):
                return self.python(var)
            say(f"making the environment of {self.name} in {self.folder(var)}")
            (self.folder(var) / STAMP).unlink(missing_ok=True)
            venv.make(self.folder(var))
            for path, options in self.requirements:
                self._install(var, path, options)
            files.write_private(
                self.folder(var) / STAMP, json.dumps(self._wanted(), indent=1) + "\n"
            )
        return self.python(var)

    def _wanted(self) -> list[list[str]]:
        return [
            [path.name, venv.fingerprint(path), *options] for path, options in self.requirements
        ]

    def _install(self, var: Var, path: Path, options: Sequence[str]) -> None:
        count = len(re.findall(r"^[A-Za-z][^\s#]*", path.read_text(), re.MULTILINE))
        say(f"installing {count} packages from {path.relative_to(ROOT)}")
        began = time.monotonic()
        log = self.folder(var) / "install.log"
        if venv.pip_install(self.python(var), log, [*options, "-r", str(path)]) != 0:
            raise RunError(
                f"pip could not install everything. The end of {log}:\n{tail(log)}\n"
                "Mend that (often it is the network) and start again."
            )
        say(f"installed in {time.monotonic() - began:.0f} s")


# torch is a plain pin: which build fits differs by machine, so no hash can be written down.
TRAINING: Final = SideVenv(
    "training",
    ((ROOT / "training" / "requirements.txt", ()),),
)

# Whatever a peer needs stands in these files: fastanpr itself asks for a reader that is not used,
# ultralytics for a torchvision that converting weights does without.
_PEERS = ROOT / "benchmarks" / "peers"
PEERS: Final = SideVenv(
    "peers",
    (
        (_PEERS / "requirements.txt", ("--require-hashes", "--no-deps")),
        (_PEERS / "weights.txt", ("--require-hashes", "--no-deps")),
        (_PEERS / "torch.txt", ("--no-deps",)),
    ),
)
