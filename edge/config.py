"""The agent's configuration file: TOML, every key checked, what it does not know refused by line.

```toml
data = "/var/lib/platewarden-edge"    # the queue on disk, this device's key, kept settings

[source]
address = "rtsp://user:word@camera/stream"   # usb:0, picamera:0, a video, a folder, http(s)://…
realtime = true        # a video file at its own pace; false: as fast as it can be read
loop = false           # a video file from its beginning again
every = 1.0            # seconds between two pictures of http(s)://
keep = false           # pictures of a folder stay in it

[place]
from = "gpsd://127.0.0.1:2947"        # or a serial device with NMEA, or a recorded track

[server]               # its address and the key came with `enrol`
ca_file = "/etc/ssl/certs/own.pem"    # a certificate authority of your own
transport = "rest"     # or "mqtt", with a table [mqtt]

[mqtt]
host = "broker.example"
port = 8883
tls = true
version = "5"          # or "3.1.1"
ca_file = "/etc/ssl/certs/own.pem"
user = "gantry-north"
password_file = "/etc/platewarden-edge/mqtt-password"

[spool]
max_megabytes = 2000

[csv]
folder = "/var/lib/platewarden-edge/csv"
max_megabytes = 20

[page]                 # no such table: no page
listen = "127.0.0.1"
port = 8090
password_hash = "…"    # made by: platewarden-edge password
certificate = "/etc/platewarden-edge/page.pem"      # with TLS; else keep it on 127.0.0.1
private_key = "/etc/platewarden-edge/page.key"

[hits]
command = ["/usr/local/bin/sound"]    # run on a hit of the watchlist, without arguments

[settings]             # until the server sends its own: the fields of edge.settings.Settings
mode = "auto"
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from edge.settings import Settings, SettingsError, parse_settings

DEFAULT_PATH: Final = Path("/etc/platewarden-edge/agent.toml")
DEFAULT_DATA: Final = Path("/var/lib/platewarden-edge")
MEGABYTE: Final = 1_000_000

Transport = Literal["rest", "mqtt"]


class ConfigError(ValueError):
    """The file can't be used; `str()` is a sentence with the line where there is one."""


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """The broker. `password` is read from its file; `version` is "3.1.1" or "5"."""

    host: str
    port: int = 8883
    tls: bool = True
    version: Literal["3.1.1", "5"] = "5"
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PageConfig:
    """The local page. `password_hash` as `edge.page` makes it; `certificate` and `private_key`:
    PEM files."""

    password_hash: str = field(repr=False)
    listen: str = "127.0.0.1"
    port: int = 8090
    certificate: Path | None = None
    private_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration. `source` may hold a camera's password: never shown."""

    source: str = field(repr=False)
    realtime: bool = True
    loop: bool = False
    every: float = 1.0
    keep: bool = False
    data: Path = DEFAULT_DATA
    place: str | None = None
    ca_file: Path | None = None
    transport: Transport = "rest"
    mqtt: MqttConfig | None = None
    spool_bytes: int = 2000 * MEGABYTE
    csv_folder: Path | None = None
    csv_bytes: int = 20 * MEGABYTE
    page: PageConfig | None = None
    hit_command: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)


_Check = Callable[[Any], Any]


class _Wrong(ValueError):
    pass


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("is not a text")
    return value


def _path(value: Any) -> Path:
    return Path(_text(value))


def _file(value: Any) -> Path:
    path = _path(value)
    if not path.is_file():
        raise _Wrong(f"names {path}, which is not there")
    return path


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("is neither true nor false")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 3600:
        raise _Wrong("is not a number of seconds from 0.01 to 3600")
    return float(value)


def _whole(low: int, high: int) -> _Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _Wrong(f"is not a whole number from {low} to {high}")
        return value

    return check


def _word(*words: str) -> _Check:
    def check(value: Any) -> str:
        if value not in words:
            raise _Wrong(f"is none of {', '.join(words)}")
        return str(value)

    return check


def _command(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise _Wrong('is not a list such as ["/usr/local/bin/sound"]')
    return tuple(value)


_PORT: Final = _whole(1, 65535)
_MEGABYTES: Final = _whole(1, 10_000_000)

_TABLES: Final[Mapping[str, Mapping[str, _Check]]] = {
    "": {"data": _path},
    "source": {
        "address": _text,
        "realtime": _flag,
        "loop": _flag,
        "every": _seconds,
        "keep": _flag,
    },
    "place": {"from": _text},
    "server": {"ca_file": _file, "transport": _word("rest", "mqtt")},
    "mqtt": {
        "host": _text,
        "port": _PORT,
        "tls": _flag,
        "version": _word("3.1.1", "5"),
        "ca_file": _file,
        "user": _text,
        "password_file": _file,
    },
    "spool": {"max_megabytes": _MEGABYTES},
    "csv": {"folder": _path, "max_megabytes": _MEGABYTES},
    "page": {
        "listen": _text,
        "port": _PORT,
        "password_hash": _text,
        "certificate": _file,
        "private_key": _file,
    },
    "hits": {"command": _command},
}
_SETTINGS: Final = "settings"


def read_config(path: Path) -> Config:
    """The configuration in a file. Raises ConfigError, whose sentence never quotes a value."""
    try:
        return parse_config(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8.") from error
    except ConfigError as error:
        raise ConfigError(f"{path}, {error}") from error.__cause__


def parse_config(text: str) -> Config:
    """The configuration in a text. Raises ConfigError: "line 4: source.speed is not known"."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"it is not TOML: {error}.") from error
    found = {table: _checked(text, table, raw) for table in _TABLES}
    for name, value in raw.items():
        if name not in (*_TABLES, *_TABLES[""], _SETTINGS):
            kind = "table" if isinstance(value, dict) else "key"
            table, key = (name, "") if isinstance(value, dict) else ("", name)
            raise ConfigError(f"line {_line(text, table, key)}: there is no {kind} {name}.")
    if "address" not in found["source"]:
        raise ConfigError("[source] must name an address.")
    settings = _settings(text, raw.get(_SETTINGS, {}))
    return _assembled(found, settings)


def _assembled(found: Mapping[str, Mapping[str, Any]], settings: Settings) -> Config:
    source, server = found["source"], found["server"]
    csv, page = found["csv"], found["page"]
    if page and "password_hash" not in page:
        raise ConfigError("[page] must have a password_hash (made by: platewarden-edge password).")
    if ("certificate" in page) != ("private_key" in page):
        raise ConfigError("[page] needs both certificate and private_key, or neither.")
    if server.get("transport") == "mqtt" and "host" not in found["mqtt"]:
        raise ConfigError("[mqtt] must name a host where the transport is mqtt.")
    return Config(
        source=source["address"],
        realtime=source.get("realtime", True),
        loop=source.get("loop", False),
        every=source.get("every", 1.0),
        keep=source.get("keep", False),
        data=found[""].get("data", DEFAULT_DATA),
        place=found["place"].get("from"),
        ca_file=server.get("ca_file"),
        transport=server.get("transport", "rest"),
        mqtt=_mqtt(found["mqtt"]),
        spool_bytes=found["spool"].get("max_megabytes", 2000) * MEGABYTE,
        csv_folder=csv.get("folder"),
        csv_bytes=csv.get("max_megabytes", 20) * MEGABYTE,
        page=PageConfig(**page) if page else None,
        hit_command=found["hits"].get("command", ()),
        settings=settings,
    )


def _mqtt(table: Mapping[str, Any]) -> MqttConfig | None:
    if "host" not in table:
        return None
    rest = {name: value for name, value in table.items() if name != "password_file"}
    password = None
    if "password_file" in table:
        try:
            password = table["password_file"].read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("mqtt.password_file cannot be read.") from error
    return MqttConfig(**rest, password=password)


def _checked(text: str, table: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one table, each through its check; what stands at the top has no table."""
    checks = _TABLES[table]
    if table:
        values = raw.get(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"line {_line(text, '', table)}: {table} must be a table [{table}].")
    else:
        values = {name: value for name, value in raw.items() if name in checks}
    found = {}
    for name, value in values.items():
        full = f"{table}.{name}" if table else name
        if name not in checks:
            known = ", ".join(checks)
            raise ConfigError(
                f"line {_line(text, table, name)}: {full} is not known; [{table}] has {known}."
            )
        try:
            found[name] = checks[name](value)
        except _Wrong as error:
            raise ConfigError(f"line {_line(text, table, name)}: {full} {error}.") from error
    return found


def _settings(text: str, raw: Any) -> Settings:
    try:
        if isinstance(raw, dict) and "version" in raw:
            raise SettingsError("version", "The version is the server's to count.")
        return parse_settings(raw)
    except SettingsError as error:
        line = _line(text, _SETTINGS, error.field)
        raise ConfigError(f"line {line}: {_SETTINGS}.{error.field}: {error.sentence}") from error


def _line(text: str, table: str, key: str) -> int:
    """The line, counted from 1, on which a key (or, for "", the table's header) stands; the
    table's own or 1 where it is written in a way that this does not look for.
    """
    here, header = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        if found := re.match(r"\s*\[\s*[\"']?([^\]\"']+?)[\"']?\s*\]", line):
            here = found[1]
            if here == table:
                header = number
                if not key:
                    return number
        elif here == table and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return header
