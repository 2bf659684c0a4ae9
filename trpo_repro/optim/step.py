"""What every update has in common: its outcomes, its result, and the natural direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trpo_repro.optim.conjugate_gradient import conjugate_gradient
from trpo_repro.optim.fisher import FisherProduct, analytic_metric, empirical_metric
from trpo_repro.optim.surrogate import Evaluation, SinglePathSurrogate, Surrogate


class Outcome(StrEnum):
    """How an update ended. All but `ACCEPTED` leave the old parameters exactly as they were."""

    ACCEPTED = "accepted"
    ZERO_GRADIENT = "zero_gradient"
    NOT_FINITE = "not_finite"
    NEGATIVE_CURVATURE = "negative_curvature"
    LINE_SEARCH_FAILED = "line_search_failed"


@dataclass(frozen=True)
class StepResult:
    """The new parameters and how they came about.

    Attributes:
        theta: (P,) float32; θ_old itself unless the outcome is `ACCEPTED`.
        outcome: Whether and why.
        predicted_gain: The gain by the linear model, gᵀ(θ − θ_old) of the first trial.
        gain: Measured L(θ) − L(θ_old); 0 when no step was taken.
        kl_mean: Measured mean KL(old‖new), nats; 0 when no step was taken.
        kl_max: Measured maximum over states, nats; likewise.
        backtracks: Times that the line search shrank the step; None where none searched.
        cg_residual: ‖g − A s‖ / ‖g‖ after conjugate gradients; NaN without any.
    """

    theta: Tensor
    outcome: Outcome
    predicted_gain: float = 0.0
    gain: float = 0.0
    kl_mean: float = 0.0
    kl_max: float = 0.0
    backtracks: int | None = None
    cg_residual: float = math.nan

    @staticmethod
    def accepted(
        theta: Tensor,
        evaluation: Evaluation,
        *,
        predicted_gain: float,
        backtracks: int | None = None,
        cg_residual: float = math.nan,
    ) -> StepResult:
        """Return the result of a step to `theta`, evaluated there on the whole batch."""
        return StepResult(
            theta,
            Outcome.ACCEPTED,
            predicted_gain,
            evaluation.gain,
            evaluation.kl_mean,
            evaluation.kl_max,
            backtracks,
            cg_residual,
        )


class UpdateRule(Protocol):
    """Turns a surrogate into new parameters."""

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take one step from the surrogate's θ_old, drawing from `rng` what is random in it."""


def gradient_failure(surrogate: Surrogate) -> Outcome | None:
    """Return why no step can follow the surrogate's gradient, or None where one can."""
    if not bool(torch.isfinite(surrogate.gradient).all()):
        return Outcome.NOT_FINITE
    return None if bool(surrogate.gradient.any()) else Outcome.ZERO_GRADIENT


def whole_step(
    surrogate: Surrogate, full_step: Tensor, *, cg_residual: float = math.nan
) -> StepResult:
    """Take (P,) float64 `full_step`, whatever it does, unless its policy is not a number."""
    theta = surrogate.theta_old + full_step.to(surrogate.theta_old.dtype)
    evaluation = surrogate.evaluate(theta)
    if not bool(torch.isfinite(torch.tensor(evaluation)).all()):
        return StepResult(surrogate.theta_old, Outcome.NOT_FINITE, cg_residual=cg_residual)
    predicted_gain = float(surrogate.gradient @ full_step)
    return StepResult.accepted(
        theta, evaluation, predicted_gain=predicted_gain, cg_residual=cg_residual
    )


@dataclass(frozen=True)
class Direction:
    """The natural-gradient direction.

    Attributes:
        s: (P,) float64, s ≈ A⁻¹g.
        curvature: sᵀAs.
        residual: ‖g − A s‖ / ‖g‖.
    """

    s: Tensor
    curvature: float
    residual: float


@dataclass(frozen=True)
class NaturalDirection:
    """Solves A s = g by conjugate gradients (App. C, step 1).

    Attributes:
        cg_iterations: k.
        damping: Multiple of the identity added to A, not in the paper. It is in sᵀAs too, and so in
            β: the more damping, the farther below δ a step's KL ends.
        fisher_fraction: Share of the states that A is averaged over (App. C.1).
        empirical: The covariance of sampled gradients instead of the analytic matrix (Sec. 6).
    """

    cg_iterations: int
    damping: float
    fisher_fraction: float
    empirical: bool = False

    def solve(self, surrogate: Surrogate, rng: np.random.Generator) -> Direction | Outcome:
        """Return the direction, or the outcome that says why there is none."""
        if failure := gradient_failure(surrogate):
            return failure
        g, fisher = surrogate.gradient, self.fisher(surrogate, rng)
        s, image, residual, _ = conjugate_gradient(fisher, g, iterations=self.cg_iterations)
        curvature = float(s @ image)  # sᵀAs, damping included
        if not math.isfinite(curvature):
            return Outcome.NOT_FINITE
        if curvature <= 0.0:
            return Outcome.NEGATIVE_CURVATURE
        return Direction(s, curvature, residual)

    def fisher(self, surrogate: Surrogate, rng: np.random.Generator) -> FisherProduct:
        """Return A's product on a random share of the states; all else sees every state."""
        count = len(surrogate.observations)
        size = max(1, round(self.fisher_fraction * count))
        picked = np.sort(rng.choice(count, size, replace=False, shuffle=False))
        rows = torch.from_numpy(picked).to(surrogate.theta_old.device)
        if self.empirical:
            assert isinstance(surrogate, SinglePathSurrogate), "needs one sampled action a state"
            metric = empirical_metric(surrogate.policy, surrogate.batch.actions[rows])
        else:
            metric = analytic_metric(surrogate.policy)
        return FisherProduct(
            surrogate.policy,
            surrogate.theta_old,
            observations=surrogate.observations[rows],
            metric=metric,
            damping=self.damping,
            workers=surrogate.workers,
        )
