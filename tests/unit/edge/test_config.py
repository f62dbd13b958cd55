"""The agent's configuration file."""

from pathlib import Path

import pytest

from edge import config
from edge.config import ConfigError, parse_config, read_config

SMALL = '[source]\naddress = "usb:0"\n'


def test_the_smallest_file() -> None:
    found = parse_config(SMALL)
    assert found.source == "usb:0"
    assert (found.transport, found.page, found.mqtt, found.hit_command) == ("rest", None, None, ())
    assert found.data == config.DEFAULT_DATA


def test_the_example_of_the_docstring_is_a_valid_file(tmp_path: Path) -> None:
    """What people copy works: only files it names must be there."""
    example = (config.__doc__ or "").split("```toml")[1].split("```")[0]
    for name in (
        "/etc/ssl/certs/own.pem",
        "/etc/platewarden-edge/mqtt-password",
        "/etc/platewarden-edge/page.pem",
        "/etc/platewarden-edge/page.key",
    ):
        there = tmp_path / Path(name).name
        there.write_text("word\n")
        example = example.replace(name, str(there))
    found = parse_config(example)
    assert found.mqtt is not None
    assert (found.mqtt.version, found.mqtt.password) == ("5", "word")
    assert found.page is not None
    assert found.page.port == 8090
    assert found.settings.mode == "auto"
    assert found.hit_command == ("/usr/local/bin/sound",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SMALL + "speed = 3\n", "line 3: source.speed is not known"),
        (SMALL + "\n[pages]\nport = 1\n", "line 4: there is no table pages"),
        ("port = 1\n" + SMALL, "line 1: there is no key port"),
        (SMALL + "realtime = 'yes'\n", "line 3: source.realtime is neither"),
        (SMALL + "[spool]\n# much\nmax_megabytes = 0\n", "line 5: spool.max_megabytes"),
        (SMALL + "[settings]\nmode = 'fast'\n", "line 4: settings.mode: mode is none of"),
        (SMALL + "[settings]\nversion = 3\n", "line 4: settings.version"),
        (SMALL + "[settings]\ncolour = 3\n", "line 4: settings.colour: There is no such setting"),
        (SMALL + "[server]\nca_file = '/nowhere/x.pem'\n", "line 4: server.ca_file names"),
        (SMALL + "[server]\ntransport = 'mqtt'\n", "[mqtt] must name a host"),
        (SMALL + "[page]\nport = 80\n", "[page] must have a password_hash"),
        (SMALL + "[source.x]\n", "source.x is not known"),
        (SMALL + "every = 0\n", "line 3: source.every is not a number of seconds"),
        (SMALL + "[hits]\ncommand = 'sound'\n", "line 4: hits.command is not a list"),
        ("source = 'usb:0'\n", "line 1: source must be a table"),
        ("", "[source] must name an address"),
        ("[source\n", "it is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert sentence in str(caught.value)


def test_no_sentence_and_no_repr_shows_the_cameras_password() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config('[source]\naddress = "rtsp://u:secret@cam/1"\nspeed = 1\n')
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(parse_config('[source]\naddress = "rtsp://u:secret@cam/1"\n'))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"data = '\xe9'\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_config(latin)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("x = 1\n")
    with pytest.raises(ConfigError, match=r"wrong\.toml, line 1: there is no key x"):
        read_config(wrong)
