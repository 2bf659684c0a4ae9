"""The surrogate, its gradient and the divergence against plain torch on the whole batch."""

import math

import numpy as np
import pytest
import torch

from trpo_repro.optim import surrogate
from trpo_repro.optim.surrogate import Batch, Evaluation, SinglePathSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

SPACES = [ActionSpace("continuous", (2,)), ActionSpace("discrete", (3, 2))]
both_spaces = pytest.mark.parametrize("space", SPACES, ids=["gaussian", "categorical"])
ROWS = 60


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    monkeypatch.setattr(surrogate, "CHUNK", 16)


def some_problem(space):
    policy = Policy(4, space, hidden_sizes=(6,), initial_std=1.0)
    generator = torch.Generator().manual_seed(0)
    theta = 0.7 * torch.randn(policy.parameter_count, generator=generator)
    observations = torch.randn(ROWS, 4, generator=generator)
    noise = policy.distribution.noise(np.random.default_rng(0), (ROWS,))
    actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise))
    return policy, theta, Batch(observations, actions, torch.randn(ROWS, generator=generator))


def some_step(theta, size=0.05):
    return size * torch.randn(len(theta), generator=torch.Generator().manual_seed(9))


def plain_objective(policy, theta, theta_old, batch):
    """Return the mean of (ratio − 1) · A, all in float64."""
    observations, actions = batch.observations.double(), batch.actions
    actions = actions.double() if actions.is_floating_point() else actions
    log_prob = [
        policy.distribution.log_prob(policy.mu(t.double(), observations), actions)
        for t in (theta, theta_old)
    ]
    return ((torch.exp(log_prob[0] - log_prob[1]) - 1) * batch.advantages.double()).mean()


@both_spaces
def test_old_parameters_gain_exactly_nothing_and_diverge_by_exactly_nothing(space):
    policy, theta, batch = some_problem(space)
    problem = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1))
    assert problem.evaluate(theta.clone()) == Evaluation(0.0, 0.0, 0.0)


@both_spaces
def test_gain_and_divergence_are_those_of_a_plain_computation(space):
    policy, theta, batch = some_problem(space)
    new = theta + some_step(theta)
    found = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1)).evaluate(new)
    observations = batch.observations.double()
    old_mu, new_mu = (policy.mu(t.double(), observations) for t in (theta, new))
    divergences = policy.distribution.kl(old_mu, new_mu)
    gain = float(plain_objective(policy, new, theta, batch))
    assert abs(gain) > 1e-3
    assert found.gain == pytest.approx(gain, abs=1e-6)  # float32, terms of order one
    assert found.kl_mean == pytest.approx(float(divergences.mean()), rel=1e-3)
    assert found.kl_max == pytest.approx(float(divergences.max()), rel=1e-3)


@both_spaces
def test_gradient_is_that_of_autograd_on_the_plain_objective(space):
    policy, theta, batch = some_problem(space)
    leaf = theta.double().requires_grad_()
    plain_objective(policy, leaf, theta, batch).backward()
    found = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1)).gradient
    assert (found - leaf.grad).norm() / leaf.grad.norm() < 1e-5


@both_spaces
def test_gradient_is_that_of_finite_differences(space):
    policy, theta, batch = some_problem(space)
    found = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1)).gradient
    width = 1e-5
    slopes = []
    for axis in torch.eye(len(theta), dtype=torch.float64) * width:
        ahead, behind = (
            plain_objective(policy, theta.double() + sign * axis, theta, batch) for sign in (1, -1)
        )
        slopes.append(float(ahead - behind) / (2 * width))
    np.testing.assert_allclose(found.numpy(), slopes, atol=1e-6)


@both_spaces
def test_threads_move_no_bit(space):
    policy, theta, batch = some_problem(space)
    one, two = (
        SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(threads))
        for threads in (1, 2)
    )
    new = theta + some_step(theta)
    assert torch.equal(one.gradient, two.gradient)
    assert one.evaluate(new) == two.evaluate(new)


@both_spaces
def test_gain_and_gradient_elsewhere_are_those_of_autograd_on_the_plain_objective(space):
    policy, theta, batch = some_problem(space)
    new = (theta + some_step(theta)).double()
    leaf = new.clone().requires_grad_()
    expected = plain_objective(policy, leaf, theta, batch)
    expected.backward()
    gain, gradient = SinglePathSurrogate(
        policy, theta, batch=batch, workers=Workers(1)
    ).gain_and_gradient(new)
    # The old log probabilities are kept in float32.
    assert gain == pytest.approx(float(expected.detach()), abs=1e-6)
    assert (gradient - leaf.grad).norm() / leaf.grad.norm() < 1e-5


@both_spaces
def test_a_policy_that_answers_otherwise_the_second_time_is_refused(space):
    policy, theta, batch = some_problem(space)
    answer, calls = policy.mu, []

    def drifting(parameters, observations):
        calls.append(observations)
        return answer(parameters, observations) + 1e-6 * len(calls)

    policy.mu = drifting
    with pytest.raises(AssertionError, match="not 1"):
        SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1))


def test_advantages_that_are_not_numbers_show_in_gradient_and_gain():
    policy, theta, batch = some_problem(SPACES[0])
    batch.advantages[40] = math.nan
    problem = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1))
    assert torch.isnan(problem.gradient).any()
    assert math.isnan(problem.evaluate(theta + some_step(theta)).gain)
