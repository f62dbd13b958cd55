"""Everything the judge, a case or an alert can say has a word, a tone and an icon."""

from pathlib import Path

import pytest

from dashboard import wording
from enforcement.cases.models import Case
from enforcement.cases.reasons import FOR_STEP, words
from enforcement.cases.selectors import QUEUES
from enforcement.rights.outcomes import Reason, Verdict
from enforcement.watchlist.models import Alert
from inference.results import REASONS

STATIC = Path(__file__).resolve().parents[3] / "static" / "platewarden"
ALL_SHOWN = [
    *wording.VERDICTS.values(),
    wording.NOT_JUDGED,
    *wording.CASE_STATES.values(),
    *wording.CERTAINTIES.values(),
    *wording.CAMERA_STATES.values(),
]


def test_nothing_is_without_words() -> None:
    assert set(wording.VERDICTS) == set(Verdict)
    assert set(wording.REASONS) == set(Reason)
    assert set(wording.REFUSALS) == set(REASONS)
    assert set(wording.CASE_STATES) == set(Case.State.values)
    assert set(wording.CERTAINTIES) == set(Alert.Certainty.values)
    assert set(wording.CASE_QUEUES) == set(QUEUES)


def test_every_reason_of_a_step_has_words_and_fits_its_column() -> None:
    for to, codes in FOR_STEP.items():
        assert to in Case.State.values
        for code in codes:
            assert words(code)
            assert len(code) <= Case._meta.get_field("decision_reason").max_length
    assert words("no such reason") == ""


@pytest.mark.parametrize("shown", ALL_SHOWN, ids=lambda shown: shown.label)
def test_tone_and_icon_exist(shown: wording.Shown) -> None:
    css = (STATIC / "app.css").read_text()
    icons = (STATIC / "icons.svg").read_text()
    assert f".badge--{shown.tone} {{" in css or shown.tone == "none"
    assert f'<symbol id="{shown.icon}"' in icons


def test_a_refusal_without_words_is_called_by_its_name() -> None:
    assert wording.refusal("too-small") == "too small"
    assert wording.refusal("odd-old-reason") == "odd old reason"


def test_certainties_differ_by_more_than_colour() -> None:
    exact, possible = wording.CERTAINTIES["exact"], wording.CERTAINTIES["possible"]
    assert exact.label != possible.label
    assert exact.icon != possible.icon
