"""Random finite MDPs and pairs of policies, from nearly equal to nearly deterministic."""

from __future__ import annotations

import numpy as np

from trpo_repro.theory.mdp import Array, MDPs, Pair

SIZES = ((2, 2), (3, 2), (5, 3), (10, 4), (20, 5))
"""States and actions; an equal share of the MDPs has each size."""
DISCOUNTS = (0.5, 0.8, 0.9, 0.95, 0.99)


def softmax(logits: Array) -> Array:
    """Return exp(logits) normalised over the last axis; complex logits are welcome."""
    return _normalised(np.exp(logits - logits.real.max(-1, keepdims=True)))


def random_mdps(rng: np.random.Generator, discounts: Array, *, size: tuple[int, int]) -> MDPs:
    """Return one MDP of `size`, states and actions, for each of `discounts`.

    Transitions are Dirichlet, from nearly deterministic (concentration 0.1) to nearly uniform (10);
    rewards are standard normal.
    """
    n, (states, actions) = len(discounts), size
    concentration = 10.0 ** rng.uniform(-1, 1, (n, 1, 1, 1))
    return MDPs(
        transitions=_normalised(rng.standard_gamma(concentration, (n, states, actions, states))),
        rewards=rng.standard_normal((n, states)),
        start=_normalised(rng.standard_gamma(1.0, (n, states))),
        discount=discounts,
    )


def random_pairs(rng: np.random.Generator, count: int, *, size: tuple[int, int]) -> Pair:
    """Return `count` MDPs with an old policy, and a new one a step of 10⁻³ to 10 logits away."""
    mdps = random_mdps(rng, rng.choice(DISCOUNTS, count), size=size)
    shape = (count, *size)
    old = rng.uniform(0, 3, (count, 1, 1)) * rng.standard_normal(shape)
    step = 10.0 ** rng.uniform(-3, 1, (count, 1, 1)) * rng.standard_normal(shape)
    mixing = 10.0 ** rng.uniform(-3, 0, count)
    return Pair(mdps, softmax(old), softmax(old + step), mixing)


def random_families(seed: int, count: int) -> list[Pair]:
    """Return `count` random MDPs, one batch for each of `SIZES`."""
    shares = [len(part) for part in np.array_split(np.arange(count), len(SIZES))]
    return [
        random_pairs(np.random.default_rng((seed, number)), share, size=size)
        for number, (share, size) in enumerate(zip(shares, SIZES, strict=True))
        if share
    ]


def _normalised(weights: Array) -> Array:
    share: Array = weights / weights.sum(-1, keepdims=True)
    return share
