"""Ports, addresses, the installed packages' stamp, overrides, and the doctor's eye."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from runner import doctor, keys, pids, postgres, site, unroot, valkey, venv
from runner.console import RunError, tail
from runner.paths import Var
from runner.services import Services, check_overrides


def test_a_taken_port_is_refused_when_asked_for_and_avoided_when_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"Port {port} .* is taken"):
            site.choose_port(port, "127.0.0.1")
        monkeypatch.setattr(site, "DEFAULT_PORT", port)
        assert site.choose_port(None, "127.0.0.1") > port
    assert site.choose_port(port, "127.0.0.1") == port


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("192.0.2.1", "http://192.0.2.1:8000"),
    ],
)
def test_the_address_on_this_machine(bind: str, url: str) -> None:
    assert site.local_url(bind, 8000) == url
    assert site.public_url(bind, 8000) == url


def test_a_given_public_address_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEWARDEN_URL", "https://parking.example")
    assert site.public_url("127.0.0.1", 8000) == "https://parking.example"


@pytest.mark.parametrize("name", ["DATABASE_URL", "KEYSTORE_URL"])
def test_half_a_database_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check_overrides()
    monkeypatch.setenv(name, "postgres://somewhere/db")
    with pytest.raises(RunError, match="go together"):
        check_overrides()


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "requirements"
    folder.mkdir()
    (folder / "base.txt").write_text("a==1\n")
    (folder / "test.txt").write_text("a==1\nb==2\n")
    monkeypatch.setattr(venv, "REQUIREMENTS", folder)
    monkeypatch.setattr(venv, "STAMP", tmp_path / "stamp.json")
    return folder


def test_packages_are_installed_when_the_requirements_change(
    requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installs: list[str] = []
    monkeypatch.setattr(venv, "_install", installs.append)
    venv.ensure()
    venv.ensure()
    assert installs == ["base.txt"]
    venv.ensure(test=True)
    venv.ensure()
    assert installs == ["base.txt", "test.txt"]
    (requirements / "base.txt").write_text("a==2\n")
    assert not venv.is_ready()
    venv.ensure()
    assert installs == ["base.txt", "test.txt", "base.txt"]
    assert not venv.is_ready(test=True)


@pytest.mark.usefixtures("requirements")
def test_an_interrupted_installation_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(venv, "_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        venv.ensure()
    assert not venv.is_ready()
    installs: list[str] = []
    monkeypatch.setattr(venv, "_install", installs.append)
    venv.ensure()
    assert installs == ["base.txt"]


def test_a_server_with_another_password_is_not_ours(var: Var) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "create_connection", _refusing)
            assert not valkey.answers(server.getsockname()[1], "wrong")


class _Refusal:
    """What Valkey says to a wrong password."""

    def __enter__(self) -> _Refusal:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def sendall(self, data: bytes) -> None:
        assert data.startswith(b"AUTH ")

    def recv(self, size: int) -> bytes:
        return b"-WRONGPASS invalid username-password pair\r\n-NOAUTH Authentication required.\r\n"


def _refusing(address: tuple[str, int], timeout: float) -> _Refusal:
    return _Refusal()


def test_valkeys_configuration_is_private_and_survives_odd_folder_names(tmp_path: Path) -> None:
    var = Var(tmp_path / 'a "quoted" var')
    var.make()
    server = valkey.Valkey(var)
    argv = server.process().argv
    configuration = Path(argv[1])
    assert configuration.stat().st_mode & 0o077 == 0
    assert 'a \\"quoted\\" var' in configuration.read_text()
    password = keys.secret(var, "valkey.password")
    assert not any(password in part for part in argv)
    assert urlsplit(server.url).password == password
    assert urlsplit(server.url).hostname == "127.0.0.1"


def test_the_socket_moves_to_a_short_folder_below_a_long_path(tmp_path: Path) -> None:
    deep = Var(tmp_path / ("x" * 100))
    deep.make()
    server = postgres.Postgres(deep)
    folder = server._make_socket_folder()
    try:
        assert len(str(folder / ".s.PGSQL.5432")) <= postgres.SOCKET_PATH_LIMIT
        assert folder.stat().st_mode & 0o077 == 0
        server._sockets = folder
        url = urlsplit(server.url("platewarden"))
        assert parse_qs(url.query)["host"] == [str(folder)]
        assert url.path == "/platewarden"
    finally:
        server.clear_socket_folder()
    assert not folder.exists()


def test_a_pid_somebody_else_has_now_does_not_stop_postgresql(var: Var) -> None:
    server = postgres.Postgres(var)
    server.data.mkdir(parents=True, exist_ok=True)
    stranger = subprocess.Popen(["/bin/sleep", "600"])
    try:
        (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n")
        assert not server.stop_leftover()
        assert stranger.poll() is None
        assert server.process().env["PG_GRANDPARENT_PID"] == str(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()
    (server.data / "postmaster.pid").unlink()
    assert "PG_GRANDPARENT_PID" not in server.process().env


def test_what_could_hold_a_plate_is_kept_out_of_postgresqls_log(var: Var) -> None:
    server = postgres.Postgres(var)
    argv = server.process().argv
    for setting in (
        "log_statement=none", "log_parameter_max_length=0", "log_error_verbosity=terse",
        "log_parameter_max_length_on_error=0", "log_min_error_statement=panic",
        "log_min_duration_statement=-1", "fsync=on", "synchronous_commit=on", "listen_addresses=",
    ):  # fmt: skip
        assert argv[argv.index(setting) - 1] == "-c"


def test_programs_of_another_version_are_refused_over_existing_data(var: Var) -> None:
    server = postgres.Postgres(var)
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("11\n")
    with pytest.raises(RunError, match="made by PostgreSQL 11"):
        server.prepare()


def test_a_named_folder_without_programs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(RunError, match="PG_BIN"):
        postgres.binaries()


def test_programs_out_of_reach_are_copied_only_from_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything else's grandparent folder might be somebody's home."""
    programs = tmp_path / "home" / "pg" / "bin"
    programs.mkdir(parents=True)
    monkeypatch.setattr(unroot, "_can_run", lambda *_: False)
    account = unroot.Account("65534:65534", 65534, 65534, tmp_path / "elsewhere" / "postgres")
    with pytest.raises(RunError, match="cannot run the programs"):
        account.reachable(programs)


def _mends(check: doctor.Check, var: Var) -> list[str]:
    return [finding.mend for finding in check(var) if finding.mend]


def test_the_doctor_sees_loose_and_malformed_keys(var: Var) -> None:
    keys.make_keys(var, database=None)
    assert _mends(doctor._secrets, var) == []
    (var.secrets / "master.key").chmod(0o644)
    (var.secrets / "index.key").write_text("not a key\n")
    mends = _mends(doctor._secrets, var)
    assert mends[0] == f"chmod 600 {var.secrets / 'master.key'}"
    assert len(mends) == 2


def test_the_doctor_sees_a_lost_key(var: Var) -> None:
    keys.make_keys(var, database=None)
    var.postgres.mkdir()
    (var.postgres / "PG_VERSION").write_text("18\n")
    (var.secrets / "master.key").unlink()
    assert _mends(doctor._secrets, var) == ["put it back from your backup"]


def test_the_doctor_sees_a_full_disk(var: Var, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.LEAST_FREE_BYTES > 0
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**62)
    assert _mends(doctor._data_folder, var) == ["make room, or set PLATEWARDEN_VAR"]


def test_the_doctor_sees_what_a_killed_run_left(var: Var) -> None:
    left = subprocess.Popen(["/bin/sleep", "600"])
    try:
        pids.write(var.pid_file("worker-flow"), left.pid)
        assert _mends(doctor._processes, var) == ["start ./run again: it stops them first"]
    finally:
        left.kill()
        left.wait()
    assert _mends(doctor._processes, var) == []


def test_the_doctor_sees_half_a_database(var: Var, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somewhere/db")
    assert any("go together" in mend for mend in _mends(doctor._programs, var))


def test_services_that_were_never_started_can_be_stopped(var: Var) -> None:
    """And leave alone what another ./run keeps in the same folder."""
    var.env_file.write_text("{}")
    Services(var).stop()
    assert var.env_file.exists()


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert tail(log) == ""
    log.write_text("\n".join(str(number) for number in range(100)))
    assert tail(log, 2) == "98\n99"
