"""The simulated reader: a true plate in, what our reader would say of its frames out.

Every figure comes from `reader_errors.json` (`_justice_measure` says how it was made). A reading is
wrong as often as on real pictures. Of wrong readings, the measured part repeats itself in every
frame of the passage, because light or dirt mislead the reader; of that, the part `correlation`
repeats itself with the very same text at every gate the vehicle ever passes, because its plate
does. The rest belongs to single frames. So at `correlation` 1 no second camera ever helps.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any, Final, Generic, TypeVar

from benchmarks._justice_measure import TABLE
from benchmarks._justice_plates import FORMS, twins
from enforcement.rights.syntax import breaks_syntax
from inference.voting import Seen

FRAMES: Final = ((1, 0.2), (2, 0.3), (3, 0.3), (4, 0.2))
"""Frames of a passage and how often it has so many: snapshots and short films."""

_ONE_SLIP: Final = ("other", "missing", "extra", "swap")

T = TypeVar("T")


class Dice(Generic[T]):
    """Draws one of some values by weight."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self.values = list(weights)
        self.steps = list(accumulate(weights.values()))

    def draw(self, rng: Random) -> T:
        return self.values[bisect(self.steps, rng.random() * self.steps[-1])]


@dataclass(frozen=True, slots=True)
class Quirk:
    """What misleads the reader about a vehicle, or for a passage: `text` is what is read instead,
    "" nothing; the rest is as in the table's rows."""

    text: str
    score: float = 0.0
    own: float = 0.0
    named: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What a passage looks like to the reader: its frames that were read, and the country named
    ("" where none)."""

    frames: tuple[Seen, ...]
    country: str


def load_table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


SORTS: Final = ("unread", "twin", "rest")
"""What may go wrong: no reading at all, a character taken for its OCR twin, and all else. They
differ in how far they repeat themselves."""


class Reader:
    """`correlation` as above, 0 to 1, None for what was measured of each sort; `scale` multiplies
    the rate of everything that goes wrong, 0 for a reader without errors; `europe` takes the rates
    of the European pictures alone."""

    def __init__(
        self,
        table: Mapping[str, Any],
        *,
        correlation: float | None = None,
        scale: float = 1.0,
        europe: bool = False,
    ) -> None:
        real, drawn = table["real"], table["drawn"]
        rates = {
            "unread": real["unread"] / real["pictures"],
            "twin": real["twins"] / real["readings"],
            "rest": (real["wrong"] - real["twins"]) / real["readings"],
        }
        if europe:
            few = real["europe"]
            rates = {"unread": few["unread"], "twin": few["twins"], "rest": 0}
            rates = {sort: rate / few["pictures"] for sort, rate in rates.items()}
        self.rates = {sort: scale * rate for sort, rate in rates.items()}
        """A frame's chance of each sort."""
        frames, gates = drawn["together"]["frames"], drawn["together"]["gates"]
        self.frames_alike = {sort: frames[sort]["alike"] / frames[sort]["seen"] for sort in SORTS}
        measured = {sort: one["alike"] / one["seen"] for sort, one in gates.items()}
        measured["unread"] = measured["rest"]
        self.correlation = {
            sort: measured[sort] if correlation is None else correlation for sort in SORTS
        }
        self._kinds = {
            country: Dice({kind: float(n) for kind, n in slips.items() if kind != "twin"})
            for country, slips in drawn["slips"].items()
        }
        self._costs = Dice({int(slip): float(n) for slip, n in drawn["costs_of_more"].items()})
        self._confused = {
            true: Dice({char: float(n) for char, n in read.items()})
            for true, read in drawn["confusions"].items()
        }
        self._right = _Rows(real["bins"], "right", drawn["right_readings"])
        self._wrong = {
            kind: _Rows(real["bins"], "wrong", rows)
            for kind, rows in drawn["wrong_readings"].items()
        }
        self._frames = Dice(dict(FRAMES))
        countries = [row[3] for row in drawn["right_readings"]]
        self._countries = Dice(
            {one: float(countries.count(one)) for one in ("right", "none", "wrong")}
        )

    def quirk(self, rng: Random, plate: str, country: str) -> Quirk | None:
        """What about this vehicle's plate misleads the reader wherever it goes; mostly nothing."""
        return self._cause(rng, plate, country, self.correlation)

    def look(self, rng: Random, plate: str, country: str, quirk: Quirk | None) -> Sight:
        """One passage of the vehicle, read."""
        named = self._country(rng, country)
        count = self._frames.draw(rng)
        here = {sort: 1.0 - share for sort, share in self.correlation.items()}
        cause = quirk or self._cause(rng, plate, country, here)
        if cause is not None:
            frames = [self._as_told(rng, plate, cause) for _ in range(count)]
        else:
            frames = [self._frame(rng, plate, country) for _ in range(count)]
        return Sight(tuple(one for one in frames if one is not None), named)

    def _country(self, rng: Random, country: str) -> str:
        match self._countries.draw(rng):
            case "right":
                return country
            case "none":
                return ""
        return rng.choice([one for one in FORMS if one != country])

    def _cause(
        self, rng: Random, plate: str, country: str, shares: Mapping[str, float]
    ) -> Quirk | None:
        """A cause that all frames share. `shares`: how much of such causes is of this place."""
        chance = rng.random()
        for sort in SORTS:
            chance -= self.rates[sort] * self.frames_alike[sort] * shares[sort]
            if chance < 0:
                return self._wrong_as(rng, plate, country, sort)
        return None

    def _wrong_as(self, rng: Random, plate: str, country: str, sort: str) -> Quirk | None:
        if sort == "unread":
            return Quirk("")
        kind = "twin" if sort == "twin" else self._kinds[country].draw(rng)
        return self._slip(rng, plate, country, kind)

    def _frame(self, rng: Random, plate: str, country: str) -> Seen | None:
        """A frame that nothing misleads but chance."""
        chance = rng.random()
        for sort in SORTS:
            chance -= self.rates[sort] * (1.0 - self.frames_alike[sort])
            if chance < 0:
                slip = self._wrong_as(rng, plate, country, sort)
                if slip is not None:
                    return self._as_told(rng, plate, slip)
                break
        score, weakest, others, _ = self._right.draw(rng)
        at = rng.randrange(len(plate))
        chars = (0.999,) * at + (weakest,) + (0.999,) * (len(plate) - at - 1)
        named = tuple(
            (self._one_slip(rng, plate, "twin").text, round(score * rng.uniform(0.02, 0.3), 4))
            for _ in range(others)
        )
        return Seen(plate, score, chars, ((plate, score), *named))

    def _as_told(self, rng: Random, plate: str, cause: Quirk) -> Seen | None:
        if not cause.text:
            return None
        score = min(0.999, max(0.05, cause.score + rng.uniform(-0.01, 0.01)))
        text = cause.text
        at = min(cause.place, len(text) - 1)
        chars = (0.999,) * at + (cause.own,) + (0.999,) * (len(text) - at - 1)
        named = ((plate, round(score * rng.uniform(0.1, 0.9), 4)),) if cause.named else ()
        return Seen(text, score, chars, ((text, score), *named))

    def _slip(self, rng: Random, plate: str, country: str, kind: str) -> Quirk | None:
        """A misreading of the kind; None where the plate leaves no place for one."""
        score, own, named, _ = self._wrong[kind].draw(rng)
        made = Quirk(plate)
        if kind == "twin":
            place = self._twin_place(rng, plate, country)
            if place is None:
                return None
            made = self._one_slip(rng, plate, kind, place)
        elif kind == "more":
            cost = self._costs.draw(rng)
            for _ in range(max(2, cost)):
                made = self._one_slip(rng, made.text, rng.choice(_ONE_SLIP) if cost else "twin")
        else:
            made = self._one_slip(rng, plate, kind)
        if made.text == plate:
            return None
        return Quirk(made.text, score, own, named, made.place)

    def _twin_place(self, rng: Random, plate: str, country: str) -> int | None:
        """Where a twin could stand: the reader knows how plates are written, and takes O for 0 only
        where both would do. More often where it was seen to."""
        weights = {}
        for at, char in enumerate(plate):
            if any(
                not breaks_syntax(plate[:at] + twin + plate[at + 1 :], country)
                for twin in twins(char)
            ):
                seen = self._confused.get(char)
                weights[at] = 1.0 + (seen.steps[-1] if seen is not None else 0.0)
        return Dice(weights).draw(rng) if weights else None

    def _one_slip(self, rng: Random, plate: str, kind: str, place: int | None = None) -> Quirk:
        """The plate with one slip of a kind (a twin at `place`); of another kind where the plate
        has no place for it."""
        if kind == "missing":
            place = rng.randrange(len(plate))
            return Quirk(plate[:place] + plate[place + 1 :], place=place)
        if kind == "extra":
            place = rng.randrange(len(plate) + 1)
            return Quirk(plate[:place] + rng.choice("1I8J") + plate[place:], place=place)
        if kind == "swap":
            places = [at for at in range(len(plate) - 1) if plate[at] != plate[at + 1]]
            if places:
                at = rng.choice(places)
                swapped = plate[:at] + plate[at + 1] + plate[at] + plate[at + 2 :]
                return Quirk(swapped, place=at)
        if kind == "twin":
            places = [at for at, char in enumerate(plate) if twins(char)]
            if places:
                at = rng.choice(places) if place is None else place
                alike = twins(plate[at])
                other = self._read_as(rng, plate[at], alike) or rng.choice(alike)
                return Quirk(plate[:at] + other + plate[at + 1 :], place=at)
        at = rng.randrange(len(plate))
        unlike = "".join(
            char for char in "ABCDEFGHJKLMNPRSTUVWXYZ0123456789" if char not in twins(plate[at])
        ).replace(plate[at], "")
        other = self._read_as(rng, plate[at], unlike) or rng.choice(unlike)
        return Quirk(plate[:at] + other + plate[at + 1 :], place=at)

    def _read_as(self, rng: Random, char: str, among: str) -> str | None:
        """What the character was seen to be read as, of `among`; None where nothing was."""
        dice = self._confused.get(char)
        if dice is None:
            return None
        drawn = dice.draw(rng)
        return drawn if drawn in among else None


class _Rows:
    """Sampled readings of one sort, by how sure the reader is of such ones on real pictures."""

    def __init__(self, bins: Sequence[Mapping[str, Any]], sort: str, rows: Sequence[Any]) -> None:
        self._by_bin: dict[int, list[Any]] = {}
        for number, one in enumerate(bins):
            high = one["high"] + (1e-9 if one["high"] >= 1 else 0)
            self._by_bin[number] = [row for row in rows if one["low"] <= row[0] < high]
        self._bins = list(bins)
        self._all = list(rows)
        self._dice = Dice({number: float(one[sort]) for number, one in enumerate(bins)})

    def draw(self, rng: Random) -> tuple[Any, Any, Any, Any]:
        number = self._dice.draw(rng)
        rows = self._by_bin[number]
        if rows:
            score, second, third, fourth = rng.choice(rows)
        else:  # no drawn reading was that sure or unsure: another's, with such a score
            _, second, third, fourth = rng.choice(self._all)
            score = round(rng.uniform(self._bins[number]["low"], self._bins[number]["high"]), 3)
        return score, second, third, fourth
