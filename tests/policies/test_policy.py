"""Policies: sizes of the paper's tables, and acting as the distribution says."""

import math

import numpy as np
import pytest
import torch

from trpo_repro.policies.policy import LinearisedPolicy, Policy
from trpo_repro.types import ActionSpace

SPACES = [ActionSpace("continuous", (2,)), ActionSpace("discrete", (3, 3, 2))]
both_spaces = pytest.mark.parametrize("space", SPACES, ids=["continuous", "discrete"])


def some_policy(space, hidden=(8,), inputs=5):
    policy = Policy(inputs, space, hidden_sizes=hidden, initial_std=0.5)
    theta = torch.randn(policy.parameter_count, generator=torch.Generator().manual_seed(0))
    return policy, 0.5 * theta


@pytest.mark.parametrize(
    ("inputs", "hidden", "actions", "parameters"),
    [(9, (30,), 2, 364), (4, (), 1, 6)],
    ids=["swimmer of Table 2", "linear cart-pole"],
)
def test_parameter_counts_are_those_of_the_paper(inputs, hidden, actions, parameters):
    space = ActionSpace("continuous", (actions,))
    policy = Policy(inputs, space, hidden_sizes=hidden, initial_std=1.0)
    assert policy.parameter_count == parameters
    assert len(policy.initial_parameters(np.random.default_rng(0))) == parameters


def test_discrete_policy_outputs_one_logit_for_each_category():
    policy, theta = some_policy(SPACES[1])
    assert policy.parameter_count == 5 * 8 + 8 + 8 * 8 + 8
    assert policy.mu(theta, torch.zeros(3, 5)).shape == (3, 8)


def test_gaussian_mu_is_the_network_and_a_standard_deviation_free_of_the_state():
    policy, theta = some_policy(SPACES[0])
    observations = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    mean, log_std = policy.mu(theta, observations).chunk(2, dim=1)
    assert torch.equal(mean, policy.network.forward(theta[:-2], observations))
    assert torch.equal(log_std, theta[-2:].expand(6, 2))


def test_first_policy_hardly_looks_at_the_state_and_has_the_standard_deviation_asked_for():
    policy, _ = some_policy(SPACES[0])
    theta = policy.initial_parameters(np.random.default_rng(0))
    observations = torch.randn(100, 5, generator=torch.Generator().manual_seed(4))
    mean, log_std = policy.mu(theta, observations).chunk(2, dim=1)
    assert mean.abs().max() < 0.1
    torch.testing.assert_close(log_std, torch.full((100, 2), math.log(0.5)))


@both_spaces
def test_actor_samples_what_the_distribution_samples(space):
    policy, theta = some_policy(space)
    observations = torch.randn(40, 5, generator=torch.Generator().manual_seed(2))
    noise = policy.distribution.noise(np.random.default_rng(0), (40,))
    mu = policy.mu(theta, observations)
    if policy.gaussian:
        expected = mu[:, :2] + mu[:, 2:].exp() * torch.from_numpy(noise)
    else:
        expected = policy.distribution.sample(mu, torch.from_numpy(noise))
    found = policy.actor(theta.numpy())(observations.numpy(), noise)
    torch.testing.assert_close(torch.from_numpy(found), expected)  # to float32's rounding


@both_spaces
def test_greedy_actor_takes_the_mode_whatever_the_noise(space):
    policy, theta = some_policy(space)
    observations = torch.randn(40, 5, generator=torch.Generator().manual_seed(3))
    mu = policy.mu(theta, observations)
    expected = mu[:, :2] if policy.gaussian else policy.distribution.mode(mu)
    act = policy.actor(theta.numpy(), greedy=True)
    for seed in (0, 1):
        noise = policy.distribution.noise(np.random.default_rng(seed), (40,))
        found = act(observations.numpy(), noise)
        torch.testing.assert_close(torch.from_numpy(found), expected)


@both_spaces
@pytest.mark.parametrize("greedy", [False, True])
def test_each_row_of_actors_follows_its_own_parameters(space, greedy):
    policy, _ = some_policy(space)
    generator = torch.Generator().manual_seed(5)
    thetas = torch.randn(7, policy.parameter_count, generator=generator).numpy()
    observations = torch.randn(7, 5, generator=generator).numpy()
    noise = policy.distribution.noise(np.random.default_rng(0), (7,))
    found = policy.actors(thetas, greedy=greedy)(observations, noise)
    alone = [
        policy.actor(theta, greedy=greedy)(observations[i : i + 1], noise[i : i + 1])
        for i, theta in enumerate(thetas)
    ]
    np.testing.assert_allclose(found, np.concatenate(alone), rtol=1e-5, atol=1e-6)


@both_spaces
@pytest.mark.parametrize("hidden", [(), (8,), (7, 6)])
def test_linearised_policy_applies_the_jacobian_that_autograd_finds(space, hidden):
    policy, theta = some_policy(space, hidden)
    generator = torch.Generator().manual_seed(6)
    observations = torch.randn(4, 5, generator=generator)
    linear = LinearisedPolicy(policy, theta, observations=observations)
    jacobian = torch.autograd.functional.jacobian(lambda t: policy.mu(t, observations), theta)
    v, w = torch.randn(len(theta), generator=generator), torch.randn(linear.mu.shape)
    torch.testing.assert_close(linear.mu, policy.mu(theta, observations))
    torch.testing.assert_close(linear.product(v), jacobian @ v, rtol=1e-4, atol=1e-5)
    expected = torch.einsum("nmp,nm->p", jacobian, w)
    torch.testing.assert_close(linear.transposed_product(w), expected, rtol=1e-4, atol=1e-5)
