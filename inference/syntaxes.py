"""Which texts are plates where: the country syntaxes, and a grammar compiled from them.

The syntaxes are data (`syntaxes.json`, notation explained there). A syntax says what an authority
issues in numbers; free-text (vanity) plates fit none and are read by the free decode instead.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise, product
from pathlib import Path
from typing import Final

from inference.results import ALPHABET, LATIN, PROVINCES

LETTERS: Final = frozenset(LATIN[:26])
DIGITS: Final = frozenset(LATIN[26:])
MIN_LENGTH: Final = 2
MAX_LENGTH: Final = 12

Pattern = tuple[frozenset[str], ...]
"""What each position may hold."""

# A named place is taken as this many times likelier than before ("soft").
SOFT_FACTOR: Final = 30.0

REGION_WEIGHT: Final = 1.0
"""Power to which the reader's own probabilities of the regions are raised before they count: under
1 where head and text, which come from the same pixels, err together."""
REGION_FLOOR: Final = 0.005
"""Probability the reader's region head is never trusted below: a new design of plate exists before
it was trained on."""

# Before anything is read: the share of plates that fit no syntax listed. Free texts of other
# lengths are next to unknown: authorities allow at most eight characters.
FREE_SHARE: Final = 0.02
FREE_LENGTHS: Final = range(4, 9)
_ODD_LENGTH_SHARE: Final = 0.0005
FREE_CHANGES: Final = (0.4, 0.3, 0.15, 0.1, 0.05)
"""Of these, the share by how often letters and digits take turns (the last: so often or oftener):
a word, a word and a number, and so on. What is neither a syntax nor a block of each is misread."""
_MOST_LIKELY: Final = 20.0
"""The most a free text gains by its shape: many digits are rather another country's number."""
# A province stands on Chinese plates only: in a text that fits none it is nearly always misread.
_STRAY_PROVINCE: Final = 0.001

_MOST_MATCHES: Final = 2048

_CODE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_TOKEN = re.compile(r"(\[[A-Z0-9-]+\]|[L9XP])(?:\{(\d+)(?:,(\d+))?\})?")


class SyntaxFileError(ValueError):
    """syntaxes.json, or a list of regions, holds something that means nothing."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """The formats one place issues. `code`: ISO 3166-1 alpha-2, or ISO 3166-2 for US states.
    `vehicles`: registered there, in millions, roughly."""

    code: str
    name: str
    vehicles: float
    patterns: tuple[Pattern, ...]
    examples: tuple[str, ...]

    @property
    def country(self) -> str:
        return self.code.partition("-")[0]

    def fits(self, text: str) -> bool:
        return any(_fits(pattern, text) for pattern in self.patterns)


def _fits(pattern: Pattern, text: str) -> bool:
    return len(pattern) == len(text) and all(
        char in allowed for char, allowed in zip(text, pattern, strict=True)
    )


def expand(notation: str, letters: frozenset[str] = LETTERS) -> tuple[Pattern, ...]:
    """ "L{1,2}99" → the pattern L99 and the pattern LL99. Raises SyntaxFileError."""
    parts: list[list[Pattern]] = []
    at = 0
    while at < len(notation):
        token = _TOKEN.match(notation, at)
        if token is None:
            raise SyntaxFileError(f"Pattern {notation!r} cannot be read from position {at}.")
        allowed = _allowed(token[1], letters)
        least = int(token[2]) if token[2] else 1
        most = int(token[3]) if token[3] else least
        parts.append([(allowed,) * times for times in range(least, most + 1)])
        at = token.end()
    return tuple(sum(choice, ()) for choice in product(*parts))


def _allowed(token: str, letters: frozenset[str]) -> frozenset[str]:
    if token == "L":  # noqa: S105 - a token of the notation
        return letters
    if token == "9":  # noqa: S105
        return DIGITS
    if token == "X":  # noqa: S105
        return letters | DIGITS
    if token == "P":  # noqa: S105
        return frozenset(PROVINCES)
    allowed = {char for char in ALPHABET if re.fullmatch(token, char)}
    return frozenset(allowed)


@dataclass(frozen=True, slots=True)
class Book:
    """Everything in syntaxes.json."""

    syntaxes: tuple[Syntax, ...]
    groups: dict[str, frozenset[str]]
    version: str

    def weight(self, syntax: Syntax) -> float:
        """How often a place is met, before anything is known of the camera: the square root of its
        country's fleet, half-way between all countries alike and all vehicles alike."""
        country = sum(other.vehicles for other in self.syntaxes if other.country == syntax.country)
        return math.sqrt(country) * syntax.vehicles / country

    def codes(self, regions: Iterable[str]) -> frozenset[str]:
        """Codes and groups, any case → codes with syntaxes. "US" stands for all its states.

        A well-formed code of a place whose syntax is not listed gives nothing: no hint. Raises
        SyntaxFileError for what can be no code.
        """
        known = {syntax.code for syntax in self.syntaxes}
        chosen: set[str] = set()
        for region in (name.strip().upper() for name in regions):
            if not _CODE.fullmatch(region) and region not in self.groups:
                raise SyntaxFileError(f"Region {region!r} is neither an ISO 3166 code nor a group.")
            chosen |= self.groups.get(region) or {
                code for code in known if code == region or code.startswith(f"{region}-")
            }
        return frozenset(chosen)


@cache
def load_book() -> Book:
    """Read syntaxes.json beside this module. Raises SyntaxFileError."""
    content = Path(__file__).with_name("syntaxes.json").read_bytes()
    data = json.loads(content)
    syntaxes = []
    for row in data["syntaxes"]:
        letters = frozenset(row["letters"]) if "letters" in row else LETTERS
        patterns = [
            pattern for notation in row["patterns"] for pattern in expand(notation, letters)
        ]
        syntaxes.append(
            Syntax(
                code=row["code"],
                name=row["name"],
                vehicles=float(row["vehicles"]),
                patterns=tuple(dict.fromkeys(patterns)),
                examples=tuple(row["examples"]),
            )
        )
    groups = {name: frozenset(codes) for name, codes in data["groups"].items()}
    version = f"syntaxes@{hashlib.sha256(content).hexdigest()[:12]}"
    return Book(tuple(syntaxes), groups, version)


@dataclass(frozen=True, slots=True)
class Fit:
    """How one text sits in a grammar.

    `bonus`: natural log of (its probability under the grammar, free texts included) over (its
    probability were every character equally likely): above 0, more like a plate than chance.
    `odds`: natural log of (its probability as a plate, any free text as likely as another) over
    (its probability as other writing in the street, see `log_street`): above 0, more like a plate
    than like a word or a number.
    `shares`: weight of each place whose syntax fits. `allowed`: per position what any fitting
    syntax allows; empty where none fits.
    """

    bonus: float
    odds: float
    shares: Mapping[str, float]
    allowed: tuple[frozenset[str], ...]

    @property
    def region(self) -> str | None:
        """The place the text is from; None where several are about as likely, or none fits."""
        return best_region(self.shares)

    @property
    def in_syntax(self) -> bool:
        return bool(self.allowed)


YEARS: Final = range(1990, 2050)
DATES: Final = 3 * 365 * len(YEARS)


def log_street(text: str) -> float:
    """Log-probability of a text as writing that is no plate: names and words, then numbers (prices,
    telephones, dates), and seldom anything that mixes letters and digits."""
    characters = set(text)
    if characters <= LETTERS:
        return math.log(0.6) - len(text) * math.log(len(LETTERS))
    if characters <= DIGITS:
        return math.log(0.12 / DATES if is_date(text) else 0.35 / len(DIGITS) ** len(text))
    return math.log(0.05) - len(text) * math.log(len(LATIN))


def is_date(digits: str) -> bool:
    """Whether eight digits are a day in one of the ways that cameras stamp it."""
    cuts = ((0, 4, 6), (4, 2, 0), (4, 0, 2))  # where year, month and day begin
    return len(digits) == 8 and any(
        int(digits[year : year + 4]) in YEARS
        and 1 <= int(digits[month : month + 2]) <= 12
        and 1 <= int(digits[day : day + 2]) <= 31
        for year, month, day in cuts
    )


@dataclass(frozen=True, slots=True)
class Prior:
    """What a picture says of the place before its text is read: the factor of each code named, and
    that of all others. Made by `Grammar.prior`, which keeps the sum over all places as it was."""

    factors: Mapping[str, float]
    other: float

    def of(self, code: str) -> float:
        return self.factors.get(code, self.other)


EVEN: Final = Prior({}, 1.0)


@dataclass(frozen=True, slots=True)
class _Match:
    """What a set of patterns has in common: weight by code, and per position what they allow."""

    weights: Mapping[str, float]
    total: float
    allowed: tuple[frozenset[str], ...]


class Grammar:
    """The syntaxes of the world as one automaton, weighted by where the camera stands.

    A set of patterns is an int with one bit per pattern, so that following a text through all of
    them at once is one `&` per character.
    """

    def __init__(self, regions: Sequence[str] = (), *, strict: bool = False) -> None:
        """`regions`: codes or groups expected here; empty: anywhere. `strict`: no other syntax
        counts (texts that fit none are still read, freely). Raises SyntaxFileError."""
        book = load_book()
        expected = book.codes(regions)
        self._patterns: list[Pattern] = []
        self._codes: list[str] = []
        shares: list[float] = []
        for syntax in book.syntaxes:
            if strict and expected and syntax.code not in expected:
                continue
            share = book.weight(syntax) * (SOFT_FACTOR if syntax.code in expected else 1.0)
            for pattern in syntax.patterns:
                self._patterns.append(pattern)
                self._codes.append(syntax.code)
                shares.append(share / len(syntax.patterns))
        total = sum(shares)
        self._shares: dict[str, float] = {}
        self._weights: list[float] = []
        for code, pattern, share in zip(self._codes, self._patterns, shares, strict=True):
            self._shares[code] = self._shares.get(code, 0.0) + share / total
            chance = math.prod(len(LATIN) / len(allowed) for allowed in pattern)
            self._weights.append((1 - FREE_SHARE) * share / total * chance)
        self._matches: dict[int, _Match] = {}
        self._unions: dict[frozenset[str], frozenset[str]] = {}  # equal ones are kept once

    @property
    def every(self) -> int:
        """The set of all patterns: where each text starts."""
        return (1 << len(self._patterns)) - 1

    @cached_property
    def _by_position(self) -> list[dict[str, int]]:
        table: list[dict[str, int]] = [dict.fromkeys(ALPHABET, 0) for _ in range(MAX_LENGTH)]
        for number, pattern in enumerate(self._patterns):
            for position, allowed in enumerate(pattern):
                for char in allowed:
                    table[position][char] |= 1 << number
        return table

    @cached_property
    def _by_length(self) -> dict[int, int]:
        table = dict.fromkeys(range(MAX_LENGTH + 1), 0)
        for number, pattern in enumerate(self._patterns):
            table[len(pattern)] |= 1 << number
        return table

    def follow(self, alive: int, position: int, char: str) -> int:
        """The patterns among `alive` that allow `char` at `position`."""
        if position >= MAX_LENGTH:
            return 0
        return alive & self._by_position[position][char]

    def fitting(self, text: str) -> int:
        """The set of patterns the whole text fits."""
        alive = self._by_length.get(len(text), 0)
        for position, char in enumerate(text):
            if not alive:
                return 0
            alive &= self._by_position[position][char]
        return alive

    def prior(self, regions: Mapping[str, float]) -> Prior:
        """A reader's probabilities by region code → factors for the places of this grammar. Codes
        without a syntax here (an unlisted country, or one that `strict` left out) say nothing."""
        named = {code: p for code, p in regions.items() if code in self._shares}
        if not named:
            return EVEN
        factors = {
            code: ((p + REGION_FLOOR) / REGION_FLOOR) ** REGION_WEIGHT for code, p in named.items()
        }
        mean = 1.0 + sum(self._shares[code] * (factor - 1.0) for code, factor in factors.items())
        return Prior({code: factor / mean for code, factor in factors.items()}, 1.0 / mean)

    def fit(self, text: str, prior: Prior = EVEN) -> Fit:
        """How a text of `ALPHABET` sits in this grammar."""
        match = self._match(self.fitting(text), len(text))
        shares = {code: weight * prior.of(code) for code, weight in match.weights.items()}
        likely = math.log(sum(shares.values()) + _free(text))
        odds = likely - len(text) * math.log(len(LATIN)) - log_street(text)
        return Fit(bonus=self.bonus(text, prior), odds=odds, shares=shares, allowed=match.allowed)

    def bonus(self, text: str, prior: Prior = EVEN) -> float:
        """`Fit.bonus` alone, which a search asks of many texts."""
        match = self._match(self.fitting(text), len(text))
        free = _free(text) * _shape(text)
        if not match.weights:
            return math.log(free)
        share = prior.other * match.total
        for code, factor in prior.factors.items():
            share += (factor - prior.other) * match.weights.get(code, 0.0)
        return math.log(share + free)

    def allowed(self, text: str) -> tuple[frozenset[str], ...]:
        """`Fit.allowed` alone."""
        return self._match(self.fitting(text), len(text)).allowed

    def _match(self, fitting: int, length: int) -> _Match:
        """Kept for each set of patterns: texts are countless, sets some thousands."""
        known = self._matches.get(fitting)
        if known is not None:
            return known
        numbers = [n for n in range(fitting.bit_length()) if fitting >> n & 1]
        weights: dict[str, float] = {}
        for number in numbers:
            code = self._codes[number]
            weights[code] = weights.get(code, 0.0) + self._weights[number]
        unions = [
            frozenset().union(*(self._patterns[number][position] for number in numbers))
            for position in range(length if numbers else 0)
        ]
        allowed = tuple(self._unions.setdefault(union, union) for union in unions)
        if len(self._matches) == _MOST_MATCHES:
            self._matches.clear()
        match = self._matches[fitting] = _Match(weights, sum(weights.values()), allowed)
        return match


def _free(text: str) -> float:
    """Share of plates that are free texts of such a length."""
    share = FREE_SHARE if len(text) in FREE_LENGTHS else _ODD_LENGTH_SHARE
    return share if text.isascii() else share * _STRAY_PROVINCE


def _shape(text: str) -> float:
    """How many times likelier a free text is for where its letters and digits stand than were each
    of its characters equally likely. Digits alone are as likely as chance: house numbers, dates."""
    return _shape_of("".join("9" if char in DIGITS else "L" for char in text))


@lru_cache(maxsize=4096)
def _shape_of(kinds: str) -> float:
    changes = sum(one != other for one, other in pairwise(kinds))
    digits = kinds.count("9")
    if digits == len(kinds):
        return 1.0
    ways = 2 * math.comb(len(kinds) - 1, changes) if changes else 1
    chance = (len(LATIN) / len(LETTERS)) ** (len(kinds) - digits)
    chance *= (len(LATIN) / len(DIGITS)) ** digits
    return min(_MOST_LIKELY, FREE_CHANGES[min(changes, len(FREE_CHANGES) - 1)] / ways * chance)


def best_region(
    shares: Mapping[str, float], *, least: float = 0.8, total: float | None = None
) -> str | None:
    """The place that holds at least this share of the probability (of `total`, else of the sum),
    the state before the country; None where the text could as well come from elsewhere."""
    if total is None:
        total = sum(shares.values())
    countries: dict[str, float] = {}
    for code, share in shares.items():
        country = code.partition("-")[0]
        countries[country] = countries.get(country, 0.0) + share
    for places in (shares, countries):
        best = max(places, key=places.__getitem__, default=None)
        if best is not None and places[best] >= least * total:
            return best
    return None


@lru_cache(maxsize=64)
def grammar_for(regions: tuple[str, ...] = (), strict: bool = False) -> Grammar:
    """The compiled grammar, kept: sites are few and compiling takes about 10 ms."""
    return Grammar(regions, strict=strict)
