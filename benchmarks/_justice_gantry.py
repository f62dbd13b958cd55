"""Gantries over vignette roads: who drove past on which day, holding what.

Truth is made on the local calendar, by the dates a driver was sold: the first day, the last day and
the moment of purchase, computed here from the scheme's public description and not by the product's
calendar. Nobody is registered by this module with the product's own arithmetic.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from benchmarks import _justice_plates as plates
from benchmarks._justice_carpark import DAYS
from benchmarks._justice_noise import HIDDEN
from benchmarks._justice_reader import Dice, Reader, Sight
from benchmarks._justice_truth import MARGIN, MINUTE
from core.platetext import ocr_class

ONE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Road:
    """A gantry: its scheme, time zone, the share of all gantry passages and of all vignettes, and
    where its vehicles come from."""

    scheme: str
    zone: ZoneInfo
    share: float
    countries: dict[str, float]


ROADS: Final = (
    Road("CZ", ZoneInfo("Europe/Prague"), 0.70, {"CZ": 0.74, "SK": 0.1, "DE": 0.09, "PL": 0.07}),
    Road("SK", ZoneInfo("Europe/Bratislava"), 0.1, {"SK": 0.7, "CZ": 0.15, "HU": 0.1, "PL": 0.05}),
    Road("AT", ZoneInfo("Europe/Vienna"), 0.1, {"AT": 0.6, "DE": 0.25, "HU": 0.1, "CZ": 0.05}),
    Road("HU", ZoneInfo("Europe/Budapest"), 0.1, {"HU": 0.7, "AT": 0.15, "SK": 0.1, "PL": 0.05}),
)
PRODUCTS: Final = {"annual": 0.5, "month": 0.22, "10-day": 0.22, "1-day": 0.06}
TYPED_WRONGLY: Final = 0.002
"""Vignettes sold for a plate typed wrongly, though shops ask twice; a third of them O for 0."""
UNLAWFUL: Final = 0.03
ELECTRIC: Final = 0.02
"""Czech vehicles at Czech gantries that the scheme exempts, with the series that says so."""
AT_MIDNIGHT: Final = 0.08
"""Passages within minutes of the first or last instant of a vignette, as the calendar's test."""
SAME_DAY: Final = 0.02
"""Passages minutes after the purchase."""
HEALED: Final = 0.02
"""At Hungarian gantries, passages up to an hour before the purchase that heals them."""
SYNC: Final = timedelta(minutes=10)
"""Longest time from a purchase until the registry has it."""


@dataclass(frozen=True, slots=True)
class Vignette:
    """As sold: `first` to `last`, both included, from the purchase on; `typed` as registered."""

    number: int
    plate: str = field(repr=False)
    typed: str = field(repr=False)
    country: str
    product: str
    first: date
    last: date
    year: int | None
    bought: datetime

    def covers(self, local: datetime, heal: timedelta) -> bool:
        """Whether a driver at this local moment had what the road asks for."""
        return self.first <= local.date() <= self.last and local >= self.bought - heal


def last_day(scheme: str, product: str, first: date) -> date:
    """A vignette's last day, as the shops print it; `first` as sold."""
    if product == "1-day":
        return first
    if product == "10-day":
        return first + 9 * ONE
    if product == "month":
        if scheme in ("CZ", "SK"):
            return first + 29 * ONE
        month = first.month + (2 if scheme == "AT" else 1)
        year, month = first.year + (month > 12), (month - 1) % 12 + 1
        for day in range(first.day, 0, -1):
            try:
                return date(year, month, day)
            except ValueError:
                continue
    if scheme == "SK":
        return first + 364 * ONE
    if (first.month, first.day) == (2, 29):
        return date(first.year + 1, 2, 28)
    return date(first.year + 1, first.month, first.day) - ONE


class Registry:
    """All vignettes of one scheme, in arrays: there are a million."""

    def __init__(self, seed: int, road: Road, size: int, season: date) -> None:
        self.road, self.season = road, season
        rng = Random(f"{seed}/registry/{road.scheme}")
        countries = list(road.countries)
        self._countries, self._products = bytearray(), bytearray()
        self._first, self._bought = array("i"), array("i")
        self.texts: list[str] = []
        self.typed: dict[int, str] = {}
        self.by_class: dict[str, int | list[int]] = {}
        self.begins: dict[date, list[int]] = defaultdict(list)
        self.ends: dict[date, list[int]] = defaultdict(list)
        there: set[str] = set()
        country_dice = Dice({n: road.countries[name] for n, name in enumerate(countries)})
        product_dice = Dice(dict(enumerate(PRODUCTS.values())))
        self._country_names, self._product_names = countries, list(PRODUCTS)
        while len(self.texts) < size:
            country = country_dice.draw(rng)
            text = plates.plate(rng, countries[country])
            if text in there:
                continue
            there.add(text)
            product = product_dice.draw(rng)
            self._sell(rng, text, country, product)

    def _sell(self, rng: Random, text: str, country: int, product: int) -> None:
        number = len(self.texts)
        self.texts.append(text)
        self._countries.append(country)
        self._products.append(product)
        days = {"annual": 365, "month": 31, "10-day": 10, "1-day": 1}[self._product_names[product]]
        self._first.append(rng.randrange(-days + 1, DAYS))
        # minutes before the first day's midnight; below 0 on the day itself
        at_once = rng.random() < 0.25
        self._bought.append(-rng.randrange(5 * 60, 20 * 60) if at_once else rng.randrange(86400))
        typed = text
        if rng.random() < TYPED_WRONGLY:
            twin = rng.random() < 1 / 3
            typed = plates.look_alike(rng, text) if twin else plates.mistyped(rng, text, 1)
        if typed != text:
            self.typed[number] = typed
        key = ocr_class(typed)
        others = self.by_class.get(key)
        if others is None:
            self.by_class[key] = number
        else:
            self.by_class[key] = [*(others if isinstance(others, list) else [others]), number]
        one = self.vignette(number)
        if 0 <= (one.first - self.season).days < DAYS:
            self.begins[one.first].append(number)
        if 0 <= (one.last - self.season).days < DAYS:
            self.ends[one.last].append(number)

    def vignette(self, number: int) -> Vignette:
        """A vignette by its number."""
        scheme, product = self.road.scheme, self._product_names[self._products[number]]
        first, year = self.season + self._first[number] * ONE, None
        if product == "annual" and scheme in ("AT", "HU"):
            year = self.season.year
            first = date(year - 1, 12, 1) if scheme == "AT" else date(year, 1, 1)
            last = date(year + 1, 1, 31)
        else:
            last = last_day(scheme, product, first)
        midnight = datetime.combine(first, time(), self.road.zone).astimezone(UTC)
        text = self.texts[number]
        return Vignette(
            number,
            text,
            self.typed.get(number, text),
            self._country_names[self._countries[number]],
            product,
            first,
            last,
            year,
            midnight - timedelta(minutes=self._bought[number]),
        )

    def under(self, text: str) -> list[int]:
        """The vignettes registered under texts of one OCR class."""
        found = self.by_class.get(ocr_class(text), [])
        return found if isinstance(found, list) else [found]

    def known_at(self, one: Vignette) -> datetime:
        """When the registry has it: some minutes after the purchase."""
        return one.bought + SYNC * (one.number * 7919 % 600) / 600


@dataclass(frozen=True, slots=True)
class Drive:
    """A vehicle passing the gantry at the true moment `at`. `category` is as the law sees it, which
    no camera does."""

    at: datetime
    plate: str = field(repr=False)
    country: str
    lawful: bool
    kind: str
    sight: Sight = field(repr=False)
    category: str = "car"
    clock: timedelta = timedelta(0)
    hidden: bool = False


class Gantry:
    """One day at one gantry."""

    def __init__(self, seed: int, registry: Registry, day: date, reader: Reader) -> None:
        self.registry, self.day, self.reader = registry, day, reader
        self.road = registry.road
        self.heal = timedelta(minutes=60 if self.road.scheme == "HU" else 0)
        name = f"{seed}/gantry/{self.road.scheme}/{day}"
        self.rng, self.noise = Random(name), Random(f"{name}/noise")
        self.clock = timedelta(seconds=self.noise.uniform(-1, 1))

    def drives(self, count: int) -> Iterator[Drive]:
        """As many passages, of the day in no order."""
        for _ in range(count):
            made = self._unlawful() if self.rng.random() < UNLAWFUL else self._lawful()
            if made is not None:
                yield made

    # --- who drives --------------------------------------------------------------------------

    def _lawful(self) -> Drive | None:
        rng, chance = self.rng, self.rng.random()
        if self.road.scheme == "CZ" and chance < ELECTRIC:
            text = plates.electric(rng)
            return self._drive(text, "CZ", self._any_time(), True, "exempt", category="electric")
        chance -= ELECTRIC
        if chance < AT_MIDNIGHT:
            return self._near_midnight(lawful=True)
        chance -= AT_MIDNIGHT
        if chance < SAME_DAY + HEALED:
            fresh = self._bought_today()
            if fresh is not None:
                after = timedelta(minutes=rng.uniform(0.5, 30))
                kind, at = "bought just before", fresh.bought + after
                if self.heal and chance < HEALED:
                    kind, at = "bought within the hour after", fresh.bought - 2 * after + MARGIN
                if fresh.covers(at.astimezone(self.road.zone), self.heal):
                    return self._of(fresh, at, True, kind)
        for _ in range(50):
            one = self.registry.vignette(rng.randrange(len(self.registry.texts)))
            at = self._any_time()
            local = at.astimezone(self.road.zone)
            if one.covers(local, self.heal) and local - MARGIN >= one.bought:
                return self._of(one, at, True, f"{one.product} vignette")
        return None

    def _unlawful(self) -> Drive | None:
        rng, chance = self.rng, self.rng.random()
        if chance < 0.25:
            return self._near_midnight(lawful=False)
        if chance < 0.32:
            fresh = self._bought_today()
            if fresh is not None:
                before = self.heal + timedelta(minutes=rng.uniform(1, 200))
                return self._of(fresh, fresh.bought - before, False, "before the purchase")
        countries = list(self.road.countries)
        country = rng.choices(countries, list(self.road.countries.values()))[0]
        while True:
            text = plates.plate(rng, country)
            if all(self.registry.texts[n] != text for n in self.registry.under(text)):
                return self._drive(text, country, self._any_time(), False, "no vignette")

    def _near_midnight(self, *, lawful: bool) -> Drive | None:
        """Minutes beside the first or the last instant of a vignette, on either side."""
        rng = self.rng
        first = rng.random() < 0.5
        later = ONE if lawful == (not first) else 0 * ONE
        # lawful: the first minutes of a first day, the last ones of a last; unlawful: the last
        # minutes of the day before, the first ones of the day after
        day = self.day if lawful else self.day + (ONE if first else -ONE)
        numbers = (self.registry.begins if first else self.registry.ends).get(day)
        if not numbers:
            return None
        one = self.registry.vignette(rng.choice(numbers))
        edge = datetime.combine(self.day + later, time(), self.road.zone).astimezone(UTC)
        inwards = timedelta(seconds=rng.uniform(MARGIN.total_seconds(), 1200))
        at = edge - inwards if later else edge + inwards
        local = at.astimezone(self.road.zone)
        if one.covers(local, self.heal) != lawful or self._another(one, local):
            return None
        return self._of(one, at, lawful, f"{'first' if first else 'last'} minutes, {one.product}")

    def _another(self, one: Vignette, local: datetime) -> bool:
        """Whether the moment is within a minute of the purchase, where the clock decides."""
        return abs(local - one.bought + self.heal) < MINUTE or abs(local - one.bought) < MINUTE

    def _bought_today(self) -> Vignette | None:
        numbers = self.registry.begins.get(self.day, ())
        for _ in range(20 if numbers else 0):
            one = self.registry.vignette(self.rng.choice(numbers))
            if one.bought.astimezone(self.road.zone).date() == self.day:
                return one
        return None

    def _any_time(self) -> datetime:
        """A moment of the day by the clock on the wall, also one that comes twice."""
        hour = self.rng.gauss(13, 5)
        if not 0.02 < hour < 23.98:
            hour = self.rng.uniform(0.02, 23.98)
        wall = datetime.combine(self.day, time()) + timedelta(hours=hour)
        return wall.replace(tzinfo=self.road.zone, fold=self.rng.randrange(2)).astimezone(UTC)

    # --- what the camera makes of it -----------------------------------------------------------

    def _of(self, one: Vignette, at: datetime, lawful: bool, kind: str) -> Drive:
        return self._drive(one.plate, one.country, at.astimezone(UTC), lawful, kind)

    def _drive(
        self, plate: str, country: str, at: datetime, lawful: bool, kind: str, category: str = "car"
    ) -> Drive:
        quirk = self.reader.quirk(self.noise, plate, country)
        sight = self.reader.look(self.noise, plate, country, quirk)
        hidden = self.noise.random() < HIDDEN
        return Drive(at, plate, country, lawful, kind, sight, category, self.clock, hidden)
