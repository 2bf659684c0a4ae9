"""A stochastic policy π_θ(a|s): a network that outputs μ, and the distribution that μ specifies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trpo_repro.policies.convolutional import ConvNet
from trpo_repro.policies.convolutions import Convolutions
from trpo_repro.policies.distributions import DiagonalGaussian, Distribution, FactoredCategorical
from trpo_repro.policies.networks import Mlp, Network
from trpo_repro.types import ActionSpace

Actor = Callable[[NDArray[Any], NDArray[np.float32]], NDArray[Any]]
"""(n, D) normalised observations and (n, A) noise to (n, A) actions, for fixed parameters."""


class Policy:
    """Maps (θ, observations) to μ; holds no parameters itself."""

    distribution: Distribution
    network: Network

    def __init__(
        self,
        observation_size: int,
        actions: ActionSpace,
        *,
        hidden_sizes: Sequence[int],
        initial_std: float = 1.0,
        convolutions: Convolutions | None = None,
    ) -> None:
        """Fix the architecture.

        Args:
            observation_size: D.
            actions: The task's action space.
            hidden_sizes: Widths of the fully connected layers; none gives a linear policy.
            initial_std: Standard deviation of a Gaussian policy at the start, each action alike.
            convolutions: Layers before those, where observations are images.
        """
        self.gaussian = actions.kind == "continuous"
        self.initial_std = initial_std
        if self.gaussian:
            self.distribution = DiagonalGaussian(actions.dimension)
        else:
            self.distribution = FactoredCategorical(actions.sizes)
        outputs = actions.dimension if self.gaussian else self.distribution.size
        if convolutions is None:
            self.network = Mlp(observation_size, hidden_sizes, outputs=outputs)
        else:
            self.network = ConvNet(convolutions, hidden_sizes, outputs=outputs)
        log_stds = actions.dimension if self.gaussian else 0
        self.parameter_count = self.network.parameter_count + log_stds

    def initial_parameters(self, rng: np.random.Generator) -> Tensor:
        """Draw θ: (parameter_count,) float32. Actions start almost independent of the state."""
        weights = self.network.initial_parameters(rng, output_gain=0.01)
        if not self.gaussian:
            return weights
        log_std = torch.full((self.distribution.size // 2,), math.log(self.initial_std))
        return torch.cat([weights, log_std])

    def mu(self, theta: Tensor, observations: Tensor) -> Tensor:
        """Return μ_θ(s), (n, dim μ), for (n, D) normalised observations."""
        if not self.gaussian:
            return self.network.forward(theta, observations)
        weights, log_std = theta.split([self.network.parameter_count, self.distribution.size // 2])
        mean = self.network.forward(weights, observations)
        return torch.cat([mean, log_std.expand_as(mean)], dim=-1)

    def actor(self, theta: NDArray[np.float32], *, greedy: bool = False) -> Actor:
        """Return the policy at (P,) `theta` as a function that samples, for use step by step.

        θ is taken apart once instead of at every step. `greedy` takes the mode, whatever the noise.
        """
        function = self.network.function(theta[: self.network.parameter_count])
        return self._actor(function, theta, greedy=greedy)

    def actors(self, thetas: NDArray[np.float32], *, greedy: bool) -> Actor:
        """Return an actor whose row i follows the i-th of the (n, P) `thetas`."""
        function = self.network.function(thetas[:, : self.network.parameter_count])
        return self._actor(function, thetas, greedy=greedy)

    def _actor(
        self,
        outputs: Callable[[NDArray[Any]], NDArray[np.float32]],
        thetas: NDArray[np.float32],
        *,
        greedy: bool,
    ) -> Actor:
        """Return what samples from the distribution that the network's `outputs` specify."""
        sample = self.distribution.sampler(
            thetas[..., self.network.parameter_count :], greedy=greedy
        )
        return lambda observations, noise: sample(outputs(observations), noise)


class LinearisedPolicy:
    """J = ∂μ/∂θ of a policy at one θ on one chunk of states.

    Attributes:
        mu: (n, dim μ) the distributions.
    """

    def __init__(self, policy: Policy, theta: Tensor, *, observations: Tensor) -> None:
        """Linearise `policy` at (P,) `theta` on (n, D) `observations`."""
        self._weights = policy.network.parameter_count
        self._network = policy.network.linearise(theta[: self._weights], observations)
        self._log_std = theta[self._weights :].expand(len(observations), -1)
        self.mu = torch.cat([self._network.outputs, self._log_std], dim=-1)

    def product(self, vector: Tensor) -> Tensor:
        """Return J v, (n, dim μ), of a (P,) `vector`."""
        network = self._network.product(vector[: self._weights])
        return torch.cat([network, vector[self._weights :].expand_as(self._log_std)], dim=-1)

    def transposed_product(self, mu: Tensor) -> Tensor:
        """Return Jᵀ w, (P,), of a (n, dim μ) `mu`."""
        outputs, log_std = mu.split([self._network.outputs.shape[1], self._log_std.shape[1]], -1)
        return torch.cat([self._network.transposed_product(outputs), log_std.sum(dim=0)])
