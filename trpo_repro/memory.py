"""Memory that was freed, and the system; when Python looks for garbage."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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


@contextmanager
def without_garbage_search() -> Iterator[None]:
    """Import what makes many objects that stay, as torch does, a few tenths of a second sooner."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
