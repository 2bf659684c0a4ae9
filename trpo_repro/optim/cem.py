"""The cross-entropy method with decreasing noise (Szita & Lőrincz 2006) as ask and tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trpo_repro.types import Floats


@dataclass(frozen=True)
class CrossEntropy:
    """A Gaussian with a diagonal covariance, refitted to its best samples.

    Attributes:
        population: Samples of one generation.
        elites: How many of the best the Gaussian is refitted to.
        extra_std: Standard deviation of the noise added to the samples at first.
        noise_generations: Generations over which that noise's standard deviation falls to zero,
            linearly; in Szita & Lőrincz (2006) the variance does.
    """

    population: int
    elites: int
    extra_std: float
    noise_generations: int

    def ask(
        self, mean: Floats, std: Floats, *, generation: int, rng: np.random.Generator
    ) -> Floats:
        """Draw (population, P) samples of generation number `generation` from 0."""
        left = max(0.0, 1.0 - generation / self.noise_generations)
        spread = np.sqrt(std**2 + (self.extra_std * left) ** 2)
        return mean + spread * rng.standard_normal((self.population, len(mean)))

    def tell(self, samples: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Return the (P,) mean and standard deviation of the samples of greatest value."""
        best = samples[np.argsort(-values, kind="stable")[: self.elites]]
        return best.mean(axis=0), best.std(axis=0)
