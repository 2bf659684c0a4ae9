"""Memory that was freed, and the system."""

from __future__ import annotations

import ctypes
import sys


def trim() -> None:
    """Give freed memory back to the system, where the C library is glibc.

    By itself it keeps every block below one that is still in use: of a batch received in parts and
    joined, all of the parts. A call takes a few milliseconds.
    """
    if sys.platform != "linux":
        return
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)
