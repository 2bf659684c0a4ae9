"""Vines of simulators whose states stay where they were made: trunk and branches by one process.

An emulator's state can be restored exactly in that emulator and nowhere else. So a group of
emulators grows its part of the trunk and, as soon as that stands, the branches from it. Which of
the trunk's states are the rollout set is settled while it grows, evenly along each episode, so
that no other is saved. Every emulator follows one branch at a time, all of them side by side, and
the network sees as many rows as there are emulators.

A group is a pure function of its task: neither the number of processes nor their order moves a bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trpo_repro.errors import RunFailed
from trpo_repro.parallel import Forks
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import GroupTask, Sampler
from trpo_repro.sampling.vine import BranchTask, Rollouts, VineSampler
from trpo_repro.seeding import Streams
from trpo_repro.types import Simulator, States, Trajectories


class LocalSimulator(Simulator, Protocol):
    """A simulator whose states belong to places, each of which holds one of them at a time."""

    def places(self, states: States) -> NDArray[np.int64]:
        """Return the (n,) numbers of the places that the states belong to."""


@dataclass(frozen=True)
class Vines:
    """A trunk and what branches from it.

    Attributes:
        trunk: Complete episodes, without their states.
        chosen: (N,) the trunk's rows that are the rollout set, rising.
        rollouts: The branches from them, in that order.
    """

    trunk: Trajectories
    chosen: NDArray[np.int64]
    rollouts: Rollouts

    @staticmethod
    def concatenate(parts: list[Vines]) -> Vines:
        """Join the vines of several groups, in order; `parts` is emptied on the way."""
        sizes = [len(part.trunk.rewards) for part in parts]
        before = np.cumsum([0, *sizes[:-1]])
        chosen = np.concatenate([p.chosen + rows for p, rows in zip(parts, before, strict=True)])
        rollouts = Rollouts.concatenate([part.rollouts for part in parts])
        trunks = [part.trunk for part in parts]
        parts.clear()  # the frames are not to be there twice
        return Vines(Trajectories.concatenate(trunks), chosen, rollouts)


@dataclass(frozen=True)
class LocalVineSampler:
    """Grows whole vines.

    Attributes:
        simulator: The task, which `trunk` and `branches` have too.
        trunk: Samples the trunk; it keeps states.
        branches: Samples what branches from it.
        forks: Processes that groups run on.
    """

    simulator: LocalSimulator
    trunk: Sampler
    branches: VineSampler
    forks: Forks[GroupTask, Vines] | None = None

    def vines(
        self,
        theta: NDArray[np.float32],
        normaliser: Normaliser,
        *,
        streams: Streams,
        trunk_steps: int,
        expected_length: float,
        states: float,
    ) -> Vines:
        """Grow a trunk of about `trunk_steps` control steps, and branches from it.

        Args:
            theta: (P,) policy parameters.
            normaliser: Frozen observation normalisation.
            streams: Random streams of this batch.
            trunk_steps: Control steps of the trunk, about.
            expected_length: Mean length of its episodes in the batch before; 0 if there was none.
            states: How many states to branch from, about.

        Raises:
            RunFailed: Chance has chosen no state at all.
        """
        share = min(states / trunk_steps, 1.0)
        tasks = [
            GroupTask(theta, normaliser, streams, group, plan, share)
            for group, plan in enumerate(self.trunk.plans(trunk_steps, expected_length))
        ]
        # Without processes one after the other: threads would take each other's emulators.
        run = self.forks.map if self.forks else lambda tasks: [self.grow(task) for task in tasks]
        vines = self.trunk.workers.collect(Vines, run, tasks=tasks)
        if not len(vines.chosen):
            raise RunFailed(
                f"none of {len(vines.trunk.rewards)} states was chosen to branch from",
                where="steps_per_iter",
                fix="raise it, or lower algo.rollout_length",
            )
        return vines

    def forked(self, count: int) -> LocalVineSampler:
        """Return the same sampler with groups run by `count` processes."""
        return replace(self, forks=Forks(self.grow, count))

    def grow(self, task: GroupTask) -> Vines:
        """Grow one group's part of the trunk, then its branches: a pure function of `task`."""
        trunk = self.trunk.sample_group(task)
        assert trunk.states is not None, "the trunk's sampler has to keep states"
        chosen = np.flatnonzero([state is not None for state in trunk.states])
        states = trunk.states[chosen]
        branches = BranchTask(
            task.theta,
            task.normaliser,
            task.streams,
            task.group,
            states,
            self.simulator.places(states),
        )
        rollouts = self.branches.sample_group(branches)
        return Vines(replace(trunk, states=None), chosen, rollouts)
