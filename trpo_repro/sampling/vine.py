"""Vine sampling (Sec. 5.2): several actions from each of a set of states, a rollout behind each.

Trunk trajectories of the current policy give the states; the rollout set is a random choice of
them. From each of its N states s_n, K actions a_nk are taken, and behind each the policy is
followed for a few steps. The simulator is put back into s_n exactly, and the K rollouts of a state
share their random numbers (common random numbers): they differ by the first action alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trpo_repro.parallel import Forks, Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.finite import group_of_steps, require_finite
from trpo_repro.sampling.grouping import Grouping, joined
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.seeding import Streams
from trpo_repro.types import Floats, Simulator, States

ROWS = 512  # rollouts that one group steps together
GROUPING = Grouping(rows=16, most=4)  # of states

Proposal = Literal["policy", "uniform", "all"]
"""q(a|s): the policy itself, uniform over the actions, or every action once (Eq. 15)."""


@dataclass(frozen=True)
class Rollouts:
    """What the branches of N states with K actions each brought.

    Attributes:
        observations: (N, D) float32, raw, of the rollout set; uint8 of pixels.
        actions: (N, K, A) the first actions.
        q_values: (N, K) float64, discounted rewards of each rollout, without any tail.
        tail_weights: (N, K) float64, γ^length where a rollout was cut off; 0 where it terminated.
        final_observations: (N, K, D) likewise, after each rollout's last step.
        lengths: (N, K) int64, steps of each rollout.
    """

    observations: NDArray[Any]
    actions: NDArray[Any]
    q_values: Floats
    tail_weights: Floats
    final_observations: NDArray[Any]
    lengths: NDArray[np.int64]

    @staticmethod
    def concatenate(parts: list[Rollouts]) -> Rollouts:
        """Join the states of several groups, in order."""
        return joined(Rollouts, parts)


@dataclass(frozen=True)
class VineSampler:
    """Branches from given states.

    Attributes:
        simulator: The task.
        policy: The architecture.
        workers: The threads that groups run on.
        rollouts_per_state: K; not used where `proposal` is `all`.
        rollout_length: L, steps of a rollout, the first action's included.
        discount: γ.
        proposal: q.
        common_random_numbers: Whether a state's rollouts share the noise of their actions. What a
            simulator draws by itself comes with the state, and they share it in any case.
        reward_bound: Rewards count for so much at most, either way.
        forks: Processes that groups run on instead of threads.
    """

    simulator: Simulator
    policy: Policy
    workers: Workers
    rollouts_per_state: int
    rollout_length: int
    discount: float
    proposal: Proposal
    common_random_numbers: bool
    reward_bound: float = math.inf
    forks: Forks[BranchTask, Rollouts] | None = None

    @property
    def branches(self) -> int:
        """Return the number of rollouts behind each state."""
        if self.proposal == "all":
            return int(np.prod(self.simulator.actions.sizes))
        return self.rollouts_per_state

    def rollouts(
        self,
        theta: NDArray[np.float32],
        normaliser: Normaliser,
        *,
        streams: Streams,
        states: States,
    ) -> Rollouts:
        """Branch from each of the N `states`.

        Args:
            theta: (P,) policy parameters.
            normaliser: Frozen observation normalisation.
            streams: Random streams of this batch.
            states: (N, …) the rollout set; unchanged.
        """
        groups = GROUPING.groups(len(states))
        tasks = [
            BranchTask(theta, normaliser, streams, group, states[share])
            for group, share in enumerate(np.array_split(np.arange(len(states)), groups))
        ]
        run = self.forks.map if self.forks else partial(self.workers.map, self.sample_group)
        return self.workers.collect(Rollouts, run, tasks=tasks)

    def forked(self, count: int) -> VineSampler:
        """Return the same sampler with groups run by `count` processes instead of threads."""
        return replace(self, forks=Forks(self.sample_group, count))

    def sample_group(self, task: BranchTask) -> Rollouts:
        """Run every branch of one group: a pure function of `task`."""
        with group_of_steps(task.group):
            return _Group(self, task).run()


@dataclass(frozen=True)
class BranchTask:
    """What one group branches from.

    Attributes:
        theta: (P,) float32 policy parameters.
        normaliser: Frozen observation normalisation.
        streams: Random streams of the batch.
        group: The group's number in the batch.
        states: (n, …) its part of the rollout set; unchanged.
        places: (n,) numbers of what each state has to be simulated by, one rollout at a time; None
            where any simulator will do, for any number of them.
    """

    theta: NDArray[np.float32]
    normaliser: Normaliser
    streams: Streams
    group: int
    states: States
    places: NDArray[np.int64] | None = None


class _Group:
    """The rollouts of one group of states, stepped together; those that ended leave the batch."""

    def __init__(self, sampler: VineSampler, task: BranchTask) -> None:
        states, rng = task.states, task.streams("branch", task.group)
        self.sampler, self.normaliser, self.states = sampler, task.normaliser, states
        self.places = task.places
        self.act = sampler.policy.actor(task.theta)
        self.count, self.branches = len(states), sampler.branches
        self.observations = sampler.simulator.observe(states)
        self.first_actions = self._first_actions(rng)
        followed = sampler.rollout_length - 1
        sharing = 1 if sampler.common_random_numbers else self.branches
        shape = (self.count, sharing, max(followed, 1))
        noise = sampler.policy.distribution.noise(rng, shape)
        # Row (state, branch) of the noise; with common random numbers all branches see one.
        every = (self.count, self.branches, *noise.shape[2:])
        self.noise = np.broadcast_to(noise, every).reshape(-1, *noise.shape[2:])

    def run(self) -> Rollouts:
        """Step every branch to its end, one wave of them after the other."""
        total = self.count * self.branches
        size = self.observations.shape[1]
        self.q_values, self.tails = np.zeros(total), np.zeros(total)
        self.lengths = np.zeros(total, np.int64)
        self.final = np.empty((total, size), self.observations.dtype)
        for branch in self._waves():
            self._wave(branch)
        shape = (self.count, self.branches)
        return Rollouts(
            self.observations,
            self.first_actions.reshape(*shape, self.first_actions.shape[1]),
            self.q_values.reshape(shape),
            self.tails.reshape(shape),
            self.final.reshape(*shape, size),
            self.lengths.reshape(shape),
        )

    def _waves(self) -> Iterator[NDArray[np.int64]]:
        """Yield which branches are stepped together."""
        total = self.count * self.branches
        if self.places is None:
            # Branches of one state stay together, so that few states are in flight at a time.
            for begin in range(0, total, ROWS):
                yield np.arange(begin, min(begin + ROWS, total))
            return
        # One of each place: an emulator is put back once a rollout, not twice a step.
        place = np.repeat(self.places, self.branches)
        turn = np.empty(total, np.int64)
        for own in (np.flatnonzero(place == number) for number in np.unique(place)):
            turn[own] = np.arange(len(own))
        for number in np.unique(turn):
            yield np.flatnonzero(turn == number)

    def _wave(self, branch: NDArray[np.int64]) -> None:
        """Run these branches from their states until all have ended."""
        simulator, sampler = self.sampler.simulator, self.sampler
        states = simulator.copy(self.states[branch // self.branches])
        actions = self.first_actions[branch]
        for step in range(sampler.rollout_length):
            states, rewards, terminated = simulator.step(states, actions)
            observations = simulator.observe(states)
            require_finite(rewards, [observations], place=partial(self._place, branch, step))
            if sampler.reward_bound < math.inf:
                rewards = np.clip(rewards, -sampler.reward_bound, sampler.reward_bound)
            self.q_values[branch] += sampler.discount**step * rewards
            self.lengths[branch] = step + 1
            last = step == sampler.rollout_length - 1
            if last or terminated.any():
                ended = terminated | last
                self._finish(branch[ended], observations[ended], terminated=terminated[ended])
                branch, states = branch[~ended], states[~ended]
                if not len(branch):
                    return
                observations = observations[~ended]
            actions = self.act(self.normaliser(observations), self.noise[branch, step])

    def _place(self, branch: NDArray[np.int64], step: int, row: int) -> str:
        """Say where the step of `row` happened."""
        state, number = divmod(branch[row], self.branches)
        return f"rollout {number} from state {state}, step {step}"

    def _finish(
        self,
        branch: NDArray[np.int64],
        observations: NDArray[Any],
        *,
        terminated: NDArray[np.bool_],
    ) -> None:
        """Note where these branches ended."""
        self.final[branch] = observations
        cut = self.sampler.discount ** self.lengths[branch]
        self.tails[branch] = np.where(terminated, 0.0, cut)

    def _first_actions(self, rng: np.random.Generator) -> NDArray[Any]:
        """Return the (N·K, A) actions drawn from q, those of one state in a row."""
        proposal, space = self.sampler.proposal, self.sampler.simulator.actions
        if proposal == "policy":
            noise = self.sampler.policy.distribution.noise(rng, (self.count * self.branches,))
            observed = self.normaliser(self.observations)
            return self.act(np.repeat(observed, self.branches, axis=0), noise)
        if proposal == "all":
            grid = np.indices(space.sizes).reshape(len(space.sizes), -1).T
            return np.tile(grid, (self.count, 1))
        columns = [rng.integers(size, size=self.count * self.branches) for size in space.sizes]
        return np.stack(columns, axis=1)
