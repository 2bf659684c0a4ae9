import numpy as np
import torch

from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.population import PopulationSampler
from trpo_repro.seeding import stream
from trpo_repro.tasks import make_task
from trpo_repro.types import ActionSpace


def streams(purpose, group):
    return stream(3, purpose, group)


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


def population(threads, steps=18_000):
    simulator = make_task("cartpole", horizon=200)
    policy = Policy(4, simulator.actions, hidden_sizes=[], initial_std=1.0)
    rng = np.random.default_rng(0)
    thetas = rng.normal(size=(60, policy.parameter_count)).astype(np.float32)
    sampler = PopulationSampler(simulator, policy, Workers(threads), greedy=True)
    return sampler.batch(thetas, Normaliser.identity(4), streams=streams, steps=steps)


def test_members_spend_their_share_in_whole_episodes():
    batch = population(1)
    assert (batch.episodes >= 1).all()
    assert len(batch.observations) == batch.steps.sum()
    # A member stops where another episode of its usual length would not fit into its 300 steps.
    usual = batch.steps / batch.episodes
    assert (batch.steps + usual > 300).all()
    assert batch.steps.sum() < 1.1 * 18_000


def test_threads_do_not_move_a_bit():
    one, two = population(1), population(2)
    for name in one.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_several_simulators_of_a_member_share_its_steps_and_judge_it_together():
    few, many = population(1), population(1, steps=60 * 200 * 2 * 3)  # three simulators each
    assert len(many.observations) == many.steps.sum() < 1.1 * 60 * 200 * 2 * 3
    assert (many.episodes >= 3).all()
    usual = many.steps / many.episodes
    assert (many.steps + 3 * usual > 200 * 2 * 3).all()
    # More episodes of the same members: the same returns, but for the luck of the resets.
    assert np.corrcoef(few.returns, many.returns)[0, 1] > 0.9
