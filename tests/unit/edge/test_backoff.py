"""Waiting longer each time, within bounds, and not in step with others."""

import random

from edge.transport.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(1.0, 60.0, random.Random(1))
    spans = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for span in spans:
        assert span / 2 <= backoff.failed() <= span


def test_it_begins_again_after_a_success() -> None:
    backoff = Backoff(1.0, 60.0, random.Random(1))
    for _ in range(2000):
        longest = backoff.failed()
    assert 30 <= longest <= 60
    backoff.worked()
    assert backoff.failed() <= 1


def test_two_devices_do_not_wait_alike() -> None:
    one, other = (Backoff(draw=random.Random(seed)) for seed in (1, 2))
    assert [one.failed() for _ in range(5)] != [other.failed() for _ in range(5)]
