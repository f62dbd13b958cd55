"""The outbox: notices go out by e-mail, at least once, each under one and the same Message-ID.

A worker takes a row with a lease and sends outside of any transaction. If it is killed, the lease
runs out and another worker sends again: a mail server that has seen the Message-ID may drop the
second. What does not go through is tried again later, and after two days a person is told.
"""

import json
import smtplib
from datetime import datetime, timedelta

import structlog
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet

from audit.access import stage_batch
from core.live import announce
from enforcement.cases.models import CLOSED_STATES
from enforcement.notices.deliveries import HELD, mail_is_set
from enforcement.notices.languages import language
from enforcement.notices.models import NoticeDelivery
from vault.keys import KeyDestroyed
from vault.sealing import SealBroken

MOST_SENT = 20
LEASE = timedelta(minutes=4)
"""Longer than a task may live (CELERY_TASK_TIME_LIMIT): whoever holds it is dead by then."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
"""How long after each failed attempt the next one comes; after the last there is none."""

CASE_OVER = "case-over"
GONE = "no-longer-kept"
REFUSED = "address-refused"
GIVEN_UP = "given-up"

_OF_THE_MESSAGE = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPSenderRefused,
    smtplib.SMTPDataError,
)

log = structlog.get_logger(__name__)


def notices_send(*, now: datetime, limit: int = MOST_SENT) -> int:
    """Send what is due by e-mail; how many deliveries were seen to. Without a mail server they
    wait."""
    done = 0
    if not mail_is_set():
        return done
    while done < limit:
        delivery = _claim(now)
        if delivery is None:
            break
        _deliver(delivery, now)
        done += 1
    return done


def _claim(now: datetime) -> NoticeDelivery | None:
    """Take the next due row, for the time of the lease."""
    due = Q(state=NoticeDelivery.State.QUEUED, next_at__lte=now) | Q(
        state=NoticeDelivery.State.SENDING, leased_until__lte=now
    )
    with transaction.atomic():
        delivery = (
            NoticeDelivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("notice__case", "notice__site")
            .filter(due, channel=NoticeDelivery.Channel.EMAIL)
            .exclude(HELD)
            .order_by("next_at", "pk")
            .first()
        )
        if delivery is not None:
            delivery.state = NoticeDelivery.State.SENDING
            delivery.attempts += 1
            delivery.leased_until = now + LEASE
            delivery.save(update_fields=["state", "attempts", "leased_until"])
    return delivery


def _deliver(delivery: NoticeDelivery, now: datetime) -> None:
    if delivery.notice.case.state in CLOSED_STATES:
        _settle(delivery, NoticeDelivery.State.FAILED, CASE_OVER, now)
        return
    if delivery.attempts > len(PAUSES) + 1:  # whoever took it died of it, time and again
        _settle(delivery, NoticeDelivery.State.FAILED, GIVEN_UP, now)
        return
    try:
        message = _message(delivery)
    except (KeyDestroyed, SealBroken, FileNotFoundError) as error:
        log.error("notice_unopened", delivery=str(delivery.pk), error=type(error).__name__)
        _settle(delivery, NoticeDelivery.State.FAILED, GONE, now)
        return
    try:
        message.send()
    except (smtplib.SMTPException, OSError) as error:
        # neither the address nor what the server said of it may stand in a log
        log.warning("notice_not_sent", delivery=str(delivery.pk), error=type(error).__name__)
        _failed(delivery, error, now)
    else:
        _settle(delivery, NoticeDelivery.State.SENT, "", now)


def _message(delivery: NoticeDelivery) -> EmailMessage:
    """The message, opened for sending; that it was opened is recorded."""
    notice = delivery.notice
    with stage_batch("deliver") as access:
        content = json.loads(access.text(notice, "content"))
        pdf = access.file(notice, "pdf")
        to = access.text(delivery, "address")
    words = language(notice.language)
    issued = notice.issued_at.astimezone(notice.site.zone_info).date()
    return EmailMessage(
        subject=words.say("mail.subject", number=notice.number),
        body=words.say(
            "mail.body",
            number=notice.number,
            issuer=content["data"]["issuer"][0],
            date=words.day(issued),
            link=content["link"],
        ).strip(),
        to=[to],
        headers={"Message-ID": delivery.message_id, "Auto-Submitted": "auto-generated"},
        attachments=[(f"{notice.number}.pdf", pdf, "application/pdf")],
    )


def _failed(delivery: NoticeDelivery, error: Exception, now: datetime) -> None:
    if _for_good(error):
        _settle(delivery, NoticeDelivery.State.FAILED, REFUSED, now)
    elif delivery.attempts > len(PAUSES):
        _settle(delivery, NoticeDelivery.State.FAILED, GIVEN_UP, now)
    else:
        later = now + PAUSES[delivery.attempts - 1]
        _mine(delivery).update(
            state=NoticeDelivery.State.QUEUED,
            leased_until=None,
            next_at=later,
            error=type(error).__name__[:60],
        )
    if not isinstance(error, _OF_THE_MESSAGE):
        # the server itself is away: the others need not each wait for it, nor the stages behind
        NoticeDelivery.objects.filter(
            channel=NoticeDelivery.Channel.EMAIL,
            state=NoticeDelivery.State.QUEUED,
            next_at__lte=now,
        ).update(next_at=now + PAUSES[0])


def _for_good(error: Exception) -> bool:
    """Whether a server refused the address or the message itself (5xx), not just for now."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def _settle(delivery: NoticeDelivery, state: str, error: str, now: datetime) -> None:
    with transaction.atomic():
        _mine(delivery).update(state=state, error=error, done_at=now, leased_until=None)
        announce("case", delivery.notice.case)


def _mine(delivery: NoticeDelivery) -> "QuerySet[NoticeDelivery]":
    """The row, if this worker still holds it: one whose lease ran out changes nothing."""
    return NoticeDelivery.objects.filter(
        pk=delivery.pk, state=NoticeDelivery.State.SENDING, attempts=delivery.attempts
    )
