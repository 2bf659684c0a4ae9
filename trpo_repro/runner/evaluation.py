"""Playing a stored policy: its configuration and arrays read back strictly, then whole episodes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.config import RunConfig, parse
from trpo_repro.errors import CheckpointError, ConfigError
from trpo_repro.parallel import Forks
from trpo_repro.runner.build import build_sampler
from trpo_repro.runner.checkpoint import load_arrays
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import Streams, stream
from trpo_repro.settings import AtariTask, later_settings
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import Arrays, Trajectories


@dataclass(frozen=True)
class Episodes:
    """What a policy did.

    Attributes:
        returns: (E,) undiscounted sums of raw rewards.
        lengths: (E,) control steps.
        at_limit: (E,) True where the time limit ended the episode.
        horizon: Control steps of a full episode.
        speeds: (E,) m/s forward, from an episode's start to its end; None where nothing walks.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    at_limit: NDArray[np.bool_]
    horizon: int
    speeds: NDArray[np.float64] | None


def stored_config(folder: RunFolder) -> RunConfig:
    """Return the configuration that a run was made with.

    Raises:
        ConfigError: This is no run folder.
        CheckpointError: Its configuration is damaged, or not of this version.
    """
    if not folder.config.is_file():
        raise ConfigError(
            "not a run folder: it has no config.json",
            where=str(folder.path),
            fix="name one such as results/runs/<task>/<algo>/<hash>/seed0",
        )
    content = read_json(folder.config)
    content.pop("provenance", None)
    if isinstance(algo := content.get("algo"), dict):
        content["algo"] = {**later_settings(str(algo.get("name"))), **algo}
    try:
        config = parse(content)
    except ConfigError as error:
        raise CheckpointError(
            f"its configuration is not one of this version: {error}", where=str(folder.config)
        ) from error
    _refuse_imports(config, folder)
    return config


def _refuse_imports(config: RunConfig, folder: RunFolder) -> None:
    """Refuse an environment for which Gymnasium would import, and so run, what the file names."""
    module, colon, _ = getattr(config.task, "id", "").rpartition(":")
    if colon and module not in sys.modules:
        raise CheckpointError(
            f"its environment would import the module {module!r}",
            where=str(folder.config),
            fix="if you trust it, import it in a Python of your own and call trpo_repro.cli.main",
        )


def stored_actor(
    run: str | Path, *, greedy: bool = False, seed: int = 0
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a stored run's policy as a function of observations, for programs of one's own.

    Args:
        run: The run's folder.
        greedy: Take the likeliest action instead of sampling.
        seed: Root of the random stream that actions are sampled with.

    Returns:
        From (n, D) observations as the task gives them, without normalisation, to (n, …) actions.

    Raises:
        TrpoError: There is no such run, or its files are damaged.
    """
    folder = RunFolder(Path(run))
    config = dataclasses.replace(stored_config(folder), threads=1)
    sampler = build_sampler(config, greedy=greedy)
    arrays = load_policy(folder.policy, sampler)
    act = sampler.policy.actor(arrays["theta"], greedy=greedy)
    normaliser, rng = Normaliser.from_arrays(arrays), stream(seed, "act")

    def actions(observations: NDArray[Any]) -> NDArray[Any]:
        noise = sampler.policy.distribution.noise(rng, (len(observations),))
        return act(normaliser(np.asarray(observations)), noise)

    return actions


def play(
    folder: RunFolder, config: RunConfig, *, episodes: int, seed: int, greedy: bool
) -> Episodes:
    """Play the policy in `folder` for exactly `episodes` episodes.

    Args:
        folder: The run's folder.
        config: Its configuration.
        episodes: How many.
        seed: Root of the episodes' random streams.
        greedy: Take the likeliest action instead of sampling.

    Raises:
        CheckpointError: The stored policy is missing, damaged or of another shape.
    """
    sampler = evaluation_sampler(config, episodes=episodes, greedy=greedy)
    arrays = load_policy(folder.policy, sampler)
    normaliser = Normaliser.from_arrays(arrays)
    return _played(sampler, arrays["theta"], normaliser=normaliser, episodes=episodes, seed=seed)


def play_at_random(config: RunConfig, *, episodes: int, seed: int) -> Episodes:
    """Play a task of discrete actions for exactly `episodes` episodes, all actions alike likely.

    Args:
        config: The task's configuration.
        episodes: How many.
        seed: Root of the episodes' random streams.
    """
    sampler = evaluation_sampler(config, episodes=episodes, greedy=False)
    theta = np.zeros(sampler.policy.parameter_count, np.float32)  # logits of 0: a uniform choice
    normaliser = Normaliser.identity(sampler.simulator.observation_size)
    return _played(sampler, theta, normaliser=normaliser, episodes=episodes, seed=seed)


def evaluation_sampler(config: RunConfig, *, episodes: int, greedy: bool) -> Sampler:
    """Return what plays `episodes` episodes on all cores; of games it keeps no frames."""
    # How many threads trained a policy is of no interest here, and moves no result.
    sampler = build_sampler(dataclasses.replace(config, threads=None), greedy=greedy)
    if not isinstance(config.task, AtariTask):
        return sampler
    sampler = dataclasses.replace(sampler, keep_observations=False)
    processes = min(sampler.workers.threads, sampler.grouping.groups(episodes))
    return sampler.forked(processes) if processes > 1 and Forks.available() else sampler


def _played(
    sampler: Sampler,
    theta: NDArray[np.float32],
    *,
    normaliser: Normaliser,
    episodes: int,
    seed: int,
) -> Episodes:
    """Return what the policy at `theta` did."""
    streams = Streams(seed, ("evaluate",))
    trajectories = sampler.episodes(theta, normaliser, streams=streams, count=episodes)
    return Episodes(
        returns=trajectories.returns,
        lengths=trajectories.lengths,
        at_limit=~trajectories.terminated,
        horizon=sampler.simulator.horizon,
        speeds=_forward_speeds(sampler, trajectories),
    )


def load_policy(path: Path, sampler: Sampler) -> Arrays:
    """Read a stored policy that is for `sampler`'s task and architecture.

    Raises:
        CheckpointError: It is missing, damaged, of another shape, or holds what is no number.
    """
    arrays = load_arrays(path)
    size = sampler.simulator.observation_size
    expected = {
        "theta": ((sampler.policy.parameter_count,), np.float32),
        "observation_count": ((), np.float64),
        "observation_mean": ((size,), np.float64),
        "observation_squares": ((size,), np.float64),
    }
    problem = ""
    if arrays.keys() != expected.keys():
        problem = f"it holds {', '.join(sorted(arrays)) or 'nothing'}"
    else:
        for name, (shape, dtype) in expected.items():
            array = arrays[name]
            if array.shape != shape or array.dtype != dtype:
                wanted = f"{shape} {np.dtype(dtype)}"
                problem = f"{name} is {array.shape} {array.dtype}, where {wanted} is expected"
            elif not np.isfinite(array).all():
                problem = f"{name} holds numbers that are not finite"
            elif name in ("observation_count", "observation_squares") and (array < 0).any():
                problem = f"{name} is negative"
    if problem:
        raise CheckpointError(f"not a policy of this run: {problem}", where=str(path))
    return arrays


def _forward_speeds(sampler: Sampler, trajectories: Trajectories) -> NDArray[np.float64] | None:
    """Return (E,) m/s where the task moves forward. Starts lie within centimetres of x = 0."""
    simulator = sampler.simulator
    if not isinstance(simulator, Locomotion):
        return None
    seconds = trajectories.lengths * simulator.control_period
    assert trajectories.final_states is not None, "one process sampled them"
    speeds: NDArray[np.float64] = simulator.forward_position(trajectories.final_states) / seconds
    return speeds
