"""What a notice asks for and until when; and the step of a case by which it goes out."""

from dataclasses import dataclass
from datetime import datetime

from audit.services import Actor
from cameras.models import Site
from core.errors import Conflict
from enforcement.cases.deadlines import Channel, NoticeDates, notice_dates
from enforcement.cases.decisions import case_step, decided, still_asked_for
from enforcement.cases.models import OPEN_STATES, Case, CaseEvent
from enforcement.cases.policies import CasePolicy, policy_at

_MOST_AMOUNT = 2**31 - 1
"""What a column of amounts holds."""


@dataclass(frozen=True, slots=True)
class NoticeTerms:
    """Amounts in minor units of `currency`, `tariff_amount` (part of both) where the site asks for
    the unpaid charge too; days of the site's time zone, each the last that counts."""

    policy: CasePolicy
    currency: str
    amount: int
    discount_amount: int | None
    tariff_amount: int | None
    dates: NoticeDates


def notice_terms(case: Case, *, channel: Channel, now: datetime) -> NoticeTerms:
    """What a notice issued now would print, by the policy in force when the vehicle was seen.

    Conflict `policy_missing` where the site had none; `notice_late` where the time is over;
    `amount_too_large`.
    """
    policy = policy_at(case.site, case.seen_to)
    if policy is None:
        raise Conflict(
            "policy_missing",
            "This site had no policy for notices when the vehicle was seen: amounts and "
            "deadlines are not known.",
        )
    today = now.astimezone(case.site.zone_info).date()
    last = policy.last_issue_day(case.seen_to, channel)
    if last is not None and today > last:
        raise Conflict(
            "notice_late",
            f"The time to issue a notice ended on {last:%Y-%m-%d}. Dismiss the case.",
        )
    tariff = case.tariff_amount if policy.adds_tariff else None
    added = tariff or 0
    if policy.notice_amount + added > _MOST_AMOUNT:
        raise Conflict("amount_too_large", "The amount is beyond all measure: look at the policy.")
    reduced = policy.discount_amount
    dates = notice_dates(policy.terms(), today, channel)
    return NoticeTerms(
        policy=policy,
        currency=policy.currency,
        amount=policy.notice_amount + added,
        discount_amount=reduced + added
        if reduced is not None and dates.discount_until is not None
        else None,
        tariff_amount=tariff,
        dates=dates,
    )


def case_issue(
    case: Case, *, actor: Actor, channel: Channel, now: datetime, note: str = ""
) -> tuple[CaseEvent, NoticeTerms]:
    """Take a held, confirmed case to `notice-issued`; the step's event and what the notice prints.

    In the caller's transaction, which stores the notice and ends with `case_audit`. Conflict
    `case_decided`, `withdrawal_asked`, `verdict_turned`, `policy_missing` or `notice_late`.
    """
    if case.state != Case.State.CONFIRMED:
        raise decided(case)
    if case.withdrawal_asked_at is not None:
        raise Conflict(
            "withdrawal_asked", "The judge no longer holds this case. Look at it and dismiss it."
        )
    still_asked_for(case)
    terms = notice_terms(case, channel=channel, now=now)
    case.issued_at = now
    case.currency, case.amount = terms.currency, terms.amount
    case.discount_amount = terms.discount_amount
    case.discount_until = terms.dates.discount_until if terms.discount_amount is not None else None
    case.due_on, case.appeal_until = terms.dates.due_on, terms.dates.appeal_until
    event = case_step(case, "notice-issued", actor=actor, reason="notice", note=note, now=now)
    return event, terms


def last_issue_days_renew(site: Site) -> None:
    """Compute anew until when notices of a site may go out, where none went out yet: a policy was
    added. In the caller's transaction."""
    waiting = Case.objects.select_for_update(of=("self",)).filter(
        site=site, state__in=(*OPEN_STATES, "confirmed")
    )
    policies: dict[datetime, CasePolicy] = {
        one.effective_from: one
        for one in CasePolicy.objects.filter(site=site).select_related("site")
    }
    for case in waiting.order_by("pk").iterator(chunk_size=500):
        begun = [at for at in policies if at <= case.seen_to]
        day = policies[max(begun)].last_issue_day(case.seen_to) if begun else None
        if day != case.last_issue_day:
            case.last_issue_day = day
            case.save(update_fields=["last_issue_day"])
