"""Section 2's identities and bounds, Theorem 1, Eq. (9) and App. B, as checks of a pair."""

from __future__ import annotations

import numpy as np

from trpo_repro.theory.check import Check, bound, identity
from trpo_repro.theory.instances import softmax
from trpo_repro.theory.mdp import (
    Array,
    MDPs,
    Pair,
    dot,
    expected_return,
    greedy,
    kl_divergence,
    solve_discounted,
    state_transitions,
    total_variation,
    values,
    visits,
)

THEOREM_1 = 4.0
"""The constant of Eq. (8) and (9)."""
MIXTURE = 2.0
"""The constant of Eq. (6)."""
COMPLEX_STEP = 1e-20
"""Nothing is subtracted, so that this derivative is exact but for rounding."""


def return_unit(mdps: MDPs) -> Array:
    """Return the largest size of L: Σ ρ = 1/(1 − γ) times |r| / (1 − γ), shape (n,)."""
    unit: Array = advantage_unit(mdps) / (1 - mdps.discount)
    return unit


def advantage_unit(mdps: MDPs) -> Array:
    """Return the largest size of a value, |r| / (1 − γ), shape (n,)."""
    unit: Array = np.abs(mdps.rewards).max(-1) / (1 - mdps.discount)
    return unit


def theorem_1_penalty(pair: Pair, squared_distance: Array) -> Array:
    """Return 4εγ / (1 − γ)² times α², or C times KL; shape (n,)."""
    discount = pair.mdps.discount
    penalty: Array = THEOREM_1 * pair.epsilon * discount / (1 - discount) ** 2 * squared_distance
    return penalty


def mixture(pair: Pair, towards: Array) -> Pair:
    """Return the pair of π and (1 − α) π + α π′ with π′ = `towards`."""
    alpha = pair.mixing[:, None, None]
    new = (1 - alpha) * pair.old + alpha * towards  # Eq. (5)
    return Pair(pair.mdps, pair.old, new, pair.mixing)


def section_2(pair: Pair, rng: np.random.Generator) -> list[Check]:
    """Return the checks of Eq. (2), (4) and (6)."""
    return [
        policy_difference(pair),
        first_order_value(pair),
        first_order_gradient(pair, rng),
        mixture_bound(pair, greedy(pair.advantages), which="greedy π′"),
        mixture_bound(pair, pair.new, which="any π′"),
    ]


def section_3(pair: Pair) -> list[Check]:
    """Return the checks of Theorem 1, of its form with KL and of App. B, which proves it again."""
    return [theorem_1(pair), pollard(pair), kl_bound(pair), *perturbation(pair)]


def policy_difference(pair: Pair) -> Check:
    """Check η(π̃) = η(π) + Σ_s ρ_π̃(s) Ā(s)."""
    new_visits = visits(pair.mdps, pair.new)
    right = pair.old_return + dot(new_visits, pair.expected_advantages)  # Eq. (2)
    unit = return_unit(pair.mdps)
    return identity(
        "policy difference, by states", "Eq. 2", left=pair.new_return, right=right, unit=unit
    )


def first_order_value(pair: Pair) -> Check:
    """Check L_π(π) = η(π)."""
    same = Pair(pair.mdps, pair.old, pair.old, pair.mixing)
    unit = return_unit(pair.mdps)
    return identity(
        "L = η at the old policy", "Eq. 4", left=same.surrogate, right=pair.old_return, unit=unit
    )


def first_order_gradient(pair: Pair, rng: np.random.Generator) -> Check:
    """Check ∇L = ∇η at the old policy, along a random direction of softmax logits."""
    direction = rng.standard_normal(pair.old.shape)
    with np.errstate(divide="ignore"):
        logits = np.log(pair.old)
    moved = softmax(logits + 1j * COMPLEX_STEP * direction)
    surrogate = Pair(pair.mdps, pair.old, moved, pair.mixing).surrogate
    left, right = (x.imag / COMPLEX_STEP for x in (surrogate, expected_return(pair.mdps, moved)))
    unit = return_unit(pair.mdps) * np.abs(direction).max((-1, -2))
    return identity("∇L = ∇η at the old policy", "Eq. 4", left=left, right=right, unit=unit)


def mixture_bound(pair: Pair, towards: Array, *, which: str) -> Check:
    """Check η ≥ L − 2εγ/(1 − γ)² α² for the mixture with `towards`."""
    mixed, discount = mixture(pair, towards), pair.mdps.discount
    epsilon = np.abs(dot(towards, pair.advantages)).max(-1)
    penalty = MIXTURE * epsilon * discount / (1 - discount) ** 2 * pair.mixing**2  # Eq. (6)
    lost = mixed.surrogate - mixed.new_return
    return bound(
        f"mixture, {which}", "Eq. 6", used=lost, allowed=penalty, unit=return_unit(pair.mdps)
    )


def theorem_1(pair: Pair) -> Check:
    """Check η(π̃) ≥ L_π(π̃) − 4εγ/(1 − γ)² α²."""
    penalty = theorem_1_penalty(pair, pair.alpha**2)  # Eq. (8)
    lost = pair.surrogate - pair.new_return
    return bound("Theorem 1", "Eq. 8", used=lost, allowed=penalty, unit=return_unit(pair.mdps))


def pollard(pair: Pair) -> Check:
    """Check D_TV² ≤ D_KL in every state."""
    squared = total_variation(pair.old, pair.new) ** 2
    return bound(
        "D_TV² ≤ D_KL", "Sec. 3", used=squared, allowed=kl_divergence(pair.old, pair.new), unit=1.0
    )


def kl_bound(pair: Pair) -> Check:
    """Check η(π̃) ≥ L_π(π̃) − C D_KL^max(π, π̃)."""
    penalty = theorem_1_penalty(pair, pair.kl_max)  # Eq. (9)
    lost = pair.surrogate - pair.new_return
    return bound(
        "Theorem 1 by KL", "Eq. 9", used=lost, allowed=penalty, unit=return_unit(pair.mdps)
    )


def perturbation(pair: Pair) -> list[Check]:
    """Check App. B: the first-order term is L's gain, and two terms make up all of η's.

    In the paper's convention r is a row and ρ a column; here the transition matrices act from the
    left on functions of the state, so that its v Δ ρ reads ρ · Δ v.
    """
    mdps, discount = pair.mdps, pair.mdps.discount
    chain = state_transitions(mdps, pair.old)
    change = state_transitions(mdps, pair.new) - chain  # Δ
    changed_value = np.einsum("nst,nt->ns", change, values(mdps, pair.old))  # Δ v
    first = discount * dot(pair.old_visits, changed_value)
    solved = solve_discounted(mdps, chain, right=changed_value)  # G Δ v
    again = np.einsum("nst,nt->ns", change, solved)  # Δ G Δ v
    second = discount**2 * dot(visits(mdps, pair.new), again)
    gain, unit = pair.new_return - pair.old_return, return_unit(mdps)
    surrogate_gain = pair.surrogate - pair.old_return
    return [
        identity(
            "perturbation, second order", "Eq. 49", left=gain, right=first + second, unit=unit
        ),
        identity(
            "its first order is L's gain", "Eq. 50", left=surrogate_gain, right=first, unit=unit
        ),
    ]
