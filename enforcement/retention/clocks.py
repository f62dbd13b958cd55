"""How long each data class is kept when a site says nothing else (domain-rules §7), and why.

The defaults are ours; AT and FR law ask for the first. Minutes count from the class's own clock:
compliant from the moment its verdict is final, pending from the payment deadline, unmatched and
device images from receipt, a watchlist hit from the alert, a case from its closure, a right from
its end, an entry from its expiry.
"""

from typing import Final

from vault.models import DataClass

HOUR: Final = 60
DAY: Final = 24 * HOUR

DEFAULT_MINUTES: Final[dict[str, int]] = {
    DataClass.COMPLIANT: 0,
    DataClass.PENDING: DAY,
    DataClass.UNMATCHED: 3 * DAY,
    DataClass.WATCHLIST: 3 * DAY,
    DataClass.CASE: 90 * DAY,
    DataClass.DEVICE_IMAGE: 3 * DAY,
    DataClass.RIGHT: 30 * DAY,
    DataClass.ENTRY: 30 * DAY,
}
