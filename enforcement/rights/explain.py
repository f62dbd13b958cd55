"""The sentences of an explanation, by code: one place to read, and to translate, all of them.

None takes a plate; what some take are minutes, counts and amounts of money.
"""

from .facts import Right
from .outcomes import Looked

_SPEED = (
    "At least {speed} km/h on average over {metres} m; {limit} km/h are allowed and {forgiven} "
    "km/h more forgiven. Each clock may be off by {seconds} s, to the driver's good."
)

SENTENCES = {
    # rights
    "exact": "Issued for this plate, and valid at the time.",
    "healed": "Bought shortly after the vehicle was seen; the scheme lets such a purchase count.",
    "ocr-equivalent": "Its text differs only in characters that cameras and people confuse.",
    "one-edit": "Its text is one slip away: a wrong, missing, extra or swapped character.",
    "two-edits": "Its text is two slips away: too far to excuse, too near to ignore.",
    "not-needed": "Its text is near, but other facts already decide.",
    "used-up": "Its text is near, but the vehicle it names was there itself.",
    "permit-in-use": "All places of the permit were held when the vehicle came.",
    "ended-before": "Issued for this plate, but it had ended before.",
    "begins-after": "Issued for this plate, but it only begins later.",
    "not-in-time": "Issued for this plate, but it became known after the deadline.",
    "other-country": "The text fits, but the right is for a plate of another country.",
    "other-category": "Issued for this plate, but for another category of vehicle.",
    "other-scope": "Issued for this plate, but for another part of the network.",
    "near-well-formed": (
        "Its text is equivalent, but well formed in its country and the reader was sure: "
        "another vehicle's."
    ),
    "near-in-registry": "Its text is near; among so many rights a near one proves nothing.",
    "near-named": "Its text is near, and the reader itself thought of it: a person must look.",
    # allowances
    "consideration": "The stay of {stay} min is within the consideration period of {allowed} min.",
    "consideration-used": "{used} min unpaid before the first right, within {allowed} min allowed.",
    "grace": "{unpaid} min unpaid, within the {allowed} min of consideration and grace.",
    "overstayed": "{unpaid} min unpaid, beyond the {allowed} min of consideration and grace.",
    "no-right-found": "No right covers this vehicle at this time.",
    # tariffs
    "free-times": "The whole stay lies in times that cost nothing.",
    "free-part": "{free} min of the stay cost nothing by the tariff.",
    "costs-nothing": "By the tariff the stay costs nothing.",
    "nothing-more": "By the tariff the time beyond the rights costs nothing more.",
    "owed": "By the tariff the time without a right costs {amount}.",
    # schemes and windows
    "exempt-by-scheme": "Vehicles of this category and country are exempt from the scheme.",
    "exempt-by-series": "Vehicles with plates of this series are exempt from the scheme.",
    "toll-instead": "Vehicles of this category pay toll instead; the scheme does not apply.",
    "outside-window": "Outside the charging window.",
    "awaiting-deadline": "The day can still be paid for.",
    # section control
    "within-limit": _SPEED,
    "too-fast": _SPEED,
    # doubts, and what forbids or delays judging
    "clock-skew": "The camera's clock is off: its read is kept, but not enforceable.",
    "inferred-end": "One end of the visit was never seen; an inferred end is not enforceable.",
    "visit-open": "The vehicle has not been seen leaving.",
    "contradiction": "The same plate was seen outside the site during the stay.",
    "separate-payments": "Separate payments with unpaid time between: perhaps two visits.",
    "fuzzy-pairing": "Entry and exit were read differently.",
    "low-confidence": "The plate was read with too little confidence to accuse anyone.",
    "country-unknown": "The country of the plate is unknown or ambiguous.",
    "two-countries": "Plates of two countries hold a right under this text.",
    "several-candidates": "Several rights could be the one that was mistyped.",
    "awaiting-camera": "Not every camera has reported past this time.",
    "site-suspended": "Automatic enforcement at this site is suspended.",
    # the last look before a case is opened
    "providers-asked": "{count} payment providers were asked just before, and knew no more.",
    "providers-unheard": (
        "{count} payment providers were asked and did not answer in time: a person must look."
    ),
    "paid-late": "It had been judged otherwise before this right was known.",
}


def of_right(right: Right, code: str, *, applied: bool, cost: int | None) -> Looked:
    """The line for a right that was looked at."""
    return Looked(right.id, right.kind.value, applied, cost, code, SENTENCES[code])


def of_rule(kind: str, code: str, **numbers: int | str) -> Looked:
    """The line for what is no right (`Looked.kind`); `numbers` fill its sentence."""
    return Looked(None, kind, True, None, code, SENTENCES[code].format(**numbers))
