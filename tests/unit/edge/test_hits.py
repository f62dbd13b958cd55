"""Watchlist tokens on the device: which reads are hits, and what is left on the disk."""

import json
import sys
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.platetext import ocr_class
from edge.health import Health
from edge.hits import PURPOSE, Hit, Hits, command_hook, look_alike, token
from edge.sealing import Sealer
from inference.results import ALPHABET

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = bytes(range(32))
SEALER = Sealer(b"s" * 32, PURPOSE)
ANSWER = {
    "key": b64encode(KEY).decode(),
    "expires_at": (NOW + timedelta(hours=24)).isoformat(),
    "exact": [token(KEY, "1AB2345").hex()],
    "possible": [token(KEY, look_alike("1AB2345")).hex()],
    "left_off": 0,
}


class Bench:
    def __init__(self, folder: Path) -> None:
        self.file, self.now, self.health = folder / "hotlist", NOW, Health()
        self.hooked: list[Hit] = []

    def hits(self) -> Hits:
        return Hits(self.file, SEALER, lambda: self.now, self.health, self.hooked.append)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_exact_read_a_look_alike_and_a_stranger(bench: Bench) -> None:
    hits = bench.hits()
    assert hits.take(ANSWER, '"e1"')
    assert hits.check("1AB2345", NOW) == Hit("exact", NOW)
    assert hits.check("IAB234S", NOW) == Hit("possible", NOW)
    assert hits.check("7ZZ0000", NOW) is None
    assert [one.how for one in bench.hooked] == ["exact", "possible"]
    assert hits.etag == '"e1"'


def test_look_alikes_are_the_servers_own() -> None:
    assert look_alike(ALPHABET) == ocr_class(ALPHABET)


def test_a_vehicle_sounds_again_when_it_was_away_for_a_minute(bench: Bench) -> None:
    hits = bench.hits()
    hits.take(ANSWER, None)
    for second in (0, 1, 30, 59, 118, 200):
        assert hits.check("1AB2345", NOW + timedelta(seconds=second)) is not None
    assert [(one.captured_at - NOW).seconds for one in bench.hooked] == [0, 200]
    assert bench.health.snapshot()["hits_exact"] == 2


def test_a_reboot_keeps_the_list_and_the_disk_shows_neither_key_nor_token(bench: Bench) -> None:
    bench.hits().take(ANSWER, '"e1"')
    again = bench.hits()
    assert again.check("1AB2345", NOW) is not None
    assert again.etag == '"e1"'
    raw = bench.file.read_bytes()
    for secret in (KEY, ANSWER["key"].encode(), bytes.fromhex(ANSWER["exact"][0]), b"exact"):
        assert secret not in raw
    assert bench.file.stat().st_mode & 0o077 == 0


def test_a_list_expires_also_on_the_disk(bench: Bench) -> None:
    hits = bench.hits()
    hits.take(ANSWER, '"e1"')
    bench.now += timedelta(hours=24)
    assert hits.check("1AB2345", bench.now) is None
    assert hits.etag is None
    assert not bench.file.exists()
    assert "expired" in bench.health.troubles["hotlist"]


def test_a_list_that_claims_to_last_longer_than_a_day_does_not(bench: Bench) -> None:
    hits = bench.hits()
    hits.take({**ANSWER, "expires_at": (NOW + timedelta(days=400)).isoformat()}, None)
    bench.now += timedelta(hours=26)
    assert hits.check("1AB2345", bench.now) is None


@pytest.mark.parametrize(
    "change",
    [
        {"key": "short"},
        {"key": b64encode(b"few").decode()},
        {"key": None},
        {"expires_at": "soon"},
        {"expires_at": "2026-03-02T12:00:00"},
        {"exact": ["xyz"]},
        {"exact": ["00"]},
        {"exact": "00" * 16},
        {"possible": [1]},
        {"possible": None},
    ],
)
def test_an_answer_that_is_no_list_leaves_the_old_one(bench: Bench, change: dict[str, Any]) -> None:
    hits = bench.hits()
    hits.take(ANSWER, '"e1"')
    assert not hits.take({**ANSWER, **change}, '"e2"')
    assert hits.etag == '"e1"'
    assert hits.check("1AB2345", NOW) is not None
    assert "hotlist" in bench.health.troubles


def test_no_list_no_hit_and_forgetting_leaves_nothing(bench: Bench) -> None:
    hits = bench.hits()
    assert hits.check("1AB2345", NOW) is None
    hits.take(ANSWER, None)
    hits.forget()
    assert hits.check("1AB2345", NOW) is None
    assert not bench.file.exists()
    hits.forget()  # with nothing there


def test_another_devices_file_is_told_and_not_used(bench: Bench) -> None:
    bench.file.write_bytes(Sealer(b"t" * 32, PURPOSE).seal(json.dumps(ANSWER).encode(), "hotlist"))
    hits = bench.hits()
    assert hits.check("1AB2345", NOW) is None
    assert "hotlist" in bench.health.troubles


def test_the_owners_program_hears_of_a_hit_and_sees_no_plate(tmp_path: Path) -> None:
    out, health, done = tmp_path / "out", Health(), threading.Event()
    script = (
        "import os, sys, pathlib;"
        f"pathlib.Path({str(out)!r}).write_text(sys.stdin.read() + str(sys.argv) + str(os.environ))"
    )
    real_trouble = health.trouble

    def trouble(name: str, sentence: str | None) -> None:
        real_trouble(name, sentence)
        done.set()

    health.trouble = trouble  # type: ignore[method-assign]
    hook = command_hook([sys.executable, "-c", script], health)
    hits = Hits(tmp_path / "hotlist", SEALER, lambda: NOW, Health(), hook)
    hits.take(ANSWER, None)
    hits.check("1AB2345", NOW)
    assert done.wait(20)
    assert '"how": "exact"' in out.read_text()
    assert "1AB2345" not in out.read_text()


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    health, done = Health(), threading.Event()
    real_trouble = health.trouble

    def trouble(name: str, sentence: str | None) -> None:
        real_trouble(name, sentence)
        done.set()

    health.trouble = trouble  # type: ignore[method-assign]
    command_hook([str(tmp_path / "is not there")], health)(Hit("exact", NOW))
    assert done.wait(20)
    assert "hits" in health.troubles
    assert health.snapshot()["hit_command_failed"] == 1
