"""The shipped scenarios: each says why, and the page lists what is there."""

import json
from pathlib import Path

import pytest

from scenarios.catalogue import GROUPS, PAGE, RULES, page

FILES = sorted(RULES.glob("*/*.json"))


def test_the_page_lists_the_scenarios_as_they_are() -> None:
    assert PAGE.read_text() == page(), "run: .venv/bin/python -m scenarios.catalogue"


def test_every_group_has_scenarios() -> None:
    assert {path.parent.name for path in FILES} == GROUPS.keys()
    assert len(FILES) >= 60


def test_no_two_have_one_name() -> None:
    names = [json.loads(path.read_text())["name"] for path in FILES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_scenario_says_why_and_expects_every_read_it_plays(path: Path) -> None:
    scenario = json.loads(path.read_text())
    expect = scenario["expect"]
    assert scenario["why"].endswith(".")
    assert list(expect) == ["name", "visits", "reads", "cases", "alerts"]
    assert expect["name"] == scenario["name"]
    played = {read["id"] for read in scenario["reads"]}
    assert {read["id"] for read in expect["reads"]} <= played
    named = {one for case in expect["cases"] for one in case["reads"]}
    assert named <= played


def test_a_folder_without_heading_is_told(tmp_path: Path) -> None:
    (tmp_path / "unheard-of").mkdir()
    with pytest.raises(KeyError, match="unheard-of"):
        page(tmp_path)
