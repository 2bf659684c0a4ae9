"""Products with the Fisher information matrix A, without the matrix (App. C.1).

A = mean over states of Jᵀ M J, with J = ∂μ/∂θ and M the Fisher information of the action
distribution in μ. The second term of Eq. (57) vanishes at θ_old and is never computed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import chunks

CHUNK = 8192  # states at a time


class _LinearisedPolicy:
    """J and Jᵀ of μ_θ on one chunk of states, at one θ; activations are computed once.

    Jᵀu is backpropagation. It is linear in u, so differentiating ⟨Jᵀu, v⟩ by u gives Jv: reverse
    mode twice, at about the price of one forward pass, and unlike torch's forward mode safe to
    use from several threads.
    """

    def __init__(self, policy: Policy, theta: Tensor, observations: Tensor) -> None:
        self.theta = theta.clone().requires_grad_()
        mu = policy.mu(self.theta, observations)
        self.u = torch.zeros_like(mu, requires_grad=True)
        (self.back,) = torch.autograd.grad(mu, self.theta, self.u, create_graph=True)
        self.output = mu
        self.mu = mu.detach()

    def jacobian_product(self, v: Tensor) -> Tensor:
        """Return J v, (n, dim μ)."""
        return torch.autograd.grad(self.back, self.u, v, retain_graph=True)[0]

    def transposed_product(self, w: Tensor) -> Tensor:
        """Return Jᵀ w, (P,)."""
        return torch.autograd.grad(self.output, self.theta, w, retain_graph=True)[0]


class AnalyticFisher:
    """v → (A + damping · 1) v, A integrated over the actions of each state (Sec. 6)."""

    def __init__(
        self,
        policy: Policy,
        theta: Tensor,
        observations: Tensor,
        *,
        damping: float,
        workers: Workers,
    ) -> None:
        """Linearise the policy at `theta` on (n, D) `observations`."""
        self.damping, self.count = damping, len(observations)
        self._distribution, self._workers = policy.distribution, workers

        def linearise(rows: slice) -> _LinearisedPolicy:
            return _LinearisedPolicy(policy, theta, observations[rows])

        self._parts = workers.map(linearise, chunks(self.count, CHUNK))

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product with a (P,) float64 `vector`, float64."""
        v = vector.float()

        def product(part: _LinearisedPolicy) -> Tensor:
            tangent = part.jacobian_product(v)
            return part.transposed_product(
                self._distribution.fisher_product(part.mu, tangent)
            ).double()

        total = torch.stack(self._workers.map(product, self._parts)).sum(dim=0)
        return total / self.count + self.damping * vector
