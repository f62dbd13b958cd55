"""`./run doctor`: what is wrong here and how to mend it. It looks, and changes nothing."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner import files, keys, pids, postgres, site, unroot, valkey, venv
from runner.console import RunError
from runner.launch import NAMESPACE
from runner.paths import ROOT, VENV_PYTHON, Var
from runner.services import check_overrides, running_env

LEAST_FREE_BYTES = 2_000_000_000
KEY_LINES = re.compile(r"(k[1-9][0-9]{0,2}:[A-Za-z0-9+/]{43}=\s*)+")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` says what to do; without it nothing is wrong."""

    what: str
    mend: str = ""


Check = Callable[[Var], Iterator[Finding]]


def _python(var: Var) -> Iterator[Finding]:
    yield Finding(f"Python {platform.python_version()}")
    if not VENV_PYTHON.exists():
        yield Finding("nothing is installed yet", "./run setup")
    elif not venv.is_ready():
        yield Finding(".venv is not what requirements/base.txt says", "./run setup")
    else:
        yield Finding(".venv holds what requirements/base.txt says")


def _data_folder(var: Var) -> Iterator[Finding]:
    place = var.root
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding(
            f"{place} is not writable", f"chown it to {os.geteuid()}, or set PLATEWARDEN_VAR"
        )
        return
    free = shutil.disk_usage(place).free
    size = f"{free / 1e9:.1f} GB free in {place}"
    yield Finding(size, "" if free >= LEAST_FREE_BYTES else "make room, or set PLATEWARDEN_VAR")


def _secrets(var: Var) -> Iterator[Finding]:
    for path in keys.loose_modes(var):
        mode = "700" if path.is_dir() else "600"
        yield Finding(f"{path} can be read by others", f"chmod {mode} {path}")
    made = (var.postgres / "PG_VERSION").exists()
    for name, setting in keys.KEYS.items():
        if os.environ.get(setting.removesuffix("_FILE")):
            yield Finding(f"{setting.removesuffix('_FILE')} is given by the environment")
            continue
        path = Path(os.environ.get(setting) or var.secrets / name)
        try:
            text = path.read_text()
        except FileNotFoundError:
            if (made and name in keys.VAULT_KEYS) or os.environ.get(setting):
                yield Finding(f"{path} is missing", "put it back from your backup")
            else:
                yield Finding(f"{path} will be made at the first start")
        except OSError as error:
            yield Finding(f"{path} cannot be read: {error.strerror}", f"chown or chmod {path}")
        else:
            good = KEY_LINES.fullmatch(text)
            mend = "" if good else "lines of k<number>:<base64 of 32 bytes> are wanted"
            yield Finding(f"{path} {'is well formed' if good else 'is malformed'}", mend)


def _programs(var: Var) -> Iterator[Finding]:
    try:
        check_overrides()
        if os.environ.get("DATABASE_URL"):
            yield Finding("PostgreSQL is yours (DATABASE_URL)")
        else:
            folder = postgres.binaries()
            yield Finding(f"PostgreSQL {postgres.major_version(folder)} in {folder}")
            account = unroot.choose(var)
            way = {None: "yourself", NAMESPACE: "root in a user namespace"}
            yield Finding(f"PostgreSQL runs as {way.get(account.user, 'another account')}")
        yield Finding(
            "Valkey is yours (REDIS_URL)"
            if os.environ.get("REDIS_URL")
            else f"Valkey: {valkey.binary()}"
        )
    except RunError as error:
        yield Finding("the services cannot be started", str(error))


def _processes(var: Var) -> Iterator[Finding]:
    noted = sorted(var.run.glob("*.pid"))
    alive = [path.stem for path in noted if pids.read(path)]
    if not files.is_locked(var.lock_file):
        if alive:
            yield Finding(
                f"a run that was killed left these behind: {', '.join(alive)}",
                "start ./run again: it stops them first",
            )
        else:
            yield Finding("nothing runs")
        port_free = valkey.port_is_free(site.DEFAULT_PORT)
        state = "free" if port_free else "taken; the site will take the next one"
        yield Finding(f"port {site.DEFAULT_PORT} is {state}")
        return
    status = json.loads(var.status_file.read_text()) if var.status_file.exists() else {}
    for child in status.get("processes", []):
        log = var.log_file(child["name"])
        well = child["name"] in alive
        yield Finding(
            f"{child['name']} {'runs' if well else 'is down'}, {child['restarts']} restarts",
            "" if well else f"its log says why: {log}",
        )


def _site(var: Var) -> Iterator[Finding]:
    env = running_env(var)
    if env is None and not os.environ.get("DATABASE_URL"):
        return
    if not venv.is_ready():
        return
    checks = (
        ("the settings and the databases answer", ["check", "--database", "default"]),
        ("the key store answers", ["check", "--database", "keys"]),
        ("the database is up to date", ["migrate", "--check"]),
        ("the key store is up to date", ["migrate", "--check", "--database", "keys"]),
    )
    for what, arguments in checks:
        answer = subprocess.run(
            site.manage(*arguments),
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0:
            yield Finding(what)
            continue
        said = (answer.stderr or answer.stdout).strip().splitlines()
        mend = "./run manage migrate" if "--check" in arguments else "see the line above"
        yield Finding(f"not so: {what}: {said[-1] if said else 'no reason given'}", mend)
    if env and os.environ.get("REDIS_URL") is None:
        yield from _valkey_answers(env["REDIS_URL"])


def _valkey_answers(url: str) -> Iterator[Finding]:
    password, _, place = url.removeprefix("redis://:").partition("@")
    port = int(place.partition("/")[0].rpartition(":")[2])
    well = valkey.answers(port, password)
    yield Finding(
        "Valkey answers" if well else "Valkey does not answer",
        "" if well else "see log/valkey.log in the data folder; it is restarted by itself",
    )


def _pictures(var: Var) -> Iterator[Finding]:
    given = os.environ.get("PLATEWARDEN_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if (folder / "bench").is_dir():
        yield Finding(f"real pictures for `demo --real` in {folder}")
    elif given:
        yield Finding(f"PLATEWARDEN_DATA is {given}, which has no bench/ in it", "correct or unset")
    else:
        yield Finding("no real pictures (PLATEWARDEN_DATA): `demo --real` has nothing to play")


CHECKS: tuple[Check, ...] = (
    _python,
    _data_folder,
    _secrets,
    _programs,
    _processes,
    _site,
    _pictures,
)


def main() -> int:
    """Prints every finding; 1 when something is wrong, else 0."""
    var = Var.default()
    wrong = 0
    for check in CHECKS:
        for finding in check(var):
            print(f"{'WRONG' if finding.mend else 'ok   '}  {finding.what}", flush=True)
            if finding.mend:
                wrong += 1
                print(f"       mend: {finding.mend}", flush=True)
    print(f"{wrong} wrong" if wrong else "nothing is wrong")
    return 1 if wrong else 0
