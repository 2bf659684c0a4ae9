"""Configurations drawn at random over all settings, and what becomes of a run of one."""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from cli_helpers import SilentReporter, rows_of
from hypothesis import strategies as st

from trpo_repro.cli.compose import run_config
from trpo_repro.config import RunConfig, plain, without_use
from trpo_repro.errors import ConfigError, SimulationDiverged
from trpo_repro.optim.step import Outcome
from trpo_repro.runner.checkpoint import load_arrays
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.settings import ALGORITHM_TASKS

PAIRS = [(task, algo) for algo, tasks in ALGORITHM_TASKS.items() for task in tasks]
POSITIVE = st.floats(5e-324, 1e308) | st.floats(1e-4, 10.0)
NOT_NEGATIVE = st.just(0.0) | POSITIVE
FRACTION = st.floats(5e-324, 1.0)
BETWEEN = st.floats(5e-324, math.nextafter(1.0, 0.0))
FEW = st.integers(1, 5)
SIZES = st.lists(st.integers(1, 6), max_size=2)

SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(0, 2**63 - 1),
    "steps_per_iter": st.integers(1, 120),
    "estimator.discount": st.floats(0, 1),
    "estimator.lambda_": st.floats(0, 1),
    "estimator.baseline": st.sampled_from(["none", "linear", "mlp"]),
    "estimator.normalise_observations": st.booleans(),
    "policy.hidden_sizes": SIZES,
    "policy.initial_std": POSITIVE,
    "task.horizon": st.integers(1, 30),
    "task.timestep": st.floats(5e-324, 0.1),
    "task.frame_skip": st.integers(2, 5),
    "task.integrator": st.sampled_from(["euler", "implicitfast", "rk4"]),
    "task.protocol": st.sampled_from(["trpo2015", "machado2018"]),
    "task.reward_bound": st.none() | POSITIVE,
    "task.batched": st.booleans(),
    "algo.stepsize": POSITIVE,
    "algo.cg_iterations": st.integers(1, 20),
    "algo.damping": NOT_NEGATIVE,
    "algo.fisher_fraction": FRACTION,
    "algo.line_search_shrink": BETWEEN,
    "algo.max_backtracks": st.integers(0, 30),
    "algo.trunk_steps": st.integers(1, 59),
    "algo.rollouts_per_state": st.integers(2, 4),
    "algo.rollout_length": FEW,
    "algo.proposal": st.sampled_from(["auto", "policy", "uniform", "all"]),
    "algo.common_random_numbers": st.booleans(),
    "algo.initial_penalty": POSITIVE,
    "algo.dual_stepsize": BETWEEN,
    "algo.max_iterations": FEW,
    "algo.population": st.integers(2, 6),
    "algo.elites": FEW,
    "algo.initial_std": POSITIVE,
    "algo.extra_std": NOT_NEGATIVE,
    "algo.noise_generations": FEW,
    "algo.diagonal": st.booleans(),
    "algo.play": st.sampled_from(["mean", "sampled"]),
    "policy.channels": st.lists(st.integers(1, 3), min_size=1, max_size=2),
    "policy.kernel_size": st.integers(1, 4),
    "policy.stride": st.integers(1, 3),
}
"""What may be drawn for each setting: all that the checks accept, but sizes that take seconds."""
WRONG = [-1, 0, 1.5, math.nan, math.inf, -math.inf, 10**400, True, None, "", "x", [], [0], "1e999"]


def word(key: str, value: Any) -> str:
    """Return an override as the command line takes it."""
    if isinstance(value, str):
        return f"{key}='{value}'"
    text = "null" if value is None else str(value)
    return f"{key}={text.lower() if isinstance(value, bool) else text}"


@st.composite
def overrides(draw: st.DrawFn, pairs: list[tuple[str, str]], *, wrong: bool) -> list[str]:
    """Draw a task, an algorithm and settings of both, with a wrong one among them or not."""
    task, algo = draw(st.sampled_from(pairs))
    base = [f"task={task}", f"algo={algo}", "scale=smoke", "threads=1", "steps_per_iter=60"]
    if task == "gym":
        base.append("task.id=" + draw(st.sampled_from(["Pendulum-v1", "CartPole-v1", "Hopper-v5"])))
    if algo == "vine":
        base.append("algo.trunk_steps=20")  # less than all
    there = known(task, algo)
    keys = [key for key in SETTINGS if key in there]
    chosen = draw(st.lists(st.sampled_from(keys), unique=True, max_size=6))
    lines = [word(key, draw(SETTINGS[key])) for key in chosen]
    if wrong:
        lines.append(word(draw(st.sampled_from(keys)), draw(st.sampled_from(WRONG))))
    return [*base, *lines]


@functools.cache
def known(task: str, algo: str) -> frozenset[str]:
    """Return the full names of the settings of a task and an algorithm that it uses."""
    config = run_config([f"task={task}", f"algo={algo}"])
    return frozenset(leaves(plain(config))) - without_use(config).keys()


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def config_or_complaint(words: list[str]) -> RunConfig | str:
    """Return the configuration, or the one line that says which key is wrong, and how."""
    try:
        return run_config(words)
    except ConfigError as error:
        complaint = str(error)
    assert "\n" not in complaint
    assert any(line.split("=")[0].split(".")[-1] in complaint for line in words), complaint
    return complaint


def run_to_its_end(words: list[str]) -> str:
    """Run an accepted configuration; return how it ended, which is in order whatever it was."""
    with tempfile.TemporaryDirectory() as results:
        try:
            config = run_config([*words, f"results_dir={results}"])
            execute(config, SilentReporter())
        except ConfigError:
            return "refused"  # what only the task itself can tell
        except SimulationDiverged:
            return "diverged"
        folder = RunFolder.of(config)
        rows = rows_of(folder)
        assert len(rows) == config.iterations == 2
        assert {row["outcome"] for row in rows} <= set(Outcome)
        assert np.isfinite(load_arrays(folder.policy)["theta"]).all()
        assert not list(Path(results).rglob(".tmp-*"))
    return "done"
