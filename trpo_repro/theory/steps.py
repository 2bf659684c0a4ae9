"""The exact step of Algorithm 1, and that of a trust region, on tabular policies.

Both maximise L over all policies, the one under a penalty and the other under a constraint on the
maximum KL(old‖new) (Eq. 11). At a given level κ of that maximum the states come apart: in each,
maximise Σ_a p(a) A(a) subject to Σ_a q(a) log(q(a) / p(a)) ≤ κ, with q the old policy. Setting the
Lagrangian's derivative to zero gives p(a) ∝ q(a) / (ν − A(a)) with ν > max A, and κ alone is left
to be found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trpo_repro.theory.bounds import THEOREM_1
from trpo_repro.theory.mdp import Array, MDPs, Pair, advantages, dot, visits

SMALLEST_LEVEL = 1e-14
"""From which on Algorithm 1's maximum KL is sought."""
STRENGTHS = (-18.0, 3.5)
"""Between which a state's tilt is sought: KL from 10⁻¹⁶ to all that floats can tell."""
ROOT_TOLERANCE = 1e-11  # of a logarithm
TINY = 1e-300  # has a logarithm
MAX_TRIALS = 100
SERIES_BELOW = 1e-2
SERIES = [*(-1 / k for k in range(9, 1, -1)), 0.0, 0.0]
"""log(1 − z) + z = −z²/2 − z³/3 − …, highest power first."""
_Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Tilt:
    """What each state's small problem gives.

    Attributes:
        policy: p(a|s), shape (n, s, a).
        kl: KL(q‖p), shape (n, s).
        multiplier: dΣpA/dκ, the price of KL in units of advantage, shape (n, s).
    """

    policy: Array
    kl: Array
    multiplier: Array


@dataclass(frozen=True)
class Step:
    """One iteration's new policy, and what it was to bring.

    Attributes:
        policy: π_{i+1}, shape (n, s, a).
        kl_max: D_KL^max(π_i, π_{i+1}), shape (n,).
        gain: M_i(π_{i+1}) − M_i(π_i) for Algorithm 1, L's gain for a trust region, shape (n,).
        gap: By how much at most the true maximum exceeds `gain`, shape (n,).
    """

    policy: Array
    kl_max: Array
    gain: Array
    gap: Array


def algorithm_1_step(mdps: MDPs, old: Array, *, penalty: Array) -> Step:
    """Return argmax_π L(π) − C KL^max(old, π), with a certificate.

    At the best level κ the states' prices of KL, w_s = ρ(s) dΣpA/dκ, add up to C. Duality certifies
    it: for prices that add up to at most C, L − Σ_s w_s KL_s is an upper bound of M, and the policy
    that is found maximises it. So no policy has more M by more than C KL^max − Σ_s w_s KL_s.

    Args:
        mdps: Where the policy acts.
        old: π_i, positive everywhere, shape (n, s, a).
        penalty: C, shape (n,).
    """
    advantage, visit = advantages(mdps, old), visits(mdps, old)

    def price(tilt: Tilt) -> Array:
        return dot(visit, tilt.multiplier)

    def surplus(log_level: Array) -> Array:
        total = price(tilt_to_kl(old, advantage, level=np.exp(log_level)))
        return np.log(penalty / np.maximum(total, TINY)) - ROOT_TOLERANCE  # in the end, total ≤ C

    most = dot(visit, advantage.max(-1)) / penalty  # a KL that costs all that L can gain
    low = np.full(len(mdps), np.log(SMALLEST_LEVEL))
    log_level = increasing_root(surplus, low, high=np.log(np.maximum(most, 2 * SMALLEST_LEVEL)))
    tilt = tilt_to_kl(old, advantage, level=np.exp(log_level))
    gain, kl_max = _surrogate_gain(visit, tilt.policy, advantage=advantage), tilt.kl.max(-1)
    gap = penalty * kl_max - dot(visit * tilt.multiplier, tilt.kl)
    return Step(tilt.policy, kl_max, gain - penalty * kl_max, gap)


def trust_region_step(mdps: MDPs, old: Array, *, delta: float) -> Step:
    """Return argmax_π L(π) subject to KL^max(old, π) ≤ δ (Eq. 11).

    Args:
        mdps: Where the policy acts.
        old: π_i, positive everywhere, shape (n, s, a).
        delta: δ, in nats.
    """
    advantage, visit = advantages(mdps, old), visits(mdps, old)
    tilt = tilt_to_kl(old, advantage, level=np.full(len(mdps), delta))
    gain, kl_max = _surrogate_gain(visit, tilt.policy, advantage=advantage), tilt.kl.max(-1)
    room = np.maximum(delta - tilt.kl, 0)
    gap = dot(visit * tilt.multiplier, room)
    return Step(tilt.policy, kl_max, gain, gap)


def penalty_coefficient(mdps: MDPs, old: Array) -> Array:
    """Return C = 4εγ / (1 − γ)², shape (n,)."""
    epsilon = np.abs(advantages(mdps, old)).max((-1, -2))
    penalty: Array = THEOREM_1 * epsilon * mdps.discount / (1 - mdps.discount) ** 2  # Algorithm 1
    return penalty


def tilt_to_kl(old: Array, advantage: Array, *, level: Array) -> Tilt:
    """Return in every state the policy of KL ≤ `level` with the greatest expected advantage.

    Args:
        old: q, shape (n, s, a).
        advantage: A with Σ_a q A = 0, shape (n, s, a).
        level: κ, shape (n,).
    """
    wanted = np.log(level)[:, None]

    def excess(strength: Array) -> Array:
        kl = tilt_by(old, advantage, strength=strength).kl
        return np.log(np.maximum(kl, TINY)) - wanted + ROOT_TOLERANCE  # in the end, KL ≤ κ

    low, high = (np.full(old.shape[:2], end) for end in STRENGTHS)
    return tilt_by(old, advantage, strength=increasing_root(excess, low, high=high))


def tilt_by(old: Array, advantage: Array, *, strength: Array) -> Tilt:
    """Return p(a) ∝ q(a) / (1 − y A(a) / max A), in which y = max A / ν is in (0, 1).

    KL(q‖p) = Σ q log(1 − z) + log Σ q / (1 − z) with z = y A / max A, and Σ q z = 0 turns both
    terms into sums of order z², in which nothing cancels.

    Args:
        old: q, shape (n, s, a).
        advantage: A, shape (n, s, a).
        strength: log(−log(1 − y)), in which log KL is nearly straight, shape (n, s).
    """
    top = advantage.max(-1, keepdims=True)
    flat = top <= 0  # no action is better than another: no reason to move
    top = np.where(flat, 1.0, top)
    power = -np.exp(strength[..., None])  # log(1 − y)
    y, share = -np.expm1(power), np.where(flat, 0.0, advantage / top)
    z = y * share
    rest = (1 - share) + share * np.exp(power)  # 1 − z, to full precision where y is nearly 1
    weights = old / rest
    normaliser = weights.sum(-1, keepdims=True)
    second = (weights * z**2).sum(-1)  # Σ q / (1 − z) − 1
    kl = (old * log_remainder(z, rest)).sum(-1) + np.log1p(second)
    multiplier = np.where(flat, 0.0, top / (y * normaliser))[..., 0]
    return Tilt(weights / normaliser, np.maximum(kl, 0), multiplier)


def log_remainder(z: Array, rest: Array) -> Array:
    """Return log(1 − z) + z, with `rest` = 1 − z: to full precision for z near 0 and near 1."""
    return np.where(np.abs(z) < SERIES_BELOW, np.polyval(SERIES, z), np.log(rest) + z)


def increasing_root(function: _Function, low: Array, *, high: Array) -> Array:
    """Return where an increasing function is within `ROOT_TOLERANCE` of zero (Illinois method).

    Where the zero lies outside of [low, high], that is the end that is nearer to it.
    """
    at_low, at_high = function(low), function(high)
    best = np.where(-at_low < at_high, low, high)
    settled = (at_low >= 0) | (at_high <= 0)
    last = np.zeros_like(low)
    for _ in range(MAX_TRIALS):
        if settled.all():
            break
        slope = np.where(settled, 1.0, at_high - at_low)
        middle = np.where(settled, best, high - at_high / slope * (high - low))
        value = function(middle)
        side = np.where(value >= 0, 1.0, -1.0)
        stays = np.where(side == last, 0.5, 1.0)  # an end that stays twice in a row counts half
        at_low = np.where(side > 0, at_low * stays, value)
        at_high = np.where(side > 0, value, at_high * stays)
        low, high = np.where(side > 0, low, middle), np.where(side > 0, middle, high)
        best, last = middle, side
        settled |= np.abs(value) <= ROOT_TOLERANCE
    return best


def improvement(mdps: MDPs, old: Array, *, step: Step) -> Array:
    """Return η(π_{i+1}) − η(π_i), shape (n,)."""
    pair = Pair(mdps, old, step.policy, np.zeros(len(mdps)))
    return pair.new_return - pair.old_return


def _surrogate_gain(visit: Array, policy: Array, *, advantage: Array) -> Array:
    """Return L(π) − L(old), shape (n,)."""
    return dot(visit, dot(policy, advantage))
