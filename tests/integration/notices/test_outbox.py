"""The outbox: at least once, under one Message-ID; a killed worker loses nothing."""

import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from structlog.testing import capture_logs

from audit.models import AuditRow
from core.errors import BadInput, Conflict
from core.stages import STAGES
from enforcement.cases.models import Case
from enforcement.cases.settling import case_cancel
from enforcement.notices import outbox
from enforcement.notices.deliveries import delivery_again, delivery_returned
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.notices.outbox import LEASE, PAUSES, notices_send
from enforcement.notices.tasks import deliver
from tests.integration.notices.issued import (
    MAIL,
    PLATE,
    POSTAL,
    clerk,
    confirmed,
    issued,
    site_with_policy,
)

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
State = NoticeDelivery.State


@pytest.fixture
def out() -> tuple[Notice, datetime]:
    park = site_with_policy()
    return issued(park, clerk()), park.now


def of(notice: Notice) -> NoticeDelivery:
    return notice.deliveries.get()


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, sent: bool = False) -> None:
    """From here on sending ends with `error`; `sent`: only after the message went out."""
    send = EmailMessage.send

    def broken(self: EmailMessage, fail_silently: bool = False) -> int:
        if sent:
            send(self)
        raise error

    monkeypatch.setattr(EmailMessage, "send", broken)


def test_a_notice_goes_out_by_mail_in_its_language(out: tuple[Notice, datetime]) -> None:
    notice, now = out
    assert notices_send(now=now) == 1
    (message,) = mail.outbox
    delivery = of(notice)
    assert (delivery.state, delivery.done_at, delivery.attempts) == (State.SENT, now, 1)
    assert (message.to, message.subject) == ([MAIL], f"Oznámení {notice.number}")
    assert message.extra_headers["Message-ID"] == delivery.message_id
    ((name, pdf, kind),) = message.attachments
    assert (name, kind) == (f"{notice.number}.pdf", "application/pdf")
    assert isinstance(pdf, bytes)
    assert pdf.startswith(b"%PDF")
    assert "Město Severov" in message.body
    assert f"/notice/{notice.number}/" in message.body
    assert PLATE not in f"{message.subject}{message.body}{message.message().as_string()[:2000]}"
    assert notices_send(now=now) == 0
    assert len(mail.outbox) == 1


def test_opening_it_for_the_mail_leaves_one_row_of_the_stage(out: tuple[Notice, datetime]) -> None:
    notice, now = out
    before = AuditRow.objects.order_by("-id").values_list("id", flat=True)[0]
    notices_send(now=now)
    (row,) = AuditRow.objects.filter(id__gt=before)
    assert (row.actor_kind, row.actor, row.purpose) == ("stage", "deliver", "pipeline")
    assert row.tokens == [notice.token_exact]


def test_a_worker_killed_while_sending_loses_nothing(
    out: tuple[Notice, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died after the mail server had it: another sends again, under the same Message-ID."""
    notice, now = out
    with monkeypatch.context() as patched:
        fail_with(patched, KeyboardInterrupt(), sent=True)
        with pytest.raises(KeyboardInterrupt):
            notices_send(now=now)
    assert of(notice).state == State.SENDING
    assert notices_send(now=now + LEASE - timedelta(seconds=1)) == 0
    assert notices_send(now=now + LEASE) == 1
    first, second = mail.outbox
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]
    assert (of(notice).state, of(notice).attempts) == (State.SENT, 2)


def test_one_whose_lease_ran_out_changes_nothing(
    out: tuple[Notice, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, now = out
    settle: Callable[..., None] = outbox._settle

    def late(delivery: NoticeDelivery, *arguments: Any) -> None:
        monkeypatch.setattr(outbox, "_settle", settle)
        notices_send(now=now + LEASE)  # meanwhile another took it, and was quicker
        settle(delivery, State.FAILED, "given-up", now)

    monkeypatch.setattr(outbox, "_settle", late)
    notices_send(now=now)
    assert of(notice).state == State.SENT


@pytest.mark.parametrize(
    "error",
    [
        OSError("no route"),
        TimeoutError(),
        smtplib.SMTPServerDisconnected("gone"),
        smtplib.SMTPAuthenticationError(535, b"wrong"),
        smtplib.SMTPRecipientsRefused({MAIL: (450, b"busy")}),
        smtplib.SMTPDataError(451, b"later"),
    ],
)
def test_what_fails_for_now_is_tried_again_later(
    out: tuple[Notice, datetime], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    notice, now = out
    with monkeypatch.context() as patched:
        fail_with(patched, error)
        assert notices_send(now=now) == 1
    delivery = of(notice)
    assert (delivery.state, delivery.next_at) == (State.QUEUED, now + PAUSES[0])
    assert delivery.error == type(error).__name__
    assert notices_send(now=now + PAUSES[0] - timedelta(seconds=1)) == 0
    assert notices_send(now=now + PAUSES[0]) == 1
    assert (of(notice).state, of(notice).error) == (State.SENT, "")


@pytest.mark.parametrize(
    ("error", "tried"),
    [(TimeoutError(), 1), (smtplib.SMTPRecipientsRefused({MAIL: (450, b"busy")}), 2)],
)
def test_others_do_not_each_wait_for_a_server_that_is_away(
    monkeypatch: pytest.MonkeyPatch, error: Exception, tried: int
) -> None:
    park, olga = site_with_policy(), clerk()
    first = issued(park, olga)
    second = issued(park, olga, confirmed(park, olga, "2CD6789", start="12:00"))
    with monkeypatch.context() as patched:
        fail_with(patched, error)
        assert notices_send(now=park.now) == tried
    assert [of(one).attempts for one in (first, second)] == [1, tried - 1]
    assert {of(one).next_at for one in (first, second)} == {park.now + PAUSES[0]}
    assert notices_send(now=park.now + PAUSES[0]) == 2
    assert len(mail.outbox) == 2


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({MAIL: (550, b"no such user jana")}),
        smtplib.SMTPDataError(554, b"refused"),
    ],
)
def test_what_is_refused_for_good_is_told_to_a_person(
    out: tuple[Notice, datetime], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    notice, now = out
    fail_with(monkeypatch, error)
    with capture_logs() as logs:
        notices_send(now=now)
    assert (of(notice).state, of(notice).error) == (State.FAILED, "address-refused")
    assert MAIL not in str(logs)
    assert "jana" not in str(logs)
    assert notices_send(now=now + timedelta(days=9)) == 0


def test_after_two_days_it_is_given_up(
    out: tuple[Notice, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, now = out
    fail_with(monkeypatch, OSError())
    tries = 0
    while of(notice).state == State.QUEUED:
        now = of(notice).next_at
        tries += notices_send(now=now)
    assert tries == len(PAUSES) + 1
    assert (of(notice).state, of(notice).error) == (State.FAILED, "given-up")


def test_a_notice_that_kills_every_worker_is_told_to_a_person(
    out: tuple[Notice, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, now = out
    fail_with(monkeypatch, KeyboardInterrupt())
    for _ in range(len(PAUSES) + 1):
        with pytest.raises(KeyboardInterrupt):
            notices_send(now=now)
        assert of(notice).state == State.SENDING
        now += LEASE
    assert notices_send(now=now) == 1
    assert (of(notice).state, of(notice).error) == (State.FAILED, "given-up")


def test_a_notice_the_judge_no_longer_holds_waits_for_a_person(
    out: tuple[Notice, datetime],
) -> None:
    notice, now = out
    flagged = Case.objects.filter(pk=notice.case_id)
    flagged.update(withdrawal_asked_at=now, withdrawal_reason="paid-late")
    assert notices_send(now=now) == 0
    assert (of(notice).state, of(notice).attempts) == (State.QUEUED, 0)
    flagged.update(withdrawal_asked_at=None, withdrawal_reason="")
    assert notices_send(now=now) == 1
    assert of(notice).state == State.SENT


def test_a_notice_whose_case_is_over_goes_nowhere(out: tuple[Notice, datetime]) -> None:
    notice, now = out
    case_cancel(case_id=notice.case_id, user=notice.issued_by, reason="goodwill", now=now)
    assert notices_send(now=now) == 1
    assert mail.outbox == []
    assert (of(notice).state, of(notice).error) == (State.FAILED, "case-over")


def test_one_that_cannot_be_opened_holds_up_no_other() -> None:
    park, olga = site_with_policy(), clerk()
    broken = issued(park, olga)
    other = issued(park, olga, confirmed(park, olga, "2CD6789", start="12:00"))
    from vault.files import _store

    _store().delete(broken.pdf)
    assert notices_send(now=park.now) == 2
    assert (of(broken).state, of(broken).error) == (State.FAILED, "no-longer-kept")
    assert of(other).state == State.SENT


def test_the_stage_sends_and_the_sweeper_rings_for_it(out: tuple[Notice, datetime]) -> None:
    notice, _ = out
    assert STAGES["deliver"].queue == "house"
    deliver()
    assert of(notice).state == State.SENT


def test_letters_are_none_of_the_mail() -> None:
    park = site_with_policy()
    notice = issued(park, clerk(), channel="print", address=POSTAL)
    assert notices_send(now=park.now) == 0
    assert of(notice).state == State.QUEUED


# --- once more, and what came back ---------------------------------------------------------------


def test_what_came_back_goes_out_another_way(out: tuple[Notice, datetime]) -> None:
    notice, now = out
    olga = notice.issued_by
    with pytest.raises(Conflict) as refused:
        delivery_again(notice=notice, user=olga, channel="print", address=POSTAL, now=now)
    assert refused.value.code == "still_waiting"
    with pytest.raises(Conflict) as refused:
        delivery_returned(delivery_id=of(notice).pk, user=olga, now=now)
    assert refused.value.code == "not_out"
    notices_send(now=now)
    first = of(notice)
    delivery_returned(delivery_id=first.pk, user=olga, now=now)
    with pytest.raises(BadInput):
        delivery_again(notice=notice, user=olga, channel="print", address="x", now=now)
    again = delivery_again(notice=notice, user=olga, channel="print", address=POSTAL, now=now)
    assert again.message_id != first.message_id
    assert sorted(notice.deliveries.values_list("state", flat=True)) == ["queued", "returned"]
    row = AuditRow.objects.order_by("-id")[0]
    assert (row.actor, row.case_ref, row.subject_id) == ("olga", notice.number, str(again.pk))


def test_nothing_goes_out_again_once_the_case_is_over(out: tuple[Notice, datetime]) -> None:
    notice, now = out
    notices_send(now=now)
    case_cancel(case_id=notice.case_id, user=notice.issued_by, reason="goodwill", now=now)
    with pytest.raises(Conflict) as refused:
        delivery_again(notice=notice, user=notice.issued_by, channel="email", address=MAIL, now=now)
    assert refused.value.code == "case_decided"
