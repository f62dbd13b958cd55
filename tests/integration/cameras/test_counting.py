"""The numbers of a camera's day: each finished capture once, no plate among them."""

import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from cameras.counting import Counted, captures_count, counted, day_of
from cameras.models import Capture, DayCount, Site
from core.ids import uuid7
from tests.integration.cameras.conftest import Device
from vault.models import DataClass

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = NOW.date()


def finished(device: Device, *, failed: bool = False, reads: int = 0, **rejected: int) -> uuid.UUID:
    capture = Capture.objects.create(
        id=uuid7(NOW),
        camera=device.camera,
        site=device.camera.site,
        kind=Capture.Kind.FRAME,
        status=Capture.Status.FAILED if failed else Capture.Status.RECOGNISED,
        failure="broken_picture" if failed else "",
        event_token=uuid.uuid4(),
        content_digest=b"0" * 32,
        data_class=DataClass.PENDING,
        data_key=uuid.uuid4(),
        captured_at=NOW,
        received_at=NOW,
        outcome={
            "reads": reads,
            "rejected": [
                {"reason": reason.replace("_", "-"), "count": number}
                for reason, number in rejected.items()
            ],
        },
    )
    return capture.pk


def numbers(device: Device, day: date = TODAY) -> dict[str, int]:
    rows = DayCount.objects.filter(camera=device.camera, day=day)
    return dict(rows.values_list("what", "count"))


def test_captures_are_summed_by_reason(device: Device, django_assert_num_queries: Any) -> None:
    first = [finished(device, reads=2, blurred=1, too_small=3), finished(device, blurred=2)]
    with django_assert_num_queries(1):
        captures_count(dict.fromkeys(first, TODAY))
    captures_count({finished(device, failed=True): TODAY, uuid.uuid4(): TODAY})
    assert numbers(device) == {"captures": 3, "failed": 1, "reads": 2, "blurred": 3, "too-small": 3}
    with django_assert_num_queries(0):
        captures_count({})


def test_an_outcome_without_numbers_counts_as_a_capture(device: Device) -> None:
    capture = finished(device)
    Capture.objects.filter(pk=capture).update(outcome={})
    captures_count({capture: TODAY})
    assert numbers(device) == {"captures": 1}


def test_what_is_rolled_back_is_not_counted(device: Device) -> None:
    capture = finished(device, reads=1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        captures_count({capture: TODAY})
        _ = 1 / 0
    assert numbers(device) == {}


def test_a_day_is_the_sites_own(device: Device) -> None:
    site = device.camera.site
    site.timezone = "Pacific/Auckland"
    assert day_of(site, NOW) == date(2026, 6, 16)
    site.timezone = "America/Los_Angeles"
    assert day_of(site, NOW.replace(hour=3)) == date(2026, 6, 14)


def test_today_and_the_last_days(device: Device, django_assert_num_queries: Any) -> None:
    capture = finished(device, reads=1, blurred=2, overlap=5)
    for ago in (0, 1, 6, 7, -1):
        captures_count({capture: TODAY - timedelta(days=ago)})
    Site.objects.filter(pk=device.camera.site_id).update(timezone="UTC")
    with django_assert_num_queries(1):
        found = counted(Site.objects.all(), NOW)
    today, lately = found[device.camera.pk]
    assert today == Counted(captures=1, failed=0, reads=1, rejected={"overlap": 5, "blurred": 2})
    assert (lately.captures, lately.turned_down) == (3, 21)
    assert list(lately.rejected) == ["overlap", "blurred"]
    assert counted(Site.objects.none(), NOW) == {}


@pytest.mark.django_db(transaction=True, databases=["default", "keys"])
def test_workers_that_count_together_lose_nothing(device: Device) -> None:
    lots = [[finished(device, reads=1, blurred=1) for _ in range(4)] for _ in range(4)]
    together = threading.Barrier(len(lots))

    def work(lot: list[uuid.UUID]) -> None:
        try:
            together.wait()
            for capture in lot:
                captures_count({capture: TODAY})
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=[lot]) for lot in lots]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert numbers(device) == {"captures": 16, "reads": 16, "blurred": 16}
