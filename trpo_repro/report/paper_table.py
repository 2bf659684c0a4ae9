"""The paper's Table 2 with ours beside it: parameters and computation time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import FINAL, TASK_ORDER
from trpo_repro.report.policies import NAME, POLICIES
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.style import look
from trpo_repro.report.table import Table, machines

PARAMETER_NOTES = (
    "The paper: Table 2 (App. E); it has no column for cart-pole. Ours: the stored configurations"
    " of single path and vine, and their policies.",
    "State space: ours is what the policy sees, all of the state but the robot's absolute x.",
    "Paths: ours is the mean number of episodes an iteration, over the last"
    f" {FINAL} iterations; episodes that end early are shorter than the horizon.",
    "Vine: ours takes as many states as the budget of steps affords, so that neither Q-values nor"
    " rollouts are a fixed number; the trunk's rollouts are its steps over the horizon.",
)
PAPER_COLUMN = {
    "single_path": "sp_computation_minutes",
    "vine": "vine_computation_minutes",
}


def paper_table() -> pd.DataFrame:
    """Return the paper's Table 2: its parameters as index, as text a column for each task."""
    source = resources.files("trpo_repro.report") / "paper" / "table2.csv"
    with resources.as_file(source) as path:
        return pd.read_csv(path, dtype=str, index_col="parameter")


def parameters(chosen: Mapping[str, Sequence[Choice]]) -> Table:
    """Return Table 2: for each of the paper's tasks ours and the paper's."""
    paper = paper_table()
    columns: dict[str, pd.Series[str]] = {"parameter": paper["label"]}
    for task in (task for task in TASK_ORDER if task in chosen):
        ours = {c.group.algorithm: c for c in chosen[task] if c.shown}
        values = ours_of(ours.get("single_path"), ours.get("vine"))
        columns[f"{task}, ours"] = pd.Series(
            [_text(values.get(key)) for key in paper.index], index=paper.index
        )
        columns[f"{task}, paper"] = paper[task] if task in paper else pd.Series("", paper.index)
    shown = pd.DataFrame(columns)
    numbers = shown.drop(columns="parameter").rename_axis("parameter").reset_index()
    return Table("Parameters, ours beside the paper's", numbers, shown, PARAMETER_NOTES)


def ours_of(single_path: Choice | None, vine: Choice | None) -> dict[str, Any]:
    """Return our values by the paper's names of its parameters."""
    values: dict[str, Any] = {}
    if vine:
        run = vine.group.complete[0]
        algo, horizon = run.config["algo"], run.config["task"]["horizon"]
        values |= _common(run) | {
            "vine_rollout_length": algo["rollout_length"],
            "vine_rollouts_per_state": algo["rollouts_per_state"],
            "vine_num_rollouts_for_sampling": algo["trunk_steps"] / horizon,
            "vine_len_rollouts_for_sampling": horizon,
            "vine_computation_minutes": minutes(vine).mean(),
        }
    if single_path:
        run = single_path.group.complete[0]
        episodes = [float(r.rows["episodes"][-FINAL:].mean()) for r in single_path.group.complete]
        values |= _common(run) | {
            "sp_num_path": round(float(np.mean(episodes))),
            "sp_path_len": run.config["task"]["horizon"],
            "sp_computation_minutes": minutes(single_path).mean(),
        }
    return values


def _common(run: StoredRun) -> dict[str, Any]:
    """Return what single path and vine share."""
    hidden = run.config["policy"]["hidden_sizes"]
    return {
        "sim_steps_per_iter": run.config["steps_per_iter"],
        "policy_iter": run.config["iterations"],
        "stepsize_kl": run.config["algo"]["stepsize"],
        "hidden_layer_size": " + ".join(map(str, hidden)) or "none: linear",
        "discount": run.config["estimator"]["discount"],
        **(POLICIES.load(run.path / NAME) or {}),
    }


def times(chosen: Mapping[str, Sequence[Choice]]) -> Table:
    """Return computation times: a row for each task and algorithm with a complete run."""
    paper = paper_table()
    told = [
        (row, choice.group.shares(choice.group.complete))
        for task, of_task in chosen.items()
        for choice in of_task
        if (row := _time(task, choice, paper=paper))
    ]
    known = [row for row, _ in told]
    shown = [
        {key.replace("_", " "): _text(v) for key, v in {**row, "n": n}.items()} for row, n in told
    ]
    notes = (
        "Ours: wall time of whole runs, mean over the complete ones, beside whatever else the"
        " machine did. Undisturbed: the median iteration's time, times the iterations.",
        "The paper: Table 2 (App. E), for its own number of steps an iteration and 200 iterations;"
        " the machine is not named there.",
        f"Our machines: {machines([str(row['machine']) for row in known])}.",
    )
    return Table("Computation time", pd.DataFrame(known), pd.DataFrame(shown), notes)


def minutes(choice: Choice) -> NDArray[np.float64]:
    """Return (n,) the wall time of each complete run, in minutes."""
    return np.array([run.rows["wall_s"].iloc[-1] / 60 for run in choice.group.complete])


def _time(task: str, choice: Choice, *, paper: pd.DataFrame) -> dict[str, Any]:
    """Return a row of the table of times; nothing where no run is complete."""
    if not choice.shown:
        return {}
    algorithm, complete = choice.group.algorithm, choice.group.complete
    taken = minutes(choice)
    seconds = [np.median(np.diff(run.rows["wall_s"], prepend=0.0)) for run in complete]
    undisturbed = [len(run.rows) * s / 60 for run, s in zip(complete, seconds, strict=True)]
    theirs = PAPER_COLUMN.get(algorithm) if task in paper else None
    return {
        "task": task,
        "algorithm": look(algorithm).label,
        "n": len(complete),
        "iterations": len(complete[0].rows),
        "steps_per_iter": complete[0].config["steps_per_iter"],
        "minutes": float(taken.mean()),
        "minutes_least": float(taken.min()),
        "minutes_most": float(taken.max()),
        "minutes_undisturbed": float(np.mean(undisturbed)),
        "paper_steps_per_iter": paper[task]["sim_steps_per_iter"] if theirs else None,
        "paper_minutes": paper[task][theirs] if theirs else None,
        "machine": machines([run.machine for run in complete]),
    }


def _text(value: Any) -> str:
    """Return a cell: nothing for what is not known."""
    if value is None or value != value:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
