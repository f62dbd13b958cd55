"""`python -m demo.play`: set the demo operator up, play pictures over HTTP, say what came of each.

Everything after the set-up goes through the same REST API and the same log-in page as any camera's
and any operator's requests. Exit code 0 only when every picture is accounted for: refused with a
code, failed with a reason, unreadable, or read and judged.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo import programme
from demo.client import DemoError, Device, Operator, Seller
from demo.programme import Item, ProgrammeError
from demo.video import play_video, say

ROOT = Path(__file__).resolve().parent.parent
SETTLE_SECONDS = 120.0
SWEEP_SECONDS = 9.0  # the sweeper closes passages every three seconds; forgetting follows in five
AT_ONCE = 2
LANES = {"in", "out"}  # both must have reported before a stay can be judged for good
PROBLEMS = (DemoError, ProgrammeError, OSError)
UNDECIDED = {"awaiting-camera"}


@dataclass
class Played:
    """One picture and what became of it."""

    item: Item
    capture_id: str = ""
    refused: dict[str, Any] | None = None
    outcome: dict[str, Any] = field(default_factory=dict)
    reads: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`refused`, or the capture's status."""
        return "refused" if self.refused else str(self.outcome.get("status", "lost"))

    @property
    def facts(self) -> dict[str, Any]:
        """The plate-free outcome the device may see."""
        return dict(self.outcome.get("outcome") or {})

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict on its best plate, {} before there is one."""
        return dict((self.facts.get("verdicts") or {}).get("0") or {})

    @property
    def text(self) -> str:
        """The best plate's text, "" if nothing was read."""
        return str(self.reads[0]["text"]) if self.reads else ""

    @property
    def right(self) -> bool | None:
        """Whether the best plate is the truth; None where the truth is not known."""
        return None if self.item.truth is None else self.text == self.item.truth

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from receipt to the first verdict, by the server's clock."""
        if not self.outcome.get("judged_at"):
            return None
        received = datetime.fromisoformat(self.outcome["received_at"])
        judged = datetime.fromisoformat(self.outcome["judged_at"])
        return (judged - received).total_seconds() * 1000

    @property
    def parked(self) -> bool:
        """Whether it is scripted to be still there: its verdict stays pending."""
        return (self.item.expect or {}).get("verdict") == "pending"

    def accounted(self) -> bool:
        """Whether it is known for good what became of it."""
        if self.refused or self.status in ("failed", "unreadable"):
            return True
        verdicts = self.facts.get("verdicts") or {}
        return self.status == "recognised" and len(verdicts) >= int(self.facts.get("reads", 0)) > 0

    def settled(self) -> bool:
        """Whether its verdict is the last word while no new fact comes."""
        return self.accounted() and all(
            self.parked or verdict.get("reason") not in UNDECIDED
            for verdict in (self.facts.get("verdicts") or {}).values()
        )

    def as_expected(self) -> bool | None:
        """Whether the script's expectation holds; None where it has none."""
        expect = self.item.expect
        if expect is None:
            return None
        if expect.get("capture"):
            return self.status == str(expect["capture"])
        alert = int(bool(expect.get("alert")))
        # of a vehicle still parked, the exit camera has never quite reported up to this moment
        reason = {expect["reason"], "awaiting-camera"} if self.parked else {expect["reason"]}
        return bool(
            self.verdict.get("verdict") == expect["verdict"]
            and self.verdict.get("reason") in reason
            and int(self.facts.get("alerts", 0)) == alert
        )


class Bar:
    """A progress bar on stderr; lines to keep are printed above it."""

    def __init__(self, total: int, what: str) -> None:
        self.total, self.what, self.done = total, what, 0
        self.live = sys.stderr.isatty()
        self.shown = -1

    def step(self) -> None:
        """One more is done."""
        self.done += 1
        share = self.done * 20 // max(1, self.total)
        if self.live:
            bar = "█" * share + "·" * (20 - share)
            print(f"\r  {self.what} {bar} {self.done}/{self.total}", end="", file=sys.stderr)
            if self.done == self.total:
                print(file=sys.stderr)
        elif share // 5 != self.shown or self.done == self.total:
            self.shown = share // 5
            print(f"  {self.what} {self.done}/{self.total}", file=sys.stderr)


def set_up(*, real: bool = False, agents: int = 0) -> dict[str, Any]:
    """Run `manage demo_setup`; its keys and log-ins."""
    command = [
        sys.executable,
        str(ROOT / "manage.py"),
        "demo_setup",
        *(["--bench"] if real else []),
        *["--agents", str(agents)],
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise DemoError(f"demo_setup failed: {done.stderr.strip()[-800:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def items_of(arguments: argparse.Namespace, start: datetime) -> Iterable[Item]:
    """What to play."""
    if arguments.real:
        return programme.benchmark(data_folder(), start)
    if arguments.images:
        return programme.folder(Path(arguments.images), start)
    return programme.scripted(start)


def data_folder() -> Path:
    """`$PLATEWARDEN_DATA`, or `../shared/data` beside the checkout."""
    named = os.environ.get("PLATEWARDEN_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def play(arguments: argparse.Namespace) -> tuple[list[Played], dict[str, Any]]:
    """Set up, post everything, wait until everything is settled."""
    say("Setting up the demo operator …")
    made = set_up(real=arguments.real, agents=int(bool(arguments.video)))
    start = datetime.now(UTC)
    if arguments.video:
        return through_agent(arguments, made), made
    if not (arguments.real or arguments.images):
        Seller(arguments.url, made["provider"]).deliver(programme.rights(start, made["run"]))
    played = [Played(item) for item in items_of(arguments, start)]
    here = threading.local()

    def see_through(one: Played) -> None:
        """Post a picture and ask until it has its first verdict; each thread has its own lines."""
        if not hasattr(here, "devices"):
            here.devices = {n: Device(arguments.url, key) for n, key in made["cameras"].items()}
            here.operator = Operator(arguments.url, "operator", made["logins"]["operator"])
        device = here.devices[one.item.camera]
        answer = device.send(
            Path(one.item.name),
            one.item.read(),
            captured_at=one.item.captured_at,
            event_id=f"{made['run']}:{one.item.name}",
        )
        one.refused, one.capture_id = answer.get("refused"), answer.get("id", "")
        deadline = time.monotonic() + SETTLE_SECONDS
        while not one.accounted() and time.monotonic() < deadline:
            time.sleep(0.05)
            one.outcome = device.outcome(one.capture_id)
        if one.status == "recognised":
            one.reads = here.operator.reads(one.capture_id)

    bar = Bar(len(played), "played")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(see_through, played):
            bar.step()
    settle(played, {n: Device(arguments.url, key) for n, key in made["cameras"].items()})
    return played, made


def through_agent(arguments: argparse.Namespace, made: dict[str, Any]) -> list[Played]:
    """The video through an agent process; wait until everything it sent is settled."""
    operator = Operator(arguments.url, "operator", made["logins"]["operator"])
    arrived = play_video(arguments.agent, Path(arguments.video), made, operator)
    played = [Played(item, capture_id) for item, capture_id in arrived]
    time.sleep(SWEEP_SECONDS)
    await_last_word(played, lambda one: operator.outcome(one.capture_id))
    for one in played:
        if one.status == "recognised":
            one.reads = operator.reads(one.capture_id)
    return played


def settle(played: list[Played], devices: dict[str, Device]) -> None:
    """Every camera says that it has sent everything; then wait for the last word on each picture.

    Only then can stays be judged for good, and compliant vehicles forgotten.
    """
    cameras = {one.item.camera for one in played}
    if cameras & LANES:
        cameras |= LANES
    say("  every camera reports that it has sent everything …")
    for name in sorted(cameras):
        now = datetime.now(UTC)
        devices[name].heartbeat(through=now, sent_at=now)
    time.sleep(SWEEP_SECONDS)
    await_last_word(played, lambda one: devices[one.item.camera].outcome(one.capture_id))


def await_last_word(played: list[Played], ask: Callable[[Played], dict[str, Any]]) -> None:
    """Ask what became of each until everything is settled, for `SETTLE_SECONDS` at most."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        for one in played:
            if one.capture_id:
                one.outcome = ask(one)
        if all(one.settled() for one in played) or time.monotonic() > deadline:
            return
        time.sleep(1)


def line(one: Played, width: int) -> str:
    """One picture's line for people."""
    verdict, facts = one.verdict, one.facts
    text = one.text or ("(forgotten)" if facts.get("forgotten") else "—")
    mark = {True: " ", False: "≠", None: " "}[one.right]
    score = f"{one.reads[0]['score']:.2f}" if one.reads else "    "
    if one.refused:
        what = f"refused: {one.refused['code']}"
    elif one.status == "failed":
        what = f"failed: {(one.outcome.get('failure') or {}).get('code')}"
    elif one.status == "unreadable":
        what = "unreadable: nobody is accused"
    elif verdict:
        what = f"{verdict['verdict']}" + (f" ({verdict['reason']})" if verdict["reason"] else "")
    else:
        what = "no verdict yet"
    alert = f"  ALERT ×{facts['alerts']}" if facts.get("alerts") else ""
    forgotten = "  forgotten" if facts.get("forgotten") else ""
    latency = f"{one.latency_ms:6.0f} ms" if one.latency_ms is not None else "         "
    surprise = "  (not as scripted)" if one.as_expected() is False else ""
    return (
        f"  {one.item.name[:width]:<{width}} {one.item.camera:<13} {text:<10}{mark} {score} "
        f"{latency}  {what}{alert}{forgotten}{surprise}"
    )


def summary(
    played: list[Played], made: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    """The object `--json` prints last."""
    latencies = sorted(one.latency_ms for one in played if one.latency_ms is not None)
    groups: dict[str, dict[str, Any]] = {}
    for one in played:
        if one.right is None:
            continue
        group = groups.setdefault(one.item.group, {"pictures": 0, "exact": 0})
        group["pictures"] += 1
        group["exact"] += int(one.right)
    for group in groups.values():
        group["share"] = round(group["exact"] / group["pictures"], 4)
    expected = [one.as_expected() for one in played if one.as_expected() is not None]
    return {
        "pictures": len(played),
        "accounted": sum(one.accounted() for one in played),
        "status": dict(Counter(one.status for one in played)),
        "verdicts": dict(
            Counter(
                verdict["verdict"]
                for one in played
                for verdict in (one.facts.get("verdicts") or {}).values()
            )
        ),
        "alerts": sum(int(one.facts.get("alerts", 0)) for one in played),
        "forgotten": sum(bool(one.facts.get("forgotten")) for one in played),
        "exact": groups,
        "as_scripted": {"of": len(expected), "held": sum(map(bool, expected))},
        "latency_ms": {
            "p50": round(statistics.median(latencies), 1) if latencies else None,
            "p95": round(latencies[int(0.95 * (len(latencies) - 1))], 1) if latencies else None,
        },
        "url": arguments.url,
        "through_agent": bool(arguments.video),
        "results": [
            {
                "file": one.item.name,
                "camera": one.item.camera,
                "status": one.status,
                "text": one.text or None,
                "truth": one.item.truth,
                "score": one.reads[0]["score"] if one.reads else None,
                "verdict": one.verdict.get("verdict"),
                "reason": one.verdict.get("reason"),
                "alerts": int(one.facts.get("alerts", 0)),
                "forgotten": bool(one.facts.get("forgotten")),
                "latency_ms": round(one.latency_ms, 1) if one.latency_ms is not None else None,
                "failure": one.refused or one.outcome.get("failure"),
            }
            for one in played
        ],
    }


def report(played: list[Played], total: dict[str, Any], made: dict[str, Any], once: bool) -> None:
    """The table, the figures, and how to go on."""
    width = min(28, max((len(one.item.name) for one in played), default=10))
    say()
    say(f"  {'picture':<{width}} {'camera':<13} {'read':<11} score  latency    verdict")
    for one in played:
        say(line(one, width))
    say()
    say(f"  {total['accounted']} of {total['pictures']} pictures accounted for")
    for name, group in sorted(total["exact"].items()):
        share = f"{group['share']:.1%}"
        say(f"  read exactly, {name}: {group['exact']} of {group['pictures']} ({share})")
    if total["as_scripted"]["of"]:
        say(f"  as scripted: {total['as_scripted']['held']} of {total['as_scripted']['of']}")
    latency = total["latency_ms"]
    if latency["p50"] is not None:
        say(
            f"  receipt to first verdict: p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms "
            + ("(as they came)" if total["through_agent"] else f"({AT_ONCE} pictures at a time)")
        )
    say()
    for note in made["notes"]:
        say(f"  {note}")
    if not once:
        say()
        say(f"  Look around: {total['url']}/   (admin: {total['url']}/admin/)")
        for name, password in made["logins"].items():
            say(f"    {name:<11} {password}")
        say("  Ctrl-C stops everything.")


def main(argv: list[str] | None = None) -> int:
    """Play and report; 0 when every picture is accounted for."""
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--url", required=True, help="the site's address")
    parser.add_argument("--once", action="store_true", help="the site stops afterwards")
    parser.add_argument("--json", action="store_true", help="print a summary object last")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--real", action="store_true", help="play the benchmark pictures")
    what.add_argument("--images", metavar="DIR", help="play your own pictures")
    what.add_argument("--video", metavar="FILE", help="play your own video through an edge agent")
    parser.add_argument("--agent", metavar="COMMAND", help="the edge agent's command")
    arguments = parser.parse_args(argv)
    try:
        played, made = play(arguments)
    except PROBLEMS as error:
        say(f"The demo could not be played: {error}")
        if arguments.json:
            print(json.dumps({"error": str(error)}))
        return 1
    total = summary(played, made, arguments)
    report(played, total, made, arguments.once)
    if arguments.json:
        print(json.dumps(total), flush=True)
    return 0 if played and total["accounted"] == total["pictures"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
