"""Episodes of many policies at once: what the derivative-free methods sample.

Every member of a population plays the same number of whole episodes, or one more, fixed before the
generation begins by how long episodes were in the one before, so that a population costs what any
other batch costs. How many a member plays must not look at how they go: a member that stops after a
long episode and goes on after a short one is judged by too many long ones wherever these pay more.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        expected_length: float,
    ) -> PopulationBatch:
        """Let the (M, P) `thetas` play for about `steps` control steps, all of them together.

        Args:
            thetas: Parameters, a member each; the first ones play an episode more where the
                episodes cannot be shared out evenly.
            normaliser: Frozen observation normalisation.
            streams: Random streams of this batch.
            steps: Control steps to take, about.
            expected_length: Mean length of an episode in the batch before; 0 if there was none,
                and then episodes count as full ones.
        """
        length = expected_length or self.simulator.horizon
        episodes = shared_out(round(steps / length), members=len(thetas))
        count = GROUPING.groups(len(thetas))
        parts = zip(np.array_split(thetas, count), np.array_split(episodes, count), strict=True)
        tasks = [
            PopulationTask(part, normaliser, streams, group, own)
            for group, (part, own) in enumerate(parts)
        ]
        run = self.forks.map if self.forks else partial(self.workers.map, self.sample_group)
        return self.workers.collect(PopulationBatch, run, tasks=tasks)

    def forked(self, count: int) -> PopulationSampler:
        """Return the same sampler with groups run by `count` processes instead of threads."""
        return replace(self, forks=Forks(self.sample_group, count))

    def sample_group(self, task: PopulationTask) -> PopulationBatch:
        """Run the members of one group side by side until each has played its episodes."""
        with group_of_steps(task.group):
            return self._sample_group(task)

    def _sample_group(self, task: PopulationTask) -> PopulationBatch:
        normaliser, simulator = task.normaliser, self.simulator
        each = min(MOST_SIMULATORS, int(task.episodes.min()))
        thetas = np.repeat(task.thetas, each, axis=0)
        count = len(thetas)
        resets, noise_stream = task.streams("reset", task.group), task.streams("noise", task.group)
        ledger = _Ledger([n for own in task.episodes for n in shared_out(own, members=each)])
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
        episodes: (m,) int64, how many each plays.
    """

    thetas: NDArray[np.float32]
    normaliser: Normaliser
    streams: Streams
    group: int
    episodes: NDArray[np.int64]


def shared_out(episodes: int, *, members: int) -> NDArray[np.int64]:
    """Return (members,) how many of about `episodes` each plays: one at least, the first one more.

    The first is the search's own mean, and the others are exchangeable draws.
    """
    each, more = divmod(max(episodes, members), members)
    return each + (np.arange(members) < more)


class _Ledger:
    """What the simulator of each seat has earned and spent, and how many episodes it plays."""

    def __init__(self, planned: Sequence[int]) -> None:
        self.planned = np.array(planned, np.int64)
        count = len(planned)
        self.total = np.zeros(count)
        self.episodes, self.steps = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def add(self, seat: NDArray[np.int64], rewards: Floats) -> None:
        """Book one step's rewards."""
        self.total[seat] += rewards

    def finish(
        self, seat: NDArray[np.int64], age: NDArray[np.int64], *, ended: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Book the episodes that `ended`; return which rows play another."""
        rows = seat[ended]
        self.episodes[rows] += 1
        self.steps[rows] += age[ended]
        again = np.zeros(len(seat), np.bool_)
        again[ended] = self.episodes[rows] < self.planned[rows]
        return again

    def result(self, each: int, observations: NDArray[np.float32]) -> PopulationBatch:
        """Return the members' means, `each` seats in a row being one member's."""
        total, episodes, steps = (
            column.reshape(-1, each).sum(axis=1)
            for column in (self.total, self.episodes, self.steps)
        )
        return PopulationBatch(total / episodes, episodes, steps, observations)
