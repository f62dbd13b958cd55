"""The values judgements are made from: what cannot be meant is refused when it is made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enforcement.rights.facts import (
    BEGINNING,
    END,
    Right,
    RuleError,
    SiteRules,
    SiteState,
    is_skewed,
    known,
)
from enforcement.rights.outcomes import (
    CaseState,
    Judgement,
    Reason,
    RightKind,
    Verdict,
    case_state,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def right(**more: Any) -> Right:
    return Right(**{"id": "r", "kind": RightKind.PAYMENT, "plates": ("AB12CDE",), **more})


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"start": NOON, "end": NOON - timedelta(seconds=1)}, "right-ends-before-start"),
        ({"start": NOON.replace(tzinfo=None)}, "right-naive-time"),
        ({"end": NOON.replace(tzinfo=None)}, "right-naive-time"),
        ({"known_at": NOON.replace(tzinfo=None)}, "right-naive-time"),
        ({"healed_from": NOON.replace(tzinfo=None)}, "right-naive-time"),
        ({"plates": ()}, "right-without-plate"),
    ],
)
def test_a_right_that_cannot_be_meant_is_refused_without_its_plate(
    more: dict[str, Any], code: str
) -> None:
    with pytest.raises(RuleError) as refused:
        right(**more)
    assert refused.value.code == code
    assert "AB12" not in str(refused.value)


def test_a_right_says_nothing_it_was_not_told() -> None:
    plain = right()
    assert (plain.start, plain.end, plain.version) == (BEGINNING, END, 1)
    assert right(start=NOON, end=NOON).end == NOON  # empty, and allowed
    assert "AB12" not in repr(plain)


def test_the_defaults_are_the_specifications() -> None:
    rules = SiteRules()
    assert rules.consideration == timedelta(minutes=5)
    assert rules.grace == timedelta(minutes=10)
    assert rules.max_stay == timedelta(minutes=1440)
    assert rules.confidence_floor == 0.80
    assert not SiteState(NOON, NOON).suspended


def test_only_the_newest_known_version_counts() -> None:
    first = right(end=NOON)
    second = right(end=NOON + HOUR, version=2, known_at=NOON)
    repeated = right(end=NOON + 2 * HOUR, version=2, known_at=NOON)
    permit = right(kind=RightKind.PERMIT)
    assert known([second, first], NOON - HOUR) == [first]
    assert known([second, first, repeated], NOON) == [second]
    assert known([first, second], NOON + HOUR) == [second]
    assert known([first, permit], NOON) == [first, permit]  # one id, two kinds: two rights


def test_a_skew_of_exactly_two_seconds_is_none() -> None:
    assert not is_skewed(NOON, NOON)
    assert not is_skewed(NOON + timedelta(seconds=2), NOON)
    assert is_skewed(NOON + timedelta(seconds=2, microseconds=1), NOON)
    assert not is_skewed(NOON, NOON + HOUR)  # late is not skewed


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_what_accuses_and_review_have_a_case(verdict: Verdict) -> None:
    expected = {
        Verdict.UNPAID: CaseState.CANDIDATE,
        Verdict.OVERSTAY: CaseState.CANDIDATE,
        Verdict.TOO_FAST: CaseState.CANDIDATE,
        Verdict.REVIEW: CaseState.REVIEW,
    }
    assert case_state(Judgement(verdict, Reason.NO_RIGHT)) is expected.get(verdict)


def test_a_suspended_site_has_no_case() -> None:
    assert case_state(Judgement(Verdict.UNPAID, Reason.SITE_SUSPENDED)) is None
