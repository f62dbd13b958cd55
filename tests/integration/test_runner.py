"""`./run` as its users meet it: real PostgreSQL, real Valkey, real signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

ROOT = Path(__file__).resolve().parents[2]
OURS = ("DATABASE_URL", "KEYSTORE_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY_FILE")


def until(condition: Callable[[], Any]) -> Any:
    """Waits for a truthy answer. The limit only ends a test that would hang."""
    end = time.monotonic() + 180
    while not (answer := condition()):
        assert time.monotonic() < end, "waited 180 s in vain"
        time.sleep(0.05)
    return answer


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


class Installation:
    """A data folder, and `./run` over it."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in OURS and not name.startswith(("PLATEWARDEN_", "DJANGO_"))
        }
        self.env = {**kept, "PLATEWARDEN_VAR": str(self.var)}
        self.said = folder / "said"
        self.started: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "run"), *arguments],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        with self.said.open("ab") as said:
            popen = subprocess.Popen(
                [sys.executable, str(ROOT / "run"), *arguments],
                env={**self.env, **env},
                stdout=said,
                stderr=said,
                umask=0o022,
            )
        self.started.append(popen)
        return popen

    def start_and_wait(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Starts it and waits until it says that it is up."""
        self.said.unlink(missing_ok=True)
        popen = self.start(*arguments, **env)

        def up() -> bool:
            text = self.said.read_text()
            assert popen.poll() is None, text
            return " is up at " in text or " are up;" in text

        until(up)
        return popen

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return answer

    def processes(self) -> dict[str, dict[str, Any]]:
        return {process["name"]: process for process in self.status()["processes"]}

    def settings(self) -> dict[str, str]:
        answer: dict[str, str] = json.loads((self.var / "run" / "env.json").read_text())
        return answer

    def query(self, statement: str, name: str = "DATABASE_URL") -> Any:
        connection = psycopg2.connect(self.settings()[name])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def stop(self, popen: subprocess.Popen[bytes]) -> int:
        popen.send_signal(signal.SIGTERM)
        return popen.wait()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    for popen in made.started:
        if popen.poll() is None:
            popen.terminate()
            popen.wait()


def test_services_start_under_any_locale_keep_data_and_stop(installation: Installation) -> None:
    odd = {"LANG": "de_DE.UTF-8", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}
    popen = installation.start_and_wait("services", **odd)
    assert installation.query("SHOW timezone") == [("UTC",)]
    assert installation.query("SELECT lower('I') || lower('Ä'), 'Z' < 'a'") == [("iä", True)]
    assert installation.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [
        (False,)
    ]
    installation.query("CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)")
    assert installation.query("SELECT current_database()", "KEYSTORE_URL") == [
        ("platewarden_keys",)
    ]
    client = redis.Redis.from_url(installation.settings()["REDIS_URL"])
    client.set("kept", "8")
    pids = [process["pid"] for process in installation.processes().values()]
    assert len(pids) == 2
    assert installation.stop(popen) == 0
    assert not any(is_alive(pid) for pid in pids)
    assert list((installation.var / "run").glob("*.pid")) == []
    assert not installation.status()["running"]

    installation.start_and_wait("services")
    assert installation.query("SELECT x FROM kept") == [(7,)]
    assert redis.Redis.from_url(installation.settings()["REDIS_URL"]).get("kept") == b"8"


def test_everything_it_makes_is_private(installation: Installation) -> None:
    installation.start_and_wait("services")
    installation.query("SELECT 1")
    checked = 0
    for path in installation.var.rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
            checked += 1
    assert checked > 20


def test_a_service_that_is_killed_comes_back_with_its_data(installation: Installation) -> None:
    installation.start_and_wait("services")
    settings = installation.settings()
    installation.query("CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)")
    before = installation.processes()
    for process in before.values():
        os.kill(process["pid"], signal.SIGKILL)

    def all_back() -> bool:
        return all(
            process["state"] == "running" and process["restarts"] >= 1
            for process in installation.processes().values()
        )

    until(all_back)
    assert installation.settings() == settings, "children know the old addresses"

    def answers() -> bool:
        try:
            redis.Redis.from_url(settings["REDIS_URL"]).ping()
            return bool(installation.query("SELECT x FROM kept") == [(7,)])
        except (psycopg2.OperationalError, redis.ConnectionError):
            return False

    until(answers)


def test_after_its_supervisor_is_killed_the_next_start_cleans_up_and_recovers(
    installation: Installation,
) -> None:
    popen = installation.start_and_wait("services")
    installation.query("CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)")
    before = [process["pid"] for process in installation.processes().values()]
    popen.kill()
    popen.wait()
    popen = installation.start_and_wait("services")
    assert installation.query("SELECT x FROM kept") == [(7,)]
    assert not any(is_alive(pid) for pid in before)
    assert installation.stop(popen) == 0


def test_after_everything_is_killed_at_once_the_next_start_recovers(
    installation: Installation,
) -> None:
    popen = installation.start_and_wait("services")
    installation.query("CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)")
    pids = [popen.pid, *(process["pid"] for process in installation.processes().values())]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    popen.wait()
    assert (installation.var / "run" / "postgres.pid").exists()
    installation.start_and_wait("services")
    assert installation.query("SELECT x FROM kept") == [(7,)]


def test_an_initialisation_that_was_interrupted_is_done_again(installation: Installation) -> None:
    half = installation.var / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    installation.start_and_wait("services")
    assert installation.query("SELECT 1") == [(1,)]
    assert not half.exists()


def test_a_lost_master_key_is_never_replaced(installation: Installation) -> None:
    key = installation.var / "secrets" / "master.key"
    installation.stop(installation.start_and_wait("services"))
    kept = key.read_text()
    key.unlink()
    refused = installation.run("services")
    assert refused.returncode == 1
    assert "master.key is missing" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not key.exists()
    key.write_text(kept)
    installation.start_and_wait("services")


def test_a_lost_database_password_is_mended(installation: Installation) -> None:
    installation.stop(installation.start_and_wait("services"))
    (installation.var / "secrets" / "postgres.password").unlink()
    installation.start_and_wait("services")
    assert installation.query("SELECT 1") == [(1,)]


def test_a_second_run_in_the_same_folder_is_refused_and_harms_nothing(
    installation: Installation,
) -> None:
    installation.start_and_wait("services")
    refused = installation.run("services")
    assert refused.returncode == 1
    assert "Another ./run already works in" in refused.stderr
    assert installation.query("SELECT 1") == [(1,)]
    assert installation.run("env").stdout.count("export ") == len(installation.settings())


def test_given_addresses_replace_the_embedded_services(installation: Installation) -> None:
    installation.start_and_wait("services")
    given = {
        name: installation.settings()[name]
        for name in ("DATABASE_URL", "KEYSTORE_URL", "REDIS_URL")
    }
    other = Installation(installation.var / "other")
    other.var.parent.mkdir()
    popen = other.start_and_wait("services", STORAGE_URL="s3://pictures", **given)
    try:
        assert other.processes() == {}
        assert other.settings() == {**other.settings(), **given, "STORAGE_URL": "s3://pictures"}
        assert not (other.var / "postgres").exists()
    finally:
        other.stop(popen)
    assert installation.query("SELECT 1") == [(1,)]


def test_half_a_database_is_refused_before_anything_starts(installation: Installation) -> None:
    refused = installation.run("services", DATABASE_URL="postgres://somewhere/db")
    assert refused.returncode == 1
    assert "go together" in refused.stderr
    assert not installation.var.exists()


def test_no_statement_and_no_value_reaches_the_database_log(installation: Installation) -> None:
    installation.start_and_wait("services")
    installation.query("CREATE TABLE plates (plate text UNIQUE, n int CHECK (n > 0))")
    installation.query("INSERT INTO plates VALUES ('SECRET77', 1)")
    for statement in (
        "INSERT INTO plates VALUES ('SECRET77', 1)",
        "INSERT INTO plates VALUES ('SECRET77X', -1)",
        "SELECT * FROM nowhere WHERE plate = 'SECRET77'",
    ):
        with pytest.raises(psycopg2.Error):
            installation.query(statement)
    log = (installation.var / "log" / "postgres.log").read_text()
    assert "violates unique constraint" in log
    assert "SECRET77" not in log


def test_a_management_command_starts_the_services_for_itself(installation: Installation) -> None:
    code = "import os; print(os.environ['DATABASE_URL'][:11], os.environ['PLATEWARDEN_VAR'])"
    answer = installation.run("manage", "shell", "-v", "0", "-c", code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"postgres:// {installation.var}\n"
    assert not installation.status()["running"]
    assert installation.run("manage", "no_such_command").returncode == 1


def test_a_management_command_uses_running_services(installation: Installation) -> None:
    popen = installation.start_and_wait("services")
    code = "from django.db import connection as c; c.ensure_connection(); print('connected')"
    answer = installation.run("manage", "shell", "-v", "0", "-c", code)
    assert (answer.returncode, answer.stdout) == (0, "connected\n"), answer.stderr
    assert popen.poll() is None
    assert installation.query("SELECT 1") == [(1,)]


def test_the_doctor_finds_nothing_wrong_and_then_what_is(installation: Installation) -> None:
    installation.stop(installation.start_and_wait("services"))
    well = installation.run("doctor", PLATEWARDEN_DATA="")
    assert well.returncode == 0, well.stdout
    assert "nothing is wrong" in well.stdout
    (installation.var / "secrets" / "master.key").chmod(0o644)
    ill = installation.run("doctor", PLATEWARDEN_DATA="")
    assert ill.returncode == 1
    assert f"chmod 600 {installation.var}/secrets/master.key" in ill.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody to become")
def test_root_without_user_namespaces_becomes_another_account(tmp_path: Path) -> None:
    """And back: the data follow, whichever way is allowed at the next start."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from runner import unroot\n"
        "from runner.services import Services\n"
        "unroot.ELSEWHERE = Path(sys.argv[3])\n"
        "if sys.argv[4] == 'no': unroot.namespace_works = lambda: False\n"
        "s = Services(Path(sys.argv[2])); s.start()\n"
        "pid = s.children[0].pid\n"
        "print(Path(f'/proc/{pid}').stat().st_uid); s.stop()\n"
    )
    # Not below tmp_path: pytest's folders are closed to the other account, as a home may be.
    elsewhere = Path("/var/tmp") / f"platewarden-test-{os.getpid()}"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    env = Installation(tmp_path).env
    try:
        owners = []
        for namespace in ("no", "no", "yes", "no"):
            arguments = [str(ROOT), str(tmp_path / "var"), str(elsewhere), namespace]
            answer = subprocess.run(
                [sys.executable, "-c", script, *arguments],
                env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert answer.returncode == 0, answer.stderr
            owners.append(int(answer.stdout))
        assert owners[0] == owners[1] == owners[3] != 0
        assert not (tmp_path / "var" / "postgres").exists()
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)


def test_the_whole_site_starts_survives_kills_and_stops(installation: Installation) -> None:
    popen = installation.start_and_wait("serve")
    status = installation.status()
    before = installation.processes()
    assert sorted(before) == [
        "beat", "postgres", "valkey", "web", "worker-flow", "worker-house", "worker-recognise",
    ]  # fmt: skip

    def page() -> int:
        try:
            with urllib.request.urlopen(f"{status['url']}/accounts/login/") as answer:  # noqa: S310
                return int(answer.status)
        except OSError:
            return 0

    until(lambda: page() == 200)
    killed = ("web", "worker-recognise")
    for name in killed:
        os.kill(before[name]["pid"], signal.SIGKILL)

    def all_back() -> bool:
        now = installation.processes()
        return all(
            now[name]["state"] == "running" and now[name]["restarts"] >= 1 for name in killed
        )

    until(all_back)
    until(lambda: page() == 200)
    pids = [process["pid"] for process in installation.processes().values()]
    assert installation.stop(popen) == 0
    assert not any(is_alive(pid) for pid in pids)


def test_services_started_for_one_command_wait_for_another_that_borrows_them(
    installation: Installation, tmp_path: Path
) -> None:
    def command(name: str) -> list[str]:
        """Connects, says so with a file, waits for another file, and connects again."""
        code = (
            "import time; from pathlib import Path; from django.db import connection as c\n"
            "c.ensure_connection(); c.close()\n"
            f"Path({str(tmp_path / name)!r}).touch()\n"
            f"while not Path({str(tmp_path / ('go-' + name))!r}).exists(): time.sleep(0.05)\n"
            "c.ensure_connection(); print('still there')\n"
        )
        return ["manage", "shell", "-v", "0", "-c", code]

    owner = installation.start(*command("owner"))
    until((tmp_path / "owner").exists)
    borrower = installation.start(*command("borrower"))
    until((tmp_path / "borrower").exists)
    (tmp_path / "go-owner").touch()
    until(lambda: installation.said.read_text().count("still there") == 1)
    assert installation.query("SELECT 1") == [(1,)]
    (tmp_path / "go-borrower").touch()
    assert borrower.wait() == 0
    assert owner.wait() == 0
    assert installation.said.read_text().count("still there") == 2
    assert not installation.status()["running"]
