"""`./run bench latency`: plate crops at a steady rate through the REST API, until the verdict.

Measured by the client, wall clock: from the start of the POST to the moment the server wrote the
first verdict (server and client share this machine's clock). What the machine was doing meanwhile
is printed beside it: CPU of all cores, load, and how late the sender itself ran.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.client import Device
from demo.play import set_up
from demo.programme import PICTURES, script

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
QUIET_SECONDS = 60.0


def crops() -> list[bytes]:
    """Plate crops out of the shipped scenes, cut where our own detector saw the plate."""
    import cv2
    import numpy as np

    from inference.engine import default_engine
    from inference.pictures import decode_picture

    made = []
    for scene in script()["pictures"]:
        picture = decode_picture((PICTURES / scene["picture"]).read_bytes())
        for plate in default_engine().read(picture, kind="frame").plates[:1]:
            points = np.asarray(plate.quad, dtype=np.float64)
            low, high = points.min(axis=0), points.max(axis=0)
            margin = (high - low) * 0.15
            x1, y1 = np.maximum(low - margin, 0).astype(int)
            x2, y2 = (high + margin).astype(int)
            made.append(cv2.imencode(".jpg", picture[y1:y2, x1:x2])[1].tobytes())
    return made


def cpu_times() -> tuple[float, float]:
    """(busy, all) seconds of all cores since boot, from /proc/stat; (0, 0) where there is none."""
    try:
        fields = [float(v) for v in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0.0, 0.0
    return sum(fields) - fields[3] - fields[4], sum(fields)


def share(values: Sequence[float], part: float) -> float:
    """The value below which `part` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def main(argv: list[str] | None = None) -> int:
    """Run and print one table; 0 only when every crop was judged."""
    parser = argparse.ArgumentParser(prog="./run bench latency", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=20.0, help="crops per second (20)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long (60)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON last")
    arguments = parser.parse_args(argv)
    made = set_up()
    pictures = crops()
    cameras = ("gantry-north", "gantry-south")
    keys = {name: made["cameras"][name] for name in cameras}
    local = threading.local()

    def device(name: str) -> Device:
        """A connection per thread: a session is not to be shared."""
        if not hasattr(local, "devices"):
            local.devices = {n: Device(arguments.url, key) for n, key in keys.items()}
        mine: dict[str, Device] = local.devices
        return mine[name]

    total = int(arguments.rate * arguments.seconds)
    sent: list[dict[str, Any]] = [{} for _ in range(total)]
    late: list[float] = []

    def post(index: int, due: float) -> None:
        late.append(time.monotonic() - due)
        at = datetime.now(UTC)
        answer = device(cameras[index % 2]).send(
            Path("crop.jpg"),
            pictures[index % len(pictures)],
            captured_at=at,
            event_id=f"{made['run']}:bench:{index}",
            kind="crop",
        )
        accepted = datetime.now(UTC)
        sent[index] = {
            "posted": at,
            "accepted": accepted,
            "id": answer.get("id"),
            "camera": index % 2,
        }

    print(f"  {total} crops at {arguments.rate:g}/s …", file=sys.stderr, flush=True)
    busy0, all0 = cpu_times()
    begun = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        for index in range(total):
            due = begun + index / arguments.rate
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(post, index, due)
    busy1, all1 = cpu_times()
    load = os.getloadavg()[0]
    waiting = {i for i, one in enumerate(sent) if one.get("id")}
    judged: dict[int, datetime] = {}
    unreadable = 0
    until = time.monotonic() + QUIET_SECONDS
    while waiting and time.monotonic() < until:
        for index in sorted(waiting):
            outcome = device(cameras[sent[index]["camera"]]).outcome(sent[index]["id"])
            if outcome["judged_at"]:
                judged[index] = datetime.fromisoformat(outcome["judged_at"])
            elif outcome["status"] not in ("unreadable", "failed"):
                continue
            else:
                unreadable += 1
            waiting.discard(index)
    to_verdict = [(judged[i] - sent[i]["posted"]).total_seconds() * 1000 for i in judged]
    to_answer = [
        (one["accepted"] - one["posted"]).total_seconds() * 1000 for one in sent if one.get("id")
    ]
    result = {
        "crops": total,
        "rate_per_second": arguments.rate,
        "judged": len(judged),
        "unreadable": unreadable,
        "lost": total - len(judged) - unreadable,
        "post_ms": {"p50": statistics.median(to_answer), "p95": share(to_answer, 0.95)},
        "verdict_ms": {
            "p50": statistics.median(to_verdict) if to_verdict else None,
            "p95": share(to_verdict, 0.95) if to_verdict else None,
            "max": max(to_verdict, default=None),
        },
        "machine": {
            "cores": os.cpu_count(),
            "busy_share": round((busy1 - busy0) / (all1 - all0), 3) if all1 > all0 else None,
            "load_1min": round(load, 2),
            "sender_late_ms_p95": round(share(late, 0.95) * 1000, 1),
        },
        "commit": commit(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latency.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    table(result)
    if arguments.json:
        print(json.dumps(result))
    return 0 if result["lost"] == 0 else 1


def commit() -> str:
    """The commit measured, "" outside a checkout."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return done.stdout.strip()


def table(result: dict[str, Any]) -> None:
    """The result for people."""
    machine = result["machine"]
    rows = [
        (
            "crops sent / judged / unreadable / lost",
            f"{result['crops']} / {result['judged']} / {result['unreadable']} / {result['lost']}",
        ),
        (
            "POST → 202, p50 / p95",
            f"{result['post_ms']['p50']:.0f} / {result['post_ms']['p95']:.0f} ms",
        ),
    ]
    if result["verdict_ms"]["p50"] is not None:
        verdict = result["verdict_ms"]
        rows.append(
            (
                "POST → verdict in PostgreSQL, p50 / p95 / max",
                f"{verdict['p50']:.0f} / {verdict['p95']:.0f} / {verdict['max']:.0f} ms",
            )
        )
    rows += [
        (
            "cores, busy share, load",
            f"{machine['cores']}, {machine['busy_share']}, {machine['load_1min']}",
        ),
        ("the sender itself was late by, p95", f"{machine['sender_late_ms_p95']} ms"),
    ]
    for name, value in rows:
        print(f"  {name:<48} {value}")


if __name__ == "__main__":
    raise SystemExit(main())
