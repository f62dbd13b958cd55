"""A camera that hands out single pictures over HTTP."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from edge.sources.base import SourceError, SourceLostError
from inference.pictures import PictureError, decode_picture
from inference.results import Picture

_MOST_BYTES: Final = 20_000_000
_TIMEOUT: Final = (5.0, 10.0)


class SnapshotCamera:
    """Fetches a picture each time it is asked.

    A name and password in the address are sent as the camera asks for them: digest or basic.
    Redirections are not followed: they would lead the password to another host.
    """

    def __init__(self, address: str) -> None:
        """Raises SourceError for an address that can't be."""
        try:
            parts = urlsplit(address)
            host = parts.hostname
            port = f":{parts.port}" if parts.port else ""
        except ValueError as error:
            raise SourceError("The camera's address cannot be read.") from error
        if not host:
            raise SourceError("The camera's address names no host.")
        netloc = f"[{host}]{port}" if ":" in host else f"{host}{port}"
        self._address = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
        self._word = (unquote(parts.username or ""), unquote(parts.password or ""))
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a .netrc stands between

    def read(self) -> Picture:
        try:
            data = self._fetch()
        except (requests.RequestException, OSError) as error:
            # the library's own words hold the address
            raise SourceLostError("it does not answer") from error
        try:
            return decode_picture(data)
        except PictureError as error:
            raise SourceLostError("what it sent is no whole picture") from error

    def close(self) -> None:
        self._session.close()

    def _fetch(self) -> bytes:
        answer = self._get()
        if answer.status_code == 401 and any(self._word) and self._session.auth is None:
            digest = "digest" in answer.headers.get("WWW-Authenticate", "").lower()
            answer.close()
            self._session.auth = (HTTPDigestAuth if digest else HTTPBasicAuth)(*self._word)
            answer = self._get()
        with answer:
            if answer.status_code in (401, 403):
                raise SourceLostError("it refuses the name or password")
            if answer.status_code != 200:
                raise SourceLostError(f"it answers {answer.status_code}")
            data = bytearray()
            for part in answer.iter_content(65_536):
                data += part
                if len(data) > _MOST_BYTES:
                    raise SourceLostError("its picture is larger than 20 MB")
            return bytes(data)

    def _get(self) -> requests.Response:
        return self._session.get(
            self._address, timeout=_TIMEOUT, stream=True, allow_redirects=False
        )
