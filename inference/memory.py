"""Memory of one picture, kept for the next."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of one array that are kept, 32 MiB at most (mallopt(3)): a frame of 11 million pixels."""
KEPT: Final = 64 * 1024 * 1024
"""Bytes that may lie unused before the system gets them back."""


def keep_memory() -> None:
    """Have the C library keep what it is given back, up to `KEPT`, for the whole process.

    By default it returns a picture's memory to the system at once and asks for it again for the
    next one, and the kernel then clears it page by page: that takes longer than decoding a frame of
    1280×720 does. Does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST)
        mallopt(_M_TRIM_THRESHOLD, KEPT)
