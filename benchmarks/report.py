"""The results as tables for people."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.protocol import STAGES
from benchmarks.systems import FP32, OURS
from benchmarks.tables import number, percent, table


def accuracy(result: dict[str, Any]) -> str:
    """Every table of `./run bench accuracy` for which the result has figures."""
    parts = []
    if "systems" in result:
        parts += _systems(result["systems"], result["pictures"])
    if "romania" in result:
        rows = [
            [name, percent(one["ap50"]), percent(one["recall"])]
            for name, one in result["romania"].items()
        ]
        parts.append(table("Held clips of romania", ["", "AP50", "recall at IoU 0.4"], rows))
    if "platefree" in result:
        rows = [
            [
                name,
                str(one["pictures"]),
                str(one["with_false_read"]),
                percent(one["with_false_read"] / one["pictures"] if one["pictures"] else None),
                str(one["reads"]),
                str(one["reads_at_0.9"]),
            ]
            for name, one in result["platefree"].items()
        ]
        header = ["", "pictures", "with a false read", "share", "false reads", "of score ≥ 0.9"]
        parts.append(table("Pictures with every plate painted out", header, rows))
    for key, title in (("china", "Chinese crops, held fifth"), ("drawn", "Drawn Chinese crops")):
        if key in result:
            parts += _crops(result[key], title)
    parts += _quantised(result)
    return "\n".join(parts)


def _quantised(result: dict[str, Any]) -> list[str]:
    """What eight bits cost: each figure of both kinds of files, and the points lost."""
    figures: list[tuple[str, dict[str, Any]]] = []
    if "systems" in result:
        systems = result["systems"]
        for region in next(iter(systems.values()))["regions"]:
            for key, what in (("exact", "exact"), ("ap50", "AP50")):
                of = {name: one["regions"][region][key] for name, one in systems.items()}
                figures.append((f"{region.upper()} {what}", of))
    for section, key, what in (
        ("romania", "ap50", "held clips AP50"),
        ("china", "exact", "Chinese crops exact"),
        ("drawn", "exact", "drawn Chinese crops exact"),
    ):
        if section in result:
            figures.append((what, {name: one[key] for name, one in result[section].items()}))
    rows = [
        [
            what,
            percent(of[OURS]),
            percent(of[FP32]),
            number(100 * (of[FP32] - of[OURS])),
        ]
        for what, of in figures
        if of.get(OURS) is not None and of.get(FP32) is not None
    ]
    header = ["", "INT8", "FP32", "points lost"]
    return [table("INT8, as shipped, against FP32", header, rows)] if rows else []


def _systems(systems: dict[str, Any], pictures: int) -> list[str]:
    parts = []
    header = ["", "exact", "folded", "recall", "AP50", "extra/picture"]
    regions = next(iter(systems.values()))["regions"]
    for region, first in regions.items():
        rows = []
        for name, one in systems.items():
            mine = one["regions"][region]
            rows.append(
                [
                    name,
                    *(percent(mine[key]) for key in ("exact", "folded", "recall", "ap50")),
                    number(mine["extra_per_picture"], 2),
                ]
            )
        parts.append(table(f"{region.upper()}, {first['pictures']} pictures", header, rows))
    rows = [
        [
            name,
            *(number(one["ms"][stage]) for stage in STAGES),
            *(number(one["ms"][key]) for key in ("all_p50", "all_p95", "cpu_p50")),
            number(one["peak_mb"], 0),
        ]
        for name, one in systems.items()
    ]
    header = ["", *STAGES, "all", "p95", "CPU", "peak MB"]
    parts.append(table(f"Median ms by stage, one thread, {pictures} pictures", header, rows))
    classes = next(iter(systems.values()))["heights"]
    header = ["", *(f"{name} ({one['plates']})" for name, one in classes.items())]
    rows = [
        [name, *(percent(height["exact"]) for height in one["heights"].values())]
        for name, one in systems.items()
    ]
    parts.append(table("Exact by height of the plate in pixels (plates)", header, rows))
    floors = [one["score"] for one in next(iter(systems.values()))["calibration"]["above"]]
    header = ["", *(f"≥ {floor:g}" for floor in floors)]
    rows = [
        [name, *(f"{percent(a['right'])} of {a['count']}" for a in one["calibration"]["above"])]
        for name, one in systems.items()
    ]
    parts.append(table("Right, of readings with at least this score", header, rows))
    return parts


def _crops(systems: dict[str, Any], title: str) -> list[str]:
    count = next(iter(systems.values()))["crops"]
    rows = [
        [
            name,
            percent(one["exact"]),
            percent(one["exact_without_province"]),
            percent(min(of["exact"] for of in one["provinces"].values())),
        ]
        for name, one in systems.items()
    ]
    header = ["", "exact", "without province", "worst province"]
    parts = [table(f"{title} ({count})", header, rows)]
    first = next(iter(systems.values()))["provinces"]
    if len(first) > 1:
        worst = sorted(first.items(), key=lambda item: item[1]["exact"])
        rows = [[name, str(one["crops"]), percent(one["exact"])] for name, one in worst]
        parts.append(table("Ours by province, worst first", ["", "crops", "exact"], rows))
    return parts


def speed(result: dict[str, Any]) -> str:
    """Every table of `./run bench speed`."""
    parts = []
    for key, title in (("drawn", "The demo's pictures"), ("real", "Dash-cam frames")):
        if key not in result:
            continue
        rows = [
            [
                name,
                *(number(one[stage]) for stage in STAGES),
                *(number(one[part]) for part in ("all_p50", "all_p95", "cpu_p50")),
                f"{one['ratio']:.1f}×",
                f"{one['cpu_ratio']:.1f}×",
                number(result["peak_mb"][name], 0),
            ]
            for name, one in result[key].items()
        ]
        header = ["", *STAGES, "all", "p95", "CPU", "ratio", "CPU ratio", "peak MB"]
        runs = next(iter(result[key].values()))["runs"]
        where = "" if result["core"] is None else f", core {result['core']}"
        parts.append(
            table(f"{title}, 1280×720 JPEG, median ms of {runs} runs{where}", header, rows)
        )
    if "networks" in result:
        for product, title in ((True, "as the product runs them"), (False, "at other sizes")):
            rows = [
                [
                    f"{one['network']} {one['input']}",
                    number(one["int8"], 2),
                    number(one["fp32"], 2),
                    f"{one['fp32'] / one['int8']:.2f}×" if one["int8"] else "–",
                ]
                for one in result["networks"]
                if one["product"] == product
            ]
            header = ["", "INT8", "FP32", "INT8 is quicker by"]
            parts.append(table(f"Networks alone, median CPU ms, {title}", header, rows))
    return "\n".join(parts)
