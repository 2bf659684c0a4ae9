"""Reading stored runs: from the files alone, with everything that is wrong said and nothing lost.

What a run folder holds is set down in the README; here it is read by somebody who did not write it.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trpo_repro.config import parse, science_hash
from trpo_repro.errors import CheckpointError, ConfigError
from trpo_repro.settings import later_settings

COLUMNS = (
    "iteration",
    "sim_steps",
    "episodes",
    "return_mean",
    "return_std",
    "length_mean",
    "score",
    "kl_mean",
    "kl_max",
    "surrogate_gain",
    "predicted_gain",
    "backtracks",
    "cg_residual",
    "entropy",
    "sampling_s",
    "update_s",
    "wall_s",
    "outcome",
)
"""The columns that every `progress.csv` has, in this order; an algorithm may add others."""
MEAN_SCORE = "mean_theta_score"
ALWAYS_NUMBERS = ("iteration", "sim_steps", "episodes", "return_mean", "length_mean", "score")
SCIENCE = ("steps_per_iter", "task", "policy", "estimator", "algo")
"""The parts of a configuration that decide results; their hash tells runs apart."""
READ = (*SCIENCE, "seed", "scale", "iterations")
"""The parts of a configuration that reports look at."""
UNREAD: dict[str, Any] = {
    "results_dir": "results",
    "threads": None,
    "device": "cpu",
    "checkpoint_seconds": 0.0,
    "tensorboard": False,
}
"""The other parts, which may say or lack anything."""
SIZE_LIMIT = 1 << 24  # bytes of rows that we agree to read: fifty thousand of them
JSON_LIMIT = 1 << 20  # bytes; nothing that a run writes comes near
UNREADABLE, ABSENT = "unreadable", "absent"
"""The states of runs that stand for seeds that there should be."""


@dataclass(frozen=True)
class StoredRun:
    """One run as its folder tells it.

    Attributes:
        path: The folder.
        task: The task's name; for Gymnasium with the environment's.
        algorithm: The algorithm's name.
        identity: Hash of what decides the results, the seed apart.
        seed: The seed.
        config: The configuration as it was written.
        rows: One row an iteration, the whole and sound ones.
        state: What the run says of itself: done, running, interrupted, failed; or `UNREADABLE` or
            `ABSENT`, of which there are no rows.
        complete: Whether the run says that it is done and its rows are all there.
        problem: What is wrong with it; empty where nothing is.
    """

    path: Path
    task: str
    algorithm: str
    identity: str
    seed: int
    config: dict[str, Any]
    rows: pd.DataFrame
    state: str
    complete: bool
    problem: str

    @property
    def provenance(self) -> dict[str, Any]:
        """Return versions, commit and machine; empty where they were not written."""
        found = self.config.get("provenance")
        return found if isinstance(found, dict) else {}

    @property
    def machine(self) -> str:
        """Return the processor and the threads that it ran on."""
        cpu, threads = (self.provenance.get(key, "unknown") for key in ("cpu", "threads"))
        return f"{cpu}, threads: {threads}"

    @property
    def scored_by_mean(self) -> bool:
        """Tell whether the rows hold the score of a search's mean: those of CEM and CMA-ES do."""
        return MEAN_SCORE in self.rows and bool(np.isfinite(self.rows[MEAN_SCORE]).all())

    @property
    def score(self) -> NDArray[np.float64]:
        """Return (T,) the score, reward per step of a full episode, of the policy one would keep.

        CEM and CMA-ES keep their search's mean, not the members that are drawn around it.
        """
        column = MEAN_SCORE if self.scored_by_mean else "score"
        return self.rows[column].to_numpy(np.float64)


def read_run(folder: Path) -> StoredRun:
    """Read one run folder.

    Raises:
        CheckpointError: Its configuration cannot be read, so that nobody knows what it is.
    """
    config = _configuration(folder)
    task, algorithm = config["task"]["name"], config["algo"]["name"]
    label = "gym-" + re.sub("[/:]", "-", config["task"]["id"]) if task == "gym" else task
    iterations = config["iterations"]
    rows, damage = read_progress(folder / "progress.csv")
    state = _state(folder / "status.json")
    complete = state == "done" and not damage and len(rows) >= max(1, iterations)
    unfinished = "" if complete else f"{state} with {len(rows)} of {iterations} iterations"
    return StoredRun(
        path=folder,
        task=label,
        algorithm=algorithm,
        identity=science_hash({part: config[part] for part in SCIENCE}),
        seed=config["seed"],
        config=config,
        rows=rows,
        state=state,
        complete=complete,
        problem="; ".join(filter(None, [unfinished, damage])),
    )


def _configuration(folder: Path) -> dict[str, Any]:
    """Return a run's configuration, with the settings that came later as they were before.

    Raises:
        CheckpointError: It cannot be read, or is not that of a run of this folder's seed.
    """
    config = read_json(folder / "config.json")
    try:
        config["algo"] = {**later_settings(str(config["algo"]["name"])), **config["algo"]}
        told = {part: config[part] for part in READ}
        parse({**UNREAD, **told})  # raises where a value is not what it should be
        if re.fullmatch(r"seed\d+", folder.name) and folder.name != f"seed{config['seed']}":
            raise ValueError(f"a copy of the run of seed {config['seed']}")
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        where = str(folder / "config.json")
        raise CheckpointError(f"not the configuration of a run: {error}", where=where) from error
    return config


def read_progress(path: Path) -> tuple[pd.DataFrame, str]:
    """Return the sound rows at the beginning of a `progress.csv`, and what is wrong after them."""
    try:
        raw = path.read_bytes() if path.stat().st_size <= SIZE_LIMIT else b""
        whole, newline, rest = raw.rpartition(b"\n")
        text = io.BytesIO(whole + newline)
        cells = pd.read_csv(text, dtype=str, encoding_errors="replace", on_bad_lines="skip")
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        return _no_rows(), f"{path.name} cannot be read ({' '.join(str(error).split())})"
    if tuple(cells.columns[: len(COLUMNS)]) != COLUMNS:
        return _no_rows(), f"{path.name} has other columns than ours"
    outcome = cells.pop("outcome")
    # All cells at once: pandas spends far longer on asking each column than on reading it.
    written = cells.to_numpy(dtype=object)
    flat = pd.to_numeric(written.ravel(), errors="coerce")
    rows = pd.DataFrame(np.asarray(flat, np.float64).reshape(written.shape), columns=cells.columns)
    damaged = (rows.isna().to_numpy() & cells.notna().to_numpy()).any(axis=1)
    damaged |= ~np.isfinite(rows[list(ALWAYS_NUMBERS)].to_numpy()).all(axis=1)
    damaged |= (rows["iteration"].to_numpy() != np.arange(len(rows))) | outcome.isna().to_numpy()
    sound = int(damaged.argmax()) if damaged.any() else len(rows)
    rows["outcome"] = outcome
    problem = ""
    if sound < len(rows) or rest:
        problem = f"{path.name} is damaged after {sound} rows"
    return rows.iloc[:sound], problem


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=np.float64) for name in COLUMNS})


def stand_in(sibling: StoredRun, seed: int, *, state: str, problem: str) -> StoredRun:
    """Return what stands for a seed that nobody can read, so that it is counted as one.

    Args:
        sibling: A run of the same settings, in a folder beside it.
        seed: The seed that is lost.
        state: `UNREADABLE` or `ABSENT`.
        problem: What is wrong.
    """
    config = {key: value for key, value in sibling.config.items() if key != "provenance"}
    return replace(
        sibling,
        path=sibling.path.with_name(f"seed{seed}"),
        seed=seed,
        config={**config, "seed": seed},
        rows=_no_rows(),
        state=state,
        complete=False,
        problem=problem,
    )


def _state(path: Path) -> str:
    """Return what `status.json` says, or that it does not."""
    try:
        return str(read_json(path).get("state", "in an unknown state"))
    except (CheckpointError, OSError):
        return "in an unknown state"


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON mapping."""
    try:
        content = json.loads(path.read_bytes()) if path.stat().st_size <= JSON_LIMIT else None
    except (ValueError, RecursionError) as error:
        raise CheckpointError("the file is not JSON", where=str(path)) from error
    if not isinstance(content, dict):
        raise CheckpointError("the file is not a JSON mapping of a sane size", where=str(path))
    return content
