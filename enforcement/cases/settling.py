"""What becomes of a notice that went out: paid, appealed, upheld, cancelled, written off."""

import uuid
from datetime import date, datetime

from django.db import transaction

from audit.services import Actor
from cameras.access import person_actor
from core.errors import BadInput, Conflict
from core.models import User
from enforcement.cases import reasons
from enforcement.cases.decisions import (
    STEPS,
    case_audit,
    case_held,
    case_step,
    decided,
    note_clean,
)
from enforcement.cases.history import event_add
from enforcement.cases.models import Case, CaseAppeal, CasePayment
from enforcement.cases.policies import policy_at
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

MOST_APPEAL = 10_000
MOST_CONTACT = 500
_MOST_REFERENCE = 64
_MOST_AMOUNT = 2_000_000_000


def payment_record(
    *, case_id: uuid.UUID, user: User, amount: int, paid_on: date, reference: str, now: datetime
) -> Case:
    """Money came for a notice: `amount` in minor units, on a day at the site. The case is paid once
    all that came covers what was due: the discounted amount until its day, the full one after.

    BadInput `amount_wrong`, `day_wrong`, `reference_required`; Conflict `no_notice` before one went
    out, `payment_known` for a reference that was recorded already.
    """
    actor = person_actor(user)
    with transaction.atomic():
        case = case_held(case_id)
        if case.issued_at is None:
            raise Conflict("no_notice", "No notice went out: there is nothing to pay yet.")
        reference = _payment_checked(case, amount, paid_on, reference, now)
        if case.payments.filter(reference=reference).exists():
            raise Conflict("payment_known", "A payment with this reference is recorded already.")
        CasePayment.objects.create(
            case=case,
            amount=amount,
            paid_on=paid_on,
            reference=reference,
            recorded_at=now,
            recorded_by=user,
        )
        reason = settled_by(case)
        if reason is not None and Case.State.PAID in STEPS.get(case.state, ()):
            _appeal_end(case, Case.State.PAID, reason, user, now)
            event = case_step(case, Case.State.PAID, actor=actor, reason=reason, now=now)
        else:
            event = event_add(case, case.state, actor.name, reasons.PART_PAYMENT, "", now)
        case_audit(case, event, actor)
    return case


def _payment_checked(case: Case, amount: int, paid_on: date, reference: str, now: datetime) -> str:
    zone = case.site.zone_info
    if not 0 < amount <= _MOST_AMOUNT:
        raise BadInput("amount_wrong", "Name an amount above nothing.", field="amount")
    if paid_on > now.astimezone(zone).date():
        raise BadInput("day_wrong", "This day lies ahead.", field="paid_on")
    if case.issued_at is not None and paid_on < case.issued_at.astimezone(zone).date():
        raise BadInput("day_wrong", "This day lies before the notice.", field="paid_on")
    reference = note_clean(case, reference, field="reference", most=_MOST_REFERENCE)
    if not reference:
        raise BadInput(
            "reference_required", "Name the reference of the payment.", field="reference"
        )
    return reference


def settled_by(case: Case) -> str | None:
    """Why what came in covers the case (a code of `reasons.PAY`); None while it does not."""
    if case.amount is None:
        return None
    paid = list(case.payments.values_list("amount", "paid_on"))
    until, reduced = case.discount_until, case.discount_amount
    if until is not None and reduced is not None:
        early = sum(amount for amount, day in paid if day <= until)
        if early >= reduced:
            return "payment-discounted"
    return "payment" if sum(amount for amount, _ in paid) >= case.amount else None


def appeal_open(
    *,
    case_id: uuid.UUID,
    text: str,
    contact: str = "",
    through: str = CaseAppeal.Through.PAGE,
    actor: Actor,
    now: datetime,
) -> CaseAppeal:
    """An addressee objects. Text and contact are sealed; a late appeal is taken too, and told.

    BadInput `text_required`, `too_long`; Conflict `case_decided` where no notice stands that could
    be appealed (one appeal at a time).
    """
    text, contact = text.strip(), contact.strip()
    if not text:
        raise BadInput("text_required", "Say what speaks against the notice.", field="text")
    for value, most, field in ((text, MOST_APPEAL, "text"), (contact, MOST_CONTACT, "contact")):
        if len(value) > most:
            raise BadInput("too_long", f"At most {most} characters are allowed here.", field=field)
        if "\0" in value:
            raise BadInput("not_text", "This holds characters that are not text.", field=field)
    with transaction.atomic():
        case = case_held(case_id)
        if Case.State.APPEALED not in STEPS.get(case.state, ()):
            raise decided(case)
        appeal = CaseAppeal(
            case=case,
            token_exact=case.token_exact,
            through=CaseAppeal.Through(through),
            received_at=now,
        )
        assign_key(appeal, scope=str(case.site_id), data_class=DataClass.CASE, now=now)
        seal_text(appeal, {"text": text, "contact": contact})
        appeal.save(force_insert=True)
        event = case_step(
            case,
            Case.State.APPEALED,
            actor=actor,
            reason=reasons.appeal_reason(appeal.through),
            now=now,
        )
        case_audit(case, event, actor)
    return appeal


def appeal_decide(
    *,
    case_id: uuid.UUID,
    user: User,
    upheld: bool,
    reason: str,
    note: str = "",
    now: datetime,
) -> Case:
    """Refuse an appeal (the notice is upheld) or grant it (the notice is cancelled).

    The times to pay stood still while it was open. Conflict `case_decided` where there is none,
    `second_person` where the site asks for two people and `user` confirmed the case.
    """
    to = Case.State.UPHELD if upheld else Case.State.CANCELLED
    actor = person_actor(user)
    with transaction.atomic():
        case = case_held(case_id)
        if case.state != Case.State.APPEALED:
            raise decided(case)
        policy = policy_at(case.site, now)
        if policy is not None and policy.four_eyes and case.decided_by_id == user.pk:
            raise Conflict(
                "second_person", "You confirmed this case; another person decides its appeal."
            )
        reasons.checked(reasons.FOR_STEP[to], reason)  # before anything is written with it
        appeal = _appeal_end(case, to, reason, user, now)
        if upheld and appeal is not None:
            _clock_moved(case, appeal, now)
        event = case_step(case, to, actor=actor, reason=reason, note=note, now=now)
        case_audit(case, event, actor)
    return case


def case_cancel(
    *, case_id: uuid.UUID, user: User, reason: str, note: str = "", now: datetime
) -> Case:
    """Take a notice back; what was paid for it is owed back. `reason` is of `reasons.CANCEL`."""
    return _end(case_id, Case.State.CANCELLED, user, reason, note, now)


def case_write_off(
    *, case_id: uuid.UUID, user: User, reason: str, note: str = "", now: datetime
) -> Case:
    """Pursue a notice no further. `reason` is of `reasons.WRITE_OFF`."""
    return _end(case_id, Case.State.WRITTEN_OFF, user, reason, note, now)


def _end(case_id: uuid.UUID, to: str, user: User, reason: str, note: str, now: datetime) -> Case:
    actor = person_actor(user)
    with transaction.atomic():
        case = case_held(case_id)
        event = case_step(case, to, actor=actor, reason=reason, note=note, now=now)
        _appeal_end(case, to, reason, user, now)
        case_audit(case, event, actor)
    return case


def _appeal_end(
    case: Case, outcome: str, reason: str, user: User, now: datetime
) -> CaseAppeal | None:
    """Close the open appeal, if there is one; that appeal."""
    appeal = case.appeals.filter(decided_at__isnull=True).first()
    if appeal is not None:
        appeal.decided_at, appeal.decided_by = now, user
        appeal.outcome, appeal.reason = outcome, reason
        appeal.save(update_fields=["decided_at", "decided_by", "outcome", "reason"])
    return appeal


def _clock_moved(case: Case, appeal: CaseAppeal, now: datetime) -> None:
    """Add the days an appeal was open to the times to pay that still ran when it came."""
    zone = case.site.zone_info
    came = appeal.received_at.astimezone(zone).date()
    stood = now.astimezone(zone).date() - came
    if case.due_on is not None and came <= case.due_on:
        case.due_on += stood
    if case.discount_until is not None and came <= case.discount_until:
        case.discount_until += stood
