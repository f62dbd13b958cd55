"""Several frames of one vehicle → one text. Pure: no picture, no clock, no numpy, no Django.

Each frame *objects* to every text but its own: by how much likelier its own text is, by its
character scores, than that other text would be (a log-likelihood ratio, in nats). The text with
the smallest sum of objections wins. What that guarantees, and the tests hold it to:

- One frame alone is handed back as it is.
- The order of the frames does not matter.
- The best frame's text loses only to one that all frames together, the best frame included, object
  to less. On a tie the text of the frame with the highest score wins.
- A further frame that reads the winning text never makes another text win: it objects to every
  text but that one. So copies of the best frame keep its text wherever it won before.
- Frames that say the same are not independent (same sun, same dirt, same angle): n of them object
  like n / (1 + (n-1)·ρ) of them, the effective sample size of a cluster with intraclass
  correlation ρ (Kish 1965, the design effect). However many copies of one bad frame there are, they
  never count as more than 1/ρ frames, neither for a text nor for its confidence.
- Nothing is made up: the text is one that a frame read or proposed. (Texts put together from
  characters of several frames were tried on simulated readers: 9 of 3,000 vehicles, 6 wrong.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inference.lookalikes import CLASS_OF, folded

CORRELATION: Final = 0.4
"""ρ: how far frames with the same text repeat one another's evidence, 0 not at all, 1 wholly."""

# Where a reader is wrong about a character: the chance that it is the twin's (O for 0), any other
# one, or that there is none at all (a screw, a sticker); and how often one is passed over. Only
# the order of magnitude matters.
_TWIN: Final = 0.5
_OTHER: Final = 0.03
_STRAY: Final = 0.1
_MISSED: Final = 0.02
_SUREST: Final = 0.998
"""No single frame is believed further than this about a character."""

_MOST_CANDIDATES: Final = 5
_GAIN: Final = 1e-6
"""Nats; a smaller difference is none, so that the order of a sum decides nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one frame says: its text, the reader's score, one per character, its candidates.

    Scores are 0–1. `char_scores` is empty or as long as `text`; `candidates` are (text, score),
    their scores comparable with `score`; `region` as in `Plate`.
    """

    text: str
    score: float
    char_scores: tuple[float, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Consensus:
    """The text of a vehicle and how sure it is, 0–1.

    `char_scores`: one per character (none where no frame has any): the best of the frames that
    show it, lessened by those that show another. `candidates`: best first, the text itself among
    them; scores comparable with `confidence`. `region`: what the frames that read the text say,
    None where they differ or say nothing.
    """

    text: str
    confidence: float
    char_scores: tuple[float, ...]
    candidates: tuple[tuple[str, float], ...]
    region: str | None = None


def consensus(frames: Sequence[Seen]) -> Consensus:
    """The text that all frames together object to least; ValueError without frames."""
    if not frames:
        raise ValueError("no frames")
    if len(frames) == 1:
        only = frames[0]
        own = sorted(_named(only).items(), key=lambda one: (one[0] != only.text, -one[1]))
        candidates = tuple(own[:_MOST_CANDIDATES])
        return Consensus(only.text, only.score, only.char_scores, candidates, only.region)
    poll = _Poll(frames)
    ranked = sorted(poll.texts(), key=poll.rank)[:_MOST_CANDIDATES]
    text = ranked[0]
    confidence = poll.confidence(text)
    shares = ((name, confidence * poll.odds(name, text)) for name in ranked)
    regions = {one.region for one in frames if one.text == text and one.region}
    return Consensus(
        text,
        round(confidence, 6),
        poll.chars(text),
        tuple((name, round(share, 6)) for name, share in shares),
        regions.pop() if len(regions) == 1 else None,
    )


def effective(count: int) -> float:
    """How many independent frames `count` frames with the same text are worth, at most 1/ρ."""
    return count / (1.0 + (count - 1) * CORRELATION)


def _discounted(values: Sequence[float]) -> float:
    """The sum of what frames with one text say, the strongest in full, each further one less."""
    return math.fsum(
        value * (effective(place + 1) - effective(place))
        for place, value in enumerate(sorted(values, reverse=True))
    )


def _named(frame: Seen) -> dict[str, float]:
    """A frame's text and candidates with their scores, none above that of the text itself."""
    named = {text: min(score, frame.score) for text, score in frame.candidates if text}
    named[frame.text] = frame.score
    return named


class _Poll:
    """The frames of one vehicle and what they object to, each asked once per text."""

    def __init__(self, frames: Sequence[Seen]) -> None:
        self.frames = frames
        self.groups: dict[str, list[Seen]] = {}
        for frame in frames:
            self.groups.setdefault(frame.text, []).append(frame)
        self.best = {
            text: max(frame.score for frame in group) for text, group in self.groups.items()
        }
        self._costs: dict[str, float] = {}

    def texts(self) -> set[str]:
        """Every text that a frame read or proposed."""
        return {text for frame in self.frames for text in _named(frame)}

    def cost(self, text: str) -> float:
        """All objections to a text together, in nats; the frames of one text as one cluster."""
        if text not in self._costs:
            self._costs[text] = math.fsum(
                _discounted([objection(frame, text) for frame in group])
                for read, group in self.groups.items()
                if read != text
            )
        return self._costs[text]

    def rank(self, text: str) -> tuple[float, float, str]:
        """Least objected to first; then what the best frame read; then by the alphabet."""
        return (round(self.cost(text) / _GAIN), -self.best.get(text, -1.0), text)

    def odds(self, text: str, against: str) -> float:
        """How likely a text is relative to another that is objected to less, 0–1."""
        return math.exp(min(0.0, self.cost(against) - self.cost(text)))

    def confidence(self, text: str) -> float:
        """Agreement raises it, with the discount for copies; each text that another frame read
        takes its share. A text that no frame read is no surer than the least sure frame."""
        supporters = sorted((one.score for one in self.groups.get(text, ())), reverse=True)
        if supporters:
            doubt = 1.0
            for place, score in enumerate(supporters):
                doubt *= (1.0 - min(score, 1.0)) ** (effective(place + 1) - effective(place))
            sure = 1.0 - doubt
        else:
            sure = min(frame.score for frame in self.frames)
        rivals = math.fsum(self.odds(other, text) for other in self.groups if other != text)
        return min(1.0, max(0.0, sure / (1.0 + rivals)))

    def chars(self, text: str) -> tuple[float, ...]:
        if not any(frame.char_scores for frame in self.frames):
            return ()
        shown, denied = [0.0] * len(text), [0.0] * len(text)
        for frame in self.frames:
            _, places = aligned(frame, text)
            for at, place in enumerate(places):
                if place is None:
                    denied[at] = max(denied[at], frame.score)
                elif frame.text[place] == text[at]:
                    shown[at] = max(shown[at], _char_score(frame, place))
                else:
                    denied[at] = max(denied[at], _char_score(frame, place))
        return tuple(
            round(yes * yes / (yes + no), 6) if yes else 0.0
            for yes, no in zip(shown, denied, strict=True)
        )


def objection(frame: Seen, text: str) -> float:
    """How much a frame speaks against a text, in nats, at least 0; its own text: 0.

    What the reader itself says of the text counts where it lists it; else what its character
    scores say of each difference. A frame that is unsure of the whole objects that much less.
    """
    if text == frame.text:
        return 0.0
    listed = _named(frame).get(text)
    if listed is not None:
        ratio = math.log(max(frame.score, 1e-9) / max(listed, 1e-9))
    else:
        ratio, _ = aligned(frame, text)
    return frame.score * max(0.0, ratio)


def aligned(frame: Seen, text: str) -> tuple[float, tuple[int | None, ...]]:
    """The likeliest way in which `text` was read as the frame's: what that costs in nats, and for
    each character of `text` its place in the frame's, None where the frame missed it.

    Edit distance with the reader's scores as costs (Wagner & Fischer 1974); missing and stray
    characters count as evidence like wrong ones.
    """
    read = frame.text
    if len(read) == len(text):
        wrong = [at for at, char in enumerate(text) if read[at] != char]
        if len(wrong) < 3:  # nothing shorter can be found by shifting
            return math.fsum(_wrong(frame, at, text[at]) for at in wrong), tuple(range(len(text)))
    missed = -math.log(_MISSED)
    stray = [_against(_char_score(frame, at), _STRAY) for at in range(len(read))]
    costs = [[missed * at for at in range(len(text) + 1)]]
    for row, char in enumerate(read):
        line = [costs[row][0] + stray[row]]
        for column, wanted in enumerate(text):
            same = costs[row][column]
            if char != wanted:
                same += _wrong(frame, row, wanted)
            line.append(min(same, costs[row][column + 1] + stray[row], line[column] + missed))
        costs.append(line)
    places: list[int | None] = [None] * len(text)
    row, column = len(read), len(text)
    while row and column:
        here = costs[row][column]
        if here == costs[row - 1][column] + stray[row - 1]:
            row -= 1
        elif here == costs[row][column - 1] + missed:
            column -= 1
        else:
            row, column = row - 1, column - 1
            places[column] = row
    return costs[-1][-1], tuple(places)


def _char_score(frame: Seen, place: int) -> float:
    """A character's score; of a frame that gives none, that of the whole text."""
    return frame.char_scores[place] if place < len(frame.char_scores) else frame.score


def _wrong(frame: Seen, place: int, wanted: str) -> float:
    twins = CLASS_OF.get(frame.text[place], frozenset())
    return _against(_char_score(frame, place), _TWIN if wanted in twins else _OTHER)


def _against(score: float, share: float) -> float:
    """log of a character's score over `share` of what it leaves; at least the least gain, since
    a text that differs is never objected to as little as a frame's own."""
    sure = min(max(score, 1e-3), _SUREST)
    return max(2 * _GAIN, math.log(sure / ((1.0 - sure) * share)))


def likeness(one: str, other: str) -> float:
    """How alike two texts are, 0–1: 1 less their edit distance, look-alikes equal, over the longer
    one's length; 0 for empty texts."""
    if not one or not other:
        return 0.0
    left, right = folded(one), folded(other)
    if left == right:
        return 1.0
    line = list(range(len(right) + 1))
    for row, char in enumerate(left, start=1):
        diagonal, line[0] = line[0], row
        for column, wanted in enumerate(right, start=1):
            diagonal, line[column] = (
                line[column],
                min(line[column] + 1, line[column - 1] + 1, diagonal + (char != wanted)),
            )
    return 1.0 - line[-1] / max(len(left), len(right))
