import numpy as np
import pytest
import torch
from tiny_mdp import TinyMdp

from trpo_repro.errors import SimulationDiverged
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.sampling.vine import VineSampler, _Group
from trpo_repro.seeding import stream
from trpo_repro.tasks import make_task


def streams(purpose, group):
    return stream(7, purpose, group)


def vine(simulator, policy, *, branches=4, length=20, proposal="policy", crn=True, threads=1):
    return VineSampler(
        simulator,
        policy,
        Workers(threads),
        rollouts_per_state=branches,
        rollout_length=length,
        discount=0.99,
        proposal=proposal,
        common_random_numbers=crn,
    )


def cartpole(std=1.0):
    simulator = make_task("cartpole", horizon=200)
    policy = Policy(4, simulator.actions, hidden_sizes=[], initial_std=std)
    return simulator, policy, policy.initial_parameters(stream(0, "policy"))


def hopper():
    simulator = make_task(
        "hopper", horizon=1000, timestep=0.004, frame_skip=4, integrator="implicitfast"
    )
    policy = Policy(11, simulator.actions, hidden_sizes=[16], initial_std=0.3)
    return simulator, policy, policy.initial_parameters(stream(0, "policy"))


def test_rollouts_estimate_the_exact_q_values_of_a_tiny_mdp():
    mdp = TinyMdp(discount=0.9)
    policy = Policy(mdp.observation_size, mdp.actions, hidden_sizes=[], initial_std=1.0)
    theta = torch.randn(policy.parameter_count, generator=torch.manual_seed(3))
    sampler = VineSampler(
        mdp,
        policy,
        Workers(1),
        rollouts_per_state=1,
        rollout_length=120,  # 0.9^120 is 3e-6
        discount=0.9,
        proposal="all",
        common_random_numbers=False,
    )
    each = 1500
    states = np.repeat(np.arange(mdp.observation_size - 1), each)
    rollouts = sampler.rollouts(
        theta.numpy(), Normaliser.identity(5), streams=streams, states=states
    )
    measured = rollouts.q_values.reshape(-1, each, 3)
    error = measured.std(axis=1) / np.sqrt(each)
    exact = mdp.q_values(policy, theta)[:-1]
    assert (np.abs(measured.mean(axis=1) - exact) < 4.5 * error + 1e-4).all()


def test_with_one_action_and_full_rollouts_vine_estimates_what_single_path_estimates():
    simulator, policy, theta = cartpole()
    identity = Normaliser.identity(4)
    rng = np.random.default_rng(0)
    states = simulator.reset(4000, rng)
    branches = vine(simulator, policy, branches=1, length=200)
    q = branches.rollouts(theta.numpy(), identity, streams=streams, states=states).q_values[:, 0]
    paths = Sampler(simulator, policy, Workers(1)).episodes(
        theta.numpy(), identity, streams=streams, count=4000
    )
    ages = np.arange(len(paths.rewards)) - np.repeat(paths.starts, paths.lengths)
    returns = np.add.reduceat(paths.rewards * 0.99**ages, paths.starts)
    error = np.sqrt(q.var() / len(q) + returns.var() / len(returns))
    assert abs(q.mean() - returns.mean()) < 4 * error


@pytest.mark.parametrize("make", [cartpole, hopper])
def test_common_random_numbers_lower_the_variance_of_q_differences(make):
    simulator, policy, theta = make()
    states = simulator.reset(300, np.random.default_rng(1))
    identity = Normaliser.identity(simulator.observation_size)
    spread = {}
    for crn in (True, False):
        sampler = vine(simulator, policy, branches=2, length=15, crn=crn)
        q = sampler.rollouts(theta.numpy(), identity, streams=streams, states=states).q_values
        spread[crn] = (q[:, 0] - q[:, 1]).var()
    assert spread[True] < 0.8 * spread[False]


@pytest.mark.parametrize("make", [cartpole, hopper])
def test_advantages_by_vine_vary_less_than_by_single_path(make, monkeypatch):
    # Claim C10 (Sec. 5.2), for the same states, actions and number of Q samples: Q less the mean
    # of its state under common random numbers, against Q of an independent rollout less V(s),
    # taken to be known exactly, which flatters single path.
    simulator, policy, theta = make()
    identity = Normaliser.identity(simulator.observation_size)
    again = 300
    states = np.repeat(simulator.reset(5, np.random.default_rng(1)), again, axis=0)
    rng, size = np.random.default_rng(2), simulator.actions.dimension
    actions = rng.normal(size=(4, size)).astype(np.float32)
    monkeypatch.setattr(_Group, "_first_actions", lambda g, rng: np.tile(actions, (g.count, 1)))
    q = {}
    for crn in (True, False):
        sampler = vine(simulator, policy, length=15, crn=crn)
        found = sampler.rollouts(theta.numpy(), identity, streams=streams, states=states)
        q[crn] = found.q_values.reshape(5, again, 4)
    # Less the mean of the three others: of all four, a quarter of the fall would be arithmetic.
    vine_s = (q[True] - q[True].mean(axis=2, keepdims=True)) * 4 / 3
    single_path_s = q[False] - q[False].mean(axis=(1, 2), keepdims=True)
    assert vine_s.var(axis=1).mean() < 0.7 * single_path_s.var(axis=1).mean()
    np.testing.assert_allclose(  # both estimate the same, to five standard errors
        vine_s.mean(axis=1), single_path_s.mean(axis=1), atol=5 * q[False].std() / again**0.5
    )


def test_branches_with_the_same_first_action_and_noise_are_the_same_rollout():
    simulator, policy, theta = hopper()
    theta = theta.clone()
    theta[-3:] = -30.0  # no exploration: the first actions of a state agree
    states = simulator.reset(8, np.random.default_rng(2))
    sampler = vine(simulator, policy, branches=3, length=30)
    rollouts = sampler.rollouts(
        theta.numpy(), Normaliser.identity(11), streams=streams, states=states
    )
    assert (rollouts.q_values == rollouts.q_values[:, :1]).all()
    assert (rollouts.final_observations == rollouts.final_observations[:, :1]).all()


def test_the_given_states_stay_as_they_were():
    simulator, policy, theta = hopper()
    states = simulator.reset(40, np.random.default_rng(2))
    before = states.copy()
    vine(simulator, policy).rollouts(
        theta.numpy(), Normaliser.identity(11), streams=streams, states=states
    )
    assert np.array_equal(states, before)


def test_q_values_are_the_discounted_rewards_of_a_plain_loop():
    simulator, policy, theta = cartpole(std=0.5)
    states = simulator.reset(3, np.random.default_rng(4))
    sampler = vine(simulator, policy, branches=2, length=12)
    rollouts = sampler.rollouts(
        theta.numpy(), Normaliser.identity(4), streams=streams, states=states
    )
    rng = streams("branch", 0)
    policy.distribution.noise(rng, (6,))  # of the first actions
    noise = policy.distribution.noise(rng, (3, 1, 11))
    act = policy.actor(theta.numpy())
    for n in range(3):
        for k in range(2):
            state, total, action = states[n : n + 1], 0.0, rollouts.actions[n, k][None]
            for step in range(12):
                state, reward, ended = simulator.step(state, action)
                total += 0.99**step * reward[0]
                if ended[0] or step == 11:
                    break
                action = act(simulator.observe(state), noise[n, 0, step][None])
            assert rollouts.lengths[n, k] == step + 1
            assert rollouts.q_values[n, k] == pytest.approx(total, rel=1e-6)
            expected_tail = 0.0 if ended[0] else 0.99**12
            assert rollouts.tail_weights[n, k] == pytest.approx(expected_tail)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_number_that_is_none_is_placed_by_rollout_state_and_step(number, monkeypatch):
    simulator, policy, theta = cartpole(std=0.1)
    plain, calls = type(simulator).step, 0

    def step(self, states, actions):
        nonlocal calls
        calls += 1
        after = plain(self, states, actions)
        if calls == 4:
            after.rewards[5] = number
        return after

    monkeypatch.setattr(type(simulator), "step", step)
    states = simulator.reset(3, np.random.default_rng(4))
    with pytest.raises(SimulationDiverged, match="group 0, rollout 1 from state 2, step 3"):
        vine(simulator, policy, branches=2, length=12).rollouts(
            theta.numpy(), Normaliser.identity(4), streams=streams, states=states
        )


def test_threads_do_not_move_a_bit():
    simulator, policy, theta = hopper()
    states = simulator.reset(50, np.random.default_rng(2))
    one, two = (
        vine(simulator, policy, threads=threads).rollouts(
            theta.numpy(), Normaliser.identity(11), streams=streams, states=states
        )
        for threads in (1, 2)
    )
    for name in one.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_all_actions_are_each_taken_once():
    mdp = TinyMdp()
    policy = Policy(mdp.observation_size, mdp.actions, hidden_sizes=[], initial_std=1.0)
    theta = policy.initial_parameters(stream(0, "policy"))
    sampler = vine(mdp, policy, proposal="all", length=3)
    rollouts = sampler.rollouts(
        theta.numpy(), Normaliser.identity(5), streams=streams, states=np.array([0, 1, 2])
    )
    assert (rollouts.actions[..., 0] == np.arange(3)).all()
