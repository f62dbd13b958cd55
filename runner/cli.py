"""The command line of `./run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from runner import agent, commands, doctor, locking, mutation
from runner.console import RunError, say

# These take whatever follows as it stands, options included.
PASSING_ON: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "test": (commands.test, "run the tests on services of their own: test [pytest's arguments]"),
    "read": (commands.read, "read pictures: read [--json] [--crop] PATH…"),
    "scenario": (commands.scenario, "play scenarios: scenario [--check] FILE…"),
    "bench": (commands.bench, "run a benchmark: bench NAME [its arguments]"),
    "train": (commands.train, "train the networks anew: train [its arguments]"),
    "mutate": (mutation.main, "change the rules, see that tests notice: mutate [MODULE…]"),
    "manage": (commands.manage, "a Django management command: manage COMMAND [its arguments]"),
}


def parser() -> argparse.ArgumentParser:
    """The parser of everything that isn't passed on."""
    top = argparse.ArgumentParser(
        prog="./run",
        description="Sets Platewarden up and runs it. The first use installs everything into "
        ".venv; data, keys and logs lie in var/ (or $PLATEWARDEN_VAR).",
        epilog="DATABASE_URL with KEYSTORE_URL, REDIS_URL and STORAGE_URL replace the embedded "
        "parts; docs/settings.md lists every setting.",
    )
    subs = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def port(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--port", type=int, help="port of the site (default: first free from 8000)"
        )

    demo = subs.add_parser("demo", help="start the site and play pictures through its API")
    demo.add_argument("--once", action="store_true", help="stop when all pictures are through")
    demo.add_argument("--json", action="store_true", help="print a summary object last")
    demo.add_argument("--real", action="store_true", help="play the real pictures of bench/")
    demo.add_argument("--images", metavar="DIR", help="play your own pictures")
    demo.add_argument(
        "--video", metavar="FILE", help="play your own video through an edge agent of its own"
    )
    port(demo)

    serve = subs.add_parser("serve", help="start the site and keep it running")
    serve.add_argument("--bind", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    port(serve)

    setup = subs.add_parser("setup", help="install what is missing, and nothing else")
    setup.add_argument("--test", action="store_true", help="what the tests need, too")

    for name, (_, text) in PASSING_ON.items():
        subs.add_parser(name, help=text, add_help=False)

    status = subs.add_parser("status", help="what runs, with pids and restarts")
    status.add_argument("--json", action="store_true", help="as one object")
    subs.add_parser("doctor", help="say what is wrong and how to mend it")
    subs.add_parser("services", help="only PostgreSQL and Valkey, for developers")
    subs.add_parser("env", help="print the running services' settings for a shell")
    wheel = subs.add_parser("wheel", help="build the edge agent's wheel, for devices")
    wheel.add_argument(
        "--to", type=Path, default=Path("dist"), metavar="DIR", help="where to (dist)"
    )
    lock = subs.add_parser("lock", help="pin requirements/*.in anew, with hashes")
    lock.add_argument("--upgrade", action="store_true", help="to the newest versions that fit")
    return top


def _dispatch(argv: Sequence[str]) -> int:
    if argv and argv[0] in PASSING_ON:
        return PASSING_ON[argv[0]][0](argv[1:])
    options = parser().parse_args(argv)
    match options.command:
        case "demo":
            flags = [f"--{name}" for name in ("once", "json", "real") if getattr(options, name)]
            for name in ("images", "video"):
                value = getattr(options, name)
                flags += [f"--{name}", value] if value else []
            return commands.demo(
                once=options.once, port=options.port, flags=flags, video=bool(options.video)
            )
        case "serve":
            return commands.serve(bind=options.bind, port=options.port)
        case "setup":
            return commands.setup(test=options.test)
        case "status":
            return commands.status(as_json=options.json)
        case "services":
            return commands.services()
        case "env":
            return commands.env()
        case "wheel":
            return agent.main(options.to)
        case "doctor":
            return doctor.main()
        case _:
            return locking.main(upgrade=options.upgrade)


def main(argv: Sequence[str]) -> int:
    """Runs one command; its exit code. Failures are sentences on stderr, and 1."""
    try:
        return _dispatch(argv)
    except RunError as error:
        say(f"./run: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
