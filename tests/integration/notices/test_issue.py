"""From a confirmed case to a sealed notice: in one transaction, with its traces, or not at all."""

import hashlib
import io
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from pypdf import PdfReader

from audit.access import stage_batch
from audit.models import AuditRow
from core.errors import BadInput, Conflict, NotFound
from enforcement.cases.corrections import evidence_correct
from enforcement.cases.decisions import case_confirm
from enforcement.cases.models import Case, ChainEntry
from enforcement.notices import services
from enforcement.notices.models import Notice, NoticeDelivery
from enforcement.notices.pack import pack_make
from enforcement.notices.services import notice_again, notice_issue, notice_preview
from tests.integration.notices.issued import (
    MAIL,
    PLATE,
    POSTAL,
    clerk,
    confirmed,
    issued,
    policy,
    proposed,
    seen_on_the_road,
    site_with_policy,
)
from tests.integration.visits.world import at, car_park, motorway

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def opened(notice: Notice) -> tuple[bytes, dict[str, Any], str]:
    """PDF, content and the address of the first delivery."""
    with stage_batch("test") as access:
        return (
            access.file(notice, "pdf"),
            json.loads(access.text(notice, "content")),
            access.text(notice.deliveries.get(), "address"),
        )


def words_of(pdf: bytes) -> str:
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_a_confirmed_case_becomes_a_notice_with_all_its_traces() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    case = Case.objects.get()
    pdf, content, address = opened(notice)
    assert (case.state, notice.number) == ("notice-issued", case.number)
    event = case.events.last()
    assert event is not None
    assert (event.to_state, event.reason, event.actor) == ("notice-issued", "notice", "olga")
    assert bytes(notice.pdf_sha256) == hashlib.sha256(pdf).digest()
    assert ChainEntry.objects.filter(kind="notice", content=notice.pdf_sha256).count() == 1
    assert (content["data"]["plate"], address) == (PLATE, MAIL)
    assert (notice.amount, notice.discounted, notice.currency) == (150_000, 75_000, "CZK")
    assert notice.deadlines == {
        "issued": "2026-03-02",
        "delivered": "2026-03-02",
        "discount": "2026-03-16",
        "due": "2026-03-30",
        "appeal": "2026-03-30",
    }
    delivery = notice.deliveries.get()
    assert (delivery.state, delivery.attempts) == (NoticeDelivery.State.QUEUED, 0)


def test_it_says_what_a_notice_must_say() -> None:
    """Domain rules §6: evidence, times, site, camera, explanation, amounts, how to pay, appeal."""
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    pdf, content, _ = opened(notice)
    text = words_of(pdf).replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ")
    for part in (
        "Oznámení o neuhrazeném parkování",
        notice.number,
        "Město Severov",
        PLATE,
        "parking",
        "2. března 2026 09:00:00 UTC",
        "2. března 2026 10:00:00 UTC",
        "1 h 0 min",
        "in",
        "out",
        "Kamera měří přítomnost, nikoli parkování",
        "Na vozidlo se v dané době nevztahuje žádné právo.",
        "judge/1",
        "750,00 Kč",
        "1 500,00 Kč",
        "16. března 2026",
        "30. března 2026",
        "Převodem na účet 123456789/0100.",
        "Námitku lze podat do 30. března 2026.",
        "Případ posoudil",
        content["link"],
    ):
        assert part in text, part
    pictures = [image for page in PdfReader(io.BytesIO(pdf)).pages for image in page.images]
    assert len(pictures) == 2  # entry and exit; this world's crops are no pictures


def test_a_vehicle_seen_once_has_one_time_and_no_duration() -> None:
    road, olga = motorway(), clerk()
    policy(road)
    case = seen_on_the_road(road, olga)
    notice = issued(road, olga, case, language_code="en")
    text = words_of(opened(notice)[0]).replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ")
    assert "Road charge notice" in text
    assert "Passage 2 March 2026, 09:00:00 UTC" in text
    assert "A camera measures presence: the time is that at which the vehicle was seen." in text
    assert "Present for" not in text
    assert opened(notice)[1]["data"]["facts"][1][0] == "Passage"


@pytest.mark.parametrize("code", ["en", "cs", "de"])
def test_every_language_can_be_issued_and_made_again_to_the_byte(code: str) -> None:
    park, olga = site_with_policy(), clerk()
    pk = issued(park, olga, language_code=code).pk
    notice = Notice.objects.select_related("case").get(pk=pk)
    with stage_batch("test") as access:
        again = notice_again(notice, access)
    assert hashlib.sha256(again.pdf).digest() == bytes(notice.pdf_sha256)
    assert again.pages == notice.pages == 2


def test_who_issues_leaves_a_row_for_each_plate_and_picture() -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    before = AuditRow.objects.order_by("-id").values_list("id", flat=True)[0]
    issued(park, olga, case)
    rows = list(AuditRow.objects.filter(id__gt=before).order_by("id"))
    assert {(row.actor_kind, row.actor, row.purpose, row.case_ref) for row in rows} == {
        ("person", "olga", "case-review", case.number)
    }
    assert [row.action for row in rows].count("picture") == 4
    assert [row.action for row in rows].count("view") == 1
    assert (rows[-1].action, rows[-1].detail["to"]) == ("change", "notice-issued")
    assert all(case.token_exact in row.tokens for row in rows)


def test_no_plate_and_no_address_lies_in_clear() -> None:
    park, olga = site_with_policy(), clerk()
    issued(park, olga, channel="print", address=POSTAL)
    with connection.cursor() as cursor:
        for table in ("notices_notice", "notices_noticedelivery", "cases_caseevent"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            for (row,) in cursor.fetchall():
                assert PLATE not in row
                assert "Nov" not in row


def test_the_link_is_not_in_the_database() -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    secret = opened(notice)[1]["link"].rstrip("/").rsplit("/", 1)[1]
    assert len(secret) >= 20
    assert PLATE not in opened(notice)[1]["link"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM notices_notice t")
        assert secret not in cursor.fetchone()[0]


def test_a_corrected_plate_is_the_one_that_is_printed_and_both_stand_on_the_evidence() -> None:
    park, olga = site_with_policy(), clerk()
    case = proposed(park)
    for evidence in case.evidence.all():
        evidence_correct(
            evidence_id=evidence.pk,
            user=olga,
            plate="1AB2346",
            reason="seen-otherwise",
            now=park.now,
        )
    case_confirm(case_id=case.pk, user=olga, reason="plate-checked", now=park.now)
    notice = issued(park, olga, case)
    text = words_of(opened(notice)[0])
    assert "1AB2346" in text
    assert PLATE not in text
    assert "opravil" in text
    case = Case.objects.select_related("site__organisation").get()
    pack = words_of(pack_make(case=case, user=olga, language_code="en").pdf)
    assert PLATE in pack
    assert "1AB2346" in pack


# --- what is refused, and that nothing is half done ----------------------------------------------


def nothing_done(case: Case) -> bool:
    case.refresh_from_db()
    return case.state == "confirmed" and not Notice.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"language_code": "xx"}, "language_unknown"),
        ({"channel": "pigeon"}, "channel_unknown"),
        ({"address": "not an address"}, "address_wrong"),
        ({"address": ""}, "address_wrong"),
        ({"address": "a@example.org\nBcc: b@example.org"}, "address_wrong"),
        ({"channel": "print", "address": "One line"}, "address_wrong"),
        ({"channel": "print", "address": "\n".join(["line"] * 9)}, "address_wrong"),
        ({"channel": "print", "address": "A\n" + "x" * 81}, "address_wrong"),
        ({"channel": "print", "address": "A\nB\x00C"}, "address_wrong"),
    ],
)
def test_bad_input_is_told_and_does_nothing(fields: dict[str, str], code: str) -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    with pytest.raises(BadInput) as refused:
        issued(park, olga, case, **fields)
    assert refused.value.code == code
    assert nothing_done(case)


def test_without_a_policy_there_is_no_notice() -> None:
    park, olga = car_park(), clerk()
    case = confirmed(park, olga)
    with pytest.raises(Conflict) as refused:
        issued(park, olga, case)
    assert refused.value.code == "policy_missing"
    assert nothing_done(case)


def test_a_notice_that_comes_too_late_is_refused() -> None:
    """UK: delivered within 14 days beginning the day after, two working days after posting."""
    park, olga = site_with_policy(scheme="uk-postal"), clerk()
    case = confirmed(park, olga)
    park.now += timedelta(days=15)
    with pytest.raises(Conflict) as refused:
        issued(park, olga, case, channel="print", address=POSTAL)
    assert refused.value.code == "notice_late"
    assert nothing_done(case)


def test_only_a_confirmed_case_and_only_once() -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    issued(park, olga, case)
    with pytest.raises(Conflict) as refused:
        issued(park, olga, case)
    assert refused.value.code == "case_decided"
    assert Notice.objects.count() == NoticeDelivery.objects.count() == 1


def test_a_case_that_was_paid_meanwhile_gets_no_notice() -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    park.right("payment", PLATE, from_=at("09:00"), to=at("11:00"))
    park.judge()
    with pytest.raises(Conflict):
        issued(park, olga, case)
    assert nothing_done(case)


def test_a_case_that_changed_while_the_document_was_made_gets_one_that_is_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    make, made = services.document_make, []

    def slow(*args: Any, **options: Any) -> Any:
        made.append(args)
        if len(made) == 1:  # while it is made, the explanation becomes another
            Case.objects.filter(pk=case.pk).update(explanation=[])
        return make(*args, **options)

    monkeypatch.setattr(services, "document_make", slow)
    notice = issued(park, olga, case)
    assert len(made) == 2
    assert opened(notice)[1]["data"]["explanation"] == []


def test_a_case_that_never_holds_still_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    make = services.document_make
    count = iter(range(9))

    def restless(*args: Any, **options: Any) -> Any:
        line = {"kind": "doubt", "code": "x", "sentence": str(next(count)), "applied": True}
        Case.objects.filter(pk=case.pk).update(explanation=[line | {"cost": None}])
        return make(*args, **options)

    monkeypatch.setattr(services, "document_make", restless)
    with pytest.raises(Conflict) as refused:
        issued(park, olga, case)
    assert refused.value.code == "case_moved"
    assert nothing_done(case)


def test_a_failure_at_the_end_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)

    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("killed before the commit")

    monkeypatch.setattr(services, "case_audit", broken)
    with pytest.raises(RuntimeError):
        issued(park, olga, case)
    assert nothing_done(case)
    assert not ChainEntry.objects.filter(kind="notice").exists()
    assert not NoticeDelivery.objects.exists()


def test_a_case_that_is_not_there() -> None:
    park, olga = site_with_policy(), clerk()
    with pytest.raises(NotFound):
        notice_issue(
            case_id=park.site.pk,
            user=olga,
            language_code="en",
            channel="email",
            address=MAIL,
            now=park.now,
        )


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_two_people_at_once_issue_one_notice() -> None:
    park, olga, petr = site_with_policy(), clerk(), clerk("petr")
    case = confirmed(park, olga)
    start, said = threading.Barrier(2, timeout=30), []

    def issue(who: Any) -> None:
        start.wait()
        try:
            issued(park, who, case)
            said.append("issued")
        except Conflict as error:
            said.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=issue, args=[who]) for who in (olga, petr)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["case_decided", "issued"]
    assert Notice.objects.count() == NoticeDelivery.objects.count() == 1
    assert ChainEntry.objects.filter(kind="notice").count() == 1


# --- what the database holds ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE notices_notice SET amount = 1",
        "UPDATE notices_notice SET pdf_sha256 = '\\x00'",
        "UPDATE notices_noticedelivery SET state = 'sent'",
        "UPDATE notices_noticedelivery SET state = 'sending'",
        "UPDATE notices_noticedelivery SET state = 'printed', done_at = now()",
    ],
)
def test_the_database_holds_a_notice_as_it_was_issued(sql: str) -> None:
    park, olga = site_with_policy(), clerk()
    issued(park, olga)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_notice_goes_only_with_its_case() -> None:
    park, olga = site_with_policy(), clerk()
    issued(park, olga)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM notices_noticedelivery")
        cursor.execute("DELETE FROM notices_notice")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


# --- drafts and packs ----------------------------------------------------------------------------


def test_a_draft_is_marked_has_no_address_and_no_link_and_changes_nothing() -> None:
    park, olga = site_with_policy(), clerk()
    case = confirmed(park, olga)
    pdf = notice_preview(case=case, user=olga, language_code="en", channel="print", now=park.now)
    text = words_of(pdf)
    assert "Draft – not issued" in text
    assert "/notice/" not in text
    assert nothing_done(case)
    assert not ChainEntry.objects.filter(kind="notice").exists()


def test_a_candidate_can_be_drafted_before_it_is_confirmed() -> None:
    park, olga = site_with_policy(), clerk()
    case = proposed(park)
    pdf = notice_preview(case=case, user=olga, language_code="cs", channel="email", now=park.now)
    assert case.state == "candidate"
    assert "Případ posoudil" not in words_of(pdf)


@pytest.mark.parametrize("code", ["en", "cs", "de"])
def test_the_whole_case_on_paper(code: str) -> None:
    park, olga = site_with_policy(), clerk()
    notice = issued(park, olga)
    case = Case.objects.select_related("site__organisation").get()
    before = AuditRow.objects.order_by("-id").values_list("id", flat=True)[0]
    made = pack_make(case=case, user=olga, language_code=code)
    text = words_of(made.pdf).replace("\n", "")
    assert case.number in text
    assert PLATE in text
    assert bytes(notice.pdf_sha256).hex() in text
    for evidence in case.evidence.all():
        assert bytes(evidence.picture_sha256 or b"").hex() in text
    entry = ChainEntry.objects.get(kind="notice")
    assert str(entry.seq) in text
    rows = AuditRow.objects.filter(id__gt=before)
    assert {(row.action, row.case_ref) for row in rows} == {("export", case.number)}
    assert made.pdf == pack_make(case=case, user=olga, language_code=code).pdf
