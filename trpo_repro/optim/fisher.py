"""Products with the Fisher information matrix A, without the matrix (Sec. 6, App. C.1).

A = mean over states of Jᵀ M J, with J = ∂μ/∂θ. The analytic M is the Fisher information of the
action distribution in μ; the second term of Eq. (57) vanishes at θ_old and is never computed. The
empirical M is g gᵀ with g = ∂ log π(a|s)/∂μ at the action that was sampled.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import LinearisedPolicy, Policy
from trpo_repro.types import chunks

CHUNK = 4096  # states at a time

Metric = Callable[[slice, Tensor, Tensor], Tensor]
"""(rows, μ, tangent) to M · tangent, (n, dim μ)."""


class FisherProduct:
    """v → (mean over states of Jᵀ M J + damping · 1) v."""

    def __init__(
        self,
        policy: Policy,
        theta: Tensor,
        *,
        observations: Tensor,
        metric: Metric,
        damping: float,
        workers: Workers,
    ) -> None:
        """Linearise the policy at `theta` on (n, D) `observations`."""
        self._count, self._metric = len(observations), metric
        self._damping, self._workers = damping, workers

        def linearise(rows: slice) -> tuple[slice, LinearisedPolicy]:
            return rows, LinearisedPolicy(policy, theta, observations=observations[rows])

        slices = list(chunks(self._count, min(CHUNK, policy.network.chunk_rows)))
        self._parts = workers.map(linearise, workers.ranks.share(slices))

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product with a (P,) float64 `vector`, float64."""
        v = vector.float()

        def product(item: tuple[slice, LinearisedPolicy]) -> Tensor:
            rows, part = item
            tangent = self._metric(rows, part.mu, part.product(v))
            return part.transposed_product(tangent).double()

        total = self._workers.sum(product, self._parts).to(vector.device)
        return total / self._count + self._damping * vector


def analytic_metric(policy: Policy) -> Metric:
    """Return M integrated over the actions of each state: kl'' of Eq. (57)."""
    return lambda rows, mu, tangent: policy.distribution.fisher_product(mu, tangent)


def empirical_metric(policy: Policy, actions: Tensor) -> Metric:
    """Return M = g gᵀ at the sampled (n, A) `actions`: the covariance of the gradients."""

    def product(rows: slice, mu: Tensor, tangent: Tensor) -> Tensor:
        score = policy.distribution.score(mu, actions[rows])
        return score * (score * tangent).sum(dim=-1, keepdim=True)

    return product
