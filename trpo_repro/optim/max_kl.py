"""The step under a bound on the maximum KL over the visited states (Eq. 11).

Both the direction and the length respect the maximum: the constrained problem itself is solved, by
sequential quadratic programming (SciPy's SLSQP, Kraft 1988), with one constraint for each state of
a working set that grows by the worst offenders until no state of the batch is beyond the bound.
Made for the few parameters of cart-pole's policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trpo_repro.optim.line_search import searched_step
from trpo_repro.optim.step import StepResult, gradient_failure
from trpo_repro.optim.surrogate import Surrogate

OFFENDERS = 8  # states that join the working set at a time
ROUNDS = 20  # enlargements at most
SLACK = 1e-3  # share of δ by which a state may exceed it before it joins
SHRINK = 0.99  # the last line search only takes back the slack and the rounding


@dataclass(frozen=True)
class MaxKl:
    """Maximises L subject to KL(old‖new) ≤ δ in every state of the batch.

    Attributes:
        stepsize: δ, nats.
        max_backtracks: Shrinks by 0.99 at most, once the problem is solved.
    """

    stepsize: float
    max_backtracks: int

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        """Take the step; nothing in it is random."""
        if failure := gradient_failure(surrogate):
            return StepResult(surrogate.theta_old, failure)
        return searched_step(
            surrogate,
            self._solve(surrogate),
            divergence=lambda evaluation: evaluation.kl_max,
            max_divergence=self.stepsize,
            shrink=SHRINK,
            max_backtracks=self.max_backtracks,
        )

    def _solve(self, surrogate: Surrogate) -> Tensor:
        """Return θ* − θ_old, (P,) float64."""
        assert isinstance(surrogate.observations, Tensor), "max KL is not for screens"
        problem = _Problem(surrogate, self.stepsize)
        working = extreme_states(surrogate.observations)
        step = np.zeros(len(surrogate.theta_old))
        for _ in range(ROUNDS):
            step = problem.solve(working, step)
            kl = problem.divergences(step)
            offenders = np.argsort(-kl)[:OFFENDERS]
            offenders = offenders[kl[offenders] > self.stepsize * (1.0 + SLACK)]
            fresh = np.setdiff1d(offenders, working)
            if not len(fresh):
                break
            working = np.concatenate([working, fresh])
        return torch.from_numpy(step).to(surrogate.theta_old.device)


def extreme_states(observations: Tensor) -> NDArray[np.int64]:
    """Return the rows with the least and the greatest value of each coordinate."""
    rows = torch.cat([observations.argmin(dim=0), observations.argmax(dim=0)])
    return np.unique(rows.cpu().numpy())


class _Problem:
    """max L(θ_old + d) subject to KL ≤ δ in a working set of states, in float64, KL on the CPU."""

    def __init__(self, surrogate: Surrogate, stepsize: float) -> None:
        self.surrogate, self.stepsize = surrogate, stepsize
        self.theta_old = surrogate.theta_old.double().cpu()
        assert isinstance(surrogate.observations, Tensor)
        self.observations = surrogate.observations.double().cpu()
        with torch.no_grad():
            self.mu_old = surrogate.policy.mu(self.theta_old, self.observations)

    def divergences(self, step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (N,) KL(old‖new) of every state."""
        with torch.no_grad():
            theta = self.theta_old + torch.from_numpy(step)
            mu = self.surrogate.policy.mu(theta, self.observations)
            kl: NDArray[np.float64] = self.surrogate.policy.distribution.kl(self.mu_old, mu).numpy()
        return kl

    def solve(self, working: NDArray[np.int64], start: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the best d under the constraints of the `working` states.

        Whether the solver ends content is not asked (on cart-pole it does): the line search that
        follows looks at bound and gain itself, and takes any step that keeps the one and has some
        of the other.
        """
        # Here, so that other algorithms need not wait for it at their start.
        from scipy.optimize import minimize

        rows = torch.from_numpy(working)
        observations, mu_old = self.observations[rows], self.mu_old[rows]

        def slack(theta: Tensor) -> Tensor:
            mu = self.surrogate.policy.mu(theta, observations)
            # In units of δ, so that the solver's tolerances fit.
            return 1.0 - self.surrogate.policy.distribution.kl(mu_old, mu) / self.stepsize

        def objective(d: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            theta = (self.theta_old + torch.from_numpy(d)).to(self.surrogate.theta_old.device)
            gain, gradient = self.surrogate.gain_and_gradient(theta)
            return -gain, -gradient.cpu().numpy()

        def constraint(d: NDArray[np.float64]) -> NDArray[np.float64]:
            with torch.no_grad():
                return np.asarray(slack(self.theta_old + torch.from_numpy(d)))

        def jacobian(d: NDArray[np.float64]) -> NDArray[np.float64]:
            theta = self.theta_old + torch.from_numpy(d)
            return np.asarray(torch.autograd.functional.jacobian(slack, theta, vectorize=True))

        solution = minimize(
            objective,
            start,
            jac=True,
            method="SLSQP",
            constraints=[{"type": "ineq", "fun": constraint, "jac": jacobian}],
            options={"maxiter": 100, "ftol": 1e-9},
        )
        return np.asarray(solution.x)
