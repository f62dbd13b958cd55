"""What happens before a car park's cameras, and to them: plates hidden, vehicles that wait, cameras
that were offline, without power, or wrong about the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

from benchmarks._justice_truth import DAY, HOUR, MINUTE, SECOND, Outage, SiteMonth

OUTAGES: Final = 3
"""Times in a month that a camera loses its line for one to ten hours and delivers later; once an
entry or exit also loses its power, for half an hour to three."""
CLOCKS_WRONG: Final = 5
"""In one car park of so many a clock lags by up to a quarter of an hour for two to 24 hours, in
another one it runs ahead."""

HIDDEN: Final = 0.005
"""Passages with the plate hidden: a vehicle close behind another, a trailer, a person."""
WAITS: Final = 0.03
"""Vehicles that stand before the camera and are read again and again."""
TURNS_AWAY: Final = 0.003
"""Vehicles read again a minute later, since they stood where the camera did not see them."""

HEARTBEAT: Final = 60 * SECOND
LAG_SHOWN: Final = 7 * SECOND
"""As the product (`cameras.services`): a heartbeat that says a clock is this far behind quarantines
what the camera sends from then on."""


def looks_again(rng: Random) -> list[timedelta]:
    """When a vehicle is seen again after its first sight, mostly never."""
    chance = rng.random()
    if chance < WAITS:
        return [20 * n * SECOND for n in range(1, 8)]
    return [60 * SECOND] if chance < WAITS + TURNS_AWAY else []


def lay_noise(month: SiteMonth, rng: Random) -> None:
    """Hide, delay and misdate the month's crossings as such cameras would."""
    cameras = [*month.cameras]
    usual = {camera: rng.uniform(-1, 1) * SECOND for camera in cameras}
    month.outages = [
        _outage(month, rng, rng.choice(cameras), rng.uniform(1, 10) * HOUR) for _ in range(OUTAGES)
    ]
    dark = _outage(month, rng, rng.choice(("in", "out")), rng.uniform(0.5, 3) * HOUR)
    wrong: list[tuple[Outage, timedelta]] = []
    for sign, number in ((-1, 0), (1, 1)):
        if month.number % CLOCKS_WRONG == number:
            span = _outage(month, rng, rng.choice(cameras), rng.uniform(2, 24) * HOUR)
            wrong.append((span, sign * rng.uniform(1, 900) * SECOND))

    def clock(camera: str, at: datetime) -> timedelta:
        return usual[camera] + sum((off for span, off in wrong if span.holds(camera, at)), 0 * DAY)

    for crossing in month.crossings:
        crossing.clock = clock(crossing.camera, crossing.at)
        if dark.holds(crossing.camera, crossing.at):
            crossing.hidden = True
        for outage in month.outages:
            if outage.holds(crossing.camera, crossing.at):
                late = rng.uniform(0, 1) * (outage.caught_up - outage.end)
                crossing.delay = outage.end - crossing.at + late
        told = clock(crossing.camera, crossing.at + crossing.delay - HEARTBEAT)
        crossing.lagging = told < -LAG_SHOWN


def _outage(month: SiteMonth, rng: Random, camera: str, length: timedelta) -> Outage:
    start = month.first + rng.uniform(0, (month.last - month.first) / DAY - 2) * DAY
    end = start + length
    return Outage(camera, start, end, end + rng.uniform(1, 20) * MINUTE)
