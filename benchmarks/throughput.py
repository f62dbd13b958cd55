"""`./run bench throughput`: camera frames at a steady rate through the REST API, to the verdict.

Everything runs on this machine: web, database, queue, workers and the sender. Counted is from the
first byte of the POST until the outcome stands in the database for anybody to see: the first
verdict, or that nothing could be read. That is watched from outside, every 50 ms, so a figure may
be up to 50 ms too high and is never too low.
"""

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2  # type: ignore[import-untyped]

from benchmarks import plots
from benchmarks._frames import Stock, drawn, real
from benchmarks._machine import Cost, costs
from benchmarks._sender import Due, Posted, Sender
from benchmarks.latency import RESULTS, commit, cpu_times, share
from demo.client import Device, Seller
from demo.play import set_up
from demo.programme import ZONE

CAMERAS = {"gantry-north": 0.4, "gantry-south": 0.4, "in": 0.1, "out": 0.1}
"""Which share of the frames each camera sends: two gantries, and a car park beside them."""
VEHICLES = 400  # so many that none comes back to its camera within a minute
WITH_VIGNETTE = 19  # of 20
POLL_S = 0.05
WINDOW_S = 10.0
QUIET_S = 60.0
HEARTBEAT_S = 10.0

_OUTCOMES = """
SELECT id::text, status, received_at, judged_at FROM cameras_capture
WHERE id = ANY(%s::uuid[]) AND (judged_at IS NOT NULL OR status IN ('unreadable', 'failed'))
"""


@dataclass(frozen=True)
class Seen:
    """An outcome: which, when the frame was received, when the outcome was first seen."""

    status: str
    received: datetime
    seen: datetime


class Watch(threading.Thread):
    """Looks every 50 ms which of the accepted captures have their outcome."""

    def __init__(self, database: str) -> None:
        super().__init__(daemon=True)
        self.connection = psycopg2.connect(database)
        self.connection.autocommit = True
        self.outcomes: dict[str, Seen] = {}
        self.asked: set[str] = set()
        self.stop = threading.Event()
        self._new: deque[str] = deque()

    def add(self, posted: Posted) -> None:
        """Watch an accepted capture, too."""
        if posted.capture_id:
            self._new.append(posted.capture_id)

    def run(self) -> None:
        """Until stopped."""
        due = time.monotonic()
        while not self.stop.is_set():
            while self._new:
                self.asked.add(self._new.popleft())
            if self.asked:
                self._look()
            due = max(due + POLL_S, time.monotonic())
            self.stop.wait(due - time.monotonic())

    def _look(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(_OUTCOMES, [list(self.asked)])
            rows = cursor.fetchall()
        now = datetime.now(UTC)
        for capture_id, status, received, judged in rows:
            self.outcomes[capture_id] = Seen("judged" if judged else status, received, now)
            self.asked.discard(capture_id)

    @property
    def quiet(self) -> bool:
        """Whether everything that was added has its outcome."""
        return not self.asked and not self._new


def vignettes(stock: Stock, run: str) -> list[dict[str, Any]]:
    """Vignettes of 19 of 20 vehicles, as a provider of rights delivers them."""
    day: date = datetime.now(ZONE).date() - timedelta(days=30)
    return [
        {
            "id": f"{run}-bench-{number}",
            "kind": "vignette",
            "scheme": "CZ",
            "product": "annual",
            "plate": vehicle.text,
            "country": "CZ",
            "category": "car",
            "first_day": day.isoformat(),
            "bought_at": (datetime.now(UTC) - timedelta(days=31)).isoformat(),
        }
        for number, vehicle in enumerate(stock.vehicles)
        if vehicle.text and number % 20 < WITH_VIGNETTE
    ]


def schedule(stock: Stock, keys: dict[str, str], *, rate: float, seconds: float) -> list[Due]:
    """Every frame with the moment it is due, from now on; the cameras take turns evenly."""
    frames = []
    begin = time.monotonic() + 0.5
    for place, (camera, part) in enumerate(CAMERAS.items()):
        own = rate * part
        for index in range(int(own * seconds)):
            frames.append(
                Due(
                    at=begin + (index + place / len(CAMERAS)) / own,
                    key=keys[camera],
                    event=f"bench:{camera}:{index}",
                    picture=stock.sequence(index, start=place * len(stock.vehicles) // 4),
                )
            )
    return sorted(frames, key=lambda frame: frame.at)


def beat(url: str, keys: dict[str, str], stop: threading.Event) -> None:
    """Say for every camera now and then that all of it is sent, as cameras do; so that passages
    close, verdicts become final and what must be forgotten is forgotten while it runs."""
    devices = [Device(url, keys[name]) for name in CAMERAS]
    while not stop.wait(HEARTBEAT_S):
        now = datetime.now(UTC)
        for device in devices:
            device.heartbeat(through=now - timedelta(seconds=2), sent_at=now)


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Milliseconds at p50, p95, p99 and the most."""
    if not values:
        return dict.fromkeys(("p50", "p95", "p99", "max"))
    ms = [value * 1000 for value in values]
    parts = {"p50": statistics.median(ms), "p95": share(ms, 0.95), "p99": share(ms, 0.99)}
    return {name: round(value, 1) for name, value in {**parts, "max": max(ms)}.items()}


def windows(
    through: Sequence[tuple[Posted, Seen]], begin: datetime, seconds: float
) -> list[dict[str, Any]]:
    """Each whole window of ten seconds after `begin`: outcomes a second, and their milliseconds at
    p95 since the POST began."""
    taken: list[list[float]] = [[] for _ in range(int(seconds / WINDOW_S))]
    for one, seen in through:
        place = int((seen.seen - begin).total_seconds() / WINDOW_S)
        if 0 <= place < len(taken):
            taken[place].append((seen.seen - one.posted).total_seconds())
    return [{"per_second": len(part) / WINDOW_S, "p95_ms": spread(part)["p95"]} for part in taken]


def spent(before: dict[str, Cost], after: dict[str, Cost], frames: int) -> dict[str, Any]:
    """CPU per frame and memory, by kind of process."""
    return {
        name: {
            "cpu_ms_per_frame": round(
                (cost.cpu_s - (before[name].cpu_s if name in before else 0.0)) / frames * 1000, 2
            ),
            **{key: value for key, value in asdict(cost).items() if key != "cpu_s"},
        }
        for name, cost in sorted(after.items())
    }


def measure(url: str, stock: Stock, *, rate: float, seconds: float) -> dict[str, Any]:
    """Set up, send, wait until everything has its outcome, and count."""
    made = set_up()
    keys: dict[str, str] = made["cameras"]
    rights = vignettes(stock, made["run"])
    for start in range(0, len(rights), 100):
        Seller(url, made["provider"]).deliver(rights[start : start + 100])
    run = Path(os.environ["PLATEWARDEN_VAR"]) / "run"
    watch = Watch(os.environ["DATABASE_URL"])
    address = urlsplit(url)
    sender = Sender(address.hostname or "", address.port or 80, watch.add)
    frames = deque(schedule(stock, keys, rate=rate, seconds=seconds))
    total = len(frames)
    print(f"  {total} frames at {rate:g}/s …", file=sys.stderr, flush=True)
    heart = threading.Thread(target=beat, args=(url, keys, watch.stop), daemon=True)
    watch.start()
    heart.start()
    cost0, (busy0, all0) = costs(run), cpu_times()
    begun = datetime.now(UTC) + timedelta(seconds=0.5)
    sender.run(frames, patience_s=QUIET_S)
    sent_for = (datetime.now(UTC) - begun).total_seconds()
    until = time.monotonic() + QUIET_S
    while not watch.quiet and time.monotonic() < until:
        time.sleep(POLL_S)
    cost1, (busy1, all1) = costs(run), cpu_times()
    watch.stop.set()
    watch.join()
    accepted = [one for one in sender.posted if one.capture_id]
    through = [(one, watch.outcomes[one.capture_id]) for one in accepted
               if one.capture_id in watch.outcomes]  # fmt: skip
    per_window = windows(through, begun, seconds)
    rates = [part["per_second"] for part in per_window]
    statuses = [seen.status for _, seen in through]
    answers = [one.status for one in sender.posted]
    return {
        "frames": total,
        "rate_asked": rate,
        "rate_sent": round(total / sent_for, 2),
        "seconds": seconds,
        "answers": {str(code): answers.count(code) for code in sorted(set(answers))},
        "outcomes": {name: statuses.count(name) for name in sorted(set(statuses))},
        "lost": len(accepted) - len(through),
        "per_second_in_10s": {
            "least": min(rates[1:], default=None),  # the first one fills the pipe
            "median": statistics.median(rates) if rates else None,
        },
        "windows": per_window,
        "post_ms": spread([
            (one.answered - one.posted).total_seconds() for one in accepted if one.answered
        ]),
        "post_to_outcome_ms": spread([
            (seen.seen - one.posted).total_seconds() for one, seen in through
        ]),
        "receipt_to_outcome_ms": spread([
            (seen.seen - seen.received).total_seconds() for _, seen in through
        ]),
        "processes": spent(cost0, cost1, total),
        "machine": {
            "cores": os.cpu_count(),
            "busy_share": round((busy1 - busy0) / (all1 - all0), 3) if all1 > all0 else None,
            "load_1min": round(os.getloadavg()[0], 2),
            "sender_late_ms_p95": round(share([o.late_s for o in sender.posted], 0.95) * 1000, 1),
        },
        "commit": commit(),
    }  # fmt: skip


def table(result: dict[str, Any]) -> None:
    """The result for people."""
    machine, whole = result["machine"], result["per_second_in_10s"]
    rows = [
        ("frames, answers", f"{result['frames']}, {result['answers']}"),
        ("outcomes", f"{result['outcomes']}, lost {result['lost']}"),
        ("frames/s asked / sent", f"{result['rate_asked']:g} / {result['rate_sent']:g}"),
        ("outcomes/s over 10 s, least / median", f"{whole['least']} / {whole['median']}"),
    ]
    for title, name in (
        ("POST → 202", "post_ms"),
        ("POST → outcome in PostgreSQL", "post_to_outcome_ms"),
        ("receipt → outcome in PostgreSQL", "receipt_to_outcome_ms"),
    ):
        values = [result[name][part] for part in ("p50", "p95", "p99", "max")]
        shown = " / ".join("–" if value is None else f"{value:.0f}" for value in values)
        rows.append((f"{title}, p50 / p95 / p99 / max", f"{shown} ms"))
    rows += [
        ("cores, busy share, load",
         f"{machine['cores']}, {machine['busy_share']}, {machine['load_1min']}"),
        ("the sender itself was late by, p95", f"{machine['sender_late_ms_p95']} ms"),
    ]  # fmt: skip
    for name, value in rows:
        print(f"  {name:<54} {value}")
    print(
        f"\n  {'process':<20} {'CPU ms/frame':>12} {'processes':>10} {'PSS MiB':>9} {'RSS MiB':>9}"
    )
    total = 0.0
    for name, cost in result["processes"].items():
        total += cost["cpu_ms_per_frame"]
        print(f"  {name:<20} {cost['cpu_ms_per_frame']:>12.2f} {cost['processes']:>10} "
              f"{cost['pss_mib']:>9.0f} {cost['rss_mib']:>9.0f}")  # fmt: skip
    print(f"  {'all':<20} {total:>12.2f}")


def plot(result: dict[str, Any]) -> None:
    """Where the processor's time goes, for docs/benchmarks.md."""
    cost = {n: one["cpu_ms_per_frame"] for n, one in result["processes"].items()}
    largest = sorted(cost, key=lambda name: -cost[name])[: len(plots.COLOURS) - 1]
    parts = [*largest, "others"]
    values = [*(cost[n] for n in largest), sum(v for n, v in cost.items() if n not in largest)]
    rate = f"{result['rate_sent']:g} frames/s"
    title = "CPU a frame from POST to verdict, everything on this machine"
    plots.stacked(title, parts, {rate: values}, "ms").save(plots.DOCS / "throughput.svg")


def main(argv: list[str] | None = None) -> int:
    """Run and print one table; 0 only when nothing was lost or refused."""
    parser = argparse.ArgumentParser(prog="./run bench throughput", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=60.0, help="frames per second (60)")
    parser.add_argument("--minutes", type=float, default=5.0, help="for how long (5)")
    parser.add_argument("--seconds", type=float, help="the same in seconds")
    parser.add_argument("--data", type=Path, metavar="DIR", help="send the JPEGs below DIR instead")
    parser.add_argument("--json", action="store_true", help="print the result as JSON last")
    arguments = parser.parse_args(argv)
    seconds = arguments.seconds or arguments.minutes * 60
    stock = real(arguments.data) if arguments.data else drawn(VEHICLES)
    result = measure(arguments.url, stock, rate=arguments.rate, seconds=seconds)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "throughput.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    plot(result)
    table(result)
    if arguments.json:
        print(json.dumps(result))
    return 0 if result["lost"] == 0 and set(result["answers"]) == {"202"} else 1


if __name__ == "__main__":
    raise SystemExit(main())
