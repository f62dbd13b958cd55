"""`./run scenario FILE…`: one line of JSON for each file, in the order of the arguments."""

import argparse
import difflib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import django

FINE, MISMATCH, BAD = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """0; 1 where `--check` found a difference; 2 where a file could not be played."""
    parser = argparse.ArgumentParser(
        prog="./run scenario",
        description="Plays scenarios (scenarios/README.md) on a scratch database and prints one "
        "line of JSON per file.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with each file's “expect” and print only what differs",
    )
    options = parser.parse_args(arguments)
    # whatever the terminal's language: JSON is UTF-8, and half a surrogate pair is written as such
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alpr_site.settings")
    django.setup()

    from scenarios.scratch import NoScratch, scratch_databases

    try:
        with scratch_databases():
            return _all(options.files, check=options.check)
    except NoScratch as error:
        print(f"./run scenario: {error}", file=sys.stderr)
        return BAD
    except KeyboardInterrupt:
        return 130


def _all(files: Sequence[Path], *, check: bool) -> int:
    code = FINE
    for path in files:
        line, expected, failed = _one(path)
        if check and not failed:
            code = max(code, _compare(path, line, expected))
        else:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        code = BAD if failed else code
    return code


def _one(path: Path) -> tuple[dict[str, Any], Any, bool]:
    """A file's line, what it expects of it, and whether it could not be played."""
    from core.errors import ProductError
    from scenarios import parsing
    from scenarios.player import NotSettled, play

    name = path.stem
    try:
        data = parsing.scenario_read(path)
        name = parsing.name_of(data, name)
        scenario = replace(parsing.scenario_of(data), name=name)
        return play(scenario), scenario.expect, False
    except ProductError as error:
        return {"name": name, "error": error.as_dict()}, None, True
    except Exception as error:  # a fault of ours: said in the line, and the others are played
        reason = "could not judge all of it" if isinstance(error, NotSettled) else "failed on it"
        problem = {
            "code": "our_fault",
            "sentence": f"The product {reason} ({type(error).__name__}); that is no fault of the "
            "file's.",
            "field": None,
        }
        return {"name": name, "error": problem}, None, True


def _compare(path: Path, line: dict[str, Any], expected: Any) -> int:
    """Print how `line` differs from what was expected; the exit code."""
    if expected is None:
        print(f"{path}: expects nothing", flush=True)
        return MISMATCH
    # `name` may be left out of what is expected: the file has it already
    wanted = {"name": line["name"], **expected} if isinstance(expected, dict) else expected
    if wanted == line:
        return FINE
    texts = (_lines(wanted), _lines(line))
    print(
        "\n".join(difflib.unified_diff(*texts, f"{path} expects", f"{path} gives", "", "", 2, ""))
    )
    sys.stdout.flush()
    return MISMATCH


def _lines(value: Any) -> list[str]:
    """One line for each visit, read, case and alert."""
    if not isinstance(value, dict):
        return [json.dumps(value, ensure_ascii=False)]
    lines = []
    for key, part in value.items():
        if isinstance(part, list):
            lines += [f"{key}: {json.dumps(one, ensure_ascii=False)}" for one in part]
        else:
            lines.append(f"{key}: {json.dumps(part, ensure_ascii=False)}")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
