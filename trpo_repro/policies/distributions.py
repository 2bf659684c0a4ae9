"""Action distributions as functions of their parameter vector μ (App. C.1 and D).

A network maps a state to μ; everything here works row by row on (n, dim μ) tensors. M, the Fisher
information of the distribution in μ, is kl''(μ, μ_old) at μ = μ_old in Eq. (57).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

LOG_2PI = math.log(2.0 * math.pi)

ActionSampler = Callable[[NDArray[Any], NDArray[np.float32]], NDArray[Any]]
"""(n, …) outputs of a network and (n, A) noise to (n, A) actions."""


class Distribution(Protocol):
    """One family of action distributions.

    Attributes:
        size: dim μ.
    """

    size: int

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw `shape` + (A,) numbers that a sampler turns into actions."""

    def sampler(self, log_std: NDArray[np.float32], *, greedy: bool) -> ActionSampler:
        """Return what samples from the distributions of a network, or takes their modes.

        Args:
            log_std: (A,) or (n, A), what μ holds beside the network's outputs; else of width 0.
            greedy: Take the most probable action, whatever the noise.
        """

    def log_prob(self, mu: Tensor, actions: Tensor) -> Tensor:
        """Return (n,) log π(a|s) in nats."""

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return (n,) KL(old ‖ new) in nats, in that order."""

    def entropy(self, mu: Tensor) -> Tensor:
        """Return (n,) entropies in nats."""

    def fisher_product(self, mu: Tensor, tangent: Tensor) -> Tensor:
        """Return M·tangent, (n, dim μ)."""

    def score(self, mu: Tensor, actions: Tensor) -> Tensor:
        """Return ∂ log π(a|s)/∂μ, (n, dim μ)."""


class DiagonalGaussian:
    """N(mean, diag(std²)) with μ = [mean, log std] (App. D, with log std in place of std)."""

    def __init__(self, dimension: int) -> None:
        """Describe actions of `dimension` reals."""
        self.dimension = dimension
        self.size = 2 * dimension

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw standard normal numbers."""
        return rng.standard_normal((*shape, self.dimension), dtype=np.float32)

    def sampler(self, log_std: NDArray[np.float32], *, greedy: bool) -> ActionSampler:
        """Return mean + std · noise, or the mean, as a function of both."""
        if greedy:
            return lambda mean, noise: mean
        std = np.exp(log_std)
        return lambda mean, noise: mean + std * noise

    def log_prob(self, mu: Tensor, actions: Tensor) -> Tensor:
        """Return the log density."""
        mean, log_std = mu.chunk(2, dim=-1)
        z = (actions - mean) * torch.exp(-log_std)
        return -(0.5 * z.square() + log_std).sum(dim=-1) - 0.5 * LOG_2PI * self.dimension

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return Σ log(σ_new/σ_old) + (σ_old² + (m_old − m_new)²) / 2σ_new² − ½."""
        old_mean, old_log_std = old.chunk(2, dim=-1)
        new_mean, new_log_std = new.chunk(2, dim=-1)
        shrink = old_log_std - new_log_std
        distance = (old_mean - new_mean) * torch.exp(-new_log_std)
        # expm1 keeps the tiny divergences of small steps from drowning in 1 - 1.
        return 0.5 * (torch.expm1(2.0 * shrink) - 2.0 * shrink + distance.square()).sum(dim=-1)

    def entropy(self, mu: Tensor) -> Tensor:
        """Return the differential entropy."""
        log_std = mu[..., self.dimension :]
        return log_std.sum(dim=-1) + 0.5 * (1.0 + LOG_2PI) * self.dimension

    def fisher_product(self, mu: Tensor, tangent: Tensor) -> Tensor:
        """Return M·tangent with M = diag(1/σ², 2)."""
        log_std = mu[..., self.dimension :]
        mean_part, log_std_part = tangent.chunk(2, dim=-1)
        return torch.cat([mean_part * torch.exp(-2.0 * log_std), 2.0 * log_std_part], dim=-1)

    def score(self, mu: Tensor, actions: Tensor) -> Tensor:
        """Return [z/σ, z² − 1] with z = (a − mean)/σ."""
        mean, log_std = mu.chunk(2, dim=-1)
        inverse_std = torch.exp(-log_std)
        z = (actions - mean) * inverse_std
        return torch.cat([z * inverse_std, z.square() - 1.0], dim=-1)


class FactoredCategorical:
    """One independent categorical per factor of the action, μ their logits (App. D).

    Deviation: the paper's μ are the probabilities after the softmax, ours the logits before it.
    J and M change with it, JᵀMJ does not.
    """

    def __init__(self, categories: Sequence[int]) -> None:
        """Describe actions of one category for each entry of `categories`."""
        self.categories = list(categories)
        self.size = sum(categories)
        # The factors as rows of one table, short ones filled up with a column beyond μ's.
        width = max(self.categories)
        begins = np.cumsum([0, *self.categories[:-1]])
        place, ends = np.arange(width), np.array(self.categories)[:, None]
        self._table = torch.from_numpy(
            np.where(place < ends, begins[:, None] + place, self.size).astype(np.int64)
        )
        self._open = torch.from_numpy(place >= ends - 1)  # above these no category lies

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw numbers uniform on [0, 1)."""
        return rng.random((*shape, len(self.categories)), dtype=np.float32)

    def sampler(self, log_std: NDArray[np.float32], *, greedy: bool) -> ActionSampler:
        """Return `sample`, or `mode`, on arrays."""
        if greedy:
            return lambda mu, noise: self.mode(torch.from_numpy(mu)).numpy()
        return lambda mu, noise: self.sample(torch.from_numpy(mu), torch.from_numpy(noise)).numpy()

    def sample(self, mu: Tensor, noise: Tensor) -> Tensor:
        """Invert each factor's cumulative distribution at its noise."""
        logits = functional.pad(mu, (0, 1), value=-math.inf)[..., self._table]
        cumulative = logits.softmax(dim=-1).cumsum(dim=-1).masked_fill(self._open, math.inf)
        return (noise[..., None] >= cumulative).sum(dim=-1)

    def mode(self, mu: Tensor) -> Tensor:
        """Return each factor's likeliest category."""
        return torch.stack([logits.argmax(dim=-1) for logits in self._split(mu)], dim=-1)

    def log_prob(self, mu: Tensor, actions: Tensor) -> Tensor:
        """Return the sum of the factors' log probabilities."""
        terms = []
        for factor, logits in enumerate(self._split(mu)):
            chosen = actions[..., factor, None]
            # take_along_dim, not gather: several actions may share one μ.
            log_p = torch.take_along_dim(logits.log_softmax(dim=-1), chosen, dim=-1)
            terms.append(log_p[..., 0])
        return torch.stack(terms).sum(dim=0)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """Return Σ p_old (log p_old − log p_new), over categories and factors."""
        total = old.new_zeros(old.shape[:-1])
        for old_logits, new_logits in zip(self._split(old), self._split(new), strict=True):
            old_log, new_log = old_logits.log_softmax(dim=-1), new_logits.log_softmax(dim=-1)
            total = total + (old_log.exp() * (old_log - new_log)).sum(dim=-1)
        return total

    def entropy(self, mu: Tensor) -> Tensor:
        """Return −Σ p log p, over categories and factors."""
        total = mu.new_zeros(mu.shape[:-1])
        for logits in self._split(mu):
            log_probabilities = logits.log_softmax(dim=-1)
            total = total - (log_probabilities.exp() * log_probabilities).sum(dim=-1)
        return total

    def fisher_product(self, mu: Tensor, tangent: Tensor) -> Tensor:
        """Return M·tangent with M = diag(p) − ppᵀ for each factor."""
        products = []
        for logits, direction in zip(self._split(mu), self._split(tangent), strict=True):
            p = logits.softmax(dim=-1)
            weighted = p * direction
            products.append(weighted - p * weighted.sum(dim=-1, keepdim=True))
        return torch.cat(products, dim=-1)

    def score(self, mu: Tensor, actions: Tensor) -> Tensor:
        """Return one-hot(a) − p for each factor."""
        parts = []
        for factor, logits in enumerate(self._split(mu)):
            chosen = torch.nn.functional.one_hot(actions[..., factor], logits.shape[-1])
            parts.append(chosen - logits.softmax(dim=-1))
        return torch.cat(parts, dim=-1)

    def _split(self, mu: Tensor) -> tuple[Tensor, ...]:
        """Return the columns of each factor."""
        columns: tuple[Tensor, ...] = mu.split(self.categories, dim=-1)
        return columns
