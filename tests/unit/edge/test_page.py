"""The local page: what it answers to whom, and the stream it shows."""

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests

from edge.health import Health
from edge.items import Frame, Item, Mark
from edge.page import LocalPage, hash_password
from edge.page.film import MOST_WATCHERS
from edge.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "a long enough word"
HASH = hash_password(PASSWORD)


# --- what it answers ------------------------------------------------------------------------------


class Site:
    """A page that runs, and a client that has logged in to it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.health, self.settings = Health(), Settings(**settings)
        self.page = LocalPage(
            HASH,
            settings=lambda: self.settings,
            health=self.health,
            camera="North <1>",
            folder=folder,
            port=0,
        )
        assert self.page.start()
        self.url = f"http://127.0.0.1:{self.page.port}"
        self.client = requests.Session()

    def log_in(self) -> requests.Response:
        return self.client.post(f"{self.url}/login", data={"password": PASSWORD})

    def get(self, path: str) -> requests.Response:
        return self.client.get(self.url + path, allow_redirects=False, timeout=10)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    yield found
    found.page.close()


def read_item(text: str, crop: bytes | None = b"\xff\xd8crop") -> Item:
    fields = {"read": {"text": text, "score": 0.93, "country": "CZ"}}
    return Item("read", NOW, fields, crop=crop)


@pytest.mark.parametrize("path", ["/state", "/stream", "/reads/1.jpg"])
def test_nothing_is_shown_before_the_log_in(site: Site, path: str) -> None:
    site.page.read(read_item("1AB2345"))
    answer = site.get(path)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_logged_in"
    assert "1AB2345" not in answer.text


def test_the_log_in_shows_the_page_and_the_log_out_ends_it(site: Site) -> None:
    first = site.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/login")
    assert "North &lt;1&gt;" in site.get("/login").text
    assert "North &lt;1&gt;" in site.log_in().text
    cookie = site.client.cookies.get_dict()["platewarden_edge"]
    assert site.get("/state").status_code == 200
    site.client.post(f"{site.url}/logout")
    site.client.cookies.set("platewarden_edge", cookie)
    assert site.get("/state").status_code == 401


def test_the_cookie_is_for_this_page_only(site: Site) -> None:
    answer = requests.post(
        f"{site.url}/login", data={"password": PASSWORD}, allow_redirects=False, timeout=10
    )
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said


def test_a_wrong_password_is_told_and_the_sixth_waits(site: Site) -> None:
    for _ in range(5):
        answer = site.client.post(f"{site.url}/login", data={"password": "wrong"})
        assert answer.status_code == 403
        assert "not the password" in answer.text
    answer = site.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("path", "status"), [("/login", 200), ("/static/page.js", 200), ("/x", 404), ("/state", 401)]
)
def test_every_answer_forbids_other_hosts_frames_and_copies(
    site: Site, path: str, status: int
) -> None:
    answer = site.get(path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy.replace("http-equiv", "")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


def test_another_sites_page_cannot_act_here(site: Site) -> None:
    site.log_in()
    answer = site.client.post(f"{site.url}/logout", headers={"Origin": "http://elsewhere.example"})
    assert answer.status_code == 403
    assert site.get("/state").status_code == 200


@pytest.mark.parametrize(
    "body", [b"password=" + b"x" * 5000, b"\xff\xfe", b"&".join([b"a=1"] * 50), b"", b"password"]
)
def test_bad_input_gets_a_4xx_and_a_sentence(site: Site, body: bytes) -> None:
    answer = site.client.post(f"{site.url}/login", data=body, timeout=10)
    assert 400 <= answer.status_code < 500
    assert answer.text
    assert site.get("/state").status_code == 401


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/door.py", "/reads/x.jpg", "/reads/-1.jpg"]
)
def test_what_is_not_there_is_not_there(site: Site, path: str) -> None:
    site.log_in()
    request = requests.Request("GET", site.url).prepare()
    request.url = site.url + path
    request.headers["Cookie"] = f"platewarden_edge={site.client.cookies['platewarden_edge']}"
    assert requests.Session().send(request, timeout=10).status_code == 404


def test_the_state_shows_reads_newest_first_with_hits_and_troubles(site: Site) -> None:
    site.log_in()
    site.page.read(read_item("1AB2345"), "exact")
    site.page.read(Item("crop", NOW, picture=b"\xff\xd8small"), text="2CD3456", score=0.8)
    site.page.read(Item("frame", NOW, picture=b"\xff\xd8large"))
    site.health.trouble("source", "No picture for 20 s.")
    state = site.get("/state").json()
    assert [
        (one["text"], one["score"], one["country"], one["how"], one["crop"])
        for one in state["reads"]
    ] == [
        (None, None, None, None, False),
        ("2CD3456", 0.8, None, None, True),
        ("1AB2345", 0.93, "CZ", "exact", True),
    ]
    assert state["troubles"] == [{"title": "Camera", "sentence": "No picture for 20 s."}]
    assert site.get("/reads/1.jpg").content == b"\xff\xd8crop"
    assert site.get("/reads/2.jpg").content == b"\xff\xd8small"
    assert site.get("/reads/3.jpg").status_code == 404


def test_only_the_last_reads_are_kept(site: Site) -> None:
    site.log_in()
    for number in range(60):
        site.page.read(read_item(f"1AB{number:04}"))
    reads = site.get("/state").json()["reads"]
    assert len(reads) == 40
    assert reads[0]["text"] == "1AB0059"
    assert site.get("/reads/1.jpg").status_code == 404


# --- the stream -----------------------------------------------------------------------------------


def plate_scene(width: int = 1280, height: int = 720) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    picture = np.full((height, width, 3), 90, np.uint8)
    cv2.rectangle(picture, (560, 400), (720, 440), (255, 255, 255), -1)
    cv2.putText(picture, "1AB 2345", (565, 430), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 3)
    return picture


MARK = Mark(((560.0, 400.0), (720.0, 400.0), (720.0, 440.0), (560.0, 440.0)), "1AB2345", 0.97)


class Camera:
    """Shows frames to a page until it is closed."""

    def __init__(self, page: LocalPage, picture: Any, fps: float = 50.0) -> None:
        self.page, self.picture, self.fps = page, picture, fps
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        self.number, began = 0, time.monotonic()
        while not self.stop.wait(1 / self.fps):
            self.number += 1
            at = began + self.number / self.fps
            self.page.frame(Frame(self.number, self.picture, at, NOW), (MARK,))

    def close(self) -> None:
        self.stop.set()
        self.thread.join()


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    made: list[Camera] = []

    def make(*args: Any, **more: Any) -> Camera:
        made.append(Camera(*args, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def watched(site: Site, count: int) -> list[tuple[dict[str, Any], bytes]]:
    """The first so many frames that a browser gets."""
    found = []
    with site.client.get(f"{site.url}/stream", stream=True, timeout=10) as answer:
        assert answer.status_code == 200
        while len(found) < count:
            head, size = struct.unpack(">II", _exactly(answer, 8))
            said, jpeg = json.loads(_exactly(answer, head)), _exactly(answer, size)
            if jpeg:
                found.append((said, jpeg))
    return found


def _exactly(answer: requests.Response, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = answer.raw.read(size - len(got))
        assert more, "the stream ended"
        got += more
    return got


def test_the_stream_shows_frames_in_order_with_their_plates(
    site: Site, camera: Callable[..., Camera]
) -> None:
    site.log_in()
    camera(site.page, plate_scene())
    found = watched(site, 10)
    numbers = [said["number"] for said, _ in found]
    assert numbers == sorted(set(numbers))
    said, jpeg = found[-1]
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (540, 960, 3)
    assert said["captured_at"] == "2026-03-01T12:00:00.000+00:00"
    [mark] = said["marks"]
    assert (mark["text"], mark["score"]) == ("1AB2345", 0.97)
    assert mark["quad"][0] == pytest.approx([560 / 1280, 400 / 720], abs=1e-4)


def test_plates_that_are_to_be_unrecognisable_are_so_in_the_stream(
    tmp_path: Path, camera: Callable[..., Camera]
) -> None:
    site = Site(tmp_path, blur="plates")
    try:
        site.log_in()
        camera(site.page, plate_scene())
        [(said, jpeg)] = watched(site, 1)
    finally:
        site.page.close()
    assert said["marks"][0]["text"] is None
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    plate = picture[300:330, 420:540]
    clear = cv2.resize(plate_scene(), (960, 540), interpolation=cv2.INTER_AREA)[300:330, 420:540]
    assert np.abs(np.diff(plate.astype(int), axis=1)).mean() < 0.25 * float(
        np.abs(np.diff(clear[:, :, 0].astype(int), axis=1)).mean()
    )


def test_a_frame_that_cannot_be_shown_does_not_end_the_stream(
    site: Site, camera: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, failures = site.page._film._made, [ValueError("one"), ValueError("two")]

    def sometimes(frame: Frame, marks: Any) -> bytes:
        if failures:
            raise failures.pop()
        return made(frame, marks)

    monkeypatch.setattr(site.page._film, "_made", sometimes)
    site.log_in()
    camera(site.page, plate_scene(320, 180))
    assert len(watched(site, 2)) == 2
    assert failures == []


def test_nobody_watching_costs_nothing(site: Site) -> None:
    film = site.page._film
    for number in range(100):
        site.page.frame(Frame(number, plate_scene(), number / 25, NOW), (MARK,))
    assert len(film._buffer) == 0
    assert film._message == (0, b"")


def test_a_few_may_watch_at_once_and_a_closed_page_makes_room(
    site: Site, camera: Callable[..., Camera]
) -> None:
    site.log_in()
    camera(site.page, plate_scene(320, 180))
    open_ = [
        site.client.get(f"{site.url}/stream", stream=True, timeout=10) for _ in range(MOST_WATCHERS)
    ]
    for one in open_:
        _exactly(one, 8)
    refused = site.get("/stream")
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "too_many_watchers"
    for one in open_:
        one.close()
    until = time.monotonic() + 10
    while site.page._film.watchers and time.monotonic() < until:
        time.sleep(0.02)
    assert len(watched(site, 1)) == 1


def test_who_cannot_take_all_frames_gets_the_newest(
    site: Site, camera: Callable[..., Camera]
) -> None:
    site.log_in()
    noise = np.random.default_rng(1).integers(0, 255, (540, 960, 3), np.uint8)
    filming = camera(site.page, noise)
    numbers: list[int] = []
    with site.client.get(f"{site.url}/stream", stream=True, timeout=10) as answer:
        time.sleep(1.5)  # more comes meanwhile than the sockets hold
        filming.close()
        while True:
            head, size = struct.unpack(">II", _exactly(answer, 8))
            said = json.loads(_exactly(answer, head))
            if not _exactly(answer, size):
                break  # nothing new for a while
            numbers.append(said["number"])
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == filming.number
    assert len(numbers) < filming.number / 2


def test_the_stream_ends_with_the_session(site: Site, camera: Callable[..., Camera]) -> None:
    site.log_in()
    camera(site.page, plate_scene(320, 180))
    with site.client.get(f"{site.url}/stream", stream=True, timeout=10) as answer:
        _exactly(answer, 8)
        site.client.post(f"{site.url}/logout")
        while answer.raw.read(65536):
            pass
    assert site.page._film.watchers == 0


# --- its life -------------------------------------------------------------------------------------


def test_an_address_that_is_taken_is_told_and_the_agent_goes_on(site: Site, tmp_path: Path) -> None:
    health = Health()
    second = LocalPage(
        HASH, settings=Settings, health=health, camera="x", folder=tmp_path, port=site.page.port
    )
    assert not second.start()
    assert "cannot be opened" in health.troubles["page"]
    second.close()


def test_a_closed_page_is_closed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.page.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(site.url, timeout=5)
