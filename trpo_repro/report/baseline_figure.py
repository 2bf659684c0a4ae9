"""The natural gradient's stepsizes on hopper with a baseline and without any, beside TRPO (C05)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from trpo_repro.report.ablation_figure import mean_curve
from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import Group, by_task
from trpo_repro.report.layout import caption, counts, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.style import BAND, look

FOLDER = "raw_advantages"
"""Where the runs lie whose advantages keep their unit, below the other results."""
TASK = "hopper"
ALGORITHMS = ("natural_gradient", "single_path")
PANELS = {
    ("linear", True): "baseline, deviation 1",
    ("linear", False): "baseline, units of reward",
    ("none", False): "no baseline, units of reward",
}
"""Titles by `estimator.baseline` and `algo.standardise_advantages`; the first is Figure 4's."""


def draw(chosen: Mapping[str, Sequence[Choice]], runs: Sequence[StoredRun]) -> Picture | None:
    """Return the picture: a panel for each way to make advantages, a line for each stepsize.

    Args:
        chosen: The comparison.
        runs: Those of `FOLDER`.
    """
    of_figure4 = [g for choice in chosen.get(TASK, ()) for g in choice.sweep]
    groups = [*of_figure4, *by_task(runs).get(TASK, [])]
    drawn = {
        title: _of_panel(groups, baseline, standardised=standardised)
        for (baseline, standardised), title in PANELS.items()
    }
    drawn = {title: own for title, own in drawn.items() if own}
    if len(drawn) < 2:
        return None
    figure, axes = panels(len(drawn), below=0.1, around=0.6)
    shades = _shades([group for own in drawn.values() for group in own])
    frames = [
        _panel(ax, title, groups=own, shades=shades)
        for ax, (title, own) in zip(axes, drawn.items(), strict=True)
    ]
    for ax in axes[1:]:
        ax.sharey(axes[0])
    caption(
        figure,
        f"{TASK}: natural gradient by its stepsize, and single path with δ = 0.01 (dashed), with"
        " advantages brought to deviation 1 or left in units of reward. Lines:"
        " means over complete seeds; bands: 95% bootstrap intervals, from three seeds on."
        " scale=bench.",
    )
    return Picture(figure, pd.concat(frames, ignore_index=True))


def _of_panel(groups: Sequence[Group], baseline: str, *, standardised: bool) -> list[Group]:
    """Return the complete groups of one panel, the natural gradient's by stepsize, then TRPO's."""
    found = [
        group
        for group in groups
        if group.complete
        and group.algorithm in ALGORITHMS
        and group.runs[0].config["estimator"]["baseline"] == baseline
        and group.runs[0].config["algo"]["standardise_advantages"] is standardised
    ]
    return sorted(found, key=lambda g: (ALGORITHMS.index(g.algorithm), g.stepsize or 0.0))


def _shades(groups: Sequence[Group]) -> dict[float | None, str]:
    """Return the natural gradient's colours: from dark to light as the stepsize rises."""
    stepsizes = sorted({g.stepsize or 0.0 for g in groups if g.algorithm == ALGORITHMS[0]})
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, len(stepsizes)))
    return {size: to_hex(shade) for size, shade in zip(stepsizes, shades, strict=True)}


def _panel(
    ax: Axes, title: str, *, groups: Sequence[Group], shades: Mapping[float | None, str]
) -> pd.DataFrame:
    """Draw one panel; return its points."""
    frames, shares = [], dict[str, str]()
    for group in groups:
        curve = mean_curve(group)
        trpo = group.algorithm == ALGORITHMS[1]
        label = look(group.algorithm).label if trpo else f"{group.stepsize:g}"
        colour = look(group.algorithm).colour if trpo else shades[group.stepsize]
        shares[label] = group.shares(group.complete)
        x, dashes = curve["policy iteration"], "--" if trpo else "-"
        ax.plot(x, curve["mean"], dashes, color=colour, label=label, linewidth=1.3)
        ax.fill_between(x, curve["low"], curve["high"], color=colour, alpha=BAND, linewidth=0)
        fixed = {"panel": title, "algorithm": group.algorithm, "stepsize": group.stepsize}
        frames.append(pd.DataFrame({**fixed, **curve}))
    ax.set_xlabel("policy iteration")
    ax.set_ylabel("score (reward per step)")
    ax.legend(
        fontsize=6.5, handlelength=1.6, loc="upper left", title_fontsize=6.5, title="stepsize"
    )
    note(ax, title, text=counts(shares))
    return pd.concat(frames, ignore_index=True)
