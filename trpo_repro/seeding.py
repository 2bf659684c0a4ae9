"""One seed, many independent random streams, each found by its name."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


def stream(seed: int, *path: int | str) -> np.random.Generator:
    """Return the generator that belongs to `path` under `seed`.

    Streams of different paths are independent (`numpy.random.SeedSequence` spawning), and a
    stream depends on nothing but its arguments: no generator's state is ever stored.

    Args:
        seed: The run's seed, ≥ 0.
        path: What the numbers are for, such as `(iteration, "noise", group)`.
    """
    key = tuple(p if isinstance(p, int) else zlib.crc32(p.encode()) for p in path)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=key)))


@dataclass(frozen=True)
class Streams:
    """The streams of one batch: a function of (purpose, group) that can be sent to a process.

    Attributes:
        seed: The run's seed.
        path: What the batch is, such as its iteration.
    """

    seed: int
    path: tuple[int | str, ...]

    def __call__(self, purpose: str, group: int) -> np.random.Generator:
        """Return the generator of `group` for `purpose`."""
        return stream(self.seed, *self.path, purpose, group)
