"""What the server lets a person set is what the agent takes: names, defaults, bounds."""

import math
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

import pytest

from cameras.device_settings import SETTINGS, Setting, checked
from core.errors import BadInput
from edge.settings import Settings, SettingsError, parse_settings

CORNERS = [[0.1, 0.4], [0.9, 0.4], [1, 1], [0, 1.0]]


def test_the_agent_has_the_same_settings_and_defaults() -> None:
    agents = {one.name for one in fields(Settings)}
    assert set(SETTINGS) == agents - {"version"}
    own = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(Settings()).items()}
    assert {"version": 0, **checked({})} == own


def tried(one: Setting) -> Iterator[Any]:
    """Values at the edges of a setting's range, just outside it, and of wrong types."""
    yield from (None, "", "1AB2345", [], {}, True, False, 0, 1, 0.5, math.nan, math.inf, [0.5])
    yield from (one.low, one.high, one.low - 1, one.high + 1, one.high + 1e-6, one.low - 1e-6)
    yield from (int(one.low), int(one.high), int(one.high) + 1, int(one.low) - 1)
    yield from (value for value, _ in one.words)
    yield from (CORNERS, CORNERS[:2], CORNERS[:3], [[0, 0, 0]] * 3, [[0, 2]] * 3, [["x", 0]] * 3)
    yield from (["CZ", "SK"], ["CZ", 7], "CZ")


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_taken_here_is_taken_there(name: str) -> None:
    taken = 0
    for value in tried(SETTINGS[name]):
        try:
            there: Any = getattr(parse_settings({name: value}), name)
        except SettingsError as error:
            assert error.field == name
            there = None
        try:
            here: Any = checked({name: value})[name]
        except BadInput as error:
            assert error.field == name
            here = None
        if isinstance(here, list):
            here = tuple(tuple(one) if isinstance(one, list) else one for one in here)
        assert here == there, value
        taken += here is not None
    assert taken


def test_what_nobody_reads_is_refused() -> None:
    for raw, field in (({"version": 3}, "settings.version"), ({"moed": "auto"}, "settings.moed")):
        with pytest.raises(BadInput) as caught:
            checked(raw)
        assert (caught.value.code, caught.value.field) == ("unknown_field", field)


def test_countries_are_countries() -> None:
    """The agent takes any well-formed code; a person who mistypes one is told."""
    assert checked({"regions": ["cz", "SK"]})["regions"] == ["CZ", "SK"]
    with pytest.raises(BadInput):
        checked({"regions": ["XX"]})
