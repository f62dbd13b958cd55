"""Lawful drivers, as hypothesis makes them up: none of them may become a candidate."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rules.ruleplay import Played, car_park, payment, read

PLATES = ("AB12CDE", "AB12CDF", "XY34ZZZ", "HH77HHH")
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def clock(minute: float) -> str:
    return (MIDNIGHT + timedelta(minutes=minute)).isoformat()


def candidates(played: Played) -> list[dict[str, Any]]:
    visits = [played.visit(n) for n in range(len(played.visits))]
    return [visit for visit in visits if visit["case"] == "candidate"]


@st.composite
def lawful_days(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Reads and rights of vehicles that each came a few times and paid each time, or turned round.

    Up to one read of each vehicle got lost; clocks are right and texts are read as they are.
    """
    reads: list[dict[str, Any]] = []
    rights: list[dict[str, Any]] = []
    for plate in draw(st.lists(st.sampled_from(PLATES), unique=True, min_size=1)):
        minute = draw(st.integers(0, 300))
        own = []
        for n in range(draw(st.integers(1, 4))):
            length = draw(st.integers(1, 240))
            start, end = minute, minute + length
            own.append(read(f"{plate}{n}in", "in", clock(start), plate))
            own.append(read(f"{plate}{n}out", "out", clock(end), plate))
            if length > 5 or draw(st.booleans()):
                thinking = draw(st.integers(0, min(5, length)))
                beyond = draw(st.integers(-(15 - thinking), 30))
                until = max(start + thinking + 1, end + beyond)
                known = clock(draw(st.integers(start, 2800)))
                rights.append(
                    payment(
                        f"{plate}{n}", plate, clock(start + thinking), clock(until), known_at=known
                    )
                )
            minute = end + draw(st.integers(2, 300))
        lost = draw(st.none() | st.integers(0, len(own) - 1))
        reads += [one for n, one in enumerate(own) if n != lost]
    return reads, rights


@given(lawful_days())
@settings(deadline=None, max_examples=200)
def test_a_lawful_day_makes_no_candidate_though_reads_get_lost(
    day: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    reads, rights = day
    assert candidates(car_park(reads, rights, now=clock(3000))) == []


@given(lawful_days(), st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_arrives_late_changes_nothing_but_paid_late(
    day: tuple[list[dict[str, Any]], list[dict[str, Any]]], data: st.DataObject
) -> None:
    reads, rights = day
    late = [
        {**one, "received_at": clock(data.draw(st.integers(2000, 2900), label=one["id"]))}
        for one in reads
    ]

    def final(played: Played) -> list[dict[str, Any]]:
        visits = [played.visit(n) for n in range(len(played.visits))]
        return [
            {**visit, "reason": visit["reason"].replace("paid-late", "payment")}
            if visit["reason"]
            else visit
            for visit in visits
        ]

    in_time = final(car_park(reads, rights, now=clock(3000)))
    assert final(car_park(late[::-1], rights[::-1], now=clock(3000))) == in_time


@given(st.integers(6, 600), st.sampled_from(PLATES))
def test_who_never_pays_is_found(length: int, plate: str) -> None:
    reads = [read("a", "in", clock(0), plate), read("b", "out", clock(length), plate)]
    assert len(candidates(car_park(reads, now=clock(3000)))) == 1


SPEC_EXAMPLE = {
    "name": "double dip",
    "now": "2026-03-02T12:00:00+00:00",
    "site": {
        "timezone": "Europe/London",
        "kind": "parking",
        "confidence_floor": 0.80,
        "suspended": False,
        "consideration_min": 5,
        "grace_min": 10,
        "max_stay_min": 1440,
        "cameras": [{"id": "in", "role": "entry"}, {"id": "out", "role": "exit"}],
    },
    "rights": [
        {
            "kind": "payment",
            "id": "p1",
            "version": 1,
            "known_at": "2026-03-01T09:05:00+00:00",
            "plate": "AB12CDE",
            "country": "GB",
            "from": "2026-03-01T09:00:00+00:00",
            "to": "2026-03-01T11:00:00+00:00",
        },
        {
            "kind": "permit",
            "id": "staff",
            "plates": ["AA11AAA", "BB22BBB"],
            "max_present": 1,
            "from": "2026-01-01T00:00:00+00:00",
            "to": "2027-01-01T00:00:00+00:00",
        },
        {"kind": "exemption", "id": "x1", "plate": "EM3RGCY", "reason": "emergency"},
    ],
    "heartbeats": [{"camera": "in", "through": "2026-03-02T11:59:00+00:00"}],
}


@pytest.mark.parametrize(
    ("exits", "expected"),
    [
        ([], {"status": "expired", "verdict": "none", "reason": "inferred-end"}),
        (["2026-03-01T10:50:00+00:00"], {"status": "complete", "verdict": "paid", "right": "p1"}),
        (
            ["2026-03-01T10:50:00+00:00", "2026-03-01T17:00:00+00:00"],
            {"exit": "x0", "verdict": "paid"},
        ),
    ],
)
def test_the_specifications_own_example(exits: list[str], expected: dict[str, Any]) -> None:
    entry = {
        "id": "r1",
        "camera": "in",
        "at": "2026-03-01T09:00:00+00:00",
        "received_at": "2026-03-01T09:00:01+00:00",
        "plate": "AB12CDE",
        "country": "GB",
        "confidence": 0.98,
    }
    reads = [entry]
    reads += [
        {**entry, "id": f"x{n}", "camera": "out", "at": at, "received_at": at}
        for n, at in enumerate(exits)
    ]
    played = Played({**SPEC_EXAMPLE, "reads": reads})
    assert len(played.visits) == 1
    assert expected.items() <= played.visit().items()
