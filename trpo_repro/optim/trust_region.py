"""One trust-region step: maximise L subject to mean KL ≤ δ (Eq. 12), solved as in App. C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from trpo_repro.optim.conjugate_gradient import conjugate_gradient
from trpo_repro.optim.fisher import AnalyticFisher
from trpo_repro.optim.line_search import line_search
from trpo_repro.optim.surrogate import Surrogate


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
        predicted_gain: β gᵀs, the gain by the linear model.
        gain: Measured L(θ) − L(θ_old); 0 when no step was taken.
        kl_mean: Measured mean KL(old‖new), nats; 0 when no step was taken.
        kl_max: Measured maximum over states, nats; likewise.
        backtracks: Times that the line search shrank the step.
        cg_residual: ‖g − A s‖ / ‖g‖ after conjugate gradients.
    """

    theta: Tensor
    outcome: Outcome
    predicted_gain: float = 0.0
    gain: float = 0.0
    kl_mean: float = 0.0
    kl_max: float = 0.0
    backtracks: int = 0
    cg_residual: float = math.nan


@dataclass(frozen=True)
class TrustRegion:
    """The settings of the step.

    Attributes:
        stepsize: δ, nats.
        cg_iterations: k.
        damping: Multiple of the identity added to A.
        fisher_fraction: Share of the states that A is averaged over.
        shrink: Line search: factor of a backtrack.
        max_backtracks: Line search: backtracks at most.
    """

    stepsize: float
    cg_iterations: int
    damping: float
    fisher_fraction: float
    shrink: float
    max_backtracks: int

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take one step from the surrogate's θ_old; `rng` picks the states for A."""
        theta_old = surrogate.theta_old
        g = surrogate.gradient
        if not bool(torch.isfinite(g).all()):
            return StepResult(theta_old, Outcome.NOT_FINITE)
        if not bool(g.any()):
            return StepResult(theta_old, Outcome.ZERO_GRADIENT)

        fisher_product = self._fisher(surrogate, rng)
        s, residual, _ = conjugate_gradient(fisher_product, g, iterations=self.cg_iterations)
        curvature = float(s @ fisher_product(s))  # sᵀAs
        if not math.isfinite(curvature):
            return StepResult(theta_old, Outcome.NOT_FINITE, cg_residual=residual)
        if curvature <= 0.0:
            return StepResult(theta_old, Outcome.NEGATIVE_CURVATURE, cg_residual=residual)

        beta = math.sqrt(2.0 * self.stepsize / curvature)  # App. C: δ = ½ β² sᵀAs
        found = line_search(
            surrogate.evaluate,
            theta_old,
            beta * s,
            max_kl=self.stepsize,
            shrink=self.shrink,
            max_backtracks=self.max_backtracks,
        )
        predicted = beta * float(g @ s)
        if found.theta is None:
            return StepResult(
                theta_old,
                Outcome.LINE_SEARCH_FAILED,
                predicted_gain=predicted,
                backtracks=found.backtracks,
                cg_residual=residual,
            )
        return StepResult(
            found.theta,
            Outcome.ACCEPTED,
            predicted_gain=predicted,
            gain=found.evaluation.gain,
            kl_mean=found.evaluation.kl_mean,
            kl_max=found.evaluation.kl_max,
            backtracks=found.backtracks,
            cg_residual=residual,
        )

    def _fisher(self, surrogate: Surrogate, rng: np.random.Generator) -> AnalyticFisher:
        """Return A's product, on a random share of the states (App. C.1: 10%)."""
        count = len(surrogate.batch)
        size = max(1, round(self.fisher_fraction * count))
        rows = torch.from_numpy(np.sort(rng.choice(count, size, replace=False, shuffle=False)))
        observations = surrogate.batch.observations
        return AnalyticFisher(
            surrogate.policy,
            surrogate.theta_old,
            observations[rows.to(observations.device)],
            damping=self.damping,
            workers=surrogate.workers,
        )
