"""Algorithm 1 run for real: does it ever lose, and how long does it take beside a trust region?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trpo_repro.theory.bounds import return_unit
from trpo_repro.theory.check import Check, bound, identity
from trpo_repro.theory.instances import DISCOUNTS, random_mdps
from trpo_repro.theory.mdp import Array, MDPs, Pair, advantages, expected_return, greedy
from trpo_repro.theory.steps import (
    Step,
    algorithm_1_step,
    improvement,
    penalty_coefficient,
    trust_region_step,
)

ITERATIONS = 20  # of the check on every MDP
DELTA = 0.01  # nats, the paper's (Sec. 8.1)
RACES = 20  # MDPs for each discount
RACE_SIZE = (5, 3)  # states, actions
SHARE = 0.9  # of the way from the uniform policy to the optimum
PATIENCE = 3000  # iterations after which the rest is extrapolated
ACCURACY = 1e-9
"""Of the inner maximum, relative to what it gains."""
MAXIMUM = "Algorithm 1's maximum"
GAIN = "Algorithm 1's gain ≥ M's ≥ 0"
_Algorithm = Callable[[MDPs, Array], Step]


@dataclass(frozen=True)
class Pace:
    """How long an algorithm takes to `SHARE` of what there is to gain.

    Attributes:
        steps: Iterations; where it was not `reached`, those done and as many more as it takes if
            each brings as much as the last, shape (n,).
        reached: Whether it got there within `PATIENCE`, shape (n,).
        first_kl: D_KL^max of the first step, shape (n,).
        first_gain: η's gain by the first step as a share of all there is to gain, shape (n,).
    """

    steps: Array
    reached: Array
    first_kl: Array
    first_gain: Array


@dataclass(frozen=True)
class Race:
    """Algorithm 1 beside the trust region, from the uniform policy on the same MDPs.

    Attributes:
        discount: γ, shape (n,).
        algorithm_1: Its pace.
        trust_region: That of Eq. (11) with δ = `DELTA`.
    """

    discount: Array
    algorithm_1: Pace
    trust_region: Pace


def penalised(mdps: MDPs, policy: Array) -> Step:
    """Return a step of Algorithm 1, with C from the policy's own advantages."""
    return algorithm_1_step(mdps, policy, penalty=penalty_coefficient(mdps, policy))


def constrained(mdps: MDPs, policy: Array) -> Step:
    """Return a step of Eq. (11) with δ = `DELTA`."""
    return trust_region_step(mdps, policy, delta=DELTA)


def monotone_improvement(pair: Pair) -> list[Check]:
    """Check Eq. (10) over `ITERATIONS` of Algorithm 1, and each step's maximisation by duality.

    It starts half way from `pair.old` to the uniform policy, where all probabilities are positive.
    """
    mdps, policy, unit = pair.mdps, (pair.old + 1 / pair.old.shape[-1]) / 2, return_unit(pair.mdps)
    promised, gained, proved = [], [], []
    for _ in range(ITERATIONS):
        step = penalised(mdps, policy)
        promised.append(step.gain)
        proved.append(step.gain + step.gap)
        gained.append(improvement(mdps, policy, step=step))
        policy = step.policy
    gain, best = np.stack(promised, -1), np.stack(proved, -1)
    return [
        identity(
            MAXIMUM,
            "Alg. 1",
            left=gain / best,
            right=np.ones_like(gain),
            unit=1.0,
            tolerance=ACCURACY,
        ),
        bound(GAIN, "Eq. 10", used=np.maximum(gain, 0), allowed=np.stack(gained, -1), unit=unit),
    ]


def race(seed: int) -> Race:
    """Return how many iterations each takes on `RACES` MDPs for each discount."""
    rng = np.random.default_rng((seed, 200))
    discount = np.repeat(DISCOUNTS, RACES)
    mdps = random_mdps(rng, discount, size=RACE_SIZE)
    return Race(discount, pace(mdps, penalised), pace(mdps, constrained))


def pace(mdps: MDPs, algorithm: _Algorithm) -> Pace:
    """Run `algorithm` from the uniform policy until `SHARE` of the gain, or out of patience."""
    shape = mdps.transitions.shape[:3]
    policy = np.full(shape, 1 / shape[-1])
    first = algorithm(mdps, policy)
    begin = expected_return(mdps, policy)
    whole = optimal_return(mdps) - begin
    steps, reached = np.zeros(len(mdps)), np.zeros(len(mdps), dtype=bool)
    last_gain = np.zeros(len(mdps))
    for _ in range(PATIENCE):
        going = np.flatnonzero(~reached)
        if not len(going):
            break
        rest = _subset(mdps, going)
        before = expected_return(rest, policy[going])
        policy[going] = algorithm(rest, policy[going]).policy
        after = expected_return(rest, policy[going])
        last_gain[going] = after - before
        steps[going] += 1
        reached[going] = after - begin[going] >= SHARE * whole[going]
    missing = SHARE * whole - (expected_return(mdps, policy) - begin)
    more = np.divide(missing, last_gain, out=np.zeros_like(missing), where=~reached)
    start = np.full(shape, 1 / shape[-1])
    return Pace(steps + more, reached, first.kl_max, improvement(mdps, start, step=first) / whole)


def optimal_return(mdps: MDPs) -> Array:
    """Return max_π η(π) by exact policy iteration, shape (n,)."""
    shape = mdps.transitions.shape[:3]
    policy = np.full(shape, 1 / shape[-1])
    while True:
        better = greedy(advantages(mdps, policy))
        gain = expected_return(mdps, better) - expected_return(mdps, policy)
        if np.all(gain <= 1e-12 * return_unit(mdps)):
            return expected_return(mdps, better)
        policy = better


def _subset(mdps: MDPs, chosen: Array) -> MDPs:
    return MDPs(
        mdps.transitions[chosen], mdps.rewards[chosen], mdps.start[chosen], mdps.discount[chosen]
    )
