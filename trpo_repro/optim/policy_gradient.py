"""The standard policy gradient as the step under an ℓ2 bound (Sec. 7, Eq. 18)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trpo_repro.optim.step import StepResult, gradient_failure, whole_step
from trpo_repro.optim.surrogate import Surrogate


@dataclass(frozen=True)
class PolicyGradient:
    """Maximises g·(θ − θ_old) subject to ½‖θ − θ_old‖² ≤ δ (Eq. 18).

    The maximum is at θ_old + √(2δ) g/‖g‖: along the gradient, and of a length that does not depend
    on it. No bound on the KL and no line search.

    Attributes:
        stepsize: δ, in squared units of the parameters; not a divergence.
    """

    stepsize: float

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take the step, whatever it does, unless its policy is not a number; none is random."""
        if failure := gradient_failure(surrogate):
            return StepResult(surrogate.theta_old, failure)
        g = surrogate.gradient
        return whole_step(surrogate, math.sqrt(2.0 * self.stepsize) * g / g.norm())  # Eq. (18)
