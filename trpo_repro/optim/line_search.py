"""Backtracking along the natural-gradient step (App. C, last step)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from trpo_repro.optim.step import Outcome, StepResult
from trpo_repro.optim.surrogate import Evaluation, Surrogate


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
    """Take (P,) float64 `full_step` as far as `line_search` lets it, or stay."""
    reached = line_search(
        surrogate.evaluate,
        surrogate.theta_old,
        full_step,
        max_divergence=max_divergence,
        divergence=divergence,
        shrink=shrink,
        max_backtracks=max_backtracks,
    )
    predicted_gain = float(surrogate.gradient @ full_step)
    if reached.theta is None:
        return StepResult(
            surrogate.theta_old,
            Outcome.LINE_SEARCH_FAILED,
            predicted_gain=predicted_gain,
            backtracks=reached.backtracks,
            cg_residual=cg_residual,
        )
    return StepResult.accepted(
        reached.theta,
        reached.evaluation,
        predicted_gain=predicted_gain,
        backtracks=reached.backtracks,
        cg_residual=cg_residual,
    )


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
