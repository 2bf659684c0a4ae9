"""The surrogate objective of Eq. (14), its gradient, and the KL divergence, over a whole batch.

A batch is worked through in chunks that fit the cache, on several threads; the chunks' float64
sums are added in order, so that the number of threads moves no bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import chunks

CHUNK = 8192  # rows at a time


@dataclass(frozen=True)
class Batch:
    """What the update sees.

    Attributes:
        observations: (N, D) float32, normalised.
        actions: (N, A) as sampled.
        advantages: (N,) float32.
    """

    observations: Tensor
    actions: Tensor
    advantages: Tensor

    def to(self, device: str) -> Batch:
        """Return the batch on `device` (itself where it is there already)."""
        return Batch(
            self.observations.to(device), self.actions.to(device), self.advantages.to(device)
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self.advantages)


class Evaluation(NamedTuple):
    """The surrogate and the divergence of one candidate θ.

    Attributes:
        gain: L(θ) − L(θ_old), in the unit of the advantages.
        kl_mean: mean over states of KL(π_old ‖ π_θ), nats.
        kl_max: the maximum over the batch's states, nats.
    """

    gain: float
    kl_mean: float
    kl_max: float


class Surrogate:
    """L_old(θ) = mean of π_θ(a|s)/π_old(a|s) · A(s, a) over one batch (Eq. 14).

    Actions were sampled from q = π_old, so the importance weight is the ratio of the two.
    """

    def __init__(self, policy: Policy, theta_old: Tensor, batch: Batch, workers: Workers) -> None:
        """Compute μ_old and log π_old of every row, and with the same pass g = ∇L at θ_old.

        Attributes:
            gradient: (P,) float64.

        Raises:
            AssertionError: The ratio π_θ/π_old is not exactly 1 at θ_old.
        """
        self.policy, self.theta_old, self.batch, self.workers = policy, theta_old, batch, workers
        self.slices = list(chunks(len(batch), CHUNK))
        device = theta_old.device
        self.mu_old = torch.empty(len(batch), policy.distribution.size, device=device)
        self.log_prob_old = torch.empty(len(batch), device=device)
        parts = workers.map(self._old_part, self.slices)
        self.gradient = torch.stack(parts).sum(dim=0) / len(batch)
        # One chunk, computed afresh, stands for all: the passes are the same function of θ.
        first = self.slices[0]
        with torch.no_grad():
            again = self._log_prob(theta_old, first)[1]
        assert torch.equal(again, self.log_prob_old[first]), "π_θ/π_old is not 1 at θ_old"

    def _old_part(self, rows: slice) -> Tensor:
        """Remember the old distribution of `rows`; return their part of Σ ∇(ratio · A)."""
        theta = self.theta_old.clone().requires_grad_()
        mu, log_prob = self._log_prob(theta, rows)
        self.mu_old[rows] = mu.detach()
        self.log_prob_old[rows] = log_prob.detach()
        # ∇(π_θ/π_old) = ∇ log π_θ where the ratio is 1.
        total = torch.dot(log_prob, self.batch.advantages[rows])
        return torch.autograd.grad(total, theta)[0].double()

    def evaluate(self, theta: Tensor) -> Evaluation:
        """Return gain and divergence of `theta`, on every row of the batch."""
        parts = self.workers.map(lambda rows: self._part(theta, rows), self.slices)
        count = len(self.batch)
        gain, kl_sum = sum(p[0] for p in parts), sum(p[1] for p in parts)
        return Evaluation(gain / count, kl_sum / count, max(p[2] for p in parts))

    def _part(self, theta: Tensor, rows: slice) -> tuple[float, float, float]:
        """Return the sums of (ratio − 1) · A and of the KL, and the KL's maximum, over `rows`."""
        with torch.no_grad():
            mu, log_prob = self._log_prob(theta, rows)
            ratio_minus_one = torch.expm1(log_prob - self.log_prob_old[rows])
            gain = torch.dot(ratio_minus_one, self.batch.advantages[rows])
            kl = self.policy.distribution.kl(self.mu_old[rows], mu)
            return float(gain), float(kl.sum(dtype=torch.float64)), float(kl.max())

    def _log_prob(self, theta: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """Return μ_θ(s) and log π_θ(a|s) of `rows`."""
        mu = self.policy.mu(theta, self.batch.observations[rows])
        return mu, self.policy.distribution.log_prob(mu, self.batch.actions[rows])
