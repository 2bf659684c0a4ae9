import numpy as np
import pytest
import torch
from tiny_mdp import TinyMdp

from trpo_repro.optim.vine_surrogate import VineBatch, VineSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.seeding import stream


def setting(seed=0):
    mdp = TinyMdp(seed=seed)
    policy = Policy(mdp.observation_size, mdp.actions, hidden_sizes=[], initial_std=1.0)
    theta = policy.initial_parameters(stream(seed, "policy"))
    return mdp, policy, theta + torch.randn(theta.shape, generator=torch.manual_seed(seed))


def exact_gradient(mdp, policy, theta):
    """∇ of the mean over states of Σ_a π_θ(a|s) Q(s, a), by plain autograd."""
    leaf = theta.clone().requires_grad_()
    pi = policy.mu(leaf, torch.eye(mdp.observation_size)).softmax(dim=-1)
    q = torch.from_numpy(mdp.q_values(policy, theta)).float()
    return torch.autograd.grad((pi * q).sum(dim=1).mean(), leaf)[0]


def batch_of_all_actions(mdp, policy, theta):
    states, actions = mdp.observation_size, mdp.actions.sizes[0]
    grid = torch.arange(actions).view(1, actions, 1).expand(states, actions, 1)
    q = torch.from_numpy(mdp.q_values(policy, theta)).float()
    return VineBatch(torch.eye(states), grid, q, torch.zeros(states, actions), exhaustive=True)


def test_eq_15_with_exact_q_values_gives_the_exact_gradient():
    mdp, policy, theta = setting()
    surrogate = VineSurrogate(
        policy, theta, batch=batch_of_all_actions(mdp, policy, theta), workers=Workers(1)
    )
    torch.testing.assert_close(surrogate.gradient.float(), exact_gradient(mdp, policy, theta))


@pytest.mark.parametrize("proposal", ["policy", "uniform"])
def test_eq_16_tends_to_the_exact_gradient_whatever_the_proposal(proposal):
    mdp, policy, theta = setting()
    states, actions, many = mdp.observation_size, mdp.actions.sizes[0], 20_000
    log_pi = policy.mu(theta, torch.eye(states)).log_softmax(dim=-1)
    q_of_a = log_pi.exp() if proposal == "policy" else torch.full_like(log_pi, 1 / actions)
    picks = torch.multinomial(q_of_a, many, replacement=True, generator=torch.manual_seed(1))
    q = torch.from_numpy(mdp.q_values(policy, theta)).float().gather(1, picks)
    batch = VineBatch(
        torch.eye(states), picks[..., None], q, q_of_a.log().gather(1, picks), exhaustive=False
    )
    surrogate = VineSurrogate(policy, theta, batch=batch, workers=Workers(1))
    # Monte-Carlo error of 20,000 actions a state: about 1/√20000 of Q's spread of order 1.
    torch.testing.assert_close(
        surrogate.gradient.float(), exact_gradient(mdp, policy, theta), atol=0.01, rtol=0.0
    )


def test_the_paper_s_weights_would_be_wrong_for_a_uniform_proposal():
    mdp, policy, theta = setting()
    states, actions, many = mdp.observation_size, mdp.actions.sizes[0], 20_000
    picks = torch.randint(actions, (states, many), generator=torch.manual_seed(1))
    log_pi = policy.mu(theta, torch.eye(states)).log_softmax(dim=-1)
    q = torch.from_numpy(mdp.q_values(policy, theta)).float().gather(1, picks)
    batch = VineBatch(
        torch.eye(states), picks[..., None], q, log_pi.gather(1, picks), exhaustive=False
    )
    surrogate = VineSurrogate(policy, theta, batch=batch, workers=Workers(1))
    gap = (surrogate.gradient.float() - exact_gradient(mdp, policy, theta)).abs().max()
    assert gap > 0.05


def test_a_constant_added_to_a_state_s_q_values_changes_no_self_normalised_gradient():
    _, policy, theta = setting()
    rng = torch.manual_seed(2)
    observations, actions = torch.eye(5), torch.randint(3, (5, 4, 1), generator=rng)
    q, log_q = torch.randn(5, 4, generator=rng), torch.randn(5, 4, generator=rng)
    gradients = [
        VineSurrogate(
            policy,
            theta,
            batch=VineBatch(observations, actions, values, log_q, False),
            workers=Workers(1),
        ).gradient
        for values in (q, q + torch.randn(5, 1, generator=rng))
    ]
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-6, rtol=1e-4)


def test_gain_is_exactly_zero_at_the_old_parameters():
    mdp, policy, theta = setting()
    surrogate = VineSurrogate(
        policy, theta, batch=batch_of_all_actions(mdp, policy, theta), workers=Workers(1)
    )
    evaluation = surrogate.evaluate(theta)
    assert (evaluation.gain, evaluation.kl_mean, evaluation.kl_max) == (0.0, 0.0, 0.0)


def test_gain_is_the_difference_of_the_surrogates():
    mdp, policy, theta = setting()
    batch = batch_of_all_actions(mdp, policy, theta)
    surrogate = VineSurrogate(policy, theta, batch=batch, workers=Workers(1))
    other = theta + 0.1

    def value(at):
        pi = policy.mu(at, torch.eye(mdp.observation_size)).softmax(dim=-1)
        return float((pi * batch.q_values).sum(dim=1).mean())

    assert surrogate.evaluate(other).gain == pytest.approx(value(other) - value(theta), abs=1e-6)
    assert np.isfinite(value(other))
