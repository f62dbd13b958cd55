"""The result of `./run bench justice` as tables, targets held or missed, and a drawing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks._justice_causes import AND_TYPED, OF_VIOLATOR, RULES_FAULT, TYPED_BY
from benchmarks._justice_naive import NOISE, OWN
from benchmarks._justice_truth import Noise
from benchmarks.plots import COLOURS, Svg
from benchmarks.tables import percent, table

PAIRING: Final = "pairing: passages unseen or late"
RULES: Final = "calendar, tariff, matching: nothing else was wrong"
TYPED: Final = "matching: typed one or two slips off"
MISREAD: Final = "misreads"
OTHER_PLATE: Final = "a violator's case under a misread plate"
CLOCK: Final = "a camera's clock off"
CATEGORY: Final = "category that no camera sees"
FAR: Final = "paid for another plate altogether"
LATE: Final = "not yet known that it was paid"
SEVERAL: Final = "several together"
GROUPS: Final = (
    PAIRING, RULES, TYPED, MISREAD, OTHER_PLATE, CLOCK, CATEGORY, FAR, LATE, SEVERAL,
)  # fmt: skip
"""Causes as they are reported; the first three are the rules' own business, and none may be."""
OURS: Final = frozenset({PAIRING, RULES, TYPED})

NOT_TO_BE_FOUND: Final = ("passed unseen", "clock off", "site suspended")
"""Violations that no camera showed, or that the rules forbid to pursue."""

MOST_MISREADS: Final = 1.0
LEAST_FOUND: Final = 0.97
MOST_REVIEWS: Final = 0.02


def group(cause: str) -> str:
    """The group of a cause (`_justice_causes.count` names them)."""
    if cause.endswith(OF_VIOLATOR):
        return OTHER_PLATE
    if cause == RULES_FAULT:
        return RULES
    bare, _, by = cause.removesuffix(AND_TYPED).partition(" (")
    if " + " in bare or bare not in {noise.value for noise in Noise}:
        return SEVERAL
    if bare == Noise.TYPED:
        return FAR if by.rstrip(")") in ("", TYPED_BY[-1]) else TYPED
    return {
        Noise.MISREAD: MISREAD,
        Noise.MISSED: PAIRING,
        Noise.OFFLINE: PAIRING,
        Noise.CLOCK: CLOCK,
        Noise.KNOWN_LATE: LATE,
        Noise.CATEGORY: CATEGORY,
    }[Noise(bare)]


def grouped(causes: Mapping[str, int]) -> Counter[str]:
    made: Counter[str] = Counter()
    for cause, number in causes.items():
        made[group(cause)] += number
    return made


def bounds(events: int, trials: int, per: float = 100_000.0) -> tuple[float, float]:
    """95 % limits of a rate from a count (Garwood's exact Poisson limits, by bisection)."""

    def limit(share: float, count: int) -> float:
        low, high = 0.0, count + 10 * math.sqrt(count + 1) + 20
        for _ in range(80):
            mean = (low + high) / 2
            terms = (
                math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)
            )
            low, high = (mean, high) if sum(terms) > share else (low, mean)
        return (low + high) / 2

    if not trials:
        return 0.0, math.inf
    lowest = limit(0.975, events - 1) if events else 0.0
    return per * lowest / trials, per * limit(0.025, events) / trials


def text(result: Mapping[str, Any]) -> str:
    """Every table, the targets, and what to look at."""
    runs = result["runs"]
    main = runs["as measured"]
    size = f"{result['passages']:,} passages, {result['vignettes']:,} vignettes"
    head = f"Commit {result['commit']}, seed {result['seed']}: {size}, {result['seconds']:.0f} s"
    parts = [f"\n{head} ({result['cpu_seconds']:.0f} s of CPU, {result['peak_mb']:.0f} MB)"]
    parts.append(_causes(main))
    parts.append(_beside(main))
    parts.append(_found(runs))
    parts.append(_sweep(runs))
    parts.append(_floors(main))
    parts.append(_targets(runs))
    parts.append(_examples(main))
    return "\n".join(parts)


def _rate(number: int, lawful: int) -> str:
    return f"{100_000 * number / lawful:,.1f}" if lawful else "–"


def _causes(run: Mapping[str, Any]) -> str:
    parks, gantries = run["car_parks"], run["gantries"]
    header = ["wrongful per 100,000 lawful", "car parks", "confirmed", "gantries", "confirmed"]
    rows = []
    sums = [grouped(one[what]) for one in (parks, gantries) for what in ("wrongful", "confirmed")]
    lawful = [parks["lawful"], parks["lawful"], gantries["lawful"], gantries["lawful"]]
    for name in GROUPS:
        cells = [
            f"{_rate(one[name], n)} ({one[name]})" for one, n in zip(sums, lawful, strict=True)
        ]
        rows.append([name, *cells])
    totals = [
        f"{_rate(one.total(), n)} ({one.total()})" for one, n in zip(sums, lawful, strict=True)
    ]
    rows.append(["all", *totals])
    unseen = (
        f"{_rate(one['confirmed_reviews'], one['lawful'])} ({one['confirmed_reviews']})"
        for one in (parks, gantries)
    )
    rows.append(["cases in review, if confirmed unseen", "", next(unseen), "", next(unseen)])
    title = "Candidates against a plate that did nothing wrong, by cause (cases)"
    return table(title, header, rows)


def _beside(run: Mapping[str, Any]) -> str:
    rows = []
    for place, count, naive in (
        ("car parks", run["car_parks"], run["naive_car_parks"]),
        ("gantries", run["gantries"], run["naive_gantries"]),
    ):
        for name, tally in naive.items():
            own, noise = (tally["wrongful"].get(one, 0) for one in (OWN, NOISE))
            found = percent(tally["found"] / count["unlawful"]) if count["unlawful"] else "–"
            cells = [_rate(own, count["lawful"]), _rate(noise, count["lawful"]), found]
            rows.append([f"{place}, {name}", *cells])
        groups = grouped(count["wrongful"])
        own = sum(groups[one] for one in OURS)
        cells = [_rate(own, count["lawful"]), _rate(groups.total() - own, count["lawful"])]
        found = percent(count["found"] / count["unlawful"]) if count["unlawful"] else "–"
        rows.append([f"{place}, ours", *cells, found])
    header = ["wrongful per 100,000 lawful", "by its rules", "by noise", "violations found"]
    return table("Beside naive enforcers on the same traffic", header, rows)


def _found(runs: Mapping[str, Any]) -> str:
    rows = []
    for name in ("as measured", "European pictures"):
        for place, one in (
            ("car parks", runs[name]["car_parks"]),
            ("gantries", runs[name]["gantries"]),
        ):
            if not one["unlawful"]:
                continue
            missed = ", ".join(f"{why} {n}" for why, n in _most(one["missed"]))
            cells = [f"{one['lawful']:,}", f"{one['unlawful']:,}"]
            cells.append(percent(one["found"] / one["unlawful"]))
            hidden = sum(one["missed"].get(why, 0) for why in NOT_TO_BE_FOUND)
            cells.append(percent(one["found"] / max(1, one["unlawful"] - hidden)))
            cells.append(percent(one["found_in_review"] / one["unlawful"]))
            cells.append(percent(one["reviews"] / max(1, one["passages"]), 2))
            rows.append([f"{place}, {name}", *cells, missed])
    header = [
        "",
        "lawful",
        "unlawful",
        "found",
        "of those to be found",
        "found in review",
        "passages in review",
        "missed",
    ]
    return table("Violations found, and what a person must look at", header, rows)


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:4]


def _sweep(runs: Mapping[str, Any]) -> str:
    rows = []
    for name, run in runs.items():
        one = run["car_parks"]
        if not one["lawful"]:
            continue
        groups = grouped(one["wrongful"])
        cells = []
        for what in (MISREAD, OTHER_PLATE):
            low, high = bounds(groups[what], one["lawful"])
            cells.append(f"{_rate(groups[what], one['lawful'])} ({low:.1f}–{high:.1f})")
        cells.append(percent(one["found"] / one["unlawful"]))
        rows.append([name, f"{one['lawful']:,}", *cells])
    header = ["car parks", "lawful stays", MISREAD, OTHER_PLATE, "found"]
    title = "Misreads, by how far they repeat themselves at the other gate (95 % limits)"
    return table(title, header, rows)


def _floors(run: Mapping[str, Any]) -> str:
    floors, lawful = run["floors"], run["gantries"]["lawful"]
    if not lawful:
        return ""
    unlawful = run["gantries"]["unlawful"]
    rows = [
        [
            floor,
            _rate(floors["wrongful"].get(floor, 0), lawful),
            percent(floors["rightful"].get(floor, 0) / unlawful) if unlawful else "–",
        ]
        for floor in sorted(floors["rightful"])
    ]
    header = ["confidence floor", "misread candidates per 100,000", "violations as candidates"]
    return table("Gantries: what a higher floor would buy (the rest goes to review)", header, rows)


def targets(run: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """What was set out to be reached: name, what came, whether it holds."""
    made = []
    for place, one in (("car parks", run["car_parks"]), ("gantries", run["gantries"])):
        if not one["lawful"] or not one["unlawful"]:
            continue
        groups = grouped(one["wrongful"])
        own = sum(groups[name] for name in OURS)
        made.append((f"{place}: 0 by pairing, calendar, tariff, matching", str(own), own == 0))
        rate = 100_000 * groups[MISREAD] / one["lawful"]
        name = f"{place}: misreads ≤ 1 per 100,000 lawful"
        made.append((name, f"{rate:.1f}", rate <= MOST_MISREADS))
        found = one["found"] / one["unlawful"]
        made.append((f"{place}: ≥ 97 % found", percent(found), found >= LEAST_FOUND))
        reviews = one["reviews"] / max(1, one["passages"])
        name = f"{place}: ≤ 2 % of passages in review"
        made.append((name, percent(reviews, 2), reviews <= MOST_REVIEWS))
    return made


def _targets(runs: Mapping[str, Any]) -> str:
    rows: dict[str, list[str]] = {}
    names = ("as measured", "European pictures")
    for column, run in enumerate(names):
        for name, came, held in targets(runs[run]):
            cells = rows.setdefault(name, ["–"] * len(names))
            cells[column] = f"{came} {'held' if held else 'missed'}"
    table_rows = [[name, *cells] for name, cells in rows.items()]
    return table("Targets", ["", *names], table_rows)


def _examples(run: Mapping[str, Any]) -> str:
    """A few wrongful cases of each group that is the rules' business, or is rare."""
    lines: list[str] = []
    shown: Counter[str] = Counter()
    for place in ("car_parks", "gantries"):
        for one in run[place]["examples"]:
            name = group(one["cause"])
            shown[name] += 1
            if shown[name] <= 3 and name not in (LATE, FAR, CATEGORY):
                said = ", ".join(one["explanation"])
                where = f"{place.replace('_', ' ')} {one['site']}, {one['from']}"
                lines.append(
                    f"  {one['cause']}: {one['verdict']} {one['reason']} ({said}); truly: "
                    f"{' + '.join(one['stays'])}; {where}"
                )
    return "\n".join(["", "Wrongful cases to look at", *lines]) if lines else ""


def draw(result: Mapping[str, Any], folder: Path) -> None:
    """`justice.svg`: wrongful cases per 100,000 lawful, ours and naive, on a logarithmic axis."""
    run = result["runs"]["as measured"]
    rows: list[tuple[str, float, str]] = []
    for place, count, naive in (
        ("Car parks", run["car_parks"], run["naive_car_parks"]),
        ("Gantries", run["gantries"], run["naive_gantries"]),
    ):
        lawful = count["lawful"]
        if not lawful:
            continue
        for name, tally in naive.items():
            rate = 100_000 * sum(tally["wrongful"].values()) / lawful
            rows.append((f"{place}: {name}", rate, COLOURS[2]))
        groups = grouped(count["wrongful"])
        rate = 100_000 * groups.total() / lawful
        rows.append((f"{place}: ours, all causes", rate, COLOURS[0]))
        for what in GROUPS:
            if what in OURS or what == MISREAD or groups[what]:
                colour = COLOURS[1] if what in OURS else COLOURS[3]
                rows.append((f"   {what}", 100_000 * groups[what] / lawful, colour))
    left, top, high, wide = 330, 62, 24, 340
    svg = Svg(left + wide + 90, top + high * len(rows) + 40, "Wrongful cases per 100,000 lawful")
    svg.text(12, 42, "candidates, before any person looked; logarithmic", kind="m")
    for power in range(-1, 6):
        x = left + wide * (power + 1) / 6
        svg.line(x, top, x, top + high * len(rows))
        label = f"{10**power:,}" if power >= 0 else "0.1"
        svg.text(x, top + high * len(rows) + 18, label, kind="m", anchor="middle")
    for number, (name, rate, colour) in enumerate(rows):
        y = top + high * number
        svg.text(left - 8, y + 16, name, anchor="end", kind="" if name[0] != " " else "m")
        share = (math.log10(rate) + 1) / 6 if rate > 0.1 else 0.0
        svg.bar(left, y + 4, wide * min(1.0, share), high - 9, colour)
        svg.text(left + wide * min(1.0, share) + 5, y + 16, f"{rate:,.1f}" if rate else "0")
    svg.save(folder / "justice.svg")
