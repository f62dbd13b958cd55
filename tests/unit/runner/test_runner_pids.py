"""A pid file names one process, not whoever has its number later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner import pids


def test_a_running_process_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "web.pid"
    pids.write(path, os.getpid())
    assert pids.read(path) == os.getpid()
    assert path.read_text().splitlines()[0] == str(os.getpid())


def test_a_reused_pid_is_not_taken_for_the_noted_process(tmp_path: Path) -> None:
    path = tmp_path / "web.pid"
    pids.write(path, os.getpid())
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}\n{lines[1]}0\n")
    assert pids.read(path) is None


def test_an_ended_process_is_not_alive_even_as_a_zombie(tmp_path: Path) -> None:
    path = tmp_path / "web.pid"
    popen = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pids.write(path, popen.pid)
    assert pids.read(path) == popen.pid
    popen.kill()
    while Path(f"/proc/{popen.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert pids.read(path) is None
    popen.wait()
    assert pids.identity(popen.pid) is None


def test_garbage_in_a_pid_file_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "web.pid"
    for text in ("", "\n", "abc\n1", "1"):
        path.write_text(text)
        assert pids.read(path) is None
    assert pids.read(tmp_path / "missing.pid") is None


def test_a_group_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    popen = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert popen.stdout is not None
    popen.stdout.readline()
    pids.end_group(popen.pid, signal.SIGTERM, seconds=0.2)
    assert popen.wait() == -signal.SIGKILL


def test_the_command_line_of_a_process_is_found() -> None:
    assert "python" in pids.command_line(os.getpid())
    assert pids.command_line(2**22 + 1) == ""
