"""The page's door, and the words in which it says how the device is."""

from typing import Any

import pytest

from edge.page import hash_password, words
from edge.page.door import Door

PASSWORD = "a long enough word"
HASH = hash_password(PASSWORD)


# --- the door -------------------------------------------------------------------------------------


class Hand:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_password_opens_and_nothing_else_does() -> None:
    door = Door(HASH)
    token = door.enter("a", PASSWORD)
    assert door.inside(token)
    assert door.enter("a", PASSWORD + "x") is None
    assert door.enter("a", "") is None
    assert not door.inside("x")
    assert not door.inside(None)
    door.leave(token)
    assert not door.inside(token)


def test_after_five_wrong_words_an_address_waits_longer_each_time() -> None:
    hand = Hand()
    door = Door(HASH, hand)
    for _ in range(5):
        assert door.wait_s("a") == 0
        door.enter("a", "wrong")
    first = door.wait_s("a")
    assert first > 0
    assert door.enter("a", PASSWORD) is None  # also the right one
    hand.now += first
    door.enter("a", "wrong")
    assert door.wait_s("a") == 2 * first
    for _ in range(20):
        hand.now += 900
        door.enter("a", "wrong")
    assert door.wait_s("a") == 900
    assert door.enter("b", PASSWORD) is not None
    hand.now += 900
    assert door.enter("a", PASSWORD) is not None
    assert door.wait_s("a") == 0


def test_a_session_ends_when_it_rests_and_after_half_a_day() -> None:
    hand = Hand()
    door = Door(HASH, hand)
    token = door.enter("a", PASSWORD)
    for _ in range(23):
        hand.now += 1799
        assert door.inside(token)
    hand.now += 1801
    assert not door.inside(token)
    token = door.enter("a", PASSWORD)
    for _ in range(24):
        hand.now += 1795
        assert door.inside(token)
    hand.now += 600
    assert not door.inside(token)


@pytest.mark.parametrize("word", ["short", "x" * 201, ""])
def test_a_password_too_short_or_too_long_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        hash_password(word)


@pytest.mark.parametrize(
    "kept",
    ["", PASSWORD, "scrypt:1:2:3", HASH.replace("scrypt", "plain"), HASH.replace("16384", "7")],
)
def test_what_is_no_hash_opens_no_page(kept: str) -> None:
    with pytest.raises(ValueError, match="hash"):
        Door(kept)


def test_the_hash_does_not_tell_and_is_never_the_same() -> None:
    assert PASSWORD not in HASH
    assert hash_password(PASSWORD) != HASH


# --- words ----------------------------------------------------------------------------------------


def tones(facts: dict[str, Any]) -> dict[str, words.Tile]:
    return {one.name: one for one in words.tiles(facts)}


def test_before_anything_is_known_nothing_is_claimed() -> None:
    found = tones({})
    assert {found[name].value for name in ("pictures", "waiting", "mode", "disk", "clock")} == {"–"}


def test_figures_in_words() -> None:
    found = tones(
        {
            "frames_per_second": 24.9,
            "source_fps": 25.0,
            "frames_captured": 1000,
            "frames_dropped": 100,
            "queue_depth": 12,
            "spool_oldest_s": 4000.0,
            "items_sent": 10,
            "bytes_sent": 33_000,
            "mode": "crop",
            "mode_because": "this device finds plates in time",
            "cpu_percent": 40.0,
            "temperature_c": 84.0,
            "disk_percent": 95.0,
            "disk_free_mb": 800,
            "clock_offset_s": -7200.0,
            "hotlist_entries": 5,
            "hits_exact": 1,
            "hits_possible": 2,
        }
    )
    said = {name: (one.value, one.note, one.tone) for name, one in found.items()}
    assert said["pictures"] == ("24.9", "the camera gives 25", "good")
    assert said["dropped"] == ("100", "10.0% of all, to keep up", "warn")
    assert said["waiting"] == ("12", "kept on the disk, the oldest for 67 min", "warn")
    assert said["sent"] == ("10", "33.0 kB, 3.3 kB each", "good")
    assert said["mode"] == ("Crops", "this device finds plates in time", "none")
    assert said["processor"] == ("40 %", "84 °C: too hot", "bad")
    assert said["disk"] == ("95 %", "800 MB free", "warn")
    assert said["clock"][0] == "2 h fast"
    assert said["hits"] == ("3", "5 entries", "warn")


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_600, "100 kB"), (3.2e9, "3.2 GB")],
)
def test_amounts(size: float, said: str) -> None:
    assert words.amount(size) == said
