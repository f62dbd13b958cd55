"""The small pieces of pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory

from core.errors import BadInput
from dashboard import purposes
from dashboard.templatetags import dashboard as tags

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_points_takes_both_forms_of_a_quad() -> None:
    flat = [1, 2, 3, 4, 5, 6, 7, 8.25]
    nested = [[1, 2], [3, 4], [5, 6], [7, 8.25]]
    assert tags.points(flat) == tags.points(nested) == "1.0,2.0 3.0,4.0 5.0,6.0 7.0,8.2"
    assert tags.points(None) == ""


def test_char_bars_say_in_words_what_they_draw() -> None:
    drawn = tags.char_bars("A0", [0.99, 0.5])
    assert 'aria-label="Score of each character: A 99 percent, 0 50 percent"' in drawn
    assert tags.char_bars("A0", [0.99]) == ""


def test_a_score_is_never_rounded_up_to_certainty() -> None:
    assert "99 %" in tags.score_bar(0.999)
    assert "100 %" in tags.score_bar(1.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (-3, "0 s ago")]
)
def test_ago(seconds: int, words: str) -> None:
    assert tags.ago(NOW - timedelta(seconds=seconds), NOW) == words
    assert tags.ago(None, NOW) == "never"


class Session(dict):  # type: ignore[type-arg]
    """A session as a dictionary."""


def request_with_session() -> object:
    request = RequestFactory().get("/")
    request.session = Session()  # type: ignore[assignment]
    return request


def test_a_shift_lasts_eight_hours() -> None:
    request = request_with_session()
    purposes.shift_begin(request, code="monitoring", case_ref="", now=NOW)
    before, after = timedelta(hours=7, minutes=59), timedelta(hours=8)
    assert purposes.shift(request, NOW + before).code == "monitoring"
    assert purposes.shift(request, NOW + after) is None


@pytest.mark.parametrize(
    ("code", "ref", "error"),
    [
        ("", "", "purpose_required"),
        ("curiosity", "", "purpose_required"),
        ("pipeline", "", "purpose_required"),  # a stage's, not a person's
        ("subject-access", "  ", "case_required"),
    ],
)
def test_a_purpose_has_no_default(code: str, ref: str, error: str) -> None:
    request = request_with_session()
    with pytest.raises(BadInput) as caught:
        purposes.shift_begin(request, code=code, case_ref=ref, now=NOW)
    assert caught.value.code == error
    assert purposes.shift(request, NOW) is None


def test_a_session_keeps_only_the_latest_looks() -> None:
    import uuid

    request, ids = request_with_session(), [uuid.UUID(int=n) for n in range(60)]
    for row_id in ids:
        purposes.look_begin(request, "read", row_id, code="monitoring", case_ref="", now=NOW)
    assert purposes.look(request, "read", ids[0], NOW) is None
    assert purposes.look(request, "read", ids[-1], NOW).code == "monitoring"
    assert purposes.look(request, "case", ids[-1], NOW) is None
