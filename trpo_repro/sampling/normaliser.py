"""Observation normalisation by the mean and variance of everything seen so far."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.types import Arrays, Floats, chunks

CLIP = 10.0  # standard deviations
CHUNK = 8192  # rows at a time: their float64 copy stays in the cache


@dataclass(frozen=True)
class Normaliser:
    """Running moments of observations, constant while a batch is sampled and learned from.

    Attributes:
        count: Observations seen; with none the normaliser is the identity.
        mean: (D,) float64.
        squares: (D,) float64, Σ (observation − mean)².
    """

    count: float
    mean: Floats
    squares: Floats

    @staticmethod
    def identity(size: int) -> Normaliser:
        """Return a normaliser that has seen nothing."""
        return Normaliser(0.0, np.zeros(size), np.zeros(size))

    def __call__(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return (n, D) float32 with mean 0 and variance 1 by the moments, within ±10."""
        if self.count == 0:
            return observations
        shift, scale = self._shift_and_scale
        normalised: NDArray[np.float32] = observations - shift
        normalised *= scale
        np.minimum(normalised, CLIP, out=normalised)
        np.maximum(normalised, -CLIP, out=normalised)
        return normalised

    @cached_property
    def _shift_and_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (D,) means and reciprocal standard deviations, in float32."""
        std = np.sqrt(self.squares / max(self.count, 1.0))
        # An entry that has never varied carries nothing to scale.
        scale = np.where(std > 1e-6, 1.0 / np.maximum(std, 1e-6), 1.0)
        return self.mean.astype(np.float32), scale.astype(np.float32)

    def updated(self, observations: NDArray[np.float32]) -> Normaliser:
        """Return the moments with (n, D) `observations` added."""
        moments = self
        for rows in chunks(len(observations), CHUNK):
            moments = moments._merged(observations[rows].astype(np.float64))
        return moments

    def _merged(self, observations: Floats) -> Normaliser:
        """Return the moments with a chunk added (Chan, Golub & LeVeque 1979)."""
        count = len(observations)
        mean = observations.mean(axis=0)
        observations -= mean
        squares = np.einsum("nd,nd->d", observations, observations)
        total = self.count + count
        gap = mean - self.mean
        return Normaliser(
            float(total),
            self.mean + gap * (count / total),
            self.squares + squares + gap**2 * (self.count * count / total),
        )

    def arrays(self) -> Arrays:
        """Return the moments for storage, by name."""
        return {
            "observation_count": np.array(self.count),
            "observation_mean": self.mean,
            "observation_squares": self.squares,
        }

    @staticmethod
    def from_arrays(arrays: Arrays) -> Normaliser:
        """Rebuild what `arrays` stored."""
        return Normaliser(
            float(arrays["observation_count"]),
            arrays["observation_mean"],
            arrays["observation_squares"],
        )
