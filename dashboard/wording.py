"""Verdicts, reasons and states in words, with the tone and icon they are shown by.

Colour never stands alone: each tone has a shape (an icon) and a word beside it.
"""

from dataclasses import dataclass

from enforcement.rights.outcomes import Reason, Verdict


@dataclass(frozen=True)
class Shown:
    """How something is shown: its word, its tone (a CSS class), its icon, one sentence."""

    label: str
    tone: str
    icon: str
    sentence: str = ""


VERDICTS = {
    Verdict.PAID: Shown("Paid", "good", "check", "A payment or vignette covers it."),
    Verdict.PERMITTED: Shown("Permitted", "good", "check", "A permit covers it."),
    Verdict.EXEMPT: Shown("Exempt", "good", "check", "An exemption covers it."),
    Verdict.EXCUSED: Shown("Excused", "good", "check", "Within what the site forgives."),
    Verdict.UNPAID: Shown("Unpaid", "bad", "cross", "No right covers it."),
    Verdict.OVERSTAY: Shown("Overstay", "bad", "clock", "It stayed longer than it may."),
    Verdict.REVIEW: Shown("Review", "warn", "eye", "A human must look at it."),
    Verdict.PENDING: Shown("Pending", "wait", "hourglass", "Something is still awaited."),
    Verdict.COMPLIANT: Shown("Within the limit", "good", "check", "It did not drive too fast."),
    Verdict.TOO_FAST: Shown("Too fast", "bad", "clock", "Its average speed was above the limit."),
    Verdict.NONE: Shown("None", "none", "dash", "Nothing is charged here."),
}
NOT_JUDGED = Shown("Not judged yet", "wait", "hourglass", "The judge has not come to it yet.")

REASONS = {
    Reason.PAYMENT: "a payment covers the stay",
    Reason.PERMIT: "a permit covers it",
    Reason.EXEMPTION: "an exemption covers it",
    Reason.VIGNETTE: "a vignette is valid",
    Reason.ZONE_PAYMENT: "the day's charge is paid",
    Reason.OCR_EQUIVALENT: "a right fits but for look-alike characters",
    Reason.KEYING_ERROR: "a payment fits but for one mistyped character",
    Reason.CONSIDERATION: "left within the consideration period",
    Reason.GRACE: "left within the grace period",
    Reason.PAID_LATE: "paid after all",
    Reason.NO_RIGHT: "no right found",
    Reason.RIGHT_ENDED: "the right had ended",
    Reason.RIGHT_NOT_STARTED: "the right had not begun",
    Reason.WRONG_CATEGORY: "the right is for another vehicle category",
    Reason.WRONG_COUNTRY: "the right is for another country",
    Reason.PERMIT_IN_USE: "the permit's places were taken",
    Reason.NEAR_RIGHT: "a right nearly fits",
    Reason.SEVERAL_CANDIDATES: "several rights nearly fit",
    Reason.LOW_CONFIDENCE: "the plate was read with low confidence",
    Reason.COUNTRY_UNKNOWN: "the plate's country is not certain",
    Reason.FUZZY_PAIRING: "entry and exit differ by a character",
    Reason.CONTRADICTION: "another read contradicts the stay",
    Reason.INFERRED_END: "the stay's end was inferred",
    Reason.CLOCK_SKEW: "the camera's clock was off",
    Reason.AWAITING_CAMERA: "a camera has not reported yet",
    Reason.AWAITING_DEADLINE: "it can still be paid",
    Reason.OUTSIDE_WINDOW: "outside the charging hours",
    Reason.SITE_SUSPENDED: "enforcement is suspended at this site",
    Reason.WITHIN_LIMIT: "its average speed is within the limit",
    Reason.AVERAGE_SPEED: "its average speed is above the limit",
}

CASE_STATES = {
    "candidate": Shown("Candidate", "bad", "flag"),
    "review": Shown("Needs a look", "warn", "eye"),
    "confirmed": Shown("Confirmed", "accent", "check"),
    "notice-issued": Shown("Notice issued", "accent", "check"),
    "paid": Shown("Paid", "good", "check"),
    "appealed": Shown("Appealed", "warn", "flag"),
    "upheld": Shown("Appeal refused", "accent", "check"),
    "cancelled": Shown("Cancelled", "none", "dash"),
    "written-off": Shown("Written off", "none", "dash"),
    "dismissed": Shown("Dismissed", "none", "dash"),
    "closed": Shown("Closed by the judge", "good", "check"),
}
CASE_QUEUES = {
    "running-out": "Running out",
    "second": "For a second person",
    "to-issue": "To be issued",
    "withdraw": "To take back",
    "appeals": "Appeals",
    "overdue": "Overdue",
}
"""Heaps of cases that want something (`enforcement.cases.selectors.QUEUES`)."""

DEADLINES = {
    "issue": "Notice out by",
    "discount": "Discount until",
    "due": "To be paid by",
    "appeal": "Appeal until",
}

CERTAINTIES = {
    "exact": Shown("Exact", "bad", "target", "The read is the listed plate."),
    "possible": Shown(
        "Possible", "warn", "question", "The read differs by look-alike characters: check it."
    ),
}
CAMERA_STATES = {
    "online": Shown("Online", "good", "check"),
    "offline": Shown("Offline", "bad", "cross"),
    "new": Shown("Never heard of", "none", "dash"),
}

SETTINGS_STATES = {
    "applied": Shown("In force", "good", "check"),
    "waiting": Shown("Not yet in force", "wait", "hourglass"),
    "refused": Shown("Refused by the device", "bad", "cross"),
}

REFUSALS = {
    "too-small": "too small",
    "blurred": "blurred",
    "no-syntax": "no plate's pattern",
    "low-score": "unsure",
    "overlap": "read twice",
    "crowded": "too many finds",
}
"""Why a find was not handed on as a plate (`inference.results.REASONS`), in a word or two."""


def verdict(name: str | None) -> Shown:
    """How a verdict is shown; None: there is none yet."""
    return VERDICTS[Verdict(name)] if name else NOT_JUDGED


def reason(name: str | None) -> str:
    """A verdict's reason in words; empty for none."""
    return REASONS[Reason(name)] if name else ""


def refusal(name: str) -> str:
    """Why finds were turned down, in words; of an older version's reasons, its own name."""
    return REFUSALS.get(name, name.replace("-", " "))
