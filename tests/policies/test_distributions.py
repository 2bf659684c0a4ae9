"""Action distributions against torch.distributions, Monte Carlo and double differentiation."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from trpo_repro.policies.distributions import DiagonalGaussian, FactoredCategorical

ROWS = 7
CATEGORIES = (3, 2, 4)
FAMILIES = [DiagonalGaussian(3), FactoredCategorical(CATEGORIES)]
both_families = pytest.mark.parametrize("family", FAMILIES, ids=["gaussian", "categorical"])


def some_mu(family, seed, rows=ROWS):
    generator = torch.Generator().manual_seed(seed)
    return 0.7 * torch.randn(rows, family.size, dtype=torch.float64, generator=generator)


def reference_factors(family, mu):
    """Return torch's own distributions; the log probabilities of independent parts add up."""
    if isinstance(family, DiagonalGaussian):
        mean, log_std = mu.chunk(2, dim=-1)
        return [Independent(Normal(mean, log_std.exp()), 1)]
    return [Categorical(logits=part) for part in mu.split(list(CATEGORIES), dim=-1)]


def acted(family, mu, noise, *, greedy=False):
    """Return the actions of a network whose outputs are those in μ."""
    gaussian = isinstance(family, DiagonalGaussian)
    outputs, log_std = np.split(mu.numpy(), [3 if gaussian else family.size], axis=1)
    return torch.from_numpy(family.sampler(log_std, greedy=greedy)(outputs, noise))


def sampled(family, mu, rng):
    return acted(family, mu, family.noise(rng, (len(mu),)))


def reference_log_prob(family, mu, actions):
    factors = reference_factors(family, mu)
    if isinstance(family, DiagonalGaussian):
        return factors[0].log_prob(actions)
    return sum(factor.log_prob(actions[:, k]) for k, factor in enumerate(factors))


def reference_kl(family, old, new):
    pairs = zip(reference_factors(family, old), reference_factors(family, new), strict=True)
    return sum(kl_divergence(p, q) for p, q in pairs)


@both_families
def test_log_prob_is_that_of_torch(family):
    mu = some_mu(family, 0)
    actions = sampled(family, mu, np.random.default_rng(0))
    expected = reference_log_prob(family, mu, actions)
    torch.testing.assert_close(family.log_prob(mu, actions), expected)


@both_families
def test_kl_is_that_of_torch_from_old_to_new(family):
    old, new = some_mu(family, 1), some_mu(family, 2)
    forward, backward = reference_kl(family, old, new), reference_kl(family, new, old)
    assert not torch.allclose(forward, backward, rtol=0.01)  # the order can be told
    torch.testing.assert_close(family.kl(old, new), forward)


@both_families
def test_entropy_is_that_of_torch(family):
    mu = some_mu(family, 3)
    expected = sum(factor.entropy() for factor in reference_factors(family, mu))
    torch.testing.assert_close(family.entropy(mu), expected)


@both_families
def test_kl_and_entropy_are_the_means_that_monte_carlo_finds(family):
    count = 100_000
    old = some_mu(family, 4, rows=1).expand(count, -1)
    new = some_mu(family, 5, rows=1).expand(count, -1)
    actions = sampled(family, old, np.random.default_rng(1))
    log_old = family.log_prob(old, actions)
    for estimates, exact in (
        (log_old - family.log_prob(new, actions), family.kl(old, new)[0]),
        (-log_old, family.entropy(old)[0]),
    ):
        error = estimates.std() / math.sqrt(count)
        assert abs(estimates.mean() - exact) < 4 * error  # four standard errors


@both_families
def test_kl_to_itself_is_exactly_zero(family):
    mu = some_mu(family, 6).float()
    assert torch.equal(family.kl(mu, mu.clone()), torch.zeros(ROWS))


def test_gaussian_kl_of_a_tiny_step_keeps_its_digits_in_float32():
    family = DiagonalGaussian(1)
    old, new = torch.tensor([[0.3, 0.1]]), torch.tensor([[0.3, 0.1001]])
    change = new.double()[0, 1] - old.double()[0, 1]
    expected = float(change**2)  # KL = Δ² + O(Δ³) for a change Δ of log std
    assert family.kl(old, new).item() == pytest.approx(expected, rel=0.01)


@both_families
def test_fisher_product_is_the_second_derivative_of_the_kl(family):
    mu, tangent = some_mu(family, 7), some_mu(family, 8)

    def total_kl(new):
        return reference_kl(family, mu, new).sum()

    hessian = torch.autograd.functional.hessian(total_kl, mu.clone())
    expected = torch.einsum("isjt,jt->is", hessian, tangent)
    torch.testing.assert_close(family.fisher_product(mu, tangent), expected)


@both_families
def test_score_is_the_derivative_of_the_log_probability(family):
    mu = some_mu(family, 14).requires_grad_()
    actions = sampled(family, mu.detach(), np.random.default_rng(6))
    (expected,) = torch.autograd.grad(reference_log_prob(family, mu, actions).sum(), mu)
    torch.testing.assert_close(family.score(mu.detach(), actions).double(), expected)


@both_families
def test_the_same_noise_gives_the_same_action_and_other_noise_another(family):
    mu = some_mu(family, 9, rows=50)
    noise, other = (family.noise(np.random.default_rng(seed), (50,)) for seed in (2, 3))
    assert torch.equal(acted(family, mu, noise), acted(family, mu.clone(), noise.copy()))
    assert not torch.equal(acted(family, mu, noise), acted(family, mu, other))


def test_gaussian_samples_have_the_mean_and_standard_deviation_of_mu():
    family, count = DiagonalGaussian(3), 100_000
    mu = some_mu(family, 10, rows=1)
    actions = sampled(family, mu.expand(count, -1), np.random.default_rng(4))
    mean, std = mu[0, :3], mu[0, 3:].exp()
    assert ((actions.mean(dim=0) - mean).abs() < 4 * std / math.sqrt(count)).all()
    assert ((actions.std(dim=0) - std).abs() < 4 * std / math.sqrt(2 * count)).all()


def test_categorical_samples_follow_the_probabilities_and_factors_are_independent():
    family, count = FactoredCategorical(CATEGORIES), 100_000
    mu = some_mu(family, 11, rows=1)
    actions = sampled(family, mu.expand(count, -1), np.random.default_rng(5))
    joint = torch.zeros(CATEGORIES, dtype=torch.float64)
    joint.index_put_(tuple(actions.T), torch.ones(count, dtype=torch.float64), accumulate=True)
    p, q, r = (part.softmax(dim=-1)[0] for part in mu.split(list(CATEGORIES), dim=-1))
    expected = torch.einsum("i,j,k->ijk", p, q, r)
    error = (expected * (1 - expected) / count).sqrt()
    assert ((joint / count - expected).abs() < 5 * error).all()


def test_categorical_noise_at_its_ends_picks_possible_categories():
    family = FactoredCategorical((3,))
    largest = float(np.nextafter(np.float32(1.0), np.float32(0.0)))
    mu = torch.tensor([[-200.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert family.sample(mu, torch.zeros(2, 1)).ravel().tolist() == [1, 0]
    assert family.sample(mu, torch.full((2, 1), largest)).ravel().tolist() == [2, 2]


def test_gaussian_mode_is_the_mean():
    family = DiagonalGaussian(3)
    mu = some_mu(family, 12)
    noise = family.noise(np.random.default_rng(0), (ROWS,))
    assert torch.equal(acted(family, mu, noise, greedy=True), mu[:, :3])


def test_categorical_mode_is_the_action_of_greatest_probability():
    family = FactoredCategorical((3, 2))
    mu = some_mu(family, 13)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(2))
    likelihoods = torch.stack(
        [family.log_prob(mu, action.expand(ROWS, -1)) for action in every], dim=1
    )
    assert torch.equal(family.mode(mu), every[likelihoods.argmax(dim=1)])
