"""When several readings of one plate are taken as its text without anybody looking.

Pure rules on proposals. Their thresholds were set by looking at contact sheets of what they let
through (`python -m training.labels.sheets agreed`), source by source.
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
FAIR: Final = 0.6
LEGIBLE: Final = 0.3
"""Weakest character of the best cut under which nothing was read."""

SWAP: Final = -2.3
"""Log-likelihood of a letter O read as zero, I as one, or the reverse: the shapes hardly differ, so
only position tells, and the grammar knows the positions."""
_SWAPS: Final = {"O": "O0", "0": "0O", "I": "I1", "1": "1I"}
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


def spelled(readings: Iterable[str], grammar: Grammar) -> str:
    """Of texts that differ in O/0 and I/1 alone, or could: the likeliest under the grammar."""
    best: dict[str, float] = {}
    for reading in readings:
        options = [_SWAPS.get(char, char) for char in reading]
        for chars in product(*options):
            text = "".join(chars)
            swaps = sum(a != b for a, b in zip(text, reading, strict=True))
            likely = grammar.fit(text).bonus + SWAP * swaps
            best[text] = max(likely, best.get(text, likely))
    return max(sorted(best), key=best.__getitem__)


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
    text = spelled({cut.text for cut in for_it}, grammar)
    fit = grammar.fit(text)
    against = max((cut.score for cut in cuts if folded(cut.text) != winner), default=0.0)
    from_lines = [cut.score for cut in for_it if cut in lines]
    from_boxes = [cut.score for cut in for_it if cut in boxes]
    both = bool(from_lines and from_boxes)
    top = max(cut.score for cut in for_it)
    mixed = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
    if rows == 1:
        sure = both and len(for_it) >= 4 and top >= SURE and against < FAIR
        # A number alone may be the lower row of two: it has to fill its box.
        whole = mixed or (text.isdigit() and len(text) >= 7) or proposal.cover >= 0.6
        if not fit.in_syntax:
            sure = sure and len(for_it) == len(cuts) and min(from_lines + from_boxes) >= SURE
    else:
        sure = both and len(for_it) >= 3 and top >= SURE and against < FAIR and rows == 2
        whole = mixed and proposal.cover >= 0.6 and fit.in_syntax
    agreed = sure and whole and len(text) in LENGTHS
    return Settled("agreed" if agreed else "disputed", text, fit.region, fit.in_syntax)
