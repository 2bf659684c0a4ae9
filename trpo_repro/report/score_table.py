"""Final scores of every algorithm on every task, and how surely single-path TRPO beats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import FINAL
from trpo_repro.report.statistics import (
    SEEDS_FOR_BAND,
    Interval,
    bootstrap_interval,
    improvement_interval,
    interquartile_mean,
    mean_interval,
    probability_of_improvement,
)
from trpo_repro.report.style import look
from trpo_repro.report.table import Table, estimate

OURS = "single_path"
NOTES = (
    f"Score: reward per step of a full episode, mean of the last {FINAL} iterations of each"
    " complete run. CEM and CMA-ES: the score of the search's mean, not of its members, acting"
    " by its mean action; the others sample theirs.",
    "n: complete runs, of how many where they are not all. Runs that failed or are unfinished have"
    " no part in the numbers.",
    "mean: over seeds, with Student's 95% t interval. IQM: mean without a quarter of the seeds,"
    " rounded down, at each end (of five, the middle three), with a 95% percentile bootstrap"
    " interval from three seeds on, which is too narrow where seeds are few.",
    "P(single path better): over all pairs of seeds, ties half (Mann-Whitney's U over n m), with a"
    " 95% bootstrap interval that resamples the seeds of each algorithm among themselves. Where all"
    " seeds of one beat all of the other it has no width, which five seeds are too few to mean.",
    "stepsize: where several were run, the one with the best final score, out of as many as said.",
)


@dataclass(frozen=True)
class Scores:
    """What a choice came to: numbers over its complete seeds, None where none is complete."""

    mean: float | None = None
    mean_between: Interval | None = None
    iqm: float | None = None
    iqm_between: Interval | None = None
    lowest: float | None = None
    highest: float | None = None
    sim_steps: float | None = None
    improvement: float | None = None
    improvement_between: Interval | None = None


def table(chosen: Mapping[str, Sequence[Choice]]) -> Table:
    """Return the table, a row for each task and algorithm, those without a complete run too."""
    numbers, shown = [], []
    for task, of_task in chosen.items():
        ours = next((c.group.finals for c in of_task if c.group.algorithm == OURS), np.empty(0))
        for choice in of_task:
            found = scores(choice, ours)
            numbers.append({"task": task, **_numbers(choice, found)})
            shown.append({"task": task, **_shown(choice, found)})
    return Table("Final scores", pd.DataFrame(numbers), pd.DataFrame(shown), NOTES)


def scores(choice: Choice, ours: NDArray[np.float64]) -> Scores:
    """Return the statistics of a choice.

    Args:
        choice: Whose.
        ours: (n,) final scores of single-path TRPO on that task; none if it was not run.
    """
    finals = choice.group.finals
    if not len(finals):
        return Scores()
    rival = choice.group.algorithm != OURS and min(len(ours), len(finals)) >= SEEDS_FOR_BAND
    steps = [float(run.rows["sim_steps"].iloc[-1]) for run in choice.group.complete]
    return Scores(
        mean=float(finals.mean()),
        mean_between=mean_interval(finals),
        iqm=float(interquartile_mean(finals)),
        iqm_between=bootstrap_interval(finals, interquartile_mean),
        lowest=float(finals.min()),
        highest=float(finals.max()),
        sim_steps=float(np.mean(steps)),
        improvement=float(probability_of_improvement(ours, finals)) if rival else None,
        improvement_between=improvement_interval(ours, finals) if rival else None,
    )


def _numbers(choice: Choice, found: Scores) -> dict[str, object]:
    """Return a row for machines: intervals as two columns."""
    group = choice.group
    row: dict[str, object] = {
        "algorithm": group.algorithm,
        "setting": group.identity,
        "stepsize": group.stepsize,
        "stepsizes_tried": len(choice.sweep),
        "n": len(group.complete),
        "seeds": len(group.runs),
        "failed": group.failed,
    }
    for name, value in asdict(found).items():
        if name.endswith("_between"):
            ends = value or (None, None)
            stem = name.removesuffix("_between")
            row |= dict(zip((f"{stem}_low", f"{stem}_high"), ends, strict=True))
        else:
            row[name] = value
    return row


def _shown(choice: Choice, found: Scores) -> dict[str, str]:
    """Return a row for a reader."""
    group = choice.group
    tried = f" (of {len(choice.sweep)})" if choice.swept else ""
    return {
        "algorithm": look(group.algorithm).label,
        "n": group.shares(group.complete),
        "mean": estimate(found.mean, found.mean_between),
        "IQM": estimate(found.iqm, found.iqm_between),
        "min": estimate(found.lowest, None),
        "max": estimate(found.highest, None),
        "stepsize": "" if group.stepsize is None else f"{group.stepsize:g}{tried}",
        "million steps": "" if found.sim_steps is None else f"{found.sim_steps / 1e6:.2f}",
        "P(single path better)": estimate(found.improvement, found.improvement_between, form=".2f"),
    }
