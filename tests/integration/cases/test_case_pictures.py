"""A larger picture that came later joins the evidence of the cases its read is in."""

import hashlib
import threading
from typing import Any

import pytest
from django.db import connections

from audit.access import stage_batch
from audit.models import AuditRow
from audit.services import Actor
from cameras import wanted
from cameras.models import Capture
from core.models import User
from core.stages import STAGES
from enforcement.cases import evidence as copying
from enforcement.cases import pictures
from enforcement.cases.decisions import case_confirm, case_dismiss
from enforcement.cases.models import Case, Evidence
from enforcement.cases.pictures import pictures_join
from enforcement.cases.services import cases_act
from enforcement.retention.erasing import captures_empty
from plates.models import PlateRead
from tests.integration.cameras.conftest import picture
from tests.integration.visits.world import World, at, car_park
from vault.models import DataClass
from vault.sealing import seal_text

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

LARGE = picture(7, size=(640, 360))
DIGEST = hashlib.sha256(LARGE).digest()


@pytest.fixture
def operator() -> User:
    return User.objects.create_user("olga", "olga@example.org", "a long enough password")


def capture_of(read: PlateRead) -> Capture:
    return Capture.objects.get(pk=read.capture_id)


def unpaid_stay(park: World, plate: str = "1AB2345") -> PlateRead:
    """A stay nobody paid for, both ends read by devices; the read at the entry."""
    reads = [park.read("in", plate, at("09:00")), park.read("out", plate, at("10:00"))]
    for read in reads:
        capture = capture_of(read)
        seal_text(capture, {"read": "{}"})
        capture.kind = Capture.Kind.READ
        capture.save()
        PlateRead.objects.filter(pk=read.pk).update(quad=[0, 0, 9, 0, 9, 3, 0, 3])
    park.settle(at("10:05"))
    return reads[0]


def ask(park: World, read: PlateRead) -> None:
    wanted.picture_ask(
        capture=capture_of(read),
        actor=Actor("person", "olga"),
        purpose="quality-check",
        case_ref="",
        shows=[],
        now=park.now,
    )


def arrive(park: World, read: PlateRead) -> None:
    """The device sends what it was asked for."""
    assert wanted.picture_receive(
        camera=read.camera,
        capture_id=read.capture_id,
        data=LARGE,
        max_bytes=1_000_000,
        max_pixels=1_000_000,
        now=park.now,
    )


def kept(read: PlateRead) -> Evidence:
    return Evidence.objects.get(capture_id=read.capture_id)


def test_a_picture_that_came_later_joins_the_open_case() -> None:
    park = car_park()
    read = unpaid_stay(park)
    cases_act(now=park.now)
    case = Case.objects.get()
    assert kept(read).picture == ""
    ask(park, read)
    arrive(park, read)
    before = AuditRow.objects.count()
    assert pictures_join(now=park.now) == 1
    evidence = kept(read)
    assert bytes(evidence.picture_sha256 or b"") == DIGEST
    assert evidence.data_class == DataClass.CASE
    assert evidence.picture != capture_of(read).picture
    assert evidence.quad is None  # the corners are those of the small crop
    with stage_batch("test") as access:
        assert access.file(evidence, "picture") == LARGE
    assert [(e.to_state, e.actor, e.reason) for e in case.events.all()] == [
        ("candidate", "judge", "no-right"),
        ("candidate", "camera", "picture-came"),
    ]
    change, opened = AuditRow.objects.order_by("id")[before : before + 2]
    assert (change.action, change.case_ref) == ("change", case.number)
    assert (change.subject, change.subject_id) == ("cases.evidence", str(evidence.pk))
    assert change.tokens == [read.token_exact]
    assert (opened.action, opened.count) == ("process", 3)  # text, salt
    assert pictures_join(now=park.now) == 0
    assert case.events.count() == 2


def test_a_case_that_is_confirmed_still_gets_it_and_one_that_is_over_does_not(
    operator: User,
) -> None:
    park = car_park()
    first, second = unpaid_stay(park), unpaid_stay(park, "2CD6789")
    cases_act(now=park.now)
    for read in (first, second):
        ask(park, read)
        arrive(park, read)
    confirmed, dismissed = kept(first).case, kept(second).case
    case_confirm(case_id=confirmed.pk, user=operator, reason="evidence-complete", now=park.now)
    case_dismiss(case_id=dismissed.pk, user=operator, reason="misread", now=park.now)
    assert pictures_join(now=park.now) == 2
    assert kept(first).picture != ""
    assert kept(second).picture == ""
    assert not dismissed.events.filter(actor="camera").exists()
    assert not Capture.objects.filter(picture_due=True).exists()


def test_nothing_is_asked_for_a_case_that_is_over_unless_another_is_not(operator: User) -> None:
    park = car_park()
    reads = [unpaid_stay(park), unpaid_stay(park, "2CD6789")]
    cases_act(now=park.now)
    for read in reads:
        ask(park, read)
    mine, other = (kept(read) for read in reads)
    # a second case that speaks of the first read
    copy = kept(reads[0])
    copy.pk, copy.case, copy._state.adding = None, other.case, True
    copy.id = other.case_id
    copy.save()
    case_dismiss(case_id=mine.case_id, user=operator, reason="misread", now=park.now)
    assert capture_of(reads[0]).wanted_at is not None
    case_dismiss(case_id=other.case_id, user=operator, reason="misread", now=park.now)
    assert {capture_of(read).wanted_at for read in reads} == {None}


def test_a_read_the_case_had_not_kept_comes_with_its_picture() -> None:
    park = car_park()
    read = unpaid_stay(park)
    cases_act(now=park.now)
    kept(read).delete()
    ask(park, read)
    arrive(park, read)
    assert pictures_join(now=park.now) == 1
    evidence = kept(read)
    assert evidence.case == Case.objects.get()
    with stage_batch("test") as access:
        assert access.text(evidence) == "1AB2345"
        assert access.file(evidence, "picture") == LARGE


def test_a_case_opened_later_has_it_from_the_start() -> None:
    park = car_park()
    read = unpaid_stay(park)
    ask(park, read)
    arrive(park, read)
    assert pictures_join(now=park.now) == 1  # there is no case yet
    cases_act(now=park.now)
    evidence = kept(read)
    assert bytes(evidence.picture_sha256 or b"") == DIGEST
    assert evidence.quad is None
    assert Case.objects.get().events.count() == 1


def test_what_fails_is_seen_to_again_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    park = car_park()
    reads = [unpaid_stay(park), unpaid_stay(park, "2CD6789")]
    cases_act(now=park.now)
    for read in reads:
        ask(park, read)
        arrive(park, read)
    write = pictures._audit

    def once(evidence: Evidence) -> None:
        if evidence.capture_id == reads[0].capture_id:
            raise RuntimeError("killed before the commit")
        write(evidence)

    with monkeypatch.context() as patched:
        patched.setattr(pictures, "_audit", once)
        assert pictures_join(now=park.now) == 1
    assert (kept(reads[0]).picture, kept(reads[1]).picture != "") == ("", True)
    assert not kept(reads[0]).case.events.filter(actor="camera").exists()
    assert pictures_join(now=park.now) == 1
    assert kept(reads[0]).picture != ""


def test_what_was_forgotten_before_its_turn_leaves_no_mark() -> None:
    park = car_park()
    read = unpaid_stay(park)
    cases_act(now=park.now)
    ask(park, read)
    arrive(park, read)
    captures_empty([read.capture_id])
    assert pictures_join(now=park.now) == 1
    assert kept(read).picture == ""
    assert pictures_join(now=park.now) == 0


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_picture_that_meets_the_opening_of_its_case_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    park = car_park()
    read = unpaid_stay(park)
    ask(park, read)
    opening, go = threading.Event(), threading.Event()
    seal = copying._sealed

    def slow(*args: Any) -> Evidence:
        made = seal(*args)
        opening.set()
        assert go.wait(20)
        return made

    monkeypatch.setattr(copying, "_sealed", slow)

    def run(step: Any) -> threading.Thread:
        def work() -> None:
            step()
            connections.close_all()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    judge = run(lambda: cases_act(now=park.now))
    assert opening.wait(20)
    device = run(lambda: arrive(park, read))
    device.join(0.5)
    pictures_join(now=park.now)  # must not clear the mark of a case it can't see yet
    go.set()
    judge.join()
    device.join()
    pictures_join(now=park.now)
    assert bytes(kept(read).picture_sha256 or b"") == DIGEST


def test_the_stage_joins_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from enforcement.cases.tasks import act

    park = car_park()
    read = unpaid_stay(park)
    cases_act(now=park.now)
    ask(park, read)
    arrive(park, read)
    assert "pictures" in STAGES["act"].moves
    act()
    assert kept(read).picture != ""
