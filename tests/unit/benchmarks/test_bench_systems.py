"""The protocol between a benchmark and the systems it compares, with a system of our own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.systems import BenchmarkError, Running, System

TALKER = """
import sys
from benchmarks.peers.protocol import serve

class Talker:
    def versions(self):
        return {"reader": "1"}

    def look(self, data, kind, clock, hint):
        print("libraries print")
        if data == b"die":
            sys.exit(3)
        with clock.stage("decode"):
            pass
        with clock.stage("read"):
            sum(range(1000))
        return [{"text": data.decode() + kind + hint, "box": (1, 2, 3, 4), "score": 0.5}]

    def marks(self):
        return {"found": [[1, 2, 3, 4, 0.1]], "floor": 0.25}

sys.exit(serve(Talker, sys.argv[1:]))
"""


@pytest.fixture
def talker(tmp_path: Path) -> System:
    script = tmp_path / "talker.py"
    script.write_text(TALKER)
    return System("talker", [sys.executable, str(script)])


def test_a_system_answers_in_a_process_of_its_own(talker: System, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"AB1")
    with Running([talker]):
        assert talker.versions == {"reader": "1"}
        plain = talker.ask(tmp_path / "picture")
        marked = talker.ask(tmp_path / "picture", kind="crop", marks=True, hint="EU")
        assert talker.peak_mb() > 1
    assert [plate.text for plate in plain.plates] == ["AB1frame"]
    assert [plate.text for plate in marked.plates] == ["AB1cropEU"]
    assert plain.found == ()
    assert [mark.score for mark in marked.found] == [0.1]
    assert set(plain.ms) == {"decode", "detect", "read", "text"}
    assert plain.ms["read"] <= plain.all_ms


def test_a_system_that_ends_is_named(talker: System, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"die")
    with Running([talker]), pytest.raises(BenchmarkError, match="talker ended"):
        talker.ask(tmp_path / "picture")


def test_a_system_that_cannot_start_is_named(tmp_path: Path) -> None:
    dead = System("dead", [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(BenchmarkError, match="dead ended"), Running([dead]):
        pass
