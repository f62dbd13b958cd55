"""A gantry's day through the product's own rules: voted on, looked up, judged by the calendar.

A passage is judged a minute after it, as the product does, and once more when the operator, who
confirms everything, gets to it a day later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from benchmarks._justice_carpark import RULES
from benchmarks._justice_causes import OF_VIOLATOR, Count, cause_of
from benchmarks._justice_gantry import Drive, Registry, Vignette
from benchmarks._justice_judge import OPERATOR
from benchmarks._justice_truth import NOTHING, Noise, clear_sight
from enforcement.rights.calendars import Scheme, load_schemes, scheme_at
from enforcement.rights.facts import Reading, Right
from enforcement.rights.outcomes import CaseState, Judgement, case_state
from enforcement.rights.verdicts import judge_vignette
from inference.voting import consensus

OPENED: Final = timedelta(seconds=60)
SORTS: Final = (Noise.KNOWN_LATE, Noise.MISREAD, Noise.TYPED, Noise.CATEGORY, Noise.CLOCK)
FLOORS: Final = (0.80, 0.85, 0.90, 0.95, 0.98)
"""Confidence floors for which the cases are counted."""


@dataclass(slots=True)
class Floors:
    """Candidates whose confidence reaches each floor (wrongful ones: those by misreads); below it
    they are in review instead."""

    wrongful: Counter[str] = field(default_factory=Counter)
    rightful: Counter[str] = field(default_factory=Counter)

    def note(self, confidence: float, *, rightful: bool) -> None:
        for floor in FLOORS:
            if confidence >= floor:
                (self.rightful if rightful else self.wrongful)[f"{floor:.2f}"] += 1


def voted(drive: Drive, without: frozenset[Noise] = NOTHING) -> Reading | None:
    """What the product makes of the passage's frames; None where nothing was read."""
    frames, country = drive.sight.frames, drive.sight.country
    if Noise.MISREAD in without:
        frames, country = clear_sight(drive.plate, drive.country).frames, drive.country
    if not frames:
        return None
    agreed = consensus(frames)
    return Reading(
        text=agreed.text,
        country=country or None,
        confidence=agreed.confidence,
        category=drive.category if Noise.CATEGORY in without else "car",
        candidates=tuple(text for text, _ in agreed.candidates if text != agreed.text),
        char_scores=agreed.char_scores,
        agreed=len(frames) == 1 or sum(one.text == agreed.text for one in frames) > 1,
    )


class Road:
    """The product at one gantry: its scheme, and a registry to look up in."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.schemes: tuple[Scheme, ...] = load_schemes()

    def judged(
        self, drive: Drive, reading: Reading, now: datetime, without: frozenset[Noise] = NOTHING
    ) -> Judgement:
        """The verdict by what is known at `now`, `without` some sorts of noise."""
        at = drive.at if Noise.CLOCK in without else drive.at + drive.clock
        scheme = scheme_at(self.schemes, self.registry.road.scheme, at)
        return judge_vignette(
            reading,
            at,
            scheme=scheme,
            rights=list(self._rights(drive, reading, scheme, without)),
            rules=RULES,
            now=now,
        )

    def _rights(
        self, drive: Drive, reading: Reading, scheme: Scheme, without: frozenset[Noise]
    ) -> Iterable[Right]:
        """The rights that share an OCR class with the text or the reader's candidates: what the
        product looks up (`visits.roads`)."""
        numbers = {
            number
            for text in (reading.text, *reading.candidates)
            for number in self.registry.under(text)
        }
        if Noise.TYPED in without:
            numbers |= {
                number
                for number, typed in self.registry.typed.items()
                if self.registry.texts[number] == drive.plate
            }
        for number in sorted(numbers):
            yield self._right(self.registry.vignette(number), scheme, without)

    def _right(self, one: Vignette, scheme: Scheme, without: frozenset[Noise]) -> Right:
        late = Noise.KNOWN_LATE not in without
        return scheme.right(
            id=str(one.number),
            plate=one.plate if Noise.TYPED in without else one.typed,
            country=one.country,
            category="car",
            product=one.product,
            first_day=one.first if one.year is None else None,
            year=one.year,
            bought_at=one.bought,
            known_at=self.registry.known_at(one) if late else None,
        )

    def exactly(self, text: str, now: datetime, without: frozenset[Noise] = NOTHING) -> list[Right]:
        """The rights under this very text known at `now`; for who knows no other way."""
        scheme = scheme_at(self.schemes, self.registry.road.scheme, now)
        found = (self.registry.vignette(number) for number in self.registry.under(text))
        rights = [self._right(one, scheme, without) for one in found]
        return [
            right
            for right in rights
            if text in right.plates and (right.known_at is None or right.known_at <= now)
        ]

    def play(self, drives: Iterable[Drive]) -> tuple[Count, Floors]:
        """Judge passages and compare them with the truth."""
        made, floors = Count(), Floors()
        for drive in drives:
            made.lawful += drive.lawful
            made.unlawful += not drive.lawful
            reading = None if drive.hidden else voted(drive)
            if reading is None:
                if not drive.lawful:
                    made.missed["passed unseen" if drive.hidden else "plate not read"] += 1
                continue
            made.passages += 1
            self._count(made, floors, drive, reading)
        return made, floors

    def _count(self, made: Count, floors: Floors, drive: Drive, reading: Reading) -> None:
        opened = drive.at + drive.clock + OPENED
        judgement = self.judged(drive, reading, opened)
        state = case_state(judgement)
        if state is None:
            if not drive.lawful:
                misread = reading.text != drive.plate
                made.missed["misread" if misread else str(judgement.reason)] += 1
            return
        if state is CaseState.REVIEW:
            made.reviews += 1
            made.review_reasons[str(judgement.reason)] += 1
            made.found += not drive.lawful
            made.found_in_review += not drive.lawful
            if drive.lawful or not _accuses(drive, reading):
                made.confirmed_reviews += self._there_later(drive, reading, opened)
            return
        made.candidates += 1
        rightful = not drive.lawful and _accuses(drive, reading)
        if rightful:
            made.found += 1
            floors.note(reading.confidence, rightful=True)
            return
        if not drive.lawful:
            made.missed["misread"] += 1
        cause = cause_of(lambda without: self._stands(drive, opened, without), SORTS)
        if cause == Noise.MISREAD.value:
            floors.note(reading.confidence, rightful=False)
        if not drive.lawful:
            cause = f"{cause}, {OF_VIOLATOR}"
        confirmed = self._there_later(drive, reading, opened)
        made.wrongful[cause] += 1
        made.confirmed[cause] += confirmed
        made.kinds[f"{cause}: {drive.kind}"] += 1
        made.examples.append(_example(drive, reading, judgement, cause, confirmed=confirmed))

    def _there_later(self, drive: Drive, reading: Reading, opened: datetime) -> bool:
        """Whether there still is a case when the operator gets to it."""
        return case_state(self.judged(drive, reading, opened + OPERATOR)) is not None

    def _stands(self, drive: Drive, now: datetime, without: frozenset[Noise]) -> bool:
        """Whether the passage still makes a wrongful candidate."""
        reading = voted(drive, without)
        if reading is None:
            return False
        state = case_state(self.judged(drive, reading, now, without))
        rightful = not drive.lawful and _accuses(drive, reading)
        return state is CaseState.CANDIDATE and not rightful


def _accuses(drive: Drive, reading: Reading) -> bool:
    """Whether the reading names this very vehicle."""
    return reading.text == drive.plate and reading.country == drive.country


def _example(
    drive: Drive, reading: Reading, judgement: Judgement, cause: str, *, confirmed: bool
) -> dict[str, Any]:
    return {
        "site": "gantry",
        "cause": cause,
        "verdict": judgement.verdict.value,
        "reason": str(judgement.reason),
        "stays": [drive.kind],
        "from": drive.at.isoformat(timespec="seconds"),
        "frames": len(drive.sight.frames),
        "confidence": round(reading.confidence, 3),
        "agreed": reading.agreed,
        "explanation": [line.code for line in judgement.explanation],
        "confirmed": confirmed,
    }
