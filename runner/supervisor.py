"""Keeps the processes running until it is asked to stop, or until its guest has finished."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Self

from runner import files
from runner.child import Child, Process, launcher
from runner.console import RunError, say, tail
from runner.paths import ROOT
from runner.services import Services

WEB_READY_WITHIN_S = 120.0
TRIES_BEFORE_READY = 3
ROTATE_EVERY_S = 60.0


class Signals:
    """Turns signals into a wish that loops can look at, and wakes the one that waits.

    A handler that raised would tear a start or a stop in the middle.
    """

    HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.stop_asked = 0
        """How often we were asked to stop. Twice means: at once."""
        self.last = signal.SIGTERM
        """The signal that asked last."""

    def __enter__(self) -> Self:
        self._readable, self._writable = os.pipe()
        for handle in (self._readable, self._writable):
            os.set_blocking(handle, False)
        self._old_wakeup = signal.set_wakeup_fd(self._writable, warn_on_full_buffer=False)
        self._old = {
            number: signal.signal(number, self._ask)
            for number in self.HANDLED
            # Left alone under nohup.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }
        # Its only use is to end the wait: children are looked at in the loop.
        self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        os.close(self._readable)
        os.close(self._writable)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.stop_asked += 1
        self.last = signal.Signals(number)

    def stop_wanted(self) -> bool:
        """Whether we were asked to stop."""
        return self.stop_asked > 0

    def wait(self, seconds: float) -> None:
        """Waits for a signal, at most so long."""
        ready, _, _ = select.select([self._readable], [], [], max(0.0, seconds))
        if ready:
            os.read(self._readable, 4096)


def answers(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def run_guest(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Starts a command of the user's on our terminal, in the user's folder; it ends when we do."""
    return subprocess.Popen(
        launcher(tuple(command), private=False),
        env={**os.environ, **env, "PYTHONPATH": str(ROOT)},
    )


def run_foreground(command: Sequence[str], env: Mapping[str, str], signals: Signals) -> int:
    """Runs a guest to its end, passing on what we are asked; its exit code, as a shell's."""
    if signals.stop_wanted():
        return 128 + signals.last
    popen = run_guest(command, env)
    passed_on = 0
    while popen.poll() is None:
        signals.wait(60)
        if signals.stop_asked > passed_on:
            passed_on = signals.stop_asked
            # A Ctrl-C reaches everything on the terminal, us and the guest alike.
            if signals.last != signal.SIGINT or not os.isatty(0):
                popen.send_signal(signals.last if passed_on < 3 else signal.SIGKILL)
    return _shell_code(popen.returncode)


class Supervisor:
    """Runs `processes` over started `services`. Use it from the main thread, inside `Signals`."""

    def __init__(
        self,
        services: Services,
        processes: Sequence[Process],
        *,
        signals: Signals,
        env: Mapping[str, str],
        web: tuple[str, int] | None = None,
        url: str = "",
    ) -> None:
        """`web` is the address at which the site is up once it accepts connections."""
        self._services = services
        self._signals = signals
        self._env = env
        self._web = web
        self._url = url
        self._var = services.var
        self._children = [Child(p, var=services.var, env=env) for p in processes]
        self._status = ""
        self._rotate_at = time.monotonic() + ROTATE_EVERY_S

    def start(self) -> None:
        """Starts everything and waits until the site answers. Raises RunError when it doesn't.

        Returns early when asked to stop.
        """
        for child in self._children:
            child.start()
        end = time.monotonic() + WEB_READY_WITHIN_S
        while self._web and not answers(*self._web) and not self._signals.stop_wanted():
            self._tick()
            for child in self._children:
                if child.restarts >= TRIES_BEFORE_READY:
                    raise self._failure(child, f"ended {child.restarts} times while starting")
            if time.monotonic() > end:
                raise self._failure(self._children[0], "does not answer")
            self._signals.wait(0.1)

    def run(self, guest: Sequence[str] | None = None, *, once: bool = False) -> int:
        """Supervises until asked to stop; with `once`, until the guest ends. The exit code."""
        popen = run_guest(guest, self._env) if guest and not self._signals.stop_wanted() else None
        code = 0
        try:
            while not self._signals.stop_wanted():
                if popen and popen.poll() is not None:
                    code, popen = popen.returncode, None
                    if once:
                        return _shell_code(code)
                    if code:
                        say(f"it ended with {_how(code)}; the site stays up until Ctrl-C")
                self._tick()
                self._signals.wait(self._next_moment())
        finally:
            if popen:
                self._end_guest(popen)
        # Asked to stop before the guest had finished what it was started for.
        return 128 + self._signals.last if once else _shell_code(code)

    def stop(self) -> None:
        """Stops the processes in order; a second wish to stop, or the grace's end, kills."""
        order = list(reversed(self._children))
        began = time.monotonic()
        for child in order:
            child.ask_to_stop()
        while any(child.pid for child in order) and self._signals.stop_asked < 2:
            for child in order:
                child.poll()
                if time.monotonic() > began + child.process.grace_s:
                    child.wait_stopped(0.0)
            self._signals.wait(0.1)
        for child in order:
            child.wait_stopped(0.0)
        self._var.status_file.unlink(missing_ok=True)

    def _all(self) -> list[Child]:
        return [*self._services.children, *self._children]

    def _tick(self) -> None:
        for child in self._all():
            if child.poll():
                delay = child.plan_restart()
                say(f"{child.name} ended ({_how(child.last_exit)}); restarting in {delay:g} s")
            try:
                child.restart_if_due()
            except OSError as error:
                say(f"{child.name} cannot be started: {error.strerror}")
                child.plan_restart()
        # A full disk may not take the supervisor down with what it supervises.
        with contextlib.suppress(OSError):
            if time.monotonic() >= self._rotate_at:
                self._rotate_at = time.monotonic() + ROTATE_EVERY_S
                for child in self._all():
                    files.rotate(self._var.log_file(child.name))
            self._write_status()

    def _next_moment(self) -> float:
        waits = [child.due_in_s for child in self._all()]
        due = [wait for wait in waits if wait is not None]
        return min([*due, self._rotate_at - time.monotonic()])

    def _write_status(self) -> None:
        status = json.dumps(
            {
                "pid": os.getpid(),
                "url": self._url,
                "processes": [
                    {"name": c.name, "pid": c.pid, "state": c.state, "restarts": c.restarts}
                    for c in self._all()
                ],
            }
        )
        if status != self._status:
            files.write_private(self._var.status_file, status)
            self._status = status

    def _failure(self, child: Child, what: str) -> RunError:
        log = self._var.log_file(child.name)
        return RunError(f"{child.name} {what}. The end of {log}:\n{tail(log)}")

    def _end_guest(self, popen: subprocess.Popen[bytes]) -> None:
        popen.send_signal(signal.SIGTERM)
        try:
            popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def _shell_code(code: int) -> int:
    """A return code as a shell tells it: 128 and the signal for one that was killed."""
    return 128 - code if code < 0 else code


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
