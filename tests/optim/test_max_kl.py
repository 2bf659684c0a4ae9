import numpy as np
import pytest
import torch

from trpo_repro.optim.max_kl import MaxKl
from trpo_repro.optim.step import NaturalDirection, Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.optim.trust_region import TrustRegion
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

DELTA = 0.01


def surrogate(dimensions=4, rows=400, seed=0):
    policy = Policy(dimensions, ActionSpace("continuous", (1,)), hidden_sizes=[], initial_std=1.0)
    rng = torch.manual_seed(seed)
    theta = 0.1 * torch.randn(policy.parameter_count, generator=rng)
    observations = torch.randn(rows, dimensions, generator=rng)
    noise = torch.randn(rows, 1, generator=rng)
    actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise.numpy()))
    advantages = (noise[:, 0] * observations[:, 0] + 0.5 * noise[:, 0] ** 2).contiguous()
    return SinglePathSurrogate(
        policy, theta, batch=Batch(observations, actions, advantages), workers=Workers(1)
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_state_is_beyond_the_bound_and_one_is_at_it(seed):
    problem = surrogate(seed=seed)
    result = MaxKl(DELTA, 100).step(problem, np.random.default_rng(0))
    assert result.outcome == Outcome.ACCEPTED
    evaluation = problem.evaluate(result.theta)
    assert 0.95 * DELTA < evaluation.kl_max <= DELTA
    assert evaluation.gain > 0


def test_the_step_is_as_good_as_brute_force_finds():
    problem = surrogate(dimensions=1, rows=60)  # three parameters: weight, bias, log std
    result = MaxKl(DELTA, 100).step(problem, np.random.default_rng(0))
    axis = torch.linspace(-0.15, 0.15, 15)
    best = 0.0
    for d_weight in axis:
        for d_bias in axis:
            for d_std in axis:
                step = torch.stack([d_weight, d_bias, d_std])
                evaluation = problem.evaluate(problem.theta_old + step)
                if evaluation.kl_max <= DELTA:
                    best = max(best, evaluation.gain)
    assert result.gain >= best * 0.999
    assert result.gain < best * 1.3  # the grid is fine enough to be a check


def test_the_direction_is_not_the_mean_kl_step_s():
    problem = surrogate()
    ours = MaxKl(DELTA, 100).step(problem, np.random.default_rng(0))
    mean_kl = TrustRegion(DELTA, NaturalDirection(10, 0.0, 1.0), 0.9, 30)
    direction = mean_kl.step(problem, np.random.default_rng(0)).theta - problem.theta_old
    # The mean-KL step, cut back until it respects the maximum, gains less.
    factor = 1.0
    while problem.evaluate(problem.theta_old + factor * direction).kl_max > DELTA:
        factor *= 0.99
    cut_back = problem.evaluate(problem.theta_old + factor * direction)
    assert ours.gain > 1.05 * cut_back.gain


def test_no_gradient_no_step():
    problem = surrogate()
    flat = SinglePathSurrogate(
        problem.policy,
        problem.theta_old,
        batch=Batch(problem.observations, problem.batch.actions, torch.zeros(400)),
        workers=Workers(1),
    )
    result = MaxKl(DELTA, 100).step(flat, np.random.default_rng(0))
    assert result.outcome == Outcome.ZERO_GRADIENT
    assert result.theta is flat.theta_old
