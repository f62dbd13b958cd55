"""The stage `watch`: what alerts, how certainly, and how often."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from audit.models import AuditRow
from cameras.models import Camera, Capture, Organisation, Site
from core.models import User
from enforcement.watchlist.models import Alert, Watchlist
from enforcement.watchlist.services import entry_remove, reads_watch
from plates.models import PlateRead
from tests.integration.watchlist.watchmaker import (
    LATER,
    NOW,
    PLATE,
    add,
    approve,
    make_camera,
    make_capture,
    make_list,
    make_read,
    make_site,
)
from vault import blind, keyring, keys
from vault.keys import STORE
from vault.models import DataKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def watch() -> list[Alert]:
    """Watch everything that waits; the alerts there are, in the order the vehicles were seen."""
    while reads_watch(now=NOW):
        pass
    assert not PlateRead.objects.filter(watched_at__isnull=True).exists()
    return list(Alert.objects.order_by("captured_at"))


# --- certainty ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "entry", "certainty", "why"),
    [
        ({}, {}, "exact", "the same plate of the same country"),
        ({"text": "STOLEN1"}, {}, "possible", "characters that look alike differ"),
        ({"text": "5T0LENI"}, {}, "possible", "characters that look alike differ"),
        ({"country": ""}, {}, "possible", "the read's country is unknown"),
        ({"country": "IE"}, {}, "possible", "the countries differ"),
        ({}, {"country": ""}, "possible", "the entry names no country"),
        ({"score": 0.79}, {}, "possible", "the read is below the confidence floor"),
        ({"score": 0.80}, {}, "exact", "the same plate of the same country"),
        (
            {"text": "STOLEN1", "country": "", "score": 0.1},
            {"country": ""},
            "possible",
            (
                "characters that look alike differ; the read's country is unknown; "
                "the entry names no country; the read is below the confidence floor"
            ),
        ),
        ({"text": "ST0LEN2"}, {}, None, None),
        ({"text": "ST0LEN"}, {}, None, None),
        ({"text": "ST0LE1N"}, {}, None, None),
        ({"text": "ST0LEM1"}, {}, None, None),
    ],
)
def test_exact_possible_or_nothing(
    camera: Camera,
    stolen: Watchlist,
    anna: User,
    read: dict[str, Any],
    entry: dict[str, Any],
    certainty: str | None,
    why: str | None,
) -> None:
    add(stolen, anna, **entry)
    seen = make_read(camera, **read)
    found = watch()
    assert [(one.certainty, one.why, one.read_id) for one in found] == (
        [(certainty, why, seen.pk)] if certainty else []
    )


def test_the_floor_is_the_sites_at_the_time_of_the_read(
    camera: Camera, site: Site, stolen: Watchlist, anna: User
) -> None:
    site.rules.create(effective_from=NOW, confidence_floor=0.9)
    add(stolen, anna)
    make_read(camera, at=NOW - timedelta(hours=1), score=0.85)
    make_read(camera, at=NOW + timedelta(hours=1), score=0.85)
    assert [one.certainty for one in watch()] == ["exact", "possible"]


# --- what counts ----------------------------------------------------------------------------------


def test_a_quarantined_read_alerts(camera: Camera, stolen: Watchlist, anna: User) -> None:
    add(stolen, anna)
    ahead = LATER + timedelta(days=300)  # a clock a year ahead must not make the entry expire
    read = make_read(camera, at=ahead, received_at=NOW, quarantined=True)
    assert [one.read_id for one in watch()] == [read.pk]


def test_an_entry_counts_until_it_expires_by_the_time_of_the_read(
    camera: Camera, stolen: Watchlist, anna: User
) -> None:
    add(stolen, anna, expires_at=NOW + timedelta(hours=1))
    make_read(camera, at=NOW + timedelta(hours=1))
    assert watch() == []
    late = make_read(camera, at=NOW + timedelta(minutes=59), received_at=NOW + timedelta(hours=9))
    assert [one.read_id for one in watch()] == [late.pk]


def test_an_entry_waits_for_its_approval(
    camera: Camera, organisation: Organisation, anna: User, bert: User
) -> None:
    entry = add(make_list(organisation, anna, needs_approval=True), anna)
    make_read(camera, at=NOW)
    assert watch() == []
    approve(entry, bert)
    make_read(camera, at=NOW + timedelta(hours=1))
    assert [one.entry for one in watch()] == [entry]


def test_a_removed_entry_and_an_inactive_list_are_silent(
    camera: Camera, stolen: Watchlist, organisation: Organisation, anna: User
) -> None:
    entry_remove(entry_id=add(stolen, anna).pk, user=anna, now=NOW)
    other = make_list(organisation, anna)
    add(other, anna)
    Watchlist.objects.filter(pk=other.pk).update(active=False)
    make_read(camera)
    assert watch() == []


def test_a_list_watches_its_sites_or_all_of_its_organisation(
    camera: Camera, site: Site, organisation: Organisation, anna: User
) -> None:
    second = make_camera(make_site(organisation, "second"), "in")
    foreign = Organisation.objects.create(name="somebody else")
    abroad = make_camera(make_site(foreign, "abroad"), "in")
    add(make_list(organisation, anna, name="everywhere"), anna)
    add(make_list(organisation, anna, name="here", sites=[site]), anna)
    add(make_list(foreign, anna, name="theirs"), anna)
    for one in (camera, second, abroad):
        make_read(one)
    assert {(one.watchlist.name, one.site.slug) for one in watch()} == {
        ("everywhere", "gate"),
        ("everywhere", "second"),
        ("here", "gate"),
        ("theirs", "abroad"),
    }


# --- one alert a passage --------------------------------------------------------------------------


def test_a_vehicle_in_view_alerts_once(camera: Camera, stolen: Watchlist, anna: User) -> None:
    add(stolen, anna)
    first = make_read(camera, at=NOW)
    for seconds in (10, 55, 100, 145):  # each within 45 s of the one before
        make_read(camera, text="STOLEN1", at=NOW + timedelta(seconds=seconds))
    (alert,) = watch()
    assert (alert.read_id, alert.certainty) == (first.pk, "exact")
    assert (alert.first_seen_at, alert.last_seen_at) == (NOW, NOW + timedelta(seconds=145))
    assert watch() == [alert]
    again = make_read(camera, at=NOW + timedelta(seconds=145 + 46))
    assert [one.read_id for one in watch()] == [first.pk, again.pk]


def test_reads_that_come_late_belong_to_the_alert_they_surround(
    camera: Camera, stolen: Watchlist, anna: User
) -> None:
    add(stolen, anna)
    for seconds in (100, 60, 20, -20):  # the last one first
        make_read(camera, at=NOW + timedelta(seconds=seconds))
        assert len(watch()) == 1
    (alert,) = watch()
    assert alert.first_seen_at == NOW - timedelta(seconds=20)


def test_another_camera_and_another_entry_alert_by_themselves(
    camera: Camera, site: Site, stolen: Watchlist, organisation: Organisation, anna: User
) -> None:
    add(stolen, anna)
    add(make_list(organisation, anna), anna)
    make_read(camera)
    make_read(make_camera(site, "out"))
    assert len(watch()) == 4


def test_the_sites_own_debounce_counts(
    camera: Camera, site: Site, stolen: Watchlist, anna: User
) -> None:
    Site.objects.filter(pk=site.pk).update(debounce_seconds=5)
    add(stolen, anna)
    make_read(camera, at=NOW)
    make_read(camera, at=NOW + timedelta(seconds=5))
    make_read(camera, at=NOW + timedelta(seconds=11))
    assert len(watch()) == 2


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_workers_side_by_side_alert_once(camera: Camera, stolen: Watchlist, anna: User) -> None:
    add(stolen, anna)
    for number in range(40):
        make_read(camera, at=NOW + timedelta(seconds=number))
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            barrier.wait(timeout=30)
            while reads_watch(now=NOW, limit=3):
                pass
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    (alert,) = watch()
    assert (alert.first_seen_at, alert.last_seen_at) == (NOW, NOW + timedelta(seconds=39))


# --- opening, telling, forgetting -----------------------------------------------------------------


def test_a_read_that_hits_nothing_is_never_opened(
    camera: Camera, stolen: Watchlist, anna: User, django_assert_max_num_queries: Any
) -> None:
    entry = add(stolen, anna)
    for number in range(50):
        make_read(camera, text=f"AB{number:02}CDE")
    before = AuditRow.objects.count()
    with django_assert_max_num_queries(8):
        assert reads_watch(now=NOW) == 50
    assert AuditRow.objects.count() == before
    make_read(camera)
    make_read(camera, text="XY99XYZ")
    watch()
    row = AuditRow.objects.latest("id")
    assert AuditRow.objects.count() == before + 1
    assert (row.actor_kind, row.actor, row.purpose, row.count) == ("stage", "watch", "pipeline", 2)
    assert row.tokens == [entry.token_exact]


def test_the_capture_tells_how_many_alerts_it_made(
    camera: Camera, stolen: Watchlist, organisation: Organisation, anna: User
) -> None:
    add(stolen, anna)
    add(make_list(organisation, anna), anna, plate="SECOND2")
    capture = make_capture(camera, NOW, NOW)
    make_read(camera, capture=capture)
    make_read(camera, text="SECOND2", capture=capture, index=1)
    quiet = make_read(camera, text="AB12CDE").capture_id
    watch()
    assert Capture.objects.get(pk=capture.pk).outcome == {"alerts": 2}
    assert Capture.objects.get(pk=quiet).outcome == {}


def test_screens_are_told(
    camera: Camera,
    stolen: Watchlist,
    anna: User,
    monkeypatch: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("core.live._publish", said.extend)
    add(stolen, anna)
    make_read(camera)
    with django_capture_on_commit_callbacks(execute=True):
        (alert,) = watch()
    assert len(said) == 1
    assert str(alert.pk) in said[0]
    assert PLATE not in said[0]


def test_a_read_that_was_forgotten_meanwhile_stops_nobody(
    camera: Camera, stolen: Watchlist, anna: User
) -> None:
    add(stolen, anna)
    gone = make_read(make_camera(make_site(camera.site.organisation, "closed"), "in"))
    DataKey.objects.using(STORE).filter(pk=gone.data_key).update(wrapped=None, destroyed_at=NOW)
    keys.forget_cached()
    make_read(camera, text="AB12CDE")
    kept = make_read(camera)
    assert gone.data_key != kept.data_key
    assert [one.read_id for one in watch()] == [kept.pk]


def test_entries_under_an_older_index_key_still_match(
    camera: Camera, stolen: Watchlist, anna: User, monkeypatch: Any
) -> None:
    add(stolen, anna)
    old = keyring.index()
    both = keyring.Keyring(2, {2: bytes(range(32)), **old.keys})
    assert 2 not in old.keys
    monkeypatch.setattr(keyring, "index", lambda: both)
    blind._derived.cache_clear()
    try:
        make_read(camera)
        assert [one.certainty for one in watch()] == ["exact"]
    finally:
        blind._derived.cache_clear()
