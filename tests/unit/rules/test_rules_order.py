"""Whatever order reads arrive in, the same visits and verdicts come of them, apart from the reason
`paid-late`, which speaks of what was thought before. By the pure rules; through the services in
tests/integration/scenario.
"""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enforcement.rights.outcomes import Verdict
from enforcement.visits.pairing import pair
from enforcement.visits.passages import debounce
from tests.unit.rules.ruleplay import Played, said
from tests.unit.scenarios import days

seeds = st.integers(0, 2**32)
many = settings(max_examples=150, deadline=None)


def outcome(scenario: dict[str, Any]) -> list[dict[str, Any]]:
    played = Played(scenario)
    if played.kind == "parking":
        lines = [played.visit(place) for place in range(len(played.visits))]
        lines.sort(key=lambda line: str(line["entry"] or line["exit"]))
    else:
        lines = [{"id": name, **said(played.verdicts[name])} for name in sorted(played.reads)]
    for line in lines:
        if line["verdict"] == Verdict.PAID:
            line["reason"] = "paid"
    return lines


@pytest.mark.parametrize("day", [days.car_park, days.gantry, days.zone])
@many
@given(seed=seeds, order=seeds)
def test_the_order_of_arrival_changes_nothing(day: Any, seed: int, order: int) -> None:
    scenario = day(seed)
    scenario["now"] = days.minute(14_500)
    for read in scenario["reads"]:
        read["received_at"] = read["at"]
    straight = outcome(scenario)
    chance = random.Random(order)
    for read in scenario["reads"]:
        read["received_at"] = days.later(read["at"], chance.randint(0, 4 * 86_400))
    chance.shuffle(scenario["reads"])
    assert outcome(scenario) == straight


@many
@given(seed=seeds, order=seeds)
def test_pairing_does_not_look_at_the_order_it_is_given(seed: int, order: int) -> None:
    played = Played(days.car_park(seed))
    reads = list(played.reads.values())
    longest = timedelta(hours=7)
    straight = pair(debounce(reads), now=played.now, max_stay=longest)
    chance = random.Random(order)
    chance.shuffle(reads)
    passages = debounce(reads)
    chance.shuffle(passages)
    assert pair(passages, now=played.now, max_stay=longest) == straight
