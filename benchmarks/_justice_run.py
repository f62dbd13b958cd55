"""The simulation cut into units that processes share: a car park's month, a gantry's day.

A unit makes its truth, plays it and hands back counts only, so memory stays flat whatever the size.
Units are added up in their own order: the same seed gives the same figures however many processes
there are.
"""

from __future__ import annotations

import math
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import timedelta
from typing import Any, Final

from benchmarks._justice_carpark import DAYS, SEASONS, CarPark
from benchmarks._justice_causes import Count, count
from benchmarks._justice_gantry import ROADS, Gantry, Registry
from benchmarks._justice_judge import Judge
from benchmarks._justice_naive import EXACT, Tally, road_tally, tallies
from benchmarks._justice_reader import Reader, load_table
from benchmarks._justice_roads import Floors, Road

SITE_STAYS: Final = 5_000
"""Stays of a car park in a month, at full size."""
LEAST_SITES: Final = 6
"""Both seasons, with and without a tariff, a camera outside, a clock ahead and one behind."""
EXAMPLES: Final = 60


@dataclass(frozen=True, slots=True)
class Variant:
    """One run: how far misreads repeat themselves (None: as measured), whose rates they have, and
    how many passages of each half it plays."""

    name: str
    stays: int
    drives: int
    correlation: float | None = None
    europe: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    vignettes: int
    variants: tuple[Variant, ...]


@dataclass(slots=True)
class Outcome:
    """What a unit or a variant came to."""

    car_parks: Count = field(default_factory=Count)
    gantries: Count = field(default_factory=Count)
    naive_car_parks: dict[str, Tally] = field(default_factory=dict)
    naive_gantries: dict[str, Tally] = field(default_factory=dict)
    floors: Floors = field(default_factory=Floors)

    def add(self, other: Outcome) -> None:
        self.car_parks.add(other.car_parks)
        self.gantries.add(other.gantries)
        for mine, theirs in (
            (self.naive_car_parks, other.naive_car_parks),
            (self.naive_gantries, other.naive_gantries),
        ):
            for name, tally in theirs.items():
                mine.setdefault(name, Tally()).add(tally)
        self.floors.wrongful.update(other.floors.wrongful)
        self.floors.rightful.update(other.floors.rightful)
        for some in (self.car_parks, self.gantries):
            # late payments are many and alike; of the rest the first tell the story
            telling = [one for one in some.examples if one["cause"] != "known-late"]
            some.examples = telling[:EXAMPLES]

    def as_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = _plain(self)
        return plain


def _plain(value: Any) -> Any:
    """Dataclasses and counters as values for JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in sorted(value.items())}
    return value


@dataclass(frozen=True, slots=True)
class _Unit:
    order: int
    variant: int
    kind: str
    number: int
    size: int
    day: int = 0


_plan: Plan
_readers: list[Reader]
_registries: list[Registry]


def units_of(plan: Plan) -> list[_Unit]:
    """Every unit of every variant; the long ones first, so that no process ends long alone."""
    made: list[_Unit] = []
    for index, variant in enumerate(plan.variants):
        sites = max(LEAST_SITES, math.ceil(variant.stays / SITE_STAYS)) if variant.stays else 0
        for number in range(sites):
            size = math.ceil(variant.stays / sites)
            made.append(_Unit(len(made), index, "car park", number, size))
    for index, variant in enumerate(plan.variants):
        for number, road in enumerate(ROADS):
            size = math.ceil(variant.drives * road.share / DAYS) if variant.drives else 0
            for day in range(DAYS if size else 0):
                made.append(_Unit(len(made), index, "gantry", number, size, day))
    return made


def run(plan: Plan, workers: int) -> list[Outcome]:
    """Play every variant; one outcome each, in order. Tells on stderr how far it is."""
    prepare(plan)
    held = sum(len(registry.texts) for registry in _registries)
    print(f"  {held:,} vignettes registered", file=sys.stderr, flush=True)
    units = units_of(plan)
    total = sum(2 * unit.size if unit.kind == "car park" else unit.size for unit in units)
    results: dict[int, Outcome] = {}
    progress = _Progress(total)
    if workers <= 1:
        for unit in units:
            results[unit.order] = play(unit)
            progress.tell(unit)
    else:
        context = multiprocessing.get_context("fork")  # the registry is shared, not copied
        with context.Pool(workers) as pool:
            for order, outcome in pool.imap_unordered(_numbered, units):
                results[order] = outcome
                progress.tell(units[order])
    outcomes = [Outcome() for _ in plan.variants]
    for unit in units:
        outcomes[unit.variant].add(results[unit.order])
    return outcomes


def prepare(plan: Plan) -> None:
    """Make what all units share, before there are processes to share it."""
    global _plan, _readers, _registries
    table = load_table()
    _plan = plan
    _readers = [
        Reader(table, correlation=one.correlation, europe=one.europe) for one in plan.variants
    ]
    wanted = any(one.drives for one in plan.variants)
    sizes = [plan.vignettes if n == 0 else plan.vignettes // 10 for n in range(len(ROADS))]
    _registries = [
        Registry(plan.seed, road, max(100, size), SEASONS[n % 2])
        for n, (road, size) in enumerate(zip(ROADS, sizes, strict=True))
        if wanted
    ]


def _numbered(unit: _Unit) -> tuple[int, Outcome]:
    return unit.order, play(unit)


def play(unit: _Unit) -> Outcome:
    """Make one unit's truth, judge it, compare."""
    made, reader = Outcome(), _readers[unit.variant]
    if unit.kind == "car park":
        month = CarPark(_plan.seed, unit.number, unit.size, reader).make()
        judge = Judge(month)
        made.car_parks = count(month, judge, judge.run())
        made.naive_car_parks = tallies(month, judge)
        return made
    registry = _registries[unit.number]
    day = SEASONS[unit.number % 2] + timedelta(days=unit.day)
    drives = list(Gantry(_plan.seed, registry, day, reader).drives(unit.size))
    road = Road(registry)
    made.gantries, made.floors = road.play(drives)
    made.naive_gantries = {EXACT: road_tally(road, drives)}
    return made


class _Progress:
    """A line on stderr now and then, so that nobody wonders whether it hangs."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.began = self.told = time.monotonic()

    def tell(self, unit: _Unit) -> None:
        self.done += 2 * unit.size if unit.kind == "car park" else unit.size
        now = time.monotonic()
        if now - self.told < 10 and self.done < self.total:
            return
        self.told = now
        rate = self.done / max(1e-9, now - self.began)
        print(
            f"  {self.done:,} of {self.total:,} passages, {rate:,.0f} a second",
            file=sys.stderr,
            flush=True,
        )


def variants_of(passages: int, correlations: Sequence[float], share: float) -> tuple[Variant, ...]:
    """The main run, half car parks and half gantries; then smaller ones beside it."""
    stays, drives = passages // 4, passages // 2
    few = round(stays * share)
    return (
        Variant("as measured", stays, drives),
        Variant("European pictures", few, round(drives * share), europe=True),
        *(Variant(f"correlation {one:g}", few, 0, correlation=one) for one in correlations),
    )
