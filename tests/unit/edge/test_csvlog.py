"""The log of reads on the device."""

from __future__ import annotations

import csv
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.csvlog import CsvLog
from edge.health import Health
from edge.items import Position
from edge.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = "AB123CD"


class Desk:
    def __init__(self, folder: Path, max_bytes: int = 100_000) -> None:
        self.settings, self.health, self.folder = Settings(csv=True), Health(), folder
        self.log = CsvLog(
            folder, settings=lambda: self.settings, health=self.health, max_bytes=max_bytes
        )

    def write(self, hours: float = 0.0, text: str = TEXT) -> None:
        self.log.write(NOON + timedelta(hours=hours), text, 0.9876, None)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*")) if self.folder.exists() else []


def test_a_line_has_time_text_score_and_position(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "csv")
    desk.write()
    desk.log.write(NOON + timedelta(seconds=1.5), TEXT, 0.5, Position(49.1951, -16.6068, 270.2))
    (file,) = desk.files
    assert list(csv.DictReader(file.open(newline=""))) == [
        {
            "time": "2026-03-01T12:00:00.000Z",
            "text": TEXT,
            "score": "0.988",
            "latitude": "",
            "longitude": "",
            "heading": "",
        },
        {
            "time": "2026-03-01T12:00:01.500Z",
            "text": TEXT,
            "score": "0.500",
            "latitude": "49.195100",
            "longitude": "-16.606800",
            "heading": "270",
        },
    ]


def test_only_the_agents_user_may_read_it_and_its_name_tells_no_plate(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "csv")
    desk.write()
    (file,) = desk.files
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
    assert TEXT not in file.name


def test_nothing_is_written_unless_the_settings_say_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "csv")
    desk.settings = Settings(csv=False)
    desk.write()
    assert desk.files == []


def test_all_files_together_stay_within_the_size(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_bytes=4000)
    for number in range(400):
        desk.write(hours=number / 60, text=f"T{number}")
    assert sum(path.stat().st_size for path in desk.files) <= 4000
    assert len(desk.files) > 3
    rows = [row["text"] for path in desk.files for row in csv.DictReader(path.open(newline=""))]
    assert rows == [f"T{number}" for number in range(400 - len(rows), 400)], "the newest are kept"
    assert len(rows) > 40


def test_no_line_outlives_what_is_kept_even_when_switched_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.settings = replace(desk.settings, keep_hours=24)
    for hour in range(100):
        desk.write(hours=hour)
    times = [row["time"] for path in desk.files for row in csv.DictReader(path.open(newline=""))]
    oldest = NOON + timedelta(hours=99 - 24)
    assert min(times) >= oldest.isoformat()[:19]
    assert len(times) >= 20
    desk.settings = replace(desk.settings, csv=False)
    desk.write(hours=125)
    assert desk.files == []


def test_a_restart_goes_on_with_the_newest_file(tmp_path: Path) -> None:
    Desk(tmp_path).write()
    again = Desk(tmp_path)
    again.write(hours=0.01)
    (file,) = again.files
    assert len(file.read_text().splitlines()) == 3


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "reads.csv").write_text("mine")
    (tmp_path / "reads-2026.csv").write_text("mine too")
    desk = Desk(tmp_path, max_bytes=10)
    desk.write()
    assert [path.name for path in desk.files] == ["reads-2026.csv", "reads.csv"]


def test_a_disk_that_takes_nothing_is_counted_and_shown_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "csv").write_text("a file where the folder should be")
    desk = Desk(tmp_path / "csv")
    desk.write()
    assert desk.health.snapshot()["csv_failed"] == 1
    assert "log of reads" in desk.health.troubles["csv"]
    assert TEXT not in desk.health.troubles["csv"]
    (tmp_path / "csv").unlink()
    desk.write()
    assert "csv" not in desk.health.troubles


@pytest.mark.parametrize("seconds", [-1, -3600])
def test_a_read_told_late_joins_the_newest_file(tmp_path: Path, seconds: int) -> None:
    desk = Desk(tmp_path)
    desk.write()
    desk.write(hours=seconds / 3600)
    assert len(desk.files) == 1


def test_one_may_tidy_while_another_writes(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "csv", max_bytes=2_000)
    stop, failed = threading.Event(), []

    def tidy() -> None:
        while not stop.is_set():
            try:
                desk.log.tidy(NOON)
            except OSError as error:
                failed.append(error)

    other = threading.Thread(target=tidy)
    other.start()
    for number in range(300):
        desk.write(number / 3600)
    stop.set()
    other.join()
    assert failed == []
    assert desk.health.snapshot().get("csv_failed", 0) == 0
