"""Who this device is to the server: a set-up token, typed or shown as a QR code, becomes a key.

The camera's page on the dashboard shows `PLATEWARDEN:<server's address>#<token>` as text and as QR.
The token is good once and for a short while; what comes back is kept in `device.json` (0600) in the
agent's data folder.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import cv2
import requests

from edge.disk import write_whole
from edge.items import Frame

PREFIX: Final = "PLATEWARDEN:"
FILE: Final = "device.json"
SETTINGS_FILE: Final = "settings.json"
TIMEOUT_S: Final = 20.0


class EnrolError(Exception):
    """`str()` is a sentence for people; it holds neither token nor key."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A set-up token and the server that gave it; `url` has no slash at its end."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """What the server made of this device."""

    url: str
    key: str = field(repr=False)
    camera: str
    site: str
    regions: tuple[str, ...] = ()
    regions_strict: bool = False


def parse_invitation(text: str, *, plain: bool = False) -> Invitation:
    """`PLATEWARDEN:<url>#<token>`, or the same without its first word.

    Raises EnrolError, also for an address without TLS unless it is this machine's own or `plain`:
    the key would travel in clear.
    """
    url, mark, token = text.strip().removeprefix(PREFIX).partition("#")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not mark or not token or host is None or parts.scheme not in ("http", "https"):
        raise EnrolError(
            f"This is not a set-up token. It looks like {PREFIX}https://server.example#… and "
            "stands on the camera's page of the dashboard."
        )
    if parts.username or parts.password or parts.query:
        raise EnrolError("The server's address in the set-up token holds more than an address.")
    if parts.scheme == "http" and not plain and not _is_here(host):
        raise EnrolError(
            "The server's address has no TLS (http://): the device's key would travel in clear. "
            "Use https://, or --plain-http on a network of your own."
        )
    return Invitation(url.rstrip("/"), token)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def scan(frames: Iterable[Frame], *, until: float) -> str:
    """The first QR code with a set-up token that the camera sees. Raises EnrolError when none came
    before the moment `until` of the frames' clock.
    """
    reader = cv2.QRCodeDetector()
    for frame in frames:
        try:
            text, _, _ = reader.detectAndDecode(frame.picture)
        except cv2.error:  # it gives up loudly on some pictures that hold no code
            text = ""
        if text.startswith(PREFIX):
            return str(text)
        if frame.at > until:
            break
    raise EnrolError(
        "The camera saw no set-up code. Hold it so that it fills a third of the picture, without "
        "glare; a code is good for a short while only."
    )


def enrol(invitation: Invitation, *, ca_file: Path | None = None) -> Device:
    """Trades the token for this device's key. Raises EnrolError."""
    try:
        answer = requests.post(
            f"{invitation.url}/api/v1/enrol",
            json={"token": invitation.token},
            timeout=TIMEOUT_S,
            verify=str(ca_file) if ca_file else True,
            allow_redirects=False,  # a token is given to whom it came from, and to nobody else
        )
    except requests.exceptions.SSLError as error:
        raise EnrolError(
            "The server's certificate is not trusted here. Is the clock right? For a certificate "
            "authority of your own, set server.ca_file."
        ) from error
    except requests.RequestException as error:
        raise EnrolError(f"{invitation.url} cannot be reached ({type(error).__name__}).") from error
    said = _json(answer)
    if answer.status_code not in (200, 201):
        error_said = said.get("error")
        why = error_said.get("sentence") if isinstance(error_said, dict) else None
        raise EnrolError(
            f"The server refused the set-up token: {why or f'HTTP {answer.status_code}'}"
        )
    try:
        return _device({**said, "url": invitation.url})
    except (KeyError, TypeError, ValueError) as error:
        raise EnrolError("The server's answer was not understood; is it Platewarden?") from error


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _device(raw: dict[str, Any]) -> Device:
    values = {name: raw[name] for name in ("url", "key", "camera", "site")}
    if not all(isinstance(value, str) and value for value in values.values()):
        raise ValueError("not a device")
    regions = raw.get("regions") or []
    if not isinstance(regions, list) or not all(isinstance(one, str) for one in regions):
        raise ValueError("not a device")
    return Device(
        **values, regions=tuple(regions), regions_strict=raw.get("regions_strict") is True
    )


def device_save(data: Path, device: Device) -> None:
    """Keeps it in the data folder: whole or not at all, also when the power fails. OSError.

    The settings kept there go: another camera's of the same version would pass for this one's.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data / SETTINGS_FILE).unlink(missing_ok=True)
    write_whole(data / FILE, json.dumps(asdict(device), indent=1).encode())


def device_load(data: Path) -> Device:
    """The device enrolled here. Raises EnrolError when there is none, or its file is no longer
    whole."""
    try:
        raw = json.loads((data / FILE).read_text(encoding="utf-8"))
        return _device(raw)
    except FileNotFoundError as error:
        raise EnrolError(
            "This device is not enrolled yet: platewarden-edge enrol, with the set-up token from "
            "the camera's page."
        ) from error
    except PermissionError as error:
        raise EnrolError(f"{data / FILE} may not be read by this user.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnrolError(
            f"{data / FILE} cannot be used any more; enrol the device again."
        ) from error
