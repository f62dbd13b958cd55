"""`./run demo --video FILE`: the video is a camera's picture for a real agent process.

The agent runs from its own environment, without anything of the server. It is set up as a device
is: with a token that becomes its key. Everything it sees reaches the site through the same API as
any camera's; what came of it is asked for as an operator does.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from demo.client import DemoError, Operator
from demo.programme import Item, ProgrammeError

ROOT = Path(__file__).resolve().parent.parent
CAMERA = "video"  # as demo.operator names it
PAGE_PASSWORD = "demonstration"  # noqa: S105 - of a page on this machine, while the demo runs
_STOP_S = 15.0


@dataclass(frozen=True)
class Seen:
    """A capture that arrived from the agent."""

    capture_id: str
    kind: str
    captured_at: datetime


def say(text: str = "") -> None:
    """To people: stderr, so that `--json` keeps stdout for itself."""
    print(text, file=sys.stderr, flush=True)


class Agent:
    """One agent process on a folder of its own; `with` ends it."""

    def __init__(
        self,
        command: str,
        source: Path,
        folder: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        loop: bool = False,
    ) -> None:
        if not source.exists():
            raise ProgrammeError(f"there is no {source}")
        self._command = command
        self.port = _free_port()
        self.data = folder / "data"
        self.config = folder / "agent.toml"
        self.log = folder / "agent.log"
        chosen = {"mode": "auto", "heartbeat_seconds": 5, **(settings or {})}
        lines = [
            f"data = {_toml(str(self.data))}",
            "[source]",
            f"address = {_toml(str(source.resolve()))}",
            f"loop = {_toml(loop)}",
            "[page]",
            f"port = {self.port}",
            f"password_hash = {_toml(self._said('password', stdin=PAGE_PASSWORD))}",
            "[settings]",
            *(f"{name} = {_toml(value)}" for name, value in chosen.items()),
        ]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def enrol(self, token: str) -> str:
        """Become a camera of the site; what the agent says of it."""
        return self._said("--config", str(self.config), "enrol", "-", stdin=token)

    def __enter__(self) -> "Agent":
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._command, "--config", str(self.config), "run"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ended(self) -> bool:
        """Whether the video is through and everything was sent. DemoError where it failed."""
        assert self._process is not None
        code = self._process.poll()
        if code:
            raise DemoError(f"the agent ended with {code}: {self._log_end()}")
        return code == 0

    def terminate(self) -> None:
        """Ask it to end, as systemd does."""
        assert self._process is not None
        self._process.terminate()

    def kill(self) -> None:
        """As when the power fails."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _said(self, *arguments: str, stdin: str) -> str:
        done = subprocess.run(
            [self._command, *arguments],
            input=stdin + "\n",
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"the agent: {done.stderr.strip()[-400:]}")
        return done.stdout.strip()

    @staticmethod
    def _environment() -> dict[str, str]:
        """Nothing of the server's: neither its settings nor its modules."""
        return {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "TMPDIR")
            if name in os.environ
        } | {"OMP_NUM_THREADS": "1"}

    def _log_end(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace").strip()[-400:]


class Arrivals:
    """The captures of the agent's camera as they arrive at the site; `with` ends it."""

    def __init__(self, since: str) -> None:
        self.seen: list[Seen] = []
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "demo_captures", CAMERA, since],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            row = json.loads(line)
            at = datetime.fromisoformat(row["captured_at"])
            self.seen.append(Seen(row["id"], row["kind"], at))

    def close(self) -> None:
        """Look once more, then end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._thread.join(_STOP_S)
        if self._process.wait(_STOP_S):
            raise DemoError("demo_captures failed")


def play_video(
    command: str, video: Path, made: dict[str, Any], operator: Operator
) -> list[tuple[Item, str]]:
    """Let an agent watch the video to its end; what arrived, each with its capture's id, in the
    order of time.
    """
    with tempfile.TemporaryDirectory(prefix="platewarden-demo-") as name:
        agent = Agent(command, video, Path(name))
        say(f"  {agent.enrol(made['setup_tokens'][CAMERA])}")
        say(f"  Its own page: http://127.0.0.1:{agent.port}/ (password: {PAGE_PASSWORD})")
        told: set[str] = set()
        with closing(Arrivals(made["since"])) as arrivals, agent:
            while not agent.ended():
                _tell(arrivals.seen, told, operator)
                time.sleep(0.3)
    return [
        (_item(one), one.capture_id)
        for one in sorted(arrivals.seen, key=lambda seen: seen.captured_at)
    ]


def _item(seen: Seen) -> Item:
    return Item(
        name=f"{seen.kind} of {seen.captured_at:%H:%M:%S.%f}"[:-4],
        camera=CAMERA,
        captured_at=seen.captured_at,
        group="video",
    )


def _tell(seen: list[Seen], told: set[str], operator: Operator) -> None:
    """A line for each capture the first time its plate is known."""
    for one in seen.copy():
        if one.capture_id in told:
            continue
        reads = operator.reads(one.capture_id)
        if reads:
            told.add(one.capture_id)
            say(f"  {one.captured_at:%H:%M:%S}  {reads[0]['text']}  {reads[0]['score']:.2f}")


def _toml(value: bool | int | float | str) -> str:
    return json.dumps(value)  # of these kinds TOML and JSON write alike


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
