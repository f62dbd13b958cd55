"""Why a person decides a case as they do: a list each way, and no default."""

from core.errors import BadInput
from enforcement.cases.models import AUTO_CONFIRM as AUTO_CONFIRMED

CONFIRM = {
    "evidence-complete": "Pictures, times and explanation agree",
    "plate-checked": "The plate was compared with the picture by eye",
    "driver-heard": "The driver was heard and it stands",
}

DISMISS = {
    "misread": "The plate in the picture is another one",
    "picture-unclear": "The picture doesn't prove it",
    "right-found": "A right was found that the system doesn't know",
    "keying-mistake": "A payment with a minor keying mistake (BPA code of practice 17.4)",
    "emergency": "An emergency or a vehicle on duty",
    "broken-equipment": "A payment machine, a sign or a camera was out of order",
    "other-vehicle": "Entry and exit show different vehicles",
    "verdict-turned": "The judge no longer holds it",
    "too-late": "The time to issue a notice is over",
    "goodwill": "Goodwill",
}

CORRECT = {
    "seen-otherwise": "The picture shows another text",
    "country-seen": "The picture shows another country",
}
"""Why a person corrects a read."""

ISSUE = {
    "notice": "The notice is due",
}

PAY = {
    "payment": "Paid in full",
    "payment-discounted": "Paid within the time of the discount",
}

APPEAL = {
    "appeal-page": "An appeal came through the notice's page",
    "appeal-letter": "An appeal came by letter",
    "appeal-mail": "An appeal came by e-mail",
    "appeal-spoken": "An appeal was made in person or by telephone",
}

UPHOLD = {
    "appeal-unfounded": "The grounds do not hold against the evidence",
    "appeal-unproven": "What was claimed was not shown",
    "appeal-late": "The appeal came after its time",
}

CANCEL = {
    **DISMISS,
    "paid-late": "A payment of the stay became known",
    "appeal-founded": "The appeal is right",
    "not-the-driver": "The vehicle had been sold, stolen or hired out",
    "late-notice": "The notice reached nobody in time",
}

WRITE_OFF = {
    "untraceable": "Nobody answers at the address",
    "uneconomic": "Pursuing it costs more than it is worth",
    "lapsed": "The time to pursue it has passed",
    "addressee-died": "The addressee has died",
}

PICTURE_CAME = "picture-came"
PART_PAYMENT = "part-payment"
ASKED_AGAIN = "asked-again"
VOUCH_LAPSED = "vouch-lapsed"
VISIT_CHANGED = "visit-changed"
"""Why a case closes whose visit is no more: a late read paired its passages differently."""
VERDICT_CHANGED = "verdict-changed"
"""Why a case is to be withdrawn that a person confirmed for another verdict than there is now."""
AUTO_CONFIRM = {AUTO_CONFIRMED: "The site's policy confirms candidates without anybody looking"}
HAPPENED = {
    PICTURE_CAME: "The larger picture that was asked for has joined the evidence",
    PART_PAYMENT: "A payment that does not settle it",
    ASKED_AGAIN: "The judge holds it again",
    VOUCH_LAPSED: "The case has changed: what the first person confirmed counts no more",
    VISIT_CHANGED: "A late read belongs to it: entry and exit were paired anew",
    VERDICT_CHANGED: "The verdict is another one than was confirmed",
    **AUTO_CONFIRM,
}
"""What happens to a case without anybody's decision."""


FOR_STEP: dict[str, dict[str, str]] = {
    "confirmed": CONFIRM | AUTO_CONFIRM,
    "dismissed": DISMISS,
    "notice-issued": ISSUE,
    "paid": PAY,
    "appealed": APPEAL,
    "upheld": UPHOLD,
    "cancelled": CANCEL,
    "written-off": WRITE_OFF,
}
"""The list a step's reason is of, by the state it leads to."""

_ALL = (CONFIRM, CORRECT, ISSUE, PAY, APPEAL, UPHOLD, WRITE_OFF, CANCEL, HAPPENED)


def words(code: str) -> str:
    """A reason of any of the lists in words; "" for one of none."""
    return next((one[code] for one in _ALL if code in one), "")


def appeal_reason(through: str) -> str:
    """The reason of `APPEAL` by the way an appeal came."""
    return f"appeal-{through}"


def checked(reasons: dict[str, str], reason: str) -> str:
    """`reason`, if the list has it; BadInput `reason_required` otherwise."""
    if reason not in reasons:
        raise BadInput("reason_required", "Choose a reason from the list.", field="reason")
    return reason
