"""Vine TRPO: branches from the states of trunk trajectories (Sec. 5.2), then the step of App. C."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from trpo_repro.algorithms.common import (
    ages,
    as_tensor,
    initial_arrays,
    iteration_streams,
    normalised,
    policy_arrays,
    step_row,
    trajectories_row,
)
from trpo_repro.optim.step import UpdateRule
from trpo_repro.optim.vine_surrogate import VineBatch, VineSurrogate
from trpo_repro.sampling.baselines import Baseline
from trpo_repro.sampling.local_vine import LocalVineSampler, Vines
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.returns import discounted_sums
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.sampling.vine import Rollouts, VineSampler
from trpo_repro.seeding import Streams, stream
from trpo_repro.types import Arrays, Floats, Row, Trajectories


@dataclass(frozen=True)
class Vine:
    """TRPO on vines.

    The rollout set has as many states as the budget of steps affords, given how long rollouts were
    in the previous iteration; simulated steps are those of trunk and branches together.

    Attributes:
        sampler: Task, policy and threads, for the trunk; it keeps states.
        branches: What branches from the rollout set.
        baseline: V(s), fitted on the trunk; it values the state at which a rollout is cut off.
        update: What turns the surrogate into new parameters.
        seed: Root of every random stream of the run.
        steps: Simulated steps of an iteration, trunk and branches.
        trunk_steps: Those of them that the trunk takes.
        normalise: Whether the policy sees normalised observations.
        device: Where torch computes the update.
        local: Samples trunk and branches together, where states cannot be moved between the two.
    """

    sampler: Sampler
    branches: VineSampler
    baseline: Baseline
    update: UpdateRule
    seed: int
    steps: int
    trunk_steps: int
    normalise: bool
    device: str = "cpu"
    local: LocalVineSampler | None = None

    def initial(self) -> Arrays:
        """Draw the first policy."""
        return {
            **initial_arrays(self.sampler, self.baseline, seed=self.seed),
            "expected_rollout": np.array(float(self.branches.rollout_length)),
        }

    def policy(self, arrays: Arrays) -> Arrays:
        """Return θ and the observation moments."""
        return policy_arrays(arrays)

    def iterate(self, arrays: Arrays, iteration: int) -> tuple[Arrays, Row]:
        """Grow the trunk, branch, estimate, step; then fit the baseline and the normalisation."""
        began = time.perf_counter()
        theta = torch.from_numpy(arrays["theta"])
        normaliser = Normaliser.from_arrays(arrays)
        streams = iteration_streams(self.seed, iteration)
        vines = self._grown(arrays, normaliser, streams=streams, iteration=iteration)
        trunk, chosen, rollouts = vines.trunk, vines.chosen, vines.rollouts
        sampled = time.perf_counter()

        age = ages(trunk, self.sampler.simulator.horizon)
        batch = self._estimate(
            rollouts, normaliser, coefficients=arrays["baseline"], age=age[chosen], theta=theta
        )
        surrogate = VineSurrogate(
            self.sampler.policy,
            theta.to(self.device),
            batch=batch.to(self.device),
            workers=self.sampler.workers,
        )
        result = self.update.step(surrogate, stream(self.seed, iteration, "fisher"))
        moved = normaliser.updated(trunk.observations) if self.normalise else normaliser
        new_arrays = {
            "theta": result.theta.cpu().numpy(),
            "baseline": self._fit(
                trunk, normaliser, moved=moved, coefficients=arrays["baseline"], iteration=iteration
            ),
            "expected_length": np.array(trunk.lengths.mean()),
            "expected_rollout": np.array(rollouts.lengths.mean()),
            **moved.arrays(),
        }
        row = trajectories_row(trunk, self.sampler.simulator.horizon)
        row |= step_row(surrogate, result)
        row["sim_steps"] = len(trunk.rewards) + int(rollouts.lengths.sum())
        row["sampling_s"] = sampled - began
        row["update_s"] = time.perf_counter() - sampled
        return new_arrays, row

    def _grown(
        self, arrays: Arrays, normaliser: Normaliser, *, streams: Streams, iteration: int
    ) -> Vines:
        """Sample trunk and branches."""
        expected_length = float(arrays["expected_length"])
        cost = self.branches.branches * float(arrays["expected_rollout"])  # of one state
        if self.local:
            return self.local.vines(
                arrays["theta"],
                normaliser,
                streams=streams,
                trunk_steps=self.trunk_steps,
                expected_length=expected_length,
                states=max(0, self.steps - self.trunk_steps) / cost,
            )
        trunk = self.sampler.batch(
            arrays["theta"],
            normaliser,
            streams=streams,
            steps=self.trunk_steps,
            expected_length=expected_length,
        )
        chosen = self._rollout_set(trunk, cost, iteration=iteration)
        assert trunk.states is not None
        rollouts = self.branches.rollouts(
            arrays["theta"], normaliser, streams=streams, states=trunk.states[chosen]
        )
        return Vines(trunk, chosen, rollouts)

    def _rollout_set(
        self, trunk: Trajectories, cost: float, *, iteration: int
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Choose trunk rows uniformly, as many as the rest of the budget will branch from.

        Half of those planned at least: where episodes have become longer, the trunk may be all of
        the budget and more, and a mean KL over a handful of states bounds nothing.
        """
        planned = (self.steps - self.trunk_steps) / cost
        affordable = (self.steps - len(trunk.rewards)) / cost
        count = max(1, min(int(max(affordable, planned / 2)), len(trunk.rewards)))
        rng = stream(self.seed, iteration, "rollout set")
        return np.sort(rng.choice(len(trunk.rewards), count, replace=False, shuffle=False))

    def _estimate(
        self,
        rollouts: Rollouts,
        normaliser: Normaliser,
        *,
        coefficients: Floats,
        age: Floats,
        theta: torch.Tensor,
    ) -> VineBatch:
        """Return the batch: Q-values with V behind each cut, less the mean of their state's.

        Their scale is that of which all of them together have a standard deviation of 1.
        """
        count, branches = rollouts.q_values.shape
        horizon = self.sampler.simulator.horizon
        final = rollouts.final_observations.reshape(count * branches, -1)
        final_age = np.minimum(age[:, None] + rollouts.lengths / horizon, 1.0).ravel()
        values = self.baseline.predict(coefficients, normaliser(final), age=final_age)
        q_values = rollouts.q_values + rollouts.tail_weights * values.reshape(count, branches)
        differences = q_values - q_values.mean(axis=1, keepdims=True)
        # The mean of equals may be off by rounding, which is no difference.
        differences[np.ptp(q_values, axis=1) == 0.0] = 0.0
        spread = differences.std()
        observations = torch.from_numpy(
            normalised(normaliser, rollouts.observations, workers=self.sampler.workers)
        )
        actions = torch.from_numpy(rollouts.actions)
        if self.branches.proposal == "policy":
            with torch.no_grad():
                mu = self.sampler.policy.mu(theta, observations)
                log_q = self.sampler.policy.distribution.log_prob(mu[:, None], actions)
        else:
            log_q = torch.zeros(count, branches)  # uniform: a constant
        return VineBatch(
            observations,
            actions,
            as_tensor(differences / spread if spread > 0 else differences),
            log_q,
            exhaustive=self.branches.proposal == "all",
        )

    def _fit(
        self,
        trunk: Trajectories,
        normaliser: Normaliser,
        *,
        moved: Normaliser,
        coefficients: Floats,
        iteration: int,
    ) -> Floats:
        """Fit V to the discounted returns of the trunk, in the coordinates that `moved` gives.

        They are those of the next iteration, which is where the fit will be used.
        """
        horizon = self.sampler.simulator.horizon
        final_values = self.baseline.predict(
            coefficients, normaliser(trunk.final_observations), age=trunk.lengths / horizon
        )
        tails = np.where(trunk.terminated, 0.0, final_values)
        returns = discounted_sums(
            trunk.rewards, trunk.lengths, factor=self.branches.discount, tails=tails
        )
        return self.baseline.fit(
            coefficients,
            normalised(moved, trunk.observations, workers=self.sampler.workers),
            age=ages(trunk, horizon),
            returns=returns,
            rng=stream(self.seed, iteration, "fit"),
        )
