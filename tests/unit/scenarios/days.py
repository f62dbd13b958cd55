"""Random days at a site, as scenarios: plates near each other on purpose, late reads, doubts."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

# equal up to classes, one slip away, two slips away, far
PLATES = ("1AB2345", "1A82345", "1AB2346", "1AB2354", "1AB2366", "7XY9012", "7XY9O12", "5KL7777")
DAY = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday

Scenario = dict[str, Any]


def minute(number: int) -> str:
    """A minute of the day."""
    return (DAY + timedelta(minutes=number)).isoformat()


def later(instant: str, seconds: float) -> str:
    """An instant some seconds after another."""
    return (datetime.fromisoformat(instant) + timedelta(seconds=seconds)).isoformat()


def car_park(seed: int) -> Scenario:
    """A car park with payments, permits and exemptions; some cameras silent, some clocks ahead."""
    chance = random.Random(seed)
    # two reads of different vehicles never share a view: which frames show one vehicle is a
    # matter of what the reader says of its characters, which no scenario has
    free = list(range(360, 1080, 3))
    chance.shuffle(free)
    reads: list[dict[str, Any]] = []
    for n in range(chance.randint(2, 14)):
        at = minute(free.pop())
        read = {
            "id": f"r{n}",
            "camera": chance.choice(["in", "in", "in", "out", "out", "out", "road"]),
            "at": at,
            "received_at": later(at, chance.choice([0, 0, 1, -2, -3, 3600, 7200])),
            "plate": chance.choice(PLATES),
            "country": _country(chance),
            "confidence": chance.choice([0.97, 0.97, 0.97, 0.8, 0.6]),
        }
        reads.append(read)
        if chance.random() < 0.2:
            again = later(at, chance.choice([5, 45, 46]))
            reads.append(read | {"id": f"r{n}b", "at": again, "received_at": again})
    return {
        "name": f"car park {seed}",
        "now": minute(chance.choice([900, 1100, 1440, 2880])),
        "site": {
            "kind": "parking",
            "timezone": "UTC",
            "max_stay_min": chance.choice([420, 1440]),
            "suspended": chance.random() < 0.1,
            "cameras": [
                {"id": "in", "role": "entry"},
                {"id": "out", "role": "exit"},
                {"id": "road", "role": "passing"},
            ],
        },
        "rights": _car_park_rights(chance),
        "reads": reads,
        "heartbeats": [
            {"camera": name, "through": minute(chance.choice([700, 900, 1100, 1440]))}
            for name in ("in", "out", "road")
            if chance.random() < 0.9
        ]
        if chance.random() < 0.3
        else [],
    }


def _country(chance: random.Random) -> str | None:
    return chance.choice(["CZ", "CZ", "CZ", "SK", None])


def _car_park_rights(chance: random.Random) -> list[dict[str, Any]]:
    rights: list[dict[str, Any]] = []
    versions: dict[str, int] = {}
    for n in range(chance.randint(0, 6)):
        start, end = sorted(chance.randint(360, 1080) for _ in range(2))
        about = {"from": minute(start), "to": minute(end), "plate": chance.choice(PLATES)}
        if chance.random() < 0.5:
            about["known_at"] = minute(chance.randint(360, 1080))
        country = _country(chance)
        if country:
            about["country"] = country
        kind = chance.random()
        if kind < 0.7:
            name = chance.choice("abc")
            versions[name] = versions.get(name, 0) + 1
            rights.append({"kind": "payment", "id": name, "version": versions[name], **about})
        elif kind < 0.9:
            about["plates"] = sorted({about.pop("plate"), chance.choice(PLATES)})
            places = chance.choice([1, 1, 2])
            rights.append({"kind": "permit", "id": f"p{n}", "max_present": places, **about})
        else:
            rights.append({"kind": "exemption", "id": f"x{n}", **about})
    return rights


def _road_reads(chance: random.Random, days: int) -> list[dict[str, Any]]:
    reads = []
    for n in range(chance.randint(1, 8)):
        at = minute(chance.randint(0, days * 1440))
        read = {
            "id": f"r{n}",
            "camera": "gantry",
            "at": at,
            "received_at": later(at, chance.choice([0, 0, 1, -2, -3, 3600, 90000])),
            "plate": chance.choice(PLATES),
            "country": _country(chance),
            "confidence": chance.choice([0.97, 0.97, 0.97, 0.8, 0.6]),
        }
        if chance.random() < 0.2:
            read["category"] = chance.choice(["motorcycle", "electric", "over-3.5t"])
        reads.append(read)
    return reads


def gantry(seed: int) -> Scenario:
    """A vignette road of one of the four schemes, over four days."""
    chance = random.Random(seed)
    scheme = chance.choice(["CZ", "SK", "AT", "HU"])
    rights: list[dict[str, Any]] = []
    for n in range(chance.randint(0, 6)):
        right = {
            "kind": "vignette",
            "id": f"v{n}",
            "scheme": scheme if chance.random() < 0.9 else "SK",
            "product": chance.choice(["1-day", "1-day", "10-day", "month", "annual"]),
            "plate": chance.choice(PLATES),
            "category": chance.choice(["car", "car", "car", "motorcycle"]),
            "first_day": f"2026-03-0{chance.randint(1, 5)}",
            "year": 2026,
        }
        if country := _country(chance):
            right["country"] = country
        if chance.random() < 0.6:
            right["known_at"] = minute(chance.randint(0, 4000))
        rights.append(right)
    return {
        "name": f"gantry {seed}",
        "now": minute(chance.choice([2880, 8000])),
        "site": {
            "kind": "vignette",
            "scheme": scheme,
            "timezone": "Europe/Prague",
            "suspended": chance.random() < 0.1,
            "cameras": [{"id": "gantry", "role": "passing"}],
        },
        "rights": [right for right in rights if _is_bought_in_time(right)],
        "reads": _road_reads(chance, 4),
    }


def _is_bought_in_time(right: dict[str, Any]) -> bool:
    """One bought after its end is refused by the product; rules alone take it for empty."""
    known_at = right.get("known_at")
    return known_at is None or right["product"] != "1-day" or known_at[:10] < right["first_day"]


def zone(seed: int) -> Scenario:
    """A charging zone over six days, its hours and holidays at random."""
    chance = random.Random(seed)
    rights: list[dict[str, Any]] = []
    for n in range(chance.randint(0, 6)):
        right = {
            "kind": "zone-payment",
            "id": f"z{n}",
            "plate": chance.choice(PLATES),
            "day": f"2026-03-0{chance.randint(1, 7)}",
        }
        if country := _country(chance):
            right["country"] = country
        if chance.random() < 0.6:
            right["known_at"] = minute(chance.randint(0, 10_000))
        rights.append(right)
    return {
        "name": f"zone {seed}",
        "now": minute(chance.choice([4000, 7000, 14_000])),
        "site": {
            "kind": "zone",
            "timezone": "Europe/London",
            "suspended": chance.random() < 0.1,
            "window": {
                "days": [1, 2, 3, 4, 5],
                "from": chance.choice(["00:00", "07:00", "22:00"]),
                "to": chance.choice(["24:00", "18:00", "06:00"]),
                "holidays": ["2026-03-04"],
                "pay_until": f"P{chance.randint(0, 3)}D midnight",
            },
            "cameras": [{"id": "gantry", "role": "passing"}],
        },
        "rights": rights,
        "reads": _road_reads(chance, 6),
    }
