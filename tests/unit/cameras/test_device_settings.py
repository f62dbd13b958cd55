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


def there(name: str, value: Any) -> Any:
    """What the agent makes of a value; for a refusal, the setting it blames."""
    try:
        return getattr(parse_settings({name: value}), name)
    except SettingsError as error:
        return f"refused: {error.field}"


def here(name: str, value: Any) -> Any:
    """What the server makes of it."""
    try:
        made = checked({name: value})[name]
    except BadInput as error:
        return f"refused: {error.field}"
    if isinstance(made, list):
        return tuple(tuple(one) if isinstance(one, list) else one for one in made)
    return made


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_taken_here_is_taken_there(name: str) -> None:
    answers = [(value, here(name, value), there(name, value)) for value in tried(SETTINGS[name])]
    assert [one for one in answers if one[1] != one[2]] == []
    refused = {answer for _, answer, _ in answers if str(answer).startswith("refused")}
    assert refused == {f"refused: {name}"}
    assert any(answer not in refused for _, answer, _ in answers)


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
