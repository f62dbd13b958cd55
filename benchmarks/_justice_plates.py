"""Plates for the simulator: well-formed texts of a few countries, their neighbours, and typing."""

from __future__ import annotations

from functools import cache
from random import Random
from string import ascii_uppercase, digits
from typing import Final

from core.platetext import CLASSES

_GB_AREA: Final = "ABCDEFGHKLMNOPRSVWY"
_GB_LETTERS: Final = "ABCDEFGHJKLMNOPRSTUVWXYZ"
_CZ_REGIONS: Final = "ABCEHJKLMPSTUZ"
_CZ_SERIES: Final = "0123456789ABCDEFHIJKLMNPRSTUVXYZ"
_ANY: Final = ascii_uppercase

FORMS: Final[dict[str, tuple[str, ...]]] = {
    "GB": (_GB_AREA, _GB_LETTERS[:-1], "01256", digits, *(_GB_LETTERS,) * 3),
    "CZ": ("123456789", _CZ_REGIONS, _CZ_SERIES, *(digits,) * 4),
    "SK": (
        "BKNTZP",
        "ABCEKLMNPRSTV",
        *(digits,) * 3,
        *(_ANY.replace("Q", "").replace("W", ""),) * 2,
    ),
    "AT": ("WLGSBKT", "BELNDUR", "123456789", *(digits,) * 3, *(_ANY.replace("Q", ""),) * 2),
    "HU": (*(_ANY,) * 4, *(digits,) * 3),
    "DE": ("BFHKMS", "ABELN", _ANY, "123456789", *(digits,) * 3),
    "PL": ("WKGPDS", _ANY, *(digits,) * 5),
}
"""The characters at each place of a country's commonest series (enforcement/rights/syntax.py holds
all of them; a test sees that these fit)."""

ELECTRIC: Final = ("E", "L", *(digits,) * 3, *("ABCDEFHIJKLMNPRSTUVXYZ",) * 2)
"""The Czech series of electric and hydrogen vehicles."""


def plate(rng: Random, country: str) -> str:
    """A text of the country's series."""
    return "".join(map(rng.choice, FORMS[country]))


def electric(rng: Random) -> str:
    """A text of the Czech electric series."""
    return "".join(map(rng.choice, ELECTRIC))


def fleet_mate(rng: Random, text: str, country: str) -> str:
    """Another vehicle's plate, one character from this one, as fleets carry them."""
    form = FORMS[country]
    while True:
        place = len(text) - 1 - rng.randrange(2)
        other = rng.choice(form[place])
        if other != text[place]:
            return text[:place] + other + text[place + 1 :]


@cache
def twins(char: str) -> str:
    """The other characters of its OCR class, "" where it is in none."""
    return next((group.replace(char, "") for group in CLASSES if char in group), "")


def mistyped(rng: Random, text: str, slips: int) -> str:
    """The text with that many slips of a person typing: a wrong key, one left out, one twice, two
    swapped, or a look-alike (O for 0)."""
    typed = text
    for _ in range(slips):
        typed = _slip(rng, typed)
    return typed if typed != text else mistyped(rng, text, slips)


def _slip(rng: Random, text: str) -> str:
    place = rng.randrange(len(text))
    kind = rng.random()
    char = text[place]
    if kind < 0.45:
        near = digits if char.isdigit() else ascii_uppercase
        return text[:place] + rng.choice(near.replace(char, "")) + text[place + 1 :]
    if kind < 0.65 and place + 1 < len(text):
        return text[:place] + text[place + 1] + char + text[place + 2 :]
    if kind < 0.78:
        return text[:place] + text[place + 1 :]
    if kind < 0.88:
        return text[:place] + char + text[place:]
    alike = [at for at, one in enumerate(text) if twins(one)]
    if not alike:
        return text[:place] + text[place + 1 :]
    place = rng.choice(alike)
    return text[:place] + rng.choice(twins(text[place])) + text[place + 1 :]


def look_alike(rng: Random, text: str) -> str:
    """The text with one character taken for its twin (O for 0); unchanged where it has none."""
    alike = [at for at, one in enumerate(text) if twins(one)]
    if not alike:
        return text
    place = rng.choice(alike)
    return text[:place] + rng.choice(twins(text[place])) + text[place + 1 :]
