"""What the demo knows of the product: its HTTP addresses, as any camera and any operator does."""

import mimetypes
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

TIMEOUT = 30.0


class DemoError(Exception):
    """The site did not answer as it should; the message says to what."""


def _checked(answer: requests.Response, what: str, *wanted: int) -> Any:
    if answer.status_code not in wanted:
        raise DemoError(f"{what}: HTTP {answer.status_code} {answer.text[:300]}")
    return answer.json() if answer.content else None


@dataclass
class Device:
    """One camera's own connection, with its own key."""

    url: str
    key: str

    def __post_init__(self) -> None:
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {self.key}"

    def send(
        self, path: Path, data: bytes, *, captured_at: datetime, event_id: str, kind: str = "frame"
    ) -> dict[str, Any]:
        """Post a picture; the answer of the 202."""
        form = {"kind": kind, "captured_at": captured_at.isoformat(), "event_id": event_id}
        media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        answer = self.http.post(
            f"{self.url}/api/v1/captures",
            data=form,
            files={"picture": ("picture", data, media)},  # a file's name may be a plate
            timeout=TIMEOUT,
        )
        if answer.status_code in (400, 413, 415):
            return {"refused": answer.json()["error"]}
        return dict(_checked(answer, "posting a capture", 202))

    def outcome(self, capture_id: str) -> dict[str, Any]:
        """What became of a capture."""
        answer = self.http.get(f"{self.url}/api/v1/captures/{capture_id}", timeout=TIMEOUT)
        return dict(_checked(answer, "asking for a capture", 200))

    def heartbeat(self, *, through: datetime, sent_at: datetime) -> None:
        """Say that everything seen up to `through` was delivered."""
        beat = {
            "through": through.isoformat(),
            "sent_at": sent_at.isoformat(),
            "queue_depth": 0,
            "detail": {"fps": 12.5},
        }
        answer = self.http.post(f"{self.url}/api/v1/heartbeats", json=beat, timeout=TIMEOUT)
        _checked(answer, "sending a heartbeat", 200, 202)


@dataclass
class Seller:
    """A provider of rights with its key."""

    url: str
    key: str

    def deliver(self, rights: list[dict[str, Any]]) -> None:
        """Deliver rights; DemoError if one is refused."""
        answer = requests.post(
            f"{self.url}/api/v1/rights",
            json={"items": rights},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=TIMEOUT,
        )
        said = _checked(answer, "delivering rights", 200, 201)
        if said["rejected"]:
            errors = [r["error"]["code"] for r in said["results"] if "error" in r]
            raise DemoError(f"delivering rights: {said['rejected']} refused: {errors}")


class Operator:
    """A person at the screens: logs in through the page and looks with a purpose."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url = url
        self.http = requests.Session()
        page = self.http.get(f"{url}/accounts/login/", timeout=TIMEOUT)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        if page.status_code != 200 or token is None:
            raise DemoError(f"the log-in page: HTTP {page.status_code}")
        answer = self.http.post(
            f"{url}/accounts/login/",
            data={"login": name, "password": password, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": f"{url}/accounts/login/"},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        if answer.status_code != 302:
            raise DemoError(f"logging in as {name}: HTTP {answer.status_code}")

    def outcome(self, capture_id: str) -> dict[str, Any]:
        """What became of a capture of a site of theirs."""
        answer = self.http.get(f"{self.url}/api/v1/captures/{capture_id}", timeout=TIMEOUT)
        return dict(_checked(answer, "asking for a capture", 200))

    def reads(self, capture_id: str) -> list[dict[str, Any]]:
        """The plates of a capture; each look is in the audit log with this purpose."""
        answer = self.http.get(
            f"{self.url}/api/v1/reads",
            params={"capture": capture_id},
            headers={"X-Purpose": "quality-check"},
            timeout=TIMEOUT,
        )
        return list(_checked(answer, "asking for reads", 200)["reads"])
