"""An agent as on a device: its own environment, nothing of the server in it, a camera, a site."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._edge_site import drawn_video
from benchmarks._frames import drawn
from demo.client import DemoError, Operator
from demo.video import CAMERA, Agent
from runner import agent as installed
from runner.paths import ROOT, Var
from tests.e2e.site import LiveSite, until

VEHICLES = 4
OURS = {"edge", "inference"}
CAPTURES = """
SELECT k.id::text FROM cameras_capture k JOIN cameras_camera c ON c.id = k.camera_id
WHERE c.slug = %s AND k.judged_at IS NOT NULL ORDER BY k.captured_at
"""


@pytest.fixture(scope="module")
def command() -> Path:
    """The agent's command, installed from its wheel; kept from one run to the next."""
    var = Var(ROOT / "var")
    var.make()
    return installed.ensure(var)


@pytest.fixture(scope="module")
def own_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """A site of this module's: the demo is set up anew there."""
    live = LiveSite(tmp_path_factory.mktemp("edge-site") / "var")
    live.start()
    yield live
    live.stop()


def test_nothing_of_the_server_is_installed(command: Path, tmp_path: Path) -> None:
    python = command.with_name("python")
    program = (
        "import importlib.util as u, json, edge.agent, edge.page, pkgutil, sys;"
        "print(json.dumps([edge.agent.__file__, [m for m in sys.argv[1:] if u.find_spec(m)]]))"
    )
    server = [
        path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in OURS
    ]
    assert {"cameras", "core", "vault"} <= set(server)
    done = subprocess.run(
        [str(python), "-P", "-c", program, "django", "celery", "psycopg2", *server],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    where, found = json.loads(done.stdout)
    assert str(ROOT / "edge") not in where
    assert found == []


def test_it_is_set_up_by_token_and_every_vehicle_reaches_its_verdict(
    command: Path, own_site: LiveSite, tmp_path: Path
) -> None:
    made = own_site.demo("--agents", "1")
    video = drawn_video(tmp_path / "drawn.mp4", VEHICLES)
    agent = Agent(str(command), video, tmp_path, settings={"mode": "read"})
    token = made["setup_tokens"][CAMERA]
    assert f"camera {CAMERA}" in agent.enrol(token)
    with pytest.raises(DemoError, match="already"):
        agent.enrol(token)

    with agent:
        until("the video is through", agent.ended, 120)

    captures = until(
        "every vehicle is judged",
        lambda: rows if len(rows := own_site.rows(CAPTURES, CAMERA)) >= VEHICLES else None,
        60,
    )
    operator = Operator(own_site.url, "operator", made["logins"]["operator"])
    texts = [operator.reads(row[0])[0]["text"] for row in captures]
    truth = [vehicle.text for vehicle in drawn(VEHICLES).vehicles]
    assert texts == truth
    ((beats,),) = own_site.rows("SELECT count(*) FROM cameras_heartbeat")
    assert beats >= 1

    for path in (one for one in tmp_path.rglob("*") if one.is_file() and one != video):
        data = path.read_bytes()
        assert not any(text.encode() in data for text in truth), f"a plate in clear in {path.name}"
        assert b"pwd_" not in data or path.name == "device.json"

    findings = json.loads(
        subprocess.run(
            [str(command), "--config", str(agent.config), "doctor", "--json"],
            capture_output=True,
            check=False,
        ).stdout
    )
    assert any("knows this device" in one["what"] for one in findings)


def test_asked_to_stop_it_tells_what_is_in_view_and_goes(
    command: Path, own_site: LiveSite, tmp_path: Path
) -> None:
    made = own_site.demo("--agents", "1")
    video = drawn_video(tmp_path / "drawn.mp4", VEHICLES)
    agent = Agent(str(command), video, tmp_path, settings={"mode": "read"}, loop=True)
    agent.enrol(made["setup_tokens"][CAMERA])
    with agent:
        until("it runs", lambda: b" at http" in agent.log.read_bytes(), 60)
        time.sleep(1)
        agent.terminate()
        until("it has ended", agent.ended, 20)
    assert "Traceback" not in agent.log.read_text()
