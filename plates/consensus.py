"""Several reads of one vehicle → one text. Pure: no Django, no clock.

A consensus never invents: its text is one that some read, or some read's own list of candidates,
named. Scores are shares of belief, 0–1.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.platetext import ocr_class

_SURE = 0.80
_MOST_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What one read says: its text, the reader's score, a score per character, its candidates."""

    text: str
    score: float
    char_scores: tuple[float, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Consensus:
    """The text of a passage and how sure it is."""

    text: str
    confidence: float
    char_scores: tuple[float, ...]
    candidates: tuple[tuple[str, float], ...]


def consensus(reads: Sequence[Seen]) -> Consensus:
    """The text that the reads together believe most; ValueError without reads.

    Each read spreads its belief over its text and candidates, none of which counts for more than
    the text itself. Agreement raises confidence as
    independent evidence would, but frames of one vehicle are not independent: it counts by half
    (an exponent of 0.5 for every further read), and dissent lowers it by its share.
    """
    if not reads:
        raise ValueError("no reads")
    belief: dict[str, float] = defaultdict(float)
    for read in reads:
        named = dict(read.candidates)
        named[read.text] = max(read.score, named.get(read.text, 0.0))
        for text, score in named.items():
            belief[text] += min(score, named[read.text])
    best_single = {read.text: read.score for read in sorted(reads, key=lambda r: r.score)}
    ranked = sorted(belief, key=lambda text: (-belief[text], -best_single.get(text, 0.0), text))
    text = ranked[0]
    supporters = sorted((read for read in reads if read.text == text), key=lambda r: -r.score)
    if supporters:
        doubt = 1.0 - supporters[0].score
        for further in supporters[1:]:
            doubt *= math.sqrt(1.0 - min(further.score, 0.99))
        dissent = sum(read.score for read in reads if ocr_class(read.text) != ocr_class(text))
        agreed = sum(read.score for read in reads) - dissent
        confidence = (1.0 - doubt) * (agreed / (agreed + dissent) if agreed + dissent else 0.0)
    else:
        confidence = min(read.score for read in reads)
    chars = next((read.char_scores for read in supporters if read.char_scores), ())
    total = sum(belief.values()) or 1.0
    return Consensus(
        text,
        round(min(1.0, max(0.0, confidence)), 6),
        chars,
        tuple((name, round(belief[name] / total, 6)) for name in ranked[:_MOST_CANDIDATES]),
    )


def same_vehicle(one: Seen, other: Seen) -> bool:
    """Whether two reads close in time at one camera show one vehicle.

    Equal up to OCR classes: yes. One character apart: only if one of the readers was unsure of that
    character or named the other text itself, because fleets carry neighbouring plates and two
    vehicles merged into one would lose a vehicle.
    """
    left, right = ocr_class(one.text), ocr_class(other.text)
    if left == right:
        return True
    names = {ocr_class(text) for text, _ in one.candidates}
    others = {ocr_class(text) for text, _ in other.candidates}
    if right in names or left in others:
        return True
    if len(left) == len(right):
        places = [i for i, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        return len(places) == 1 and _unsure(one, places[0], other)
    longer, shorter = (one, other) if len(left) > len(right) else (other, one)
    long_text, short_text = ocr_class(longer.text), ocr_class(shorter.text)
    if len(long_text) != len(short_text) + 1:
        return False
    return any(
        long_text[:i] + long_text[i + 1 :] == short_text and _unsure_at(longer, i)
        for i in range(len(long_text))
    )


def _unsure_at(read: Seen, place: int) -> bool:
    return place < len(read.char_scores) and read.char_scores[place] < _SURE


def _unsure(one: Seen, place: int, other: Seen) -> bool:
    return _unsure_at(one, place) or _unsure_at(other, place)
