"""A picture that stands still, or shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import cv2
import numpy as np
import pytest

from edge.health import Health
from edge.sources.watch import Watch
from inference.results import Picture

random = np.random.default_rng(4)


SURFACE = cv2.GaussianBlur(random.uniform(40, 200, (180, 320, 3)), (0, 0), 4)
"""Asphalt: no two patches are quite alike."""


def road(noise: float) -> Picture:
    return np.clip(SURFACE + random.normal(0, noise, SURFACE.shape), 0, 255).astype(np.uint8)


def roads(noise: float) -> Callable[[], Picture]:
    """One after the other, over and over: no two in a row are alike."""
    pictures = cycle([road(noise) for _ in range(7)])
    return lambda: next(pictures)


def seen(watch: Watch, make: Callable[[], Picture], seconds: int, start: float = 0.0) -> float:
    """Five pictures a second for so long."""
    for number in range(seconds * 5):
        watch.saw(make(), start + number / 5)
    return start + seconds


def test_the_same_picture_for_half_a_minute_is_reported_and_counted() -> None:
    health = Health()
    watch = Watch(health)
    still = road(noise=3)
    at = seen(watch, lambda: still, 29)
    assert (watch.frozen, health.troubles) == (False, {})
    at = seen(watch, lambda: still, 10, at)
    assert watch.frozen
    assert "stood still for" in health.troubles["picture"]
    assert 30 <= health.snapshot()["frames_frozen"] <= 50
    seen(watch, roads(3), 2, at)
    assert not watch.frozen
    assert health.troubles == {}


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
def test_an_empty_road_is_not_frozen_where_there_is_noise(noise: float) -> None:
    health = Health()
    watch = Watch(health)
    seen(watch, roads(noise), 60)
    assert "frames_frozen" not in health.snapshot()


def test_a_quiet_scene_that_an_encoder_repeats_between_key_frames_is_not_frozen() -> None:
    health = Health()
    watch = Watch(health)
    at = 0.0
    for _ in range(12):
        key = cv2.imdecode(
            cv2.imencode(".jpg", road(noise=1.5), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1
        )
        at = seen(watch, lambda key=key: key, 10, at)  # type: ignore[misc]
    assert "frames_frozen" not in health.snapshot()


@pytest.mark.parametrize(
    "blind",
    [
        np.zeros((180, 320, 3), np.uint8),
        np.full((180, 320, 3), (255, 0, 0), np.uint8),
        np.clip(random.normal(6, 4, (180, 320, 3)), 0, 255).astype(np.uint8),
    ],
    ids=["black", "blue", "lens cap"],
)
def test_a_picture_of_nothing_is_reported_before_it_counts_as_frozen(blind: Picture) -> None:
    health = Health()
    watch = Watch(health)
    at = seen(watch, roads(3), 5)
    at = seen(watch, lambda: blind, 12, at)
    assert watch.black
    assert "black or empty" in health.troubles["picture"]
    assert health.snapshot()["frames_black"] >= 5
    seen(watch, roads(3), 2, at)
    assert health.troubles == {}


def test_a_night_with_headlights_is_not_black() -> None:
    health = Health()
    watch = Watch(health)

    nights = []
    for _ in range(7):
        dark = np.clip(random.normal(5, 2, (180, 320, 3)), 0, 255).astype(np.uint8)
        dark[75:95, 100:113] = 250
        nights.append(dark)
    pictures = cycle(nights)
    seen(watch, lambda: next(pictures), 60)
    assert health.troubles == {}


def test_a_black_start_is_noticed_too() -> None:
    watch = Watch(Health())
    seen(watch, lambda: np.zeros((36, 64, 3), np.uint8), 12)
    assert watch.black


def test_another_size_of_picture_is_another_picture() -> None:
    health = Health()
    watch = Watch(health, frozen_after=5)
    still = road(noise=3)
    at = seen(watch, lambda: still, 4)
    at = seen(watch, lambda: still[::3, ::3].copy(), 4, at)
    assert not watch.frozen
