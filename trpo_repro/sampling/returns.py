"""Returns and advantages from complete episodes.

With λ = 1 the estimate of Q(s_t, a_t) is the discounted sum of rewards that followed (Sec. 5.1);
with λ < 1 it is generalised advantage estimation (Schulman et al., 2016), which has the former as
its limit. A time limit is not a terminal state: where one ended an episode, the rewards that
never came are valued by the baseline at the last state seen, V(s_T) (0 without a baseline).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.errors import RunFailed
from trpo_repro.types import Floats, Trajectories


def discounted_sums(
    increments: Floats, lengths: NDArray[np.int64], *, factor: float, tails: Floats
) -> Floats:
    """Return y_t = x_t + factor · y_{t+1} within each episode.

    Args:
        increments: (N,) x, episodes one after the other.
        lengths: (E,) rows of each episode.
        factor: Discount of one step.
        tails: (E,) the y that follows each episode's last row.

    Returns:
        (N,) float64.
    """
    result = np.empty(len(increments))
    last = np.cumsum(lengths) - 1
    longest_first = np.argsort(-lengths, kind="stable")
    rows, following = last[longest_first], tails[longest_first].astype(np.float64)
    # still_running[k]: how many episodes have more than k rows.
    still_running = np.searchsorted(-lengths[longest_first], -np.arange(lengths.max()), "left")
    for back, count in enumerate(still_running):
        here = rows[:count] - back
        following = increments[here] + factor * following[:count]
        result[here] = following
    return result


def advantages_and_returns(
    trajectories: Trajectories,
    values: Floats,
    *,
    final_values: Floats,
    discount: float,
    lambda_: float,
) -> tuple[Floats, Floats]:
    """Estimate advantages by GAE(λ), and the discounted returns that a baseline is fitted to.

    Args:
        trajectories: Complete episodes.
        values: (N,) the baseline V(s_t).
        final_values: (E,) V of the state after each episode's last step.
        discount: γ.
        lambda_: λ; 1 gives the Monte-Carlo estimate, Σ γ^l r_{t+l} − V(s_t).

    Returns:
        (N,) advantages and (N,) returns.
    """
    tails = np.where(trajectories.terminated, 0.0, final_values)
    lengths, rewards = trajectories.lengths, trajectories.rewards
    returns = discounted_sums(rewards, lengths, factor=discount, tails=tails)
    if lambda_ == 1.0:
        return returns - values, returns
    last = np.cumsum(lengths) - 1
    next_values = np.append(values[1:], 0.0)
    next_values[last] = tails
    residuals = rewards + discount * next_values - values
    nothing = np.zeros(len(lengths))
    gae = discounted_sums(residuals, lengths, factor=discount * lambda_, tails=nothing)
    return gae, returns


def standardised(values: Floats) -> NDArray[Any]:
    """Return `values` with mean 0 and standard deviation 1; constant ones become zeros.

    Raises:
        RunFailed: Their squares are beyond floating point, so that all would become zeros.
    """
    if values.max() == values.min():  # their spread is rounding at most
        return np.zeros_like(values)
    centred: NDArray[Any] = values - values.mean()
    with np.errstate(over="ignore"):
        deviation = values.std()
    if np.isinf(deviation):
        raise RunFailed(
            f"the advantages are as large as {np.abs(values).max():.1g}: the baseline has diverged",
            fix="use a longer task.horizon or estimator.baseline=none",
        )
    centred /= deviation
    return centred
