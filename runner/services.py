"""PostgreSQL, Valkey and the keys: what the product stands on, started and stopped as one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from runner import files, keys
from runner.child import Child, Process, stop_leftovers
from runner.console import RunError, say, tail
from runner.paths import Var
from runner.postgres import DATABASES, Postgres
from runner.valkey import Valkey

EMBEDDED = ("DATABASE_URL", "KEYSTORE_URL", "REDIS_URL")
TRIES = 4
READY_WITHIN_S = 60.0
# After a power cut the database replays its log first, however long that takes.
RECOVERED_WITHIN_S = 600.0


def check_overrides() -> None:
    """Raises RunError when the caller's environment names half of a database."""
    if bool(os.environ.get("DATABASE_URL")) != bool(os.environ.get("KEYSTORE_URL")):
        raise RunError(
            "DATABASE_URL and KEYSTORE_URL go together: set both or neither. KEYSTORE_URL is the "
            "database of the wrapped data keys, and must not be the one whose rows they seal."
        )


class Busy(RunError):
    """Another ./run holds this data folder."""


class Services:
    """The services of one data folder. Whoever starts them holds its lock until `stop`.

    Use it from the main thread (see `child.Child`).
    """

    def __init__(self, var: Var | Path, *, throwaway: bool = False) -> None:
        """`throwaway` empties the folder at the start: for tests and measurements."""
        self._throwaway = throwaway
        self.var = var if isinstance(var, Var) else Var(var)
        self.children: list[Child] = []
        self.env: dict[str, str] = {}
        """The settings for everything that uses the services; the caller's own ones included."""
        self._postgres: Postgres | None = None
        self._lock: int | None = None

    def start(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Starts what the environment doesn't name, waits until it answers, writes `env.json`.

        Returns early when `interrupted` says so. Raises RunError when somebody else runs this
        folder, a key is missing, or a service does not come up; nothing is left running then.
        """
        check_overrides()
        try:
            self.var.make()
        except OSError as error:
            raise RunError(f"{self.var.root} is not writable: {error.strerror}.") from None
        self._lock = files.try_lock(self.var.lock_file)
        if self._lock is None:
            raise Busy(f"Another ./run already works in {self.var.root}; stop it first.")
        try:
            self._start_locked(interrupted)
        except BaseException:
            self.stop()
            raise

    def _start_locked(self, interrupted: Callable[[], bool]) -> None:
        self.var.env_file.unlink(missing_ok=True)
        left = stop_leftovers(self.var)
        if not os.environ.get("DATABASE_URL"):
            self._postgres = Postgres(self.var)
            if self._postgres.stop_leftover():
                left.append("postgres")
        if self._throwaway:
            self._empty()
        if left:
            say(f"stopped what an earlier run left behind: {', '.join(left)}")
        exists = self._postgres is not None and self._postgres.exists
        keys.make_keys(
            self.var, database=self._postgres.data if self._postgres and exists else None
        )
        if self._postgres:
            self._start_postgres(self._postgres, interrupted)
        valkey = None
        if not os.environ.get("REDIS_URL"):
            valkey = Valkey(self.var)
            self._start_valkey(valkey, interrupted)
        self.publish(self._settings(self._postgres, valkey))

    def _empty(self) -> None:
        """Removes everything but `run/`, in which the lock lies that we hold."""
        for path in self.var.root.iterdir():
            if path != self.var.run:
                shutil.rmtree(path)
        if self._postgres and self._postgres.exists:
            shutil.rmtree(self._postgres.data)
        self.var.make()

    def _start_postgres(self, postgres: Postgres, interrupted: Callable[[], bool]) -> None:
        postgres.prepare()
        child = self._child(postgres.process)
        self._wait(child, lambda: postgres.ready(child.pid), RECOVERED_WITHIN_S, interrupted)

    def _start_valkey(self, valkey: Valkey, interrupted: Callable[[], bool]) -> None:
        self._wait(self._child(valkey.process), valkey.ready, READY_WITHIN_S, interrupted)

    def _child(self, describe: Callable[[], Process]) -> Child:
        child = Child(describe(), var=self.var, env={}, renew=describe)
        child.start()
        self.children.append(child)
        return child

    def _wait(
        self,
        child: Child,
        ready: Callable[[], bool],
        within_s: float,
        interrupted: Callable[[], bool],
    ) -> None:
        end = time.monotonic() + within_s
        while not ready() and not interrupted():
            ended = child.poll()
            if (ended and child.restarts >= TRIES) or time.monotonic() > end:
                log = self.var.log_file(child.name)
                raise RunError(f"{child.name} did not start. The end of {log}:\n{tail(log)}")
            # After a crash PostgreSQL refuses until the last of its old backends has gone.
            if ended:
                child.plan_restart()
            child.restart_if_due()
            time.sleep(0.02)

    def _settings(self, postgres: Postgres | None, valkey: Valkey | None) -> dict[str, str]:
        settings = {
            "STORAGE_URL": f"file://{quote(str(self.var.pictures))}",
            "SECRET_KEY_FILE": str(self.var.secrets / "secret_key"),
            "PLATEWARDEN_VAR": str(self.var.root),
            "PLATEWARDEN_URL": "http://127.0.0.1:8000",
            # One thread for each inference and as many processes as cores: the best throughput.
            "OMP_NUM_THREADS": "1",
        }
        keys.secret(self.var, "secret_key")
        for name, setting in keys.KEYS.items():
            if not keys.given(setting):
                settings[setting] = str(self.var.secrets / name)
        if postgres:
            settings["DATABASE_URL"], settings["KEYSTORE_URL"] = map(postgres.url, DATABASES)
        if valkey:
            settings["REDIS_URL"] = valkey.url
        names = [*settings, *keys.KEYS.values(), *EMBEDDED]
        given = {name: os.environ[name] for name in names if os.environ.get(name)}
        # The folder is the one that was asked for here, which a test's may not be.
        return {**settings, **given, "PLATEWARDEN_VAR": str(self.var.root)}

    def publish(self, settings: dict[str, str]) -> None:
        """Adds settings to `env` and to the file where other commands find it."""
        self.env = {**self.env, **settings}
        files.write_private(self.var.env_file, json.dumps(self.env, indent=1))

    def stop(self, *, now: bool = False) -> None:
        """Stops them, PostgreSQL last, and lets go of the folder. `now` kills at once.

        Harmless when they were never started: the folder may then be somebody else's.
        """
        if self._lock is None:
            return
        for child in reversed(self.children):
            if now:
                child.wait_stopped(0.0)
            else:
                child.stop()
        self.children.clear()
        self.var.env_file.unlink(missing_ok=True)
        if self._postgres:
            self._postgres.clear_socket_folder()
        os.close(self._lock)
        self._lock = None

    def stop_unborrowed(self, interrupted: Callable[[], bool]) -> None:
        """Stops them once no other command uses them any more (see `borrow`), or when told to."""
        handle = None
        while handle is None and not interrupted():
            handle = files.try_lock(self.var.users_lock_file)
            if handle is None:
                time.sleep(0.1)
        self.stop()
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def borrow(var: Var) -> Iterator[dict[str, str] | None]:
    """The settings of services that another ./run keeps up, or None when there are none.

    Whoever started them for one command only doesn't stop them before we are done.
    """
    if not var.run.exists():
        yield None
        return
    with files.lock(var.users_lock_file, shared=True):
        yield running_env(var)


def running_env(var: Var) -> dict[str, str] | None:
    """The settings of services that somebody runs in this folder; None when nobody does.

    Waits while they are being started.
    """
    while files.is_locked(var.lock_file):
        try:
            env: dict[str, str] = json.loads(var.env_file.read_text())
            return env
        except FileNotFoundError:
            time.sleep(0.1)
    return None
