"""`platewarden-edge`: run, enrol, doctor, bench, spool, password."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import edge
from edge.config import DEFAULT_PATH, Config, ConfigError, read_config
from edge.enrol import EnrolError, device_load, device_save, enrol, parse_invitation, scan

SCAN_SECONDS = 120.0


class _Problem(Exception):
    """A sentence for people; the command ends with 1."""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="platewarden-edge",
        description="A camera by the road: reads number plates, sends them, loses none.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {edge.__version__}")
    top.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("PLATEWARDEN_EDGE_CONFIG") or DEFAULT_PATH),
        metavar="FILE",
        help=f"the configuration (default: $PLATEWARDEN_EDGE_CONFIG, or {DEFAULT_PATH})",
    )
    subs = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    subs.add_parser("run", help="watch the camera until stopped, or until a video file ends")

    enrolling = subs.add_parser("enrol", help="become a camera of a server")
    enrolling.add_argument(
        "token", nargs="?", help="the set-up token from the camera's page; - reads it from stdin"
    )
    enrolling.add_argument(
        "--camera", action="store_true", help="show the token's QR code to the camera instead"
    )
    enrolling.add_argument(
        "--plain-http", action="store_true", help="also without TLS, on a network of your own"
    )
    enrolling.add_argument("--again", action="store_true", help="though it is enrolled already")

    doctor = subs.add_parser("doctor", help="say what is wrong and how to mend it")
    doctor.add_argument("--json", action="store_true", help="as one object")

    bench = subs.add_parser("bench", help="measure what this device can do")
    bench.add_argument("--video", metavar="FILE", help="on your own video (default: a drawn one)")
    bench.add_argument("--seconds", type=float, default=10.0, help="for each part (10)")
    bench.add_argument("--json", action="store_true", help="as one object")

    spool = subs.add_parser("spool", help="what waits on the disk, and what the server refused")
    spool.add_argument("--retry", action="store_true", help="try what was refused once more")
    spool.add_argument("--json", action="store_true", help="as one object")

    subs.add_parser("password", help="make the password's hash for the local page")
    return top


def main(argv: Sequence[str]) -> int:
    """Runs one command; its exit code: 0, 1 with a sentence on stderr, 130 where interrupted."""
    options = parser().parse_args(argv)
    os.umask(0o077)
    try:
        return _dispatch(options)
    except (_Problem, ConfigError, EnrolError) as error:
        print(f"platewarden-edge: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "onnxruntime":
            raise
        print(
            "platewarden-edge: onnxruntime is not installed. Install the extra for this hardware: "
            'pip install "platewarden-edge[cpu]" (or cuda, tensorrt, openvino, coreml, pi).',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


def run_and_exit() -> None:
    """The installed command."""
    sys.exit(main(sys.argv[1:]))


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "password":
            return _password()
        case "bench":
            from edge.bench import bench

            return bench(options.video, seconds=options.seconds, as_json=options.json)
        case "doctor":
            from edge.doctor import doctor

            return doctor(options.config, as_json=options.json)
    config = read_config(options.config)
    match options.command:
        case "run":
            return _run(config)
        case "enrol":
            return _enrol(config, options)
        case _:
            return _spool(config, retry=options.retry, as_json=options.json)


class _Quiet(logging.Formatter):
    """Of an exception only its type and places: its text may hold a plate."""

    def formatException(self, ei: Any) -> str:
        places = [
            f"{Path(step.filename).name}:{step.lineno}" for step in traceback.extract_tb(ei[2])
        ]
        return f"{ei[0].__name__} at {' < '.join(reversed(places))}"


def log_to_stderr() -> None:
    """As systemd's journal wants it, which adds the time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Quiet("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _run(config: Config) -> int:
    from edge.agent import Agent

    device = device_load(config.data)
    log_to_stderr()
    stop = threading.Event()

    def asked(number: int, _: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    try:
        agent = Agent(config, device)
    except OSError as error:
        raise _Problem(f"{config.data} cannot be used: {error.strerror or error}.") from error
    return agent.run(stop)


def _enrol(config: Config, options: argparse.Namespace) -> int:
    if not options.again:
        try:
            device = device_load(config.data)
        except EnrolError:
            pass
        else:
            raise _Problem(f"This device is {device.camera} at {device.url} already (--again).")
    text = _token(config, options)
    device = enrol(parse_invitation(text, plain=options.plain_http), ca_file=config.ca_file)
    try:
        device_save(config.data, device)
    except OSError as error:
        raise _Problem(
            f"The device was enrolled, but {config.data} cannot be written ({error.strerror}); "
            "mend that, and enrol again with a new token."
        ) from error
    print(f"This device is now the camera {device.camera} of {device.site} at {device.url}.")
    return 0


def _token(config: Config, options: argparse.Namespace) -> str:
    if options.camera:
        return _scanned(config)
    if options.token == "-":  # noqa: S105
        return sys.stdin.readline()
    if options.token:
        return str(options.token)
    raise _Problem("Which set-up token? Give it, or - to read it from stdin, or --camera.")


def _scanned(config: Config) -> str:
    from edge.clock import Clock
    from edge.health import Health
    from edge.sources import SourceError, open_source

    clock = Clock()
    try:
        source = open_source(config.source, clock=clock, health=Health())
        print("Show the QR code of the camera's page to the camera …", file=sys.stderr)
        ending = threading.Timer(SCAN_SECONDS, source.close)  # a dead camera gives no frame
        ending.daemon = True
        ending.start()
        try:
            return scan(source.frames(), until=clock.now() + SCAN_SECONDS)
        finally:
            ending.cancel()
            source.close()
    except SourceError as error:
        raise _Problem(error.sentence) from error


def _spool(config: Config, *, retry: bool, as_json: bool) -> int:
    from edge.agent import open_spool
    from edge.clock import Clock
    from edge.health import Health

    try:
        spool = open_spool(config, Clock(), Health())
    except (OSError, ValueError) as error:
        raise _Problem(f"The spool in {config.data} cannot be opened: {error}") from error
    try:
        again = spool.put_back() if retry else 0
        state, refused = spool.state(), spool.refused()
    finally:
        spool.close()
    facts = {
        "waiting": state.waiting,
        "oldest_s": round(state.oldest_s, 1),
        "bytes": state.bytes,
        "refused": state.refused,
        "tried_again": again,
        "refusals": [
            {
                "event_id": one.event_id,
                "kind": one.kind,
                "captured_at": one.captured_at.isoformat(),
                "code": one.code,
                "field": one.field,
            }
            for one in refused
        ],
    }
    if as_json:
        print(json.dumps(facts))
        return 0
    print(
        f"{state.waiting} waiting (oldest {state.oldest_s:.0f} s), {state.bytes / 1e6:.1f} MB, "
        f"{state.refused} refused by the server"
    )
    for one in refused:
        field = f" ({one.field})" if one.field else ""
        print(f"  {one.captured_at:%Y-%m-%d %H:%M:%S} {one.kind:<6} {one.code}{field}")
    if again:
        print(f"{again} are tried once more")
    return 0


def _password() -> int:
    from edge.page.door import hash_password

    if sys.stdin.isatty():
        word = getpass.getpass("Password of the local page: ")
        if word != getpass.getpass("Once more: "):
            raise _Problem("The two are not the same.")
    else:
        word = sys.stdin.readline().rstrip("\n")
    try:
        print(hash_password(word))
    except ValueError as error:
        raise _Problem(str(error)) from error
    return 0
