"""Notices in the browser: who may, what is recorded, and what the addressee sees."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from audit.access import stage_batch
from audit.models import AuditRow
from cameras.models import SiteRole
from core.models import User
from enforcement.cases.models import Case, CaseAppeal
from enforcement.cases.policies import CasePolicy
from enforcement.cases.settling import case_cancel, payment_record
from enforcement.notices.models import Notice, NoticeDelivery, PrintBatch
from enforcement.notices.outbox import notices_send
from tests.integration.notices.issued import (
    MAIL,
    PLATE,
    POSTAL,
    clerk,
    confirmed,
    issued,
    proposed,
    site_with_policy,
)
from tests.integration.visits.world import World

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages take the time from the clock; the world's is in March 2026."""
    from dashboard.views import notices
    from tests.integration.visits.world import at

    monkeypatch.setattr(notices.timezone, "now", lambda: at("10:30"))


@pytest.fixture
def park() -> World:
    return site_with_policy()


def person(park: World, role: str = SiteRole.Role.OPERATOR, name: str = "olga") -> User:
    user = clerk(name)
    SiteRole.objects.create(user=user, site=park.site, role=role)
    return user


def logged_in(user: User, case: Case | None = None) -> Client:
    """A browser; with `case` open for review."""
    client = Client()
    client.force_login(user)
    if case is not None:
        client.post(f"/cases/{case.pk}/open/")
    return client


def last_row() -> int:
    return int(AuditRow.objects.order_by("-id").values_list("id", flat=True)[0])


def secret_of(notice: Notice) -> str:
    with stage_batch("test") as access:
        link = json.loads(access.text(notice, "content"))["link"]
    return str(link).rstrip("/").rsplit("/", 1)[1]


def path_of(notice: Notice) -> str:
    return f"/notice/{notice.number}/{secret_of(notice)}/"


# --- the operator --------------------------------------------------------------------------------


def test_a_case_goes_from_confirmed_to_issued_in_the_browser(park: World) -> None:
    olga = person(park)
    case = confirmed(park, olga)
    client = logged_in(olga, case)
    page = client.get(f"/cases/{case.pk}/").content.decode()
    assert "Issue the notice" in page
    draft = client.post(f"/cases/{case.pk}/notice/draft/", {"language": "de", "channel": "print"})
    assert (draft.status_code, draft["Content-Type"]) == (200, "application/pdf")
    assert "no-store" in draft["Cache-Control"]
    assert not Notice.objects.exists()
    form = {"language": "en", "channel": "email", "address": MAIL, "addressee": "J. Novák"}
    answer = client.post(f"/cases/{case.pk}/notice/issue/", form, follow=True)
    notice = Notice.objects.get()
    assert f"Notice {notice.number} issued." in answer.content.decode()
    assert (notice.language, notice.issued_by) == ("en", olga)
    assert MAIL not in answer.content.decode()
    mark = last_row()
    opened = client.post(f"/cases/{case.pk}/notice/pdf/")
    assert opened.content.startswith(b"%PDF")
    assert PLATE not in opened["Content-Disposition"]
    (row,) = AuditRow.objects.filter(id__gt=mark)
    assert (row.actor, row.purpose, row.case_ref) == ("olga", "case-review", case.number)
    assert row.tokens == [notice.token_exact]


def test_a_wrong_address_is_told_on_the_page(park: World) -> None:
    olga = person(park)
    case = confirmed(park, olga)
    client = logged_in(olga, case)
    form = {"language": "en", "channel": "email", "address": "nobody"}
    page = client.post(f"/cases/{case.pk}/notice/issue/", form, follow=True)
    assert (page.status_code, "This is no e-mail address." in page.content.decode()) == (200, True)
    assert not Notice.objects.exists()


def test_a_candidate_is_drafted_but_not_issued(park: World) -> None:
    olga = person(park)
    case = proposed(park)
    client = logged_in(olga, case)
    page = client.get(f"/cases/{case.pk}/").content.decode()
    assert "Look at the draft" in page
    assert "Issue the notice" not in page
    assert client.post(f"/cases/{case.pk}/notice/draft/", {"language": "cs"}).status_code == 200
    form = {"language": "cs", "channel": "email", "address": MAIL}
    client.post(f"/cases/{case.pk}/notice/issue/", form)
    assert not Notice.objects.exists()


def test_a_site_without_a_policy_says_so(park: World) -> None:
    olga = person(park)
    case = confirmed(park, olga)
    CasePolicy.objects.all().delete()
    client = logged_in(olga, case)
    assert "no policy for notices" in client.get(f"/cases/{case.pk}/").content.decode()
    answer = client.post(f"/cases/{case.pk}/notice/draft/", {"language": "cs"})
    assert answer.status_code == 409


POSTS = (
    "/cases/{case}/notice/draft/",
    "/cases/{case}/notice/issue/",
    "/cases/{case}/notice/pdf/",
    "/cases/{case}/notice/again/",
    "/cases/{case}/evidence/pdf/",
    "/letters/{delivery}/returned/",
    "/letters/print/{site}/",
    "/letters/batch/{batch}/pdf/",
    "/letters/batch/{batch}/list/",
)


def everything(park: World, olga: User) -> dict[str, Any]:
    from enforcement.notices.printing import batch_make

    notice = issued(park, olga, channel="print", address=POSTAL)
    batch = batch_make(site=park.site, user=olga, now=park.now)
    return {
        "case": notice.case_id,
        "delivery": notice.deliveries.get().pk,
        "site": park.site.pk,
        "batch": batch.pk,
    }


@pytest.mark.parametrize("path", POSTS)
def test_somebody_of_another_site_finds_nothing_and_a_viewer_may_not(
    park: World, path: str
) -> None:
    olga = person(park)
    named = everything(park, olga)
    stranger = person(site_elsewhere(), name="petr")
    viewer = person(park, SiteRole.Role.VIEWER, "viktor")
    mark = last_row()
    where = path.format(**named)
    assert logged_in(stranger).post(where).status_code == 404
    assert logged_in(viewer).post(where).status_code == 403
    assert Client().post(where).status_code == 302
    assert logged_in(olga).get(where).status_code == 405
    assert last_row() == mark


def site_elsewhere() -> World:
    from tests.integration.visits.world import car_park

    return car_park("elsewhere")


@pytest.mark.parametrize("path", [path for path in POSTS if "{case}" in path])
def test_nothing_is_opened_before_the_case_is(park: World, path: str) -> None:
    olga = person(park)
    where = path.format(**everything(park, olga))
    mark = last_row()
    assert logged_in(olga).post(where, {"language": "en"}).status_code == 404
    assert last_row() == mark


def test_letters_are_printed_from_their_page(park: World) -> None:
    olga = person(park)
    notice = issued(park, olga, channel="print", address=POSTAL)
    client = logged_in(olga)
    assert "1 letter" in client.get("/letters/").content.decode()
    client.post(f"/letters/print/{park.site.pk}/")
    batch = PrintBatch.objects.get()
    page = client.get("/letters/").content.decode()
    assert "No letter waits." in page
    assert str(batch.pk) in page
    assert PLATE not in page
    assert "Nov" not in page
    pdf = client.post(f"/letters/batch/{batch.pk}/pdf/")
    assert pdf.content.startswith(b"%PDF")
    listed = client.post(f"/letters/batch/{batch.pk}/list/")
    assert listed["Content-Type"].startswith("text/csv")
    assert notice.number in listed.content.decode()
    again = client.post(f"/letters/print/{park.site.pk}/", follow=True).content.decode()
    assert "No letter waits to be printed at this site." in again


def test_what_came_back_is_noted_listed_and_sent_again(park: World) -> None:
    olga = person(park)
    notice = issued(park, olga)
    notices_send(now=park.now)
    client = logged_in(olga, notice.case)
    delivery = notice.deliveries.get()
    client.post(f"/letters/{delivery.pk}/returned/")
    assert notice.number in client.get("/letters/").content.decode()
    form = {"channel": "print", "address": POSTAL}
    answer = client.post(f"/cases/{notice.case_id}/notice/again/", form, follow=True)
    assert "goes out once more" in answer.content.decode()
    assert NoticeDelivery.objects.filter(channel="print", state="queued").count() == 1


def test_the_evidence_on_paper_is_opened_from_the_case(park: World) -> None:
    olga = person(park)
    case = confirmed(park, olga)
    answer = logged_in(olga, case).post(f"/cases/{case.pk}/evidence/pdf/", {"language": "de"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")


# --- the addressee -------------------------------------------------------------------------------


def test_who_holds_the_link_sees_state_amounts_and_how_to_pay(park: World) -> None:
    notice = issued(park, person(park))
    path, mark = path_of(notice), last_row()
    answer = Client().get(path)
    page = answer.content.decode().replace("\N{NO-BREAK SPACE}", " ")
    assert answer.status_code == 200
    assert '<html lang="cs"' in page
    for shown in (notice.number, "750,00 Kč", "1 500,00 Kč", "16. března 2026", "123456789/0100"):
        assert shown in page
    assert PLATE not in page
    assert answer["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer["Cache-Control"]
    assert "noindex" in answer["X-Robots-Tag"]
    assert last_row() == mark  # nothing was opened


def test_opening_the_notice_by_its_link_is_recorded(park: World) -> None:
    notice = issued(park, person(park))
    path, mark = path_of(notice), last_row()
    answer = Client().post(f"{path}pdf/", REMOTE_ADDR="203.0.113.9")
    assert answer.content.startswith(b"%PDF")
    (row,) = AuditRow.objects.filter(id__gt=mark)
    assert (row.actor_kind, row.actor) == ("addressee", f"notice {notice.number}")
    assert (row.purpose, row.case_ref, row.place) == (
        "customer-request",
        notice.number,
        "203.0.113.9",
    )
    assert row.tokens == [notice.token_exact]
    assert Client().get(f"{path}pdf/").status_code == 405


def test_a_notice_opens_by_its_link_only_so_often(park: World) -> None:
    notice = issued(park, person(park))
    path, client = f"{path_of(notice)}pdf/", Client()
    answers = [client.post(path).status_code for _ in range(21)]
    assert answers == [200] * 20 + [429]
    assert client.get(path_of(notice)).status_code == 200  # its state still shows


def test_a_notice_whose_file_is_broken_is_told_to_be_gone(park: World, sealed_store: Path) -> None:
    olga = person(park)
    notice = issued(park, olga)
    (file,) = (path for path in sealed_store.rglob("*") if str(path).endswith(notice.pdf))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert Client().post(f"{path_of(notice)}pdf/").status_code == 404
    client = logged_in(olga, notice.case)
    assert client.post(f"/cases/{notice.case_id}/notice/pdf/").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/notice/%00/x/",
        "/notice/2026-000001/%00/",
        "/notice/%ff%fe/%ed%a0%80/",
        f"/notice/{'9' * 5000}/x/",
        "/notice/2026-000001/\N{GRINNING FACE}/",
    ],
)
def test_what_is_no_address_at_all_finds_nothing(db: None, path: str) -> None:
    assert Client().get(path).status_code == 404
    assert Client().post(f"{path}pdf/").status_code == 404


@pytest.mark.parametrize("change", ["number", "secret", "short", "case"])
def test_any_other_address_finds_nothing(park: World, change: str) -> None:
    olga = person(park)
    notice = issued(park, olga)
    other = issued(park, olga, confirmed(park, olga, "2CD6789", start="12:00"))
    number, secret = notice.number, secret_of(notice)
    path = {
        "number": f"/notice/{other.number}/{secret}/",
        "secret": f"/notice/{number}/{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}/",
        "short": f"/notice/{number}/x/",
        "case": f"/notice/{number}/{secret.swapcase()}/",
    }[change]
    for method in ("get", "post"):
        assert getattr(Client(), method)(path).status_code == 404
    assert Client().post(f"{path}pdf/").status_code == 404
    assert not CaseAppeal.objects.exists()


def test_an_appeal_is_taken_once_and_sealed(park: World) -> None:
    notice = issued(park, person(park))
    written = f"My plate {PLATE} was covered <b>by snow</b>.\nBoth pages are wrong."
    form = {"text": written, "contact": MAIL}
    answer = Client().post(path_of(notice), form, follow=True)
    page = answer.content.decode()
    assert "Námitka byla přijata 2. března 2026" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "Odeslat námitku" not in page
    appeal = CaseAppeal.objects.get()
    with stage_batch("test") as access:
        assert access.text(appeal) == written
        assert access.text(appeal, "contact") == MAIL
    case = Case.objects.get()
    assert case.state == "appealed"
    assert case.events.order_by("-at")[0].actor == f"notice {notice.number}"
    again = Client().post(path_of(notice), {"text": "Once more"})
    assert again.status_code == 409
    assert "Námitku už podat nelze." in again.content.decode()
    assert CaseAppeal.objects.count() == 1


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"text": "  "}, "Napište, co mluví proti oznámení."),
        ({}, "Napište, co mluví proti oznámení."),
        ({"text": "x" * 10_001}, "Nejvýše 10000 znaků"),
        ({"text": "a\x00b"}, "Napište"),
        ({"text": "ok", "contact": "y" * 501}, "Nejvýše 500 znaků"),
    ],
)
def test_a_bad_appeal_is_told_in_the_language_of_the_notice(
    park: World, form: dict[str, str], said: str
) -> None:
    notice = issued(park, person(park))
    answer = Client().post(path_of(notice), form)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert Case.objects.get().state == "notice-issued"


def test_a_case_that_is_over_asks_for_nothing(park: World) -> None:
    olga = person(park)
    notice = issued(park, olga)
    case_cancel(case_id=notice.case_id, user=olga, reason="goodwill", now=park.now)
    page = Client().get(path_of(notice)).content.decode()
    assert "Zrušeno" in page
    assert "Už není třeba nic platit." in page
    assert not re.search(r"Kč", page)
    assert Client().post(path_of(notice), {"text": "late"}).status_code == 409


def test_a_paid_notice_says_so(park: World) -> None:
    olga = person(park)
    notice = issued(park, olga)
    payment_record(
        case_id=notice.case_id,
        user=olga,
        amount=75_000,
        paid_on=park.now.date(),
        reference="bank 1",
        now=park.now + timedelta(minutes=1),
    )
    page = Client().get(path_of(notice)).content.decode()
    assert "Uhrazeno" in page
    assert "Už není třeba nic platit." in page


def test_pages_keep_to_their_budget_of_queries(
    park: World, django_assert_max_num_queries: Any
) -> None:
    olga = person(park)
    notice = issued(park, olga)
    path = path_of(notice)
    with django_assert_max_num_queries(6):
        Client().get(path)
    client = logged_in(olga)
    client.get("/letters/")
    with django_assert_max_num_queries(14):
        client.get("/letters/")
