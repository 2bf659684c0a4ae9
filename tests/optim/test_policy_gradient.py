import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from trpo_repro.optim.natural_gradient import NaturalGradient
from trpo_repro.optim.policy_gradient import PolicyGradient
from trpo_repro.optim.step import Direction, NaturalDirection, Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

DELTA = 0.003
SPACES = [ActionSpace("continuous", (2,)), ActionSpace("discrete", (3, 2))]


def some_surrogate(space=SPACES[0], *, hidden=(4,), rows=200, advantages=None):
    """Return the surrogate of a random policy, its own actions and, by default, noise."""
    policy = Policy(3, space, hidden_sizes=hidden, initial_std=0.8)
    rng = torch.Generator().manual_seed(0)
    theta = 0.5 * torch.randn(policy.parameter_count, generator=rng)
    observations = torch.randn(rows, 3, generator=rng)
    noise = policy.distribution.noise(np.random.default_rng(0), (rows,))
    actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise))
    if advantages is None:
        advantages = torch.randn(rows, generator=rng)
    return SinglePathSurrogate(
        policy, theta, batch=Batch(observations, actions, advantages), workers=Workers(1)
    )


def step(surrogate, stepsize=DELTA):
    return PolicyGradient(stepsize).step(surrogate, np.random.default_rng(0))


@pytest.mark.parametrize("space", SPACES, ids=["gaussian", "categorical"])
def test_the_step_solves_the_linear_problem_in_the_ball(space):
    surrogate = some_surrogate(space)
    result = step(surrogate)
    assert result.outcome == Outcome.ACCEPTED
    solution = minimize(
        lambda d: (-surrogate.gradient.numpy() @ d, -surrogate.gradient.numpy()),
        np.full(len(surrogate.theta_old), 1e-3),
        jac=True,
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda d: DELTA - 0.5 * d @ d, "jac": lambda d: -d}],
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert solution.success
    moved = (result.theta - surrogate.theta_old).double().numpy()
    np.testing.assert_allclose(moved, solution.x, atol=1e-4)
    assert result.predicted_gain == pytest.approx(-solution.fun, rel=1e-5)


def test_the_step_gains_more_to_first_order_than_any_other_of_its_length():
    surrogate = some_surrogate()
    moved = (step(surrogate).theta - surrogate.theta_old).double()
    assert float(0.5 * moved @ moved) == pytest.approx(DELTA, rel=1e-4)
    others = torch.randn(1000, len(moved), generator=torch.manual_seed(1), dtype=torch.float64)
    others *= moved.norm() / others.norm(dim=1, keepdim=True)
    assert bool((others @ surrogate.gradient < moved @ surrogate.gradient).all())


def test_it_is_the_natural_gradient_where_the_metric_is_the_identity(monkeypatch):
    surrogate = some_surrogate()
    g = surrogate.gradient
    euclidean = Direction(g, float(g @ g), 0.0)  # A = 1: A⁻¹g = g
    monkeypatch.setattr(NaturalDirection, "solve", lambda *_: euclidean)
    length = math.sqrt(2 * DELTA) / float(g.norm())
    natural = NaturalGradient(length, NaturalDirection(10, 0.0, 1.0))
    expected = natural.step(surrogate, np.random.default_rng(0))
    torch.testing.assert_close(step(surrogate).theta, expected.theta, rtol=0, atol=1e-7)


def test_the_step_is_reported_as_it_is_measured():
    surrogate = some_surrogate()
    result = step(surrogate)
    measured = surrogate.evaluate(result.theta)
    assert (result.gain, result.kl_mean, result.kl_max) == tuple(measured)
    assert result.backtracks is None  # there is no line search
    assert math.isnan(result.cg_residual)


def test_nothing_bounds_the_divergence():
    assert step(some_surrogate(), stepsize=1.0).kl_mean > 0.1


@pytest.mark.parametrize(
    ("advantages", "stepsize", "outcome"),
    [
        (torch.zeros(200), DELTA, Outcome.ZERO_GRADIENT),
        (torch.full((200,), math.nan), DELTA, Outcome.NOT_FINITE),
        (None, 1e80, Outcome.NOT_FINITE),  # beyond float32
    ],
)
def test_a_failure_has_its_name_and_keeps_the_old_parameters(advantages, stepsize, outcome):
    surrogate = some_surrogate(advantages=advantages)
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate, stepsize)
    assert result.outcome == outcome
    assert result.theta is surrogate.theta_old
    assert result.theta.numpy().tobytes() == before
    assert (result.gain, result.kl_mean, result.kl_max) == (0.0, 0.0, 0.0)
