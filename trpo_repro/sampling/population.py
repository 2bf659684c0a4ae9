"""Episodes of many policies at once: what the derivative-free methods sample.

Every member of a population has an equal share of the iteration's steps, and one simulator, or
several with an equal part of its share where that is many episodes long. A simulator plays whole
episodes one after the other while another of its usual length still fits, and one in any case. So a
population costs what any other batch costs, and short-lived members are judged by more episodes
than long-lived ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trpo_repro.parallel import Forks, Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.finite import group_of_steps, require_finite
from trpo_repro.sampling.grouping import NOISE_STEPS, Grouping, joined
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.seeding import Streams
from trpo_repro.types import Floats, Simulator, States

GROUPING = Grouping(most=8)
MOST_SIMULATORS = 4  # of one member
EPISODES = 2  # full ones that a simulator's part of a share holds at least, where there are several


@dataclass(frozen=True)
class PopulationBatch:
    """What M members did.

    Attributes:
        returns: (M,) float64, each member's mean return of an episode.
        episodes: (M,) int64, episodes that each played.
        steps: (M,) int64, control steps that each took.
        observations: (N, D) float32, every observation of every member, raw, in no useful order.
    """

    returns: Floats
    episodes: NDArray[np.int64]
    steps: NDArray[np.int64]
    observations: NDArray[np.float32]

    @staticmethod
    def concatenate(parts: list[PopulationBatch]) -> PopulationBatch:
        """Join the members of several groups, in order."""
        return joined(PopulationBatch, parts)


@dataclass(frozen=True)
class PopulationSampler:
    """Plays episodes of many parameter vectors.

    Attributes:
        simulator: The task.
        policy: The architecture.
        workers: The threads that groups run on.
        greedy: Members play the mode of their distribution instead of a sample.
        forks: Processes that groups run on instead of threads.
    """

    simulator: Simulator
    policy: Policy
    workers: Workers
    greedy: bool
    forks: Forks[PopulationTask, PopulationBatch] | None = None

    def batch(
        self,
        thetas: NDArray[np.float32],
        normaliser: Normaliser,
        *,
        streams: Streams,
        steps: int,
    ) -> PopulationBatch:
        """Let each of the (M, P) `thetas` play for `steps` / M control steps, about."""
        tasks = [
            PopulationTask(part, normaliser, streams, group, steps / len(thetas))
            for group, part in enumerate(np.array_split(thetas, GROUPING.groups(len(thetas))))
        ]
        run = self.forks.map if self.forks else partial(self.workers.map, self.sample_group)
        return self.workers.collect(PopulationBatch, run, tasks=tasks)

    def forked(self, count: int) -> PopulationSampler:
        """Return the same sampler with groups run by `count` processes instead of threads."""
        return replace(self, forks=Forks(self.sample_group, count))

    def sample_group(self, task: PopulationTask) -> PopulationBatch:
        """Run the members of one group side by side until each has used its share."""
        with group_of_steps(task.group):
            return self._sample_group(task)

    def _sample_group(self, task: PopulationTask) -> PopulationBatch:
        normaliser, simulator = task.normaliser, self.simulator
        each = int(task.share // (EPISODES * simulator.horizon))
        each = max(1, min(MOST_SIMULATORS, each))
        thetas = np.repeat(task.thetas, each, axis=0)
        count = len(thetas)
        resets, noise_stream = task.streams("reset", task.group), task.streams("noise", task.group)
        ledger = _Ledger(count, task.share / each)
        seat, age = np.arange(count), np.zeros(count, np.int64)  # a seat is one simulator's place
        states, act = simulator.reset(count, resets), self.policy.actors(thetas, greedy=self.greedy)
        seen: list[NDArray[np.float32]] = []
        step = 0
        while len(seat):
            if step % NOISE_STEPS == 0:
                noise = self.policy.distribution.noise(noise_stream, (NOISE_STEPS, count))
            observations = simulator.observe(states)
            actions = act(normaliser(observations), noise[step % NOISE_STEPS, : len(seat)])
            states, rewards, terminated = simulator.step(states, actions)
            seen.append(observations)
            ledger.add(seat, rewards)
            require_finite(rewards, [observations], place=partial(_place, each, seat, age))
            age += 1
            step += 1
            ended = terminated | (age >= simulator.horizon)
            if ended.any():
                again = ledger.finish(seat, age, ended=ended)
                states, age = self._restart(states, age, again=again, resets=resets)
                keep = ~ended | again
                if not keep.all():
                    states, age, seat = states[keep], age[keep], seat[keep]
                    act = self.policy.actors(thetas[seat], greedy=self.greedy)
        return ledger.result(each, np.concatenate(seen))

    def _restart(
        self,
        states: States,
        age: NDArray[np.int64],
        *,
        again: NDArray[np.bool_],
        resets: np.random.Generator,
    ) -> tuple[States, NDArray[np.int64]]:
        """Put the rows `again` back to the start."""
        if again.any():
            states[again] = self.simulator.reset(int(again.sum()), resets)
            age[again] = 0
        return states, age


def _place(each: int, seat: NDArray[np.int64], age: NDArray[np.int64], row: int) -> str:
    """Say where the step of `row` happened, where a member has `each` seats."""
    return f"member {seat[row] // each}, step {age[row]}"


@dataclass(frozen=True)
class PopulationTask:
    """What one group plays.

    Attributes:
        thetas: (m, P) float32 parameters of its members.
        normaliser: Frozen observation normalisation.
        streams: Random streams of the batch.
        group: The group's number in the batch.
        share: Control steps of each member, about.
    """

    thetas: NDArray[np.float32]
    normaliser: Normaliser
    streams: Streams
    group: int
    share: float


class _Ledger:
    """What the simulator of each seat has earned and spent."""

    def __init__(self, count: int, share: float) -> None:
        self.share = share
        self.total = np.zeros(count)
        self.episodes, self.steps = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def add(self, seat: NDArray[np.int64], rewards: Floats) -> None:
        """Book one step's rewards."""
        self.total[seat] += rewards

    def finish(
        self, seat: NDArray[np.int64], age: NDArray[np.int64], *, ended: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Book the episodes that `ended`; return which rows have room for one more."""
        rows = seat[ended]
        self.episodes[rows] += 1
        self.steps[rows] += age[ended]
        usual = self.steps[rows] / self.episodes[rows]
        again = np.zeros(len(seat), np.bool_)
        again[ended] = self.steps[rows] + usual <= self.share
        return again

    def result(self, each: int, observations: NDArray[np.float32]) -> PopulationBatch:
        """Return the members' means, `each` seats in a row being one member's."""
        total, episodes, steps = (
            column.reshape(-1, each).sum(axis=1)
            for column in (self.total, self.episodes, self.steps)
        )
        return PopulationBatch(total / episodes, episodes, steps, observations)
