"""Whether two reads show one vehicle. Pure: no Django, no clock. What the reads of one vehicle say
together is `inference.voting`'s business.
"""

from core.platetext import ocr_class
from inference.voting import Seen

_SURE = 0.80


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


def surely_read(read: Seen) -> bool:
    """Whether no character of the read is unsure: then it is like another only by OCR classes and
    candidates, unless the other is unsure. A reader that says nothing of its characters is as sure
    of each as of the whole."""
    return all(score >= _SURE for score in read.char_scores or (read.score,))


def _unsure_at(read: Seen, place: int) -> bool:
    scores = read.char_scores or (read.score,) * len(read.text)
    return place < len(scores) and scores[place] < _SURE


def _unsure(one: Seen, place: int, other: Seen) -> bool:
    return _unsure_at(one, place) or _unsure_at(other, place)
