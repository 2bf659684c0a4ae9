"""A stochastic policy π_θ(a|s): a network that outputs μ, and the distribution that μ specifies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from trpo_repro.policies.distributions import DiagonalGaussian, Distribution, FactoredCategorical
from trpo_repro.policies.networks import Mlp, feed_forward, feed_forward_each
from trpo_repro.types import ActionSpace

Actor = Callable[[Tensor, Tensor], Tensor]
"""(n, D) normalised observations and (n, A) noise to (n, A) actions, for one fixed θ."""


class Policy:
    """Maps (θ, observations) to μ; holds no parameters itself."""

    distribution: Distribution

    def __init__(
        self,
        observation_size: int,
        actions: ActionSpace,
        *,
        hidden_sizes: Sequence[int],
        initial_std: float,
    ) -> None:
        """Fix the architecture.

        Args:
            observation_size: D.
            actions: The task's action space.
            hidden_sizes: Widths of the tanh layers; none gives a linear policy.
            initial_std: Standard deviation of a Gaussian policy at the start, each action alike.
        """
        self.gaussian = actions.kind == "continuous"
        self.initial_std = initial_std
        if self.gaussian:
            self.distribution = DiagonalGaussian(actions.dimension)
            self.network = Mlp(observation_size, hidden_sizes, actions.dimension)
            self.parameter_count = self.network.parameter_count + actions.dimension
        else:
            self.distribution = FactoredCategorical(actions.sizes)
            self.network = Mlp(observation_size, hidden_sizes, self.distribution.size)
            self.parameter_count = self.network.parameter_count

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

    def actor(self, theta: Tensor, *, greedy: bool = False) -> Actor:
        """Return the policy at `theta` as a function that samples, for use step by step.

        The actions are those of `distribution.sample(mu(theta, …), noise)`, bit for bit; θ is taken
        apart once instead of at every step. `greedy` takes the mode and ignores the noise.
        """
        if self.gaussian:
            weights, log_std = theta.split(
                [self.network.parameter_count, self.distribution.size // 2]
            )
            layers, std = self.network.layers(weights), log_std.exp()
            if greedy:
                return lambda observations, noise: feed_forward(layers, observations)
            return lambda observations, noise: torch.addcmul(
                feed_forward(layers, observations), std, noise
            )
        choose = (
            (lambda mu, noise: self.distribution.mode(mu)) if greedy else (self.distribution.sample)
        )
        return lambda observations, noise: choose(self.mu(theta, observations), noise)

    def actors(self, thetas: Tensor, *, greedy: bool) -> Actor:
        """Return an actor whose row i follows the i-th of the (n, P) `thetas`."""
        layers = self.network.layers_of_each(thetas[:, : self.network.parameter_count])
        if not self.gaussian:
            if greedy:
                return lambda observations, noise: self.distribution.mode(
                    feed_forward_each(layers, observations)
                )
            return lambda observations, noise: self.distribution.sample(
                feed_forward_each(layers, observations), noise
            )
        std = thetas[:, self.network.parameter_count :].exp()
        if greedy:
            return lambda observations, noise: feed_forward_each(layers, observations)
        return lambda observations, noise: torch.addcmul(
            feed_forward_each(layers, observations), std, noise
        )
