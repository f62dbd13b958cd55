"""The supervisor's loop, with processes and a guest of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runner import supervisor as supervisor_module
from runner.child import Process
from runner.console import RunError
from runner.paths import ROOT, Var
from runner.services import Services
from runner.supervisor import Signals, Supervisor, run_foreground
from runner.valkey import free_port
from tests.unit.runner.looking import is_alive, pid_of, until

SLEEP = "import signal; signal.pause()"
SERVE = "import http.server, sys; http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')"


def process(name: str, code: str, *arguments: str) -> Process:
    return Process(name, (sys.executable, "-c", code, *arguments))


def supervise(
    var: Var, signals: Signals, *processes: Process, web: tuple[str, int] | None = None
) -> Supervisor:
    return Supervisor(Services(var), processes, signals=signals, env={}, web=web)


def ask_when(condition_path: Path, number: signal.Signals) -> threading.Thread:
    """Signals this process once a file is there."""

    def wait_and_signal() -> None:
        until(condition_path.exists)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait_and_signal)
    thread.start()
    return thread


@pytest.mark.parametrize(("code", "expected"), [("pass", 0), ("raise SystemExit(5)", 5)])
def test_with_once_the_guests_exit_code_is_ours(
    var: Var, signals: Signals, code: str, expected: int
) -> None:
    supervisor = supervise(var, signals, process("web", SLEEP))
    supervisor.start()
    until(var.pid_file("web").exists)  # the guest may be quicker than the process that writes it
    try:
        assert supervisor.run([sys.executable, "-c", code], once=True) == expected
        pid = pid_of(var.pid_file("web"))
        assert is_alive(pid)
    finally:
        supervisor.stop()
    assert not is_alive(pid)


def test_a_guest_that_is_killed_counts_as_a_failure(var: Var, signals: Signals) -> None:
    supervisor = supervise(var, signals)
    code = "import os; os.kill(os.getpid(), 9)"
    assert supervisor.run([sys.executable, "-c", code], once=True) == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_site_that_stays_up_after_its_guest(
    var: Var, signals: Signals, tmp_path: Path, number: signal.Signals
) -> None:
    supervisor = supervise(var, signals, process("web", SLEEP))
    supervisor.start()
    note = tmp_path / "played"
    thread = ask_when(note, number)
    guest = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').close()", str(note)]
    try:
        supervisor.run(guest)
        assert signals.stop_asked == 1
    finally:
        supervisor.stop()
        thread.join()
    assert not var.pid_file("web").exists()


def test_a_signal_before_the_guest_is_done_is_not_told_as_success(
    var: Var, signals: Signals, tmp_path: Path
) -> None:
    note = tmp_path / "playing"
    thread = ask_when(note, signal.SIGTERM)
    code = "import sys, signal; open(sys.argv[1], 'w').close(); signal.pause()"
    guest = [sys.executable, "-c", code, str(note)]
    assert supervise(var, signals).run(guest, once=True) == 128 + signal.SIGTERM
    thread.join()


def test_a_process_that_ends_is_started_again(var: Var, signals: Signals, tmp_path: Path) -> None:
    note = tmp_path / "killed"
    kill = (
        "import json, os, signal, sys, time\n"
        "from pathlib import Path\n"
        "pid_file, status, note = map(Path, sys.argv[1:])\n"
        "first = int(pid_file.read_text().split()[0])\n"
        "os.kill(first, signal.SIGKILL)\n"
        "while True:\n"
        "    time.sleep(0.05)\n"
        "    web = json.loads(status.read_text())['processes'][0]\n"
        "    if web['restarts'] == 1 and web['state'] == 'running': break\n"
        "note.write_text(json.dumps([first, web]))\n"
    )
    supervisor = supervise(var, signals, process("web", SLEEP))
    supervisor.start()
    until(var.pid_file("web").exists)
    guest = [sys.executable, "-c", kill]
    guest += [str(path) for path in (var.pid_file("web"), var.status_file, note)]
    try:
        assert supervisor.run(guest, once=True) == 0
        first, web = json.loads(note.read_text())
        until(var.pid_file("web").exists)
        assert web["name"] == "web"
        assert web["pid"] != first
        assert is_alive(web["pid"])
    finally:
        supervisor.stop()
    assert not var.status_file.exists()


def test_a_site_is_up_when_it_answers(var: Var, signals: Signals) -> None:
    port = free_port(30_100)
    supervisor = supervise(var, signals, process("web", SERVE, str(port)), web=("127.0.0.1", port))
    try:
        supervisor.start()
        assert supervisor_module.answers("127.0.0.1", port)
    finally:
        supervisor.stop()


def test_a_site_that_cannot_start_says_why(
    var: Var, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "TRIES_BEFORE_READY", 1)
    broken = process("web", "raise SystemExit('the settings are wrong')")
    supervisor = supervise(var, signals, broken, web=("127.0.0.1", free_port(30_200)))
    try:
        with pytest.raises(RunError, match="the settings are wrong"):
            supervisor.start()
    finally:
        supervisor.stop()


def test_a_second_wish_to_stop_kills_at_once(var: Var, signals: Signals, tmp_path: Path) -> None:
    note = tmp_path / "up"
    stubborn = (
        "import signal, sys; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w').close()\n"
        "while True: signal.pause()"
    )
    slow = Process("web", (sys.executable, "-c", stubborn, str(note)), grace_s=3600)
    supervisor = supervise(var, signals, slow)
    supervisor.start()
    until(note.exists)
    pid = pid_of(var.pid_file("web"))
    signals.stop_asked = 2
    supervisor.stop()
    assert not is_alive(pid)


def test_a_foreground_command_gets_the_signals_meant_for_it(
    signals: Signals, tmp_path: Path
) -> None:
    note = tmp_path / "up"
    thread = ask_when(note, signal.SIGTERM)
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "open(sys.argv[1], 'w').close()\n"
        "while True: signal.pause()"
    )
    assert run_foreground([sys.executable, "-c", code, str(note)], {}, signals) == 7
    thread.join()


def test_signals_are_put_back_and_nohup_is_respected() -> None:
    before = signal.getsignal(signal.SIGTERM)
    old_hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals():
            assert signal.getsignal(signal.SIGTERM) != before
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, old_hangup)
    assert signal.getsignal(signal.SIGTERM) == before


SUPERVISED = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from pathlib import Path\n"
    "from runner.child import Process\n"
    "from runner.paths import Var\n"
    "from runner.services import Services\n"
    "from runner.supervisor import Signals, Supervisor\n"
    "with Signals() as signals:\n"
    "    table = [Process('web', (sys.executable, '-c', sys.argv[3]))]\n"
    "    site = Supervisor(Services(Path(sys.argv[2])), table, signals=signals, env={})\n"
    "    site.start()\n"
    "    guest = [sys.executable, '-c', sys.argv[3]]\n"
    "    site.run(guest)\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_killed_supervisor_leaves_neither_processes_nor_its_guest(var: Var) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED, str(ROOT), str(var.root), SLEEP]
    )
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    until(lambda: len(children.read_text().split()) == 2)
    pids = [int(pid) for pid in children.read_text().split()]
    # Both have become what they were started for, and so have asked for the signal.
    until(lambda: all(b"launch.py" not in _command(pid) for pid in pids))
    supervisor.kill()
    supervisor.wait()
    until(lambda: not any(is_alive(pid) for pid in pids))


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_wait_ends_with_a_signal(signals: Signals) -> None:
    began = time.monotonic()
    os.kill(os.getpid(), signal.SIGTERM)
    signals.wait(3600)
    assert signals.stop_wanted()
    assert signals.last == signal.SIGTERM
    assert time.monotonic() - began < 3600
