"""What a judgement can say: the names of scenario.md ("Verdicts, exactly"), and `Judgement`.

No plate text enters any of these: a verdict is stored, shown and printed in the clear.
"""

from dataclasses import dataclass
from enum import StrEnum

ENGINE = "judge/1"
"""Version of the code's own rules; every judgement carries it beside its site's or scheme's."""


class Verdict(StrEnum):
    PAID = "paid"
    PERMITTED = "permitted"
    EXEMPT = "exempt"
    EXCUSED = "excused"
    UNPAID = "unpaid"
    OVERSTAY = "overstay"
    PENDING = "pending"
    REVIEW = "review"
    NONE = "none"
    COMPLIANT = "compliant"  # of section control
    TOO_FAST = "too-fast"  # of section control


class Reason(StrEnum):
    PAYMENT = "payment"
    PERMIT = "permit"
    EXEMPTION = "exemption"
    VIGNETTE = "vignette"
    ZONE_PAYMENT = "zone-payment"
    OCR_EQUIVALENT = "ocr-equivalent"
    KEYING_ERROR = "keying-error"
    CONSIDERATION = "consideration"
    GRACE = "grace"
    PAID_LATE = "paid-late"
    NO_RIGHT = "no-right"
    RIGHT_ENDED = "right-ended"
    RIGHT_NOT_STARTED = "right-not-started"
    WRONG_CATEGORY = "wrong-category"
    WRONG_COUNTRY = "wrong-country"
    PERMIT_IN_USE = "permit-in-use"
    NEAR_RIGHT = "near-right"
    SEVERAL_CANDIDATES = "several-candidates"
    LOW_CONFIDENCE = "low-confidence"
    COUNTRY_UNKNOWN = "country-unknown"
    FUZZY_PAIRING = "fuzzy-pairing"
    CONTRADICTION = "contradiction"
    INFERRED_END = "inferred-end"
    CLOCK_SKEW = "clock-skew"
    AWAITING_CAMERA = "awaiting-camera"
    AWAITING_DEADLINE = "awaiting-deadline"
    OUTSIDE_WINDOW = "outside-window"
    SITE_SUSPENDED = "site-suspended"
    WITHIN_LIMIT = "within-limit"
    AVERAGE_SPEED = "average-speed"


class VisitStatus(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXIT_MISSED = "exit-missed"
    ENTRY_MISSED = "entry-missed"
    EXPIRED = "expired"


class CaseState(StrEnum):
    """The state a case is proposed in."""

    CANDIDATE = "candidate"
    REVIEW = "review"


class Certainty(StrEnum):
    EXACT = "exact"
    POSSIBLE = "possible"


class SiteKind(StrEnum):
    """The kinds a scenario knows."""

    PARKING = "parking"
    VIGNETTE = "vignette"
    ZONE = "zone"


class Role(StrEnum):
    """What a camera watches; at a parking site `passing` stands outside it."""

    ENTRY = "entry"
    EXIT = "exit"
    PASSING = "passing"


class RightKind(StrEnum):
    PAYMENT = "payment"
    PERMIT = "permit"
    EXEMPTION = "exemption"
    RESERVATION = "reservation"
    VALIDATION = "validation"
    VIGNETTE = "vignette"
    ZONE_PAYMENT = "zone-payment"


@dataclass(frozen=True, slots=True)
class Looked:
    """One line of an explanation: a right, an allowance or a doubt that was looked at.

    `right_id` is None for what is no right; `kind` is then `allowance`, `doubt`, `tariff`,
    `scheme`, `window` or `history`, and `applied` True. `cost` is the matcher's, 0 to 2, None
    where no text was compared. `code` is stable, for translation; `sentence` is the English an
    operator reads. Neither ever holds plate text.
    """

    right_id: str | None
    kind: str
    applied: bool
    cost: int | None
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict that explains itself.

    `reason` is None only for a visit still open whose cameras have all reported. `right_id` names
    the right the reason speaks of. `overstay_min` is whole minutes beyond all allowances, 0 unless
    the verdict is `overstay`. `rules` are the versions judged by: the engine's, then the site's or
    the scheme's.
    """

    verdict: Verdict
    reason: Reason | None
    right_id: str | None = None
    overstay_min: int = 0
    explanation: tuple[Looked, ...] = ()
    rules: tuple[str, ...] = (ENGINE,)


COMPLIANT = frozenset(
    {Verdict.PAID, Verdict.PERMITTED, Verdict.EXEMPT, Verdict.EXCUSED, Verdict.COMPLIANT}
)
"""Verdicts of a vehicle that did nothing wrong."""

ACCUSED = frozenset({Verdict.UNPAID, Verdict.OVERSTAY, Verdict.TOO_FAST})
"""Verdicts that make a candidate, where no doubt stands before it."""

ACCUSING = ACCUSED | {Verdict.REVIEW}
"""Verdicts after which a later `paid` has the reason `paid-late`."""


def case_state(judgement: Judgement) -> CaseState | None:
    """The state of the case this judgement proposes, None where it proposes none."""
    if judgement.verdict is Verdict.REVIEW:
        return CaseState.REVIEW
    if judgement.verdict in ACCUSED:
        return None if judgement.reason is Reason.SITE_SUSPENDED else CaseState.CANDIDATE
    return None
