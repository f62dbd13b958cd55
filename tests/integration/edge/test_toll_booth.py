"""A toll lane in every mode: what the agent sends of it, gathered as the server would, is exactly
its three fully visible vehicles."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.clock import Clock
from edge.health import Health
from edge.items import Frame, Item
from edge.pipeline import Pipeline
from edge.publish import VehicleRead
from edge.settings import Settings
from inference.video import frames_of
from inference.voting import Seen, consensus
from plates.likeness import same_vehicle
from plates.recognition import recognise_picture

VIDEO = Path(os.environ.get("PLATEWARDEN_DATA", "../shared/data")) / "video" / "toll-booth.mp4"
VEHICLES = {"34A36837", "34A23126", "89C20339"}
PARTLY_SEEN = "15C171"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DEBOUNCE = timedelta(seconds=45)

pytestmark = pytest.mark.skipif(not VIDEO.is_file(), reason=f"no {VIDEO} (PLATEWARDEN_DATA)")


@dataclass
class Film:
    """The video as a source that waits; `every`: of how many frames one comes."""

    every: int = 1
    loops: int = 1
    name: str = "film"

    def frames(self) -> Iterator[Frame]:
        number, begin = 0, 0.0
        for _ in range(self.loops):
            at = 0.0
            for at, picture in frames_of(VIDEO, every=self.every):
                number += 1
                now = begin + at
                yield Frame(number, picture, now, START + timedelta(seconds=now))
            begin += at + 60.0  # the next round is another time at which they pass

    def close(self) -> None:
        return


@dataclass
class Kept:
    """An outbox that keeps its items."""

    items: list[Item] = field(default_factory=list)

    def put(self, item: Item) -> None:
        self.items.append(item)


@dataclass
class Ran:
    items: list[Item]
    told: list[VehicleRead]
    facts: dict[str, Any]


def run(settings: Settings, film: Film | None = None) -> Ran:
    kept, told, health = Kept(), [], Health()
    pipeline = Pipeline(
        film or Film(), kept, lambda: settings, Clock(), health, on_read=told.append, waits=True
    )
    pipeline.run(threading.Event())
    assert not health.troubles
    return Ran(kept.items, told, health.snapshot())


def seen_on_server(item: Item) -> list[Seen]:
    """What the server makes of an item: the reads of its picture, or the read it brings."""
    if item.kind == "read":
        read = item.fields["read"]
        candidates = tuple((text, score) for text, score in read["candidates"])
        return [Seen(read["text"], read["score"], tuple(read["char_scores"]), candidates)]
    assert item.picture is not None
    outcome = recognise_picture(item.picture, kind=item.kind, regions=())
    assert not outcome.failure
    return [Seen(one.text, one.score, one.char_scores, one.candidates) for one in outcome.plates]


def passages(items: list[Item]) -> list[str]:
    """The texts of the passages the server gathers from the items (`plates.gathering`)."""
    found: list[tuple[datetime, list[Seen]]] = []
    for item in sorted(items, key=lambda one: one.captured_at):
        for seen in seen_on_server(item):
            for place, (last_at, members) in enumerate(found):
                agreed = consensus(members)
                whole = Seen(agreed.text, agreed.confidence, agreed.char_scores, agreed.candidates)
                if item.captured_at - last_at <= DEBOUNCE and same_vehicle(seen, whole):
                    found[place] = (item.captured_at, [*members, seen])
                    break
            else:
                found.append((item.captured_at, [seen]))
    return [consensus(members).text for _, members in found]


def visible(texts: list[str]) -> list[str]:
    return sorted(text for text in texts if not text.startswith(PARTLY_SEEN))


@pytest.mark.parametrize("mode", ["read", "crop", "frame", "auto"])
def test_each_vehicle_is_one_passage_with_the_right_text(mode: Any) -> None:
    ran = run(Settings(mode=mode))
    assert visible(passages(ran.items)) == sorted(VEHICLES)
    assert visible([one.text for one in ran.told]) == sorted(VEHICLES)
    if mode in ("read", "auto"):
        assert {item.kind for item in ran.items} == {"read"}
        assert all(on_the_line(item) <= 4_000 for item in ran.items)
        # both cars are in view for seconds: they are told as soon as two sure frames agree
        told = {one.text: one.item.captured_at - START for one in ran.told}
        assert told["34A36837"] < timedelta(seconds=0.2)
        assert told["34A23126"] < timedelta(seconds=6.3)  # it comes into view at 5.8 s
    if mode == "crop":
        assert all(len(item.picture or b"") <= 3_000 for item in ran.items)


def on_the_line(item: Item) -> int:
    """Bytes of an item's JSON, before compression."""
    body = {
        "event_id": item.event_id,
        "kind": item.kind,
        "captured_at": item.captured_at.isoformat(),
        "crop": base64.b64encode(item.crop or b"").decode(),
        **item.fields,
    }
    return len(json.dumps(body))


def test_who_comes_again_is_told_again() -> None:
    ran = run(Settings(mode="read"), Film(loops=2))
    assert visible([one.text for one in ran.told]) == sorted([*VEHICLES, *VEHICLES])
    assert visible(passages(ran.items)) == sorted([*VEHICLES, *VEHICLES])


def test_a_device_that_keeps_up_with_a_third_of_the_frames_tells_the_same() -> None:
    ran = run(Settings(mode="read"), Film(every=3))
    assert visible(passages(ran.items)) == sorted(VEHICLES)
