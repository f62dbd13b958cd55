"""One supervised process: started, restarted, stopped, and not outliving its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import child as child_module
from runner import pids
from runner.child import Child, Process, stop_leftovers
from runner.paths import ROOT, Var
from tests.unit.runner.looking import is_alive, pid_of, until

SLEEP = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\n"
    "while True: signal.pause()"
)
WITH_CHILD = (
    "import subprocess, sys, signal\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "open(sys.argv[1], 'w').write(str(p.pid)); print('up', flush=True); signal.pause()"
)


def python(var: Var, code: str, *arguments: str, grace_s: float = 10.0) -> Child:
    argv = (sys.executable, "-c", code, *arguments)
    return Child(Process("fake", argv, grace_s=grace_s), var=var, env={})


def up(var: Var) -> Callable[[], bool]:
    log = var.log_file("fake")
    return lambda: log.exists() and "up" in log.read_text()


def test_a_process_is_written_down_by_its_own_pid_and_forgotten_at_its_end(var: Var) -> None:
    child = python(var, SLEEP)
    child.start()
    until(up(var))
    assert child.state == "running"
    assert pids.read(var.pid_file("fake")) == child.pid
    child.stop()
    assert child.last_exit == -signal.SIGTERM
    assert child.state == "stopped"
    assert not var.pid_file("fake").exists()


def test_it_starts_without_ignored_signals_and_makes_private_files(
    var: Var, tmp_path: Path
) -> None:
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25), so another program is asked.
    child = Child(
        Process(
            "fake",
            ("/bin/sh", "-c", 'grep SigIgn /proc/self/status; : > "$0"', str(tmp_path / "x")),
        ),
        var=var,
        env={},
    )
    child.start()
    until(child.poll)
    said = var.log_file("fake").read_text()
    ignored = int(said.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))
    assert (tmp_path / "x").stat().st_mode & 0o077 == 0


def test_one_that_ignores_the_stop_signal_is_killed_with_its_group(var: Var) -> None:
    child = python(var, STUBBORN, grace_s=0.2)
    child.start()
    until(up(var))
    child.stop()
    assert child.last_exit == -signal.SIGKILL


def test_what_a_killed_process_leaves_in_its_group_is_killed(var: Var, tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    child = python(var, WITH_CHILD, str(note))
    child.start()
    until(up(var))
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    until(child.poll)
    until(lambda: not is_alive(pid_of(note)))


def test_restarts_come_quickly_first_and_then_ever_later(
    var: Var, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = python(var, "raise SystemExit(3)")
    delays = []
    for _ in range(7):
        child.start()
        until(child.poll)
        delays.append(child.plan_restart())
    assert child.last_exit == 3
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    monkeypatch.setattr(child_module, "STEADY_AFTER_S", 0.0)
    assert child.plan_restart() == 0.5


def test_a_restart_waits_for_its_moment_and_is_counted(
    var: Var, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = python(var, SLEEP)
    child.start()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    until(child.poll)
    monkeypatch.setattr(child_module, "FIRST_DELAY_S", 3600.0)
    child._delay = 3600.0
    child.plan_restart()
    assert not child.restart_if_due()
    assert child.state == "waiting"
    child._due_at = time.monotonic()
    assert child.restart_if_due()
    assert (child.restarts, child.state) == (1, "running")
    child.stop()


def test_a_renewed_process_is_described_again_at_its_restart(var: Var) -> None:
    made = iter(["first", "second"])

    def describe() -> Process:
        return Process("fake", (sys.executable, "-c", f"print('{next(made)}')"))

    child = Child(describe(), var=var, env={}, renew=describe)
    child.start()
    until(child.poll)
    child.plan_restart()
    until(child.restart_if_due)
    until(child.poll)
    assert var.log_file("fake").read_text().split() == ["first", "second"]


def test_a_program_that_is_not_there_is_told_in_the_log(var: Var) -> None:
    child = Child(Process("fake", ("/nonexistent/program",)), var=var, env={})
    child.start()
    until(child.poll)
    assert child.last_exit == 1
    assert "cannot start /nonexistent/program" in var.log_file("fake").read_text()


SUPERVISOR = (
    "import sys, time; sys.path.insert(0, sys.argv[1])\n"
    "from pathlib import Path\n"
    "from runner.child import Child, Process\n"
    "from runner.paths import Var\n"
    "Child(Process('fake', (sys.executable, '-c', sys.argv[3])), var=Var(Path(sys.argv[2])), "
    "env={}).start()\n"
    "time.sleep(600)"
)


def start_and_kill_supervisor(var: Var, code: str) -> int:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(ROOT), str(var.root), code]
    )
    until(up(var))
    pid = pid_of(var.pid_file("fake"))
    supervisor.kill()
    supervisor.wait()
    return pid


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_killed_supervisor_takes_its_processes_along(var: Var) -> None:
    pid = start_and_kill_supervisor(var, SLEEP)
    until(lambda: not is_alive(pid))


def test_what_survives_a_killed_supervisor_is_stopped_by_the_next(
    var: Var, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = start_and_kill_supervisor(var, STUBBORN)
    assert is_alive(pid)
    ends = []

    def end_group(pid: int, first: signal.Signals, seconds: float) -> None:
        ends.append(first)
        os.killpg(pid, signal.SIGKILL)

    monkeypatch.setattr(pids, "end_group", end_group)
    assert stop_leftovers(var) == ["fake"]
    assert ends == [signal.SIGTERM]
    assert list(var.run.glob("*.pid")) == []
    until(lambda: not is_alive(pid))


def test_a_leftover_file_whose_pid_somebody_else_has_now_harms_nobody(var: Var) -> None:
    var.pid_file("web").write_text(f"{os.getpid()}\nanother-boot:1\n")
    assert stop_leftovers(var) == []
    assert not var.pid_file("web").exists()
