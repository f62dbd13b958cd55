"""Ways a notice goes out: rows of the outbox, made and changed by people."""

import uuid
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q

from audit.services import record
from cameras.access import person_actor
from core.errors import BadInput, Conflict, NotFound
from core.models import User
from core.stages import ring
from enforcement.cases.deadlines import Channel
from enforcement.cases.models import CLOSED_STATES
from enforcement.notices.models import Notice, NoticeDelivery
from vault.models import DataClass
from vault.sealing import assign_key, seal_text

PURPOSE = "case-review"
_CONSOLE = "django.core.mail.backends.console.EmailBackend"
_MOST_LINES = 8
_LONGEST_LINE = 80
_OUT = (NoticeDelivery.State.SENT, NoticeDelivery.State.PRINTED)
_WAITING = (NoticeDelivery.State.QUEUED, NoticeDelivery.State.SENDING)
HELD = ~Q(notice__case__state__in=CLOSED_STATES) & Q(
    notice__case__withdrawal_asked_at__isnull=False
)
"""Deliveries whose case the judge no longer holds: they wait for the person who decides on it."""


def mail_is_set() -> bool:
    """Whether there is a mail server. Without one, mail is written into the log, where neither an
    address nor a notice may come to stand."""
    return bool(settings.EMAIL_BACKEND != _CONSOLE)


def channel_known(name: str) -> Channel:
    """The channel of a name; BadInput `channel_unknown`."""
    try:
        return Channel(name)
    except ValueError as error:
        raise BadInput(
            "channel_unknown", "Choose how the notice goes out.", field="channel"
        ) from error


def channel_checked(name: str) -> Channel:
    """A channel that something can be sent by; BadInput as of `channel_known`, or `no_mail_server`
    while none is set up."""
    channel = channel_known(name)
    if channel is Channel.EMAIL and not mail_is_set():
        raise BadInput(
            "no_mail_server", "No mail server is set up (EMAIL_URL): print it.", field="channel"
        )
    return channel


def address_checked(channel: str, address: str) -> str:
    """An address a notice can go to; BadInput `address_wrong` otherwise."""
    if channel == Channel.EMAIL:
        try:
            validate_email(address.strip())
        except ValidationError as error:
            raise BadInput(
                "address_wrong", "This is no e-mail address.", field="address"
            ) from error
        return address.strip()
    lines = address_lines(address)
    if len(lines) < 2:
        raise BadInput(
            "address_wrong", "Write the name and the postal address, line by line.", field="address"
        )
    return "\n".join(lines)


def address_lines(text: str) -> tuple[str, ...]:
    """The lines of an address, those that hold something; BadInput `address_wrong`."""
    lines = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(lines) > _MOST_LINES or any(
        len(line) > _LONGEST_LINE or not line.isprintable() for line in lines
    ):
        raise BadInput(
            "address_wrong",
            f"An address has at most {_MOST_LINES} lines of {_LONGEST_LINE} characters.",
            field="address",
        )
    return lines


def delivery_queue(notice: Notice, channel: str, to: str, *, now: datetime) -> NoticeDelivery:
    """Put a notice into the outbox; `to` is of `address_checked`. In the caller's transaction."""
    delivery = NoticeDelivery(notice=notice, channel=channel, queued_at=now, next_at=now)
    host = urlsplit(settings.PLATEWARDEN_URL).hostname or "localhost"
    delivery.message_id = f"<{delivery.pk.hex}.notice@{host}>"
    assign_key(delivery, scope=str(notice.site_id), data_class=DataClass.CASE, now=now)
    seal_text(delivery, {"address": to})
    delivery.save(force_insert=True)
    return delivery


def delivery_again(
    *, notice: Notice, user: User, channel: str, address: str, now: datetime
) -> NoticeDelivery:
    """Send a notice that is out once more, another way or to another address: as it was issued.

    The caller has checked that `user` may act at the site. BadInput as of `address_checked`;
    Conflict `case_decided` where the case is over, `still_waiting` while it waits to go out.
    """
    by = channel_checked(channel)
    to = address_checked(by, address)
    with transaction.atomic():
        held = Notice.objects.select_for_update(of=("self",)).select_related("case")
        notice = held.get(pk=notice.pk)
        if notice.case.state in CLOSED_STATES:
            raise Conflict("case_decided", f"The case is {notice.case.get_state_display()}.")
        if notice.deliveries.filter(state__in=_WAITING).exists():
            raise Conflict("still_waiting", "It has not gone out yet the way it was to.")
        delivery = delivery_queue(notice, by, to, now=now)
        ring("deliver")
        _changed(delivery, user)
    return delivery


def delivery_returned(*, delivery_id: uuid.UUID, user: User, now: datetime) -> NoticeDelivery:
    """A person notes that a letter or message came back. Conflict `not_out` before it went out."""
    with transaction.atomic():
        delivery = _held(delivery_id)
        if delivery.state not in _OUT:
            raise Conflict("not_out", "This has not gone out, or came back already.")
        delivery.state, delivery.done_at = NoticeDelivery.State.RETURNED, now
        delivery.save(update_fields=["state", "done_at"])
        _changed(delivery, user)
    return delivery


def _held(delivery_id: uuid.UUID) -> NoticeDelivery:
    found = NoticeDelivery.objects.select_for_update(of=("self",)).select_related("notice__case")
    delivery = found.filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound("not_found", "There is no such letter here.")
    return delivery


def _changed(delivery: NoticeDelivery, user: User) -> None:
    record(
        person_actor(user),
        "change",
        purpose=PURPOSE,
        case_ref=delivery.notice.number,
        subject=NoticeDelivery._meta.label_lower,
        subject_id=delivery.pk,
        tokens=[delivery.notice.token_exact],
        detail={"to": delivery.state},
    )
