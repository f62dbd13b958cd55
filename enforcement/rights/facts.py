"""The values a judgement is made from: rights, readings, a site's rules and what it has heard.

All instants are aware datetimes; all plate texts are canonical (`core.platetext.canonical`) and
kept out of `repr`, so that no log or traceback can carry one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from core.errors import BadInput

from .outcomes import RightKind

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
"""Ends of a right that has none. Only ever compared, never computed with."""

SKEW_LIMIT = timedelta(seconds=2)


class RuleError(BadInput):
    """A right, scheme, window or rule that cannot be meant. No plate in it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A plate as read: of one read, or the consensus of a passage.

    `country` is an ISO 3166 alpha-2 code, None where unknown or ambiguous. `confidence` is 0 to 1.
    `candidates` are the reader's other texts, `char_scores` its certainty of each character of
    `text` (either may be empty). `agreed` is False where several frames saw the vehicle and no two
    of them gave this text: such a text excuses like any other, but never accuses.
    """

    text: str = field(repr=False)
    country: str | None
    confidence: float
    category: str = "car"
    candidates: tuple[str, ...] = field(default=(), repr=False)
    char_scores: tuple[float, ...] = ()
    agreed: bool = True


@dataclass(frozen=True, slots=True)
class Right:
    """Whatever allows a vehicle to be somewhere for a while, valid over `[start, end)`.

    `plates` are canonical texts: one, or a shared permit's several. `country` None fits any
    country, `category` None any category. `known_at` None means known from the beginning.
    Payments: a higher `version` of one `id` replaces the lower. Permits: at most `max_present`
    vehicles at once, None for no limit. Vignettes: `scheme` and `scope` (None: the whole country),
    and `healed_from`, the earliest read that the purchase heals (None: no healing). A zone payment
    runs over the local day it pays for.

    Raises `RuleError` (`right-naive-time`, `right-ends-before-start`, `right-without-plate`).
    """

    id: str
    kind: RightKind
    plates: tuple[str, ...] = field(repr=False)
    country: str | None = None
    start: datetime = BEGINNING
    end: datetime = END
    version: int = 1
    known_at: datetime | None = None
    max_present: int | None = None
    category: str | None = None
    scheme: str | None = None
    scope: str | None = None
    healed_from: datetime | None = None

    def __post_init__(self) -> None:
        instants = (self.start, self.end, self.known_at, self.healed_from)
        if any(instant is not None and instant.tzinfo is None for instant in instants):
            raise RuleError("right-naive-time", "A right's times must carry their offset.")
        if self.end < self.start:
            raise RuleError("right-ends-before-start", "The right ends before it starts.")
        if not self.plates:
            raise RuleError("right-without-plate", "The right names no plate.")


@dataclass(frozen=True, slots=True)
class SiteRules:
    """A site's rules as in force when the vehicle was seen; `version` names them in verdicts.

    Defaults are domain-rules.md's. `classes` adds OCR classes to the five
    (`core.platetext.ocr_class`).
    """

    version: str = "site/default"
    consideration: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(minutes=10)
    max_stay: timedelta = timedelta(hours=24)
    confidence_floor: float = 0.80
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteState:
    """What is known of the site at the moment of judging.

    `exits_heard_through` is the earliest instant any exit camera has reported through (heartbeat
    and spool watermark), `all_heard_through` the same over every camera of the site.
    """

    exits_heard_through: datetime
    all_heard_through: datetime
    suspended: bool = False


def is_skewed(at: datetime, received_at: datetime, limit: timedelta = SKEW_LIMIT) -> bool:
    """True where a read claims to be captured more than `limit` after it was received."""
    return at - received_at > limit


def countries_agree(one: str | None, other: str | None) -> bool:
    """True unless both are known and differ."""
    return one is None or other is None or one == other


def known(rights: Iterable[Right], now: datetime) -> list[Right]:
    """The rights known by `now` (inclusive), only the newest version of each, in a fixed order."""
    newest: dict[tuple[RightKind, str], Right] = {}
    for right in rights:
        if right.known_at is not None and right.known_at > now:
            continue
        key = (right.kind, right.id)
        if key not in newest or right.version > newest[key].version:
            newest[key] = right
    return sorted(newest.values(), key=lambda right: (right.start, right.kind, right.id))
