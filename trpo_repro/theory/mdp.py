"""Finite MDPs, many at once, and what the paper's Section 2 defines on them, exactly.

Axes are named as in `n` MDPs of `s` states and `a` actions; `t` is a next state. Policies are
arrays π(a|s) of shape (n, s, a). Returns and values are in units of reward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Real; policies, values and returns are complex where a complex step differentiates them."""


@dataclass(frozen=True)
class MDPs:
    """Many MDPs of one size (Sec. 2).

    Attributes:
        transitions: P(t|s, a), shape (n, s, a, t).
        rewards: r(s), shape (n, s).
        start: ρ₀(s), shape (n, s).
        discount: γ, shape (n,).
    """

    transitions: Array
    rewards: Array
    start: Array
    discount: Array

    def __len__(self) -> int:
        """Return how many MDPs these are."""
        return len(self.discount)


def dot(left: Array, right: Array) -> Array:
    """Return Σ left · right over the last axis: actions of (n, s, a), states of (n, s)."""
    total: Array = (left * right).sum(-1)
    return total


def state_transitions(mdps: MDPs, policy: Array) -> Array:
    """Return P_π(t|s) = Σ_a π(a|s) P(t|s, a), shape (n, s, t)."""
    chain: Array = np.einsum("nsa,nsat->nst", policy, mdps.transitions)
    return chain


def solve_discounted(mdps: MDPs, chain: Array, *, right: Array) -> Array:
    """Return (I − γ chain)⁻¹ right: G of App. B applied to a function of the state.

    Args:
        mdps: Whose discount it is.
        chain: Transition matrices, or their transposes, shape (n, s, s).
        right: Shape (n, s).

    Returns:
        Shape (n, s).
    """
    matrix = np.eye(chain.shape[-1]) - mdps.discount[:, None, None] * chain
    return np.linalg.solve(matrix, right[..., None])[..., 0]


def values(mdps: MDPs, policy: Array) -> Array:
    """Return V_π(s), shape (n, s): V = r + γ P_π V."""
    return solve_discounted(mdps, state_transitions(mdps, policy), right=mdps.rewards)


def visits(mdps: MDPs, policy: Array) -> Array:
    """Return the unnormalised discounted visitation frequencies ρ_π(s), shape (n, s)."""
    chain = state_transitions(mdps, policy).swapaxes(-1, -2)
    return solve_discounted(mdps, chain, right=mdps.start)


def expected_return(mdps: MDPs, policy: Array) -> Array:
    """Return η(π) = Σ_s ρ₀(s) V_π(s), shape (n,)."""
    return dot(mdps.start, values(mdps, policy))


def advantages(mdps: MDPs, policy: Array) -> Array:
    """Return A_π(s, a) = r(s) + γ Σ_t P(t|s, a) V_π(t) − V_π(s), shape (n, s, a)."""
    value = values(mdps, policy)
    following = np.einsum("nsat,nt->nsa", mdps.transitions, value)
    discount = mdps.discount[:, None, None]
    advantage: Array = (mdps.rewards - value)[..., None] + discount * following
    return advantage


def greedy(advantage: Array) -> Array:
    """Return the deterministic policy argmax_a A(s, a), shape (n, s, a)."""
    policy: Array = np.eye(advantage.shape[-1])[advantage.argmax(-1)]
    return policy


def total_variation(p: Array, q: Array) -> Array:
    """Return D_TV(p ‖ q) = ½ Σ_a |p − q| over the last axis."""
    distance: Array = 0.5 * np.abs(p - q).sum(-1)
    return distance


def kl_divergence(p: Array, q: Array) -> Array:
    """Return D_KL(p ‖ q) = Σ_a p log(p / q) over the last axis; infinite where only q is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # Σ q = Σ p, so the two added terms cancel; each addend is then at least 0.
        terms = np.where(p > 0, p * np.log(p / q) - p + q, q)
    divergence: Array = terms.sum(-1)
    return divergence


@dataclass(frozen=True)
class Pair:
    """An old and a new policy on each MDP, with what the bounds are made of.

    Attributes:
        mdps: Where both act.
        old: π(a|s), shape (n, s, a).
        new: π̃(a|s), shape (n, s, a).
        mixing: The α of a mixture (Eq. 5) of the two, shape (n,).
    """

    mdps: MDPs
    old: Array
    new: Array
    mixing: Array

    @cached_property
    def old_visits(self) -> Array:
        """ρ_π, shape (n, s)."""
        return visits(self.mdps, self.old)

    @cached_property
    def advantages(self) -> Array:
        """A_π, shape (n, s, a)."""
        return advantages(self.mdps, self.old)

    @cached_property
    def old_return(self) -> Array:
        """η(π), shape (n,)."""
        return expected_return(self.mdps, self.old)

    @cached_property
    def new_return(self) -> Array:
        """η(π̃), shape (n,)."""
        return expected_return(self.mdps, self.new)

    @cached_property
    def expected_advantages(self) -> Array:
        """Ā(s) = E_{a∼π̃} A_π(s, a), shape (n, s)."""
        return dot(self.new, self.advantages)  # Eq. (25)

    @cached_property
    def surrogate(self) -> Array:
        """L_π(π̃), shape (n,)."""
        gain = dot(self.old_visits, self.expected_advantages)
        return self.old_return + gain  # Eq. (3)

    @cached_property
    def alpha(self) -> Array:
        """D_TV^max(π, π̃), shape (n,)."""
        alpha: Array = total_variation(self.old, self.new).max(-1)  # Eq. (7)
        return alpha

    @cached_property
    def kl_max(self) -> Array:
        """D_KL^max(π, π̃), shape (n,)."""
        divergence: Array = kl_divergence(self.old, self.new).max(-1)
        return divergence

    @cached_property
    def epsilon(self) -> Array:
        """ε = max |A_π(s, a)| over states and actions, shape (n,)."""
        epsilon: Array = np.abs(self.advantages).max((-1, -2))  # Eq. (8)
        return epsilon
