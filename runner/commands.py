"""The commands of `./run`, one function each; all return the exit code."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from runner import agent, files, sidevenv, site, venv
from runner.console import RunError, say
from runner.paths import ROOT, VENV_PYTHON, Var
from runner.services import Busy, Services, borrow, running_env
from runner.supervisor import Signals, Supervisor, run_foreground


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a module of ours, run in the user's folder (`-P`: not imported from)."""
    return [str(VENV_PYTHON), "-P", "-m", name, *arguments]


def setup(*, test: bool) -> int:
    """Installs what is missing."""
    venv.ensure(test=test)
    say("everything is installed")
    return 0


def serve(*, bind: str, port: int | None) -> int:
    """The whole site until Ctrl-C or SIGTERM."""
    venv.ensure()
    site.run_site(Var.default(), bind=bind, port=port)
    return 0


def demo(*, once: bool, port: int | None, flags: Sequence[str], video: bool = False) -> int:
    """The site, and the demo's traffic through it; a video through an agent of its own."""
    venv.ensure()
    if video:
        flags = [*flags, "--agent", str(agent.ensure(Var.default()))]
    return site.run_site(
        Var.default(),
        port=port,
        guest=lambda url: module("demo.play", "--url", url, *flags),
        once=once,
    )


def services() -> int:
    """Only PostgreSQL and Valkey, until Ctrl-C or SIGTERM."""
    venv.ensure()
    var = Var.default()
    with Signals() as signals:
        parts = Services(var)
        supervisor = None
        try:
            parts.start(signals.stop_wanted)
            supervisor = Supervisor(parts, [], signals=signals, env=parts.env)
            say('PostgreSQL and Valkey are up; in another shell: eval "$(./run env)"')
            return supervisor.run()
        finally:
            if supervisor:
                supervisor.stop()
            parts.stop(now=signals.stop_asked > 1)


def _throwaway(name: str) -> Var:
    """The first folder `NAME`, `NAME-2`… below the data folder that no other ./run works in."""
    folder = Var.default().root / name
    number = 1
    while files.is_locked(Var(folder).lock_file):
        number += 1
        folder = folder.with_name(f"{name}-{number}")
    return Var(folder)


@contextmanager
def _fresh_services(name: str, signals: Signals) -> Iterator[Services]:
    """PostgreSQL and Valkey with nothing in them, thrown away afterwards."""
    while True:
        parts = Services(_throwaway(name), throwaway=True)
        try:
            parts.start(signals.stop_wanted)
            break
        except Busy:
            continue
    try:
        yield parts
    finally:
        parts.stop(now=signals.stop_asked > 1)


def test(arguments: Sequence[str]) -> int:
    """pytest on services and data of its own."""
    venv.ensure(test=True)
    with Signals() as signals, _fresh_services("test", signals) as parts:
        site.build_static(parts.var, parts.env, signals)
        os.chdir(ROOT)
        command = [str(VENV_PYTHON), "-m", "pytest", *arguments]
        return run_foreground(command, parts.env, signals)


def read(arguments: Sequence[str]) -> int:
    """Reads pictures without any service: becomes the reader's own command line."""
    venv.ensure()
    _become(module("inference.cli", *arguments), OMP_NUM_THREADS="1")


def train(arguments: Sequence[str]) -> int:
    """Trains the networks: becomes training's own command line, in its own environment."""
    python = sidevenv.TRAINING.ensure(Var.default())
    _become([str(python), "-P", "-m", "training", *arguments])


def _become(command: list[str], **settings: str) -> NoReturn:
    """Replaces this process: signals, terminal and exit code are then the command's own."""
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": str(ROOT), **settings})  # noqa: S606


BENCHMARKS = {
    "accuracy": "nothing",
    "edge": "site",
    "imports": "database",
    "judging": "database",
    "justice": "nothing",
    "latency": "site",
    "lookup": "database",
    "speed": "nothing",
    "throughput": "site",
}
"""Name → what of its own it runs against: a whole site, its database and queue alone, nothing."""


def bench(arguments: Sequence[str]) -> int:
    """A benchmark by name."""
    if not arguments or arguments[0] not in BENCHMARKS:
        known = ", ".join(BENCHMARKS)
        raise RunError(f"Which benchmark? ./run bench NAME, with NAME one of: {known}.")
    venv.ensure()
    name, rest = f"benchmarks.{arguments[0]}", arguments[1:]
    helping = "--help" in rest or "-h" in rest
    if BENCHMARKS[arguments[0]] == "nothing":
        var = Var.default()
        if "--peers" in rest and not helping:
            sidevenv.PEERS.ensure(var)
        own = ["--tools", str(var.root)]
        if arguments[0] in ("accuracy", "justice") and sidevenv.TRAINING.is_ready(var):
            own += ["--training-python", str(sidevenv.TRAINING.python(var))]
        _become(module(name, *own, *rest), OMP_NUM_THREADS="1")
    if helping:
        where = name if BENCHMARKS[arguments[0]] == "site" else "benchmarks._django"
        return _with_services(module(where, *(rest if where == name else arguments)))
    if arguments[0] == "edge":
        rest = ["--agent", str(agent.ensure(Var.default())), *rest]
        # a day's reads come back at once, faster than any road fills
        os.environ.setdefault("PLATEWARDEN_DEVICE_RATE", "2000")
    if BENCHMARKS[arguments[0]] == "database":
        return _on_fresh_database(module("benchmarks._django", *arguments))
    return site.run_site(
        _throwaway("bench"),
        guest=lambda url: module(name, "--url", url, *rest),
        once=True,
        throwaway=True,
    )


def _on_fresh_database(command: Sequence[str]) -> int:
    """A command on services of its own with all tables and nothing in them."""
    with Signals() as signals, _fresh_services("bench", signals) as parts:
        site.migrate(parts.var, parts.env, signals)
        return run_foreground(command, parts.env, signals)


def manage(arguments: Sequence[str]) -> int:
    """A management command of Django, on running services or on ones started for it."""
    venv.ensure()
    if list(arguments[:2]) == ["evidence", "verify"]:  # has no use for them
        _become(module("enforcement.cases.verifying", *arguments[2:]))
    return _with_services(site.manage(*arguments))


def scenario(arguments: Sequence[str]) -> int:
    """Plays scenarios on a scratch database: in the server that runs or is named, or in one of
    their own, never in the site's data."""
    venv.ensure()
    command = module("scenarios", *arguments)
    with borrow(Var.default()) as env:
        if env is not None:
            with Signals() as signals:
                return run_foreground(command, env, signals)
    # nothing rings there: what is played is taken back before anybody could hear of it
    os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
    return _with_services(command, Var(Var.default().root / "scenario"))


def _with_services(command: Sequence[str], var: Var | None = None) -> int:
    var = var or Var.default()
    while True:
        with borrow(var) as env:
            if env is not None:
                with Signals() as signals:
                    return run_foreground(command, env, signals)
        with Signals() as signals:
            parts = Services(var)
            try:
                parts.start(signals.stop_wanted)
            except Busy:
                continue  # somebody was quicker: theirs will do
            try:
                return run_foreground(command, parts.env, signals)
            finally:
                parts.stop_unborrowed(signals.stop_wanted)


def env() -> int:
    """Prints the settings of running services as lines for a shell."""
    settings = running_env(Var.default())
    if settings is None:
        raise RunError("Nothing runs here. Start ./run services (or serve, or demo) first.")
    for name, value in settings.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def status(*, as_json: bool) -> int:
    """What runs; exit code 3 when nothing does."""
    var = Var.default()
    found: dict[str, object] = {"pid": None, "url": "", "processes": []}
    running = files.is_locked(var.lock_file)
    if running and var.status_file.exists():
        found = json.loads(var.status_file.read_text())
    if as_json:
        print(json.dumps({"running": running, **found}))
    elif not running:
        print("nothing runs")
    else:
        print(f"supervisor {found['pid'] or 'is starting'} {found['url']}")
        processes = found["processes"]
        assert isinstance(processes, list)
        for child in processes:
            print("{name:18} {state:8} pid {pid}  restarts {restarts}".format(**child))
    return 0 if running else 3
