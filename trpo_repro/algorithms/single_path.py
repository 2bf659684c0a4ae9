"""Algorithms on single-path samples: the three steps of Sec. 6 as one function of one iteration.

With the update of `optim/trust_region.py` this is single-path TRPO; the natural gradient, the
empirical FIM, max KL and the policy gradient differ from it by their update alone.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from trpo_repro.algorithms.common import (
    ages,
    as_tensor,
    initial_arrays,
    iteration_streams,
    normalised,
    policy_arrays,
    policy_inputs,
    step_row,
    trajectories_row,
)
from trpo_repro.optim.step import UpdateRule
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.sampling.baselines import Baseline
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.returns import advantages_and_returns, standardised
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import stream
from trpo_repro.types import Arrays, Floats, Row, Trajectories


@dataclass(frozen=True)
class SinglePath:
    """Policy optimisation on whole trajectories of the current policy.

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
        reward_bound: Rewards count for so much in training at most, either way.
        standardise: Whether advantages get standard deviation 1 and mean 0.
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
    reward_bound: float = math.inf
    standardise: bool = True

    def initial(self) -> Arrays:
        """Draw the first policy."""
        return initial_arrays(self.sampler, self.baseline, seed=self.seed)

    def policy(self, arrays: Arrays) -> Arrays:
        """Return θ and the observation moments."""
        return policy_arrays(arrays)

    def iterate(self, arrays: Arrays, iteration: int) -> tuple[Arrays, Row]:
        """Sample, estimate, step; then fit the baseline and update the normalisation."""
        began = time.perf_counter()
        theta = torch.from_numpy(arrays["theta"])
        normaliser = Normaliser.from_arrays(arrays)
        # Sec. 6, step 1: state-action pairs and Monte-Carlo estimates of their Q-values.
        trajectories = self.sampler.batch(
            arrays["theta"],
            normaliser,
            streams=iteration_streams(self.seed, iteration),
            steps=self.steps,
            expected_length=float(arrays["expected_length"]),
        )
        sampled = time.perf_counter()
        age = ages(trajectories, self.sampler.simulator.horizon)
        batch, returns = self._estimate(
            trajectories, normaliser, coefficients=arrays["baseline"], age=age
        )
        # Steps 2 and 3: estimated objective and constraint, approximately solved.
        surrogate = SinglePathSurrogate(
            self.sampler.policy,
            theta.to(self.device),
            batch=batch.to(self.device),
            workers=self.sampler.workers,
        )
        result = self.update.step(surrogate, stream(self.seed, iteration, "fisher"))
        if self.normalise:
            normaliser = normaliser.updated(trajectories.observations)
        # In the coordinates of the next iteration, which is where the fit will be used.
        fitted = self.baseline.fit(
            arrays["baseline"],
            normalised(normaliser, trajectories.observations, workers=self.sampler.workers),
            age=age,
            returns=returns,
            rng=stream(self.seed, iteration, "fit"),
        )
        new_arrays = {
            "theta": result.theta.cpu().numpy(),
            "baseline": fitted,
            "expected_length": np.array(trajectories.lengths.mean()),
            **normaliser.arrays(),
        }
        row = trajectories_row(trajectories, self.sampler.simulator.horizon)
        row |= step_row(surrogate, result)
        row["sampling_s"] = sampled - began
        row["update_s"] = time.perf_counter() - sampled
        return new_arrays, row

    def _estimate(
        self,
        trajectories: Trajectories,
        normaliser: Normaliser,
        *,
        coefficients: Floats,
        age: Floats,
    ) -> tuple[Batch, Floats]:
        """Return the batch with its advantages, and the (N,) discounted returns."""
        observations = normalised(
            normaliser, trajectories.observations, workers=self.sampler.workers
        )
        values = self.baseline.predict(coefficients, observations, age=age)
        final_values = self.baseline.predict(
            coefficients,
            normaliser(trajectories.final_observations),
            age=trajectories.lengths / self.sampler.simulator.horizon,
        )
        advantages, returns = advantages_and_returns(
            self._learned_from(trajectories),
            values,
            final_values=final_values,
            discount=self.discount,
            lambda_=self.lambda_,
        )
        batch = Batch(
            policy_inputs(trajectories, observations, stack=self.sampler.stack),
            torch.from_numpy(trajectories.actions),
            as_tensor(standardised(advantages) if self.standardise else advantages),
        )
        return batch, returns

    def _learned_from(self, trajectories: Trajectories) -> Trajectories:
        """Return the trajectories with the rewards that training sees."""
        if math.isinf(self.reward_bound):
            return trajectories
        bound = self.reward_bound
        return replace(trajectories, rewards=np.clip(trajectories.rewards, -bound, bound))
