"""The stepsize sweep: final score against `algo.stepsize`, one panel a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import FINAL, Group
from trpo_repro.report.layout import caption, counts, legend_above, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.statistics import bootstrap_interval
from trpo_repro.report.style import look

APART = 1.12
"""Factor between the abscissae of two algorithms, so that they do not hide each other."""


def draw(chosen: Mapping[str, Sequence[Choice]]) -> Picture | None:
    """Return the picture of every sweep; None where there is none.

    A task without a sweep has no panel.
    """
    drawn = {
        task: found
        for task, of_task in chosen.items()
        if (found := [choice for choice in of_task if choice.swept and choice.shown])
    }
    if not drawn:
        return None
    figure, axes = panels(len(drawn), below=0.1, around=0.7)
    for ax, (task, of_task) in zip(axes, drawn.items(), strict=True):
        _panel(ax, task, of_task=of_task)
    legend_above(figure, [choice.group.algorithm for found in drawn.values() for choice in found])
    text = (
        f"Final score: mean of the last {FINAL} iterations. Points: complete seeds. Line: their "
        f"mean, with a 95% bootstrap interval from three seeds on. Ring: the best, as in Figure 4."
    )
    caption(figure, text)
    return Picture(figure, _numbers(drawn))


def _panel(ax: Axes, task: str, *, of_task: Sequence[Choice]) -> None:
    """Draw one task."""
    for number, choice in enumerate(of_task):
        _sweep(ax, choice, shift=APART**number)
    stepsizes = sorted({g.stepsize for choice in of_task for g in choice.sweep if g.stepsize})
    ax.set_xscale("log")
    ax.set_xticks(stepsizes, [f"{value:g}" for value in stepsizes])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("stepsize")
    ax.set_ylabel("final score (reward per step)")
    note(ax, task, text=". ".join(_note(choice) for choice in of_task))


def _sweep(ax: Axes, choice: Choice, *, shift: float) -> None:
    """Draw one algorithm: seeds, means, intervals, and a ring around the best."""
    colour, known = look(choice.group.algorithm).colour, [g for g in choice.sweep if g.complete]
    x = [shift * (group.stepsize or np.nan) for group in known]
    for place, group in zip(x, known, strict=True):
        points: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 3, "alpha": 0.4}
        ax.plot([place] * len(group.finals), group.finals, color=colour, **points)
        if between := bootstrap_interval(group.finals, _mean):
            ax.vlines(place, *between, color=colour, linewidth=1.6)
    ax.plot(x, [g.final for g in known], color=colour, marker="_", markersize=9, linewidth=1.0)
    ring: dict[str, Any] = {"marker": "o", "markersize": 10, "markerfacecolor": "none"}
    ax.plot([shift * (choice.group.stepsize or np.nan)], [choice.group.final], color=colour, **ring)


def _note(choice: Choice) -> str:
    """Return n of each stepsize, once where they agree."""
    shares = {f"at {g.stepsize:g}": g.shares(g.complete) for g in choice.sweep}
    return f"{look(choice.group.algorithm).label}: {counts(shares)}"


def _numbers(drawn: Mapping[str, Sequence[Choice]]) -> pd.DataFrame:
    """Return one row a seed, and of its stepsize the mean and interval."""
    return pd.DataFrame(
        [
            row
            for task, of_task in drawn.items()
            for choice in of_task
            for group in choice.sweep
            for row in _rows(task, group, best=group is choice.group)
        ]
    )


def _rows(task: str, group: Group, *, best: bool) -> list[dict[str, object]]:
    low, high = bootstrap_interval(group.finals, _mean) or (None, None)
    fixed = {"task": task, "algorithm": group.algorithm, "stepsize": group.stepsize, "best": best}
    fixed |= {"n": len(group.complete), "seeds": len(group.runs), "failed": group.failed}
    fixed |= {"mean": group.final if group.complete else None, "low": low, "high": high}
    finals = zip(group.complete, group.finals, strict=True)
    rows = [{**fixed, "seed": run.seed, "final_score": final} for run, final in finals]
    return rows or [{**fixed, "seed": None, "final_score": None}]


def _mean(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values.mean(axis=-1), np.float64)
