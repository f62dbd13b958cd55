"""A whole site of its own for a test: `./run serve` on a folder and port of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import requests

ROOT = Path(__file__).resolve().parents[2]
OURS = re.compile(
    r"^(PLATEWARDEN_|DATABASE_URL|KEYSTORE_URL|REDIS_URL|STORAGE_URL|SECRET_KEY_FILE)"
)
KEPT = {"PLATEWARDEN_DATA"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: str, check: Callable[[], Any], seconds: float, pause: float = 0.1) -> Any:
    """The first true answer of `check`; AssertionError naming `what` when it takes too long."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(pause)


class LiveSite:
    """`./run serve` as a user starts it, with its services, workers and web."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var = var
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.temporary = var.parent / f"{var.name}-tmp"
        self.temporary.mkdir(exist_ok=True)
        self.env = {
            name: value
            for name, value in os.environ.items()
            if name in KEPT or not OURS.match(name)
        } | {"PLATEWARDEN_VAR": str(var), "TMPDIR": str(self.temporary), **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.var.parent / f"{self.var.name}-run.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "run"), "serve", "--port", str(self.port)],
            env=self.env,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        until("the site answers", self.answers, 120)
        until("every worker runs", self.all_running, 60)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "./run serve ended"
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """Ask it to stop, as Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def run(
        self, *arguments: str, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """A `./run` command beside the running site."""
        return subprocess.run(
            [sys.executable, str(ROOT / "run"), *arguments],
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=300,
        )

    def status(self) -> list[dict[str, Any]]:
        """What `./run status --json` says of each process."""
        said = json.loads(self.run("status", "--json").stdout)
        return list(said["processes"] if isinstance(said, dict) else said)

    def all_running(self) -> bool:
        return all(self.pid(name) for name in self.names())

    def names(self) -> list[str]:
        return ["web", "beat", "worker-recognise", "worker-flow", "worker-house"]

    def pid(self, name: str) -> int | None:
        """The pid of a process; None while it isn't there."""
        path = self.var / "run" / f"{name}.pid"
        try:
            pid = int(path.read_text().split()[0])
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return pid

    def kill(self, name: str) -> int:
        """`kill -9` a process and whatever it forked, as a crash of its machine would."""
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        for one in [*descendants(pid), pid]:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return pid

    def back(self, name: str, old: int) -> None:
        """Wait until the supervisor has brought `name` back."""
        until(f"{name} is back", lambda: self.pid(name) not in (None, old), 30)

    def services(self) -> dict[str, str]:
        """The environment of the services."""
        return dict(json.loads((self.var / "run" / "env.json").read_text()))

    @contextmanager
    def database(self, name: str = "DATABASE_URL") -> Iterator[Any]:
        """A cursor on one of the site's databases."""
        connection = psycopg2.connect(self.services()[name])
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.database() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def demo(self, *arguments: str) -> dict[str, Any]:
        """`manage demo_setup`: fresh keys and log-ins."""
        done = self.run("manage", "demo_setup", *arguments)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return dict(json.loads(done.stdout.decode().splitlines()[-1]))


def descendants(pid: int) -> list[int]:
    """Children of children, deepest first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [one for child in children for one in [*descendants(int(child)), int(child)]]
