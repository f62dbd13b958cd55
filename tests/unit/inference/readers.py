"""A simulated reader: vehicles with a true text, and the frames a camera would read of each.

Errors are correlated as real ones are: a vehicle is easy or hard, some of its characters are weak
(a screw, dirt), a slip is often the same one again. Scores tell something of the errors, not all.
"""

import math
import random
from dataclasses import dataclass

from inference.lookalikes import CLASS_OF
from inference.voting import Seen

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Vehicle:
    truth: str
    frames: tuple[Seen, ...]

    @property
    def best(self) -> Seen:
        return max(self.frames, key=lambda frame: frame.score)


def mistaken(rng: random.Random, char: str) -> str:
    """A wrong character: the twin's as often as any other."""
    twins = sorted(CLASS_OF.get(char, frozenset()) - {char})
    if twins and rng.random() < 0.5:
        return rng.choice(twins)
    return rng.choice([other for other in CHARACTERS if other != char])


def vehicle(rng: random.Random, least: int = 2, most: int = 9) -> Vehicle:
    truth = "".join(rng.choice(CHARACTERS) for _ in range(rng.choice((6, 7, 7, 8))))
    hardness = rng.betavariate(1.2, 14)
    habits = [mistaken(rng, char) if rng.random() < 0.5 else None for char in truth]
    weak = [rng.random() < 0.15 for _ in truth]
    count = rng.randint(least, most)
    frames = [_frame(rng, truth, hardness, habits, weak) for _ in range(count)]
    return Vehicle(truth, tuple(frame for frame in frames if frame.text) or (Seen(truth, 0.5),))


def _frame(
    rng: random.Random,
    truth: str,
    hardness: float,
    habits: list[str | None],
    weak: list[bool],
) -> Seen:
    blur = rng.choice((0.4, 1.0, 1.0, 2.5))
    text, scores = "", []
    for char, habit, faint in zip(truth, habits, weak, strict=True):
        risk = min(0.7, hardness * blur * (3.0 if faint else 0.6))
        chance = rng.random()
        if chance < risk * 0.08:  # passed over
            continue
        if chance < risk * 0.12:  # a stray mark before it
            text += rng.choice(CHARACTERS)
            scores.append(rng.betavariate(3, 2) * 0.9)
        score = 1.0 - min(0.95, risk * rng.lognormvariate(0, 0.6))
        if rng.random() < risk:
            char = habit if habit and rng.random() < 0.6 else mistaken(rng, char)
            score = min(score, rng.betavariate(4, 2.5))
        text += char
        scores.append(min(0.999, max(0.05, score)))
    if not text:
        return Seen("", 0.0)
    whole = math.prod(scores)
    place = min(range(len(text)), key=scores.__getitem__)
    rival = mistaken(rng, text[place])
    if len(text) == len(truth) and text[place] != truth[place] and rng.random() < 0.6:
        rival = truth[place]
    second = text[:place] + rival + text[place + 1 :]
    candidates = ((text, whole), (second, whole * (1 - scores[place]) * 0.6))
    return Seen(text, whole, tuple(scores), candidates)
