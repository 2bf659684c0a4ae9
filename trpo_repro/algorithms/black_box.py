"""Derivative-free search over the policy's parameters: CEM and CMA-ES.

Both see a policy as a black box that returns the mean return of a few episodes. One member of each
generation is the search's own mean: it is scored, not selected from.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from trpo_repro.algorithms.common import iteration_streams, policy_arrays
from trpo_repro.optim.cem import CrossEntropy
from trpo_repro.optim.cma import CovarianceMatrixAdaptation
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.population import PopulationBatch, PopulationSampler
from trpo_repro.seeding import stream
from trpo_repro.types import Arrays, Floats, Row


@dataclass(frozen=True)
class BlackBox(ABC):
    """A search over θ, or over the network's weights alone where members play their mode.

    Attributes:
        sampler: Task, policy and threads.
        seed: Root of every random stream of the run.
        steps: Simulated steps of a generation, about.
        normalise_generations: Generations over which the observations' moments are learned. From
            then on they stay, so that a parameter keeps its meaning: a search whose spread has
            become small cannot follow a moving one. 0: policies see raw observations.
    """

    sampler: PopulationSampler
    seed: int
    steps: int
    normalise_generations: int

    @abstractmethod
    def _begin(self, start: Floats) -> Arrays:
        """Return the search's arrays before the first generation; `mean` is among them."""

    @abstractmethod
    def _ask(self, arrays: Arrays, iteration: int) -> Floats:
        """Return the (M, S) members of generation `iteration`."""

    @abstractmethod
    def _tell(self, arrays: Arrays, members: Floats, *, values: Floats) -> Arrays:
        """Return the search's arrays after its members scored (M,) `values`."""

    def initial(self) -> Arrays:
        """Draw the first policy; the search begins at it."""
        theta = self.sampler.policy.initial_parameters(stream(self.seed, "policy")).numpy()
        search = self._begin(theta[: self._searched].astype(np.float64))
        moments = Normaliser.identity(self.sampler.simulator.observation_size)
        expected_length = np.array(0.0)
        return {"theta": theta, **search, "expected_length": expected_length, **moments.arrays()}

    def policy(self, arrays: Arrays) -> Arrays:
        """Return the mean's θ and the observation moments."""
        return policy_arrays(arrays)

    def iterate(self, arrays: Arrays, iteration: int) -> tuple[Arrays, Row]:
        """Play one generation and move the search."""
        began = time.perf_counter()
        normaliser = Normaliser.from_arrays(arrays)
        members, learns = self._ask(arrays, iteration), iteration < self.normalise_generations
        asked = time.perf_counter()
        batch = self.sampler.batch(
            self._thetas(arrays["theta"], np.vstack([arrays["mean"], members])),
            normaliser,
            streams=iteration_streams(self.seed, iteration),
            steps=self.steps,
            expected_length=float(arrays["expected_length"]),
            keep_observations=learns,
        )
        sampled = time.perf_counter()
        if learns:
            normaliser = normaliser.updated(batch.observations)
        search = self._tell(arrays, members, values=batch.returns[1:])
        theta = self._thetas(arrays["theta"], search["mean"][None])[0]
        row = self._row(batch)
        row["sampling_s"] = sampled - asked
        row["update_s"] = time.perf_counter() - sampled + asked - began
        length = np.array(row["length_mean"])
        return {"theta": theta, **search, "expected_length": length, **normaliser.arrays()}, row

    @property
    def _searched(self) -> int:
        """Return S: a policy that plays its mode has no use for its standard deviations."""
        policy = self.sampler.policy
        greedy = self.sampler.greedy
        return policy.network.parameter_count if greedy else policy.parameter_count

    def _thetas(self, theta: Floats, members: Floats) -> Floats:
        """Return the (M, P) parameters of (M, S) `members`; the others are `theta`'s."""
        thetas = np.tile(theta, (len(members), 1))
        thetas[:, : self._searched] = members
        return thetas

    def _row(self, batch: PopulationBatch) -> Row:
        """Return the generation's record.

        Its returns are over members, each by its mean, the search's own mean not among them; its
        steps, episodes and their length are of all.
        """
        horizon = self.sampler.simulator.horizon
        others, own = batch.returns[1:], float(batch.returns[0])
        return {
            "sim_steps": int(batch.steps.sum()),
            "episodes": int(batch.episodes.sum()),
            "return_mean": float(others.mean()),
            "return_std": float(others.std()),
            "length_mean": float(batch.steps.sum() / batch.episodes.sum()),
            "score": float(others.mean()) / horizon,
            "mean_theta_return": own,
            "mean_theta_score": own / horizon,
            "outcome": "accepted",
        }


@dataclass(frozen=True)
class Cem(BlackBox):
    """The cross-entropy method.

    Attributes:
        search: Its settings.
        initial_std: Standard deviation of every parameter at first, the extra one not counted.
    """

    search: CrossEntropy
    initial_std: float

    def _begin(self, start: Floats) -> Arrays:
        return {"mean": start, "std": np.full(len(start), self.initial_std)}

    def _ask(self, arrays: Arrays, iteration: int) -> Floats:
        rng = stream(self.seed, iteration, "members")
        return self.search.ask(arrays["mean"], arrays["std"], generation=iteration, rng=rng)

    def _tell(self, arrays: Arrays, members: Floats, *, values: Floats) -> Arrays:
        mean, std = self.search.tell(members, values)
        return {"mean": mean, "std": std}


@dataclass(frozen=True)
class Cma(BlackBox):
    """CMA-ES.

    Attributes:
        search: The package's strategy and its settings.
    """

    search: CovarianceMatrixAdaptation

    def _begin(self, start: Floats) -> Arrays:
        return {"mean": start, "start": start, "history": np.zeros((0, self.search.population))}

    def _ask(self, arrays: Arrays, iteration: int) -> Floats:
        return self.search.ask(arrays["start"], arrays["history"])

    def _tell(self, arrays: Arrays, members: Floats, *, values: Floats) -> Arrays:
        history, mean = self.search.tell(arrays["history"], values)
        return {"mean": mean, "start": arrays["start"], "history": history}
