"""What the demo plays: the scripted scenes, the benchmark pictures, or the user's own."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
SCRIPT = HERE / "script.json"
PICTURES = HERE / "pictures"
ZONE = ZoneInfo("Europe/Prague")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
DELIVERED = (
    *("kind", "scheme", "product", "plate", "plates", "country", "category"),
    *("max_present", "reason", "site", "version"),
)


class ProgrammeError(Exception):
    """There is nothing to play; the message says what is missing."""


@dataclass(frozen=True)
class Item:
    """One picture to play: where, when, and, where known, what it shows."""

    name: str
    camera: str
    captured_at: datetime
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    truth: str | None = None
    group: str = ""
    story: str = ""
    expect: dict[str, Any] | None = None

    def read(self) -> bytes:
        """The picture's bytes."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        return self.path.read_bytes()


def script() -> dict[str, Any]:
    """The demo's script."""
    return dict(json.loads(SCRIPT.read_text(encoding="utf-8")))


def scripted(start: datetime) -> list[Item]:
    """The shipped scenes, oldest first, counted back from `start`."""
    return [
        Item(
            name=scene["picture"],
            path=PICTURES / scene["picture"],
            camera=scene["camera"],
            captured_at=start - timedelta(minutes=scene["minutes_ago"]),
            # what nobody could read has no truth to be compared with
            truth=None if scene["expect"].get("capture") else scene["text"],
            group=scene["site"],
            story=scene["story"],
            expect=scene["expect"],
        )
        for scene in script()["pictures"]
    ]


def benchmark(data: Path, start: datetime) -> list[Item]:
    """The benchmark pictures with their truth, one second apart; camera by region."""
    truth = data / "bench" / "truth.jsonl"
    if not truth.is_file():
        raise ProgrammeError(f"no {truth}: set PLATEWARDEN_DATA to the folder that has bench/")
    rows = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines() if line]
    return [
        Item(
            name=row["file"],
            path=truth.parent / row["file"],
            camera=f"bench-{row['region']}",
            captured_at=start - timedelta(seconds=len(rows) - index),
            truth=row["plates"][0]["text"],
            group=row["region"],
        )
        for index, row in enumerate(rows)
    ]


def folder(path: Path, start: datetime) -> list[Item]:
    """Every picture of a folder, by name, a minute apart so that each is a passage of its own."""
    if path.is_file():
        files = [path]
    else:
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise ProgrammeError(f"no JPEG, PNG or WebP picture in {path}")
    return [
        Item(
            name=str(file.relative_to(path)) if path.is_dir() else file.name,
            path=file,
            camera="gantry-north",
            captured_at=start - timedelta(minutes=len(files) - index),
            group="yours",
        )
        for index, file in enumerate(files)
    ]


def _day(value: dict[str, int], today: date) -> date:
    return today + timedelta(days=value["days_from_today"])


def rights(start: datetime, run: str) -> list[dict[str, Any]]:
    """The script's rights with times counted from `start`, as `POST /api/v1/rights` takes them."""
    today = start.astimezone(ZONE).date()
    made = []
    for row in script()["rights"]:
        right = {key: row[key] for key in DELIVERED if key in row}
        right["id"] = f"{run}-{row['id']}"
        if row["kind"] == "vignette":
            del right["site"]  # a vignette is for the scheme's roads
            right["first_day"] = _day(row["first_day"], today).isoformat()
            bought = datetime.combine(_day(row["bought"], today), datetime.min.time(), ZONE)
            right["bought_at"] = (bought + timedelta(hours=10)).isoformat()
        if row["site"] == "gantry":
            right.pop("site", None)  # both gantries are of one motorway
        if "from_minutes_ago" in row:
            right["from"] = (start - timedelta(minutes=row["from_minutes_ago"])).isoformat()
            right["to"] = (start - timedelta(minutes=row["to_minutes_ago"])).isoformat()
        elif "from" in row:
            for name in ("from", "to"):
                day = _day(row[name], today)
                right[name] = datetime.combine(day, datetime.min.time(), ZONE).isoformat()
        made.append(right)
    return made
