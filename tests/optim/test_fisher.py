"""Fisher-vector products against the dense Hessian of the mean KL, differentiated twice."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from trpo_repro.optim import fisher
from trpo_repro.optim.fisher import AnalyticFisher
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
    product = AnalyticFisher(policy, theta, observations, damping=damping, workers=Workers(1))
    for seed in range(5):
        vector = torch.from_numpy(np.random.default_rng(seed).standard_normal(len(theta)))
        expected = hessian @ vector + damping * vector
        # The product is computed in float32.
        error = (product(vector) - expected).norm() / expected.norm()
        assert error < 1e-5


@both_spaces
def test_quadratic_form_is_twice_the_divergence_of_a_small_step(space):
    policy, theta, observations = some_policy(space)
    product = AnalyticFisher(policy, theta, observations, damping=0.0, workers=Workers(1))
    step = torch.from_numpy(1e-4 * np.random.default_rng(0).standard_normal(len(theta)))
    old = theta.double()
    divergence = mean_kl(policy, space, old, old + step, observations.double())
    assert float(step @ product(step)) / 2 == pytest.approx(float(divergence), rel=1e-3)


@both_spaces
def test_chunks_and_threads_move_no_more_than_rounding_and_threads_move_no_bit(space, monkeypatch):
    policy, theta, observations = some_policy(space)
    vector = torch.from_numpy(np.random.default_rng(0).standard_normal(len(theta)))

    def product(threads):
        make = AnalyticFisher(policy, theta, observations, damping=0.1, workers=Workers(threads))
        return make(vector)

    whole = product(1)
    monkeypatch.setattr(fisher, "CHUNK", 7)  # 50 states: eight chunks, the last one of one state
    one, two = product(1), product(2)
    assert torch.equal(one, two)
    assert (one - whole).norm() / whole.norm() < 1e-5


def test_the_vector_of_parameters_is_left_without_gradients():
    policy, theta, observations = some_policy(SPACES[0])
    AnalyticFisher(policy, theta, observations, damping=0.0, workers=Workers(1))(theta.double())
    assert not theta.requires_grad
    assert theta.grad is None
