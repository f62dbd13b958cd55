"""From a reader's emissions to plate texts: CTC beam search weighed by the country syntaxes.

One search keeps the likeliest beginnings of any text and beside them those that some syntax still
allows. Their texts are then weighed together: log P(text | picture) + `GRAMMAR_WEIGHT` × the
grammar's bonus. So position decides between O and 0 where a syntax fits, and a vanity plate that
fits none still comes out as it was seen.

Most plates are clear: each step of the network is sure of one character, and the text fits a
syntax. For those the texts that differ in one character are all there is to weigh, and no search
is run (`_clear`); both ways agree (a test holds it) and the first takes a tenth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.lookalikes import CLASS_OF
from inference.results import ALPHABET, LATIN, Candidate, Emissions
from inference.syntaxes import MAX_LENGTH, MIN_LENGTH, Fit, Grammar, best_region

GRAMMAR_WEIGHT: Final = 0.3
BEAM: Final = 10
LISTED: Final = 0.001
"""Score from which another text is listed as a candidate: below, the reader never proposed it."""

NEGLIGIBLE: Final = 5e-4
HOPELESS: Final = 1e-4
"""Probability of a beginning, the best one's being 1, from which no syntax brings it back."""
QUIET: Final = 0.998
"""Blank from which a step says nothing: a run of them separates characters, once."""
CLEAR: Final = 0.95
"""Share of one symbol from which a step is clear."""
LEAST_CLEAR: Final = 4
"""Characters of a plate that can be clear without a syntax."""
SHOWN: Final = 0.85
"""Share of the probability from which a place is named, by syntax and region head together or, for
a text that fits no syntax, by the head alone: no name is better than a wrong one."""

# How often a reader takes the one for the other without showing it. Only the order of magnitude
# matters: it keeps a twin alive in the search that the reader ruled out too surely.
_TWINS: Final = {
    0.02: ("O0", "OQ", "0Q", "OD", "0D", "I1", "Z2", "S5", "B8"),
    0.002: ("IL", "1L", "G6", "Z7", "T7", "17", "A4"),
}
# A mark that is no character (an emblem, a sticker, a screw) read as one.
_STRAY: Final = 0.001

_COLUMN: Final = {char: column for column, char in enumerate(ALPHABET, start=1)}


def _confusion() -> NDArray[np.float64]:
    mix = np.eye(len(ALPHABET) + 1)
    for rate, pairs in _TWINS.items():
        for pair in pairs:
            i, j = (_COLUMN[char] for char in pair)
            mix[i, j] = mix[j, i] = rate
    mix[1 : 1 + len(LATIN), 0] = _STRAY
    mix /= mix.sum(axis=1, keepdims=True)
    return mix


_CONFUSION: Final = _confusion()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best text of one place and what it was weighed against.

    `odds`: see `Fit.odds`. `score`, `chars`, `candidates`, `region`: as in `Plate`.
    """

    text: str
    odds: float
    score: float
    chars: tuple[float, ...]
    region: str | None
    in_syntax: bool
    candidates: tuple[Candidate, ...]


class Path(NamedTuple):
    """How a text was found: log P(text | emissions), and the step where each character stands."""

    log_p: float
    steps: tuple[int, ...]


def scaled(decoded: Decoded, score: float) -> Decoded:
    """The same text with another score; its candidates keep their proportions to it."""
    share = score / decoded.score if decoded.score else 1.0
    candidates = tuple(
        Candidate(other.text, round(other.score * share, 4)) for other in decoded.candidates
    )
    return replace(decoded, score=round(score, 4), candidates=candidates)


def doubted(decoded: Decoded, most: float) -> Decoded:
    """The same text with a score of at most `most`; its candidates are scaled alike."""
    return decoded if decoded.score <= most else scaled(decoded, most)


def decode(
    readings: Sequence[Emissions],
    grammar: Grammar,
    *,
    regions: Mapping[str, float] | None = None,
    candidates: int = 5,
) -> Decoded | None:
    """The best plate text of one place, or None where no text of 2 to 12 characters stands there.

    `readings`: the same plate read once or several times, by one reader or two, each [steps, 68].
    Each reading shares out a probability of 1 among the texts it considers possible; the shares
    and the characters' scores are averaged, so that a text must convince most of the readings.
    `regions`: the reader's probabilities by region code, a prior for the grammar.
    """
    shown = regions or {}
    prior = grammar.prior(shown)
    fits: dict[str, Fit] = {}
    shares: dict[str, float] = {}
    paths: list[dict[str, Path]] = []
    for emissions in readings:
        found = search(emissions, grammar)
        for text in found:
            if text not in fits:
                fits[text] = grammar.fit(text, prior)
        weights = {
            text: path.log_p + GRAMMAR_WEIGHT * fits[text].bonus for text, path in found.items()
        }
        top = max(weights.values())
        total = sum(math.exp(weight - top) for weight in weights.values())
        for text, weight in weights.items():
            share = math.exp(weight - top) / total / len(readings)
            shares[text] = shares.get(text, 0.0) + share
        paths.append(found)
    ranked = sorted(shares, key=shares.__getitem__, reverse=True)
    if not MIN_LENGTH <= len(ranked[0]) <= MAX_LENGTH:
        return None
    scored = []
    for text in [text for text in ranked if MIN_LENGTH <= len(text) <= MAX_LENGTH][:candidates]:
        each = [
            character_scores(emissions, text, fits[text].allowed, found.get(text))
            for emissions, found in zip(readings, paths, strict=True)
        ]
        chars = tuple(round(sum(scores) / len(each), 4) for scores in zip(*each, strict=True))
        scored.append((round(shares[text] * min(chars), 4), text, chars))
    score, text, chars = scored[0]
    others = sorted((row for row in scored[1:] if row[0] >= LISTED), reverse=True)
    in_syntax = fits[text].in_syntax
    places = fits[text].shares if in_syntax else shown
    return Decoded(
        text=text,
        odds=fits[text].odds,
        score=score,
        chars=chars,
        region=best_region(places, least=SHOWN, total=None if in_syntax else 1.0),
        in_syntax=in_syntax,
        candidates=tuple(Candidate(text, score) for score, text, _ in [scored[0], *others]),
    )


def clearness(emissions: Emissions) -> float:
    """How clear a plate's characters are before anything is weighed: the product of their peaks,
    each character's where it is likeliest of all; 0 for fewer than a plate has."""
    top, share = emissions.argmax(axis=1), emissions.max(axis=1)
    starts = np.flatnonzero((top > 0) & (top != np.concatenate([[0], top[:-1]])))
    if not LEAST_CLEAR <= len(starts) <= MAX_LENGTH:
        return 0.0
    return float(np.prod(np.maximum.reduceat(np.where(top > 0, share, 0), starts)))


def search(emissions: Emissions, grammar: Grammar) -> dict[str, Path]:
    """The texts worth weighing: each with its path, steps counted in `emissions`."""
    kept = condense(emissions)
    softened = emissions[kept].astype(np.float64) @ _CONFUSION
    found = _clear(emissions[kept], softened, grammar) or beam_search(softened, grammar)
    return {
        text: Path(path.log_p, tuple(int(kept[step]) for step in path.steps))
        for text, path in found.items()
    }


def condense(emissions: Emissions) -> NDArray[np.intp]:
    """The steps that say something: of a run of quiet ones the first, of a run that is clearly one
    and the same character the clearest. What is left is a fifth of a plate reader's 80 steps.

    It also makes a confusion count once for each character and not for each of its steps.
    """
    top = emissions.argmax(axis=1)
    share = emissions[np.arange(len(emissions)), top]
    sure = share > np.where(top == 0, QUIET, CLEAR)
    # Consecutive sure steps of one symbol make a run; an unsure step is a run of its own.
    starts = np.ones(len(emissions), dtype=bool)
    starts[1:] = ~(sure[1:] & sure[:-1] & (top[1:] == top[:-1]))
    firsts = np.flatnonzero(starts)
    return np.array(
        [
            first if last - first == 1 else first + int(share[first:last].argmax())
            for first, last in zip(firsts, [*firsts[1:], len(emissions)], strict=True)
        ],
        dtype=np.intp,
    )


def _clear(
    emissions: Emissions, softened: NDArray[np.float64], grammar: Grammar
) -> dict[str, Path] | None:
    """The text and those that differ from it in one character, where every step is clear and the
    text fits a syntax; else None: that takes a search."""
    top = emissions.argmax(axis=1)
    rows = np.arange(len(top))
    if emissions[rows, top].min() < CLEAR:
        return None
    steps = np.flatnonzero((top > 0) & (top != np.concatenate([[0], top[:-1]])))
    chars = [ALPHABET[column - 1] for column in top[steps].tolist()]
    text = "".join(chars)
    if not grammar.fitting(text):
        return None
    whole = float(np.log(softened[rows, top]).sum())
    places = tuple(steps.tolist())
    found = {text: Path(whole, places)}
    for position, step in enumerate(places):
        row = softened[step]
        base = whole - math.log(row[top[step]])
        for column in np.flatnonzero(row > NEGLIGIBLE).tolist():
            if column == top[step]:
                continue
            before, after = text[:position], text[position + 1 :]
            log_p = base + math.log(row[column])
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


class _Beam(NamedTuple):
    """One beginning: P(ends in blank), P(ends in its last character), the patterns that still allow
    it, the step where each character is clearest."""

    blank: float
    char: float
    alive: int
    steps: tuple[int, ...]


def beam_search(
    emissions: NDArray[np.float64], grammar: Grammar, beam: int = BEAM
) -> dict[str, Path]:
    """CTC prefix beam search (Hannun 2014): the best `beam` texts of any kind, and the best `beam`
    that fit one of the grammar's syntaxes as a whole. `emissions`: [steps, 68]."""
    # Probabilities are scaled each step so that the best is 1, the scale kept in `log_scale`.
    beams = {"": _Beam(1.0, 0.0, grammar.every, ())}
    log_scale = 0.0
    values = emissions.tolist()
    for step, row in enumerate(values):
        seen = sorted(
            ((share, ALPHABET[i]) for i, share in enumerate(row[1:]) if share > NEGLIGIBLE),
            reverse=True,
        )
        grown: dict[str, list[float]] = {}  # text → [blank, char, the most any one way brought]
        origin: dict[str, tuple[int, tuple[int, ...]]] = {}  # text → alive, steps by that way
        for text, (p_blank, p_char, alive, steps) in beams.items():
            blank, char = (p_blank + p_char) * row[0], 0.0
            if text:
                here = row[_COLUMN[text[-1]]]
                char = p_char * here
                if here > values[steps[-1]][_COLUMN[text[-1]]]:
                    steps = (*steps[:-1], step)
            grown[text] = [blank, char, max(blank, char)]
            origin[text] = alive, steps
        for text, (p_blank, p_char, alive, steps) in beams.items():
            for share, added in seen:
                if (p_blank + p_char) * share < HOPELESS:
                    break
                p = (p_blank if text[-1:] == added else p_blank + p_char) * share
                longer = text + added
                entry = grown.get(longer)
                if entry is None:
                    if p >= HOPELESS:
                        grown[longer] = [0.0, p, p]
                        origin[longer] = grammar.follow(alive, len(text), added), (*steps, step)
                    continue
                entry[1] += p
                if p > entry[2]:  # where several ways lead to a text, the best says where it stands
                    entry[2] = p
                    origin[longer] = origin[longer][0], (*steps, step)
        ranked = sorted(grown, key=lambda text: -grown[text][0] - grown[text][1])
        fitting = [text for text in ranked if origin[text][0]]
        scale = grown[ranked[0]][0] + grown[ranked[0]][1]
        log_scale += math.log(scale)
        beams = {
            text: _Beam(grown[text][0] / scale, grown[text][1] / scale, *origin[text])
            for text in ranked[:beam] + fitting[:beam]
        }
    return {
        text: Path(math.log(one.blank + one.char) + log_scale, one.steps)
        for number, (text, one) in enumerate(beams.items())
        if one.blank + one.char > 0 and (number < beam or grammar.fitting(text))
    }


def character_scores(
    emissions: Emissions,
    text: str,
    allowed: tuple[frozenset[str], ...] = (),
    path: Path | None = None,
) -> tuple[float, ...]:
    """One score per character, 0–1: what the reader gave it at the step where it stands.

    `allowed`: per position what the syntax allows. Look-alikes it rules out there count for the
    character: the reader saw the shape and could not know the position. `path`: where the
    characters stand, if that is known; else they are aligned.
    """
    columns = [_COLUMN[char] for char in text]
    steps = path.steps if path else _align(emissions, columns)
    scores = []
    for position, step in enumerate(steps):
        score = float(emissions[step, columns[position]])
        if allowed:
            twins = CLASS_OF.get(text[position], frozenset()) - allowed[position]
            score += sum(float(emissions[step, _COLUMN[twin]]) for twin in twins)
        scores.append(min(1.0, score))
    return tuple(scores)


def _align(emissions: Emissions, columns: list[int]) -> list[int]:
    """Viterbi: the step at which each character is clearest on the text's most likely path."""
    labels = [0]
    for column in columns:
        labels += [column, 0]
    states = np.array(labels)
    # The softened values keep a path open through a character the reader gave no chance at all.
    costs = np.log(emissions.astype(np.float64) @ _CONFUSION + 1e-6)[:, states]
    may_skip = np.zeros(len(states), dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states), -np.inf)
    best[:2] = costs[0, :2]
    came = np.zeros((len(costs), len(states)), dtype=np.intp)
    for step in range(1, len(costs)):
        options = np.full((3, len(states)), -np.inf)
        options[0] = best
        options[1, 1:] = best[:-1]
        options[2, 2:] = np.where(may_skip[2:], best[:-2], -np.inf)
        came[step] = options.argmax(axis=0)
        best = options.max(axis=0) + costs[step]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    clearest: dict[int, int] = {}
    for step in range(len(costs) - 1, -1, -1):
        position, in_character = divmod(state, 2)
        if in_character:
            known = clearest.get(position)
            column = columns[position]
            if known is None or emissions[step, column] > emissions[known, column]:
                clearest[position] = step
        state -= int(came[step, state])
    return [clearest.get(position, 0) for position in range(len(columns))]
