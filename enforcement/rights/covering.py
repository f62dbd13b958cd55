"""How much of a stay its rights cover, and what the rest costs where there is a tariff."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .charges import Charge
from .facts import Right
from .outcomes import RightKind
from .tariffs import Tariff

_SEPARATE = frozenset({RightKind.PAYMENT, RightKind.VALIDATION})

_Piece = tuple[datetime, datetime, frozenset[str] | None]
"""A covered stretch and the payments that make it; None where no right does: it is free."""


@dataclass(frozen=True, slots=True)
class Cover:
    """How much of a stay some rights cover.

    `unpaid` is all the time outside them that is not free, `before` the part of it before the first
    right; `parts` the stretches covered by rights in order, each with the payments that make it.
    `charge` is what the unpaid time costs where there is a tariff.
    """

    unpaid: timedelta
    before: timedelta
    parts: tuple[frozenset[str], ...]
    charge: Charge | None = None

    def pays(self, consideration: timedelta) -> bool:
        """True where nothing is unpaid but time to consider, at the start; or where it costs
        nothing."""
        if self.charge is not None and not self.charge.amount:
            return True
        return self.unpaid == self.before <= consideration


def cover(
    rights: Iterable[Right], start: datetime, end: datetime, tariff: Tariff | None = None
) -> Cover:
    """What `rights`, one or more that overlap the stay `[start, end]`, cover of it.

    Free times of the `tariff` count as covered.
    """
    pieces: list[_Piece] = [
        (max(right.start, start), min(right.end, end), _payments(right))
        for right in sorted(rights, key=lambda one: (one.start, one.id))
    ]
    first_right = pieces[0][0]
    charge = None
    if tariff is not None:
        charge = tariff.charge(start, end, [(begins, ends) for begins, ends, _ in pieces])
        pieces += [(begins, ends, None) for begins, ends in charge.free]
        pieces.sort(key=lambda piece: piece[0])
    stretches: list[_Piece] = []
    for begins, ends, payment in pieces:
        if stretches and begins <= stretches[-1][1]:
            first, last, before = stretches.pop()
            together = payment if before is None else before | (payment or frozenset())
            stretches.append((first, max(last, ends), together))
        else:
            stretches.append((begins, ends, payment))
    paid = sum((last - first for first, last, _ in stretches), timedelta(0))
    ahead = (min(last, first_right) - min(first, first_right) for first, last, _ in stretches)
    return Cover(
        unpaid=end - start - paid,
        before=first_right - start - sum(ahead, timedelta(0)),
        parts=tuple(payments for _, _, payments in stretches if payments is not None),
        charge=charge,
    )


def _payments(right: Right) -> frozenset[str]:
    return frozenset({right.id} if right.kind in _SEPARATE else ())
