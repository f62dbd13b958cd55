"""The command line: sentences instead of tracebacks, and no secret in any of them."""

import io
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import segno

from edge import cli, enrol
from edge.agent import open_spool
from edge.clock import Clock
from edge.config import read_config
from edge.enrol import Device, Invitation, device_load, device_save
from edge.health import Health
from edge.items import Item
from edge.page.door import Door

TOKEN = "PLATEWARDEN:https://plates.example#tok-secret"
DEVICE = Device("https://plates.example", "pwd_secret", "gantry-north", "gantry", ("CZ",))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(f'data = "{tmp_path / "data"}"\n[source]\naddress = "usb:0"\n')
    return path


def run(config: Path, *arguments: str) -> int:
    return cli.main(["--config", str(config), *arguments])


def test_every_command_is_in_the_help() -> None:
    text = cli.parser().format_help()
    for name in ("run", "enrol", "doctor", "bench", "spool", "password"):
        assert f"    {name} " in text


def test_a_wrong_configuration_is_a_sentence(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("[source]\naddress = 'usb:0'\ncolour = 1\n")
    assert run(config, "run") == 1
    said = capsys.readouterr().err
    assert "line 3: source.colour is not known" in said
    assert "Traceback" not in said


def test_nothing_runs_before_the_device_is_enrolled(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "run") == 1
    assert "not enrolled yet" in capsys.readouterr().err


def test_a_token_from_standard_input_becomes_a_device(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Invitation] = []

    def trade(invitation: Invitation, *, ca_file: Path | None) -> Device:
        asked.append(invitation)
        return DEVICE

    monkeypatch.setattr(cli, "enrol", trade)
    monkeypatch.setattr(sys, "stdin", io.StringIO(TOKEN + "\n"))
    assert run(config, "enrol", "-") == 0
    assert asked == [enrol.Invitation("https://plates.example", "tok-secret")]
    assert device_load(tmp_path / "data") == DEVICE
    assert "gantry-north of gantry" in capsys.readouterr().out
    assert run(config, "enrol", TOKEN) == 1  # a second time only when it is asked for
    assert "already (--again)" in capsys.readouterr().err
    assert run(config, "enrol", "--again", TOKEN) == 0
    assert len(asked) == 2
    everything = capsys.readouterr()
    assert "secret" not in everything.out + everything.err


def test_the_camera_is_shown_the_code(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Invitation] = []
    monkeypatch.setattr(cli, "enrol", lambda invitation, **_: asked.append(invitation) or DEVICE)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    segno.make(TOKEN).save(str(pictures / "code.png"), scale=6, border=4)
    config.write_text(f'data = "{tmp_path / "data"}"\n[source]\naddress = "{pictures}"\n')
    assert run(config, "enrol", "--camera") == 0
    assert [one.token for one in asked] == ["tok-secret"]


def test_a_camera_that_shows_nothing_is_not_waited_for_for_ever(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "SCAN_SECONDS", 0.2)
    (tmp_path / "pictures").mkdir()
    config.write_text(f'[source]\naddress = "{tmp_path / "pictures"}"\n')
    assert run(config, "enrol", "--camera", "--again") == 1
    assert "saw no set-up code" in capsys.readouterr().err


def test_enrol_without_a_token_asks_for_one(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "enrol") == 1
    assert "Which set-up token?" in capsys.readouterr().err


def test_the_spool_is_told_without_a_plate(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = open_spool(read_config(config), Clock(), Health())
    items = [
        Item(
            "read", datetime(2026, 5, 4, 12, 0, second, tzinfo=UTC), {"read": {"text": "34A36837"}}
        )
        for second in (1, 2)
    ]
    for item in items:
        spool.put(item)
    spool.set_aside(items[0].event_id, "captured_at_invalid", "captured_at")
    spool.close()

    assert run(config, "spool") == 0
    said = capsys.readouterr().out
    assert "1 waiting" in said
    assert "1 refused" in said
    assert "read   captured_at_invalid (captured_at)" in said
    assert "34A36837" not in said
    assert run(config, "spool", "--retry", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["waiting"], facts["refused"], facts["tried_again"]) == (2, 0, 1)


def test_the_password_is_kept_as_a_hash_that_opens_the_page(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long password\n"))
    assert run(config, "password") == 0
    kept = capsys.readouterr().out.strip()
    assert "a long password" not in kept
    Door(kept)  # refuses what is no hash
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert run(config, "password") == 1
    assert "characters" in capsys.readouterr().err


def test_the_log_of_an_error_holds_no_plate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    cli.log_to_stderr()
    try:
        raise ValueError("34A36837")
    except ValueError:
        logging.getLogger("edge").exception("a frame failed")
    said = capsys.readouterr().err
    assert "ERROR a frame failed" in said
    assert "ValueError at test_cli.py:" in said
    assert "34A36837" not in said


def test_without_onnxruntime_it_says_what_to_install(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device_save(config.parent / "data", DEVICE)
    for name in list(sys.modules):
        if name.partition(".")[0] in ("edge", "inference") and name not in ("edge", "edge.cli"):
            monkeypatch.delitem(sys.modules, name)  # imported anew, as in a new process
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert run(config, "run") == 1
    assert "platewarden-edge[cpu]" in capsys.readouterr().err
