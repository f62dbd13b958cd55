"""Cases are opened for review by a click that says so, and decided by a person with a reason."""

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditRow
from core.models import User
from enforcement.cases.models import Case
from enforcement.visits.models import VerdictVersion
from tests.integration.dashboard.dashboard_rows import PNG, Rows
from vault.sealing import open_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def looks() -> list[AuditRow]:
    return list(AuditRow.objects.filter(actor_kind="person", purpose="case-review"))


def opened(page: Client, case: Case) -> None:
    answer = page.post(reverse("cases_open", args=[case.pk]))
    assert answer["Location"] == reverse("cases_case", args=[case.pk])


def decide(page: Client, case: Case, **told: str) -> object:
    return page.post(reverse("cases_decide", args=[case.pk]), told)


def test_a_case_is_closed_until_opened_for_review(page: Client, rows: Rows) -> None:
    case = rows.case(shots=2)
    plate = open_text(case, "text")
    shot = case.evidence.first()
    html = page.get(reverse("cases_case", args=[case.pk])).content.decode()
    assert case.number in html
    assert "A parking payment ended 42 minutes before the vehicle left." in html
    assert plate not in html
    assert "evidence/" not in html
    assert page.get(reverse("cases_picture", args=[case.pk, shot.pk])).status_code == 403
    assert looks() == []


def test_opening_states_the_purpose_and_the_case(page: Client, rows: Rows) -> None:
    case = rows.case(shots=2)
    opened(page, case)
    html = page.get(reverse("cases_case", args=[case.pk])).content.decode()
    assert html.count(open_text(case, "text")) >= 3  # the case's, and each piece of evidence's
    assert 'class="quad" points="100.0,100.0 300.0,100.0' in html
    assert "Score of each character" in html
    assert {row.case_ref for row in looks()} == {case.number}
    assert len(looks()) == 3  # one per plate
    shot = case.evidence.first()
    for which in ("cases_picture", "cases_crop"):
        assert page.get(reverse(which, args=[case.pk, shot.pk])).content == PNG
    assert [row.action for row in looks()][-2:] == ["picture", "picture"]


def test_opening_one_case_opens_no_other(page: Client, rows: Rows) -> None:
    one, other = rows.case(), rows.case()
    opened(page, one)
    assert (
        open_text(other, "text")
        not in page.get(reverse("cases_case", args=[other.pk])).content.decode()
    )
    mixed = reverse("cases_picture", args=[one.pk, other.evidence.first().pk])
    assert page.get(mixed).status_code == 404


@pytest.mark.parametrize(
    ("decision", "reason", "state"),
    [("confirm", "evidence-complete", "confirmed"), ("dismiss", "misread", "dismissed")],
)
def test_a_decision_says_who_and_why_and_leads_to_the_next_case(
    page: Client, rows: Rows, operator: User, decision: str, reason: str, state: str
) -> None:
    case, following = rows.case(), rows.case(state="review", verdict="review")
    opened(page, case)
    answer = decide(page, case, decision=decision, reason=reason, note="looked twice")
    assert answer["Location"] == reverse("cases_case", args=[following.pk])
    case.refresh_from_db()
    assert (case.state, case.decision_reason, case.decided_by) == (state, reason, operator)
    assert case.decision_note == "looked twice"


def test_the_last_case_leads_back_to_the_queue(page: Client, rows: Rows) -> None:
    case = rows.case()
    opened(page, case)
    answer = decide(page, case, decision="dismiss", reason="goodwill")
    assert answer["Location"] == reverse("cases")


@pytest.mark.parametrize("decision", ["confirm", "dismiss"])
@pytest.mark.parametrize("reason", ["", "because"])
def test_no_decision_without_a_reason_of_the_list(
    page: Client, rows: Rows, decision: str, reason: str
) -> None:
    case = rows.case()
    opened(page, case)
    answer = decide(page, case, decision=decision, reason=reason, note="kept")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert 'value="kept"' in answer.content.decode()
    case.refresh_from_db()
    assert case.state == "candidate"


def test_nobody_decides_what_they_did_not_look_at(page: Client, rows: Rows) -> None:
    case = rows.case()
    decide(page, case, decision="confirm", reason="evidence-complete")
    case.refresh_from_db()
    assert case.state == "candidate"


def test_a_decided_case_is_not_decided_again(page: Client, rows: Rows) -> None:
    case = rows.case()
    opened(page, case)
    decide(page, case, decision="dismiss", reason="goodwill")
    answer = decide(page, case, decision="confirm", reason="evidence-complete")
    assert answer.status_code == 409
    case.refresh_from_db()
    assert case.state == "dismissed"


def test_a_case_whose_verdict_turned_meanwhile_is_not_confirmed(page: Client, rows: Rows) -> None:
    case = rows.case()
    opened(page, case)
    VerdictVersion.objects.filter(pk=case.verdict_id).update(verdict="paid", reason="paid-late")
    answer = decide(page, case, decision="confirm", reason="evidence-complete")
    assert answer.status_code == 409
    assert "The verdict has changed since" in answer.content.decode()
    case.refresh_from_db()
    assert case.state == "candidate"


def test_a_confirmed_case_can_still_be_dismissed(page: Client, rows: Rows) -> None:
    case = rows.case()
    opened(page, case)
    decide(page, case, decision="confirm", reason="evidence-complete")
    html = page.get(reverse("cases_case", args=[case.pk])).content.decode()
    assert 'value="dismiss"' in html
    assert 'value="confirm"' not in html
    decide(page, case, decision="dismiss", reason="goodwill")
    case.refresh_from_db()
    assert case.state == "dismissed"


def test_the_queue_shows_open_cases_and_filters(page: Client, rows: Rows) -> None:
    waiting, done = rows.case(), rows.case()
    opened(page, done)
    decide(page, done, decision="dismiss", reason="goodwill")
    queue = page.get(reverse("cases"))
    assert [case.pk for case in queue.context["cases"]] == [waiting.pk]
    dismissed = page.get(reverse("cases"), {"state": "dismissed"})
    assert [case.pk for case in dismissed.context["cases"]] == [done.pk]
    nowhere = page.get(reverse("cases"), {"site": "nowhere"})
    assert nowhere.context["cases"] == []


def test_another_sites_case_is_not_there(page: Client, elsewhere: Rows) -> None:
    case = elsewhere.case()
    shot = case.evidence.first()
    assert page.get(reverse("cases_case", args=[case.pk])).status_code == 404
    assert page.post(reverse("cases_open", args=[case.pk])).status_code == 404
    assert page.get(reverse("cases_picture", args=[case.pk, shot.pk])).status_code == 404
    assert decide(page, case, decision="dismiss", reason="goodwill").status_code == 404
    assert case.number not in page.get(reverse("cases")).content.decode()
