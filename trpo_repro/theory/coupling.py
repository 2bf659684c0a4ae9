"""Appendix A: coupled policies, followed exactly over time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from trpo_repro.theory.bounds import return_unit
from trpo_repro.theory.check import Check, bound, identity
from trpo_repro.theory.mdp import Array, MDPs, Pair, state_transitions, total_variation

NEGLIGIBLE = 1e-16
"""The weight γ^t from which on time steps are left out."""


def appendix_a(pair: Pair) -> list[Check]:
    """Return the checks of Lemmas 1 to 3 and of the sum that follows them."""
    return [lemma_2(pair), coupling(pair), *over_time(pair), summed(pair)]


def maximal_coupling(p: Array, q: Array) -> Array:
    """Return the joint distribution of (a, ã) that agrees most often (Levin et al., Prop. 4.7).

    Args:
        p: Distribution of a, shape (…, a).
        q: Distribution of ã, shape (…, a).

    Returns:
        Shape (…, a, a), P(a ≠ ã) being D_TV(p ‖ q).
    """
    agree = np.minimum(p, q)
    distance = total_variation(p, q)[..., None, None]
    apart = (p - agree)[..., :, None] * (q - agree)[..., None, :]
    share = np.divide(apart, distance, out=np.zeros_like(apart), where=distance > 0)
    return agree[..., None] * np.eye(p.shape[-1]) + share


def state_distributions(mdps: MDPs, chains: Array) -> Iterator[Array]:
    """Yield P(s_t = s) for t = 0, 1, … until γ^t is negligible.

    Args:
        mdps: Where it starts, and γ.
        chains: Transition matrices of several policies k, shape (k, n, s, s); where rows sum to
            less than 1, the rest is lost.

    Yields:
        Shape (k, n, s).
    """
    state = np.broadcast_to(mdps.start, (len(chains), *mdps.start.shape))
    for _ in range(math.ceil(math.log(NEGLIGIBLE) / math.log(mdps.discount.max()))):
        yield state
        state = (state[..., None, :] @ chains)[..., 0, :]


def lemma_2(pair: Pair) -> Check:
    """Check |Ā(s)| ≤ 2α max |A| in every state."""
    used = np.abs(pair.expected_advantages)
    allowed = np.broadcast_to((2 * pair.alpha * pair.epsilon)[:, None], used.shape)  # Eq. (28)
    unit = np.abs(pair.mdps.rewards).max(-1) / (1 - pair.mdps.discount)
    return bound("Lemma 2", "Eq. 28", used, allowed, unit)


def coupling(pair: Pair) -> Check:
    """Check that π and π̃ are α-coupled: both are marginals, and they differ with D_TV."""
    joint = maximal_coupling(pair.old, pair.new)
    differ = 1 - np.einsum("nsaa->ns", joint)
    found = np.concatenate([joint.sum(-1), joint.sum(-2), differ[..., None]], -1)
    distance = total_variation(pair.old, pair.new)[..., None]
    wanted = np.concatenate([pair.old, pair.new, distance], -1)
    return identity("a coupling with P(a ≠ ã) = D_TV", "Def. 1", found, wanted, 1.0)


def over_time(pair: Pair) -> list[Check]:
    """Check Lemmas 1 and 3 and what the proof says, at every time step."""
    mdps, alpha = pair.mdps, pair.alpha
    agree = np.minimum(pair.old, pair.new)  # both take the action, in the coupling
    chains = np.stack([state_transitions(mdps, policy) for policy in (pair.old, pair.new, agree)])
    seen = [
        (np.einsum("kns,ns->kn", states[:2], pair.expected_advantages), states[2].sum(-1))
        for states in state_distributions(mdps, chains)
    ]
    expected, agreed = (np.stack(list(parts), -1) for parts in zip(*seen, strict=True))
    time = np.arange(len(seen))
    discounted = mdps.discount[:, None] ** time
    old_sum, new_sum = (expected * discounted).sum(-1)
    apart = np.abs(expected[1] - expected[0])
    disagreed = 1 - agreed  # P(n_t > 0)
    chance = 1 - (1 - alpha[:, None]) ** time  # Eq. (37)
    largest = np.abs(pair.expected_advantages).max(-1)
    unit, step_unit = return_unit(mdps), np.abs(mdps.rewards).max(-1) / (1 - mdps.discount)
    lemma_3 = 4 * (alpha * pair.epsilon)[:, None] * chance  # Eq. (40)
    printed = np.broadcast_to((2 * alpha * largest)[:, None], apart.shape)  # Eq. (32)
    return [
        identity("Lemma 1", "Eq. 19", pair.new_return, pair.old_return + new_sum, unit),  # Eq. (26)
        identity("L over time", "Eq. 27", pair.surrogate, pair.old_return + old_sum, unit),
        bound("P(disagreed before t)", "Eq. 37", disagreed, chance, 1.0),
        bound("Lemma 3 by max |Ā|", "Eq. 38", apart, 2 * largest[:, None] * chance, step_unit),
        bound("Lemma 3", "Eq. 40", apart, lemma_3, step_unit),
        bound("Lemma 3 with 2α max |Ā|, as printed", "Eq. 32", apart, printed, step_unit,
              misprint=True),
    ]  # fmt: skip


def summed(pair: Pair) -> Check:
    """Check |η(π̃) − L_π(π̃)| ≤ 4α²γε / ((1 − γ)(1 − γ(1 − α)))."""
    discount, alpha = pair.mdps.discount, pair.alpha
    denominator = (1 - discount) * (1 - discount * (1 - alpha))
    allowed = 4 * alpha**2 * discount * pair.epsilon / denominator  # Eq. (44)
    used = np.abs(pair.new_return - pair.surrogate)
    return bound("the lemmas summed over time", "Eq. 44", used, allowed, return_unit(pair.mdps))
