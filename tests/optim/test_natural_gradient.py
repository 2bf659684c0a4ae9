import numpy as np
import torch

from trpo_repro.optim.fisher import FisherProduct, analytic_metric, empirical_metric
from trpo_repro.optim.natural_gradient import NaturalGradient
from trpo_repro.optim.step import NaturalDirection, Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace


def gaussian_policy(seed=0):
    policy = Policy(3, ActionSpace("continuous", (2,)), hidden_sizes=[4], initial_std=0.8)
    theta = 0.5 * torch.randn(policy.parameter_count, generator=torch.manual_seed(seed))
    return policy, theta


def dense(product, size):
    return torch.stack([product(row) for row in torch.eye(size, dtype=torch.float64)])


def test_the_step_is_the_stepsize_times_the_solution_of_the_linear_system():
    policy, theta = gaussian_policy()
    rng = torch.manual_seed(1)
    observations = torch.randn(200, 3, generator=rng)
    actions = torch.randn(200, 2, generator=rng)
    batch = Batch(observations, actions, torch.randn(200, generator=rng))
    surrogate = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1))
    direction = NaturalDirection(200, 0.1, 1.0)
    fisher = dense(direction.fisher(surrogate, np.random.default_rng(0)), len(theta))
    solution = torch.linalg.solve(fisher, surrogate.gradient)
    result = NaturalGradient(0.05, direction).step(surrogate, np.random.default_rng(0))
    torch.testing.assert_close(
        (result.theta - theta).double(), 0.05 * solution, atol=1e-5, rtol=1e-3
    )


def test_a_step_to_nowhere_keeps_the_old_parameters():
    policy, theta = gaussian_policy()
    batch = Batch(torch.randn(50, 3), torch.randn(50, 2), torch.randn(50))
    surrogate = SinglePathSurrogate(policy, theta, batch=batch, workers=Workers(1))
    result = NaturalGradient(1e38, NaturalDirection(10, 1e-3, 1.0)).step(
        surrogate, np.random.default_rng(0)
    )
    assert result.outcome == Outcome.NOT_FINITE
    assert result.theta is theta


def test_the_empirical_product_is_that_of_the_explicit_covariance_of_gradients():
    policy, theta = gaussian_policy()
    rng = torch.manual_seed(2)
    observations, actions = torch.randn(60, 3, generator=rng), torch.randn(60, 2, generator=rng)
    product = FisherProduct(
        policy,
        theta,
        observations=observations,
        metric=empirical_metric(policy, actions),
        damping=0.0,
        workers=Workers(1),
    )

    def log_prob(at, row):
        mu = policy.mu(at, observations[row : row + 1])
        return policy.distribution.log_prob(mu, actions[row : row + 1])[0]

    jacobian = torch.autograd.functional.jacobian
    gradients = torch.stack(
        [jacobian(lambda at, row=row: log_prob(at, row), theta) for row in range(60)]
    ).double()
    expected = gradients.T @ gradients / 60
    torch.testing.assert_close(dense(product, len(theta)), expected, atol=1e-4, rtol=1e-3)


def test_the_empirical_matrix_tends_to_the_analytic_one():
    for actions_space in (ActionSpace("continuous", (2,)), ActionSpace("discrete", (3, 2))):
        policy = Policy(2, actions_space, hidden_sizes=[], initial_std=0.8)
        theta = 0.5 * torch.randn(policy.parameter_count, generator=torch.manual_seed(3))
        observations = torch.randn(5, 2, generator=torch.manual_seed(4)).repeat(8_000, 1)
        mu = policy.mu(theta, observations)
        noise = policy.distribution.noise(np.random.default_rng(5), (len(mu),))
        actions = torch.from_numpy(policy.actor(theta.numpy())(observations.numpy(), noise))
        common = {"damping": 0.0, "workers": Workers(1)}
        empirical = FisherProduct(
            policy,
            theta,
            observations=observations,
            metric=empirical_metric(policy, actions),
            **common,
        )
        analytic = FisherProduct(
            policy, theta, observations=observations, metric=analytic_metric(policy), **common
        )
        gap = dense(empirical, len(theta)) - dense(analytic, len(theta))
        # 40,000 samples of products of scores of order 1 to 10: a relative error of two percent.
        assert gap.abs().max() < 0.08 * dense(analytic, len(theta)).abs().max()
