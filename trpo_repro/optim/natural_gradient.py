"""The natural policy gradient with a fixed stepsize (Eq. 17; Kakade 2002)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trpo_repro.optim.step import NaturalDirection, Outcome, StepResult, whole_step
from trpo_repro.optim.surrogate import Surrogate


@dataclass(frozen=True)
class NaturalGradient:
    """θ_new = θ_old + (1/λ) A⁻¹ g: no constraint and no line search.

    Attributes:
        stepsize: 1/λ, for advantages of standard deviation 1.
        direction: How A⁻¹g is found.
    """

    stepsize: float
    direction: NaturalDirection

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take the step, whatever it does, unless its policy is not a number."""
        found = self.direction.solve(surrogate, rng)
        if isinstance(found, Outcome):
            return StepResult(surrogate.theta_old, found)
        full_step = self.stepsize * found.s  # Eq. (17)
        return whole_step(surrogate, full_step, cg_residual=found.residual)
