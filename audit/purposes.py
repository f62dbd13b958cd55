"""Why somebody looks at a plate: a list, no default, some with a reference.

California Civil Code §1798.90.52 asks for exactly this; so does the spirit of the GDPR.
"""

from dataclasses import dataclass

from core.errors import BadInput


@dataclass(frozen=True)
class Purpose:
    """One reason from the list; `needs_case` demands a case or file reference beside it."""

    code: str
    label: str
    needs_case: bool = False
    for_people: bool = True


PURPOSES = {
    purpose.code: purpose
    for purpose in (
        Purpose("monitoring", "Live monitoring on shift"),
        Purpose("case-review", "Reviewing a proposed case", needs_case=True),
        Purpose("alert-handling", "Handling a watchlist alert"),
        Purpose("rights-admin", "Managing vignettes, permits and payments"),
        Purpose("watchlist-admin", "Managing a watchlist"),
        Purpose("customer-request", "Answering a customer about their own plate", needs_case=True),
        Purpose("subject-access", "Data subject request", needs_case=True),
        Purpose("authority-request", "Request of an authority", needs_case=True),
        Purpose("quality-check", "Checking camera or reader quality"),
        Purpose("administration", "Managing sites, cameras, keys and people", for_people=False),
        Purpose("pipeline", "Processing by a stage of the pipeline", for_people=False),
        Purpose("rights-intake", "A provider delivering rights", for_people=False),
        Purpose("payment-lookup", "Asking a provider before a case is opened", for_people=False),
        Purpose("device-watch", "Tokens of watchlists for a camera", for_people=False),
        Purpose("retention", "Forgetting on time", for_people=False),
    )
}


def checked(code: str, case_ref: str, *, person: bool) -> Purpose:
    """The purpose, if it may be used like this; BadInput otherwise."""
    purpose = PURPOSES.get(code)
    if purpose is None or (person and not purpose.for_people):
        raise BadInput("purpose_required", "Say why: a purpose from the list.", field="purpose")
    if person and purpose.needs_case and not case_ref.strip():
        raise BadInput("case_required", "This purpose needs a case reference.", field="case_ref")
    return purpose


def for_people() -> list[Purpose]:
    """What a person may choose from."""
    return [purpose for purpose in PURPOSES.values() if purpose.for_people]
