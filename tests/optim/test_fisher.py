"""Fisher-vector products against the dense Hessian of the mean KL, differentiated twice."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from trpo_repro.optim import fisher
from trpo_repro.optim.fisher import FisherProduct, analytic_metric, empirical_metric
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

CATEGORIES = (3, 2)
SPACES = [ActionSpace("continuous", (2,)), ActionSpace("discrete", CATEGORIES)]
both_spaces = pytest.mark.parametrize("space", SPACES, ids=["gaussian", "categorical"])


def some_policy(space, states=50):
    policy = Policy(4, space, hidden_sizes=(6, 5), initial_std=1.0)
    generator = torch.Generator().manual_seed(0)
    theta = 0.7 * torch.randn(policy.parameter_count, generator=generator)
    return policy, theta, torch.randn(states, 4, generator=generator)


def analytic(policy, theta, observations, *, damping=0.0, threads=1):
    return FisherProduct(
        policy,
        theta,
        observations=observations,
        metric=analytic_metric(policy),
        damping=damping,
        workers=Workers(threads),
    )


def mean_kl(policy, space, old, new, observations):
    """Return the mean KL(old‖new) by torch.distributions, in float64."""
    total = 0.0
    with torch.no_grad():
        mu_old = policy.mu(old, observations)
    mu_new = policy.mu(new, observations)
    if space.kind == "continuous":
        pair = [Independent(Normal(m[:, :2], m[:, 2:].exp()), 1) for m in (mu_old, mu_new)]
        return kl_divergence(*pair).mean()
    pieces = (m.split(list(CATEGORIES), dim=1) for m in (mu_old, mu_new))
    for p, q in zip(*pieces, strict=True):
        total += kl_divergence(Categorical(logits=p), Categorical(logits=q)).mean()
    return total


def dense_hessian(policy, space, theta, observations):
    theta, observations = theta.double(), observations.double()
    return torch.autograd.functional.hessian(
        lambda new: mean_kl(policy, space, theta, new, observations), theta
    )


@both_spaces
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_product_is_that_of_the_dense_hessian_of_the_mean_kl(space, damping):
    policy, theta, observations = some_policy(space)
    hessian = dense_hessian(policy, space, theta, observations)
    product = analytic(policy, theta, observations, damping=damping)
    for seed in range(5):
        vector = torch.from_numpy(np.random.default_rng(seed).standard_normal(len(theta)))
        expected = hessian @ vector + damping * vector
        # The product is computed in float32.
        error = (product(vector) - expected).norm() / expected.norm()
        assert error < 1e-5


@both_spaces
def test_quadratic_form_is_twice_the_divergence_of_a_small_step(space):
    policy, theta, observations = some_policy(space)
    product = analytic(policy, theta, observations)
    step = torch.from_numpy(1e-4 * np.random.default_rng(0).standard_normal(len(theta)))
    old = theta.double()
    divergence = mean_kl(policy, space, old, old + step, observations.double())
    assert float(step @ product(step)) / 2 == pytest.approx(float(divergence), rel=1e-3)


@both_spaces
def test_empirical_product_is_that_of_the_covariance_of_the_gradients(space, monkeypatch):
    monkeypatch.setattr(fisher, "CHUNK", 7)  # each chunk has to find its own actions
    policy, theta, observations = some_policy(space)
    noise = policy.distribution.noise(np.random.default_rng(0), (len(observations),))
    actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise))

    def log_prob(parameters):
        wide = actions.double() if actions.is_floating_point() else actions
        return policy.distribution.log_prob(policy.mu(parameters, observations.double()), wide)

    gradients = torch.autograd.functional.jacobian(log_prob, theta.double())
    covariance = gradients.T @ gradients / len(observations)
    product = FisherProduct(
        policy,
        theta,
        observations=observations,
        metric=empirical_metric(policy, actions),
        damping=0.2,
        workers=Workers(1),
    )
    vector = torch.from_numpy(np.random.default_rng(1).standard_normal(len(theta)))
    expected = covariance @ vector + 0.2 * vector
    assert (product(vector) - expected).norm() / expected.norm() < 1e-5


@both_spaces
def test_chunks_move_rounding_alone_and_threads_move_no_bit(space, monkeypatch):
    policy, theta, observations = some_policy(space)
    vector = torch.from_numpy(np.random.default_rng(0).standard_normal(len(theta)))
    whole = analytic(policy, theta, observations)(vector)
    monkeypatch.setattr(fisher, "CHUNK", 7)  # 50 states: eight chunks, the last one of one state
    one, two = (analytic(policy, theta, observations, threads=n)(vector) for n in (1, 2))
    assert torch.equal(one, two)
    assert (one - whole).norm() / whole.norm() < 1e-5


def test_the_parameters_are_left_without_gradients():
    policy, theta, observations = some_policy(SPACES[0])
    analytic(policy, theta, observations)(theta.double())
    assert not theta.requires_grad
    assert theta.grad is None
