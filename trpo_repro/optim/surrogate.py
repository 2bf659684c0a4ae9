"""Surrogate objectives L, their gradient, and the KL divergence, over a whole batch.

A batch is worked through in chunks that fit the cache, on several threads. Within a chunk sums have
the precision of θ, float32 unless a solver brings more; `evaluate` alone sums the KL in float64.
The chunks' sums are added in float64 and in order, so that the number of threads moves no bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trpo_repro.parallel import Workers
from trpo_repro.policies.observations import Observations
from trpo_repro.policies.policy import Policy
from trpo_repro.types import chunks

CHUNK = 8192  # rows at a time


@dataclass(frozen=True)
class Batch:
    """What single path's update sees.

    Attributes:
        observations: (N, D) normalised, or pixels.
        actions: (N, A) as sampled.
        advantages: (N,) float32.
    """

    observations: Observations
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


class Surrogate(ABC):
    """L_old(θ) as a mean over states, of whichever estimator the subclass is.

    States are averaged as visited, without the weights γ^t of the discounted ρ (Eq. 2, 14).

    Attributes:
        theta_old: (P,) float32, the parameters that sampled.
        observations: (N, D) the states.
        mu_old: (N, dim μ) float32, the distributions that sampled.
        gradient: (P,) float64, g = ∇L at θ_old.
    """

    def __init__(
        self, policy: Policy, theta_old: Tensor, *, observations: Observations, workers: Workers
    ) -> None:
        """Compute μ_old and, with the same pass, the gradient.

        Raises:
            AssertionError: θ_old does not give μ_old again, so that the ratio is not exactly 1.
        """
        self.policy, self.theta_old, self.workers = policy, theta_old, workers
        self.observations = observations
        slices = list(chunks(len(observations), min(CHUNK, policy.network.chunk_rows)))
        self.slices = workers.ranks.share(slices)  # only these rows of `mu_old` are filled
        size = (len(observations), policy.distribution.size)
        self.mu_old = torch.empty(size, device=theta_old.device)
        gradient = workers.sum(self._old_part, self.slices)
        self.gradient = gradient.to(theta_old.device) / len(observations)
        # One chunk, computed afresh, stands for all: the passes are the same function of θ.
        for first in self.slices[:1]:
            with torch.no_grad():
                again = policy.mu(theta_old, observations[first])
            assert torch.equal(again, self.mu_old[first]), "π_θ/π_old is not 1 at θ_old"

    @abstractmethod
    def _remember(self, rows: slice, mu: Tensor) -> None:
        """Keep what `_gain` needs of the old distributions `mu` of `rows`."""

    @abstractmethod
    def _gain(self, rows: slice, mu: Tensor) -> Tensor:
        """Return the sum over `rows` of their part of L(θ) − L(θ_old)."""

    def evaluate(self, theta: Tensor) -> Evaluation:
        """Return gain and divergence of `theta`, on every row of the batch."""

        def part(rows: slice) -> NDArray[np.float64]:
            with torch.no_grad():
                mu = self.policy.mu(theta, self.observations[rows])
                kl = self.policy.distribution.kl(self.mu_old[rows], mu)
                gain = self._gain(rows, mu)
                parts = [gain.double(), kl.sum(dtype=torch.float64), kl.max().double()]
                return torch.stack(parts).cpu().numpy()

        parts = [p.tolist() for p in self.workers.gather(part, self.slices)]
        count = len(self.observations)
        gain, kl_sum = sum(p[0] for p in parts), sum(p[1] for p in parts)
        return Evaluation(gain / count, kl_sum / count, max(p[2] for p in parts))

    def entropy(self) -> float:
        """Return the mean entropy of the policy that sampled, nats."""

        def part(rows: slice) -> NDArray[Any]:
            values: NDArray[Any] = self.policy.distribution.entropy(self.mu_old[rows]).cpu().numpy()
            return values

        parts = self.workers.gather(part, self.slices)
        return float(torch.from_numpy(np.concatenate(parts)).mean())

    def gain_and_gradient(self, theta: Tensor, *, penalty: float = 0.0) -> tuple[float, Tensor]:
        """Return L(θ) − L(θ_old) − λ·KL(old‖new) and its gradient.

        Args:
            theta: (P,) of any precision, which is that of the computation.
            penalty: λ ≥ 0, of the mean KL over the batch.

        Returns:
            The penalised gain, and (P,) float64 its derivatives by θ.
        """

        def part(rows: slice) -> NDArray[np.float64]:
            leaf = theta.clone().requires_grad_()
            mu = self.policy.mu(leaf, self.observations[rows].to(theta.dtype))
            gain = self._gain(rows, mu)
            if penalty:
                gain = gain - penalty * self.policy.distribution.kl(self.mu_old[rows], mu).sum()
            gradient = torch.autograd.grad(gain, leaf)[0].double()
            return torch.cat([gain.detach().double()[None], gradient]).cpu().numpy()

        parts = torch.from_numpy(np.stack(self.workers.gather(part, self.slices)))
        count = len(self.observations)
        gradient = parts[:, 1:].contiguous().sum(dim=0).to(theta.device) / count
        return sum(parts[:, 0].tolist()) / count, gradient

    def _old_part(self, rows: slice) -> Tensor:
        """Remember the old distributions of `rows`; return their part of the gradient's sum."""
        theta = self.theta_old.clone().requires_grad_()
        mu = self.policy.mu(theta, self.observations[rows])
        self.mu_old[rows] = mu.detach()
        self._remember(rows, mu.detach())
        return torch.autograd.grad(self._gain(rows, mu), theta)[0].double()


class SinglePathSurrogate(Surrogate):
    """L_old(θ) = mean of π_θ(a|s)/π_old(a|s) · A(s, a) over the batch.

    This is Eq. 14 with q = π_old, and with A for Q as in Eq. 13, which Sec. 5 says changes the
    objective by a constant only.
    """

    def __init__(
        self, policy: Policy, theta_old: Tensor, *, batch: Batch, workers: Workers
    ) -> None:
        """Take a batch that the policy at `theta_old` sampled."""
        self.batch = batch
        self.log_prob_old = torch.empty(len(batch), device=theta_old.device)
        super().__init__(policy, theta_old, observations=batch.observations, workers=workers)

    def _remember(self, rows: slice, mu: Tensor) -> None:
        log_prob = self.policy.distribution.log_prob(mu, self.batch.actions[rows])
        self.log_prob_old[rows] = log_prob

    def _gain(self, rows: slice, mu: Tensor) -> Tensor:
        log_prob = self.policy.distribution.log_prob(mu, self.batch.actions[rows])
        ratio_minus_one = torch.expm1(log_prob - self.log_prob_old[rows])
        return torch.dot(ratio_minus_one, self.batch.advantages[rows].to(mu.dtype))
