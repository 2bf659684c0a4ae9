"""Single-path sampling of a simulator so small that every number of a batch can be checked."""

import dataclasses
import math

import numpy as np
import pytest

from trpo_repro.errors import SimulationDiverged
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.grouping import MOST_GROUPS, group_count
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import GroupTask, Sampler
from trpo_repro.seeding import Streams, stream
from trpo_repro.types import ActionSpace, Transition

SHORTEST, LONGEST = 5, 50  # what an episode would last, uniformly
MEAN_LENGTH = (SHORTEST + LONGEST) / 2


class Counting:
    """Observes (serial number of the episode, age); an episode ends when its time has come.

    The reward of a step is the action, so that a batch shows which action met which state.
    """

    observation_size = 2
    actions = ActionSpace("continuous", (1,))

    def __init__(self, horizon):
        self.horizon = horizon
        self.started = []

    def reset(self, count, rng):
        serial = rng.integers(2**24, size=count)  # float32 holds these exactly
        self.started += serial.tolist()
        lifetime = rng.integers(SHORTEST, LONGEST + 1, size=count)
        return np.stack([serial, np.zeros(count), lifetime], axis=1).astype(np.float64)

    def observe(self, states):
        return states[:, :2].astype(np.float32)

    def step(self, states, actions):
        after = states + np.array([0.0, 1.0, 0.0])
        return Transition(after, actions[:, 0].astype(np.float64), after[:, 1] >= after[:, 2])

    def copy(self, states):
        return states.copy()


class LongPays(Counting):
    """As `Counting`, with a reward of 1 a step: the mean return is the mean length."""

    def step(self, states, actions):
        after = super().step(states, actions)
        return after._replace(rewards=np.ones(len(states)))


class Bursting(Counting):
    """As `Counting`, until the third episode of a group reaches its age of two."""

    def __init__(self, horizon, *, what):
        super().__init__(horizon)
        self.what = what

    def step(self, states, actions):
        after = super().step(states, actions)
        bad = (states[:, 0] == self.started[2]) & (states[:, 1] == 2)
        if self.what == "reward":
            after.rewards[bad] = np.nan
        else:
            after.states[bad, 1] = np.inf
        return after


def a_sampler(simulator, *, threads=1, **settings):
    policy = Policy(2, simulator.actions, hidden_sizes=(), initial_std=1.0)
    return Sampler(simulator, policy, Workers(threads), **settings)


def a_batch(sampler, *, steps=3000, seed=0, expected_length=MEAN_LENGTH):
    return sampler.batch(
        np.zeros(4, np.float32),
        Normaliser.identity(2),
        streams=lambda purpose, group: stream(seed, purpose, group),
        steps=steps,
        expected_length=expected_length,
    )


def as_bytes(trajectories):
    columns = dataclasses.asdict(trajectories).values()
    return [column.tobytes() for column in columns if column is not None]


@pytest.mark.parametrize("horizon", [LONGEST, 20])
@pytest.mark.parametrize("expected_length", [0.0, MEAN_LENGTH])
@pytest.mark.parametrize("steps", [1, 30, 1000, 3000])
def test_every_episode_that_was_started_counts_once_and_whole(steps, expected_length, horizon):
    simulator = Counting(horizon)
    batch = a_batch(a_sampler(simulator), steps=steps, expected_length=expected_length)
    serials = batch.observations[batch.starts, 0]
    assert sorted(serials.tolist()) == sorted(simulator.started)
    assert batch.lengths.sum() == len(batch.rewards) == len(batch.observations)
    assert (batch.lengths == np.minimum(batch.final_states[:, 2], horizon)).all()


def test_episodes_lie_one_after_the_other_in_order_of_age():
    batch = a_batch(a_sampler(Counting(LONGEST)))
    for start, length in zip(batch.starts, batch.lengths, strict=True):
        serial, age = batch.observations[start : start + length].T
        assert (serial == serial[0]).all()
        assert age.tolist() == list(range(length))


def test_final_observations_and_states_are_those_after_the_last_step():
    batch = a_batch(a_sampler(Counting(LONGEST)))
    assert np.array_equal(batch.final_observations[:, 0], batch.observations[batch.starts, 0])
    assert np.array_equal(batch.final_observations[:, 1], batch.lengths)
    assert np.array_equal(batch.final_states[:, :2].astype(np.float32), batch.final_observations)


def test_time_limits_are_not_terminal_states():
    batch = a_batch(a_sampler(Counting(20)))
    lifetimes = batch.final_states[:, 2]
    assert np.array_equal(batch.terminated, lifetimes <= 20)
    assert 0 < batch.terminated.sum() < len(batch.terminated)
    assert (batch.lengths[~batch.terminated] == 20).all()


def test_rewards_belong_to_the_actions_beside_them():
    batch = a_batch(a_sampler(Counting(LONGEST)))
    assert np.array_equal(batch.rewards, batch.actions[:, 0])
    assert batch.actions.std() == pytest.approx(1.0, rel=0.05)


def test_the_policy_acts_on_the_normalised_observation_and_the_batch_holds_the_raw_one():
    sampler = a_sampler(Counting(LONGEST), greedy=True)
    normaliser = Normaliser.identity(2).updated(np.array([[0.0, 0.0], [0.0, 40.0]], np.float32))
    batch = sampler.batch(
        np.array([0.0, 0.5, 2.0, 0.0], np.float32),  # mean action: half the second number, plus 2
        normaliser,
        streams=lambda purpose, group: stream(0, purpose, group),
        steps=500,
        expected_length=0.0,
    )
    age = batch.observations[:, 1]
    np.testing.assert_allclose(batch.actions[:, 0], 0.5 * (age - 20) / 20 + 2, rtol=1e-6)


def test_states_that_are_kept_are_those_behind_the_observations():
    plain = a_batch(a_sampler(Counting(LONGEST)))
    kept = a_batch(a_sampler(Counting(LONGEST), keep_states=True))
    assert plain.states is None
    assert np.array_equal(kept.states[:, :2].astype(np.float32), kept.observations)
    assert np.array_equal(kept.rewards, plain.rewards)


@pytest.mark.parametrize("count", [1, 7, 60, 203])
def test_exactly_as_many_episodes_as_were_asked_for(count):
    simulator = Counting(LONGEST)
    batch = a_sampler(simulator).episodes(
        np.zeros(4, np.float32),
        Normaliser.identity(2),
        streams=lambda purpose, group: stream(0, purpose, group),
        count=count,
    )
    assert len(batch.lengths) == len(simulator.started) == count


def test_a_batch_holds_about_the_steps_that_were_asked_for():
    sampler = a_sampler(Counting(LONGEST))
    for seed in range(5):
        # 364 episodes, whose lengths' standard deviation is 13: within four standard errors.
        batch = a_batch(sampler, steps=10_000, seed=seed)
        assert len(batch.lengths) == round(10_000 / MEAN_LENGTH)
        assert abs(len(batch.rewards) - 10_000) < 4 * 13.3 * math.sqrt(364)
        # The first batch of a run: the 200 episodes that run when the steps are taken go on.
        first = a_batch(sampler, steps=10_000, seed=seed, expected_length=0.0)
        assert 10_000 <= len(first.rewards) <= 10_000 * 1.5


def test_groups_follow_the_batch_alone():
    assert group_count(1, 1000) == 1
    assert group_count(50_000, 1000) == 2
    assert group_count(10**9, 1000) == MOST_GROUPS


def test_mean_return_of_a_fixed_policy_does_not_depend_on_the_size_of_the_batch():
    sampler = a_sampler(LongPays(LONGEST))
    tolerances = []
    for steps, seeds in ((1000, 200), (20_000, 10)):
        batches = [a_batch(sampler, steps=steps, seed=seed) for seed in range(seeds)]
        means = np.array([batch.returns.mean() for batch in batches])
        tolerances.append(4 * means.std() / math.sqrt(seeds))  # four standard errors
        assert abs(means.mean() - MEAN_LENGTH) < tolerances[-1]
        # Wald's identity: whether an episode starts does not look at how it will go, so that the
        # total over many batches has no bias at all, not even one of order 1/episodes.
        pooled = np.concatenate([batch.returns for batch in batches])
        error = pooled.std() / math.sqrt(len(pooled))
        assert abs(pooled.mean() - MEAN_LENGTH) < 4 * error
    # The test could fail: a rule that counts only what has finished when the small batch is full
    # (20 simulators, 50 steps each) favours short episodes by far more than it allows.
    lengths = np.random.default_rng(0).integers(SHORTEST, LONGEST + 1, size=(4000, 20))
    finished = lengths[lengths.cumsum(axis=1) <= 1000 // 20]
    assert abs(finished.mean() - MEAN_LENGTH) > 3 * max(tolerances)


@pytest.mark.parametrize("keep_states", [False, True])
def test_threads_move_no_bit(keep_states):
    one, two = (
        a_batch(a_sampler(Counting(LONGEST), threads=threads, keep_states=keep_states), steps=6000)
        for threads in (1, 2)
    )
    assert group_count(6000, LONGEST) > 2
    assert as_bytes(one) == as_bytes(two)


@pytest.mark.parametrize("expected_length", [0.0, MEAN_LENGTH])
def test_a_group_is_a_function_of_its_task(expected_length):
    sampler = a_sampler(Counting(LONGEST))
    plan = sampler.plans(500, expected_length)[0]
    task = GroupTask(np.zeros(4, np.float32), Normaliser.identity(2), Streams(0, (0,)), 0, plan)
    assert as_bytes(sampler.sample_group(task)) == as_bytes(sampler.sample_group(task))


def test_another_seed_gives_another_batch_and_the_same_seed_the_same():
    first, again, other = (a_batch(a_sampler(Counting(LONGEST)), seed=s) for s in (0, 0, 1))
    assert as_bytes(first) == as_bytes(again)
    assert as_bytes(first) != as_bytes(other)


@pytest.mark.parametrize(("what", "step"), [("reward", 2), ("observation", 3)])
def test_a_number_that_is_none_is_reported_with_its_episode_and_step(what, step):
    sampler = a_sampler(Bursting(LONGEST, what=what))
    with pytest.raises(SimulationDiverged, match=f"group 0, episode 2, step {step}"):
        a_batch(sampler, steps=1000)


def test_a_final_observation_that_is_no_number_is_reported_too():
    sampler = a_sampler(Bursting(3, what="observation"))  # the time limit comes first
    with pytest.raises(SimulationDiverged, match="group 0, episode 2, step 3"):
        a_batch(sampler, steps=1000)
