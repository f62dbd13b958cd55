"""Kill any process at any moment: nothing is lost, nothing is done twice.

A camera keeps sending, and repeats what was not answered, as every camera must. Each part is killed
(-9) in the middle of that; every accepted capture must end recognised exactly once within 30 s of
the part's return.
"""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.programme import PICTURES, script
from tests.e2e.site import LiveSite, until

WITHIN_SECONDS = 30.0
CAPTURES = 24


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    live = LiveSite(tmp_path_factory.mktemp("doomed") / "var")
    live.start()
    yield live
    live.stop()


@pytest.fixture(scope="module")
def key(doomed: LiveSite) -> str:
    return str(doomed.demo()["cameras"]["gantry-north"])


class Camera(threading.Thread):
    """Posts pictures and finished reads in turn, and each again until it is answered 202."""

    def __init__(self, url: str, key: str, name: str) -> None:
        super().__init__(daemon=True)
        self.url, self.key, self.label = url, key, name
        self.accepted: dict[str, str] = {}
        self.errors: list[int] = []
        self.tries = 0
        self.half = threading.Event()
        self.pictures = [PICTURES / scene["picture"] for scene in script()["pictures"][:6]]

    def run(self) -> None:
        start = datetime.now(UTC) - timedelta(hours=2)
        for index in range(CAPTURES):
            event = f"{self.label}-{index}"
            at = start + timedelta(minutes=2 * index)
            while event not in self.accepted:
                self.tries += 1
                try:
                    answer = self.post(event, at, index)
                except requests.RequestException:
                    time.sleep(0.2)
                    continue
                if answer.status_code == 202:
                    self.accepted[event] = answer.json()["id"]
                else:
                    self.errors.append(answer.status_code)
                    time.sleep(0.2)
            if index == CAPTURES // 2:
                self.half.set()

    def post(self, event: str, at: datetime, index: int) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.url}/api/v1/captures"
        if index % 2:
            read = {
                "text": f"{index % 9 + 1}A{index % 10}{1000 + index}",
                "score": 0.97,
                "country": "CZ",
            }
            body = {"kind": "read", "captured_at": at.isoformat(), "event_id": event, "read": read}
            return requests.post(url, json=body, headers=headers, timeout=10)
        picture = self.pictures[index % len(self.pictures)].read_bytes()
        form = {"kind": "frame", "captured_at": at.isoformat(), "event_id": event}
        return requests.post(
            url, data=form, files={"picture": ("p", picture)}, headers=headers, timeout=10
        )


def accounted(site: LiveSite, camera: Camera) -> bool:
    ids = tuple(camera.accepted.values())
    waiting = site.rows(
        "SELECT count(*) FROM cameras_capture WHERE id IN %s AND status = 'received'", ids
    )
    return bool(waiting[0][0] == 0)


def check(site: LiveSite, camera: Camera) -> None:
    """Every 202 is one row, recognised once: as many reads as its outcome says, each once."""
    ids = tuple(camera.accepted.values())
    assert len(set(ids)) == CAPTURES
    rows: dict[str, Any] = {
        str(row[0]): row[1:]
        for row in site.rows(
            "SELECT id, status, (outcome->>'reads')::int FROM cameras_capture WHERE id IN %s", ids
        )
    }
    assert set(rows) == set(ids)
    assert {status for status, _ in rows.values()} == {"recognised"}
    reads = dict(
        site.rows(
            "SELECT capture_id::text, count(*) FROM plates_plateread"
            " WHERE capture_id IN %s GROUP BY 1",
            ids,
        )
    )
    assert {capture: reads[capture] for capture in ids} == {c: rows[c][1] for c in ids}
    ungathered = (
        "SELECT count(*) FROM plates_plateread WHERE capture_id IN %s AND passage_id IS NULL"
    )
    until(
        "every read is in a passage",
        lambda: site.rows(ungathered, ids) == [(0,)],
        WITHIN_SECONDS,
    )


@pytest.mark.parametrize("part", ["worker-recognise", "worker-flow", "web", "postgres", "valkey"])
def test_kill_and_nothing_is_lost_or_done_twice(doomed: LiveSite, key: str, part: str) -> None:
    camera = Camera(doomed.url, key, part)
    camera.start()
    assert camera.half.wait(90), "the camera did not get half of its pictures through"
    old = doomed.kill(part)
    doomed.back(part, old)
    until("the site answers again", doomed.answers, 30)
    camera.join(90)
    assert not camera.is_alive()
    until(
        f"{part} is back and everything recognised",
        lambda: accounted(doomed, camera),
        WITHIN_SECONDS,
    )
    check(doomed, camera)
    # while PostgreSQL is away a 503 is honest; anything else means that something broke
    assert set(camera.errors) <= {503}, camera.errors


def test_a_killed_supervisor_is_cleaned_up_after(doomed: LiveSite, key: str) -> None:
    camera = Camera(doomed.url, key, "supervisor")
    camera.start()
    assert camera.half.wait(90)
    assert doomed.process is not None
    doomed.process.kill()
    doomed.process.wait()
    doomed.start()
    camera.join(90)
    until("everything recognised", lambda: accounted(doomed, camera), WITHIN_SECONDS)
    check(doomed, camera)


def test_files_of_the_store_all_belong_to_a_row(doomed: LiveSite) -> None:
    """A crash between storing a picture and its row may leave ciphertext; never a row without."""
    named = {
        name
        for (name,) in doomed.rows(
            "SELECT picture FROM cameras_capture WHERE picture <> '' "
            "UNION SELECT crop FROM plates_plateread WHERE crop <> ''"
        )
    }
    store = Path(doomed.services()["STORAGE_URL"].removeprefix("file://"))
    missing = [name for name in named if not (store / name).exists()]
    assert missing == []
