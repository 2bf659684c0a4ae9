"""How a batch is cut into groups of simulators, what each samples, and how it is put together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Part = TypeVar("Part")

NOISE_STEPS = 64  # control steps of a group whose noise is drawn at once
ROWS_PER_GROUP = 25  # fewer, and Python's share of a step shows
MOST_ROWS = 512  # more, and a step's arrays leave the cache
MOST_GROUPS = 4  # more would be smaller; beyond, cores help the physics of each


@dataclass(frozen=True)
class Grouping:
    """How a batch is cut into groups: a function of the task and the batch, not of the machine.

    Attributes:
        rows: Simulators of a group, at least.
        most: Groups of a batch, at most.
        widest: Simulators of a group, at most: episodes beyond wait for one.
        square: As many groups as simulators in each, but a power of two of them, which the usual
            numbers of cores divide.
    """

    rows: int = ROWS_PER_GROUP
    most: int = MOST_GROUPS
    widest: int = MOST_ROWS
    square: bool = False

    def groups(self, rows: int) -> int:
        """Return how many groups `rows` simulators make."""
        if self.square:
            return int(min(self.most, 2 ** (max(rows, 1).bit_length() - 1 >> 1)))
        return max(1, min(self.most, rows // self.rows))

    def whole_episodes(self, count: int) -> list[Plan]:
        """Return what each group of a batch of exactly `count` episodes samples."""
        # They begin at once where that is possible: a late one would run alone at the end, and
        # Python's share of a step is the same for one row as for many.
        parts = shares(count, self.groups(count))
        return [Plan(min(share, self.widest), share, math.inf) for share in parts]

    def first_batch(self, steps: int, horizon: int) -> list[Plan]:
        """Return what each group samples of about `steps` while no episode's length is known."""
        groups = self.groups(steps // horizon)
        rows = max(1, min(self.widest, math.ceil(steps / groups / horizon)))
        return [Plan(rows, math.inf, share) for share in shares(steps, groups)]


@dataclass
class Plan:
    """Decides when a group may start another episode.

    Attributes:
        rows: Simulators stepped side by side.
        episodes: Episodes to start at most.
        steps: Steps that, once taken, allow no further start.
    """

    rows: int
    episodes: float
    steps: float
    started: int = 0
    finished_steps: int = 0

    def finish(self, lengths: NDArray[np.int64]) -> None:
        """Book episodes of these lengths as finished."""
        self.finished_steps += int(lengths.sum())

    def start(self, wanted: int, *, running: NDArray[np.int64]) -> int:
        """Start up to `wanted` episodes beside those running, of these ages; return how many."""
        if self.finished_steps + running.sum() >= self.steps:
            return 0
        count = int(min(wanted, self.episodes - self.started))
        self.started += count
        return count


ANY_TASK = Grouping()
GAMES = Grouping(most=16, widest=16, square=True)
"""For emulators, which take far longer over a step than Python does, and 70 ms to start. Of one row
the network takes half an emulator's time, of eight a seventh for each."""


def group_count(steps: int, horizon: int, *, grouping: Grouping = ANY_TASK) -> int:
    """Return how many groups sample a batch of `steps` whose episodes' length is not known."""
    return grouping.groups(steps // horizon)


def shares(total: int, parts: int) -> list[int]:
    """Cut `total` into `parts` whole numbers that differ by one at most."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def joined(kind: type[Part], parts: list[Part]) -> Part:
    """Return the dataclass of arrays `kind` whose arrays are those of all `parts`, in order."""
    names = vars(parts[0])
    return kind(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in names})
