"""Learning curves: score against policy iteration, one panel a task (as in the paper's Fig. 4)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trpo_repro.report.runs import SCIENCE, StoredRun
from trpo_repro.report.statistics import bootstrap_band
from trpo_repro.report.style import BAND, FAINT, LOOKS, PANEL, THIN, look

TASK_ORDER = ("cartpole", "swimmer", "hopper", "walker")
OTHER_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
"""Line styles of several settings of one algorithm in a panel."""
SEEDS_FOR_BAND = 3
LEGEND_LINE = 0.16  # inches
FEW_LINES = 2  # so many find room for their legend among the curves


@dataclass(frozen=True)
class Group:
    """The seeds of one configuration.

    Attributes:
        runs: The runs, of different seeds.
    """

    runs: tuple[StoredRun, ...]

    @property
    def algorithm(self) -> str:
        """Return their algorithm."""
        return self.runs[0].algorithm

    @property
    def averaged(self) -> tuple[StoredRun, ...]:
        """Return the runs that the mean is taken over: those complete, or if none is, all."""
        complete = tuple(run for run in self.runs if run.complete)
        return complete or tuple(run for run in self.runs if len(run.rows)) or self.runs

    @property
    def scores(self) -> NDArray[np.float64]:
        """Return (n, T) the scores of the runs averaged, as far as all of them go."""
        curves = [run.rows["score"].to_numpy(np.float64) for run in self.averaged]
        length = min(map(len, curves))
        return np.stack([curve[:length] for curve in curves])

    @property
    def count(self) -> str:
        """Return how many seeds the mean is of, and of how many that there are."""
        averaged, found = len(self.averaged), len(self.runs)
        return f"n = {found}" if averaged == found else f"n = {averaged} of {found}"


def draw(runs: Sequence[StoredRun]) -> Figure:
    """Return the figure of `runs`: seeds thin, their mean thick, its 95% interval a band."""
    panels = _panels(runs)
    # One to three in a row; four as a square.
    columns = len(panels) if len(panels) <= 3 else 2 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    # Figure, not pyplot: no global state, and no window system is asked for.
    legend = LEGEND_LINE * max(len(groups) for groups in panels.values())
    height = PANEL[1] + (legend if legend > FEW_LINES * LEGEND_LINE else 0.0)
    figure = Figure(figsize=(columns * PANEL[0], rows * height + 0.5))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (task, groups) in zip(axes, panels.items(), strict=False):
        _panel(ax, task, groups)
    for ax in axes[len(panels) :]:
        ax.remove()
    figure.suptitle("Learning curves", x=0.01, ha="left", weight="bold")
    figure.supxlabel(_caption(panels), x=0.01, ha="left", fontsize=7, color="#555555")
    return figure


def _panels(runs: Sequence[StoredRun]) -> dict[str, list[Group]]:
    """Return the groups of each task, tasks in the paper's order and others behind."""

    def place(task: str) -> tuple[int, str]:
        return (TASK_ORDER.index(task) if task in TASK_ORDER else len(TASK_ORDER), task)

    panels: dict[str, list[Group]] = {
        task: [] for task in sorted({run.task for run in runs}, key=place)
    }
    for (task, _, _), seeds in itertools.groupby(
        runs, key=lambda run: (run.task, run.algorithm, run.identity)
    ):
        panels[task].append(Group(tuple(seeds)))
    known = list(LOOKS)
    for groups in panels.values():
        groups.sort(key=lambda g: known.index(g.algorithm) if g.algorithm in known else len(known))
    return panels


def _panel(ax: Axes, task: str, groups: Sequence[Group]) -> None:
    """Draw one task."""
    sizes = {int(group.runs[0].config["steps_per_iter"]) for group in groups}
    steps = f"  ({sizes.pop():,} steps an iteration)" if len(sizes) == 1 else ""
    ax.set_title(task + steps)
    for group, label, dashes in _labelled(groups):
        _curve(ax, group, label, dashes)
    ax.set_xlabel("policy iteration")
    ax.set_ylabel("score (reward per step)")
    ax.set_xlim(left=0)
    ax.margins(x=0)
    if len(groups) <= FEW_LINES:
        ax.legend(loc="best", handlelength=2.2)
    else:  # no corner would be free
        below = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.2), "borderaxespad": 0.0}
        ax.legend(handlelength=2.2, **below)


def _curve(ax: Axes, group: Group, label: str, dashes: Any) -> None:
    """Draw one configuration."""
    colour = look(group.algorithm).colour
    if len(group.runs) > 1:
        for run in group.runs:
            ax.plot(
                run.rows["iteration"],
                run.rows["score"],
                color=colour,
                linewidth=THIN,
                alpha=FAINT,
                linestyle="-" if run.complete else ":",
            )
    scores = group.scores
    iterations = np.arange(scores.shape[1])
    if len(scores) >= SEEDS_FOR_BAND:
        low, high = bootstrap_band(scores)
        ax.fill_between(iterations, low, high, color=colour, alpha=BAND, linewidth=0)
    marker = "o" if scores.shape[1] == 1 else None  # a single point has no line
    ax.plot(
        iterations, scores.mean(axis=0), color=colour, linestyle=dashes, label=label, marker=marker
    )


def _labelled(groups: Sequence[Group]) -> Iterator[tuple[Group, str, Any]]:
    """Yield each group with its label and line style.

    Several settings of one algorithm share its colour; the label says what sets them apart.
    """
    for _, same in itertools.groupby(groups, key=lambda group: group.algorithm):
        alike = list(same)
        settings = [dict(_science(group.runs[0].config)) for group in alike]
        keys = [k for k in settings[0] if len({repr(s.get(k)) for s in settings}) > 1]
        for number, (group, values) in enumerate(zip(alike, settings, strict=True)):
            known = look(group.algorithm)
            differing = "".join(f", {key}={json.dumps(values.get(key))}" for key in keys)
            dashes = OTHER_DASHES[number % len(OTHER_DASHES)] if len(alike) > 1 else known.dashes
            yield group, f"{known.label}{differing} ({group.count})", dashes


def _science(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the full name and value of every setting that decides results."""
    for key, value in config.items():
        if not prefix and key not in SCIENCE:
            continue
        if isinstance(value, Mapping):
            yield from _science(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _caption(panels: Mapping[str, Sequence[Group]]) -> str:
    """Return what the reader has to know about the lines that are there."""
    groups = [group for panel in panels.values() for group in panel]
    parts = []
    if any(len(group.runs) > 1 for group in groups):
        parts.append("Thick: mean over seeds. Thin: single seeds.")
    if any(len(group.averaged) >= SEEDS_FOR_BAND for group in groups):
        parts.append("Band: 95% bootstrap interval of the mean.")
    if any(not run.complete for group in groups for run in group.runs):
        parts.append("Dotted: unfinished.")
    return " ".join(parts)
