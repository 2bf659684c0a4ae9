"""One MDP, and a step of growing length from its old policy: η, L and the lower bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trpo_repro.theory.bounds import MIXTURE, mixture, theorem_1_penalty
from trpo_repro.theory.instances import random_mdps
from trpo_repro.theory.mdp import Array, MDPs, Pair, dot, greedy

SIZE = (5, 3)  # states, actions
DISCOUNT = 0.9


@dataclass(frozen=True)
class AlongStep:
    """What mixtures of the old and the greedy policy (Eq. 5) bring; all of shape (k,).

    Attributes:
        alpha: The mixture's α.
        true: η(π_new) − η(π_old).
        surrogate: L(π_new) − η(π_old).
        mixture_bound: The lower bound of Eq. (6), less η(π_old).
        variation_bound: That of Eq. (8).
        kl_bound: That of Eq. (9); −∞ where KL is infinite.
        kl_max: D_KL^max(π_old, π_new), in nats.
    """

    alpha: Array
    true: Array
    surrogate: Array
    mixture_bound: Array
    variation_bound: Array
    kl_bound: Array
    kl_max: Array


def along_step(seed: int, alpha: Array) -> AlongStep:
    """Return what steps of length `alpha` from the uniform to the greedy policy bring."""
    one = random_mdps(np.random.default_rng((seed, 400)), np.array([DISCOUNT]), size=SIZE)
    k = len(alpha)
    repeated = (np.repeat(x, k, 0) for x in (one.transitions, one.rewards, one.start, one.discount))
    mdps = MDPs(*repeated)
    uniform = np.full((k, *SIZE), 1 / SIZE[1])
    pair = Pair(mdps, uniform, uniform, alpha)
    towards = greedy(pair.advantages)
    mixed = mixture(pair, towards)
    gain = mixed.surrogate - mixed.old_return
    epsilon = np.abs(dot(towards, pair.advantages)).max(-1)
    mixture_penalty = MIXTURE * epsilon * DISCOUNT / (1 - DISCOUNT) ** 2 * alpha**2  # Eq. (6)
    return AlongStep(
        alpha=alpha,
        true=mixed.new_return - mixed.old_return,
        surrogate=gain,
        mixture_bound=gain - mixture_penalty,
        variation_bound=gain - theorem_1_penalty(mixed, mixed.alpha**2),
        kl_bound=gain - theorem_1_penalty(mixed, mixed.kl_max),
        kl_max=mixed.kl_max,
    )
