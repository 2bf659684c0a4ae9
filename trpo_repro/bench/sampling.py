"""Sampling, and whole iterations, against the ceiling."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trpo_repro.algorithms.black_box import BlackBox
from trpo_repro.algorithms.common import iteration_streams
from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.bench.ceiling import Replayer, replays
from trpo_repro.bench.measurement import Measurement, against, in_turn, short
from trpo_repro.config import RunConfig
from trpo_repro.parallel import available_cores
from trpo_repro.runner.build import build_algorithm
from trpo_repro.runner.checkpoint import Checkpoint, load_arrays, save_checkpoint
from trpo_repro.runner.progress import ProgressFile, cut_back
from trpo_repro.runner.training import train
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import Algorithm, Arrays

Compose = Callable[[Sequence[str]], RunConfig]
"""Overrides to a checked configuration."""


@dataclass(frozen=True)
class Setup:
    """What every measurement needs.

    Attributes:
        compose: Makes configurations.
        results: Folder of stored results, for trained policies: their episodes are longer.
        rounds: Timings of each thing, taken in turn with what it is compared to.
        paper_steps: Simulated steps of an iteration at `scale=paper`.
        bench_steps: The same at `scale=bench`.
        rival_steps: The same where SB3-contrib is the reference.
        game_steps: The same of a game: single path's, a quarter of vine's.
    """

    compose: Compose
    results: Path
    rounds: int = 3
    paper_steps: int = 1_000_000
    bench_steps: int = 50_000
    rival_steps: int = 50_000
    game_steps: int = 100_000


def sampling(
    setup: Setup, task: str, *, steps: int, targets: Mapping[str, float]
) -> list[Measurement]:
    """Measure sampling, the policy's calls included, and whole iterations if they have a target.

    Args:
        setup: Common to all measurements.
        task: swimmer, hopper or walker.
        steps: Simulated steps of an iteration.
        targets: The ratios wanted: `sampling`, and perhaps `end to end`.

    Returns:
        A row for each target and policy, untrained and, where one is stored, trained.
    """
    algorithm = build_algorithm(setup.compose([f"task={task}", f"steps_per_iter={steps}"]))
    assert isinstance(algorithm, SinglePath)
    rows = []
    for policy, arrays in policies(algorithm, setup.results, task=task):
        replayer, arrays = recorded(algorithm, arrays)
        with closing(replayer), tempfile.TemporaryDirectory() as folder:
            actions = {
                "ceiling": replayer.speed,
                "sampling": Sampling(algorithm, arrays).speed,
                "end to end": Iterations(algorithm, arrays, Path(folder)).speed,
            }
            wanted = {name: actions[name] for name in ("ceiling", *targets)}
            figures = in_turn(wanted, setup.rounds)
        note = f"episodes of {float(arrays['expected_length']):.0f} steps"
        for what, target in targets.items():
            name = f"{what}, {task} {short(steps)}, {policy}"
            rows.append(
                against(
                    name, figures[what], references=figures["ceiling"], target=target, note=note
                )
            )
    return rows


def other_algorithms(setup: Setup) -> list[Measurement]:
    """Measure the simulated steps a second of vine, CEM and CMA against the same ceiling."""
    steps = f"steps_per_iter={setup.paper_steps}"
    reference = build_algorithm(setup.compose(["task=hopper", steps]))
    assert isinstance(reference, SinglePath)
    policy, arrays = list(policies(reference, setup.results, task="hopper"))[-1]
    replayer, arrays = recorded(reference, arrays)
    actions: dict[str, Callable[[], float]] = {"ceiling": replayer.speed}
    for algo in ("vine", "cem", "cma"):
        overrides = ["task=hopper", f"algo={algo}", "scale=paper", steps]
        if algo == "vine":  # as in Table 2: 16 of a thousand
            overrides.append(f"algo.trunk_steps={max(1, 16 * setup.paper_steps // 1000)}")
        algorithm = build_algorithm(setup.compose(overrides))
        actions[algo] = own_sampling(algorithm, _begun_at(algorithm, arrays))
    with closing(replayer):
        figures = in_turn(actions, setup.rounds)
    return [
        against(
            f"sampling, {algo}, hopper {short(setup.paper_steps)}, {policy}",
            figures[algo],
            references=figures["ceiling"],
            target=0.85,
            note="by its rows' sampling_s",
        )
        for algo in ("vine", "cem", "cma")
    ]


def policies(algorithm: Algorithm, results: Path, *, task: str) -> Iterator[tuple[str, Arrays]]:
    """Yield the arrays to begin with: those of an untrained policy, and of a stored one."""
    arrays = algorithm.initial()
    yield "untrained", arrays
    for path in sorted(results.glob(f"runs/{task}/single_path/*/seed*/policy.safetensors")):
        stored = load_arrays(path)
        if stored["theta"].shape == arrays["theta"].shape:
            yield "trained", {**arrays, **stored}
            return


def recorded(algorithm: SinglePath, arrays: Arrays) -> tuple[Replayer, Arrays]:
    """Sample once with states kept; return what replays it, and the arrays with the length seen."""
    sampler = replace(algorithm.sampler, keep_states=True, forks=None)
    simulator = sampler.simulator
    assert isinstance(simulator, Locomotion)
    trajectories = sampler.batch(
        arrays["theta"],
        Normaliser.from_arrays(arrays),
        streams=iteration_streams(0, 0),
        steps=algorithm.steps,
        expected_length=float(arrays["expected_length"]) or simulator.horizon / 2,
    )
    replayer = Replayer(simulator, replays(simulator, trajectories), threads=available_cores())
    length = np.array(trajectories.lengths.mean())
    return replayer, {**arrays, "expected_length": length}


@dataclass
class Sampling:
    """Batches of one policy, one after the other."""

    algorithm: SinglePath
    arrays: Arrays
    number: int = 0

    def speed(self) -> float:
        """Sample a batch; return control steps a second."""
        normaliser = Normaliser.from_arrays(self.arrays)
        self.number += 1
        began = time.perf_counter()
        trajectories = self.algorithm.sampler.batch(
            self.arrays["theta"],
            normaliser,
            streams=iteration_streams(1, self.number),
            steps=self.algorithm.steps,
            expected_length=float(self.arrays["expected_length"]),
        )
        return len(trajectories.rewards) / (time.perf_counter() - began)


@dataclass
class Iterations:
    """First iterations from one policy, each with its row and its checkpoint written."""

    algorithm: Algorithm
    arrays: Arrays
    folder: Path

    def speed(self) -> float:
        """Take one iteration; return control steps a second."""
        path = self.folder / "progress.csv"
        cut_back(path, 0)
        with closing(ProgressFile(path)) as progress:
            began = time.perf_counter()
            row, state = next(
                train(self.algorithm, Checkpoint(0, 0, 0.0, self.arrays), iterations=1)
            )
            progress.append(row)
            progress.sync()
            save_checkpoint(self.folder, state, identity="bench", seed=0)
            return state.sim_steps / (time.perf_counter() - began)


def own_sampling(algorithm: Algorithm, arrays: Arrays) -> Callable[[], float]:
    """Return a function that takes one iteration and returns what its row says of sampling."""

    def speed() -> float:
        _, row = algorithm.iterate(arrays, 0)
        return float(row["sim_steps"] or 0) / float(row["sampling_s"] or 1)

    return speed


def _begun_at(algorithm: Algorithm, arrays: Arrays) -> Arrays:
    """Return the algorithm's arrays, with the policy and what else fits of those of another."""
    own = algorithm.initial()
    shared = {k: v for k, v in arrays.items() if k in own and own[k].shape == v.shape}
    begun = {**own, **shared}
    if isinstance(algorithm, BlackBox):
        begun["mean"] = arrays["theta"][: len(own["mean"])].astype(np.float64)
        begun["start"] = begun["mean"]
        # Its members fall sooner than the policy that they surround: as long as theirs are.
        begun["expected_length"] = np.array(algorithm.iterate(begun, 0)[1]["length_mean"])
    return {name: begun[name] for name in own}
