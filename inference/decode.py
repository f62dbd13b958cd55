"""From a reader's emissions to plate texts: CTC beam search held to the country syntaxes.

Two searches run over the same emissions: one that keeps only beginnings some syntax allows, and a
free one. Their texts are then weighed together: log P(text | picture) + `GRAMMAR_WEIGHT` × the
grammar's bonus. So position decides between O and 0 where a syntax fits, and a vanity plate that
fits none still comes out as it was seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.results import ALPHABET, Candidate, Emissions
from inference.syntaxes import MAX_LENGTH, MIN_LENGTH, Fit, Grammar

GRAMMAR_WEIGHT: Final = 0.5
BEAM: Final = 12
LISTED: Final = 0.001
"""Score from which another text is listed as a candidate: below, the reader never proposed it."""

NEGLIGIBLE: Final = 2e-4

# How often a reader that cannot know the position takes the one for the other. Only the order of
# magnitude matters: it keeps a twin alive in the search that the reader ruled out too surely.
_TWINS: Final = {
    0.05: ("O0", "OQ", "0Q", "OD", "0D", "I1", "Z2", "S5", "B8"),
    0.003: ("IL", "1L", "G6", "Z7", "T7", "17", "A4"),
}
# A mark that is no character (an emblem, a sticker, a screw) read as one.
_STRAY: Final = 0.005

LOOKALIKES: Final = ("O0QD", "I1L", "Z2", "S5", "B8")
"""The five classes of domain-rules.md §4: the same shape, told apart by position or not at all."""
_CLASS_OF: Final = {char: frozenset(group) for group in LOOKALIKES for char in group}


def _confusion() -> NDArray[np.float64]:
    mix = np.eye(len(ALPHABET) + 1)
    for rate, pairs in _TWINS.items():
        for pair in pairs:
            i, j = (ALPHABET.index(char) + 1 for char in pair)
            mix[i, j] = mix[j, i] = rate
    mix[1:, 0] = _STRAY
    mix /= mix.sum(axis=1, keepdims=True)
    return mix


_CONFUSION: Final = _confusion()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best text of one line and what it was weighed against.

    `odds`: see `Fit.odds`. `score`, `chars`, `candidates`, `region`: as in `Plate`.
    """

    text: str
    odds: float
    score: float
    chars: tuple[float, ...]
    region: str | None
    in_syntax: bool
    candidates: tuple[Candidate, ...]


def doubted(decoded: Decoded, most: float) -> Decoded:
    """The same text with a score of at most `most`; its candidates are scaled alike."""
    share = min(1.0, most / decoded.score) if decoded.score else 1.0
    candidates = tuple(
        Candidate(other.text, round(other.score * share, 4)) for other in decoded.candidates
    )
    return replace(decoded, score=round(decoded.score * share, 4), candidates=candidates)


def decode(
    readings: Sequence[Emissions], grammar: Grammar, *, candidates: int = 5
) -> Decoded | None:
    """The best plate text of one place, or None where no text of 2 to 12 characters stands there.

    `readings`: the same line read once or several times, from different cuts, each [steps, 37].
    Each reading shares out a probability of 1 among the texts it considers possible; the shares
    and the characters' scores are averaged, so that a text must convince most of the cuts.
    """
    fits: dict[str, Fit] = {}
    shares: dict[str, float] = {}
    for emissions in readings:
        softened = emissions.astype(np.float64) @ _CONFUSION
        found = beam_search(softened, None) | beam_search(softened, grammar)
        for text in found:
            fits.setdefault(text, grammar.fit(text))
        weights = {text: p + GRAMMAR_WEIGHT * fits[text].bonus for text, p in found.items()}
        top = max(weights.values())
        total = sum(math.exp(weight - top) for weight in weights.values())
        for text, weight in weights.items():
            share = math.exp(weight - top) / total / len(readings)
            shares[text] = shares.get(text, 0.0) + share
    ranked = sorted(shares, key=shares.__getitem__, reverse=True)
    if not MIN_LENGTH <= len(ranked[0]) <= MAX_LENGTH:
        return None
    scored = []
    for text in [text for text in ranked if MIN_LENGTH <= len(text) <= MAX_LENGTH][:candidates]:
        each = [character_scores(emissions, text, fits[text].allowed) for emissions in readings]
        chars = tuple(round(float(score), 4) for score in np.mean(each, axis=0))
        scored.append((round(shares[text] * min(chars), 4), text, chars))
    score, text, chars = scored[0]
    others = sorted((row for row in scored[1:] if row[0] >= LISTED), reverse=True)
    return Decoded(
        text=text,
        odds=fits[text].odds,
        score=score,
        chars=chars,
        region=fits[text].region,
        in_syntax=fits[text].in_syntax,
        candidates=tuple(Candidate(text, score) for score, text, _ in [scored[0], *others]),
    )


def beam_search(
    emissions: NDArray[np.float64], grammar: Grammar | None, beam: int = BEAM
) -> dict[str, float]:
    """CTC prefix beam search (Hannun 2014): text → log P(text | emissions), best `beam` texts.

    With a grammar, only texts that fit one of its syntaxes as a whole; else any.
    """
    every = grammar.every if grammar else 1
    # text → [P(ends in blank), P(ends in its last character), patterns alive]; scaled each step so
    # that the best is 1, the scale kept in `log_scale`.
    beams: dict[str, tuple[float, float, int]] = {"": (1.0, 0.0, every)}
    log_scale = 0.0
    for row in emissions:
        blank = float(row[0])
        seen = [(ALPHABET[i - 1], float(row[i])) for i in np.flatnonzero(row > NEGLIGIBLE) if i]
        grown: dict[str, list[float]] = {}
        alive_of: dict[str, int] = {}
        for text, (p_blank, p_char, alive) in beams.items():
            entry = grown.setdefault(text, [0.0, 0.0])
            alive_of[text] = alive
            entry[0] += (p_blank + p_char) * blank
            for char, p in seen:
                if text and text[-1] == char:
                    entry[1] += p_char * p
                    p_new = p_blank * p
                else:
                    p_new = (p_blank + p_char) * p
                if not p_new:
                    continue
                longer = text + char
                if longer not in alive_of:
                    alive_of[longer] = grammar.follow(alive, len(text), char) if grammar else 1
                if alive_of[longer]:
                    grown.setdefault(longer, [0.0, 0.0])[1] += p_new
        kept = sorted(grown.items(), key=lambda item: -sum(item[1]))[:beam]
        scale = sum(kept[0][1])
        log_scale += math.log(scale)
        beams = {text: (b / scale, c / scale, alive_of[text]) for text, (b, c) in kept}
    return {
        text: math.log(b + c) + log_scale
        for text, (b, c, _) in beams.items()
        if b + c > 0 and (grammar is None or grammar.fitting(text))
    }


def character_scores(
    emissions: Emissions, text: str, allowed: tuple[frozenset[str], ...] = ()
) -> tuple[float, ...]:
    """One score per character, 0–1: what the reader gave it at the step where it stands.

    `allowed`: per position what the syntax allows. Look-alikes it rules out there count for the
    character: the reader saw the shape and could not know the position.
    """
    columns = [ALPHABET.index(char) + 1 for char in text]
    scores = []
    for position, step in enumerate(_align(emissions, columns)):
        score = float(emissions[step, columns[position]])
        if allowed:
            twins = _CLASS_OF.get(text[position], frozenset()) - allowed[position]
            score += sum(float(emissions[step, ALPHABET.index(twin) + 1]) for twin in twins)
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
