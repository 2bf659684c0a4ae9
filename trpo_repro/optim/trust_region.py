"""One trust-region step: maximise L subject to mean KL ≤ δ (Eq. 12), solved as in App. C."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trpo_repro.optim.line_search import searched_step
from trpo_repro.optim.step import NaturalDirection, Outcome, StepResult, whole_step
from trpo_repro.optim.surrogate import Surrogate


@dataclass(frozen=True)
class TrustRegion:
    """TRPO's update.

    Attributes:
        stepsize: δ, nats.
        direction: How A⁻¹g is found.
        shrink: Line search: factor of a backtrack.
        max_backtracks: Line search: backtracks at most.
        line_search: Without it, the whole step βs is taken, whatever it does.
    """

    stepsize: float
    direction: NaturalDirection
    shrink: float
    max_backtracks: int
    line_search: bool = True

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take one step; `rng` picks the states for A."""
        found = self.direction.solve(surrogate, rng)
        if isinstance(found, Outcome):
            return StepResult(surrogate.theta_old, found)
        beta = math.sqrt(2.0 * self.stepsize / found.curvature)  # App. C: δ = ½ β² sᵀAs, A damped
        if not self.line_search:
            return whole_step(surrogate, beta * found.s, cg_residual=found.residual)
        return searched_step(
            surrogate,
            beta * found.s,
            max_divergence=self.stepsize,
            shrink=self.shrink,
            max_backtracks=self.max_backtracks,
            cg_residual=found.residual,
        )
