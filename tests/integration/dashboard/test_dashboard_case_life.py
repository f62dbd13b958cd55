"""What operators do about cases beyond one decision: many at once, payments, appeals, endings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditRow
from core.models import User
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.models import Case, CaseAppeal, CasePayment, CasePolicy
from enforcement.cases.settling import appeal_open
from tests.integration.cases.lives import ADDRESSEE, issue
from tests.integration.dashboard.dashboard_rows import Rows, person_make
from vault.sealing import open_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def other(rows: Rows) -> User:
    return person_make("otto", (rows.site, "operator"))


def policy(rows: Rows, **changed: Any) -> CasePolicy:
    said: dict[str, Any] = {
        "effective_from": datetime(2020, 1, 1, tzinfo=UTC),
        "currency": "GBP",
        "notice_amount": 10_000,
        "discount_amount": 6_000,
        "scheme": "calendar",
        "discount_days": 14,
        "due_days": 28,
        "appeal_days": 28,
        "payee": "City of Brno",
    }
    return CasePolicy.objects.create(site=rows.site, **(said | changed))


def issued(rows: Rows, by: User) -> Case:
    """A case whose notice is out."""
    policy(rows)
    case = rows.case(shots=2)
    now = timezone.now()
    case_confirm(case_id=case.pk, user=by, reason="plate-checked", now=now)
    return issue(case.pk, by, now)[0]


def opened(page: Client, *cases: Case) -> None:
    for case in cases:
        page.post(reverse("cases_open", args=[case.pk]))


def shown(page: Client, case: Case) -> str:
    return page.get(reverse("cases_case", args=[case.pk])).content.decode()


def told(page: Client, answer: Any) -> str:
    """What the page says that a step led to."""
    return page.get(answer["Location"]).content.decode()


# --- one after another ----------------------------------------------------------------------------


def test_reviewing_one_after_another_opens_the_next_with_each_decision(
    page: Client, rows: Rows, operator: User
) -> None:
    cases = [rows.case() for _ in range(3)]
    answer = page.post(reverse("cases_start"))
    for case, following in zip(cases, [*cases[1:], None], strict=True):
        assert answer["Location"] == reverse("cases_case", args=[case.pk])
        html = shown(page, case)
        assert open_text(case, "text") in html
        assert 'name="onward" data-mirrors="onward" checked' in html
        case.refresh_from_db()
        assert case.taken_by == operator
        answer = page.post(
            reverse("cases_decide", args=[case.pk]),
            {"decision": "dismiss", "reason": "goodwill", "onward": "on"},
        )
        if following is None:
            assert answer["Location"] == reverse("cases")
    looks = AuditRow.objects.filter(actor_kind="person", purpose="case-review", action="view")
    assert {row.case_ref for row in looks} == {case.number for case in cases}


def test_who_unticks_it_gets_the_next_case_closed(page: Client, rows: Rows) -> None:
    case, following = rows.case(), rows.case()
    page.post(reverse("cases_start"))
    page.post(
        reverse("cases_decide", args=[case.pk]), {"decision": "dismiss", "reason": "goodwill"}
    )
    assert open_text(following, "text") not in shown(page, following)


def test_the_next_is_not_one_that_somebody_else_has_open(
    page: Client, rows: Rows, other: User
) -> None:
    case, theirs, free = rows.case(), rows.case(), rows.case()
    Case.objects.filter(pk=theirs.pk).update(
        taken_by=other, taken_until=timezone.now() + timedelta(minutes=10)
    )
    opened(page, case)
    answer = page.post(
        reverse("cases_decide", args=[case.pk]), {"decision": "dismiss", "reason": "goodwill"}
    )
    assert answer["Location"] == reverse("cases_case", args=[free.pk])
    assert "open at otto" in page.get(reverse("cases")).content.decode()
    assert "otto has this case open, too" in shown(page, theirs)


def test_a_second_person_is_asked_for_and_is_somebody_else(
    page: Client, rows: Rows, operator: User, other: User
) -> None:
    policy(rows, four_eyes=True)
    case = rows.case()
    opened(page, case)
    assert "yours is the first" in shown(page, case)
    confirm = {"decision": "confirm", "reason": "plate-checked"}
    answer = page.post(reverse("cases_decide", args=[case.pk]), confirm)
    assert f"Case {case.number} waits for a second person" in told(page, answer)
    html = shown(page, case)
    assert "A second person must confirm it too" in html
    assert 'value="confirm"' not in html
    assert page.post(reverse("cases_decide", args=[case.pk]), confirm).status_code == 409
    heaps = page.get(reverse("cases")).context["heaps"]
    assert ("second", "For a second person", 1) in heaps
    page.force_login(other)
    opened(page, case)
    assert "Your confirmation is the second" in shown(page, case)
    page.post(reverse("cases_decide", args=[case.pk]), confirm)
    case.refresh_from_db()
    assert (case.state, case.vouched_by, case.decided_by) == ("confirmed", operator, other)


# --- many together --------------------------------------------------------------------------------


def together(page: Client, *cases: Case) -> Any:
    return page.post(reverse("cases_together_open"), {"case": [str(case.pk) for case in cases]})


def test_many_are_looked_at_together_and_each_look_is_recorded(page: Client, rows: Rows) -> None:
    cases = [rows.case(shots=2) for _ in range(3)]
    html = told(page, together(page, *cases))
    for case in cases:
        assert open_text(case, "text") in html
        for evidence in case.evidence.all():
            assert reverse("cases_crop", args=[case.pk, evidence.pk]) in html
    looks = AuditRow.objects.filter(actor_kind="person", action="view")
    assert sorted(row.case_ref for row in looks) == sorted(case.number for case in cases)
    assert all(row.tokens == [row.tokens[0]] for row in looks)


@pytest.mark.parametrize(
    ("decision", "reason", "state"),
    [("confirm", "evidence-complete", "confirmed"), ("dismiss", "broken-equipment", "dismissed")],
)
def test_the_ticked_are_decided_the_rest_stays_on_the_page(
    page: Client, rows: Rows, decision: str, reason: str, state: str
) -> None:
    cases = [rows.case() for _ in range(3)]
    together(page, *cases)
    answer = page.post(
        reverse("cases_together_decide"),
        {
            "shown": [str(case.pk) for case in cases],
            "case": [str(case.pk) for case in cases[:2]],
            "decision": decision,
            "reason": reason,
        },
    )
    html = told(page, answer)
    assert f"2 cases {state}." in html
    assert open_text(cases[2], "text") in html
    assert sorted(Case.objects.values_list("state", flat=True)) == sorted(
        [state, state, "candidate"]
    )


def test_what_somebody_else_decided_meanwhile_is_told(
    page: Client, rows: Rows, other: User
) -> None:
    one, two = rows.case(), rows.case()
    together(page, one, two)
    case_dismiss(case_id=one.pk, user=other, reason="goodwill", now=timezone.now())
    ids = [str(one.pk), str(two.pk)]
    answer = page.post(
        reverse("cases_together_decide"),
        {"shown": ids, "case": ids, "decision": "confirm", "reason": "plate-checked"},
    )
    html = told(page, answer)
    assert "1 case confirmed." in html
    assert f"Case {one.number} was left: The case is dismissed already." in html


def test_nothing_is_decided_together_that_was_not_looked_at(page: Client, rows: Rows) -> None:
    case, unseen = rows.case(), rows.case()
    together(page, case)
    ids = [str(case.pk), str(unseen.pk)]
    page.post(
        reverse("cases_together_decide"),
        {"shown": ids, "case": ids, "decision": "confirm", "reason": "plate-checked"},
    )
    unseen.refresh_from_db()
    case.refresh_from_db()
    assert (case.state, unseen.state) == ("confirmed", "candidate")
    # nor by its address alone
    html = page.get(f"{reverse('cases_together')}?case={unseen.pk}").content.decode()
    assert open_text(unseen, "text") not in html


@pytest.mark.parametrize(
    "said",
    [
        {"decision": "confirm", "reason": ""},
        {"decision": "confirm", "reason": "goodwill"},
        {"decision": "dismiss", "reason": "plate-checked"},
        {"decision": "dismiss", "reason": "goodwill", "case": []},
        {"decision": "dismiss", "reason": "goodwill", "case": ["no id"]},
    ],
)
def test_a_wrong_choice_decides_nothing(page: Client, rows: Rows, said: dict[str, Any]) -> None:
    case = rows.case()
    together(page, case)
    answer = page.post(
        reverse("cases_together_decide"),
        {"shown": [str(case.pk)], "case": [str(case.pk)], **said},
    )
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert open_text(case, "text") in answer.content.decode()
    case.refresh_from_db()
    assert case.state == "candidate"


def test_no_more_than_a_page_and_no_other_sites_cases_are_opened_together(
    page: Client, rows: Rows, elsewhere: Rows
) -> None:
    elsewhere.made = 500  # its number is its own
    foreign = elsewhere.case()
    cases = [rows.case(crop=None) for _ in range(21)]
    answer = together(page, foreign, *cases)
    assert answer["Location"].count("case=") == 19  # the first twenty asked for, less the foreign
    assert str(foreign.pk) not in answer["Location"]
    assert together(page, foreign)["Location"] == reverse("cases")


def test_twenty_together_cost_little_more_than_one(
    page: Client, rows: Rows, django_assert_max_num_queries: Any
) -> None:
    cases = [rows.case(crop=None) for _ in range(20)]
    where = together(page, *cases)["Location"]
    with django_assert_max_num_queries(20 + 20 * 12):  # opening a plate appends to the audit chain
        assert page.get(where).status_code == 200


# --- after the notice -----------------------------------------------------------------------------


def test_a_payment_is_recorded_in_the_usual_units(page: Client, rows: Rows, operator: User) -> None:
    case = issued(rows, operator)
    html = shown(page, case)
    assert "£100.00" in html
    assert "£60.00 until" in html
    today = f"{timezone.now().astimezone(rows.site.zone_info):%Y-%m-%d}"
    answer = page.post(
        reverse("cases_pay", args=[case.pk]),
        {"amount": "20,5", "paid_on": today, "reference": "BANK-1"},
    )
    assert "it is a part of it" in told(page, answer)
    answer = page.post(
        reverse("cases_pay", args=[case.pk]),
        {"amount": "39.50", "paid_on": today, "reference": "BANK-2"},
    )
    html = told(page, answer)
    assert "it settles the notice" in html
    assert "£20.50" in html
    case.refresh_from_db()
    assert case.state == "paid"
    assert sorted(CasePayment.objects.values_list("amount", flat=True)) == [2_050, 3_950]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "sixty"},
        {"amount": ""},
        {"amount": "0"},
        {"amount": "9" * 40},
        {"amount": "60.005"},
        {"paid_on": "yesterday"},
        {"paid_on": "2000-01-01"},
        {"paid_on": "2999-01-01"},
        {"reference": ""},
        {"reference": "x" * 65},
    ],
)
def test_a_payment_that_makes_no_sense_is_told_and_kept_in_the_form(
    page: Client, rows: Rows, operator: User, wrong: dict[str, str]
) -> None:
    case = issued(rows, operator)
    today = f"{timezone.now().astimezone(rows.site.zone_info):%Y-%m-%d}"
    said = {"amount": "60", "paid_on": today, "reference": "BANK-1", **wrong}
    answer = page.post(reverse("cases_pay", args=[case.pk]), said)
    html = answer.content.decode()
    assert answer.status_code == 400
    assert html.count('role="alert"') == 1
    assert 'aria-invalid="true"' in html
    assert f'value="{said["amount"]}"' in html or said["amount"] == ""
    assert not CasePayment.objects.exists()


def test_an_appeal_is_taken_down_and_answered(page: Client, rows: Rows, operator: User) -> None:
    case = issued(rows, operator)
    answer = page.post(
        reverse("cases_appeal", args=[case.pk]),
        {"through": "letter", "text": "I was <b>in hospital</b>.", "contact": "Mill Lane 1"},
    )
    assert "the times to pay stand still" in told(page, answer)
    html = shown(page, case)
    assert "in hospital" not in html
    grant = {"decision": "grant", "reason": "emergency"}
    assert page.post(reverse("cases_answer", args=[case.pk]), grant).status_code == 403
    opened(page, case)
    html = shown(page, case)
    assert "I was &lt;b&gt;in hospital&lt;/b&gt;." in html
    assert "Mill Lane 1" in html
    assert (
        page.post(
            reverse("cases_answer", args=[case.pk]), {"decision": "uphold", "reason": "emergency"}
        ).status_code
        == 400
    )
    answer = page.post(reverse("cases_answer", args=[case.pk]), grant)
    assert "The appeal is granted" in told(page, answer)
    case.refresh_from_db()
    assert (case.state, CaseAppeal.objects.get().outcome) == ("cancelled", "cancelled")


@pytest.mark.parametrize(
    "wrong",
    [
        {"through": ""},
        {"through": "owl"},
        {"through": "page"},
        {"text": "  "},
        {"text": "x" * 10_001},
    ],
)
def test_an_appeal_without_words_or_way_is_refused(
    page: Client, rows: Rows, operator: User, wrong: dict[str, str]
) -> None:
    case = issued(rows, operator)
    said = {"through": "letter", "text": "No.", "contact": "", **wrong}
    answer = page.post(reverse("cases_appeal", args=[case.pk]), said)
    assert answer.status_code == 400
    assert answer.content.decode().count('role="alert"') == 1
    assert not CaseAppeal.objects.exists()


@pytest.mark.parametrize(
    ("decision", "reason", "state"),
    [("cancel", "goodwill", "cancelled"), ("write-off", "untraceable", "written-off")],
)
def test_a_notice_is_taken_back_or_given_up(
    page: Client, rows: Rows, operator: User, decision: str, reason: str, state: str
) -> None:
    case = issued(rows, operator)
    where = reverse("cases_end", args=[case.pk])
    assert page.post(where, {"decision": decision, "reason": ""}).status_code == 400
    answer = page.post(where, {"decision": decision, "reason": reason, "note": "twice sent"})
    assert "“twice sent”" in told(page, answer)
    case.refresh_from_db()
    assert case.state == state
    assert page.post(where, {"decision": decision, "reason": reason}).status_code == 409


def test_what_the_judge_takes_back_is_shown_at_once(
    page: Client, rows: Rows, operator: User
) -> None:
    case = issued(rows, operator)
    Case.objects.filter(pk=case.pk).update(
        withdrawal_asked_at=timezone.now(), withdrawal_reason="paid-late"
    )
    html = shown(page, case)
    assert "The judge no longer holds this case" in html
    assert "A payment of the stay became known" in html
    queue = page.get(reverse("cases"), {"state": "withdraw"})
    assert [one.pk for one in queue.context["cases"]] == [case.pk]
    assert "to take back: A payment of the stay became known" in queue.content.decode()


@pytest.mark.parametrize(
    ("days", "words"), [(10, "10 d left"), (2, "2 d left"), (0, "today is the last day")]
)
def test_the_last_day_for_a_notice_is_counted_down(
    page: Client, rows: Rows, days: int, words: str
) -> None:
    case = rows.case()
    today = timezone.now().astimezone(rows.site.zone_info).date()
    Case.objects.filter(pk=case.pk).update(last_issue_day=today + timedelta(days=days))
    html = shown(page, case)
    assert "Notice out by" in html
    assert words in html
    assert ("Notice out by" in page.get(reverse("cases")).content.decode()) == (days <= 3)


def test_steps_that_are_not_possible_have_no_form(page: Client, rows: Rows, operator: User) -> None:
    case = rows.case()
    opened(page, case)
    html = shown(page, case)
    for step in ("cases_pay", "cases_appeal", "cases_answer", "cases_end"):
        assert reverse(step, args=[case.pk]) not in html
    case = issued(rows, operator)
    opened(page, case)
    html = shown(page, case)
    assert reverse("cases_decide", args=[case.pk]) not in html
    assert reverse("cases_answer", args=[case.pk]) not in html
    for step in ("cases_pay", "cases_appeal", "cases_end"):
        assert reverse(step, args=[case.pk]) in html
    appeal_open(case_id=case.pk, text="No.", actor=ADDRESSEE, now=timezone.now())
    html = shown(page, case)
    assert reverse("cases_answer", args=[case.pk]) in html
    assert reverse("cases_appeal", args=[case.pk]) not in html


# --- correcting a read ----------------------------------------------------------------------------


def test_a_read_is_corrected_with_its_picture_open(page: Client, rows: Rows) -> None:
    case = rows.case()
    evidence = case.evidence.get()
    where = reverse("cases_correct", args=[case.pk, evidence.pk])
    said = {"plate": "9ZZ 9999", "reason": "seen-otherwise", "note": "a nine, not a zero"}
    assert page.post(where, said).status_code == 403
    opened(page, case)
    answer = page.post(where, {**said, "plate": " - "})
    assert answer.status_code == 400
    assert answer.content.decode().count('role="alert"') == 1
    html = told(page, page.post(where, said))
    assert "9ZZ9999" in html
    assert "The read stays as it was read" in html
    case.refresh_from_db()
    assert case.state == "review"
    assert open_text(evidence, "text") in html


# --- another site's -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", ["cases_pay", "cases_appeal", "cases_answer", "cases_end", "cases_open"]
)
def test_another_sites_case_takes_no_step(page: Client, elsewhere: Rows, step: str) -> None:
    case = elsewhere.case()
    assert page.post(reverse(step, args=[case.pk]), {}).status_code == 404
    evidence = case.evidence.get()
    correct = reverse("cases_correct", args=[case.pk, evidence.pk])
    assert page.post(correct, {}).status_code == 404
