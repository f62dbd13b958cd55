"""Amounts as people type them."""

import re

from core.errors import BadInput
from enforcement.rights.charges import NO_MINOR_UNIT

_AMOUNT = re.compile(r"(\d{1,7})(?:[.,](\d{1,2}))?", re.ASCII)


def minor_units(text: str, currency: str) -> int:
    """An amount as people type it (`60`, `60.5`, `60,50`), in minor units of an ISO 4217 currency;
    BadInput `amount_wrong` when it is none."""
    found = _AMOUNT.fullmatch(text.strip())
    whole, part = found.groups() if found else ("", None)
    if not whole or (part and currency in NO_MINOR_UNIT):
        raise BadInput(
            "amount_wrong", "Write the amount in figures, for example 60.00.", field="amount"
        )
    if currency in NO_MINOR_UNIT:
        return int(whole)
    return int(whole) * 100 + int((part or "").ljust(2, "0"))


def as_typed(amount: int, currency: str) -> str:
    """An amount of minor units as it would be typed."""
    return str(amount) if currency in NO_MINOR_UNIT else f"{amount // 100}.{amount % 100:02}"
