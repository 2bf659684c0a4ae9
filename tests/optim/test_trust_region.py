"""The whole step of App. C: against dense algebra, and in each of its outcomes."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from trpo_repro.optim.fisher import FisherProduct
from trpo_repro.optim.step import NaturalDirection, Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.optim.trust_region import TrustRegion
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

SPACES = [ActionSpace("continuous", (2,)), ActionSpace("discrete", (3, 2))]
DIRECTION = NaturalDirection(cg_iterations=10, damping=1e-3, fisher_fraction=0.1)
SETTINGS = TrustRegion(stepsize=0.01, direction=DIRECTION, shrink=0.8, max_backtracks=20)


def some_surrogate(space=SPACES[0], *, hidden=(6,), rows=300, seed=0, advantages=None):
    """Return the surrogate of a random policy, its own actions and, by default, noise."""
    policy = Policy(4, space, hidden_sizes=hidden, initial_std=1.0)
    generator = torch.Generator().manual_seed(seed)
    theta = 0.5 * torch.randn(policy.parameter_count, generator=generator)
    observations = torch.randn(rows, 4, generator=generator)
    noise = policy.distribution.noise(np.random.default_rng(seed), (rows,))
    actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise))
    if advantages is None:
        advantages = torch.randn(rows, generator=generator)
    return SinglePathSurrogate(
        policy, theta, batch=Batch(observations, actions, advantages), workers=Workers(1)
    )


def step(surrogate, *, stepsize=0.01, **direction):
    settings = dataclasses.replace(
        SETTINGS, stepsize=stepsize, direction=dataclasses.replace(DIRECTION, **direction)
    )
    return settings.step(surrogate, np.random.default_rng(0))


def assert_parameters_stay(result, surrogate, before):
    assert result.theta is surrogate.theta_old
    assert result.theta.numpy().tobytes() == before
    assert (result.gain, result.kl_mean, result.kl_max) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("space", SPACES, ids=["gaussian", "categorical"])
@pytest.mark.parametrize("seed", range(5))
def test_accepted_step_improves_within_the_trust_region_on_the_full_batch(space, seed):
    surrogate = some_surrogate(space, seed=seed)
    result = step(surrogate)
    assert result.outcome == Outcome.ACCEPTED
    measured = surrogate.evaluate(result.theta)
    assert 0.0 < measured.kl_mean <= SETTINGS.stepsize
    assert measured.kl_max >= measured.kl_mean
    assert measured.gain > 0.0
    assert (result.gain, result.kl_mean, result.kl_max) == tuple(measured)
    assert 0.0 < result.gain < 2 * result.predicted_gain


def test_divergence_of_the_accepted_step_is_bounded_by_an_independent_measure_too():
    surrogate = some_surrogate()
    result = step(surrogate)
    pair = []
    for theta in (surrogate.theta_old, result.theta):
        mu = surrogate.policy.mu(theta.double(), surrogate.batch.observations.double())
        pair.append(Independent(Normal(mu[:, :2], mu[:, 2:].exp()), 1))
    divergence = float(kl_divergence(*pair).mean())
    assert divergence == pytest.approx(result.kl_mean, rel=1e-4)
    assert divergence <= SETTINGS.stepsize * (1 + 1e-4)


def dense_fisher(surrogate, damping):
    """Return A + damping · 1 of a linear Gaussian policy, from its formula.

    With x = [s, 1]: the weights' block is E[x xᵀ] ⊗ diag(1/σ²), the log σ block 2 · 1.
    """
    observations = surrogate.batch.observations.double()
    inputs = torch.cat([observations, torch.ones(len(observations), 1)], dim=1)
    precision = torch.diag(torch.exp(-2 * surrogate.theta_old[-2:].double()))
    moments = inputs.T @ inputs / len(inputs)
    block = torch.kron(moments, precision)
    fisher = torch.block_diag(block, 2 * torch.eye(2, dtype=torch.float64))
    return fisher + damping * torch.eye(len(fisher), dtype=torch.float64)


@pytest.mark.parametrize("stepsize", [1e-4, 0.01])
def test_step_is_the_natural_gradient_of_length_beta(stepsize):
    surrogate = some_surrogate(hidden=())
    result = step(surrogate, stepsize=stepsize, cg_iterations=50, fisher_fraction=1.0)
    assert result.outcome == Outcome.ACCEPTED
    fisher = dense_fisher(surrogate, DIRECTION.damping)
    natural = torch.linalg.solve(fisher, surrogate.gradient)
    beta = math.sqrt(2 * stepsize / float(natural @ fisher @ natural))  # App. C
    taken = (result.theta - surrogate.theta_old).double()
    expected = SETTINGS.shrink**result.backtracks * beta * natural
    # Parameters of order one in float32 hold a step of order 0.01 to about 1e-5 of itself.
    assert (taken - expected).norm() / expected.norm() < 1e-4
    assert result.predicted_gain == pytest.approx(beta * float(surrogate.gradient @ natural), 1e-4)
    assert result.cg_residual < 1e-4


def test_a_small_step_uses_the_trust_region_up():
    surrogate = some_surrogate(hidden=())
    result = step(surrogate, stepsize=1e-4, damping=0.0, cg_iterations=50, fisher_fraction=1.0)
    # ½ sᵀAs = δ · shrink^2j for quadratic divergence; the cubic term is of order √δ.
    expected = 1e-4 * SETTINGS.shrink ** (2 * result.backtracks)
    assert result.backtracks in (0, 1)
    assert result.kl_mean == pytest.approx(expected, rel=0.05)


def test_only_the_fisher_matrix_sees_a_subsample():
    surrogate = some_surrogate()
    product = DIRECTION.fisher(surrogate, np.random.default_rng(0))
    assert sum(rows.stop - rows.start for rows, _ in product._parts) == 30
    whole = DIRECTION.fisher(surrogate, np.random.default_rng(1))
    assert not torch.equal(product(surrogate.gradient), whole(surrogate.gradient))
    assert sum(rows.stop - rows.start for rows in surrogate.slices) == 300


def test_zero_advantages_are_a_zero_gradient():
    surrogate = some_surrogate(advantages=torch.zeros(300))
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate)
    assert result.outcome == Outcome.ZERO_GRADIENT
    assert_parameters_stay(result, surrogate, before)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_advantages_that_are_not_numbers_are_not_finite(bad):
    advantages = torch.ones(300)
    advantages[17] = bad
    surrogate = some_surrogate(advantages=advantages)
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate)
    assert result.outcome == Outcome.NOT_FINITE
    assert_parameters_stay(result, surrogate, before)


def test_a_curvature_that_is_not_a_number_is_not_finite():
    surrogate = some_surrogate()
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate, damping=math.inf)
    assert result.outcome == Outcome.NOT_FINITE
    assert_parameters_stay(result, surrogate, before)


@pytest.mark.parametrize("number", [1, 3])
def test_a_product_that_is_not_a_number_is_not_finite(number, monkeypatch):
    plain, calls = FisherProduct.__call__, itertools.count(1)
    monkeypatch.setattr(
        FisherProduct,
        "__call__",
        lambda self, v: plain(self, v) * (math.nan if next(calls) == number else 1.0),
    )
    surrogate = some_surrogate()
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate)
    assert result.outcome == Outcome.NOT_FINITE
    assert_parameters_stay(result, surrogate, before)


def test_negative_curvature_is_named():
    surrogate = some_surrogate()
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate, damping=-1e3)  # A − 1000 · 1 is negative definite
    assert result.outcome == Outcome.NEGATIVE_CURVATURE
    assert_parameters_stay(result, surrogate, before)


def test_a_surrogate_that_falls_along_its_gradient_fails_the_line_search():
    surrogate = some_surrogate()
    surrogate.gradient = -surrogate.gradient
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate)
    assert result.outcome == Outcome.LINE_SEARCH_FAILED
    assert result.backtracks == SETTINGS.max_backtracks
    assert result.predicted_gain > 0.0
    assert_parameters_stay(result, surrogate, before)


def test_the_step_leaves_the_old_parameters_and_the_gradient_as_they_were():
    surrogate = some_surrogate()
    before = surrogate.theta_old.numpy().tobytes(), surrogate.gradient.numpy().tobytes()
    assert step(surrogate).outcome == Outcome.ACCEPTED
    after = surrogate.theta_old.numpy().tobytes(), surrogate.gradient.numpy().tobytes()
    assert after == before


def test_threads_move_no_bit():
    one = some_surrogate()
    two = SinglePathSurrogate(one.policy, one.theta_old, batch=one.batch, workers=Workers(2))
    assert torch.equal(step(one).theta, step(two).theta)


def test_without_a_line_search_the_whole_step_is_taken_and_measured():
    surrogate = some_surrogate()
    rng = np.random.default_rng(0)
    found = DIRECTION.solve(surrogate, rng)
    beta = math.sqrt(2 * 1.0 / found.curvature)
    settings = dataclasses.replace(SETTINGS, stepsize=1.0, line_search=False)
    result = settings.step(surrogate, np.random.default_rng(0))
    assert result.outcome == Outcome.ACCEPTED
    assert result.backtracks is None
    wanted = surrogate.theta_old + (beta * found.s).float()
    torch.testing.assert_close(result.theta, wanted)
    measured = surrogate.evaluate(result.theta)
    assert (result.gain, result.kl_mean, result.kl_max) == tuple(measured)
    assert measured.kl_mean > settings.stepsize  # a step that the line search would not take
    searched = dataclasses.replace(settings, line_search=True).step(
        surrogate, np.random.default_rng(0)
    )
    assert searched.backtracks > 0
    assert searched.kl_mean <= settings.stepsize
