"""Settings from the server: in force at once, kept, refused with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.health import Health
from edge.remote import Remote
from edge.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "settings.json"


def test_new_settings_are_in_force_and_heard_of(file: Path) -> None:
    remote = Remote(file, Settings(csv=True), Health())
    heard: list[Settings] = []
    remote.listen(heard.append)
    assert remote.offer({"version": 3, "mode": "crop", "min_score": 0.7})
    assert remote() == Settings(version=3, mode="crop", min_score=0.7, csv=True)
    assert heard == [remote()]


def test_a_reboot_without_network_has_what_the_server_set(file: Path) -> None:
    remote = Remote(file, Settings(), Health())
    remote.offer({"version": 4, "region_of_interest": [[0.1, 0.2], [0.9, 0.2], [0.5, 1]]})
    again = Remote(file, Settings(), Health())
    assert again() == remote()
    assert again().region_of_interest == ((0.1, 0.2), (0.9, 0.2), (0.5, 1.0))
    assert file.stat().st_mode & 0o077 == 0


def test_what_the_server_no_longer_names_is_the_devices_own_again(file: Path) -> None:
    remote = Remote(file, Settings(min_score=0.6), Health())
    remote.offer({"version": 1, "min_score": 0.9})
    remote.offer({"version": 2, "mode": "read"})
    assert remote().min_score == 0.6


def test_an_older_version_after_the_server_was_restored_is_taken(file: Path) -> None:
    remote = Remote(file, Settings(), Health())
    remote.offer({"version": 9, "mode": "crop"})
    assert remote.offer({"version": 2, "mode": "frame"})
    assert (remote().version, remote().mode) == (2, "frame")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"version": 2, "mode": "film"}, "mode"),
        ({"version": 2, "min_score": 7}, "min_score"),
        ({"version": 2, "colour": "red"}, "colour"),
        ({"version": "two"}, "version"),
        ({"version": True}, "version"),
    ],
)
def test_settings_that_cannot_be_are_refused_whole_with_a_reason(
    file: Path, sent: dict[str, Any], field: str
) -> None:
    health = Health()
    remote = Remote(file, Settings(), health)
    remote.offer({"version": 1, "mode": "crop"})
    assert not remote.offer({**sent, "csv": True})
    assert remote() == Settings(version=1, mode="crop")
    assert remote.refusal is not None
    assert remote.refusal.field == field
    assert remote.refusal.sentence in health.troubles["settings"]
    assert Remote(file, Settings(), Health())() == remote()


def test_a_refusal_is_over_when_the_server_sends_what_can_be(file: Path) -> None:
    health = Health()
    remote = Remote(file, Settings(), health)
    remote.offer({"version": 2, "mode": "film"})
    remote.offer({"version": 2, "mode": "film"})
    assert health.snapshot()["settings_refused"] == 1
    assert remote.offer({"version": 3, "mode": "read"})
    assert remote.refusal is None
    assert health.troubles == {}


@pytest.mark.parametrize("raw", [None, {}, [], "x", {"mode": "crop"}])
def test_a_server_that_has_set_nothing_changes_nothing(file: Path, raw: Any) -> None:
    remote = Remote(file, Settings(), Health())
    assert not remote.offer(raw)
    assert remote() == Settings()
    assert remote.refusal is None


@pytest.mark.parametrize("kept", ["", "{", "[1]", '{"mode": "film"}', "\0"])
def test_a_damaged_file_leaves_the_devices_own(file: Path, kept: str) -> None:
    file.parent.mkdir()
    file.write_text(kept)
    health = Health()
    assert Remote(file, Settings(csv=True), health)() == Settings(csv=True)
    assert "settings" in health.troubles


def test_a_disk_that_takes_nothing_is_told_and_the_settings_hold(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    health = Health()
    remote = Remote(tmp_path / "data" / "settings.json", Settings(), health)
    assert remote.offer({"version": 1, "mode": "crop"})
    assert remote().mode == "crop"
    assert "cannot be kept" in health.troubles["settings"]


def test_the_file_is_never_half_written(file: Path) -> None:
    remote = Remote(file, Settings(), Health())
    for version in range(1, 4):
        remote.offer({"version": version})
        assert json.loads(file.read_text())["version"] == version
    assert [one.name for one in file.parent.iterdir()] == [file.name]
