"""`./run bench imports`: permits and hotlists of up to 1.8 million rows, on the command line.

Each file is imported by the product's own command in a process of its own, on an empty database:
rows a second, rows a second of that process's own CPU (the database's comes on top), and the most
memory it ever held. Two files are nothing but errors: a million bad rows, and another encoding.
Permits bound to a site have tokens of what is near their plates, thirty each; others have none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from django.db import connection

from benchmarks import tables
from benchmarks.latency import RESULTS, commit
from cameras.models import Organisation, Site
from core.models import User
from enforcement.watchlist.models import Watchlist

ROOT: Final = Path(__file__).resolve().parents[1]
PERMITS: Final = "Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate;PermitID\n"
HOTLIST: Final = "PlateNumber;Priority;Reason;ExpiryDate\n"
_TABLES: Final = "rights_righttouch, rights_rightplate, rights_right, watchlist_entry"
_KIB: Final = 1024


@dataclass(frozen=True)
class Measured:
    """One file: its rows, what came of them, seconds, and MiB at most."""

    name: str
    rows: int
    stored: int
    refused: int
    seconds: float
    cpu_s: float
    peak_mib: float

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def plate(number: int) -> str:
    return f"{number // 10_000 % 10}{chr(65 + number // 100_000 % 26)}B{number % 10_000:04}"


def permits(rows: int) -> Iterator[str]:
    """Permits, a tenth of them with a second vehicle."""
    start, end = "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"
    permit = 0
    for number in range(rows):
        permit += number % 11 != 10
        yield f"resident;CZ;{plate(number)};{start};{end};R{permit}\n"


def hotlist(rows: int) -> Iterator[str]:
    """Entries of a watchlist."""
    for number in range(rows):
        yield f"{plate(number)};{number % 101};stolen;2030-12-31\n"


def bad(rows: int) -> Iterator[str]:
    """Every way a row can be wrong, in turn."""
    ways = (
        "resident;CZ;   ;2026-01-01;2026-12-31;R{0}\n",
        "resident;CZ;1AB{0};2026-12-31;2026-01-01;R{0}\n",
        "resident;Czechia;1AB{0};2026-01-01;2026-12-31;R{0}\n",
        "resident;CZ;1AB{0};yesterday;2026-12-31;R{0}\n",
        "resident;CZ;1AB{0};2026-01-01;2026-12-31;\n",
        "too few;cells\n",
    )
    for number in range(rows):
        yield ways[number % len(ways)].format(number)


def imported(name: str, rows: Iterator[str], *command: str, encoding: str = "utf-8") -> Measured:
    """Write the file, import it by the command, and forget both."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {_TABLES} CASCADE")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.csv")
        with path.open("w", encoding=encoding, newline="") as file:
            file.write(HOTLIST if command[0] == "hotlist_import" else PERMITS)
            file.writelines(rows)
        line = [sys.executable, str(ROOT / "manage.py"), *command]
        line += [f"--report={folder}/report.csv", str(path)]
        began = time.monotonic()
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            said = process.stdout.read() if process.stdout is not None else ""
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    numbers = [int(word) for word in said.replace(":", "").split() if word.isdecimal()]
    if len(numbers) != 4:
        raise SystemExit(f"the import of {name} ended with {process.returncode}: {said}")
    return Measured(
        name=name,
        rows=numbers[0],
        stored=numbers[1],
        refused=numbers[3],
        seconds=round(time.monotonic() - began, 2),
        cpu_s=round(used.ru_utime + used.ru_stime, 2),
        peak_mib=round(used.ru_maxrss / _KIB, 1),
    )


def measured(sizes: Sequence[int], errors: int) -> Iterator[Measured]:
    """Every file in turn."""
    anywhere = ("rights_import", "--layout=permits")
    for size in sizes:
        yield imported(f"{size:,} permits", permits(size), *anywhere)
    least, most = min(sizes), max(sizes)
    bound = (*anywhere, "--site=bench")
    yield imported(f"{least:,} permits of a site", permits(least), *bound)
    yield imported(f"{most:,} all or nothing", permits(most), *anywhere, "--all-or-nothing")
    listed = ("hotlist_import", "--list=bench", "--user=bench")
    yield imported(f"{most:,} of a hotlist", hotlist(most), *listed)
    yield imported(f"{errors:,} bad rows", bad(errors), *bound)
    latin = (row.replace("resident", "r\u00e9sident") for row in permits(errors))
    yield imported(f"{errors:,} in Latin-1", latin, *bound, encoding="latin-1")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a table or (`--json`) an object."""
    parser = argparse.ArgumentParser(prog="./run bench imports", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_800_000])
    parser.add_argument("--errors", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print one object")
    options = parser.parse_args(arguments)
    organisation, _ = Organisation.objects.get_or_create(name="bench")
    Site.objects.get_or_create(
        slug="bench",
        defaults={
            "organisation": organisation,
            "name": "bench",
            "kind": "parking",
            "timezone": "Europe/Prague",
        },
    )
    Watchlist.objects.get_or_create(
        name="bench", defaults={"organisation": organisation, "purpose": "bench"}
    )
    if not User.objects.filter(username="bench").exists():
        User.objects.create_user("bench", "bench@example.org")
    found = []
    for one in measured(options.rows, options.errors):
        print(f"    {one.name}: {one.rate:,.0f} rows/s", file=sys.stderr, flush=True)
        found.append(one)
    answer = {"commit": commit(), "files": [asdict(one) for one in found]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "imports.json").write_text(json.dumps(answer, indent=1), encoding="utf-8")
    if options.json:
        print(json.dumps(answer))
        return 0
    rows = [
        (
            one.name,
            f"{one.stored:,}",
            f"{one.refused:,}",
            tables.number(one.seconds),
            f"{one.rate:,.0f}",
            f"{one.rows / one.cpu_s:,.0f}",
            tables.number(one.peak_mib, 0),
        )
        for one in found
    ]
    header = ("file", "stored", "refused", "seconds", "rows/s", "rows/CPU s", "peak MiB")
    print(tables.table("Importing lists", header, rows))
    return 0
