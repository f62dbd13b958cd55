"""`python -m scenarios`, as `./run scenario` starts it: lines, exit codes, and what it leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "scenarios" / "rules" / "pairing" / "a-double-dip-is-one-long-stay.json"
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "scenarios", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=ENV, capture_output=True, text=True, check=False)


def databases() -> set[str]:
    """The scratch databases there are now, without the templates."""
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pw_scenario_run_%'")
            return {name for (name,) in cursor.fetchall()}
    finally:
        connection.close()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.json"
    path.write_text('{"name": "brüchig", "now": "2026-03-02T12:00:00"}', encoding="utf-8")
    return path


def test_one_line_a_file_in_order_whatever_is_wrong_with_one(broken: Path, tmp_path: Path) -> None:
    done = run(SHIPPED, broken, tmp_path / "nowhere.json", SHIPPED)
    assert done.returncode == 2
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))["expect"]
    assert [lines[0], lines[3]] == [shipped, shipped]
    assert lines[1] == {
        "name": "brüchig",
        "error": {
            "code": "naive_time",
            "sentence": "A time must carry its offset.",
            "field": "now",
        },
    }
    assert (lines[2]["name"], lines[2]["error"]["code"]) == ("nowhere", "unreadable")
    assert "Traceback" not in done.stderr
    assert not databases()


def changed(tmp_path: Path, **change: Any) -> Path:
    data = json.loads(SHIPPED.read_text(encoding="utf-8"))
    path = tmp_path / "changed.json"
    path.write_text(json.dumps({**data, **change}))
    return path


def test_check_prints_only_what_differs(tmp_path: Path) -> None:
    expected = json.loads(SHIPPED.read_text(encoding="utf-8"))["expect"]
    other = changed(tmp_path, expect={**expected, "cases": [], "alerts": [{"read": "r1"}]})
    done = run("--check", SHIPPED, other)
    assert done.returncode == 1
    assert str(SHIPPED) not in done.stdout
    assert '-alerts: {"read": "r1"}' in done.stdout
    assert run("--check", SHIPPED).stdout == ""


def test_a_file_that_expects_nothing_is_not_as_expected(tmp_path: Path) -> None:
    assert run("--check", changed(tmp_path, expect=None)).returncode == 1


def test_a_killed_run_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    killed = subprocess.Popen(
        command(*[SHIPPED] * 500), env=ENV, stdout=subprocess.PIPE, start_new_session=True
    )
    assert killed.stdout is not None
    killed.stdout.readline()  # it plays
    assert len(databases()) == 2
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    end = time.monotonic() + 60  # the server notices a dead client when it next reads
    while run(SHIPPED).returncode == 0 and databases():
        assert time.monotonic() < end, "what a killed run left is still there"
