"""docker-compose.yml as far as a machine without an engine can tell: references, health, users.

Where a `docker compose` or `docker-compose` command is there, it checks the file as well.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from alpr_site.environment import SETTINGS
from core.stages import STAGES

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docker-compose.yml"
OURS = ("web", "migrate", "beat", "bridge", "worker-recognise", "worker-flow", "worker-house")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def test_every_part_of_the_house_is_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*OURS, "proxy", "database", "keystore", "queue"}


def test_every_queue_has_a_worker_and_every_worker_a_queue(compose: dict[str, Any]) -> None:
    queues = {
        command[command.index("-Q") + 1]
        for service in compose["services"].values()
        if "-Q" in (command := service.get("command") or [])
    }
    assert queues == {stage.queue for stage in STAGES.values()}


def test_every_long_running_service_has_a_health_check(compose: dict[str, Any]) -> None:
    image_checks_itself = {"web"}  # by the Dockerfile's HEALTHCHECK
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    without = {
        name
        for name, service in compose["services"].items()
        if "test" not in service.get("healthcheck", {}) and service.get("restart") != "no"
    }
    assert without == image_checks_itself


def test_references_are_declared(compose: dict[str, Any]) -> None:
    for kind in ("secrets", "networks"):
        used = {n for s in compose["services"].values() for n in s.get(kind, [])}
        assert used == set(compose[kind])
    named = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == set(compose["volumes"])
    waited = {n for s in compose["services"].values() for n in s.get("depends_on", {})}
    assert waited <= set(compose["services"])


def test_only_the_proxy_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    assert [n for n, s in compose["services"].items() if "ports" in s] == ["proxy"]
    assert compose["networks"]["inside"] == {"internal": True}
    outward = {n for n, s in compose["services"].items() if "outside" in s.get("networks", [])}
    assert outward == {"proxy", "bridge", "worker-house"}, "who asks or is asked, nobody else"


def test_settings_are_real_and_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    known = {setting.name for setting in SETTINGS}
    required = {setting.name for setting in SETTINGS if setting.default is None}
    for name in OURS:
        environment = compose["services"][name]["environment"]
        assert set(environment) <= known
        assert set(environment) >= required
    text = FILE.read_text(encoding="utf-8")
    assert not re.search(r"PASSWORD: \S", text)
    assert not re.search(r"://[^/\s@]+:[^/\s@]+@", text)


def test_the_bridge_runs_only_where_there_is_a_broker(compose: dict[str, Any]) -> None:
    """It reaches the broker outside, and is the only one that knows the password."""
    profiled = {n: s["profiles"] for n, s in compose["services"].items() if "profiles" in s}
    assert profiled == {"bridge": ["mqtt"]}
    assert "outside" in compose["services"]["bridge"]["networks"]
    knowing = [n for n, s in compose["services"].items() if "mqtt_password" in s.get("secrets", [])]
    assert knowing == ["bridge"]


def test_our_containers_have_no_rights_to_lose(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER platewarden$", dockerfile, re.M)
    for name in OURS:
        service = compose["services"][name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert "no-new-privileges:true" in service["security_opt"]


def test_main_database_and_key_store_are_two_servers(compose: dict[str, Any]) -> None:
    environment = compose["services"]["web"]["environment"]
    assert "@database:" in environment["DATABASE_URL"]
    assert "@keystore:" in environment["KEYSTORE_URL"]
    services = compose["services"]
    assert set(services["database"]["volumes"]).isdisjoint(services["keystore"]["volumes"])


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    plugin = (
        shutil.which("docker")
        and not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False
        ).returncode
    )
    if not plugin:
        pytest.skip("no `docker compose` plugin on this machine")
    done = subprocess.run(
        ["docker", "compose", "-f", str(FILE), "config", "--quiet"],
        env={"PLATEWARDEN_HOST": "plates.example", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
