"""Single-path TRPO: the three steps of Sec. 6 as one function of one iteration."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from trpo_repro.optim.step import StepResult, UpdateRule
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate, Surrogate
from trpo_repro.parallel import Workers
from trpo_repro.sampling.baselines import Baseline
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.returns import advantages_and_returns, standardised
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import stream
from trpo_repro.types import Arrays, Floats, Row, Trajectories, chunks

CHUNK = 65536  # rows that one thread normalises at a time


@dataclass(frozen=True)
class SinglePath:
    """TRPO on whole trajectories of the current policy.

    Attributes:
        sampler: Task, policy and threads.
        baseline: V(s), subtracted from the returns.
        update: What turns the surrogate into new parameters.
        seed: Root of every random stream of the run.
        steps: Simulated steps to sample in an iteration.
        discount: γ.
        lambda_: λ of the advantage estimator; 1 is Monte Carlo.
        normalise: Whether the policy sees normalised observations.
        device: Where torch computes the update.
    """

    sampler: Sampler
    baseline: Baseline
    update: UpdateRule
    seed: int
    steps: int
    discount: float
    lambda_: float
    normalise: bool
    device: str = "cpu"

    def initial(self) -> Arrays:
        """Draw the first policy."""
        theta = self.sampler.policy.initial_parameters(stream(self.seed, "policy"))
        return {
            "theta": theta.numpy(),
            "baseline": self.baseline.initial(stream(self.seed, "baseline")),
            "expected_length": np.array(0.0),
            **Normaliser.identity(self.sampler.simulator.observation_size).arrays(),
        }

    def policy(self, arrays: Arrays) -> Arrays:
        """Return θ and the observation moments."""
        return {k: v for k, v in arrays.items() if k == "theta" or k.startswith("observation_")}

    def iterate(self, arrays: Arrays, iteration: int) -> tuple[Arrays, Row]:
        """Sample, estimate, step; then fit the baseline and update the normalisation."""
        began = time.perf_counter()
        theta = torch.from_numpy(arrays["theta"])
        normaliser = Normaliser.from_arrays(arrays)
        # Sec. 6, step 1: state-action pairs and Monte-Carlo estimates of their Q-values.
        trajectories = self.sampler.batch(
            theta,
            normaliser,
            lambda purpose, group: stream(self.seed, iteration, purpose, group),
            steps=self.steps,
            expected_length=float(arrays["expected_length"]),
        )
        sampled = time.perf_counter()
        batch, age, returns = self._estimate(trajectories, normaliser, arrays["baseline"])
        # Steps 2 and 3: estimated objective and constraint, approximately solved.
        surrogate = SinglePathSurrogate(
            self.sampler.policy, theta.to(self.device), batch.to(self.device), self.workers
        )
        result = self.update.step(surrogate, stream(self.seed, iteration, "fisher"))
        fitted = self.baseline.fit(
            arrays["baseline"],
            batch.observations.numpy(),
            age,
            returns,
            stream(self.seed, iteration, "fit"),
        )
        if self.normalise:
            normaliser = normaliser.updated(trajectories.observations)
        new_arrays = {
            "theta": result.theta.cpu().numpy(),
            "baseline": fitted,
            "expected_length": np.array(trajectories.lengths.mean()),
            **normaliser.arrays(),
        }
        row = self._row(trajectories, surrogate, result)
        row["sampling_s"] = sampled - began
        row["update_s"] = time.perf_counter() - sampled
        return new_arrays, row

    @property
    def workers(self) -> Workers:
        """Return the threads that everything runs on."""
        return self.sampler.workers

    def _estimate(
        self, trajectories: Trajectories, normaliser: Normaliser, coefficients: Floats
    ) -> tuple[Batch, Floats, Floats]:
        """Return the batch with its advantages, each row's age over the horizon, and returns."""
        raw = trajectories.observations
        observations = np.empty_like(raw)

        def normalise(rows: slice) -> None:
            observations[rows] = normaliser(raw[rows])

        self.workers.map(normalise, chunks(len(raw), CHUNK))
        horizon = self.sampler.simulator.horizon
        lengths = trajectories.lengths
        age = (np.arange(len(raw)) - np.repeat(trajectories.starts, lengths)) / horizon
        values = self.baseline.predict(coefficients, observations, age)
        final_values = self.baseline.predict(
            coefficients, normaliser(trajectories.final_observations), lengths / horizon
        )
        advantages, returns = advantages_and_returns(
            trajectories, values, final_values, discount=self.discount, lambda_=self.lambda_
        )
        batch = Batch(
            torch.from_numpy(observations),
            torch.from_numpy(trajectories.actions),
            torch.from_numpy(standardised(advantages).astype(np.float32)),
        )
        return batch, age, returns

    def _row(self, trajectories: Trajectories, surrogate: Surrogate, result: StepResult) -> Row:
        """Return the iteration's record, less the columns that the loop knows."""
        returns = trajectories.returns
        entropy = self.sampler.policy.distribution.entropy(surrogate.mu_old)
        return {
            "sim_steps": len(trajectories.rewards),
            "episodes": len(returns),
            "return_mean": float(returns.mean()),
            "return_std": float(returns.std()),
            "length_mean": float(trajectories.lengths.mean()),
            "score": float(returns.mean()) / self.sampler.simulator.horizon,
            "kl_mean": result.kl_mean,
            "kl_max": result.kl_max,
            "surrogate_gain": result.gain,
            "predicted_gain": result.predicted_gain,
            "backtracks": result.backtracks,
            "cg_residual": result.cg_residual,
            "entropy": float(entropy.mean()),
            "outcome": str(result.outcome),
        }
