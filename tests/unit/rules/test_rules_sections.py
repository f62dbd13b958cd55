"""Section control: only a speed that is certain accuses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enforcement.rights.facts import END, Reading, Right, RuleError, SiteRules, SiteState
from enforcement.rights.outcomes import CaseState, RightKind, VisitStatus, case_state
from enforcement.rights.sections import Section, judge_section
from enforcement.rights.stays import Stay

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DATA = {"metres": 2000, "limits": {"car": 80, "truck": 60}, "tolerance": 3, "clock_s": 0.5}


def judged(
    seconds: float,
    *,
    data: dict[str, Any] | None = None,
    status: VisitStatus = VisitStatus.COMPLETE,
    rights: tuple[Right, ...] = (),
    heard: datetime = END,
    suspended: bool = False,
    fuzzy: bool = False,
    exit_category: str | None = None,
    **reading: Any,
) -> tuple[str, str | None, str | None]:
    first = Reading(**{"text": "1AB2345", "country": "CZ", "confidence": 0.97, **reading})
    last = Reading(
        first.text, first.country, first.confidence, category=exit_category or first.category
    )
    end = AT + timedelta(seconds=seconds)
    found = judge_section(
        Stay("v", status, AT, end, (first, last), fuzzy=fuzzy),
        section=Section.from_data({**DATA, **(data or {})}),
        rights=rights,
        rules=SiteRules(),
        state=SiteState(heard, heard, suspended=suspended),
        now=end + timedelta(hours=1),
    )
    case = case_state(found)
    return found.verdict.value, found.reason, case.value if case else None


FAST = ("too-fast", "average-speed", CaseState.CANDIDATE.value)
SLOW = ("compliant", "within-limit", None)


def test_the_tolerance_and_both_clocks_are_the_drivers() -> None:
    # 84 km/h over 2000 m take 85.714 s; two clocks of half a second each hide one second
    assert judged(2000 / (84 / 3.6) - 1.001) == FAST
    assert judged(2000 / (84 / 3.6) - 0.99) == SLOW  # 83.9…: 83 is all that is certain
    assert judged(2000 / (84 / 3.6) - 1.001, data={"clock_s": 0.6}) == SLOW


def test_above_a_hundred_the_tolerance_is_in_per_cent() -> None:
    data = {"limits": {"car": 130}, "clock_s": 0}
    # 130 + 3 % is 133.9: 133 is within, 134 is not
    assert judged(2000 / (133 / 3.6), data=data) == SLOW
    assert judged(2000 / (134 / 3.6), data=data) == FAST
    data = {"limits": {"car": 100}, "clock_s": 0}
    assert judged(2000 / (103 / 3.6), data=data) == SLOW
    assert judged(2000 / (104 / 3.6), data=data) == FAST


def test_each_category_has_its_limit_and_an_unnamed_one_the_highest() -> None:
    seconds = 2000 / (70 / 3.6)
    assert judged(seconds) == SLOW
    assert judged(seconds, category="truck") == FAST
    assert judged(seconds, category="hearse") == SLOW
    assert judged(seconds, category="truck", exit_category="car") == SLOW


def test_what_was_not_seen_whole_is_nothing() -> None:
    assert judged(10, status=VisitStatus.EXPIRED) == ("none", "inferred-end", None)
    assert judged(10, status=VisitStatus.EXIT_MISSED) == ("none", "inferred-end", None)
    assert judged(10, status=VisitStatus.OPEN)[:2] == ("pending", None)


@pytest.mark.parametrize(
    ("doubt", "said"),
    [
        ({"fuzzy": True}, ("review", "fuzzy-pairing", "review")),
        ({"confidence": 0.79}, ("review", "low-confidence", "review")),
        ({"country": None}, ("review", "country-unknown", "review")),
        ({"heard": AT}, ("pending", "awaiting-camera", None)),
        ({"suspended": True}, ("too-fast", "site-suspended", None)),
    ],
)
def test_the_same_doubts_stand_before_it_as_before_an_unpaid_stay(
    doubt: dict[str, Any], said: tuple[str, str, str | None]
) -> None:
    assert judged(30, **doubt) == said


def test_an_exemption_of_this_very_plate_over_the_whole_way_exempts() -> None:
    def right(plate: str = "1AB2345", **more: Any) -> Right:
        return Right("x", RightKind.EXEMPTION, (plate,), **more)

    assert judged(30, rights=(right(),)) == ("exempt", "exemption", None)
    assert judged(30, rights=(right("1AB2346"),)) == FAST
    assert judged(30, rights=(right("IAB2345"),)) == FAST
    assert judged(30, rights=(right(country="SK"),)) == FAST
    assert judged(30, rights=(right(start=AT + timedelta(seconds=1)),)) == FAST
    assert judged(30, rights=(right(end=AT + timedelta(seconds=30)),)) == FAST
    permit = Right("p", RightKind.PERMIT, ("1AB2345",))
    assert judged(30, rights=(permit,)) == FAST


@pytest.mark.parametrize(
    "data",
    [
        {"metres": 0},
        {"metres": "far"},
        {"metres": float("nan")},
        {"limits": {}},
        {"limits": {"car": 0}},
        {"limits": [80]},
        {"tolerance": -1},
        {"clock_s": -1},
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(RuleError) as caught:
        Section.from_data({**DATA, **data})
    assert caught.value.code == "section-malformed"
