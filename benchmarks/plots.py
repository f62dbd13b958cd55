"""Plots for the documents: SVG written by hand, legible on light and on dark ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from benchmarks.systems import FP32

DOCS: Final = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"

COLOURS: Final = ("#2f81f7", "#e8862e", "#8b949e", "#2da44e", "#a371f7")
STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#24292f}"
    ".t{font-size:14px;font-weight:600}.m{fill:#57606a}"
    ".g{stroke:#d0d7de;stroke-width:1}.d{stroke:#8b949e;stroke-dasharray:4 4}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.m{fill:#9da7b1}.g{stroke:#3d444d}}"
)


class Svg:
    """Pieces of a drawing, `width` × `height` pixels, with a title that says what it shows."""

    def __init__(self, width: int, height: int, title: str) -> None:
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        self.pieces = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
        ]
        self.text(12, 22, title, kind="t")

    def text(self, x: float, y: float, text: str, *, kind: str = "", anchor: str = "start") -> None:
        self.pieces.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "g") -> None:
        self.pieces.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.pieces.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" '
            f'height="{max(0.0, height):.1f}" fill="{colour}"/>'
        )

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        self.pieces.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}"/>')

    def legend(self, names: Sequence[str], y: float) -> None:
        x = 12.0
        for name, colour in zip(names, COLOURS, strict=False):
            self.bar(x, y - 9, 10, 10, colour)
            self.text(x + 15, y, name)
            x += 32 + 7 * len(name)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*self.pieces, "</svg>"]) + "\n", encoding="utf-8")


def columns(title: str, groups: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> Svg:
    """Shares (0–1) as columns: a group for each of `groups`, in it one column of each series."""
    left, top, high = 46, 68, 190
    wide = max(46, 28 * len(series) + 18)
    svg = Svg(max(520, left + wide * len(groups) + 20), top + high + 40, title)
    svg.legend(list(series), 42)
    right = left + wide * len(groups)
    for tick in range(0, 101, 20):
        y = top + high * (1 - tick / 100)
        svg.line(left, y, right, y)
        svg.text(left - 6, y + 4, f"{tick} %", kind="m", anchor="end")
    for at, group in enumerate(groups):
        x = left + wide * at
        svg.text(x + wide / 2, top + high + 18, group, anchor="middle")
        for index, (values, colour) in enumerate(zip(series.values(), COLOURS, strict=False)):
            value = values[at]
            if value is not None:
                bar = (wide - 18) / len(series)
                y = top + high * (1 - value)
                svg.bar(x + 9 + bar * index, y, bar - 2, high * value, colour)
                svg.text(
                    x + 9 + bar * (index + 0.5) - 1, y - 3, f"{100 * value:.0f}",
                    kind="m", anchor="middle",
                )  # fmt: skip
    return svg


def stacked(
    title: str, parts: Sequence[str], rows: Mapping[str, Sequence[float]], unit: str
) -> Svg:
    """One bar a row, made of the row's values by part; its sum stands at the end."""
    left, top, high = 170, 58, 30
    most = max((sum(values) for values in rows.values()), default=0.0) or 1.0
    svg = Svg(640, top + high * len(rows) + 16, title)
    svg.legend(parts, 42)
    for index, (name, values) in enumerate(rows.items()):
        x, y = float(left), top + high * index
        svg.text(left - 8, y + 18, name, anchor="end")
        for value, colour in zip(values, COLOURS, strict=False):
            svg.bar(x, y + 4, 400 * value / most, high - 10, colour)
            x += 400 * value / most
        svg.text(x + 6, y + 18, f"{sum(values):.1f} {unit}")
    return svg


def reliability(title: str, curves: Mapping[str, Sequence[dict[str, Any]]]) -> Svg:
    """Share right against score, one dot a bin and the larger the more readings it holds."""
    left, top, side = 60, 58, 360
    svg = Svg(left + side + 80, top + side + 52, title)
    svg.legend(list(curves), 42)
    for tick in range(0, 11, 2):
        at = tick / 10
        svg.line(left, top + side * (1 - at), left + side, top + side * (1 - at))
        svg.line(left + side * at, top, left + side * at, top + side)
        svg.text(left - 6, top + side * (1 - at) + 4, f"{100 * at:.0f} %", kind="m", anchor="end")
        svg.text(left + side * at, top + side + 18, f"{at:.1f}", kind="m", anchor="middle")
    svg.text(left + side / 2, top + side + 40, "score", kind="m", anchor="middle")
    svg.line(left, top + side, left + side, top, "d")
    for bins, colour in zip(curves.values(), COLOURS, strict=False):
        for one in bins:
            x = left + side * one["mean_score"]
            y = top + side * (1 - one["right"])
            svg.dot(x, y, 2.5 + min(9.0, one["count"] ** 0.5 / 2), colour)
            svg.text(x - 12, y - 5, str(one["count"]), kind="m", anchor="end")
    return svg


def accuracy(result: dict[str, Any], folder: Path) -> None:
    """The plots of `./run bench accuracy`, as SVG files in `folder`."""
    if not result.get("systems"):
        return
    systems = {name: one for name, one in result["systems"].items() if name != FP32}
    regions = list(next(iter(systems.values()))["regions"])
    columns(
        "Plates read exactly, end to end",
        [region.upper() for region in regions],
        {n: [one["regions"][r]["exact"] for r in regions] for n, one in systems.items()},
    ).save(folder / "accuracy.svg")
    heights = next(iter(systems.values()))["heights"]
    columns(
        "Read exactly, by height of the plate in pixels (plates)",
        [f"{name} ({one['plates']})" for name, one in heights.items()],
        {n: [h["exact"] for h in one["heights"].values()] for n, one in systems.items()},
    ).save(folder / "heights.svg")
    ours = next(iter(systems))
    reliability(
        "Share of readings that are right, by score (readings)",
        {ours: systems[ours]["calibration"]["bins"]},
    ).save(folder / "reliability.svg")


def speed(rows: Mapping[str, Sequence[float]], parts: Sequence[str], folder: Path) -> None:
    """The plot of `./run bench speed`: median milliseconds by stage of each system."""
    stacked("One 1280×720 JPEG to readings, one thread, median", parts, rows, "ms").save(
        folder / "speed.svg"
    )
