"""The data that flows from stage to stage, and the protocols of the stages' makers.

Shapes use these letters: N rows of a batch (one simulated step each), E episodes, n rows of
simulators stepped together, D numbers in an observation, A numbers in an action.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trpo_repro.memory import trim

Floats = NDArray[Any]
"""Floating-point numbers; docstrings give the shape, and the precision where it matters."""
States = NDArray[Any]
"""One self-contained simulator state a row: copying a row saves it, stepping it restores it."""


@dataclass(frozen=True)
class ActionSpace:
    """What a policy has to produce.

    Attributes:
        kind: `continuous` (real numbers) or `discrete` (one category per factor).
        sizes: For `continuous` one entry, the number A of reals; for `discrete` the number of
            categories of each of the A factors.
    """

    kind: Literal["continuous", "discrete"]
    sizes: tuple[int, ...]

    @property
    def dimension(self) -> int:
        """Return A, the number of entries of one action."""
        return self.sizes[0] if self.kind == "continuous" else len(self.sizes)


class Transition(NamedTuple):
    """The result of one control step of n simulators.

    Attributes:
        states: Next states, one a row.
        rewards: (n,) float64, the task's raw reward.
        terminated: (n,) bool, True where the next state is terminal. A time limit is not.
    """

    states: States
    rewards: Floats
    terminated: NDArray[np.bool_]


class Simulator(Protocol):
    """A task, many copies at a time, without hidden state: all of it is in `states`.

    Attributes:
        observation_size: D.
        actions: What `step` takes.
        horizon: Control steps after which an episode is cut off.
    """

    observation_size: int
    actions: ActionSpace
    horizon: int

    def reset(self, count: int, rng: np.random.Generator) -> States:
        """Draw `count` initial states."""

    def observe(self, states: States) -> NDArray[Any]:
        """Return what the policy sees, (n, D) float32, or uint8 for pixels."""

    def step(self, states: States, actions: NDArray[Any]) -> Transition:
        """Advance every row by one control step under (n, A) `actions`."""

    def copy(self, states: States) -> States:
        """Return states that later steps of the originals cannot change."""


@dataclass(frozen=True)
class Trajectories:
    """Complete episodes, one after the other, each from its reset to its end.

    Attributes:
        observations: (N, D) float32, raw; of stacked screens (N, D / stack) uint8, the newest.
        actions: (N, A) float32 or int64, as the policy sampled them.
        rewards: (N,) float64, raw.
        lengths: (E,) int64, steps of each episode; they add up to N.
        terminated: (E,) bool; False where the time limit ended the episode.
        final_observations: (E, D) seen after the last step of each episode.
        final_states: (E, ...) the simulator states behind them; None in a run of several
            processes where they cannot leave the one that simulated.
        states: (N, ...) the state behind each observation, where they were asked for.
    """

    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: Floats
    lengths: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    final_observations: NDArray[Any]
    final_states: States | None = None
    states: States | None = None

    @property
    def starts(self) -> NDArray[np.int64]:
        """Return (E,) the row at which each episode begins."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def returns(self) -> Floats:
        """Return (E,) the undiscounted sum of rewards of each episode."""
        return np.add.reduceat(self.rewards, self.starts)

    @staticmethod
    def concatenate(parts: list[Trajectories]) -> Trajectories:
        """Join the episodes of several groups, in order.

        `parts` is emptied on the way, and no frame is there twice.
        """
        joined, filled = dict[str, NDArray[Any]](), dict[str, int]()
        for name in Trajectories.__dataclass_fields__:
            columns = [getattr(part, name) for part in parts]
            if columns[0] is not None:
                rows = sum(len(column) for column in columns)
                joined[name] = np.empty((rows, *columns[0].shape[1:]), columns[0].dtype)
                filled[name] = 0
        del columns
        while parts:
            part = parts.pop(0)
            for name, whole in joined.items():
                values = getattr(part, name)
                whole[filled[name] : filled[name] + len(values)] = values
                filled[name] += len(values)
            del part, values
            trim()
        return Trajectories(**joined)


Row = dict[str, float | int | str | None]
"""One line of `progress.csv`; None leaves a cell empty."""

Arrays = dict[str, NDArray[Any]]
"""Everything that the next iteration depends on, by name: what a checkpoint holds."""


class Algorithm(Protocol):
    """A learner as a pure function of its arrays: no state is kept between iterations."""

    def initial(self) -> Arrays:
        """Return the arrays before the first iteration."""

    def iterate(self, arrays: Arrays, iteration: int) -> tuple[Arrays, Row]:
        """Run iteration number `iteration` and return the new arrays and its row."""

    def policy(self, arrays: Arrays) -> Arrays:
        """Return the part of `arrays` that acting needs: parameters and normalisation."""


def chunks(count: int, size: int) -> Iterator[slice]:
    """Cut `range(count)` into slices of `size` rows, the last one shorter."""
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))
