"""MDPs on which the bounds leave as little room as possible: two constructed, one searched.

`coupling_worst_case` attains Lemmas 2 and 3 and Eq. (44) exactly and Theorem 1 in the limit α → 0:
the constant 4 of Eq. (8) cannot be lowered. `mixture_worst_case` does the same for Eq. (6).
"""

from __future__ import annotations

import numpy as np

from trpo_repro.theory.instances import DISCOUNTS, softmax
from trpo_repro.theory.mdp import Array, MDPs, Pair

ALPHAS = (1e-3, 1e-2, 0.1, 0.3)
BLUR = 1e-3  # added to probabilities where the search begins
SEARCH_CHAINS = 8  # for each discount
SEARCH_STEPS = 4000
_Point = dict[str, Array]


def worst_families(seed: int) -> list[Pair]:
    """Return the two constructions at every discount and α, and what the search finds."""
    discount, alpha = (grid.ravel() for grid in np.meshgrid(DISCOUNTS, ALPHAS, indexing="ij"))
    return [
        coupling_worst_case(discount, alpha),
        mixture_worst_case(discount, alpha),
        searched_worst_case(np.random.default_rng((seed, 100))),
    ]


def coupling_worst_case(discount: Array, alpha: Array) -> Pair:
    """Return the MDP on which every inequality of App. A's proof is an equality.

    Two regions X and Y have a rich and a poor state each, ± ε/γ about the region's mean reward.
    Actions 0 and 1 lead to the region's rich and poor state, A_π = ±ε. Action 2 leads from X to Y,
    whose mean is just so much higher that A_π = +ε; π never takes it. π̃ shifts probability α from
    the worst to the best action in X, and the other way round in Y. So Ā = 2αε in X and −2αε in
    Y, and π̃ is in Y at time t with probability 1 − (1 − α)^t, π never.

    Args:
        discount: γ, shape (n,).
        alpha: D_TV^max of the two policies, at most ½, shape (n,).
    """
    n = len(discount)
    rich_x, poor_x, rich_y, poor_y = range(4)
    transitions = np.zeros((n, 4, 3, 4))
    for region, rich, poor in (("x", rich_x, poor_x), ("y", rich_y, poor_y)):
        for state in (rich, poor):
            transitions[:, state, 0, rich] = 1
            transitions[:, state, 1, poor] = 1
            transitions[:, state, 2, [rich_y, poor_y] if region == "x" else poor] = 1
    transitions /= transitions.sum(-1, keepdims=True)
    spread, lead = 1 / discount, (1 - discount) / discount  # ε = 1
    rewards = np.stack([spread, -spread, lead + spread, lead - spread], -1)
    old = np.tile([0.5, 0.5, 0.0], (n, 4, 1))
    shift = alpha[:, None, None] * np.array([[[0, -1, 1]] * 2 + [[-1, 1, 0]] * 2])
    start = np.tile([0.5, 0.5, 0.0, 0.0], (n, 1))
    return Pair(MDPs(transitions, rewards, start, discount), old, old + shift, mixing=alpha)


def mixture_worst_case(discount: Array, alpha: Array) -> Pair:
    """Return the MDP on which Eq. (6) is as tight as it gets, with π′ as the new policy.

    Action 1 leads from state 0 to state 1 (advantage ε) and from there to a poor state 2
    (advantage −ε); action 0 stays, or goes back from 2 to 1. π takes action 0, π′ action 1.
    The greedy π′ has 0 ≤ Ā ≤ αε, where the proof only uses |Ā| ≤ αε: it needs half of the bound.

    Args:
        discount: γ, shape (n,).
        alpha: The mixture's α, shape (n,).
    """
    n = len(discount)
    transitions = np.zeros((n, 3, 2, 3))
    for state, targets in enumerate(((0, 1), (1, 2), (1, 2))):
        for action, target in enumerate(targets):
            transitions[:, state, action, target] = 1
    lead = (1 - discount) / discount  # ε = 1
    rewards = np.stack([np.zeros(n), lead, lead - 1 / discount], -1)
    start = np.tile([1.0, 0.0, 0.0], (n, 1))
    old, new = np.tile([1.0, 0.0], (n, 3, 1)), np.tile([0.0, 1.0], (n, 3, 1))
    return Pair(MDPs(transitions, rewards, start, discount), old, new, mixing=alpha)


def searched_worst_case(rng: np.random.Generator) -> Pair:
    """Return pairs found by hill climbing on the share of Eq. (9)'s penalty that is needed.

    It sets out from `coupling_worst_case`, blurred so that no probability is zero. Pinsker's
    inequality has KL ≥ 2 D_TV², so that no pair can need more than half of the penalty.
    """
    discount = np.repeat(DISCOUNTS, SEARCH_CHAINS)
    known = coupling_worst_case(discount, np.full(len(discount), 0.1))
    old, new = np.log(known.old + BLUR), np.log(known.new + BLUR)
    point = {
        "transitions": np.log(known.mdps.transitions + BLUR),
        "rewards": known.mdps.rewards,
        "start": np.log(known.mdps.start + BLUR),
        "old": old,
        "step": new - old,
    }
    best, size = _needed(point, discount), np.ones(len(discount))
    for _ in range(SEARCH_STEPS):
        trial = {
            key: x + _along(size, x) * rng.standard_normal(x.shape) for key, x in point.items()
        }
        needed = _needed(trial, discount)
        better = needed > best
        point = {key: np.where(_along(better, x), trial[key], x) for key, x in point.items()}
        best = np.where(better, needed, best)
        size *= np.where(better, 1.5, 0.9)  # about one success in five keeps the size
        size = np.clip(size, 1e-4, 1.0)
    return _pair(point, discount)


def _needed(point: _Point, discount: Array) -> Array:
    """Return (L − η) / KL^max in units of ε / (1 − γ)², which do not move the maximum."""
    pair = _pair(point, discount)
    unit = pair.epsilon * pair.kl_max / (1 - discount) ** 2
    needed: Array = (pair.surrogate - pair.new_return) / unit
    return needed


def _pair(point: _Point, discount: Array) -> Pair:
    transitions, start = softmax(point["transitions"]), softmax(point["start"])
    mdps = MDPs(transitions, point["rewards"], start, discount)
    old, new = softmax(point["old"]), softmax(point["old"] + point["step"])
    return Pair(mdps, old, new, mixing=np.full(len(discount), 0.1))


def _along(values: Array, like: Array) -> Array:
    """Return `values` of shape (n,) so that they broadcast over the axes of `like`."""
    return values.reshape((-1,) + (1,) * (like.ndim - 1))
