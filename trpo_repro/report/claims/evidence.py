"""What the rules look at: stored runs, the theory's tables, and measurements, or their absence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trpo_repro.report.ablations import FOLDER, Found, ablations
from trpo_repro.report.choice import Choice, choices, lacking
from trpo_repro.report.claims.sources import measured, theory
from trpo_repro.report.claims.verdict import Count, Judgement
from trpo_repro.report.collection import SCALES, Collection, Stored, comparison_folders
from trpo_repro.report.groups import Group
from trpo_repro.report.statistics import Interval
from trpo_repro.report.style import look

SEEDS = 5
"""The paper averages so many runs; fewer test nothing."""
PROTOCOL = "trpo2015"
"""How the paper's games are played; the same games played otherwise are no evidence."""
Chosen = Mapping[str, Sequence[Choice]]


@dataclass(frozen=True)
class Evidence:
    """Everything that is stored.

    Attributes:
        results: The folder that paths of runs are relative to.
        comparison: The choices at `scale=bench`, by task.
        paper: Those at `scale=paper`.
        ablations: What was varied.
        theory: The tables of `trpo-repro theory` by name: `checks`, `steps`.
        measured: One row a quantity: `measurement`, `quantity`, `task`, `value`, `low`, `high`,
            `n`.
        complaints: What is wrong with stored runs, a line each.
    """

    results: Path
    comparison: Chosen
    paper: Chosen
    ablations: Found
    theory: Mapping[str, pd.DataFrame]
    measured: pd.DataFrame
    complaints: tuple[str, ...]

    def group(self, task: str, algorithm: str) -> Group | None:
        """Return the seeds that stand for an algorithm; None where there are fewer than `SEEDS`."""
        found = self._group(task, algorithm)
        return found if found and len(found.complete) >= SEEDS else None

    def missing(self, task: str, algorithm: str) -> Count:
        """Return the count that says what is missing."""
        found = self._group(task, algorithm)
        done = len(found.complete) if found else 0
        seeds = f" ({done} of {SEEDS} seeds)" if done else ""
        return Count(f"{task}, {look(algorithm).label}{seeds}", Judgement.MISSING)

    def runs(self, *groups: Group) -> tuple[str, ...]:
        """Return the folders of the complete runs of `groups`."""
        paths = [run.path for group in groups for run in group.complete]
        return tuple(path.relative_to(self.results).as_posix() for path in paths)

    def rows(self, measurement: str, quantity: str = "") -> list[dict[str, Any]]:
        """Return the rows of a measurement, of one quantity where that is named."""
        rows = self.measured[self.measured["measurement"] == measurement]
        rows = rows[rows["quantity"] == quantity] if quantity else rows
        return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]

    def _group(self, task: str, algorithm: str) -> Group | None:
        of_task = self.comparison.get(task, ())
        return next((c.group for c in of_task if c.group.algorithm == algorithm), None)


def seeds_count(
    evidence: Evidence,
    name: str,
    *,
    groups: Sequence[Group],
    value: float,
    between: Interval | None,
    judgement: Judgement,
) -> Count:
    """Return the count of something that was taken over the seeds of `groups`."""
    n = " + ".join(group.shares(group.complete) for group in groups)
    return Count(name, judgement, value, between, n, evidence.runs(*groups))


def measured_count(
    row: Mapping[str, Any], name: str, *, judge: Callable[[Interval], Judgement]
) -> Count:
    """Return the count of one row of a measurement."""
    between = Interval(float(row["low"]), float(row["high"]))
    runs = (str(row["run"]),) if row["run"] else ()
    return Count(name, judge(between), float(row["value"]), between, str(row["n"]), runs)


def over_seeds(group: Group, quantity: Callable[[Any], float]) -> NDArray[np.float64]:
    """Return (n,) a quantity of each complete run."""
    return np.array([quantity(run) for run in group.complete], np.float64)


def gather(stored: Stored) -> Evidence:
    """Return all that is stored; what is not there is missing evidence and no error."""
    results, nothing = stored.results, Collection([], {})
    found = stored.comparison if comparison_folders(results) else nothing
    runs = [run for run in found.runs if run.config["task"].get("protocol", PROTOCOL) == PROTOCOL]
    by_scale = {
        scale: choices([run for run in runs if run.config.get("scale") == scale])
        for scale in SCALES
    }
    varied = stored.part(FOLDER)
    absent = [line for chosen in by_scale.values() for line in lacking(chosen)]
    return Evidence(
        results=results,
        comparison=by_scale["bench"],
        paper=by_scale["paper"],
        ablations=ablations(by_scale["bench"], varied.runs),
        theory=theory(results),
        measured=measured(results),
        complaints=(*found.complaints, *absent, *varied.complaints),
    )
