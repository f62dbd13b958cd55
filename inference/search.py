"""The texts that may stand behind a reader's emissions, each with its probability.

One search keeps the likeliest beginnings of any text and beside them those that some syntax still
allows. Most plates are clear: each step of the network is sure of one character, and the text fits
a syntax. For those the texts that differ in one character are all there is to weigh, and no search
is run (`_clear`); both ways agree (a test holds it) and the first takes a tenth of the time.
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.results import ALPHABET, LATIN, Emissions
from inference.syntaxes import Grammar

BEAM: Final = 10
NEGLIGIBLE: Final = 5e-4
HOPELESS: Final = 1e-4
"""Probability of a beginning, the best one's being 1, from which no syntax brings it back."""
QUIET: Final = 0.998
"""Blank from which a step says nothing: a run of them separates characters, once."""
CLEAR: Final = 0.95
"""Share of one symbol from which a step is clear."""

# How often a reader takes the one for the other without showing it. Only the order of magnitude
# matters: it keeps a twin alive in the search that the reader ruled out too surely.
_TWINS: Final = {
    0.02: ("O0", "OQ", "0Q", "OD", "0D", "I1", "Z2", "S5", "B8"),
    0.002: ("IL", "1L", "G6", "Z7", "T7", "17", "A4"),
}
# A mark that is no character (an emblem, a sticker, a screw) read as one.
_STRAY: Final = 0.001

COLUMN: Final = {char: column for column, char in enumerate(ALPHABET, start=1)}


def _confusion() -> NDArray[np.float64]:
    mix = np.eye(len(ALPHABET) + 1)
    for rate, pairs in _TWINS.items():
        for pair in pairs:
            i, j = (COLUMN[char] for char in pair)
            mix[i, j] = mix[j, i] = rate
    mix[1 : 1 + len(LATIN), 0] = _STRAY
    mix /= mix.sum(axis=1, keepdims=True)
    return mix


CONFUSION: Final = _confusion()


class Path(NamedTuple):
    """How a text was found: log P(text | emissions), and the step where each character stands."""

    log_p: float
    steps: tuple[int, ...]


def search(emissions: Emissions, grammar: Grammar) -> dict[str, Path]:
    """The texts worth weighing: each with its path, steps counted in `emissions`."""
    kept = condense(emissions)
    rows = emissions[kept]
    softened = rows.astype(np.float64) @ CONFUSION
    found = _clear(rows, softened, grammar) or beam_search(softened, grammar)
    return {
        text: Path(path.log_p, tuple([kept[step] for step in path.steps]))
        for text, path in found.items()
    }


def condense(emissions: Emissions) -> list[int]:
    """The steps that say something: of a run of quiet ones the first, of a run that is clearly one
    and the same character the clearest. What is left is a fifth of a plate reader's 80 steps.

    It also makes a confusion count once for each character and not for each of its steps.
    """
    tops, shares = emissions.argmax(axis=1).tolist(), emissions.max(axis=1).tolist()
    kept: list[int] = []
    before = -1  # the symbol of the run the step before belongs to; none where that was unsure
    for step, (top, share) in enumerate(zip(tops, shares, strict=True)):
        if share <= (CLEAR if top else QUIET):
            kept.append(step)
            before = -1
        elif top != before:
            kept.append(step)
            before = top
        elif share > shares[kept[-1]]:
            kept[-1] = step
    return kept


def _clear(
    emissions: Emissions, softened: NDArray[np.float64], grammar: Grammar
) -> dict[str, Path] | None:
    """The text and those that differ from it in one character, where every step is clear and the
    text fits a syntax; else None: that takes a search."""
    if emissions.max(axis=1).min() < CLEAR:
        return None
    top = emissions.argmax(axis=1)
    columns = top.tolist()
    places = tuple(
        step
        for step, column in enumerate(columns)
        if column and (step == 0 or column != columns[step - 1])
    )
    text = "".join([ALPHABET[columns[step] - 1] for step in places])
    if not grammar.fitting(text):
        return None
    whole = float(np.log(softened[np.arange(len(top)), top]).sum())
    found = {text: Path(whole, places)}
    rows = softened[list(places)]
    for position, column in np.argwhere(rows > NEGLIGIBLE).tolist():
        usual = columns[places[position]]
        if column == usual:
            continue
        log_p = whole - math.log(rows[position, usual]) + math.log(rows[position, column])
        before, after = text[:position], text[position + 1 :]
        if column:
            other = f"{before}{ALPHABET[column - 1]}{after}"
            path = Path(log_p, places)
        else:
            other = before + after
            path = Path(log_p, places[:position] + places[position + 1 :])
        # Either of two equal neighbours may be the one that was never there.
        known = found.get(other)
        found[other] = path._replace(log_p=np.logaddexp(known.log_p, log_p)) if known else path
    return found


_Beam = tuple[float, float, float, str, int, int, tuple[int, ...]]
"""One beginning: its probability, how much of it ends in a blank and how much in its last
character; its text and that character's column (0: none); the patterns that still allow it; the
step where each character is clearest."""


def beam_search(
    emissions: NDArray[np.float64], grammar: Grammar, beam: int = BEAM
) -> dict[str, Path]:
    """CTC prefix beam search (Hannun 2014): the best `beam` texts of any kind, and the best `beam`
    that fit one of the grammar's syntaxes as a whole. `emissions`: [steps, 68]."""
    # Probabilities are scaled each step so that the best is 1, the scale kept in `log_scale`.
    beams: list[_Beam] = [(1.0, 1.0, 0.0, "", 0, grammar.every, ())]
    log_scale = 0.0
    values = emissions.tolist()
    for step, seen in enumerate(_seen(emissions)):
        stay, longer = _stay(beams, values, step)
        # What comes behind the last that is kept needs not be made.
        least = _nth([one[0] for one in stay], beam)
        least_fitting = _nth([one[0] for one in stay if one[5]], beam)
        for number, (total, p_blank, _, text, last, alive, steps) in enumerate(beams):
            if not seen:
                break
            floor = least_fitting if alive else least
            known = longer.get(number, ())
            for share, column, char in seen:
                if total * share < floor:
                    break
                p = (p_blank if column == last else total) * share
                if p < floor or column in known:
                    continue
                left = grammar.follow(alive, len(text), char) if alive else 0
                if left or p >= least:
                    stay.append((p, 0.0, p, text + char, column, left, (*steps, step)))
        stay.sort(key=_PROBABILITY, reverse=True)
        scale = stay[0][0]
        log_scale += math.log(scale)
        best = stay[:beam]
        room = beam - sum(1 for one in best if one[5])
        best += [one for one in stay[beam:] if one[5]][:room]
        beams = [
            (blank / scale + char / scale, blank / scale, char / scale, text, last, alive, steps)
            for _, blank, char, text, last, alive, steps in best
        ]
    return {
        text: Path(math.log(total) + log_scale, steps)
        for number, (total, _, _, text, _, _, steps) in enumerate(beams)
        if total > 0 and (number < beam or grammar.fitting(text))
    }


_PROBABILITY: Final = itemgetter(0)


def _seen(emissions: NDArray[np.float64]) -> list[list[tuple[float, int, str]]]:
    """Per step the characters that count, likeliest first: each its share, column and sign."""
    seen: list[list[tuple[float, int, str]]] = [[] for _ in emissions]
    steps, columns = np.nonzero(emissions > NEGLIGIBLE)
    shares = emissions[steps, columns].tolist()
    for step, column, share in zip(steps.tolist(), columns.tolist(), shares, strict=True):
        if column:
            seen[step].append((share, column, ALPHABET[column - 1]))
    for row in seen:
        row.sort(reverse=True)
    return seen


def _stay(
    beams: list[_Beam], values: list[list[float]], step: int
) -> tuple[list[_Beam], dict[int, set[int]]]:
    """The beginnings as one more step leaves them that adds no character, or the last one to a
    beginning that is among them too; and of which beams (by number) which columns those are."""
    row = values[step]
    numbers = {one[3]: number for number, one in enumerate(beams)}
    longer: dict[int, set[int]] = {}
    stay: list[_Beam] = []
    for total, _, p_char, text, last, alive, steps in beams:
        blank = total * row[0]
        if not last:
            stay.append((blank, blank, 0.0, text, last, alive, steps))
            continue
        here = row[last]
        char = p_char * here
        if here > values[steps[-1]][last]:
            steps = (*steps[:-1], step)
        parent = numbers.get(text[:-1])
        if parent is not None:
            longer.setdefault(parent, set()).add(last)
            before, before_blank, _, _, before_last, _, before_steps = beams[parent]
            if here > NEGLIGIBLE and before * here >= HOPELESS:
                p = (before_blank if before_last == last else before) * here
                if p > max(blank, char):  # of several ways the best says where it stands
                    steps = (*before_steps, step)
                char += p
        stay.append((blank + char, blank, char, text, last, alive, steps))
    return stay, longer


def _nth(probabilities: list[float], beam: int) -> float:
    """The `beam`-th best of them, or what no beginning may fall below."""
    if len(probabilities) < beam:
        return HOPELESS
    return max(HOPELESS, sorted(probabilities, reverse=True)[beam - 1])
