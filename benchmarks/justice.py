"""`./run bench justice`: whom the judge accuses, whom it lets go, and why, where truth is known.

A month of car parks and of gantries is made up, and what cameras and keypads make of it; the
product's own rules judge it (`_justice_truth` says how truth is made, `_justice_causes` how a
wrongful case is attributed to its cause, `_justice_reader` how plates are misread). Two naive
enforcers judge the same traffic. docs/benchmarks.md says what each figure means.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import _justice_report as report
from benchmarks import plots
from benchmarks._justice_measure import PLATES, TABLE, measure
from benchmarks._justice_run import Plan, run, variants_of
from benchmarks.latency import RESULTS, commit
from benchmarks.systems import BenchmarkError

PASSAGES = 1_000_000
VIGNETTES = 1_000_000


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="./run bench justice", description=__doc__)
    made.add_argument("--passages", type=int, default=PASSAGES, help="of the main run (1,000,000)")
    made.add_argument("--vignettes", type=int, default=VIGNETTES, help="at the Czech gantry")
    made.add_argument("--seed", type=int, default=1, help="the same seed, the same figures (1)")
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    made.add_argument(
        "--correlations",
        default="0,0.5,1",
        help="shares of misreads that repeat themselves at the other gate, swept in smaller runs; "
        "the main run has what was measured",
    )
    made.add_argument(
        "--sweep-share", type=float, default=0.2, help="size of those runs, of the main one's (0.2)"
    )
    made.add_argument("--docs", action="store_true", help="put the plot into docs/benchmarks")
    made.add_argument("--json", action="store_true", help="print the result as JSON last")
    made.add_argument(
        "--measure",
        action="store_true",
        help=f"make {TABLE.name} anew from drawn plates and results/accuracy.json, and stop",
    )
    made.add_argument("--plates", type=int, default=PLATES, help="plates drawn for --measure")
    made.add_argument(
        "--training-python",
        type=Path,
        metavar="FILE",
        help="an interpreter with training/requirements.txt, to draw plates; "
        "by default the one `./run train` has made",
    )
    made.add_argument("--tools", type=Path, default=Path("var"), help=argparse.SUPPRESS)
    return made


def main(argv: list[str] | None = None) -> int:
    """Simulate, print the tables, write JSON and the plot; 1 where something needed is missing, 2
    for sizes that make no sense."""
    options = parser().parse_args(argv)
    try:
        correlations = [float(one) for one in options.correlations.split(",") if one]
    except ValueError:
        correlations = [-1.0]
    sizes = (options.passages, options.vignettes, options.workers, options.plates)
    if min(sizes) < 1 or not all(0 <= one <= 1 for one in [*correlations, options.sweep_share]):
        print("bench justice: sizes start at 1, shares lie between 0 and 1.", file=sys.stderr)
        return 2
    if options.measure:
        return _measure(options)
    result = simulate(options, correlations)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (RESULTS / "justice.json").write_text(text + "\n", encoding="utf-8")
    print(report.text(result))
    report.draw(result, plots.DOCS if options.docs else RESULTS)
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    return 0


def simulate(options: argparse.Namespace, correlations: list[float]) -> dict[str, Any]:
    """Run every variant; the result as plain values."""
    began, cpu = time.monotonic(), _cpu()
    variants = variants_of(options.passages, correlations, options.sweep_share)
    print(f"commit {commit()}, seed {options.seed}, {len(variants)} runs", file=sys.stderr)
    plan = Plan(options.seed, options.vignettes, variants)
    outcomes = run(plan, options.workers)
    return {
        "commit": commit(),
        "seed": options.seed,
        "passages": options.passages,
        "vignettes": options.vignettes,
        "workers": options.workers,
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(_cpu() - cpu, 1),
        "peak_mb": _peak_mb(),
        "runs": {
            variant.name: {
                "correlation": variant.correlation,
                "europe": variant.europe,
                **outcome.as_json(),
            }
            for variant, outcome in zip(variants, outcomes, strict=True)
        },
    }


def _cpu() -> float:
    whole = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in whole)


def _peak_mb() -> float:
    """The most memory any one of the processes held."""
    whole = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(max(one.ru_maxrss for one in whole) / 1024, 1)


def _measure(options: argparse.Namespace) -> int:
    python = options.training_python or options.tools / "training" / "venv" / "bin" / "python"
    try:
        if not python.exists():
            raise BenchmarkError("Drawing plates needs training's environment: ./run train --help.")
        measure(python, options.plates)
    except BenchmarkError as error:
        print(f"bench justice: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
