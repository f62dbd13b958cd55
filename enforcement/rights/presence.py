"""Who was at a site when: what the rules on used-up rights and on a permit's places ask.

A right that its own vehicle is using cannot excuse another (domain-rules.md, 3 and 4). "Its own"
is strict here: only exact texts count, since a doubtful presence must not accuse anyone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from .facts import Right, countries_agree
from .outcomes import RightKind

_SESSIONS = frozenset({RightKind.PAYMENT, RightKind.RESERVATION, RightKind.VALIDATION})


@dataclass(frozen=True, slots=True)
class Presence:
    """One visit: `[start, end]`, `end` None while the vehicle is still inside.

    `texts` are those of its entry and exit, usually one. An orphan exit is present for an instant.
    """

    id: str
    texts: tuple[str, ...] = field(repr=False)
    country: str | None
    start: datetime
    end: datetime | None


class Presences:
    """A site's visits, by text. Give it every visit that touches the rights in question."""

    def __init__(self, presences: Iterable[Presence] = ()) -> None:
        self._by_text: dict[str, list[Presence]] = {}
        self._holders: dict[tuple[RightKind, str, int], list[Presence]] = {}
        for presence in presences:
            for text in dict.fromkeys(presence.texts):
                self._by_text.setdefault(text, []).append(presence)

    def used_up(self, right: Right, plate: str, start: datetime, end: datetime) -> bool:
        """True where the vehicle that `plate` of the right names exactly uses the right itself.

        A session is used up by presence at any time of its interval; a permit or exemption, which
        may run for years, only by presence in that part of it that the stay `[start, end)` in
        question overlaps.
        """
        if right.kind in _SESSIONS:
            start, end = right.start, right.end
        else:
            start, end = max(start, right.start), min(end, right.end)
        return any(
            presence.start < end and (presence.end is None or presence.end >= start)
            for presence in self._exact(right, plate)
        )

    def holds_place(self, permit: Right, presence_id: str) -> bool:
        """True where this visit is among those that hold the permit's places."""
        return any(holder.id == presence_id for holder in self._holding(permit))

    def place_free(self, permit: Right, at: datetime) -> bool:
        """True where at `at` fewer than `max_present` exact vehicles hold the permit's places."""
        if permit.max_present is None:
            return True
        held = sum(
            _claim(permit, holder) <= at and (holder.end is None or holder.end > at)
            for holder in self._holding(permit)
        )
        return held < permit.max_present

    def _holding(self, permit: Right) -> list[Presence]:
        """The visits that hold a place: the first to enter, each until it ends, however it does."""
        key = (permit.kind, permit.id, permit.version)
        if key not in self._holders:
            claims = {p.id: p for plate in permit.plates for p in self._exact(permit, plate)}
            holding: list[Presence] = []
            for presence in sorted(
                claims.values(), key=lambda p: (_claim(permit, p), p.start, p.id)
            ):
                at = _claim(permit, presence)
                now_held = sum(held.end is None or held.end > at for held in holding)
                if permit.max_present is None or now_held < permit.max_present:
                    holding.append(presence)
            self._holders[key] = holding
        return self._holders[key]

    def _exact(self, right: Right, plate: str) -> Iterator[Presence]:
        for presence in self._by_text.get(plate, ()):
            if countries_agree(presence.country, right.country):
                yield presence


def _claim(permit: Right, presence: Presence) -> datetime:
    """When a vehicle asks for a place: on entering, or when the permit begins under it."""
    return max(presence.start, permit.start)
