"""From reads to passages: the same vehicle read several times while in view passes once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from enforcement.rights.facts import Reading, countries_agree
from enforcement.rights.matching import cost
from enforcement.rights.verdicts import country_of

from .pairing import Passage

GAP = timedelta(seconds=45)
"""Longest time between two reads of one passage, inclusive (domain-rules.md, 5)."""


def debounce(
    reads: Iterable[Passage], *, gap: timedelta = GAP, classes: Sequence[str] = ()
) -> list[Passage]:
    """Gather reads, each given as a passage of its own, into passages, by time and id.

    A read belongs to the passage of its camera whose last read lies at most `gap` before it and
    whose texts come within a cost of 1, the nearest text first. Quarantined reads gather only with
    each other: their times mean nothing beside the rest. Independent of the order given.
    """
    gathered: list[list[Passage]] = []
    recent: dict[str, list[list[Passage]]] = {}
    distinct = {read.id: read for read in reads}.values()
    for read in sorted(distinct, key=lambda one: (one.at, one.id)):
        here = [one for one in recent.get(read.camera, ()) if read.at - one[-1].at <= gap]
        near = [(_distance(one, read, classes), n) for n, one in enumerate(here)]
        slips, _, n = min(((slips, -n, n) for slips, n in near), default=(2, 0, 0))
        if slips <= 1:
            here[n].append(read)
        else:
            here.append([read])
            gathered.append(here[-1])
        recent[read.camera] = here
    return sorted(map(_passage, gathered), key=lambda one: (one.at, one.id))


def _distance(passage: Sequence[Passage], read: Passage, classes: Sequence[str]) -> float:
    """How far the read is from the passage: 0 the very text, 0.5 an equivalent one, 1 one slip."""
    first = passage[0]
    known = country_of([one.reading for one in passage])
    if first.quarantined != read.quarantined or not countries_agree(known, read.reading.country):
        return 2
    texts = {one.reading.text for one in passage}
    if read.reading.text in texts:
        return 0
    slips = min(cost(text, read.reading.text, classes) for text in texts)
    return slips or 0.5


def _passage(reads: Sequence[Passage]) -> Passage:
    return replace(
        reads[0],
        reading=consensus([read.reading for read in reads]),
        reads=tuple(read.id for read in reads),
    )


def consensus(readings: Sequence[Reading]) -> Reading:
    """What several readings of one vehicle amount to: the text most of them give.

    Ties go to the higher sum of confidences, then to the earlier. Its confidence is the best of the
    readings that agree, its country the one that they and no other country name. Where no two of
    several agree, `agreed` is False.
    """
    if len(readings) == 1:
        return readings[0]
    votes = Counter(reading.text for reading in readings)
    trust: dict[str, float] = dict.fromkeys(votes, 0.0)
    for reading in readings:
        trust[reading.text] += reading.confidence
    text = max(votes, key=lambda one: (votes[one], trust[one]))
    agreeing = [reading for reading in readings if reading.text == text]
    best = max(agreeing, key=lambda reading: reading.confidence)
    others = (
        candidate
        for reading in readings
        for candidate in (reading.text, *reading.candidates)
        if candidate != text
    )
    return replace(
        best,
        country=country_of(agreeing),
        candidates=tuple(dict.fromkeys(others)),
        agreed=votes[text] > 1,
    )
