"""Appendix A: coupled policies, followed exactly over time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from trpo_repro.theory.bounds import advantage_unit, return_unit
from trpo_repro.theory.check import Check, bound, identity
from trpo_repro.theory.mdp import Array, MDPs, Pair, state_transitions, total_variation

NEGLIGIBLE = 1e-16
"""The weight γ^t from which on time steps are left out."""


def appendix_a(pair: Pair) -> list[Check]:
    """Return the checks of Lemmas 1 to 3 and of the sum that follows them."""
    expected, agreed = followed(pair)
    return [
        *lemma_1(pair, expected),
        coupling(pair),
        lemma_2(pair),
        *lemma_3(pair, expected, agreed=agreed),
        summed(pair),
    ]


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
    joint: Array = agree[..., None] * np.eye(p.shape[-1]) + share
    return joint


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
    return bound("Lemma 2", "Eq. 28", used=used, allowed=allowed, unit=advantage_unit(pair.mdps))


def coupling(pair: Pair) -> Check:
    """Check that π and π̃ are α-coupled: both are marginals, and they differ with D_TV."""
    joint = maximal_coupling(pair.old, pair.new)
    differ = 1 - np.einsum("nsaa->ns", joint)
    found = np.concatenate([joint.sum(-1), joint.sum(-2), differ[..., None]], -1)
    distance = total_variation(pair.old, pair.new)[..., None]
    wanted = np.concatenate([pair.old, pair.new, distance], -1)
    return identity("coupling, P(a ≠ ã) = D_TV", "Def. 1", left=found, right=wanted, unit=1.0)


def followed(pair: Pair) -> tuple[Array, Array]:
    """Follow the coupled policies over time.

    Returns:
        E[Ā(s_t)] under π and under π̃, shape (2, n, time), and P(n_t = 0), that they have not
        disagreed before t, shape (n, time).
    """
    agree = np.minimum(pair.old, pair.new)  # both take the action, in the coupling
    policies = (pair.old, pair.new, agree)
    chains = np.stack([state_transitions(pair.mdps, policy) for policy in policies])
    seen = [
        (np.einsum("kns,ns->kn", states[:2], pair.expected_advantages), states[2].sum(-1))
        for states in state_distributions(pair.mdps, chains)
    ]
    expected, agreed = (np.stack(list(parts), -1) for parts in zip(*seen, strict=True))
    return expected, agreed


def lemma_1(pair: Pair, expected: Array) -> list[Check]:
    """Check η(π̃) and L as sums over time; `expected` is that of `followed`."""
    discounted = expected * pair.mdps.discount[:, None] ** np.arange(expected.shape[-1])
    under_old, under_new = pair.old_return + discounted.sum(-1)  # Eq. (27), (26)
    unit = return_unit(pair.mdps)
    return [
        identity("Lemma 1", "Eq. 19", left=pair.new_return, right=under_new, unit=unit),
        identity("L over time", "Eq. 27", left=pair.surrogate, right=under_old, unit=unit),
    ]


def lemma_3(pair: Pair, expected: Array, *, agreed: Array) -> list[Check]:
    """Check Lemma 3 and the steps of its proof at every time; arguments are from `followed`.

    Lemma 3 prints 2α max Ā(s) between the two sides that matter, which is neither always above the
    one nor below the other, not even with |Ā(s)|. The proof has 2 (1 − (1 − α)^t) max |Ā(s)|.
    """
    at_least = (1 - pair.alpha[:, None]) ** np.arange(expected.shape[-1])  # Eq. (37)
    apart = np.abs(expected[1] - expected[0])
    largest = np.abs(pair.expected_advantages).max(-1)[:, None]
    proved = 2 * largest * (1 - at_least)  # Eq. (36) to (38)
    wanted = 4 * (pair.alpha * pair.epsilon)[:, None] * (1 - at_least)  # Eq. (40)
    printed = np.broadcast_to(2 * pair.alpha[:, None] * largest, apart.shape)  # Eq. (32)
    unit = advantage_unit(pair.mdps)
    # At t = 0 both sides of Eq. (37) are 1.
    return [
        bound(
            "P(agreed before t)", "Eq. 37", used=at_least[:, 1:], allowed=agreed[:, 1:], unit=1.0
        ),
        bound("Lemma 3 by max |Ā|", "Eq. 38", used=apart, allowed=proved, unit=unit),
        bound("Lemma 3", "Eq. 40", used=apart, allowed=wanted, unit=unit),
        bound(
            "Lemma 3's middle term", "Eq. 32", used=apart, allowed=printed, unit=unit, misprint=True
        ),
    ]


def summed(pair: Pair) -> Check:
    """Check |η(π̃) − L_π(π̃)| ≤ 4α²γε / ((1 − γ)(1 − γ(1 − α)))."""
    discount, alpha = pair.mdps.discount, pair.alpha
    denominator = (1 - discount) * (1 - discount * (1 - alpha))
    allowed = 4 * alpha**2 * discount * pair.epsilon / denominator  # Eq. (44)
    used = np.abs(pair.new_return - pair.surrogate)
    return bound(
        "both lemmas, over time", "Eq. 44", used=used, allowed=allowed, unit=return_unit(pair.mdps)
    )
