"""What is measured, and against what. Each function returns finished rows of the table."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trpo_repro.algorithms.black_box import BlackBox
from trpo_repro.algorithms.common import iteration_streams
from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.bench.ceiling import Replay, replay_speed, replays
from trpo_repro.config import RunConfig
from trpo_repro.optim.fisher import FisherProduct, analytic_metric, empirical_metric
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers, available_cores
from trpo_repro.policies.policy import Policy
from trpo_repro.runner.build import build_algorithm
from trpo_repro.runner.checkpoint import Checkpoint, load_arrays, save_checkpoint
from trpo_repro.runner.loop import train
from trpo_repro.runner.progress import format_row
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import ActionSpace, Algorithm, Arrays

Compose = Callable[[list[str]], RunConfig]
"""Overrides to a checked configuration."""


@dataclass(frozen=True)
class Measurement:
    """One row of the table.

    Attributes:
        name: What was measured.
        value: The figure, in `unit`.
        unit: Of `value` and `reference`.
        reference: What it is held against; None for a figure that stands alone.
        ratio: value / reference, or the value itself.
        target: What the ratio must reach, or stay under where `at_most`.
        at_most: Whether less is better.
        note: How it was measured.
    """

    name: str
    value: float
    unit: str
    reference: float | None
    ratio: float
    target: float
    at_most: bool
    note: str

    @property
    def met(self) -> bool:
        """Tell whether the target is reached."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


@dataclass(frozen=True)
class Bench:
    """Where configurations and trained policies come from, and how often things are timed.

    Attributes:
        compose: Makes configurations.
        results: Folder of stored results, whose policies live longer than untrained ones.
        repeats: Timings of each thing, taken in turn with what it is compared to.
        paper_steps: Steps of an iteration at `scale=paper`.
    """

    compose: Compose
    results: Path
    repeats: int = 3
    paper_steps: int = 1_000_000

    def sampling(self, task: str, steps: int, targets: dict[str, float]) -> list[Measurement]:
        """Measure sampling, and a whole iteration where a target is named for it."""
        config = self.compose([f"task={task}", f"steps_per_iter={steps}"])
        algorithm = build_algorithm(config)
        assert isinstance(algorithm, SinglePath)
        arrays, policy_note = self._arrays(algorithm, task)
        threads = available_cores()
        calls, arrays = _recorded(algorithm, arrays)
        simulator = algorithm.sampler.simulator
        assert isinstance(simulator, Locomotion)
        speeds: dict[str, list[float]] = {"ceiling": [], "sampling": [], "end to end": []}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(self.repeats):
                speeds["ceiling"].append(replay_speed(simulator, calls, threads))
                speeds["sampling"].append(_sampling_speed(algorithm, arrays, number))
                if "end to end" in targets:
                    speeds["end to end"].append(_iteration_speed(algorithm, arrays, folder))
        middle = {name: statistics.median(values or [0.0]) for name, values in speeds.items()}
        ceiling, length = middle["ceiling"], float(arrays["expected_length"])
        note = f"{policy_note}, episodes of {length:.0f} steps, {threads} threads"
        return [
            _against(f"{name}, {task}, {steps:,} steps", middle[name], ceiling, target, note)
            for name, target in targets.items()
        ]

    def other_algorithms(self) -> list[Measurement]:
        """Measure the simulated steps a second of vine, CEM and CMA against the same ceiling."""
        base = self.compose(["task=hopper", f"steps_per_iter={self.paper_steps}"])
        reference = build_algorithm(base)
        assert isinstance(reference, SinglePath)
        arrays, policy_note = self._arrays(reference, "hopper")
        calls, arrays = _recorded(reference, arrays)
        simulator = reference.sampler.simulator
        assert isinstance(simulator, Locomotion)
        ceiling = replay_speed(simulator, calls, available_cores())
        rows = []
        for algo in ("vine", "cem", "cma"):
            overrides = ["task=hopper", f"algo={algo}", "scale=paper"]
            config = self.compose([*overrides, f"steps_per_iter={self.paper_steps}"])
            algorithm = build_algorithm(config)
            own = {**algorithm.initial(), **_shared(algorithm.initial(), arrays)}
            if isinstance(algorithm, BlackBox):
                own["mean"] = arrays["theta"][: len(own["mean"])].astype(np.float64)
                own["start"] = own["mean"]
            _, row = algorithm.iterate(own, 0)
            speed = float(row["sim_steps"] or 0) / float(row["sampling_s"] or 1)
            name = f"sampling, hopper, {algo}, {self.paper_steps:,} steps"
            rows.append(_against(name, speed, ceiling, 0.85, policy_note))
        return rows

    def _arrays(self, algorithm: Algorithm, task: str) -> tuple[Arrays, str]:
        """Return the algorithm's arrays, with a stored policy where there is one."""
        arrays = algorithm.initial()
        pattern = f"runs/{task}/single_path/*/seed0/policy.safetensors"
        for path in sorted(self.results.glob(pattern)):
            stored = load_arrays(path)
            if stored["theta"].shape == arrays["theta"].shape:
                return {**arrays, **stored}, "trained policy"
        return arrays, "untrained policy"


def _recorded(algorithm: SinglePath, arrays: Arrays) -> tuple[list[Replay], Arrays]:
    """Sample once with states kept; return what to replay, and the arrays with the length seen."""
    sampler = replace(algorithm.sampler, keep_states=True)
    theta, normaliser = torch.from_numpy(arrays["theta"]), Normaliser.from_arrays(arrays)
    horizon = sampler.simulator.horizon
    trajectories = sampler.batch(
        theta,
        normaliser,
        iteration_streams(0, 0),
        steps=algorithm.steps,
        expected_length=float(arrays["expected_length"]) or horizon / 2,
    )
    assert isinstance(sampler.simulator, Locomotion)
    length = np.array(trajectories.lengths.mean())
    return replays(sampler.simulator, trajectories), {**arrays, "expected_length": length}


def _sampling_speed(algorithm: SinglePath, arrays: Arrays, number: int) -> float:
    """Return the control steps a second of one batch."""
    theta, normaliser = torch.from_numpy(arrays["theta"]), Normaliser.from_arrays(arrays)
    began = time.perf_counter()
    trajectories = algorithm.sampler.batch(
        theta,
        normaliser,
        iteration_streams(1, number),
        steps=algorithm.steps,
        expected_length=float(arrays["expected_length"]),
    )
    return len(trajectories.rewards) / (time.perf_counter() - began)


def _iteration_speed(algorithm: Algorithm, arrays: Arrays, folder: str) -> float:
    """Return the control steps a second of a whole iteration, its row and its checkpoint."""
    began = time.perf_counter()
    row, state = next(train(algorithm, Checkpoint(0, 0, 0.0, arrays), 1))
    format_row(row)
    save_checkpoint(Path(folder), state, identity="bench")
    return state.sim_steps / (time.perf_counter() - began)


def _shared(own: Arrays, other: Arrays) -> Arrays:
    """Return those of `other` that have a place of the same shape in `own`."""
    return {k: v for k, v in other.items() if k in own and own[k].shape == v.shape}


def _against(
    name: str, value: float, reference: float, target: float, note: str, unit: str = "steps/s"
) -> Measurement:
    """Return a row whose ratio must reach `target`."""
    return Measurement(name, value, unit, reference, value / reference, target, False, note)


def products_against_gradient(rows: int, repeats: int) -> list[Measurement]:
    """Measure ten Fisher-vector products on 10% of a batch, and the empirical product."""
    policy = Policy(11, ActionSpace("continuous", (3,)), hidden_sizes=[50, 50], initial_std=1.0)
    theta = policy.initial_parameters(np.random.default_rng(0))
    batch = Batch(torch.randn(rows, 11), torch.randn(rows, 3), torch.randn(rows))
    workers = Workers(available_cores())
    tenth = slice(0, rows // 10)
    vector = torch.randn(policy.parameter_count).double()
    common: dict[str, Any] = {"damping": 1e-3, "workers": workers}
    observations = batch.observations[tenth]

    def ten(metric: Any) -> None:
        product = FisherProduct(policy, theta, observations, metric=metric, **common)
        for _ in range(10):
            product(vector)

    analytic, empirical = analytic_metric(policy), empirical_metric(policy, batch.actions[tenth])
    times = in_turn(
        [
            lambda: SinglePathSurrogate(policy, theta, batch, workers),
            lambda: ten(analytic),
            lambda: ten(empirical),
        ],
        repeats,
    )
    note = f"{rows:,} rows, two layers of 50, linearisation included"
    name = "ten Fisher products on 10% / one gradient on all"
    other = "empirical / analytic Fisher products"
    return [
        Measurement(name, times[1], "s", times[0], times[1] / times[0], 1.2, True, note),
        Measurement(other, times[2], "s", times[1], times[2] / times[1], 1.1, True, note),
    ]


def in_turn(actions: list[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median seconds of each action, timed one after the other, `repeats` rounds."""
    seconds: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats + 1):
        for own, action in zip(seconds, actions, strict=True):
            began = time.perf_counter()
            action()
            own.append(time.perf_counter() - began)
    return [statistics.median(own[1:]) for own in seconds]  # the first round warms up


PEAK_OF_CHILD = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def memory(steps: int) -> list[Measurement]:
    """Measure the resident memory of one hopper iteration in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = ["task=hopper", f"steps_per_iter={steps}", f"results_dir={folder}"]
        command = [sys.executable, "-m", "trpo_repro", "run", *overrides, "iterations=1"]
        watch = [sys.executable, "-c", PEAK_OF_CHILD, *command]
        done = subprocess.run(watch, check=True, capture_output=True, text=True)
    peak = int(done.stdout) * 1024 / 1e9
    name = f"resident memory, hopper, {steps:,} steps"
    return [Measurement(name, peak, "GB", None, peak, 1.5, True, "peak of one iteration")]


def start_up() -> list[Measurement]:
    """Measure the time from the shell to the end of cart-pole's first iteration."""
    seconds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            overrides = ["task=cartpole", "iterations=1", f"results_dir={folder}"]
            command = [sys.executable, "-m", "trpo_repro", "run", *overrides]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
    value = statistics.median(seconds)
    note = "whole process, saving and exit included"
    return [
        Measurement("shell to first iteration, cart-pole", value, "s", None, value, 3, True, note)
    ]
