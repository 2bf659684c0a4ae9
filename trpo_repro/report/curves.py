"""Learning curves: score against policy iteration, one panel a task (as in the paper's Fig. 4)."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trpo_repro.report.runs import SCIENCE, StoredRun
from trpo_repro.report.statistics import bootstrap_band
from trpo_repro.report.style import BAND, DOTTED, LOOKS, PANEL, THIN, look

TASK_ORDER = ("cartpole", "swimmer", "hopper", "walker")
OTHER_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
"""Line styles of several settings of one algorithm in a panel."""
SEEDS_FOR_BAND = 3
LEGEND_LINE = 0.16  # inches
FEW_CURVES = 2  # so many find room for their legend among them
LABEL_WIDTH = 46  # characters


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


@dataclass(frozen=True)
class Curve:
    """A group and how it is told apart from the others of its panel.

    Attributes:
        group: The seeds.
        label: What the legend says, on as many lines as it takes.
        dashes: The line style.
    """

    group: Group
    label: str
    dashes: Any


def draw(runs: Sequence[StoredRun]) -> Figure:
    """Return the figure of `runs`: seeds thin, their mean thick, its 95% interval a band."""
    panels = {task: list(_curves(groups)) for task, groups in _panels(runs).items()}
    # One to three in a row; four as a square.
    columns = len(panels) if len(panels) <= 3 else 2 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    height = PANEL[1] + LEGEND_LINE * max(map(_lines_below, panels.values()))
    # Figure, not pyplot: no global state, and no window system is asked for.
    figure = Figure(figsize=(columns * PANEL[0], rows * height + 0.5))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (task, curves) in zip(axes, panels.items(), strict=False):
        _panel(ax, task, curves)
    for ax in axes[len(panels) :]:
        ax.remove()
    figure.suptitle("Learning curves", x=0.01, ha="left", weight="bold")
    groups = [curve.group for curves in panels.values() for curve in curves]
    figure.supxlabel(_caption(groups), x=0.01, ha="left", fontsize=7, color="#555555")
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
    return panels


def _curves(groups: Sequence[Group]) -> Iterator[Curve]:
    """Yield the curves of a panel, algorithms in the order of `LOOKS`.

    Several settings of one algorithm share its colour; the label says what sets them apart.
    """
    known = list(LOOKS)
    ranked = sorted(
        groups, key=lambda g: known.index(g.algorithm) if g.algorithm in known else len(known)
    )
    for algorithm, same in itertools.groupby(ranked, key=lambda group: group.algorithm):
        alike = list(same)
        settings = [dict(_science(group.runs[0].config)) for group in alike]
        keys = [k for k in settings[0] if len({repr(s.get(k)) for s in settings}) > 1]
        for number, (group, values) in enumerate(zip(alike, settings, strict=True)):
            own = "".join(f", {key}={json.dumps(values.get(key))}" for key in keys)
            label = textwrap.fill(f"{look(algorithm).label}{own} ({group.count})", LABEL_WIDTH)
            several = OTHER_DASHES[number % len(OTHER_DASHES)]
            yield Curve(group, label, several if len(alike) > 1 else look(algorithm).dashes)


def _lines_below(curves: Sequence[Curve]) -> int:
    """Return how many lines of legend a panel needs below its axis."""
    if len(curves) <= FEW_CURVES:
        return 0
    return sum(curve.label.count("\n") + 1 for curve in curves)


def _panel(ax: Axes, task: str, curves: Sequence[Curve]) -> None:
    """Draw one task."""
    sizes = {int(curve.group.runs[0].config["steps_per_iter"]) for curve in curves}
    steps = f"  ({sizes.pop():,} steps an iteration)" if len(sizes) == 1 else ""
    ax.set_title(task + steps)
    for curve in curves:
        _draw_curve(ax, curve)
    ax.set_xlabel("policy iteration")
    ax.set_ylabel("score (reward per step)")
    ax.set_xlim(left=0)
    ax.margins(x=0)
    if _lines_below(curves):  # no corner would be free
        ax.legend(handlelength=2.2, loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0)
    else:
        ax.legend(handlelength=2.2, loc="best")


def _draw_curve(ax: Axes, curve: Curve) -> None:
    """Draw one configuration: its seeds, the band, the mean."""
    group, colour = curve.group, look(curve.group.algorithm).colour
    if len(group.runs) > 1:
        for run in group.runs:
            seed = THIN if run.complete else DOTTED
            ax.plot(run.rows["iteration"], run.rows["score"], color=colour, **seed)
    scores = group.scores
    iterations, mean = np.arange(scores.shape[1]), scores.mean(axis=0)
    if len(scores) >= SEEDS_FOR_BAND:
        low, high = bootstrap_band(scores)
        ax.fill_between(iterations, low, high, color=colour, alpha=BAND, linewidth=0)
    marker = "o" if len(mean) == 1 else None  # a single point has no line
    ax.plot(
        iterations, mean, color=colour, linestyle=curve.dashes, label=curve.label, marker=marker
    )


def _science(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the full name and value of every setting that decides results."""
    for key, value in config.items():
        if not prefix and key not in SCIENCE:
            continue
        if isinstance(value, Mapping):
            yield from _science(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _caption(groups: Sequence[Group]) -> str:
    """Return what the reader has to know about the lines that are there."""
    parts = []
    if any(len(group.runs) > 1 for group in groups):
        parts.append("Thick: mean over seeds. Thin: single seeds.")
    if any(len(group.averaged) >= SEEDS_FOR_BAND for group in groups):
        parts.append("Band: 95% bootstrap interval of the mean.")
    if any(not run.complete for group in groups for run in group.runs):
        parts.append("Dotted: unfinished.")
    return " ".join(parts)
