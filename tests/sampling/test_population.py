import numpy as np
import pytest
import torch
from sampling.test_sampler import LONGEST, MEAN_LENGTH, SHORTEST, Counting, LongPays

from trpo_repro.errors import SimulationDiverged
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.population import PopulationSampler
from trpo_repro.seeding import stream
from trpo_repro.tasks import make_task
from trpo_repro.types import ActionSpace


def streams(purpose, group):
    return stream(3, purpose, group)


class LastsAsActed(Counting):
    """An action of a gives a reward of 1 for a + 1 steps; no number at the age `fails`."""

    def __init__(self, horizon, *, fails=None):
        super().__init__(horizon)
        self.fails = fails

    def step(self, states, actions):
        after, age = super().step(states, actions), states[:, 1]
        rewards = np.where(age == self.fails, np.nan, 1.0)
        return after._replace(rewards=rewards, terminated=age >= actions[:, 0])


def test_each_row_follows_its_own_parameters():
    for actions in (ActionSpace("continuous", (3,)), ActionSpace("discrete", (3, 2))):
        policy = Policy(6, actions, hidden_sizes=[8, 5], initial_std=0.7)
        thetas = torch.randn(10, policy.parameter_count, generator=torch.manual_seed(0)).numpy()
        observations = torch.randn(10, 6, generator=torch.manual_seed(1)).numpy()
        noise = policy.distribution.noise(np.random.default_rng(0), (10,))
        for greedy in (True, False):
            together = policy.actors(thetas, greedy=greedy)(observations, noise)
            for row in range(10):
                alone = policy.actor(thetas[row], greedy=greedy)(
                    observations[row : row + 1], noise[row : row + 1]
                )
                np.testing.assert_allclose(together[row : row + 1], alone, rtol=1e-5, atol=1e-6)


def population(threads, steps=18_000, expected_length=0.0):
    simulator = make_task("cartpole", horizon=200)
    policy = Policy(4, simulator.actions, hidden_sizes=[], initial_std=1.0)
    rng = np.random.default_rng(0)
    thetas = rng.normal(size=(60, policy.parameter_count)).astype(np.float32)
    sampler = PopulationSampler(simulator, policy, Workers(threads), greedy=True)
    return sampler.batch(
        thetas,
        Normaliser.identity(4),
        streams=streams,
        steps=steps,
        expected_length=expected_length,
        keep_observations=True,
    )


def test_members_play_as_many_episodes_as_the_length_of_those_before_allows():
    first = population(1)  # full episodes are 200 steps long: 90 of them, for 60 members
    assert first.episodes.tolist() == [2] * 30 + [1] * 30
    assert len(first.observations) == first.steps.sum()
    length = first.steps.sum() / first.episodes.sum()
    batch = population(1, expected_length=length)
    assert batch.episodes.sum() == round(18_000 / length) > 90
    assert np.ptp(batch.episodes) <= 1
    assert 0.8 * 18_000 < batch.steps.sum() < 1.2 * 18_000
    assert population(1, steps=100).episodes.tolist() == [1] * 60  # less than there are members


def test_a_member_is_not_judged_by_too_many_long_episodes():
    """A rule that stops members after a long episode, and lets others go on, would do that."""
    simulator, members, each = LongPays(LONGEST), 3000, 3
    policy = Policy(2, simulator.actions, hidden_sizes=[], initial_std=1.0)
    thetas = np.zeros((members, policy.parameter_count), np.float32)
    sampler = PopulationSampler(simulator, policy, Workers(1), greedy=True)
    steps = round(members * each * MEAN_LENGTH)
    batch = sampler.batch(
        thetas,
        Normaliser.identity(2),
        streams=streams,
        steps=steps,
        expected_length=MEAN_LENGTH,
        keep_observations=False,
    )
    assert set(batch.episodes) == {each}
    assert len(batch.observations) == 0
    tolerance = 4 * batch.returns.std() / np.sqrt(members)
    assert abs(batch.returns.mean() - MEAN_LENGTH) < tolerance
    # It could fail: so many members, each of which plays while another episode of its usual length
    # fits into its share of the steps.
    lengths = np.random.default_rng(0).integers(SHORTEST, LONGEST + 1, size=(members, 50))
    usual = lengths.cumsum(axis=1) / np.arange(1, 51)
    full = lengths.cumsum(axis=1) + usual > each * MEAN_LENGTH
    judged = usual[np.arange(members), full.argmax(axis=1)]
    assert judged.mean() - MEAN_LENGTH > 3 * tolerance


def test_threads_do_not_move_a_bit():
    one, two = population(1), population(2)
    for name in one.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_more_episodes_of_a_member_judge_it_together():
    few, many = population(1), population(1, steps=60 * 200 * 7)
    assert set(many.episodes) == {7}
    assert len(many.observations) == many.steps.sum()
    # More episodes of the same members: the same returns, but for the luck of the resets.
    assert np.corrcoef(few.returns, many.returns)[0, 1] > 0.9


def lasting(biases, simulator, *, steps, expected_length):
    """Let members play that act by their numbers, whatever they see."""
    policy = Policy(2, simulator.actions, hidden_sizes=[], initial_std=1.0)
    thetas = np.zeros((len(biases), policy.parameter_count), np.float32)
    thetas[:, policy.network.parameter_count - 1] = biases
    return PopulationSampler(simulator, policy, Workers(1), greedy=True).batch(
        thetas,
        Normaliser.identity(2),
        streams=streams,
        steps=steps,
        expected_length=expected_length,
        keep_observations=True,
    )


def test_episodes_go_to_those_that_played_them():
    """Members whose policies last for known times, whatever group their episodes fall into."""
    batch = lasting(np.arange(7), LastsAsActed(9), steps=450, expected_length=4.5)
    assert batch.episodes.tolist() == [15, 15, 14, 14, 14, 14, 14]  # in four groups of 25
    assert batch.returns.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert batch.steps.tolist() == (batch.episodes * np.arange(1, 8)).tolist()
    assert len(batch.observations) == batch.steps.sum()


def test_no_group_has_more_rows_than_memory_is_meant_for():
    """A row may be a whole Gymnasium environment."""
    simulator, rows = LastsAsActed(9), []
    simulator.reset = lambda count, rng: rows.append(count) or Counting.reset(simulator, count, rng)
    lasting(np.zeros(7), simulator, steps=20_000, expected_length=1)
    assert sum(rows) == 20_000
    assert max(rows) <= 2048


def test_a_diverged_step_names_the_member():
    biases = np.arange(60) % 7
    biases[41] = 8  # the one that lasts to the step that fails
    with pytest.raises(SimulationDiverged, match="group 1, member 41, step 7"):
        lasting(biases, LastsAsActed(9, fails=7), steps=540, expected_length=9)
