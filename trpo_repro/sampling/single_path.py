"""Single-path sampling (Sec. 5.1): whole trajectories of the current policy.

The batch is cut into groups of simulators. A group is a pure function of the policy and of its own
random streams, so that groups may run in any order, on any number of threads or machines.

A batch is a number of episodes, fixed before it begins: the steps asked for, divided by the mean
length of an episode in the batch before. Every one of them is run to its end and counts, so none is
dropped for being long, none is cut, and `return_mean` is that of whole episodes whatever the size
of the batch. The price is that a batch holds the steps asked for on average only; what is counted
is what was simulated. The first batch knows no length: its groups begin episodes until their share
of the steps is taken, and finish those that run then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.parallel import Forks, Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.finite import group_of_steps
from trpo_repro.sampling.grouping import ANY_TASK, NOISE_STEPS, Grouping, Plan
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.record import Record
from trpo_repro.seeding import Streams
from trpo_repro.types import Simulator, States, Trajectories

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2  # whose multiples, modulo 1, lie evenly


@dataclass(frozen=True)
class Sampler:
    """Collects batches of complete episodes from one task with one policy architecture.

    Attributes:
        simulator: The task.
        policy: The architecture; its parameters come with each call.
        workers: The threads that groups run on.
        greedy: Take the distribution's mode instead of sampling.
        keep_states: Return the simulator's state too, at every step or at a share of them.
        forks: Processes that groups run on instead of threads.
        grouping: How a batch is cut into groups.
        stack: Screens of an observation. Only the newest is recorded, as the others were.
        keep_observations: Record what was seen at all; else rows without columns stand for it.
    """

    simulator: Simulator
    policy: Policy
    workers: Workers
    greedy: bool = False
    keep_states: bool = False
    forks: Forks[GroupTask, Trajectories] | None = None
    grouping: Grouping = ANY_TASK
    stack: int = 1
    keep_observations: bool = True

    def batch(
        self,
        theta: NDArray[np.float32],
        normaliser: Normaliser,
        *,
        streams: Streams,
        steps: int,
        expected_length: float,
    ) -> Trajectories:
        """Sample about `steps` control steps.

        Args:
            theta: (P,) policy parameters.
            normaliser: Frozen observation normalisation.
            streams: Random streams of this batch.
            steps: Control steps to take, about.
            expected_length: Mean length of an episode in the batch before; 0 if there was none.
        """
        plans = self.plans(steps, expected_length)
        return self._sample(theta, normaliser, streams=streams, plans=plans)

    def plans(self, steps: int, expected_length: float) -> list[Plan]:
        """Return what each group of a batch of about `steps` control steps samples."""
        if expected_length:
            return self.grouping.whole_episodes(max(1, round(steps / expected_length)))
        return self.grouping.first_batch(steps, self.simulator.horizon)

    def episodes(
        self, theta: NDArray[np.float32], normaliser: Normaliser, *, streams: Streams, count: int
    ) -> Trajectories:
        """Sample exactly `count` episodes."""
        return self._sample(
            theta, normaliser, streams=streams, plans=self.grouping.whole_episodes(count)
        )

    def forked(self, count: int) -> Sampler:
        """Return the same sampler with groups run by `count` processes instead of threads.

        Final states stay in them: no training looks at them, and not every state can be sent.
        """
        return replace(self, forks=Forks(self._sent_group, count))

    def _sample(
        self,
        theta: NDArray[np.float32],
        normaliser: Normaliser,
        *,
        streams: Streams,
        plans: list[Plan],
    ) -> Trajectories:
        """Run one group for each plan."""
        groups = [
            GroupTask(theta, normaliser, streams, group, plan) for group, plan in enumerate(plans)
        ]
        run = self.forks.map if self.forks else partial(self.workers.map, self.sample_group)
        return self.workers.collect(Trajectories, run, tasks=groups)

    def sample_group(self, task: GroupTask) -> Trajectories:
        """Run one group until its plan allows no further episode: a pure function of `task`."""
        with group_of_steps(task.group):
            return self._sample_group(task)

    def _sent_group(self, task: GroupTask) -> Trajectories:
        return replace(self.sample_group(task), final_states=None)

    def _sample_group(self, task: GroupTask) -> Trajectories:
        simulator, distribution = self.simulator, self.policy.distribution
        plan, normaliser = replace(task.plan), task.normaliser  # it counts episodes
        resets = task.streams("reset", task.group)
        noise_stream = task.streams("noise", task.group)
        start = task.streams("rollout set", task.group).random()
        act = self.policy.actor(task.theta, greedy=self.greedy)
        record = Record(simulator.observe)
        states = simulator.reset(plan.start(plan.rows, running=np.zeros(0, np.int64)), resets)
        episode = np.arange(len(states))
        age = np.zeros(len(states), np.int64)
        step = 0
        while len(states):
            if step % NOISE_STEPS == 0:
                noise = distribution.noise(noise_stream, (NOISE_STEPS, plan.rows))
            observations = simulator.observe(states)
            actions = act(normaliser(observations), noise[step % NOISE_STEPS, : len(states)])
            # Only where they are kept: a simulator may step its states in place.
            before = list[States]()
            if self.keep_states:
                before.append(self._kept(states, task.share, start=start, episode=episode, age=age))
            states, rewards, terminated = simulator.step(states, actions)
            record.add_step(self._recorded(observations), actions, rewards, episode, age, *before)
            age = age + 1
            step += 1
            ended = terminated | (age >= simulator.horizon)
            if ended.any():
                record.add_ends(
                    np.flatnonzero(ended), episode, age=age, terminated=terminated, states=states
                )
                plan.finish(age[ended])
                states, episode, age = self._replace(
                    states, episode, age=age, ended=ended, plan=plan, resets=resets
                )
        return record.trajectories(plan.started)

    def _kept(
        self,
        states: States,
        share: float,
        *,
        start: float,
        episode: NDArray[np.int64],
        age: NDArray[np.int64],
    ) -> States:
        """Return copies of (n, …) `states`; if only a `share` is wanted, None in others' place."""
        if share == 1.0:
            return self.simulator.copy(states)
        kept = np.full(len(states), None)
        wanted = evenly_chosen(share, start, episode=episode, age=age)
        if wanted.any():
            kept[wanted] = self.simulator.copy(states[wanted])
        return kept

    def _recorded(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return what is kept of (n, D) `observations`: of stacked screens the newest."""
        if not self.keep_observations:
            return observations[:, :0]
        if self.stack == 1:
            return observations
        return observations[:, -(self.simulator.observation_size // self.stack) :].copy()

    def _replace(
        self,
        states: States,
        episode: NDArray[np.int64],
        *,
        age: NDArray[np.int64],
        ended: NDArray[np.bool_],
        plan: Plan,
        resets: np.random.Generator,
    ) -> tuple[States, NDArray[np.int64], NDArray[np.int64]]:
        """Restart rows that `ended` as far as the plan allows, and drop the others."""
        first, rows = plan.started, np.flatnonzero(ended)
        fresh = plan.start(len(rows), running=age[~ended])
        again, gone = rows[:fresh], rows[fresh:]
        if fresh:
            states[again] = self.simulator.reset(fresh, resets)
            episode, age = episode.copy(), age.copy()  # the record keeps the old arrays
            episode[again] = np.arange(first, first + fresh)
            age[again] = 0
        if len(gone):
            keep = np.ones(len(states), np.bool_)
            keep[gone] = False
            states, episode, age = states[keep], episode[keep], age[keep]
        return states, episode, age


def evenly_chosen(
    share: float, start: float, *, episode: NDArray[np.int64], age: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which states of a group are chosen, the same `share` of every episode.

    Systematic sampling: a state is chosen where share · age, begun anywhere, passes a whole number.
    Each is with probability `share`, as if chance chose every one alone, but never two that are
    almost the same, and never more from one simulator than from another.

    Args:
        share: Of all states, 0 to 1.
        start: Uniform on [0, 1), one number for the group.
        episode: (n,) numbers of the states' episodes, each of which begins elsewhere.
        age: (n,) steps since their begin.
    """
    begin = start + GOLDEN_RATIO * episode
    return np.asarray(np.floor(begin + share * (age + 1)) > np.floor(begin + share * age))


@dataclass(frozen=True)
class GroupTask:
    """What one group samples.

    Attributes:
        theta: (P,) float32 policy parameters.
        normaliser: Frozen observation normalisation.
        streams: Random streams of the batch.
        group: The group's number in the batch.
        plan: How many episodes.
        share: Of the states, those that are kept, where any are.
    """

    theta: NDArray[np.float32]
    normaliser: Normaliser
    streams: Streams
    group: int
    plan: Plan
    share: float = 1.0
