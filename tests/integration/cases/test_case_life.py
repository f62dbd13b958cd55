"""From a confirmed case to its end: notices, payments, appeals, withdrawals; and who must agree."""

import threading
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction

from audit.access import stage_batch
from audit.models import AuditRow
from core.errors import BadInput, Conflict
from core.models import User
from enforcement.cases.automatic import cases_confirm_alone
from enforcement.cases.deadlines import Channel
from enforcement.cases.decisions import case_confirm, case_dismiss, case_take, cases_decide
from enforcement.cases.issuing import last_issue_days_renew, notice_terms
from enforcement.cases.models import Case, CaseAppeal, CasePayment, ChainEntry
from enforcement.cases.selectors import (
    cases_queue,
    deadlines_of,
    queue_counts,
    waiting_for,
)
from enforcement.cases.settling import (
    appeal_decide,
    appeal_open,
    case_cancel,
    case_write_off,
    payment_record,
)
from enforcement.rights.models import Tariff
from tests.integration.cases.lives import (
    ADDRESSEE,
    LONG_AGO,
    act,
    confirm,
    issue,
    issued,
    person,
    policy,
    unpaid,
)
from tests.integration.visits.world import World, at, car_park

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def park() -> World:
    return car_park()


@pytest.fixture
def olga() -> User:
    return person("olga")


@pytest.fixture
def pavel() -> User:
    return person("pavel")


def last_event(case: Case) -> tuple[str, str, str, str]:
    event = case.events.order_by("-turn", "-at").first()
    assert event is not None
    return event.from_state, event.to_state, event.actor, event.reason


def pay(case: Case, user: User, amount: int, day: date, reference: str = "R1") -> Case:
    now = at("12:00", (day - at("12:00").date()).days)
    return payment_record(
        case_id=case.pk, user=user, amount=amount, paid_on=day, reference=reference, now=now
    )


DAY = date(2026, 3, 2)  # the day of every stay here


# --- issuing --------------------------------------------------------------------------------------


def test_issuing_fixes_amounts_and_days(park: World, olga: User) -> None:
    policy(park)
    case = unpaid(park)
    confirm(case, olga, park.now)
    case, terms = issue(case.pk, olga, park.now)
    today = park.now.date()
    assert (case.state, case.issued_at) == ("notice-issued", park.now)
    assert (case.currency, case.amount, case.discount_amount) == ("GBP", 10_000, 6_000)
    assert case.discount_until == today + timedelta(days=14)
    assert case.due_on == case.appeal_until == today + timedelta(days=28)
    assert terms.dates.due_on == case.due_on
    assert last_event(case) == ("confirmed", "notice-issued", "olga", "notice")
    row = AuditRow.objects.filter(case_ref=case.number, action="change").last()
    assert row is not None
    assert (row.actor, row.detail["to"], row.tokens) == (
        "olga",
        "notice-issued",
        [case.token_exact],
    )
    chained = ChainEntry.objects.filter(site_id=park.site.pk, kind="decision")
    assert chained.count() == 3  # opened, confirmed, issued


def test_the_policy_in_force_when_the_vehicle_was_seen_decides(park: World, olga: User) -> None:
    policy(park)
    policy(park, effective_from=at("09:30"), notice_amount=20_000)
    policy(park, effective_from=at("10:30"), notice_amount=30_000)
    case = unpaid(park)  # seen from 09:00 to 10:00
    confirm(case, olga, park.now)
    assert issue(case.pk, olga, at("12:00"))[0].amount == 20_000


def test_the_unpaid_charge_is_added_where_the_policy_says_so(park: World) -> None:
    rule = policy(park, adds_tariff=True)
    case = unpaid(park)
    case.tariff_amount = 350
    terms = notice_terms(case, channel=Channel.PRINT, now=park.now)
    assert (terms.amount, terms.discount_amount, terms.tariff_amount) == (10_350, 6_350, 350)
    rule.adds_tariff = False
    rule.save()
    terms = notice_terms(case, channel=Channel.PRINT, now=park.now)
    assert (terms.amount, terms.discount_amount, terms.tariff_amount) == (10_000, 6_000, None)


def test_an_amount_beyond_all_measure_is_refused(park: World, olga: User) -> None:
    policy(park, notice_amount=2**31 - 1, discount_amount=None, adds_tariff=True)
    case = confirm(unpaid(park), olga, park.now)
    Case.objects.filter(pk=case.pk).update(tariff_amount=1)
    with pytest.raises(Conflict, match="amount_too_large"):
        issue(case.pk, olga, park.now)
    Case.objects.filter(pk=case.pk).update(tariff_amount=None)
    assert issue(case.pk, olga, park.now)[1].amount == 2**31 - 1


def test_a_case_knows_the_unpaid_charge_of_its_stay(park: World) -> None:
    everyday = {"name": "day", "days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00"}
    Tariff.objects.create(
        site=park.site,
        name="hourly",
        effective_from=LONG_AGO,
        currency="GBP",
        rules={"bands": [{**everyday, "steps": [{"minutes": 30, "amount": 100}]}]},
    )
    policy(park)
    assert unpaid(park).tariff_amount == 200
    park.right("payment", "3CD4567", country="CZ", from_=at("09:00", 1), to=at("09:30", 1))
    overstayed = unpaid(park, "3CD4567", day=1)
    assert (overstayed.verdict, overstayed.tariff_amount) == ("overstay", 100)
    policy(park, effective_from=at("00:00", 2), currency="EUR")
    assert unpaid(park, "5EF6789", day=2).tariff_amount is None  # pounds are not asked in euros


def test_no_notice_without_a_policy(park: World, olga: User) -> None:
    case = unpaid(park)
    confirm(case, olga, park.now)
    with pytest.raises(Conflict, match="policy_missing"):
        issue(case.pk, olga, park.now)


def test_no_notice_before_a_person_confirmed(park: World, olga: User) -> None:
    policy(park)
    case = unpaid(park)
    with pytest.raises(Conflict, match="case_decided"):
        issue(case.pk, olga, park.now)


def test_no_notice_after_its_last_day_and_the_day_runs_out_visibly(park: World, olga: User) -> None:
    policy(park, scheme="uk-postal", country="GB", region="ENG")
    case = unpaid(park)
    # seen on Monday the 2nd: to arrive by the 16th, post it on Thursday the 12th
    assert case.last_issue_day == date(2026, 3, 12)
    assert [(one.left, one.soon) for one in deadlines_of(case, at("12:00"))] == [(10, False)]
    assert [(one.left, one.soon) for one in deadlines_of(case, at("12:00", 7))] == [(3, True)]
    sites = type(park.site).objects.all()
    assert queue_counts(sites, date(2026, 3, 8))["running-out"] == 0
    assert queue_counts(sites, date(2026, 3, 9))["running-out"] == 1
    confirm(case, olga, park.now)
    with pytest.raises(Conflict, match="2026-03-12"):
        issue(case.pk, olga, at("00:00", 11))
    assert issue(case.pk, olga, at("23:00", 11), Channel.EMAIL)[0].state == "notice-issued"


def test_the_last_day_is_the_sites_own(park: World, olga: User) -> None:
    park.site.timezone = "Europe/Prague"
    park.site.save()
    policy(park, issue_days=1)
    case, other = unpaid(park), unpaid(park, "3CD4567")
    for one in (case, other):
        confirm(one, olga, park.now)
    assert issue(case.pk, olga, at("22:59", 1))[0].state == "notice-issued"  # 23:59 there
    with pytest.raises(Conflict, match="notice_late"):
        issue(other.pk, olga, at("23:00", 1))


def test_a_policy_that_comes_later_gives_waiting_cases_their_day(park: World) -> None:
    case = unpaid(park)
    assert case.last_issue_day is None
    policy(park, issue_days=5)
    last_issue_days_renew(park.site)
    case.refresh_from_db()
    assert case.last_issue_day == date(2026, 3, 7)


# --- two people -----------------------------------------------------------------------------------


def test_two_people_confirm_where_the_site_asks_for_two(
    park: World, olga: User, pavel: User
) -> None:
    policy(park, four_eyes=True)
    case = unpaid(park)
    confirm(case, olga, park.now)
    case.refresh_from_db()
    assert (case.state, case.vouched_by, case.decided_by) == ("candidate", olga, None)
    with pytest.raises(Conflict, match="second_person"):
        confirm(case, olga, park.now)
    confirm(case, pavel, park.now)
    case.refresh_from_db()
    assert (case.state, case.vouched_by, case.decided_by) == ("confirmed", olga, pavel)
    assert [(one.actor, one.to_state) for one in case.events.all()] == [
        ("judge", "candidate"),
        ("olga", "candidate"),
        ("pavel", "confirmed"),
    ]


def test_the_database_asks_for_the_second_person_itself(park: World, olga: User) -> None:
    policy(park, four_eyes=True)
    case = unpaid(park)
    for first in (None, olga.pk):
        with (
            pytest.raises(DatabaseError, match="two people must confirm"),
            transaction.atomic(),
        ):
            Case.objects.filter(pk=case.pk).update(
                state="confirmed",
                vouched_at=first and park.now,
                vouched_by=first,
                decided_at=park.now,
                decided_by=olga,
                decision_reason="plate-checked",
            )


def test_what_one_person_confirmed_lapses_with_the_verdict_it_was_about(
    park: World, olga: User, pavel: User
) -> None:
    policy(park, four_eyes=True)
    case = unpaid(park)
    confirm(case, olga, park.now)
    park.right("payment", "1AB2345", country="CZ", from_=at("10:30"), to=at("11:00"))
    park.judge()
    act(park)
    case.refresh_from_db()
    assert (case.reason, case.vouched_by) == ("right-not-started", None)
    confirm(case, pavel, park.now)
    case.refresh_from_db()
    assert (case.state, case.vouched_by) == ("candidate", pavel)
    confirm(case, olga, park.now)
    case.refresh_from_db()
    assert case.state == "confirmed"


def test_nobody_decides_the_appeal_of_a_case_they_confirmed_where_two_must(
    park: World, olga: User, pavel: User
) -> None:
    policy(park, four_eyes=True)
    case = unpaid(park)
    confirm(case, pavel, park.now)
    confirm(case, olga, park.now)
    issue(case.pk, olga, park.now)
    appeal_open(case_id=case.pk, text="I paid.", actor=ADDRESSEE, now=park.now)
    refuse = {"case_id": case.pk, "upheld": True, "reason": "appeal-unfounded", "now": park.now}
    with pytest.raises(Conflict, match="second_person"):
        appeal_decide(user=olga, **refuse)  # type: ignore[arg-type]
    assert appeal_decide(user=pavel, **refuse).state == "upheld"  # type: ignore[arg-type]


# --- payments -------------------------------------------------------------------------------------


def test_the_discounted_amount_settles_until_its_day(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    case = pay(case, olga, 6_000, DAY + timedelta(days=14))
    assert (case.state, last_event(case)[3]) == ("paid", "payment-discounted")
    assert case.closed_at is not None


def test_a_day_later_it_is_a_part_and_parts_add_up(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    case = pay(case, olga, 6_000, DAY + timedelta(days=15))
    assert (case.state, last_event(case)[3]) == ("notice-issued", "part-payment")
    case = pay(case, olga, 3_999, DAY + timedelta(days=16), "R2")
    assert case.state == "notice-issued"
    case = pay(case, olga, 1, DAY + timedelta(days=17), "R3")
    assert (case.state, last_event(case)[3]) == ("paid", "payment")
    assert list(case.payments.values_list("amount", flat=True)) == [6_000, 3_999, 1]


@pytest.mark.parametrize(
    ("amount", "day", "reference", "code"),
    [
        (0, DAY, "R1", "amount_wrong"),
        (-5, DAY, "R1", "amount_wrong"),
        (10**12, DAY, "R1", "amount_wrong"),
        (6_000, DAY + timedelta(days=1), "R1", "day_wrong"),
        (6_000, DAY - timedelta(days=1), "R1", "day_wrong"),
        (6_000, DAY, " ", "reference_required"),
        (6_000, DAY, "1AB 2345", "names_plate"),
        (6_000, DAY, "R" * 65, "too_long"),
    ],
)
def test_a_payment_that_cannot_be_is_refused_and_stores_nothing(
    park: World, olga: User, amount: int, day: date, reference: str, code: str
) -> None:
    policy(park)
    case = issued(park, olga)
    with pytest.raises(BadInput, match=code):
        payment_record(
            case_id=case.pk,
            user=olga,
            amount=amount,
            paid_on=day,
            reference=reference,
            now=at("12:00"),
        )
    assert not CasePayment.objects.exists()


def test_a_payment_is_recorded_once_and_stays(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    pay(case, olga, 100, DAY)
    with pytest.raises(Conflict, match="payment_known"):
        pay(case, olga, 100, DAY)
    with pytest.raises(DatabaseError, match="stays"), transaction.atomic():
        CasePayment.objects.update(amount=10_000)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        CasePayment.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert CasePayment.objects.get().amount == 100


def test_nothing_is_paid_before_a_notice(park: World, olga: User) -> None:
    policy(park)
    case = unpaid(park)
    with pytest.raises(Conflict, match="no_notice"):
        pay(case, olga, 6_000, DAY)


# --- appeals --------------------------------------------------------------------------------------


def test_an_appeal_is_sealed_and_stops_the_clock(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    appeal = appeal_open(
        case_id=case.pk,
        text="  1AB 2345 was sold in May.\nHere is the contract. ",
        contact="jana@example.org",
        actor=ADDRESSEE,
        now=at("12:00", 4),
    )
    case.refresh_from_db()
    assert (case.state, last_event(case)[2:]) == ("appealed", ("notice page", "appeal-page"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM cases_caseappeal t")
        assert "contract" not in cursor.fetchone()[0]
    with stage_batch("test") as access:
        stored = CaseAppeal.objects.get(pk=appeal.pk)
        assert access.text(stored) == "1AB 2345 was sold in May.\nHere is the contract."
        assert access.text(stored, "contact") == "jana@example.org"
    case = appeal_decide(
        case_id=case.pk,
        user=olga,
        upheld=True,
        reason="appeal-unproven",
        note="no contract came",
        now=at("12:00", 10),
    )
    assert case.state == "upheld"
    # six days passed between: both times had still run when it came
    assert case.discount_until == DAY + timedelta(days=14 + 6)
    assert case.due_on == DAY + timedelta(days=28 + 6)
    stored.refresh_from_db()
    assert (stored.outcome, stored.decided_by, stored.reason) == (
        "upheld",
        olga,
        "appeal-unproven",
    )


def test_a_late_appeal_is_taken_and_moves_no_day_that_is_over(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    appeal_open(case_id=case.pk, text="Late.", actor=ADDRESSEE, now=at("12:00", 40))
    case = appeal_decide(
        case_id=case.pk, user=olga, upheld=True, reason="appeal-late", now=at("12:00", 50)
    )
    assert case.due_on == DAY + timedelta(days=28)
    assert case.discount_until == DAY + timedelta(days=14)


def test_a_granted_appeal_cancels_the_notice(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    appeal_open(case_id=case.pk, text="Stolen.", actor=ADDRESSEE, now=park.now)
    for wrong in ("appeal-late", "", "\0", "x" * 99):
        with pytest.raises(BadInput, match="reason_required"):
            appeal_decide(case_id=case.pk, user=olga, upheld=False, reason=wrong, now=park.now)
    case = appeal_decide(
        case_id=case.pk, user=olga, upheld=False, reason="not-the-driver", now=park.now
    )
    assert (case.state, case.closed_at) == ("cancelled", park.now)
    # it went its way to the end: the verdict still says unpaid, and it is not raised again
    act(park)
    assert Case.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "contact", "code"),
    [
        (" \n ", "", "text_required"),
        ("x" * 10_001, "", "too_long"),
        ("x", "y" * 501, "too_long"),
        ("a\0b", "", "not_text"),
    ],
)
def test_an_appeal_without_sense_is_refused(
    park: World, olga: User, text: str, contact: str, code: str
) -> None:
    policy(park)
    case = issued(park, olga)
    with pytest.raises(BadInput, match=code):
        appeal_open(case_id=case.pk, text=text, contact=contact, actor=ADDRESSEE, now=park.now)
    assert not CaseAppeal.objects.exists()


def test_one_appeal_at_a_time_and_only_of_a_notice(park: World, olga: User) -> None:
    policy(park)
    case = unpaid(park)
    with pytest.raises(Conflict, match="case_decided"):
        appeal_open(case_id=case.pk, text="No.", actor=ADDRESSEE, now=park.now)
    confirm(case, olga, park.now)
    issue(case.pk, olga, park.now)
    appeal_open(case_id=case.pk, text="No.", actor=ADDRESSEE, now=park.now)
    with pytest.raises(Conflict, match="case_decided"):
        appeal_open(case_id=case.pk, text="No!", actor=ADDRESSEE, now=park.now)
    with pytest.raises(Conflict, match="case_decided"):
        appeal_decide(
            case_id=unpaid(park, "3CD4567", day=1).pk,
            user=olga,
            upheld=True,
            reason="appeal-late",
            now=park.now,
        )


def test_paying_ends_an_open_appeal(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    appeal_open(case_id=case.pk, text="No.", actor=ADDRESSEE, now=park.now)
    case = pay(case, olga, 6_000, DAY)
    assert case.state == "paid"
    assert CaseAppeal.objects.get().outcome == "paid"


def test_a_notice_is_written_off_or_cancelled_with_a_reason(park: World, olga: User) -> None:
    policy(park)
    one, other = issued(park, olga), None
    with pytest.raises(BadInput, match="reason_required"):
        case_write_off(case_id=one.pk, user=olga, reason="goodwill", now=park.now)
    assert (
        case_write_off(case_id=one.pk, user=olga, reason="untraceable", now=park.now).state
        == "written-off"
    )
    with pytest.raises(Conflict, match="written off already"):
        case_cancel(case_id=one.pk, user=olga, reason="goodwill", now=park.now)
    other = unpaid(park, "3CD4567", day=1)
    with pytest.raises(Conflict, match="case_decided"):
        case_cancel(case_id=other.pk, user=olga, reason="goodwill", now=park.now)


# --- the judge changes its mind -------------------------------------------------------------------


def late_payment(park: World) -> None:
    park.now = at("12:00", 3)
    park.right("payment", "1AB2345", country="CZ", from_=at("09:00"), to=at("11:00"))
    park.judge()
    act(park)


@pytest.mark.parametrize("state", ["confirmed", "notice-issued", "appealed", "upheld", "paid"])
def test_what_people_decided_is_flagged_when_the_verdict_turns_never_changed(
    park: World, olga: User, state: str
) -> None:
    policy(park)
    case = unpaid(park)
    confirm(case, olga, park.now)
    if state != "confirmed":
        issue(case.pk, olga, park.now)
    if state in ("appealed", "upheld"):
        appeal_open(case_id=case.pk, text="I paid.", actor=ADDRESSEE, now=park.now)
    if state == "upheld":
        appeal_decide(
            case_id=case.pk, user=olga, upheld=True, reason="appeal-unfounded", now=park.now
        )
    if state == "paid":
        pay(case, olga, 6_000, DAY)
    late_payment(park)
    case.refresh_from_db()
    assert (case.state, case.withdrawal_asked_at, case.withdrawal_reason) == (
        state,
        park.now,
        "paid-late",
    )
    assert last_event(case) == (state, state, "judge", "paid-late")
    sites = type(park.site).objects.all()
    assert list(cases_queue(sites, state="withdraw")) == [case]
    assert queue_counts(sites, park.now.date())["withdraw"] == 1
    if state == "confirmed":
        with pytest.raises(Conflict, match="withdrawal_asked"):
            issue(case.pk, olga, park.now)
        case_dismiss(case_id=case.pk, user=olga, reason="verdict-turned", now=park.now)
    else:
        case_cancel(case_id=case.pk, user=olga, reason="paid-late", now=park.now)
    assert not cases_queue(sites, state="withdraw").exists()


def test_the_flag_goes_when_the_judge_holds_it_again(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    park.right("payment", "1AB2346", country="CZ", from_=at("09:00"), to=at("12:00"))
    park.judge()
    act(park)
    case.refresh_from_db()
    assert case.withdrawal_reason == "keying-error"
    # the vehicle the payment names was there itself: it was no keying error
    park.read("in", "1AB2346", at("11:00"))
    park.settle(at("11:05"))
    act(park)
    case.refresh_from_db()
    assert (case.state, case.withdrawal_asked_at) == ("notice-issued", None)
    assert last_event(case)[3] == "asked-again"


# --- many at once ---------------------------------------------------------------------------------


def test_many_are_decided_for_one_reason_each_for_itself(
    park: World, olga: User, pavel: User
) -> None:
    cases = [unpaid(park, f"{n}AB2345", day=n) for n in (1, 2, 3)]
    foreign = unpaid(car_park("other"), "5XY9999")
    confirm(cases[1], pavel, park.now)
    sites = type(park.site).objects.filter(pk=park.site.pk)
    results = cases_decide(
        [*(case.pk for case in cases), foreign.pk, cases[0].pk],
        sites=sites,
        confirm=True,
        user=olga,
        reason="evidence-complete",
        now=park.now,
    )
    assert [one.number for one in results] == [*(case.number for case in cases), ""]
    assert [one.error.code if one.error else None for one in results] == [
        None,
        "case_decided",
        None,
        "not_found",
    ]
    assert (
        list(Case.objects.order_by("opened_at").values_list("state", flat=True)).count("confirmed")
        == 3
    )
    rows = AuditRow.objects.filter(actor="olga", action="change")
    assert [row.tokens for row in rows.order_by("id")] == [
        [cases[0].token_exact],
        [cases[2].token_exact],
    ]


def test_many_need_a_reason_and_are_not_too_many(park: World, olga: User) -> None:
    case = unpaid(park)
    sites = type(park.site).objects.all()
    with pytest.raises(BadInput, match="reason_required"):
        cases_decide([case.pk], sites=sites, confirm=False, user=olga, reason="", now=park.now)
    with pytest.raises(BadInput, match="too_many"):
        cases_decide(
            [case.pk] * 51, sites=sites, confirm=False, user=olga, reason="goodwill", now=park.now
        )
    case.refresh_from_db()
    assert case.state == "candidate"


def test_the_next_case_is_one_nobody_else_has_open(park: World, olga: User, pavel: User) -> None:
    policy(park, four_eyes=True)
    first, second, third = (unpaid(park, f"{n}AB2345", day=n) for n in (1, 2, 3))
    case_take(first, pavel, until=park.now + timedelta(minutes=30))
    confirm(second, olga, park.now)
    sites = type(park.site).objects.all()
    mine = {"sites": sites, "now": park.now, "today": park.now.date()}
    assert list(waiting_for(user=olga, **mine)) == [third]
    assert list(waiting_for(user=pavel, **mine)) == [first, second, third]
    later = mine | {"now": park.now + timedelta(minutes=31)}
    assert list(waiting_for(user=olga, **later)) == [first, third]


def test_what_runs_out_comes_first(park: World) -> None:
    old = unpaid(park)
    policy(park, issue_days=4)
    urgent = unpaid(park, "3CD4567", day=2)
    sites = type(park.site).objects.all()
    assert [case.pk for case in cases_queue(sites, today=date(2026, 3, 4))] == [old.pk, urgent.pk]
    assert [case.pk for case in cases_queue(sites, today=date(2026, 3, 5))] == [urgent.pk, old.pk]
    # over: it is no longer more urgent than others
    assert [case.pk for case in cases_queue(sites, today=date(2026, 3, 9))] == [old.pk, urgent.pk]


# --- without anybody ------------------------------------------------------------------------------


def test_nothing_is_confirmed_alone_unless_the_site_says_so(park: World) -> None:
    policy(park)
    unpaid(park)
    assert cases_confirm_alone(now=park.now, limit=50) == 0
    assert Case.objects.get().state == "candidate"


def test_a_site_that_says_so_confirms_candidates_alone_and_no_reviews(park: World) -> None:
    policy(park, auto_confirm=True)
    case = unpaid(park)
    park.read("in", "3CD4567", at("11:00"), country="")
    park.read("out", "3CD4567", at("12:00"), country="")
    park.settle(at("12:05"))
    act(park)
    assert cases_confirm_alone(now=park.now, limit=50) == 1
    assert cases_confirm_alone(now=park.now, limit=50) == 0
    case.refresh_from_db()
    assert (case.state, case.decided_by, case.decision_reason) == (
        "confirmed",
        None,
        "auto-confirm",
    )
    assert last_event(case) == ("candidate", "confirmed", "act", "auto-confirm")
    assert Case.objects.filter(state="review").count() == 1


def test_a_policy_that_was_turned_off_since_confirms_nothing(park: World) -> None:
    policy(park, auto_confirm=True)
    policy(park, effective_from=at("08:00"), auto_confirm=False)
    unpaid(park)
    assert cases_confirm_alone(now=park.now, limit=50) == 0


# --- what the database itself asks ----------------------------------------------------------------


def test_no_change_of_state_without_its_line_of_history(park: World, olga: User) -> None:
    case = unpaid(park)
    with (
        pytest.raises(DatabaseError, match="says not who and why"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        Case.objects.filter(pk=case.pk).update(
            state="dismissed",
            closed_at=park.now,
            decided_at=park.now,
            decided_by=olga,
            decision_reason="goodwill",
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_no_notice_stands_without_what_is_due(park: World, olga: User) -> None:
    policy(park)
    case = issued(park, olga)
    for emptied in ({"issued_at": None}, {"amount": None}, {"due_on": None}, {"currency": ""}):
        with pytest.raises(DatabaseError, match="issued_case_says"), transaction.atomic():
            Case.objects.filter(pk=case.pk).update(**emptied)


def test_a_policy_with_a_contradiction_is_refused(park: World) -> None:
    for wrong in (
        {"discount_amount": 10_001},
        {"discount_days": 29},
        {"four_eyes": True, "auto_confirm": True},
    ):
        with pytest.raises(DatabaseError, match="case_policy"), transaction.atomic():
            policy(park, **wrong)


def test_nobody_chooses_the_reason_of_a_site_without_people(park: World, olga: User) -> None:
    case = unpaid(park)
    with pytest.raises(BadInput, match="reason_required"):
        case_confirm(case_id=case.pk, user=olga, reason="auto-confirm", now=park.now)


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_a_case_is_erased_with_its_payments_and_appeals_and_they_not_without_it(
    park: World, olga: User
) -> None:
    policy(park)
    case = issued(park, olga)
    pay(case, olga, 100, DAY)
    appeal_open(case_id=case.pk, text="No.", actor=ADDRESSEE, now=park.now)
    with pytest.raises(DatabaseError, match="append-only"):
        CasePayment.objects.all().delete()
    Case.objects.get().delete()
    assert not CasePayment.objects.exists()
    assert not CaseAppeal.objects.exists()


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_of_many_people_at_once_one_decides(park: World) -> None:
    case = unpaid(park)
    people = [person(f"person{n}") for n in range(4)]
    start = threading.Barrier(len(people))
    told: list[str] = []

    def work(who: User, nth: int) -> None:
        decide, reason = (case_confirm, "plate-checked") if nth % 2 else (case_dismiss, "goodwill")
        try:
            start.wait(timeout=30)
            decide(case_id=case.pk, user=who, reason=reason, now=park.now)
            told.append("done")
        except Conflict as error:
            told.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(who, n)) for n, who in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(told) == len(people)
    case.refresh_from_db()
    turns = list(case.events.exclude(from_state="").values_list("turn", flat=True))
    # one confirms or dismisses; a dismissal may still follow a confirmation
    assert told.count("done") == case.turn == len(turns) <= 2
    assert case.state == ("dismissed" if "dismissed" in _states(case) else "confirmed")


def _states(case: Case) -> list[str]:
    return list(case.events.values_list("to_state", flat=True))


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_the_way_back_of_the_migration_leaves_the_old_rules() -> None:
    try:
        call_command("migrate", "cases", "0003", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'cases_hold_transitions'")
            [(source,)] = cursor.fetchall()
            assert "turn" not in source
            assert "('confirmed', 'notice-issued')" in source
            cursor.execute("SELECT to_regclass('cases_casepolicy')")
            assert cursor.fetchone() == (None,)
    finally:
        call_command("migrate", verbosity=0)
