"""Backtracking along the natural-gradient step (App. C, last step)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from trpo_repro.optim.surrogate import Evaluation


class Accepted(NamedTuple):
    """The point at which the line search stopped.

    Attributes:
        theta: (P,) float32 new parameters, or None where no trial was good enough.
        evaluation: Gain and divergence there, on the whole batch; of the last trial otherwise.
        backtracks: How many times the step was shrunk.
    """

    theta: Tensor | None
    evaluation: Evaluation
    backtracks: int


def line_search(
    evaluate: Callable[[Tensor], Evaluation],
    theta_old: Tensor,
    full_step: Tensor,
    *,
    max_divergence: float,
    divergence: Callable[[Evaluation], float] = lambda evaluation: evaluation.kl_mean,
    shrink: float,
    max_backtracks: int,
) -> Accepted:
    """Maximise L(θ) − X[KL(θ_old ‖ θ) ≤ δ] over θ_old + shrinkʲ · full_step, j = 0, 1, 2….

    X is 0 where the divergence is within bounds and +∞ elsewhere, so the first trial is taken that
    keeps KL ≤ δ on the whole batch and improves the surrogate. A trial that is not a number fails
    both comparisons.

    Args:
        evaluate: θ → gain and divergence on the whole batch.
        theta_old: (P,) float32.
        full_step: (P,) float64, β s.
        max_divergence: δ, nats.
        divergence: What δ bounds: the mean KL (Eq. 12) unless said otherwise.
        shrink: Factor in (0, 1).
        max_backtracks: Shrinks at most.
    """
    evaluation = Evaluation(math.nan, math.nan, math.nan)
    for backtracks in range(max_backtracks + 1):
        theta = theta_old + (shrink**backtracks * full_step).float()
        evaluation = evaluate(theta)
        if divergence(evaluation) <= max_divergence and evaluation.gain > 0.0:
            return Accepted(theta, evaluation, backtracks)
    return Accepted(None, evaluation, max_backtracks)
