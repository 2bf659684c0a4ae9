"""What the policy-optimisation algorithms share: their arrays, the batch's rows, their record."""

from __future__ import annotations

import numpy as np
import torch

from trpo_repro.optim.step import StepResult
from trpo_repro.optim.surrogate import Surrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.observations import FrameStacks, Observations
from trpo_repro.sampling.baselines import Baseline
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import Streams, stream
from trpo_repro.types import Arrays, Floats, Row, Trajectories, chunks

CHUNK = 16384  # rows that one thread normalises at a time: they stay in its cache


def initial_arrays(sampler: Sampler, baseline: Baseline, *, seed: int) -> Arrays:
    """Return the first policy, an empty normalisation and an unfitted baseline."""
    theta = sampler.policy.initial_parameters(stream(seed, "policy"))
    return {
        "theta": theta.numpy(),
        "baseline": baseline.initial(stream(seed, "baseline")),
        "expected_length": np.array(0.0),
        **Normaliser.identity(sampler.simulator.observation_size).arrays(),
    }


def policy_arrays(arrays: Arrays) -> Arrays:
    """Return the part of `arrays` that acting needs: θ and the observation moments."""
    return {k: v for k, v in arrays.items() if k == "theta" or k.startswith("observation_")}


def iteration_streams(seed: int, iteration: int) -> Streams:
    """Return the maker of an iteration's sampling streams, by purpose and group."""
    return Streams(seed, (iteration,))


def normalised(normaliser: Normaliser, raw: Floats, *, workers: Workers) -> Floats:
    """Return `normaliser(raw)`, computed by all workers."""
    if not normaliser.count:
        return raw  # of pixels a copy would be too large
    result = np.empty_like(raw)

    def fill(rows: slice) -> None:
        result[rows] = normaliser(raw[rows])

    workers.map(fill, chunks(len(raw), CHUNK))
    return result


def policy_inputs(trajectories: Trajectories, observations: Floats, *, stack: int) -> Observations:
    """Return normalised `observations`, stacked where they are single screens."""
    rows = torch.from_numpy(observations)
    if stack == 1:
        return rows
    first = np.repeat(trajectories.starts, trajectories.lengths)
    return FrameStacks(rows, torch.from_numpy(first), stack=stack)


def ages(trajectories: Trajectories, horizon: int) -> Floats:
    """Return each row's steps since its reset, divided by the horizon."""
    counts = np.arange(len(trajectories.rewards))
    counts -= np.repeat(trajectories.starts, trajectories.lengths)
    return counts / horizon


def trajectories_row(trajectories: Trajectories, horizon: int) -> Row:
    """Return the columns that describe whole episodes."""
    returns = trajectories.returns
    return {
        "sim_steps": len(trajectories.rewards),
        "episodes": len(returns),
        "return_mean": float(returns.mean()),
        "return_std": float(returns.std()),
        "length_mean": float(trajectories.lengths.mean()),
        "score": float(returns.mean()) / horizon,
    }


def step_row(surrogate: Surrogate, result: StepResult) -> Row:
    """Return the columns that describe the update."""
    return {
        "kl_mean": result.kl_mean,
        "kl_max": result.kl_max,
        "surrogate_gain": result.gain,
        "predicted_gain": result.predicted_gain,
        "backtracks": result.backtracks,
        "cg_residual": result.cg_residual,
        "entropy": surrogate.entropy(),
        "outcome": str(result.outcome),
    }


def as_tensor(values: Floats) -> torch.Tensor:
    """Return `values` as a float32 tensor."""
    return torch.from_numpy(values.astype(np.float32))
