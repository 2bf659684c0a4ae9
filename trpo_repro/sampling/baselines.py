"""State-dependent baselines V(s): none, linear least squares, or a small network.

Each is a function of an array of coefficients. A batch's advantages use the coefficients fitted on
the batch before; the new fit comes after, so that no return is subtracted from itself.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trpo_repro.errors import ConfigError
from trpo_repro.parallel import Workers
from trpo_repro.policies.networks import Mlp
from trpo_repro.types import Floats, chunks

CHUNK = 16384  # rows at a time: their features stay in the cache


class Baseline(Protocol):
    """Predicts the discounted return from a state and its age in the episode."""

    def initial(self, rng: np.random.Generator) -> Floats:
        """Return the coefficients before any fit; they predict zero, or nearly."""

    def predict(self, coefficients: Floats, observations: Floats, *, age: Floats) -> Floats:
        """Return (n,) float64 values.

        Args:
            coefficients: What `initial` or `fit` returned.
            observations: (n, D) float32, normalised.
            age: (n,) steps since the reset, divided by the horizon.
        """

    def fit(
        self,
        coefficients: Floats,
        observations: Floats,
        *,
        age: Floats,
        returns: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """Return coefficients fitted to (n,) `returns`."""


class NoBaseline:
    """V = 0."""

    def __init__(self, observation_size: int, workers: Workers) -> None:
        """Take what every baseline takes."""

    def initial(self, rng: np.random.Generator) -> Floats:
        """Return no coefficients."""
        return np.zeros(0)

    def predict(self, coefficients: Floats, observations: Floats, *, age: Floats) -> Floats:
        """Return zeros."""
        return np.zeros(len(observations))

    def fit(
        self,
        coefficients: Floats,
        observations: Floats,
        *,
        age: Floats,
        returns: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """Return no coefficients."""
        return np.zeros(0)


class LinearBaseline:
    """Least squares on the observation, its square, and the first three powers of time.

    The features are those of Duan et al., "Benchmarking Deep Reinforcement Learning for
    Continuous Control" (2016), Sec. 3; a small ridge keeps constant features harmless.
    """

    RIDGE = 1e-5  # relative to the number of rows
    MOST_FEATURES = 10_000  # their normal equations take 0.8 GB

    def __init__(self, observation_size: int, workers: Workers) -> None:
        """Serve observations of `observation_size` numbers.

        Raises:
            ConfigError: They are too many.
        """
        self.size = 2 * observation_size + 4
        if self.size > self.MOST_FEATURES:
            raise ConfigError(
                f"estimator.baseline=linear cannot be fitted to {observation_size:,} numbers",
                fix="use estimator.baseline=mlp or none",
            )
        self._workers = workers

    def initial(self, rng: np.random.Generator) -> Floats:
        """Return zeros."""
        return np.zeros(self.size)

    def predict(self, coefficients: Floats, observations: Floats, *, age: Floats) -> Floats:
        """Return features · coefficients."""

        def product(rows: slice) -> Floats:
            return self._features(observations[rows], age[rows]) @ coefficients

        mine = self._workers.ranks.share(list(chunks(len(observations), CHUNK)))
        return np.concatenate(self._workers.gather(product, mine))

    def fit(
        self,
        coefficients: Floats,
        observations: Floats,
        *,
        age: Floats,
        returns: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """Solve the normal equations, summed over chunks in float64."""

        def moments(rows: slice) -> Floats:
            features = self._features(observations[rows], age[rows])
            return np.column_stack([features.T @ features, features.T @ returns[rows]])

        mine = self._workers.ranks.share(list(chunks(len(returns), CHUNK)))
        total = sum(self._workers.gather(moments, mine), np.zeros((self.size, self.size + 1)))
        gram, target = total[:, :-1], total[:, -1]
        gram[np.diag_indices(self.size)] += self.RIDGE * len(returns)
        return np.asarray(np.linalg.solve(gram, target))

    def _features(self, observations: Floats, age: Floats) -> Floats:
        """Return the (n, size) regressors in float64."""
        width = observations.shape[1]
        features = np.empty((len(observations), self.size))
        features[:, :width] = observations
        np.square(features[:, :width], out=features[:, width : 2 * width])
        features[:, -4] = 1.0
        features[:, -3] = age
        features[:, -2] = age**2
        features[:, -1] = age**3
        return features


class MlpBaseline:
    """A tanh network of two layers of 64, fitted by Adam on standardised returns."""

    HIDDEN = (64, 64)
    EPOCHS = 5
    MINIBATCH = 512
    LEARNING_RATE = 1e-3

    def __init__(self, observation_size: int, workers: Workers) -> None:
        """Serve observations of `observation_size` numbers."""
        self._network = Mlp(observation_size + 1, self.HIDDEN, outputs=1)
        self._workers = workers

    def initial(self, rng: np.random.Generator) -> Floats:
        """Return [shift, scale, weights]: scale 0 predicts zero."""
        weights = self._network.initial_parameters(rng, output_gain=1.0).numpy()
        return np.concatenate([[0.0, 0.0], weights])

    def predict(self, coefficients: Floats, observations: Floats, *, age: Floats) -> Floats:
        """Return shift + scale · network."""
        shift, scale = coefficients[:2]
        weights = torch.from_numpy(coefficients[2:].astype(np.float32))

        def evaluate(rows: slice) -> Floats:
            with torch.inference_mode():
                outputs = self._network.forward(weights, _inputs(observations[rows], age[rows]))
            return outputs[:, 0].numpy().astype(np.float64)

        mine = self._workers.ranks.share(list(chunks(len(observations), CHUNK)))
        parts = self._workers.gather(evaluate, mine)
        return np.asarray(shift + scale * np.concatenate(parts))

    def fit(
        self,
        coefficients: Floats,
        observations: Floats,
        *,
        age: Floats,
        returns: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """Continue from the old weights for a few epochs of shuffled minibatches."""
        shift, scale = float(returns.mean()), max(float(returns.std()), 1e-8)
        targets = torch.from_numpy(((returns - shift) / scale).astype(np.float32))
        inputs = _inputs(observations, age)
        weights = torch.from_numpy(coefficients[2:].astype(np.float32)).requires_grad_()
        optimiser = torch.optim.Adam([weights], lr=self.LEARNING_RATE)
        count = math.ceil(len(returns) / self.MINIBATCH)
        for _ in range(self.EPOCHS):
            for rows in np.array_split(rng.permutation(len(returns)), count):
                picked = torch.from_numpy(rows)
                optimiser.zero_grad()
                outputs = self._network.forward(weights, inputs[picked])[:, 0]
                torch.mean((outputs - targets[picked]).square()).backward()
                optimiser.step()
        return np.concatenate([[shift, scale], weights.detach().numpy()])


def _inputs(observations: Floats, age: Floats) -> Tensor:
    """Return the network's inputs: the observation and the age, as one float32 tensor."""
    return torch.from_numpy(np.column_stack([observations, age]).astype(np.float32))


BASELINES: dict[str, type[NoBaseline] | type[LinearBaseline] | type[MlpBaseline]] = {
    "none": NoBaseline,
    "linear": LinearBaseline,
    "mlp": MlpBaseline,
}
