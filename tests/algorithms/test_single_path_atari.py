"""Single path from pixels: what is stored, what is learned from, and what moves no bit."""

import math
import tracemalloc
import weakref

import numpy as np
import pytest
import torch

from trpo_repro.algorithms.common import iteration_streams, policy_inputs
from trpo_repro.cli.compose import run_config
from trpo_repro.runner.build import build_algorithm, build_sampler
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.record import Record
from trpo_repro.types import Trajectories

OVERRIDES = ("task=space_invaders", "scale=smoke", "task.horizon=60", "threads=1")


def some_batch(*overrides):
    sampler = build_sampler(run_config([*OVERRIDES, *overrides]))
    theta = sampler.policy.initial_parameters(np.random.default_rng(0)).numpy()
    normaliser = Normaliser.identity(sampler.simulator.observation_size)
    return sampler, theta, normaliser


def test_stacks_of_the_stored_screens_are_what_the_policy_saw(monkeypatch):
    sampler, theta, normaliser = some_batch()
    seen, observe = [], sampler.simulator.observe
    monkeypatch.setattr(
        sampler.simulator, "observe", lambda states: seen.append(observe(states)) or seen[-1]
    )
    found = sampler.episodes(theta, normaliser, streams=iteration_streams(0, 0), count=2)
    assert found.observations.shape == (len(found.rewards), 52 * 40)
    assert found.observations.dtype == np.uint8
    inputs = policy_inputs(found, found.observations, stack=sampler.stack)[:].numpy()
    assert inputs.shape[1] == 4 * 52 * 40
    # Two rows side by side in one group; neither game ends before the time limit.
    assert found.lengths.tolist() == [60, 60]
    during = [both for both in seen if len(both) == 2][:60]
    np.testing.assert_array_equal(inputs[:60], [both[0] for both in during])
    np.testing.assert_array_equal(inputs[60:], [both[1] for both in during])
    # The recorded actions follow from them: the stacks are the right ones for each row.
    np.testing.assert_array_equal(inputs[:60, -2080:], found.observations[:60])


def test_processes_move_no_bit():
    sampler, theta, normaliser = some_batch("task.horizon=20")
    here = sampler.episodes(theta, normaliser, streams=iteration_streams(0, 0), count=5)
    there = sampler.forked(2).episodes(theta, normaliser, streams=iteration_streams(0, 0), count=5)
    for name in ("observations", "actions", "rewards", "lengths", "final_observations"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


@pytest.mark.parametrize(
    "settings",
    [
        ("algo=single_path",),
        ("task=qbert", "algo=vine", "steps_per_iter=1500", "algo.rollout_length=40"),
    ],
)
def test_an_iteration_keeps_to_the_trust_region_and_is_a_pure_function(settings):
    learner = build_algorithm(run_config([*OVERRIDES, *settings]))
    arrays = learner.initial()
    after, row = learner.iterate(arrays, 0)
    again, _ = learner.iterate(arrays, 0)
    assert row["outcome"] == "accepted"
    assert 0 < row["kl_mean"] <= 0.01
    assert row["surrogate_gain"] > 0
    assert after["theta"].shape == (33_500,)
    assert not np.array_equal(after["theta"], arrays["theta"])
    assert all(np.array_equal(after[name], again[name]) for name in after)
    assert row["entropy"] == pytest.approx(2 * math.log(3) + math.log(2), abs=0.05)


def test_rewards_are_clipped_for_learning_alone():
    rewards = np.array([0.0, 5.0, -7.0, 0.5])
    columns = {"observations": np.zeros((4, 1)), "actions": np.zeros((4, 1), np.int64)}
    ends = {"final_observations": np.zeros((1, 1)), "final_states": np.zeros((1, 1))}
    trajectories = Trajectories(
        rewards=rewards, lengths=np.array([4]), terminated=np.array([True]), **columns, **ends
    )
    for bound, expected in (("1", [0, 1, -1, 0.5]), ("6.0", [0, 5, -6, 0.5]), ("null", rewards)):
        learner = build_algorithm(run_config([*OVERRIDES, f"task.reward_bound={bound}"]))
        np.testing.assert_array_equal(learner._learned_from(trajectories).rewards, expected)
    assert trajectories.returns == [-1.5]


def test_initial_policy_is_almost_uniform_over_the_joystick():
    sampler, theta, _ = some_batch()
    pixels = torch.randint(0, 256, (50, 8320), dtype=torch.uint8)
    probabilities = sampler.policy.mu(torch.from_numpy(theta), pixels)[:, :3].softmax(dim=-1)
    torch.testing.assert_close(probabilities, torch.full((50, 3), 1 / 3), atol=0.05, rtol=0)


def frames(rows):
    """Return an episode of `rows` screens, 2 KB each."""
    return Trajectories(
        observations=np.ones((rows, 2080), np.uint8),
        actions=np.zeros((rows, 3), np.int64),
        rewards=np.zeros(rows),
        lengths=np.array([rows]),
        terminated=np.array([True]),
        final_observations=np.zeros((1, 8320), np.uint8),
        final_states=np.zeros(1),
    )


def peak_of(action):
    """Return what `action` gives, and the most bytes that were there on the way."""
    tracemalloc.start()
    try:
        result = action()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Watched(list):
    """Notes how many of its first members are there still whenever one is taken out."""

    def __init__(self, members):
        super().__init__(members)
        self.members, self.alive = [weakref.ref(member) for member in members], []

    def pop(self, index):
        self.alive.append(sum(member() is not None for member in self.members))
        return super().pop(index)


def test_joining_groups_does_not_hold_their_frames_twice():
    parts = Watched([frames(10) for _ in range(10)])
    joined = Trajectories.concatenate(parts)
    assert joined.lengths.tolist() == [10] * 10
    assert parts.alive == list(range(10, 0, -1))


def test_a_group_does_not_hold_its_frames_three_times():
    steps, rows = 500, 4
    screen = np.ones((rows, 2080), np.uint8)

    def record():
        record = Record(lambda states: np.zeros((len(states), 8320), np.uint8))
        for step in range(steps):
            own = (np.zeros((rows, 3), np.int64), np.zeros(rows), np.arange(rows))
            record.add_step(screen.copy(), *own, np.full(rows, step))
        ended, over = np.full(rows, steps), np.ones(rows, np.bool_)
        record.add_ends(
            np.arange(rows), np.arange(rows), age=ended, terminated=over, states=np.zeros(rows)
        )
        return record.trajectories(rows)

    found, peak = peak_of(record)
    assert found.lengths.tolist() == [steps] * rows
    assert peak < 2.2 * found.observations.nbytes
