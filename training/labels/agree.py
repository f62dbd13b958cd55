"""When several readings of one plate are taken as its text without anybody looking.

Pure rules on proposals. Their thresholds were set by looking at contact sheets of what they let
through (`python -m training.labels.review show NAME --verdict agreed`), source by source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

from inference.syntaxes import Grammar, grammar_for
from training.labels.propose import Cut, Proposal

Verdict = Literal["agreed", "disputed", "unreadable"]

LENGTHS: Final = range(5, 11)
"""Shorter texts are as a rule one row of two; longer ones have a neighbour's writing in them."""
SURE: Final = 0.9
GOOD: Final = 0.85
FAIR: Final = 0.6
LEGIBLE: Final = 0.3
"""Weakest character of the best cut under which nothing was read."""

SWAPS: Final = {"O0": -0.7, "I1": -0.7, "D0": -3.0}
"""Log-likelihood of reading the one for the other. The shapes of the first two pairs hardly differ,
so the reader follows the neighbours; position tells better, and the grammar knows the positions."""
CLEARLY: Final = 4.5
"""Nats by which the best spelling must be likelier than the next; else a person looks."""
_FOLD: Final = str.maketrans("OI", "01")


@dataclass(frozen=True, slots=True)
class Settled:
    """`text` is empty where nothing was read. `region`: of `Grammar.region`."""

    verdict: Verdict
    text: str
    region: str | None
    in_syntax: bool


def folded(text: str) -> str:
    """O as 0 and I as 1."""
    return text.translate(_FOLD)


def spelled(readings: Iterable[str], grammar: Grammar) -> tuple[str, bool]:
    """Of texts that differ by `SWAPS` from what was read: the likeliest under the grammar, and
    whether it is clearly so."""
    best: dict[str, float] = {}
    for reading in readings:
        for chars in product(*(_options(char) for char in reading)):
            text = "".join(char for char, _ in chars)
            likely = grammar.fit(text).bonus + sum(cost for _, cost in chars)
            best[text] = max(likely, best.get(text, likely))
    first, *others = sorted(best, key=lambda text: (-best[text], text))
    return first, all(best[first] - best[other] >= CLEARLY for other in others)


def _options(char: str) -> list[tuple[str, float]]:
    swaps = [(pair.replace(char, ""), cost) for pair, cost in SWAPS.items() if char in pair]
    return [(char, 0.0), *swaps]


def plate_rows(rows: tuple[str, ...]) -> tuple[str, ...]:
    """Rows without the name of the place that issued the plate: the rows of letters alone that are
    no part of a number (five or more of them, or Islamabad's small ICT) beside a row with digits.
    """
    if not any(any(char.isdigit() for char in row) for row in rows):
        return rows
    return tuple(row for row in rows if not (row.isalpha() and (len(row) > 4 or row == "ICT")))


def families(proposal: Proposal) -> tuple[list[Cut], list[Cut]]:
    """The cuts of the lines found, and the cuts of the box that bear on the same number of rows.

    The two are independent in where they start and end, which is where most wrong texts differ.
    """
    lines = [
        replace(cut, rows=plate_rows(cut.rows))
        for cut in proposal.cuts
        if cut.name in ("line", "tight", "wide")
    ]
    # One cut may have misread a small name that the others left out.
    fewest = min((len(cut.rows) for cut in lines), default=1)
    lines = [cut for cut in lines if len(cut.rows) == fewest]
    rows = len(lines[0].rows) if lines else 1
    names = ("box", "roomy", "inner") if rows == 1 else ("halves", "halves+")
    boxes = [cut for cut in proposal.cuts if cut.name in names] if rows < 3 else []
    return lines, boxes


def settle(proposal: Proposal, grammar: Grammar | None = None) -> Settled:
    """The verdict on one plate."""
    grammar = grammar or grammar_for()
    lines, boxes = families(proposal)
    rows = len(lines[0].rows) if lines else 1
    cuts = [cut for cut in (*lines, *boxes) if cut.text]
    if not any(len(cut.text) >= 4 and cut.score >= LEGIBLE for cut in cuts):
        return Settled("unreadable", "", None, False)
    weights: dict[str, float] = {}
    for cut in cuts:
        weights[folded(cut.text)] = weights.get(folded(cut.text), 0.0) + cut.score
    winner = max(sorted(weights), key=weights.__getitem__)
    for_it = [cut for cut in cuts if folded(cut.text) == winner]
    text, clearly = spelled({cut.text for cut in for_it}, grammar)
    fit = grammar.fit(text)
    against = max((cut.score for cut in cuts if folded(cut.text) != winner), default=0.0)
    scores = sorted(cut.score for cut in for_it)
    sure = (
        # The small year of a Pakistani plate is often missed in all cuts alike: nobody but a
        # person settles two rows.
        rows == 1
        and any(cut in for_it for cut in lines)
        and any(cut in for_it for cut in boxes)
        and len(for_it) >= 4
        and scores[-1] >= SURE
        and scores[len(scores) // 2] >= GOOD
        and against < FAIR
    )
    if not fit.in_syntax:
        sure = sure and len(for_it) == len(cuts) and scores[0] >= SURE
    # A short number may be the lower row of two.
    whole = any(char.isalpha() for char in text) or len(text) >= 7
    agreed = sure and whole and clearly and len(text) in LENGTHS
    return Settled("agreed" if agreed else "disputed", text, fit.region, fit.in_syntax)
