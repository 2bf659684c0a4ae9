"""Backtracking along the natural-gradient step (App. C, last step)."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from trpo_repro.optim.step import Outcome, StepResult
from trpo_repro.optim.surrogate import Evaluation, Surrogate


def searched_step(
    surrogate: Surrogate,
    full_step: Tensor,
    *,
    max_divergence: float,
    divergence: Callable[[Evaluation], float] = lambda evaluation: evaluation.kl_mean,
    shrink: float,
    max_backtracks: int,
    cg_residual: float = math.nan,
) -> StepResult:
    """Maximise L(θ) − X[KL(θ_old ‖ θ) ≤ δ] over θ_old + shrinkʲ · full_step, j = 0, 1, 2….

    X is 0 where the divergence is within bounds and +∞ elsewhere, so the first trial is taken that
    keeps KL ≤ δ on the whole batch and improves the surrogate. A trial that is not a number fails
    both comparisons. Where no trial is good enough, θ stays.

    Args:
        surrogate: L, and θ_old.
        full_step: (P,) float64, β s.
        max_divergence: δ, nats.
        divergence: What δ bounds: the mean KL (Eq. 12) unless said otherwise.
        shrink: Factor in (0, 1).
        max_backtracks: Shrinks at most.
        cg_residual: How well the step was solved for, to be passed on.
    """
    predicted_gain = float(surrogate.gradient @ full_step)
    for backtracks in range(max_backtracks + 1):
        theta = surrogate.theta_old + (shrink**backtracks * full_step).float()
        evaluation = surrogate.evaluate(theta)
        if divergence(evaluation) <= max_divergence and evaluation.gain > 0.0:
            return StepResult.accepted(
                theta,
                evaluation,
                predicted_gain=predicted_gain,
                backtracks=backtracks,
                cg_residual=cg_residual,
            )
    return StepResult(
        surrogate.theta_old,
        Outcome.LINE_SEARCH_FAILED,
        predicted_gain=predicted_gain,
        backtracks=max_backtracks,
        cg_residual=cg_residual,
    )
