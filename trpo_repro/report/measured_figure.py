"""Ablations that are measured: ratios of variances and of times (C10, C11, C21, C22)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from trpo_repro.report.layout import caption, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.statistics import Interval
from trpo_repro.report.style import GREY, look
from trpo_repro.report.table import estimate

TICKS = (0.03, 0.1, 0.3, 1.0, 3.0)
WIDEST = 0.25  # the left edge at most, so that two ticks are seen
MARGIN = 1.4  # factor between the outermost point and the edge


@dataclass(frozen=True)
class Measured:
    """One measurement that compares two ways to do the same.

    Attributes:
        title: What it compares.
        algorithm: Whose.
        axis: What the ratio is of.
        ratios: Titles by `quantity`.
        text: How it was measured.
    """

    title: str
    algorithm: str
    axis: str
    ratios: Mapping[str, str]
    text: str


MEASURED = {
    "variance": Measured(
        "variance of advantages",
        "vine",
        "ratio of variances",
        {
            "vine / single path": "vine / single path",
            "with / without": "CRN: with / without",
        },
        "The variance of an advantage at the same states and actions of fixed policies. CRN: common"
        " random numbers.",
    ),
    "products": Measured(
        "cost of Fisher products",
        "single_path",
        "ratio of times",
        {
            "JᵀMJ / double backward": "A v: JᵀMJ / double backward",
            "products / gradient": "ten products on 10% / a gradient",
        },
        "Both taken in turn on one thread, with hopper's sizes; medians over rounds.",
    ),
}
"""By name of the measurement, and of its picture."""


def draw(measured: pd.DataFrame) -> dict[str, Picture]:
    """Return a picture for each measurement that is stored, by its name.

    Args:
        measured: Columns `measurement`, `quantity`, `task`, `n`, `value`, `low` and `high`.
    """
    return {name: _draw(MEASURED[name], rows) for name, rows in _of_each(measured).items()}


def cells(measured: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what the table of ablations has of them: for machines, and as text."""
    rows = [
        (name, row) for name, own in _of_each(measured).items() for row in own.to_dict("records")
    ]
    numbers = [
        {
            "ablation": name,
            "algorithm": MEASURED[name].algorithm,
            "setting": row["quantity"],
            "task": row["task"],
            "n": row["n"],
            "ratio": row["value"],
            "ratio_low": row["low"],
            "ratio_high": row["high"],
        }
        for name, row in rows
    ]
    shown = [
        {
            "ablation": MEASURED[name].title,
            "algorithm": look(MEASURED[name].algorithm).label,
            "task": row["task"],
            "value": MEASURED[name].ratios[row["quantity"]],
            "n": row["n"],
            "ratio": estimate(row["value"], Interval(row["low"], row["high"]), form=".3g"),
        }
        for name, row in rows
    ]
    return pd.DataFrame(numbers), pd.DataFrame(shown)


def _of_each(measured: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the ratios of each measurement, in the order of `MEASURED`."""
    found = {
        name: pd.concat([own[own["quantity"] == ratio] for ratio in kind.ratios])
        for name, kind in MEASURED.items()
        if len(own := measured[measured["measurement"] == name])
    }
    return {name: rows for name, rows in found.items() if len(rows)}


def _draw(kind: Measured, rows: pd.DataFrame) -> Picture:
    stored = [ratio for ratio in kind.ratios if (rows["quantity"] == ratio).any()]
    figure, axes = panels(len(stored), below=0.1, around=0.4)
    ends = min(WIDEST, rows["low"].min() / MARGIN), max(1.0, rows["high"].max()) * MARGIN
    for ax, ratio in zip(axes, stored, strict=True):
        own = rows[rows["quantity"] == ratio]
        _panel(ax, own, colour=look(kind.algorithm).colour)
        ax.set_xlim(*ends)
        ax.set_xlabel(kind.axis)
        note(ax, kind.ratios[ratio], text="n = " + ", ".join(own["n"].unique()))
    text = f"{kind.text} Bars: 95% bootstrap intervals. Dashed: no difference."
    caption(figure, text)
    return Picture(figure, rows.drop(columns="measurement"))


def _panel(ax: Axes, rows: pd.DataFrame, *, colour: str) -> None:
    """Draw a point with its interval for each row, the first on top."""
    heights = np.arange(len(rows))[::-1]
    ax.axvline(1.0, color=GREY, linestyle="--", linewidth=1.0)
    ax.hlines(heights, rows["low"], rows["high"], color=colour, linewidth=1.6)
    ax.plot(rows["value"], heights, "o", color=colour, markersize=4)
    ax.set_yticks(heights, [task.replace(", ", ",\n") for task in rows["task"]])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xscale("log")
    ax.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="y", visible=False)
