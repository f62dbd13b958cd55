"""What the machine says of this run of it: which one it is, and whether somebody set its clock."""

from __future__ import annotations

import ctypes
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of adjtimex(2)


class _Timex(ctypes.Structure):
    """The head of Linux's `struct timex`; the rest is room for the kernel to write into."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


@cache
def boot_id() -> str:
    """Of one run of the machine, for which `time.monotonic` counts: the same for every process of
    it on Linux; elsewhere of this process only."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex


def is_synchronised() -> bool:
    """Whether the kernel says that something such as NTP keeps its clock (adjtimex(2)): false from
    the start of the machine until then, and again some hours after it was heard last. Elsewhere
    than on Linux, and where the kernel may not be asked: False."""
    if sys.platform != "linux":
        return False
    said = _Timex()
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(said))
    except (OSError, AttributeError):
        return False
    return answer >= 0 and not said.status & _UNSYNCHRONISED
