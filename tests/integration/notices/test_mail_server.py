"""Mail as it really goes: over SMTP to a server, and to one that never answers."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes, policy
from typing import Any

import pytest

from core.errors import BadInput
from enforcement.cases.models import Case
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.notices.outbox import notices_send
from tests.integration.notices.issued import (
    MAIL,
    PLATE,
    clerk,
    confirmed,
    issued,
    site_with_policy,
)

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
State = NoticeDelivery.State


class Dialogue(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs; refuses whoever is on `server.refused`."""

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline():
            verb = line.split(b":")[0].strip().upper()
            if verb == b"DATA":
                self.say("354 go on")
                self.server.mail.append(self.data())  # type: ignore[attr-defined]
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            elif verb == b"RCPT TO" and self.server.refused:  # type: ignore[attr-defined]
                self.say("550 no such mailbox")
            else:
                self.say("250 fine")

    def data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def server(settings: Any) -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dialogue) as made:
        made.mail, made.refused = [], False  # type: ignore[attr-defined]
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        use(settings, made.server_address[1])
        yield made
        made.shutdown()


def use(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 1


@pytest.fixture
def out() -> tuple[Notice, datetime]:
    park = site_with_policy()
    return issued(park, clerk()), park.now


def test_a_notice_arrives_whole(server: Any, out: tuple[Notice, datetime]) -> None:
    notice, now = out
    assert notices_send(now=now) == 1
    (raw,) = server.mail
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Message-ID"] == notice.deliveries.get().message_id
    assert (message["To"], message["Subject"]) == (MAIL, f"Oznámení {notice.number}")
    (attached,) = message.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert len(attached.get_content()) > 10_000
    body = message.get_body(("plain",))
    assert body is not None
    assert "Stav, lhůty a způsob úhrady" in body.get_content()
    assert PLATE not in str(message["Subject"]) + body.get_content()


def test_a_mailbox_that_is_not_there_is_told(server: Any, out: tuple[Notice, datetime]) -> None:
    notice, now = out
    server.refused = True
    notices_send(now=now)
    delivery = notice.deliveries.get()
    assert (delivery.state, delivery.error) == (State.FAILED, "address-refused")
    assert server.mail == []


def test_a_server_that_never_answers_holds_nobody(
    settings: Any, out: tuple[Notice, datetime]
) -> None:
    notice, now = out
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(settings, silent.getsockname()[1])
        notices_send(now=now)
    delivery = notice.deliveries.get()
    assert (delivery.state, delivery.attempts) == (State.QUEUED, 1)


def test_without_a_mail_server_nothing_is_written_into_the_log(
    settings: Any, out: tuple[Notice, datetime], capsys: pytest.CaptureFixture[str]
) -> None:
    """The console's back end would print the notice, and whose it is, where everybody reads."""
    notice, now = out
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert notices_send(now=now) == 0
    assert notice.deliveries.get().state == State.QUEUED
    assert capsys.readouterr().out == ""


def test_without_a_mail_server_no_notice_is_issued_by_mail(settings: Any) -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    with pytest.raises(BadInput) as refused:
        issued(park, olga, case)
    assert (refused.value.code, refused.value.field) == ("no_mail_server", "channel")
    assert Case.objects.get().state == "confirmed"
