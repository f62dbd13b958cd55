"""The shipped scenarios through the pure rules alone: what was worked out by hand comes out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rules.ruleplay import Played, said

RULES = Path(__file__).parents[3] / "scenarios" / "rules"
FILES = sorted(RULES.glob("*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_rules_say_what_the_scenario_expects(path: Path) -> None:
    scenario = json.loads(path.read_text())
    expect = scenario["expect"]
    played = Played(scenario)
    visits = [played.visit(index) for index in range(len(played.visits))]
    states = [visit.pop("case") for visit in visits]
    assert visits == expect["visits"]
    if played.kind == "parking":
        assert [state for state in states if state] == [one["state"] for one in expect["cases"]]
    else:
        assert [_read(played, id) for id in played.reads] == expect["reads"]


def _read(played: Played, id: str) -> dict[str, Any]:
    judged = said(played.verdicts[id])
    del judged["case"]
    return {"id": id, **judged}
