"""The step under a penalty on the KL, and the dual gradient step that adapts the penalty.

Sec. 4 of the paper turns the penalty of its theory, whose coefficient is fixed, into a constraint.
Dual gradient descent (S. Levine, CS 285, "Advanced Policy Gradients") keeps a penalty and moves its
coefficient λ, the constraint's Lagrange multiplier, by how far the constraint was missed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trpo_repro.optim.step import Outcome, StepResult, gradient_failure, whole_step
from trpo_repro.optim.surrogate import Surrogate

FIRST_TRIAL = 0.1
"""‖θ − θ_old‖ of the solver's first trial. At 1, its own choice, it leaps into maxima far away."""


@dataclass(frozen=True)
class KlPenalty:
    """Maximises L − λ·KL(old‖new), the mean KL over the batch; KL ≤ δ is aimed at, not promised.

    Attributes:
        stepsize: δ, nats: the mean KL that λ is adapted towards.
        penalty: λ > 0, in advantages per nat.
        dual_stepsize: α of the dual step, in (0, 1).
        max_iterations: Of the inner maximisation, which may stop early.
    """

    stepsize: float
    penalty: float
    dual_stepsize: float
    max_iterations: int

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take the step that the solver finds; nothing in it is random.

        `LINE_SEARCH_FAILED` says that on the whole batch it is no better than no step.
        """
        if failure := gradient_failure(surrogate):
            return StepResult(surrogate.theta_old, failure)
        result = whole_step(surrogate, self._maximise(surrogate))
        improved = result.gain - self.penalty * result.kl_mean > 0.0
        if result.outcome == Outcome.ACCEPTED and not improved:
            return StepResult(
                surrogate.theta_old,
                Outcome.LINE_SEARCH_FAILED,
                predicted_gain=result.predicted_gain,
            )
        return result

    def adapted(self, kl_mean: float) -> KlPenalty:
        """Return the rule with λ after a step of `kl_mean`: λ ← λ + αλ (KL − δ)/δ.

        The lecture's λ ← λ + α (KL − δ) with both sides in units of their own, so that one α
        serves every δ and every scale of λ; as α < 1, λ stays positive without being clipped.
        """
        excess = (kl_mean - self.stepsize) / self.stepsize
        return replace(self, penalty=self.penalty * (1.0 + self.dual_stepsize * excess))

    def _maximise(self, surrogate: Surrogate) -> Tensor:
        """Return θ* − θ_old, (P,) float64, by L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995)."""
        # Here, so that other algorithms need not wait for it at their start.
        from scipy.optimize import minimize

        theta_old = surrogate.theta_old.double()

        def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            theta = theta_old + FIRST_TRIAL * torch.from_numpy(x).to(theta_old.device)
            gain, gradient = surrogate.gain_and_gradient(theta, penalty=self.penalty)
            return -gain, -FIRST_TRIAL * gradient.cpu().numpy()

        solution = minimize(
            objective,
            np.zeros(len(theta_old)),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iterations, "ftol": 1e-9, "gtol": 1e-7},
        )
        return FIRST_TRIAL * torch.from_numpy(solution.x).to(theta_old.device)
