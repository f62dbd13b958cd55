"""A data folder of the test's own, and an environment without the settings of `./run test`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.paths import Var
from runner.supervisor import Signals

SETTINGS = (
    "DATABASE_URL", "KEYSTORE_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY_FILE",
    "PLATEWARDEN_MASTER_KEY", "PLATEWARDEN_MASTER_KEY_FILE", "PLATEWARDEN_INDEX_KEY",
    "PLATEWARDEN_INDEX_KEY_FILE", "PLATEWARDEN_SIGNING_KEY", "PLATEWARDEN_SIGNING_KEY_FILE",
    "PLATEWARDEN_URL", "PLATEWARDEN_VAR",
)  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def var(tmp_path: Path) -> Var:
    made = Var(tmp_path / "var")
    made.make()
    return made


@pytest.fixture
def signals() -> Iterator[Signals]:
    """As on a terminal, also where the tests themselves run under nohup."""
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with Signals() as handled:
            yield handled
    finally:
        signal.signal(signal.SIGHUP, hangup)
