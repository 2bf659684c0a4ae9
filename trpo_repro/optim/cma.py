"""CMA-ES (Hansen & Ostermeier 1996) by Hansen's own package `cma`, as a function of its history.

The package keeps its state in an object that only pickle could store. What decides that state is
short, though: the seed, the start, and the values that each generation was told. So these are the
state here, and the object is rebuilt by telling them again; while generations follow each other
it is kept at hand.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trpo_repro.seeding import stream
from trpo_repro.types import Floats


@dataclass
class CovarianceMatrixAdaptation:
    """CMA-ES that maximises.

    Attributes:
        initial_std: σ₀, the first standard deviation of every coordinate.
        population: Samples of one generation.
        diagonal: Adapt variances only (sep-CMA-ES): for many parameters.
        seed: Root of the samples' randomness.
    """

    initial_std: float
    population: int
    diagonal: bool
    seed: int
    _at_hand: tuple[Floats, Any] | None = field(default=None, repr=False)
    _asked: tuple[Any, list[Floats]] | None = field(default=None, repr=False)

    def ask(self, start: Floats, history: Floats) -> Floats:
        """Return the (population, P) samples of the generation after `history`.

        Args:
            start: (P,) float64, the mean of the first generation.
            history: (generations, population) values of the samples of each past generation.
        """
        strategy = self._after(start, history)
        samples = np.asarray(strategy.ask())
        self._at_hand = None  # having drawn, it is no longer what `history` leads to
        self._asked = (strategy, list(samples))
        return samples

    def tell(self, history: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Return the longer history, and the (P,) mean that it leads to."""
        assert self._asked is not None, "ask comes first"
        strategy, samples = self._asked
        strategy.tell(samples, (-values).tolist())  # the package minimises
        longer = np.concatenate([history, values[None]])
        self._at_hand = (longer, strategy)
        return longer, np.asarray(strategy.mean, dtype=np.float64)

    def _after(self, start: Floats, history: Floats) -> Any:
        """Return the package's object as it is after `history`."""
        if self._at_hand is not None and np.array_equal(self._at_hand[0], history):
            return self._at_hand[1]
        strategy = self._new(start)
        for values in history:
            strategy.tell(strategy.ask(), (-values).tolist())
        return strategy

    def _new(self, start: Floats) -> Any:
        """Return the package's object before its first generation, with a generator of its own."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package warns of optional packages
            import cma

        rng = stream(self.seed, "cma")
        options = {
            "popsize": self.population,
            "CMA_diagonal": self.diagonal,
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # leaves NumPy's global generator alone
            "verbose": -9,
            "maxiter": np.inf,
            "tolx": 0,
            "tolfun": 0,
            "tolfunhist": 0,
            "tolstagnation": np.inf,
            "tolflatfitness": np.inf,
        }
        return cma.CMAEvolutionStrategy(start, self.initial_std, options)
