import uuid
from datetime import UTC, datetime, timedelta

import pytest

from core.ids import uuid7, uuid7_floor, uuid7_time

AT = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)


def test_carries_the_time_to_the_millisecond() -> None:
    assert uuid7_time(uuid7(AT)) == AT.replace(microsecond=123000)


def test_same_time_and_seed_give_the_same_id_and_another_seed_another() -> None:
    assert uuid7(AT, b"a") == uuid7(AT, b"a")
    assert uuid7(AT, b"a") != uuid7(AT, b"b")
    assert uuid7(AT) != uuid7(AT)


def test_is_a_version_7_uuid_of_the_rfc_variant() -> None:
    made = uuid7(AT, b"x")
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


def test_orders_by_time_and_the_floor_is_below_every_id_of_its_instant() -> None:
    later = AT + timedelta(milliseconds=1)
    assert uuid7_floor(AT) <= uuid7(AT, b"z") < uuid7_floor(later) <= uuid7(later)


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), datetime(1969, 12, 31, tzinfo=UTC)])  # noqa: DTZ001
def test_refuses_naive_and_impossible_times(at: datetime) -> None:
    with pytest.raises(ValueError):
        uuid7(at)
