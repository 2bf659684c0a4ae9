import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from trpo_repro.optim import surrogate as surrogate_module
from trpo_repro.optim.kl_penalty import KlPenalty
from trpo_repro.optim.step import Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

SPACES = [ActionSpace("continuous", (2,)), ActionSpace("discrete", (3, 2))]
RULE = KlPenalty(stepsize=0.01, penalty=2.0, dual_stepsize=0.1, max_iterations=200)


def some_surrogate(space=SPACES[0], *, dimensions=3, hidden=(), rows=200, advantages=None):
    """Return the surrogate of a random policy, its own actions and, by default, noise."""
    policy = Policy(dimensions, space, hidden_sizes=hidden, initial_std=0.8)
    rng = torch.Generator().manual_seed(0)
    theta = 0.5 * torch.randn(policy.parameter_count, generator=rng)
    observations = torch.randn(rows, dimensions, generator=rng)
    noise = policy.distribution.noise(np.random.default_rng(0), (rows,))
    actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise))
    if advantages is None:
        advantages = torch.randn(rows, generator=rng)
    return SinglePathSurrogate(
        policy, theta, batch=Batch(observations, actions, advantages), workers=Workers(1)
    )


def penalised(surrogate, theta, penalty):
    """Return L(θ) − L(θ_old) − λ·mean KL, all in float64 and in one piece."""
    policy, batch = surrogate.policy, surrogate.batch
    observations, actions = batch.observations.double(), batch.actions
    actions = actions.double() if actions.is_floating_point() else actions
    old, new = (policy.mu(t.double(), observations) for t in (surrogate.theta_old, theta))
    log_prob = [policy.distribution.log_prob(mu, actions) for mu in (old, new)]
    gain = (torch.exp(log_prob[1] - log_prob[0]) - 1) @ batch.advantages.double() / len(batch)
    return gain - penalty * policy.distribution.kl(old, new).mean()


def step(surrogate, rule=RULE):
    return rule.step(surrogate, np.random.default_rng(0))


@pytest.mark.parametrize("space", SPACES, ids=["gaussian", "categorical"])
def test_penalised_gain_and_gradient_are_those_of_autograd_and_of_differences(space, monkeypatch):
    monkeypatch.setattr(surrogate_module, "CHUNK", 64)  # several, the last one shorter
    surrogate = some_surrogate(space, hidden=(5,))
    offset = 0.05 * torch.randn(len(surrogate.theta_old), generator=torch.manual_seed(2))
    theta = (surrogate.theta_old + offset).double()
    gain, gradient = surrogate.gain_and_gradient(theta, penalty=7.0)
    leaf = theta.clone().requires_grad_()
    expected = penalised(surrogate, leaf, 7.0)
    expected.backward()
    # The old distributions are kept in float32.
    assert gain == pytest.approx(float(expected.detach()), abs=1e-5)
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-4, atol=1e-5)
    # The divergence alone: what the penalty takes away.
    alone = (surrogate.gain_and_gradient(theta)[1] - gradient) / 7.0
    width = 1e-5
    for axis in range(len(theta)):
        unit = width * torch.eye(len(theta), dtype=torch.float64)[axis]
        ahead, behind = (float(kl_mean(surrogate, theta + sign * unit)) for sign in (1, -1))
        assert float(alone[axis]) == pytest.approx((ahead - behind) / (2 * width), abs=1e-5)


def kl_mean(surrogate, theta, *, old=None):
    pair = (surrogate.theta_old if old is None else old, theta)
    observations = surrogate.batch.observations.double()
    old, new = (surrogate.policy.mu(t.double(), observations) for t in pair)
    return surrogate.policy.distribution.kl(old, new).mean()


@pytest.mark.parametrize("penalty", [0.5, 2.0, 20.0])
@pytest.mark.parametrize("space", SPACES, ids=["gaussian", "categorical"])
def test_the_step_is_the_maximum_that_another_solver_finds(space, penalty):
    surrogate = some_surrogate(space)
    rule = KlPenalty(0.01, penalty, 0.1, 500)
    result = step(surrogate, rule)
    assert result.outcome == Outcome.ACCEPTED
    solution = minimize(  # no gradients, other code, float64
        lambda d: -float(penalised(surrogate, surrogate.theta_old + torch.from_numpy(d), penalty)),
        np.zeros(len(surrogate.theta_old)),
        method="Powell",
        options={"xtol": 1e-6, "ftol": 1e-12, "maxiter": 10_000, "maxfev": 100_000},
    )
    ours = float(penalised(surrogate, result.theta, penalty))
    assert ours > 0
    assert ours == pytest.approx(-solution.fun, rel=1e-3)
    # The policies are the same; θ need not be, as a logit more for all categories changes nothing.
    theirs = surrogate.theta_old + torch.from_numpy(solution.x)
    assert float(kl_mean(surrogate, theirs, old=result.theta)) < 1e-3 * result.kl_mean


def test_no_point_of_a_grid_is_better():
    surrogate = some_surrogate(ActionSpace("continuous", (1,)), dimensions=1)
    result = step(surrogate)
    ours = float(penalised(surrogate, result.theta, RULE.penalty))
    axis = torch.linspace(-0.3, 0.3, 13)
    best = max(
        float(penalised(surrogate, surrogate.theta_old + torch.stack([a, b, c]), RULE.penalty))
        for a in axis
        for b in axis
        for c in axis
    )
    assert 0.0 < best <= ours * (1 + 1e-4)
    assert best > 0.5 * ours  # the grid is fine enough to be a check


def test_a_higher_penalty_makes_a_shorter_step():
    surrogate = some_surrogate()
    divergences = [step(surrogate, KlPenalty(0.01, p, 0.1, 200)).kl_mean for p in (1.0, 4.0, 16.0)]
    assert divergences[0] > divergences[1] > divergences[2] > 0.0
    # Where the problem is all but quadratic, KL falls as 1/λ².
    assert divergences[1] / divergences[2] == pytest.approx(16, rel=0.2)


def test_the_penalty_rises_where_the_divergence_was_too_large_and_falls_where_too_small():
    assert RULE.adapted(0.01).penalty == 2.0
    assert RULE.adapted(0.02).penalty == pytest.approx(2.0 * 1.1)
    assert RULE.adapted(0.0).penalty == pytest.approx(2.0 * 0.9)
    assert RULE.adapted(1.0).penalty == pytest.approx(2.0 * (1 + 0.1 * 99))


def test_dual_gradient_descent_on_one_batch_ends_at_the_wanted_divergence():
    surrogate, rule = some_surrogate(), RULE
    for _ in range(60):
        rule = rule.adapted(step(surrogate, rule).kl_mean)
    assert step(surrogate, rule).kl_mean == pytest.approx(RULE.stepsize, rel=1e-3)


def test_threads_move_no_bit(monkeypatch):
    monkeypatch.setattr(surrogate_module, "CHUNK", 16)
    one = some_surrogate(hidden=(5,))
    two = SinglePathSurrogate(one.policy, one.theta_old, batch=one.batch, workers=Workers(2))
    assert torch.equal(step(one).theta, step(two).theta)


def test_the_step_is_reported_as_it_is_measured():
    surrogate = some_surrogate()
    result = step(surrogate)
    measured = surrogate.evaluate(result.theta)
    assert (result.gain, result.kl_mean, result.kl_max) == tuple(measured)
    moved = (result.theta - surrogate.theta_old).double()
    assert result.predicted_gain == pytest.approx(float(surrogate.gradient @ moved), rel=1e-4)


@pytest.mark.parametrize(
    ("advantages", "penalty", "outcome"),
    [
        (torch.zeros(200), 2.0, Outcome.ZERO_GRADIENT),
        (torch.full((200,), math.inf), 2.0, Outcome.NOT_FINITE),
        (None, 1e30, Outcome.LINE_SEARCH_FAILED),  # float32 cannot step so little
        (None, math.nan, Outcome.LINE_SEARCH_FAILED),  # nothing is better than before
    ],
)
def test_a_failure_has_its_name_and_keeps_the_old_parameters(advantages, penalty, outcome):
    surrogate = some_surrogate(advantages=advantages)
    before = surrogate.theta_old.numpy().tobytes()
    result = step(surrogate, KlPenalty(0.01, penalty, 0.1, 50))
    assert result.outcome == outcome
    assert result.theta is surrogate.theta_old
    assert result.theta.numpy().tobytes() == before
    assert (result.gain, result.kl_mean, result.kl_max) == (0.0, 0.0, 0.0)


def test_a_solution_that_is_not_a_number_keeps_the_old_parameters(monkeypatch):
    surrogate = some_surrogate()
    nowhere = torch.full((len(surrogate.theta_old),), math.nan, dtype=torch.float64)
    monkeypatch.setattr(KlPenalty, "_maximise", lambda *_: nowhere)
    result = step(surrogate)
    assert result.outcome == Outcome.NOT_FINITE
    assert result.theta is surrogate.theta_old
