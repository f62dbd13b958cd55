"""`./run mutate [MODULE…]`: does a test notice when a rule is changed?

mutmut changes one thing at a time in a pure rule module and runs the fast tests of that module, in
a copy of the code, in an environment of its own. Each change that no test notices must be
explained in docs/mutation.md, in a `diff` block; one that isn't is printed, and the exit code is 1.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runner.console import RunError, say, tail
from runner.paths import ROOT, Var
from runner.sidevenv import SideVenv

MUTATION: Final = SideVenv(
    "mutation", ((ROOT / "requirements" / "mutation.txt", ("--require-hashes",)),)
)

PAGE: Final = ROOT / "docs" / "mutation.md"

MODULES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "matching": (
        "enforcement/rights/matching.py",
        ("rules_matching", "rules_registry", "rules_reads", "rules_stays", "rules_scenarios"),
    ),
    "calendars": (
        "enforcement/rights/calendars.py",
        ("rules_calendars", "rules_schemes", "rules_reads"),
    ),
    "pairing": (
        "enforcement/visits/pairing.py",
        ("rules_pairing", "rules_visit_ends", "rules_scenarios", "rules_stays"),
    ),
    "passages": ("enforcement/visits/passages.py", ("rules_frames", "rules_pairing")),
    "presence": ("enforcement/rights/presence.py", ("rules_stays", "rules_scenarios")),
    "stays": (
        "enforcement/rights/stays.py",
        ("rules_stays", "rules_explained", "rules_scenarios", "tariffed_stays"),
    ),
    "verdicts": (
        "enforcement/rights/verdicts.py",
        ("rules_reads", "rules_explained_reads", "rules_explained", "rules_stays"),
    ),
    "zones": ("enforcement/rights/zones.py", ("rules_windows", "rules_reads")),
}
"""Name → the module, and the tests/unit/rules/test_….py that hold it."""

COPIED: Final = ("core", "enforcement", "scenarios/rules", "tests/unit/rules")

_SETTINGS = """\
[mutmut]
source_paths = enforcement
also_copy =
    core
    scenarios
only_mutate = {file}
pytest_add_cli_args_test_selection =
{tests}
pytest_add_cli_args = --import-mode=importlib
track_dependencies = false
use_git_change_detection = false
"""

# The same few examples every time: a mutant must not survive by luck, nor a check last for hours.
_CONFTEST = """\
from hypothesis import HealthCheck, settings

settings.register_profile(
    "mutation", max_examples=30, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutation")
"""


@dataclass(frozen=True)
class Change:
    """One change to a module, as the lines that went and came (without indentation)."""

    gone: tuple[str, ...]
    came: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [*(f"- {line}" for line in self.gone), *(f"+ {line}" for line in self.came)]
        )


def main(arguments: Sequence[str]) -> int:
    """0 where every surviving change is explained, else 1."""
    unknown = [name for name in arguments if name not in MODULES]
    if unknown:
        raise RunError(f"no such module: {', '.join(unknown)}; there are {', '.join(MODULES)}")
    python = MUTATION.ensure(Var.default())
    known = explained(PAGE.read_text())
    unexplained = 0
    for name in arguments or MODULES:
        count, survivors = _check(python, Var.default().root / "mutation" / "work", name)
        new = [change for change in survivors if change not in known]
        unexplained += len(new)
        say(f"{name}: {count} changes, {len(survivors)} not noticed, {len(new)} unexplained")
        for change in new:
            print(f"\n{change}")
    return int(unexplained > 0)


def explained(page: str) -> set[Change]:
    """The changes in the page's `diff` blocks; several `+` after one `-` are several changes."""
    changes = set()
    for block in re.findall(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        gone: tuple[str, ...] = ()
        for line in block.splitlines():
            if line.startswith("-"):
                gone = (line[1:].strip(),)
            elif line.startswith("+"):
                changes.add(Change(gone, (line[1:].strip(),)))
    return changes


def changed(diff: str) -> Change:
    """What a unified diff changes."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    gone = tuple(line[1:].strip() for line in lines if line.startswith("-"))
    came = tuple(line[1:].strip() for line in lines if line.startswith("+"))
    return Change(gone, came)


def _check(python: Path, work: Path, name: str) -> tuple[int, list[Change]]:
    """How many changes were tried, and those that no test noticed."""
    file, tests = MODULES[name]
    shutil.rmtree(work, ignore_errors=True)
    leave = shutil.ignore_patterns("__pycache__", "migrations")
    for part in COPIED:
        shutil.copytree(ROOT / part, work / part, ignore=leave)
    (work / "tests" / "conftest.py").write_text(_CONFTEST)
    paths = "\n".join(f"    tests/unit/rules/test_{test}.py" for test in tests)
    (work / "setup.cfg").write_text(_SETTINGS.format(file=file, tests=paths))
    say(f"{name}: changing {file}, one thing at a time")
    log = work / "mutmut.log"
    with log.open("w") as out:
        mutmut = [str(python), "-m", "mutmut"]
        ran = subprocess.run([*mutmut, "run"], cwd=work, stdout=out, stderr=out, check=False)
    outcomes = re.findall(r"^\s*(\S+): (.+)$", _ask(mutmut, work, "results", "--all", "true"), re.M)
    if ran.returncode != 0 or not outcomes or any(said == "not checked" for _, said in outcomes):
        raise RunError(f"mutmut could not check {file}. The end of {log}:\n{tail(log)}")
    unnoticed = [mutant for mutant, said in outcomes if said not in ("killed", "timeout")]
    return len(outcomes), [changed(_ask(mutmut, work, "show", mutant)) for mutant in unnoticed]


def _ask(mutmut: Sequence[str], work: Path, *arguments: str) -> str:
    answer = subprocess.run(
        [*mutmut, *arguments], cwd=work, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise RunError(f"mutmut {arguments[0]} failed:\n{answer.stderr.strip()}")
    return answer.stdout
