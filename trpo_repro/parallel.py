"""Threads over chunks of work, with results that do not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """A fixed set of Python threads, each of which works on one chunk at a time.

    NumPy, torch and MuJoCo release the interpreter lock while they compute. Chunks are cut
    without regard to the number of threads and results come back in order, so the number of
    threads moves no bit. torch itself is held to one thread: its own would compete for the
    same cores, and would let their number decide the order of sums.
    """

    def __init__(self, threads: int) -> None:
        """Start `threads` threads (none when 1: the caller's own is enough)."""
        import torch  # here, so that asking for `available_cores` does not cost torch's start

        torch.set_num_threads(1)
        self.threads = threads
        # In every thread anew: OpenMP keeps the number for each of them, and its idle threads
        # would spin on the cores that the others work on.
        self._pool = (
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
            if threads > 1
            else None
        )

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return `[function(item) for item in items]`, computed side by side."""
        if self._pool is None:
            return [function(item) for item in items]
        return list(self._pool.map(function, items))
