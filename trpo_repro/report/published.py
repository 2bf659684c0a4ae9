"""Our runs on Gymnasium's own robots beside what others published."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import pandas as pd

from trpo_repro.report.groups import FINAL, Group, by_task
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import mean_interval
from trpo_repro.report.style import look
from trpo_repro.report.table import Table, estimate

FOLDER = "gym_v5"
"""Where these results lie, below the others."""
ROBOTS = {
    "swimmer": "gym-Swimmer-v5",
    "hopper": "gym-Hopper-v5",
    "walker": "gym-Walker2d-v5",
}
COLUMNS = ("source", "method", "environments", "steps", "seeds", "metric", *ROBOTS)
NOTES = (
    f"Ours: return of the sampled policy, mean of the last {FINAL} iterations, over complete seeds"
    " with Student's 95% t interval. Others: as published, with what their sources say; no answer"
    " is blank.",
    "Versions differ in physics, thresholds and rewards, metrics in what they pick: rows with other"
    " environments or another metric are apples beside pears.",
)


def published() -> pd.DataFrame:
    """Return others' results, as text."""
    source = resources.files("trpo_repro.report") / "paper" / "published_mujoco.csv"
    with resources.as_file(source) as path:
        return pd.read_csv(path, dtype=str, keep_default_na=False)


def table(runs: Sequence[StoredRun]) -> Table:
    """Return ours, where there are any, above the others."""
    theirs = published()
    others = [{str(k): str(v) for k, v in row.items()} for row in theirs.to_dict("records")]
    rows = [*_ours(runs), *map(_theirs, others)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return Table("Gymnasium's robots, ours beside the published", frame, frame, NOTES)


def _ours(runs: Sequence[StoredRun]) -> list[dict[str, str]]:
    """Return one row for each method, number of steps and size of a batch."""
    groups = {task: found for task, found in by_task(runs).items() if task in ROBOTS.values()}
    cells: dict[tuple[int, int, str], dict[str, Group]] = {}
    for robot, task in ROBOTS.items():
        for group in groups.get(task, ()):
            if group.complete:
                cells.setdefault((*_steps(group), _method(group)), {})[robot] = group
    return [
        {
            "source": "trpo-repro",
            "method": f"{method}, {batch:,} a batch",
            "environments": "Gymnasium v5",
            "steps": f"{steps:,}",
            "seeds": _seeds(own),
            "metric": f"final {FINAL} iterations, mean [95%]",
            **{robot: _return(own[robot]) if robot in own else "" for robot in ROBOTS},
        }
        for (steps, batch, method), own in sorted(cells.items())
    ]


def _seeds(own: dict[str, Group]) -> str:
    """Return how many seeds are behind the robots' cells; which one's where they differ."""
    shares = {robot: group.shares(group.complete) for robot, group in own.items()}
    if len(set(shares.values())) == 1:
        return next(iter(shares.values()))
    return "; ".join(f"{robot} {share}" for robot, share in shares.items())


def _method(group: Group) -> str:
    estimator = group.runs[0].config["estimator"]
    gae = f", GAE({estimator['lambda_']:g})" if estimator["lambda_"] < 1 else ""
    network = ", network for V" if estimator["baseline"] == "mlp" else ""
    return look(group.algorithm).label + gae + network


def _steps(group: Group) -> tuple[int, int]:
    """Return the simulated steps in all and in a batch."""
    config = group.runs[0].config
    batch = int(config["steps_per_iter"])
    return batch * int(config["iterations"]), batch


def _return(group: Group) -> str:
    last = pd.Series([run.rows["return_mean"].iloc[-FINAL:].mean() for run in group.complete])
    values = last.to_numpy()
    return estimate(float(values.mean()), mean_interval(values), form=".0f")


def _theirs(row: dict[str, str]) -> dict[str, str]:
    environments = " ".join(filter(None, (row["env_family"], row["env_version"])))
    kept = {key: row[key].replace("+-", " ± ").strip() for key in COLUMNS if key in row}
    steps = f"{int(row['steps']):,}" if row["steps"] else ""
    return {**kept, "environments": environments, "steps": steps}
