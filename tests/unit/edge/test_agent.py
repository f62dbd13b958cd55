"""The agent's own small decisions; that its parts work together is tested end to end."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.agent import Agent, for_site
from edge.config import parse_config
from edge.enrol import Device
from edge.settings import Settings

DEVICE = Device("https://plates.example", "pwd_x", "gantry-north", "gantry", ("CZ",), True)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    config = parse_config(
        f'data = "{tmp_path / "data"}"\n[source]\naddress = "usb:0"\n[settings]\nkeep_hours = 2.0\n'
    )
    return Agent(config, DEVICE)


def test_the_sites_regions_hold_until_others_are_set() -> None:
    filled = for_site(Settings(mode="read"), DEVICE)
    assert (filled.mode, filled.regions, filled.regions_strict) == ("read", ("CZ",), True)
    own = Settings(regions=("VN",))
    assert for_site(own, DEVICE) is own


def test_settings_of_the_server_reach_the_parts(agent: Agent) -> None:
    assert agent.spool.keep_hours == 2.0
    before = agent._settings_here()
    assert before is agent._settings_here()
    assert agent.settings.offer({"version": 1, "keep_hours": 48.0, "mode": "crop", "regions": []})
    assert agent.spool.keep_hours == 48.0
    after = agent._settings_here()
    assert (after.mode, after.regions) == ("crop", ("CZ",))
    assert not agent.settings.offer({"version": 2, "mode": "loud"})
    assert agent._settings_here() is after


def test_pictures_that_come_and_are_not_looked_at_are_a_hang(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.agent.STUCK_S", 100.0)
    start = agent.clock.now()
    assert not agent._hangs(start)
    assert not agent._hangs(start + 1000)  # a camera that is away
    for second in range(1001, 1100):
        agent.health.count("frames_captured")
        assert not agent._hangs(start + second)
    agent.health.count("frames_captured")
    assert agent._hangs(start + 1101)
    agent.health.mark("frames")
    agent.health.count("frames_captured")
    assert not agent._hangs(start + 1102)


def test_nothing_in_the_data_folder_is_for_others(agent: Agent, tmp_path: Path) -> None:
    paths = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert paths
    assert (tmp_path / "data" / "sealing.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data" / "spool").stat().st_mode & 0o077 == 0


def test_not_to_know_the_time_is_a_trouble_until_the_server_was_heard(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.clock, "_synchronised", lambda: False)
    monkeypatch.setattr(agent.clock, "_known_since", None)
    assert not agent._mind_time()
    assert "does not know the time" in agent.health.troubles["clock"]
    now = agent.clock.now()
    agent.clock.heard(now, datetime.now(UTC), now)
    assert agent._mind_time()
    assert "clock" not in agent.health.troubles
    agent._remember_time()
    assert (tmp_path / "data" / "clock.json").exists()
