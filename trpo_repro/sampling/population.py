"""Episodes of many policies at once: what the derivative-free methods sample.

Every member of a population plays the same number of whole episodes, or one more, fixed before the
generation begins by how long episodes were in the one before, so that a population costs what any
other batch costs. How many a member plays must not look at how they go: a member that stops after a
long episode and goes on after a short one is judged by too many long ones wherever these pay more.
"""

from __future__ import annotations

import math
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
from trpo_repro.types import Floats, Simulator

GROUPING = Grouping(most=8, widest=2048)  # wider, and a row that is an object takes gigabytes


@dataclass(frozen=True)
class PopulationBatch:
    """What M members did.

    Attributes:
        returns: (M,) float64, each member's mean return of an episode.
        episodes: (M,) int64, episodes that each played.
        steps: (M,) int64, control steps that each took.
        observations: (N, D) float32, every observation of every member, raw, in no useful order;
            none where they were not to be kept.
    """

    returns: Floats
    episodes: NDArray[np.int64]
    steps: NDArray[np.int64]
    observations: NDArray[np.float32]


@dataclass(frozen=True)
class PlayedEpisodes:
    """What E episodes came to.

    Attributes:
        returns: (E,) float64.
        lengths: (E,) int64, control steps.
        observations: (N, D) float32, raw, in no useful order.
    """

    returns: Floats
    lengths: NDArray[np.int64]
    observations: NDArray[np.float32]

    @staticmethod
    def concatenate(parts: list[PlayedEpisodes]) -> PlayedEpisodes:
        """Join the episodes of several groups, in order."""
        return joined(PlayedEpisodes, parts)


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
    forks: Forks[PopulationTask, PlayedEpisodes] | None = None

    def batch(
        self,
        thetas: NDArray[np.float32],
        normaliser: Normaliser,
        *,
        streams: Streams,
        steps: int,
        expected_length: float,
        keep_observations: bool,
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
            keep_observations: Return what was seen; else none.
        """
        length = expected_length or self.simulator.horizon
        count = max(round(steps / length), len(thetas))
        # In rounds: where members play many episodes, each group has some of every member, and none
        # is left with the few whose episodes are long.
        members = np.arange(count) % len(thetas)
        groups = max(GROUPING.groups(count), math.ceil(count / GROUPING.widest))
        tasks = [
            PopulationTask(thetas, normaliser, streams, group, own, keep_observations)
            for group, own in enumerate(np.array_split(members, groups))
        ]
        run = self.forks.map if self.forks else partial(self.workers.map, self.sample_group)
        played = self.workers.collect(PlayedEpisodes, run, tasks=tasks)
        episodes = np.bincount(members)
        taken = np.bincount(members, played.lengths).astype(np.int64)
        returns = np.bincount(members, played.returns) / episodes
        return PopulationBatch(returns, episodes, taken, played.observations)

    def forked(self, count: int) -> PopulationSampler:
        """Return the same sampler with groups run by `count` processes instead of threads."""
        return replace(self, forks=Forks(self.sample_group, count))

    def sample_group(self, task: PopulationTask) -> PlayedEpisodes:
        """Play the episodes of one group side by side, from one start to the last one's end."""
        with group_of_steps(task.group):
            return self._sample_group(task)

    def _sample_group(self, task: PopulationTask) -> PlayedEpisodes:
        simulator, count = self.simulator, len(task.members)
        returns, lengths = np.zeros(count), np.full(count, simulator.horizon)
        noise_stream = task.streams("noise", task.group)
        states = simulator.reset(count, task.streams("reset", task.group))
        playing = np.arange(count)
        act = self.policy.actors(task.thetas[task.members], greedy=self.greedy)
        seen = [np.empty((0, simulator.observation_size), np.float32)]
        for step in range(simulator.horizon):
            if step % NOISE_STEPS == 0:
                noise = self.policy.distribution.noise(noise_stream, (NOISE_STEPS, len(playing)))
            observations = simulator.observe(states)
            actions = act(task.normaliser(observations), noise[step % NOISE_STEPS, : len(playing)])
            states, rewards, terminated = simulator.step(states, actions)
            require_finite(rewards, [observations], place=partial(_place, task, playing, step))
            if task.keep_observations:
                seen.append(observations)
            returns[playing] += rewards
            if terminated.any():
                lengths[playing[terminated]] = step + 1
                states, playing = states[~terminated], playing[~terminated]
                if not len(playing):
                    break
                act = self.policy.actors(task.thetas[task.members[playing]], greedy=self.greedy)
        return PlayedEpisodes(returns, lengths, np.concatenate(seen))


@dataclass(frozen=True)
class PopulationTask:
    """What one group plays.

    Attributes:
        thetas: (M, P) float32 parameters of all members.
        normaliser: Frozen observation normalisation.
        streams: Random streams of the batch.
        group: The group's number in the batch.
        members: (E,) int64, whose each of its episodes is.
        keep_observations: Return what was seen.
    """

    thetas: NDArray[np.float32]
    normaliser: Normaliser
    streams: Streams
    group: int
    members: NDArray[np.int64]
    keep_observations: bool


def _place(task: PopulationTask, playing: NDArray[np.int64], step: int, row: int) -> str:
    """Say where the step of `row` happened."""
    return f"member {task.members[playing[row]]}, step {step}"
