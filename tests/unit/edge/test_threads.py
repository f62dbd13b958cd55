"""Parts that fail are started again, and say nothing that a picture showed."""

import logging
import socket
import threading
from pathlib import Path

import pytest

from edge.health import Health
from edge.notify import notify, watchdog_seconds
from edge.threads import Part
from edge.transport.backoff import Backoff


def test_a_part_that_fails_begins_again_and_keeps_quiet_about_plates(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health, runs = Health(), []
    troubles: list[str] = []

    def body(stop: threading.Event) -> None:
        runs.append(len(runs))
        troubles.append(health.troubles.get("pipeline", ""))
        if len(runs) < 3:
            raise ValueError("34A36837 was read")

    part = Part(
        "pipeline", body, stop=threading.Event(), health=health, backoff=Backoff(0.001, 0.002)
    )
    with caplog.at_level(logging.INFO):
        part.start()
        assert part.join(10)
    assert runs == [0, 1, 2]
    assert health.snapshot()["pipeline_restarts"] == 2
    assert troubles == ["", "", ""]  # it is over once the part runs again
    assert health.troubles == {}
    assert len(caplog.records) == 2
    assert "ValueError at test_threads.py:" in caplog.text
    assert "34A36837" not in caplog.text


def test_a_part_that_is_stopped_while_it_waits_ends() -> None:
    stop = threading.Event()
    failed = threading.Event()

    def body(_: threading.Event) -> None:
        failed.set()
        raise OSError

    part = Part("sender", body, stop=stop, health=Health(), backoff=Backoff(3600, 3600))
    part.start()
    assert failed.wait(10)
    assert part.alive
    stop.set()
    assert part.join(10)


def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert notify("READY=1", "STATUS=on")
        assert listener.recv(100) == b"READY=1\nSTATUS=on"
    assert not notify("WATCHDOG=1")  # nobody there any more
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not notify("WATCHDOG=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("60000000", None, 30.0), ("60000000", "1", None), ("", None, None), ("x", None, None)],
)
def test_how_often_systemd_wants_to_hear(
    usec: str, pid: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_seconds() == seconds
