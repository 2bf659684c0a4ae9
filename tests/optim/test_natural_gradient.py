"""The fixed step along the natural gradient (Eq. 17)."""

import numpy as np
import pytest
import torch

from trpo_repro.optim.natural_gradient import NaturalGradient
from trpo_repro.optim.step import NaturalDirection, Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace


def one_observation_surrogate(advantage_of_above):
    """Return the surrogate of a policy that sees nothing: μ = [bias, log σ] = [0, 0]."""
    policy = Policy(1, ActionSpace("continuous", (1,)), hidden_sizes=(), initial_std=1.0)
    actions = torch.tensor([[1.0], [-1.0]])
    advantages = torch.tensor([advantage_of_above, -advantage_of_above])
    batch = Batch(torch.zeros(2, 1), actions, advantages)
    return SinglePathSurrogate(policy, torch.zeros(3), batch, Workers(1))


def step(surrogate, stepsize):
    direction = NaturalDirection(cg_iterations=10, damping=1e-8, fisher_fraction=1.0)
    return NaturalGradient(stepsize, direction).step(surrogate, np.random.default_rng(0))


def test_step_is_the_stepsize_times_the_natural_gradient_worked_out_by_hand():
    # g = [0, 1, 0]: E[z · A] = 1 for the mean. A = diag(0, 1, 2), so A⁻¹g = [0, 1, 0].
    result = step(one_observation_surrogate(1.0), 0.25)
    assert result.outcome == Outcome.ACCEPTED
    torch.testing.assert_close(result.theta, torch.tensor([0.0, 0.25, 0.0]))
    assert result.predicted_gain == pytest.approx(0.25, rel=1e-6)
    assert result.kl_mean == pytest.approx(0.25**2 / 2, rel=1e-5)


def test_a_step_that_loses_is_taken_all_the_same():
    result = step(one_observation_surrogate(1.0), 30.0)
    assert result.outcome == Outcome.ACCEPTED
    assert result.gain < result.predicted_gain
    assert result.kl_mean > 100


def test_a_step_to_a_policy_that_is_not_a_number_is_not_finite_and_not_taken():
    surrogate = one_observation_surrogate(1.0)
    result = step(surrogate, 1e30)
    assert result.outcome == Outcome.NOT_FINITE
    assert result.theta is surrogate.theta_old
    assert not result.theta.any()
