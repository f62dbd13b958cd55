"""The matcher: how far two plate texts lie apart, and what a plate may be excused or accused by.

Two purposes, opposite strictness (domain-rules.md, 4). *Excusing* is tolerant, because a paid
driver must not be charged for a camera's or a keypad's slip: widely where rights are few (`Few`),
hardly at all against a registry (`Registry`), where a neighbour one edit away nearly always
exists. *Accusing* is strict, because a wrong person must not be accused (`accuse`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from core.platetext import ocr_class

from .facts import Reading, Right, countries_agree
from .outcomes import Certainty
from .syntax import breaks_syntax

FAR = 3
"""The cost from which a text is no candidate; costs are not counted beyond it."""


def cost(one: str, other: str, extra: Sequence[str] = ()) -> int:
    """Slips between two canonical texts, 0 to `FAR`; symmetric.

    Optimal string alignment over the characters' OCR classes (`extra` adds a site's own): a wrong,
    missing or extra character costs 1, a swap of neighbours 1, a character of the same class 0.
    """
    return _alignment(ocr_class(one, extra), ocr_class(other, extra))


def _alignment(a: str, b: str) -> int:
    # Most pairs are strangers, and each of these costs at least one slip a character.
    if abs(len(a) - len(b)) >= FAR or len(set(a) - set(b)) >= FAR:
        return FAR
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, above = above, row
    return min(above[-1], FAR)


def shortened(text: str, extra: Sequence[str] = ()) -> set[str]:
    """The text's OCR class and all that is left of it without one or two characters.

    Two texts less than `FAR` slips apart (a wrong, missing, extra or swapped character) share at
    least one of these, so what is near can be looked up by equality: some 29 of a plate of seven.
    """
    found = last = {ocr_class(text, extra)}
    for _ in range(FAR - 1):
        last = {one[:place] + one[place + 1 :] for one in last for place in range(len(one))}
        found = found | last
    return found


def accuse(
    reading: Reading, text: str, country: str | None, *, floor: float, classes: Sequence[str] = ()
) -> Certainty | None:
    """How certainly a reading is the plate that a watchlist names; None where it is not.

    `exact` asks for the very same text, the same known country on both sides and a reading at or
    above `floor` whose frames agreed; anything weaker that is OCR-equivalent is `possible`, and
    `possible` is never confirmed by a machine.
    """
    if ocr_class(reading.text, classes) != ocr_class(text, classes):
        return None
    certain = (
        reading.text == text
        and reading.country is not None
        and reading.country == country
        and reading.confidence >= floor
        and reading.agreed
    )
    return Certainty.EXACT if certain else Certainty.POSSIBLE


@dataclass(frozen=True, slots=True)
class Match:
    """A right whose text is the reading's or near it. `plate` is the right's own text."""

    right: Right
    plate: str = field(repr=False)
    cost: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Few:
    """What few rights, bound to a site and overlapping a stay, have to say about a vehicle.

    `candidates[n]` are the rights at cost n (0, 1, 2) that are not exact. `other_country` has the
    vehicle's very text, but is for a plate of another country.
    """

    exact: tuple[Match, ...]
    candidates: tuple[tuple[Match, ...], tuple[Match, ...], tuple[Match, ...]]
    other_country: tuple[Match, ...]


def two_countries(found: Iterable[Match]) -> bool:
    """True where the rights name plates of more than one country."""
    return len({match.right.country for match in found} - {None}) > 1


def several(found: Sequence[Match]) -> bool:
    """True where the rights name more than one vehicle: several rights of one text are one."""
    return len({match.plate for match in found}) > 1 or two_countries(found)


def matches(readings: Sequence[Reading], right: Right, classes: Sequence[str] = ()) -> list[Match]:
    """The matches of any reading with the right's plates below cost `FAR`, nearest first.

    Country is not looked at. An exact match stands alone: nothing else about the right matters.
    """
    near = []
    for plate in right.plates:
        if any(reading.text == plate for reading in readings):
            return [Match(right, plate, 0, exact=True)]
        lowest = min(cost(reading.text, plate, classes) for reading in readings)
        if lowest < FAR:
            near.append(Match(right, plate, lowest, exact=False))
    return sorted(near, key=lambda match: match.cost)


def excuse_few(found: Iterable[Match], country: str | None) -> Few:
    """Sort the matches of rights that overlap a stay (and are not used up) into what they mean.

    `country` is the vehicle's, None where unknown: an unknown country never stands in the way.
    """
    exact: list[Match] = []
    elsewhere: list[Match] = []
    tiers: tuple[list[Match], list[Match], list[Match]] = ([], [], [])
    for match in found:
        agrees = countries_agree(match.right.country, country)
        if match.exact:
            (exact if agrees else elsewhere).append(match)
        elif agrees:
            tiers[match.cost].append(match)
    slips = (tuple(tiers[0]), tuple(tiers[1]), tuple(tiers[2]))
    return Few(tuple(exact), slips, tuple(elsewhere))


@dataclass(frozen=True, slots=True)
class Registry:
    """What a registry of many rights has to say about one read.

    `exact` covers it. `excusing` is OCR-equivalent and excuses; `named` is near and among the
    reader's own candidates; `near` is near and proves nothing. `other_country`,
    `other_category` and `other_scope` have the very text; `ended` and `not_started` fit in all
    but time.
    """

    exact: tuple[Match, ...] = ()
    excusing: tuple[Match, ...] = ()
    named: tuple[Match, ...] = ()
    near: tuple[Match, ...] = ()
    other_country: tuple[Match, ...] = ()
    other_category: tuple[Match, ...] = ()
    other_scope: tuple[Match, ...] = ()
    ended: tuple[Match, ...] = ()
    not_started: tuple[Match, ...] = ()


def excuse_registry(
    reading: Reading,
    rights: Iterable[Right],
    *,
    position: Callable[[Right], int],
    same_category: Callable[[str], bool],
    scope: str | None,
    floor: float,
    classes: Sequence[str] = (),
) -> Registry:
    """Sort a registry's rights by what they mean for one read.

    `position` says whether a right covers the read in time: 0 it does, -1 it had ended before,
    1 it begins later. `same_category` says whether a right's category is the vehicle's (not asked
    of a right for any). `scope` is the part of the network where the vehicle was seen. `floor` is
    the score below which the reader counts as unsure of a character.
    """
    sorted_: dict[str, list[Match]] = {}
    for right in rights:
        for match in matches((reading,), right, classes)[:1]:
            category = right.category is None or same_category(right.category)
            place = _place(reading, match, position(right), category, scope, floor)
            if place is not None:
                sorted_.setdefault(place, []).append(match)
    return Registry(**{place: tuple(found) for place, found in sorted_.items()})


def _place(
    reading: Reading,
    match: Match,
    position: int,
    same_category: bool,
    scope: str | None,
    floor: float,
) -> str | None:
    right = match.right
    same_country = countries_agree(right.country, reading.country)
    same_scope = right.scope in (None, scope)
    if not match.exact:
        if position != 0 or not (same_country and same_category and same_scope):
            return None
        if match.cost == 0 and (
            breaks_syntax(match.plate, right.country) or _unsure(reading, match.plate, floor)
        ):
            return "excusing"
        return "named" if match.plate in reading.candidates else "near"
    if position != 0:
        fits = same_country and same_category and same_scope
        return ("ended" if position < 0 else "not_started") if fits else None
    if not same_country:
        return "other_country"
    if not same_scope:
        return "other_scope"
    return "exact" if same_category else "other_category"


def _unsure(reading: Reading, plate: str, floor: float) -> bool:
    """True where the reader was unsure of every character in which it differs from `plate`.

    Both texts are OCR-equivalent, so they have the same length.
    """
    if len(reading.char_scores) != len(reading.text):
        return False
    return all(
        score < floor
        for read, written, score in zip(reading.text, plate, reading.char_scores, strict=True)
        if read != written
    )
