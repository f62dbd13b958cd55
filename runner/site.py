"""The whole site: services, database migrations, static files, then the processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner import files, processes
from runner.child import launcher
from runner.console import RunError, say, tail
from runner.paths import ROOT, VENV_PYTHON, Var
from runner.services import Services
from runner.supervisor import Signals, Supervisor
from runner.valkey import free_port, port_is_free

DEFAULT_PORT = 8000
STATIC_BUILT = ROOT / "static_built"


def choose_port(asked: int | None, bind: str) -> int:
    """The asked-for port, or the first free one from 8000. Raises RunError when it is taken."""
    if asked is None:
        return free_port(DEFAULT_PORT, host=bind)
    if not port_is_free(asked, bind):
        raise RunError(
            f"Port {asked} of {bind} is taken or not allowed. Stop what listens there, or name "
            "another: --port N."
        )
    return asked


def public_url(bind: str, port: int) -> str:
    """The address people use: PLATEWARDEN_URL, or the one on this machine."""
    return os.environ.get("PLATEWARDEN_URL") or local_url(bind, port)


def local_host(bind: str) -> str:
    """The address at which this machine reaches a server that listens on `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104


def local_url(bind: str, port: int) -> str:
    """The address of the site without what may stand before it."""
    host = local_host(bind)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def manage(*arguments: str) -> list[str]:
    """The command line of a management command."""
    return [str(VENV_PYTHON), str(ROOT / "manage.py"), *arguments]


def migrate(var: Var, env: Mapping[str, str], signals: Signals) -> None:
    """Brings both databases to the shape this version needs."""
    _step("migrations", var, env, signals, manage("migrate", "--noinput"))
    _step("migrations", var, env, signals, manage("migrate", "--noinput", "--database", "keys"))


def build_static(var: Var, env: Mapping[str, str], signals: Signals) -> None:
    """Collects static files where any of them has changed since the last time."""
    with files.lock(ROOT / "static"):
        stamp, wanted = STATIC_BUILT / ".stamp", _static_fingerprint()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        say("collecting static files")
        command = manage("collectstatic", "--noinput", "-v", "0")
        _step("collectstatic", var, env, signals, command)
        if not signals.stop_wanted():
            stamp.write_text(wanted)


def _static_fingerprint() -> str:
    """Changes when a static file of ours does, or the packages that bring others."""
    digest = hashlib.sha256((ROOT / "requirements" / "base.txt").read_bytes())
    digest.update((ROOT / "alpr_site" / "settings.py").read_bytes())
    folders = [ROOT / "static", *ROOT.glob("[a-z]*/static"), *ROOT.glob("[a-z]*/[a-z]*/static")]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                facts = path.stat()
                digest.update(f"{path}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _step(
    name: str, var: Var, env: Mapping[str, str], signals: Signals, command: Sequence[str]
) -> None:
    """Runs a command to its end, its output in `log/NAME.log`, unless asked to stop."""
    if signals.stop_wanted():
        return
    log = var.log_file(name)
    files.rotate(log)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        popen = subprocess.Popen(
            launcher(tuple(command), private=False),
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
        )
    finally:
        os.close(handle)
    while popen.poll() is None:
        signals.wait(60)
        if signals.stop_wanted():
            popen.send_signal(signal.SIGTERM)
    if popen.returncode != 0 and not signals.stop_wanted():
        raise RunError(f"{name} failed. The end of {log}:\n{tail(log)}")


def run_site(
    var: Var,
    *,
    bind: str = "127.0.0.1",
    port: int | None = None,
    guest: Callable[[str], Sequence[str]] | None = None,
    once: bool = False,
    throwaway: bool = False,
) -> int:
    """Starts everything, supervises it until asked to stop, stops everything. The exit code.

    `guest` gives the command line to run beside the site, from the site's address; with `once`
    the site goes down with it and its exit code is ours. Raises RunError when the site can't
    start; nothing is left running then.
    """
    with Signals() as signals:
        services = Services(var, throwaway=throwaway)
        supervisor = None
        say("starting PostgreSQL and Valkey")
        try:
            services.start(signals.stop_wanted)
            port = choose_port(port, bind)
            url = public_url(bind, port)
            services.publish({"PLATEWARDEN_URL": url})
            env = services.env
            say("bringing the database up to date")
            migrate(var, env, signals)
            build_static(var, env, signals)
            if signals.stop_wanted():
                return 128 + signals.last
            say("starting web, workers and beat")
            supervisor = Supervisor(
                services,
                processes.table(var, bind=bind, port=port),
                signals=signals,
                env=env,
                web=(local_host(bind), port),
                url=url,
            )
            supervisor.start()
            if not signals.stop_wanted():
                say(f"Platewarden is up at {url} (logs in {_short(var.log)}; Ctrl-C stops it)")
            command = guest(local_url(bind, port)) if guest else None
            return supervisor.run(command, once=once)
        finally:
            say("stopping")
            if supervisor:
                supervisor.stop()
            services.stop(now=signals.stop_asked > 1)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
