"""Lists, entries, a second person, acknowledging; and who may see what."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditRow
from cameras.access import OPERATE
from cameras.models import Camera, Organisation, Site, SiteRole
from core.errors import BadInput, Conflict, NotAllowed, NotFound, ProductError
from core.models import User
from enforcement.watchlist.models import Alert, Entry, Watchlist
from enforcement.watchlist.selectors import (
    alert_or_404,
    alerts_open,
    entries_standing,
    watchlists_of,
)
from enforcement.watchlist.services import (
    alert_acknowledge,
    entries_approve,
    entry_approve,
    entry_remove,
    reads_watch,
    watchlist_change,
)
from tests.integration.watchlist.watchmaker import (
    LATER,
    NOW,
    PLATE,
    add,
    approve,
    make_list,
    make_read,
    make_site,
    make_user,
)
from vault import blind
from vault.models import DataClass

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def last_row() -> tuple[str, str, str, list[Any]]:
    row = AuditRow.objects.latest("id")
    return row.actor, row.action, row.purpose, row.tokens


# --- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": " "}, "name_missing"),
        ({"purpose": ""}, "purpose_missing"),
        ({"purpose": "x" * 301}, "too_long"),
        ({"priority": 101}, "out_of_range"),
        ({"name": "stolen"}, "name_taken"),
    ],
)
def test_lists_that_are_refused(
    organisation: Organisation, stolen: Watchlist, anna: User, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        make_list(organisation, anna, **change)
    assert caught.value.code == code
    assert Watchlist.objects.count() == 1


def test_a_list_says_what_changed(
    organisation: Organisation, stolen: Watchlist, site: Site, anna: User
) -> None:
    assert last_row() == ("anna", "create", "watchlist-admin", [])
    values: dict[str, Any] = {
        "watchlist": stolen,
        "name": "stolen",
        "purpose": "police",
        "sites": [site],
        "priority": 90,
        "needs_approval": True,
        "active": True,
        "user": anna,
        "now": NOW,
    }
    watchlist_change(**values)
    assert last_row()[:2] == ("anna", "change")
    assert list(stolen.sites.all()) == [site]
    abroad = make_site(Organisation.objects.create(name="somebody else"), "abroad")
    with pytest.raises(BadInput) as caught:
        watchlist_change(**values | {"sites": [abroad]})
    assert caught.value.code == "foreign_site"


# --- entries --------------------------------------------------------------------------------------


def test_an_entry_is_sealed_and_audited(stolen: Watchlist, anna: User) -> None:
    entry = add(stolen, anna, plate="st-0 len1", reason="reported by the police", priority=80)
    assert (entry.data_class, entry.token_exact) == (DataClass.ENTRY, blind.exact(PLATE))
    assert PLATE.encode() not in bytes(entry.text)
    assert last_row() == ("anna", "add", "watchlist-admin", [entry.token_exact])


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"plate": "  "}, "plate_empty", "plate"),
        ({"plate": "A" * 10_000}, "plate_too_long", "plate"),
        ({"country": "GBR"}, "unknown_country", "country"),
        ({"expires_at": None}, "expires_missing", "expires_at"),
        ({"expires_at": NOW}, "expired_already", "expires_at"),
        ({"expires_at": datetime(2027, 1, 1)}, "naive_time", "expires_at"),  # noqa: DTZ001
        ({"priority": 101}, "out_of_range", "priority"),
        ({"reason": "x" * 201}, "too_long", "reason"),
        ({"reason": f"{PLATE} was stolen"}, "names_plate", "reason"),
        ({"reason": "stolen: ST0 LEN1, blue"}, "names_plate", "reason"),
        ({"reason": "a\x00b"}, "not_text", "reason"),
    ],
)
def test_entries_that_are_refused(
    stolen: Watchlist, anna: User, change: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        add(stolen, anna, **change)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert PLATE not in str(caught.value)
    assert not Entry.objects.exists()


def test_a_plate_stands_on_a_list_once(stolen: Watchlist, anna: User) -> None:
    first = add(stolen, anna, expires_at=NOW + timedelta(hours=1))
    for plate in (PLATE, "st0-len1"):
        with pytest.raises(Conflict) as caught:
            add(stolen, anna, plate=plate)
        assert caught.value.code == "entry_exists"
    add(stolen, anna, country="IE")
    add(stolen, anna, plate="STOLEN1")
    second = add(stolen, anna, now=NOW + timedelta(hours=1))  # the first has expired
    first.refresh_from_db()
    assert first.removed_at == NOW + timedelta(hours=1)
    entry_remove(entry_id=second.pk, user=anna, now=NOW + timedelta(hours=2))
    assert last_row() == ("anna", "remove", "watchlist-admin", [second.token_exact])
    add(stolen, anna, now=NOW + timedelta(hours=2))
    standing = entries_standing(stolen, NOW + timedelta(hours=2))
    assert len({entry.pk for entry in standing}) == 3


def test_approval_takes_another_person(organisation: Organisation, anna: User, bert: User) -> None:
    entry = add(make_list(organisation, anna, needs_approval=True), anna)
    with pytest.raises(NotAllowed) as caught:
        approve(entry, anna)
    assert caught.value.code == "another_person"
    approved = approve(entry, bert)
    assert (approved.approved_at, approved.approved_by) == (NOW, bert)
    assert last_row() == ("bert", "approve", "watchlist-admin", [entry.token_exact])
    rows = AuditRow.objects.count()
    assert approve(entry, bert) == approved
    assert AuditRow.objects.count() == rows
    # and the database holds it too
    with pytest.raises(IntegrityError), transaction.atomic():
        Entry.objects.filter(pk=entry.pk).update(approved_by=anna)


def test_what_is_gone_can_not_be_approved(
    organisation: Organisation, anna: User, bert: User
) -> None:
    watchlist = make_list(organisation, anna, needs_approval=True)
    removed, expired = add(watchlist, anna), add(watchlist, anna, plate="AB12CDE")
    entry_remove(entry_id=removed.pk, user=anna, now=NOW)
    for entry, now in ((removed, NOW), (expired, LATER)):
        with pytest.raises(Conflict):
            entry_approve(entry_id=entry.pk, user=bert, now=now)
    for call in (entry_approve, entry_remove):
        with pytest.raises(NotFound):
            call(entry_id=uuid.uuid4(), user=bert, now=NOW)


def test_a_whole_list_is_approved_by_whoever_did_not_add_it(
    organisation: Organisation, anna: User, bert: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr("enforcement.watchlist.services._APPROVE_BATCH", 2)
    watchlist = make_list(organisation, anna, needs_approval=True)
    entries = [add(watchlist, anna, plate=f"AB1{n}CDE") for n in range(5)]
    own = add(watchlist, bert, plate="OWN1")
    before = AuditRow.objects.count()
    assert entries_approve(watchlist_id=watchlist.pk, user=bert, now=NOW) == 5
    assert entries_approve(watchlist_id=watchlist.pk, user=bert, now=NOW) == 0
    own.refresh_from_db()
    assert own.approved_at is None
    rows = AuditRow.objects.order_by("id")[before:]
    assert [row.count for row in rows] == [2, 2, 1]
    assert {token for row in rows for token in row.tokens} == {
        entry.token_exact for entry in entries
    }


# --- alerts ---------------------------------------------------------------------------------------


@pytest.fixture
def alert(camera: Camera, stolen: Watchlist, anna: User) -> Alert:
    add(stolen, anna)
    make_read(camera, text="STOLEN1")
    reads_watch(now=NOW)
    return Alert.objects.get()


def test_acknowledging(alert: Alert, site: Site, anna: User, bert: User) -> None:
    assert list(alerts_open([site])) == [alert]
    done = alert_acknowledge(alert_id=alert.pk, user=anna, note=" police called ", now=NOW)
    assert (done.acknowledged_by, done.acknowledged_at) == (anna, NOW)
    assert done.acknowledge_note == "police called"
    assert last_row() == ("anna", "acknowledge", "alert-handling", [alert.entry.token_exact])
    assert list(alerts_open([site])) == []
    rows = AuditRow.objects.count()
    again = alert_acknowledge(alert_id=alert.pk, user=anna, note="x", now=LATER)
    assert (again.acknowledged_at, again.acknowledge_note) == (NOW, "police called")
    assert AuditRow.objects.count() == rows
    with pytest.raises(Conflict) as caught:
        alert_acknowledge(alert_id=alert.pk, user=bert, note="", now=NOW)
    assert caught.value.code == "acknowledged_already"


@pytest.mark.parametrize(
    ("note", "code"),
    [
        ("x" * 301, "too_long"),
        (f"{PLATE} was let go", "names_plate"),  # the entry's plate
        ("saw stolen 1 leave", "names_plate"),  # the read's
    ],
)
def test_notes_that_are_refused(alert: Alert, anna: User, note: str, code: str) -> None:
    with pytest.raises(ProductError) as caught:
        alert_acknowledge(alert_id=alert.pk, user=anna, note=note, now=NOW)
    assert caught.value.code == code
    alert.refresh_from_db()
    assert alert.acknowledged_at is None


def test_an_alert_of_somebody_elses_site_is_not_there(
    alert: Alert, site: Site, organisation: Organisation, anna: User, bert: User
) -> None:
    SiteRole.objects.create(user=anna, site=site, role=SiteRole.Role.OPERATOR)
    SiteRole.objects.create(user=bert, site=site, role=SiteRole.Role.VIEWER)
    carl = make_user("carl")
    elsewhere = make_site(organisation, "elsewhere")
    SiteRole.objects.create(user=carl, site=elsewhere, role=SiteRole.Role.SUPERVISOR)
    assert alert_or_404(anna, alert.pk, *OPERATE) == alert
    for user in (bert, carl):
        with pytest.raises(NotFound):
            alert_or_404(user, alert.pk, *OPERATE)
    with pytest.raises(NotFound):
        alert_acknowledge(alert_id=uuid.uuid4(), user=anna, note="", now=NOW)


def test_the_most_urgent_alert_comes_first(
    camera: Camera, organisation: Organisation, site: Site, anna: User
) -> None:
    calm = make_list(organisation, anna, priority=10)
    add(calm, anna, plate="CALM1")
    add(calm, anna, plate="URGENT1", priority=99)
    add(make_list(organisation, anna, priority=50), anna, plate="MIDDLE1")
    for text in ("CALM1", "MIDDLE1", "URGENT1"):
        make_read(camera, text=text)
    reads_watch(now=NOW)
    assert [one.priority for one in alerts_open([site])] == [99, 50, 10]  # type: ignore[attr-defined]


def test_people_see_the_lists_that_watch_their_sites(
    organisation: Organisation, site: Site, anna: User
) -> None:
    second = make_site(organisation, "second")
    foreign = Organisation.objects.create(name="somebody else")
    everywhere = make_list(organisation, anna)
    here = make_list(organisation, anna, sites=[site, second])
    there = make_list(organisation, anna, sites=[second])
    make_list(foreign, anna)
    SiteRole.objects.create(user=anna, site=site, role=SiteRole.Role.SUPERVISOR)
    assert set(watchlists_of(anna, SiteRole.Role.SUPERVISOR)) == {everywhere, here}
    assert set(watchlists_of(anna, SiteRole.Role.AUDITOR)) == set()
    root = User.objects.create_superuser("root", "root@example.com")
    assert there in watchlists_of(root)
