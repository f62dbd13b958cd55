"""One supervised process: started, watched, restarted with a back-off, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner import files, pids
from runner.paths import ROOT, Var

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0
STEADY_AFTER_S = 10.0


@dataclass(frozen=True)
class Process:
    """What to run: a row of the table in `processes`, or one of the two services."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment that every child gets."""
    stop_signal: signal.Signals = signal.SIGTERM
    """Its orderly end, sent by `stop` and by the kernel when the supervisor dies."""
    grace_s: float = 10.0
    """How long an orderly end may take before it is killed."""
    user: str | None = None
    """Whom to become, as `launch` understands it; None stays who we are."""
    nice: int = 0
    """By how much others go before it where cores are short."""


def launcher(
    argv: tuple[str, ...],
    *,
    pid_file: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    nice: int = 0,
    private: bool = True,
) -> list[str]:
    """The command line that becomes `argv` by way of `launch`.

    `private` gives the files it makes to its own account only.
    """
    options = {
        "pid_file": str(pid_file) if pid_file else None,
        "parent": os.getpid(),
        "death_signal": int(death_signal),
        "user": user,
        "nice": nice,
        "private": private,
    }
    shim = str(ROOT / "runner" / "launch.py")
    return [sys.executable, "-I", "-S", shim, json.dumps(options), *argv]


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signals a process we started in a session of its own, and all it started in turn."""
    # macOS answers EPERM for a group of which only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


class Child:
    """A `Process` and the life it leads. Use it from the main thread only: the kernel takes
    the end of the *thread* that started a process for the end of its parent.
    """

    def __init__(
        self,
        process: Process,
        *,
        var: Var,
        env: Mapping[str, str],
        renew: Callable[[], Process] | None = None,
    ) -> None:
        """`renew` describes the process anew before a restart, for one that depends on what
        its last end left behind.
        """
        self.process = process
        self._renew = renew
        self.restarts = 0
        self.last_exit: int | None = None
        self._var = var
        self._env = env
        self._popen: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._delay = FIRST_DELAY_S
        self._due_at: float | None = None

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def pid(self) -> int | None:
        """The pid while it runs."""
        return self._popen.pid if self._popen else None

    @property
    def state(self) -> str:
        """`running`, `waiting` (for its restart) or `stopped`."""
        if self._popen:
            return "running"
        return "waiting" if self._due_at is not None else "stopped"

    @property
    def due_in_s(self) -> float | None:
        """Seconds until its restart; None when none is pending."""
        return None if self._due_at is None else max(0.0, self._due_at - time.monotonic())

    def start(self) -> None:
        """Starts it; its output is added to `log/NAME.log`. Raises OSError when it can't fork."""
        log_path = self._var.log_file(self.name)
        files.rotate(log_path)
        handle = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._popen = subprocess.Popen(
                launcher(
                    self.process.argv,
                    pid_file=self._var.pid_file(self.name),
                    death_signal=self.process.stop_signal,
                    user=self.process.user,
                    nice=self.process.nice,
                ),
                cwd=ROOT,
                env={**os.environ, **self._env, **self.process.env},
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,
            )
        finally:
            os.close(handle)
        self._started_at = time.monotonic()
        self._due_at = None

    def poll(self) -> bool:
        """Looks whether it has ended; True when it has just now.

        What it left running in its group is killed: a worker's children may not outlive it and
        hold rows that its successor wants.
        """
        if self._popen is None or self._popen.poll() is None:
            return False
        self._ended()
        return True

    def plan_restart(self) -> float:
        """Sets the moment of its restart, later each time it fails quickly; the delay in s."""
        if time.monotonic() - self._started_at >= STEADY_AFTER_S:
            self._delay = FIRST_DELAY_S
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY_S)
        self._due_at = time.monotonic() + delay
        return delay

    def restart_if_due(self) -> bool:
        """Starts it when its moment has come; True when it did."""
        if self._due_at is None or time.monotonic() < self._due_at:
            return False
        self.restarts += 1
        if self._renew:
            self.process = self._renew()
        self.start()
        return True

    def ask_to_stop(self) -> None:
        """Sends its stop signal to the process itself, which ends its own children in order."""
        self._due_at = None
        if self._popen and self._popen.poll() is None:
            self._popen.send_signal(self.process.stop_signal)

    def wait_stopped(self, until: float) -> None:
        """Waits for its end until the monotonic moment `until`, then kills what is left."""
        if self._popen is None:
            return
        try:
            self._popen.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            signal_group(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
        self._ended()

    def stop(self) -> None:
        """Asks, waits `grace_s`, kills."""
        self.ask_to_stop()
        self.wait_stopped(time.monotonic() + self.process.grace_s)

    def _ended(self) -> None:
        assert self._popen is not None
        signal_group(self._popen.pid, signal.SIGKILL)
        self.last_exit = self._popen.returncode
        self._popen = None
        self._var.pid_file(self.name).unlink(missing_ok=True)


def stop_leftovers(var: Var) -> list[str]:
    """Stops what a killed supervisor left running; the names. The folder's lock must be held.

    Applications before services, so that what they are finishing still finds its database.
    """
    stopped = []
    services = {"valkey": signal.SIGTERM, "postgres": signal.SIGINT}
    order = [path for path in sorted(var.run.glob("*.pid")) if path.stem not in services]
    order += [var.pid_file(name) for name in services]
    for path in order:
        pid = pids.read(path)
        if pid is not None:
            pids.end_group(pid, services.get(path.stem, signal.SIGTERM), seconds=10)
            stopped.append(path.stem)
        path.unlink(missing_ok=True)
    return stopped
