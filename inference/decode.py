"""From a reader's emissions to plate texts: what a search finds, weighed by the country syntaxes.

The texts are weighed together: log P(text | picture) + `GRAMMAR_WEIGHT` × the grammar's bonus. So
position decides between O and 0 where a syntax fits, and a vanity plate that fits none still comes
out as it was seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inference.lookalikes import CLASS_OF
from inference.results import Candidate, Emissions
from inference.search import COLUMN, CONFUSION, Path, search
from inference.syntaxes import MAX_LENGTH, MIN_LENGTH, Grammar, best_region

GRAMMAR_WEIGHT: Final = 0.3
LISTED: Final = 0.001
"""Score from which another text is listed as a candidate: below, the reader never proposed it."""

LEAST_CLEAR: Final = 4
"""Characters of a plate that can be clear without a syntax."""
SHOWN: Final = 0.85
"""Share of the probability from which a place is named, by syntax and region head together or, for
a text that fits no syntax, by the head alone: no name is better than a wrong one."""


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
    bonuses: dict[str, float] = {}
    shares: dict[str, float] = {}
    paths: list[dict[str, Path]] = []
    for emissions in readings:
        found = search(emissions, grammar)
        for text in found:
            if text not in bonuses:
                bonuses[text] = grammar.bonus(text, prior)
        weights = {
            text: path.log_p + GRAMMAR_WEIGHT * bonuses[text] for text, path in found.items()
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
    scored: list[tuple[float, str, tuple[float, ...]]] = []
    for text in [text for text in ranked if MIN_LENGTH <= len(text) <= MAX_LENGTH][:candidates]:
        if scored and shares[text] < LISTED / 2:
            break  # a score is at most the share
        allowed = grammar.allowed(text)
        each = [
            character_scores(emissions, text, allowed, found.get(text))
            for emissions, found in zip(readings, paths, strict=True)
        ]
        chars = tuple(round(sum(scores) / len(each), 4) for scores in zip(*each, strict=True))
        scored.append((round(shares[text] * min(chars), 4), text, chars))
    score, text, chars = scored[0]
    others = sorted((row for row in scored[1:] if row[0] >= LISTED), reverse=True)
    fit = grammar.fit(text, prior)
    places = fit.shares if fit.in_syntax else shown
    return Decoded(
        text=text,
        odds=fit.odds,
        score=score,
        chars=chars,
        region=best_region(places, least=SHOWN, total=None if fit.in_syntax else 1.0),
        in_syntax=fit.in_syntax,
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
    columns = [COLUMN[char] for char in text]
    steps = path.steps if path else _align(emissions, columns)
    scores = []
    for position, step in enumerate(steps):
        score = emissions.item(step, columns[position])
        if allowed and text[position] in CLASS_OF:
            twins = CLASS_OF[text[position]] - allowed[position]
            score += sum([emissions.item(step, COLUMN[twin]) for twin in twins])
        scores.append(min(1.0, score))
    return tuple(scores)


def _align(emissions: Emissions, columns: list[int]) -> list[int]:
    """Viterbi: the step at which each character is clearest on the text's most likely path."""
    labels = [0]
    for column in columns:
        labels += [column, 0]
    states = np.array(labels)
    # The softened values keep a path open through a character the reader gave no chance at all.
    costs = np.log(emissions.astype(np.float64) @ CONFUSION + 1e-6)[:, states]
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
