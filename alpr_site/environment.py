"""Strict parsing of the environment: every setting the product has, in one table.

docs/settings.md is checked against this table by a test.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class SettingError(Exception):
    """A setting is missing or malformed; the message says which and how to mend it."""


def _boolean(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("expected true or false")


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _tiles(value: str) -> str:
    if value not in ("auto", "never"):
        raise ValueError("expected auto or never")
    return value


def _pairs(value: str) -> dict[str, tuple[str, str]]:
    """`name=site/camera`, separated by commas."""
    found = {}
    for word in _words(value):
        name, _, ours = word.rpartition("=")
        site, _, camera = ours.partition("/")
        if not (name and site and camera) or name in found:
            raise ValueError("expected name=site/camera, each name once")
        found[name] = (site, camera)
    return found


def _networks(value: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(word) for word in _words(value)]


@dataclass(frozen=True)
class Setting:
    """One environment variable: how it is read, its default, what it is for."""

    name: str
    default: str | None
    read: Callable[[str], Any]
    what: str


SETTINGS = (
    Setting("DATABASE_URL", None, str, "Main database: postgres://user:password@host:port/name."),
    Setting("KEYSTORE_URL", None, str, "Database of the wrapped data keys; never the main one."),
    Setting("REDIS_URL", None, str, "Queue, cache and live feed: redis:// or rediss://."),
    Setting("STORAGE_URL", None, str, "Sealed pictures: file:///folder or s3://bucket?endpoint=…"),
    Setting("SECRET_KEY_FILE", None, str, "File with Django's secret key (sessions, CSRF)."),
    Setting(
        "PLATEWARDEN_MASTER_KEY_FILE", "", str, "File with the master key that wraps data keys."
    ),
    Setting("PLATEWARDEN_MASTER_KEY", "", str, "The master key itself, instead of its file."),
    Setting("PLATEWARDEN_INDEX_KEY_FILE", "", str, "File with the blind index's key."),
    Setting("PLATEWARDEN_INDEX_KEY", "", str, "The index key itself, instead of its file."),
    Setting("PLATEWARDEN_SIGNING_KEY_FILE", "", str, "File with the key that signs evidence."),
    Setting("PLATEWARDEN_SIGNING_KEY", "", str, "The signing key itself, instead of its file."),
    Setting("PLATEWARDEN_URL", "http://127.0.0.1:8000", str, "The address people use."),
    Setting("PLATEWARDEN_HOSTS", "localhost,127.0.0.1,[::1]", _words, "Host names answered to."),
    Setting("PLATEWARDEN_PROXY", "false", _boolean, "A TLS proxy in front sets X-Forwarded-Proto."),
    Setting("PLATEWARDEN_DEBUG", "false", _boolean, "Django's debug pages. Never in production."),
    Setting("PLATEWARDEN_LOG", "info", str, "Log level: debug, info, warning, error."),
    Setting("PLATEWARDEN_WEB_THREADS", "8", int, "Threads that answer pages and the API."),
    Setting("PLATEWARDEN_UPLOAD_MB", "32", int, "Largest request body, in MiB."),
    Setting("PLATEWARDEN_UPLOAD_SECONDS", "60", int, "Longest time a request body may take."),
    Setting("PLATEWARDEN_PICTURE_MB", "16", int, "Largest picture, in MiB."),
    Setting("PLATEWARDEN_PICTURE_MEGAPIXELS", "50", int, "Largest picture, in million pixels."),
    Setting("PLATEWARDEN_DEVICE_RATE", "50", float, "Captures per second each device may send."),
    Setting("PLATEWARDEN_DEVICE_BURST", "500", int, "Captures a device may send at once."),
    Setting("PLATEWARDEN_MAX_AGE_DAYS", "31", int, "Oldest capture time taken, in days."),
    Setting("PLATEWARDEN_MAX_AHEAD_MINUTES", "60", int, "Furthest capture time ahead, in minutes."),
    Setting("PLATEWARDEN_LEASE_SECONDS", "15", int, "How long a worker may hold a capture."),
    Setting(
        "PLATEWARDEN_SECOND_READER", "false", _boolean, "Ask PP-OCRv6 where our reader is unsure."
    ),
    Setting(
        "PLATEWARDEN_TILES", "auto", _tiles, "Search large pictures in tiles too: auto or never."
    ),
    Setting(
        "PLATEWARDEN_MQTT_URL", "", str, "Broker of the bridge: mqtts://user@host:8883?passfile=…"
    ),
    Setting(
        "PLATEWARDEN_FRIGATE_CAMERAS", "", _pairs, "Frigate's cameras as ours: name=site/camera, …"
    ),
    Setting(
        "PLATEWARDEN_LOOKUP_HOSTS", "", _words, "Hosts (host or host:port) asked for payments."
    ),
    Setting(
        "PLATEWARDEN_LOOKUP_NETWORKS", "", _networks, "Private networks they may lie in (CIDR, …)."
    ),
    Setting("EMAIL_URL", "console://", str, "Mail: smtp://user:password@host:port or console://."),
    Setting("EMAIL_FROM", "platewarden@localhost", str, "Sender of mail."),
    Setting(
        "PLATEWARDEN_FONTS", "", str, "Folder of fonts for what notices' own lack, as Chinese."
    ),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def read(name: str) -> Any:
    """The value of a setting of the table; SettingError if it is missing or malformed."""
    setting = _BY_NAME[name]
    value = os.environ.get(name, setting.default)
    if value is None:
        raise SettingError(f"{name} is not set ({setting.what}) — `./run` sets it for you")
    try:
        return setting.read(value)
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from error


def database(name: str) -> dict[str, Any]:
    """Django's database settings from a URL. `host=` in the query names a socket folder."""
    url = urlsplit(read(name))
    if url.scheme not in ("postgres", "postgresql"):
        raise SettingError(f"{name}: only postgres:// is supported")
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    host = query.pop("host", url.hostname or "")
    port = query.pop("port", str(url.port or ""))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": unquote(host),
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **query},
    }


def storage() -> dict[str, Any]:
    """Django's storage settings for the sealed store from STORAGE_URL."""
    url = urlsplit(read("STORAGE_URL"))
    if url.scheme == "file":
        return {
            "BACKEND": "vault.files.DurableFileSystemStorage",
            "OPTIONS": {"location": unquote(url.path)},
        }
    if url.scheme == "s3":
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        options: dict[str, Any] = {"bucket_name": url.netloc, "file_overwrite": False}
        if "endpoint" in query:
            options["endpoint_url"] = query["endpoint"]
        if "region" in query:
            options["region_name"] = query["region"]
        if url.path.strip("/"):
            options["location"] = url.path.strip("/")
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    raise SettingError("STORAGE_URL: only file:// and s3:// are supported")


def email() -> dict[str, Any]:
    """Django's mail settings from EMAIL_URL."""
    url = urlsplit(read("EMAIL_URL"))
    if url.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if url.scheme in ("smtp", "smtps"):
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": url.hostname or "localhost",
            "EMAIL_PORT": url.port or (465 if url.scheme == "smtps" else 587),
            "EMAIL_HOST_USER": unquote(url.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
            "EMAIL_USE_SSL": url.scheme == "smtps",
            "EMAIL_USE_TLS": url.scheme == "smtp" and url.username is not None,
            "EMAIL_TIMEOUT": 20,  # a server that never answers must not hold a worker
        }
    raise SettingError("EMAIL_URL: only smtp://, smtps:// and console:// are supported")


def mqtt() -> dict[str, Any] | None:
    """The fields of `gateway.bridge.Broker` from PLATEWARDEN_MQTT_URL; None where it isn't set.

    In the query: `version` (3, the default, is MQTT 3.1.1; or 5), `client_id`, `passfile` with the
    password, `ca` with the certificates to trust instead of the system's.
    """
    name = "PLATEWARDEN_MQTT_URL"
    text = read(name)
    if not text:
        return None
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        # what can't be told apart may be a piece of the password
        raise SettingError(f"{name}: its host or port can't be read") from error
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    version, passfile = query.pop("version", "3"), query.pop("passfile", None)
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname:
        raise SettingError(f"{name}: expected mqtt://host:port or mqtts://host:port")
    if version not in ("3", "5"):
        raise SettingError(f"{name}: version is 3 (MQTT 3.1.1) or 5")
    if set(query) - {"client_id", "ca"}:
        raise SettingError(f"{name}: the query may hold version, client_id, passfile and ca")
    tls = url.scheme == "mqtts"
    password = None if url.password is None else unquote(url.password)
    return {
        "host": url.hostname,
        "port": port or (8883 if tls else 1883),
        "tls": tls,
        "username": None if url.username is None else unquote(url.username),
        "password": _secret(name, passfile) if passfile else password,
        "version": int(version),
        **query,
    }


def _secret(name: str, path: str) -> str:
    """The first line of a file with a secret."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise SettingError(f"{name}: its file cannot be read: {type(error).__name__}") from error


def secret_key() -> str:
    """Django's secret key from its file."""
    path = Path(read("SECRET_KEY_FILE"))
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"SECRET_KEY_FILE cannot be read: {type(error).__name__}") from error
    if len(value) < 32:
        raise SettingError("SECRET_KEY_FILE holds fewer than 32 characters")
    return value
