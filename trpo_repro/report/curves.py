"""Learning curves: score against policy iteration, one panel a task (as in the paper's Fig. 4).

A game has a panel for each protocol, of its own points: an episode's reward, not that of a step.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trpo_repro.report.games import PROTOCOLS, is_game
from trpo_repro.report.groups import Group, by_algorithm, by_task, settings
from trpo_repro.report.layout import caption, panels
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import SEEDS_FOR_BAND, aligned, bootstrap_band
from trpo_repro.report.style import BAND, DOTTED, THIN, look

OTHER_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
"""Line styles of several settings of one algorithm in a panel."""
LEGEND_LINE = 0.16  # inches
FEW_CURVES = 2  # so many find room for their legend among them
LABEL_WIDTH = 46  # characters
TITLE_WIDTH = 43  # characters above a panel


@dataclass(frozen=True)
class Curve:
    """A group and how it is told apart from the others of its panel.

    Attributes:
        group: The seeds.
        label: What the legend says, on as many lines as it takes.
        colour: Hexadecimal.
        dashes: The line style.
    """

    group: Group
    label: str
    colour: str
    dashes: Any


def draw(runs: Sequence[StoredRun]) -> Figure:
    """Return the figure of `runs`: seeds thin, their mean thick, its 95% interval a band."""
    drawn = {title: list(_curves(groups)) for title, groups in _titled(by_task(runs)).items()}
    below = LEGEND_LINE * max(map(_lines_below, drawn.values()))
    figure, axes = panels(len(drawn), below=below)
    for ax, (title, curves) in zip(axes, drawn.items(), strict=True):
        _panel(ax, title, curves=curves)
    figure.suptitle("Learning curves", x=0.01, ha="left", weight="bold")
    groups = [curve.group for curves in drawn.values() for curve in curves]
    caption(figure, _caption(groups))
    return figure


def _titled(tasks: Mapping[str, Sequence[Group]]) -> dict[str, list[Group]]:
    """Return the groups of each panel by its title: one a task, of a game one a protocol."""
    titled: dict[str, list[Group]] = {}
    for task, groups in tasks.items():
        for protocol in ("", *PROTOCOLS):
            own = [g for g in groups if g.runs[0].config["task"].get("protocol", "") == protocol]
            if own:
                titled[f"{task}, {protocol}" if protocol else task] = own
    return titled


def _curves(groups: Sequence[Group]) -> Iterator[Curve]:
    """Yield the curves of a panel, algorithms in the order of `LOOKS`, settings by their values.

    Several settings of one algorithm are told apart by shades where it is alone in the panel, else
    by dashes in its own colour; the label says what they are.
    """
    algorithms = list(by_algorithm(groups))
    for algorithm, alike in algorithms:
        known = [dict(settings(group.runs[0].config)) for group in alike]
        keys = [k for k in known[0] if len({repr(s.get(k)) for s in known}) > 1]
        order = sorted(range(len(alike)), key=lambda i: [_rank(known[i].get(k)) for k in keys])
        shades = colormaps["viridis"](np.linspace(0.0, 0.9, len(alike)))
        for number, place in enumerate(order):
            group, values = alike[place], known[place]
            own = "".join(f", {key}={json.dumps(values.get(key))}" for key in keys)
            label = textwrap.fill(f"{look(algorithm).label}{own} ({group.count})", LABEL_WIDTH)
            several, alone = len(alike) > 1, len(algorithms) == 1
            yield Curve(
                group,
                label,
                colour=to_hex(shades[number]) if several and alone else look(algorithm).colour,
                dashes=OTHER_DASHES[number % len(OTHER_DASHES)]
                if several
                else look(algorithm).dashes,
            )


def _rank(value: Any) -> tuple[bool, float, str]:
    """Return by what a setting's value is sorted: numbers by size, all else by its text."""
    if isinstance(value, (int, float)):
        return (False, float(value), "")
    return (True, 0.0, json.dumps(value))


def _lines_below(curves: Sequence[Curve]) -> int:
    """Return how many lines of legend a panel needs below its axis."""
    if len(curves) <= FEW_CURVES:
        return 0
    return sum(curve.label.count("\n") + 1 for curve in curves)


def _panel(ax: Axes, title: str, *, curves: Sequence[Curve]) -> None:
    """Draw one task."""
    sizes = {int(curve.group.runs[0].config["steps_per_iter"]) for curve in curves}
    steps = [f"({sizes.pop():,} steps an iteration)"] if len(sizes) == 1 else []
    line = "  ".join([title, *steps])
    ax.set_title(line if len(line) <= TITLE_WIDTH else "\n".join([title, *steps]))
    for curve in curves:
        _draw_curve(ax, curve)
    ax.set_xlabel("policy iteration")
    game = is_game(curves[0].group.runs[0])
    ax.set_ylabel("game score (its own points)" if game else "score (reward per step)")
    ax.set_xlim(left=0)
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    if _lines_below(curves):  # no corner would be free
        ax.legend(handlelength=2.2, loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0)
    else:
        ax.legend(handlelength=2.2, loc="best")


def _draw_curve(ax: Axes, curve: Curve) -> None:
    """Draw one configuration: its seeds, the band, the mean."""
    group, colour = curve.group, curve.colour
    if len(group.runs) > 1:
        for run in group.runs:
            seed = THIN if run.complete else DOTTED
            ax.plot(run.rows["iteration"], _scores(run), color=colour, **seed)
    iterations, scores = aligned(
        [(run.rows["iteration"].to_numpy(np.float64), _scores(run)) for run in group.averaged]
    )
    mean = scores.mean(axis=0)
    if len(scores) >= SEEDS_FOR_BAND:
        low, high = bootstrap_band(scores)
        ax.fill_between(iterations, low, high, color=colour, alpha=BAND, linewidth=0)
    marker = "o" if len(mean) == 1 else None  # a single point has no line
    ax.plot(
        iterations, mean, color=colour, linestyle=curve.dashes, label=curve.label, marker=marker
    )


def _scores(run: StoredRun) -> NDArray[np.float64]:
    """Return (T,) what is drawn: reward per step, or in a game that of an episode."""
    return run.rows["return_mean"].to_numpy(np.float64) if is_game(run) else run.score


def _caption(groups: Sequence[Group]) -> str:
    """Return what the reader has to know about the lines that are there."""
    parts = []
    if any(len(group.runs) > 1 for group in groups):
        parts.append("Thick: mean over seeds. Thin: single seeds.")
    if any(len(group.averaged) >= SEEDS_FOR_BAND for group in groups):
        parts.append("Band: 95% bootstrap interval of the mean.")
    if any(not run.complete for group in groups for run in group.runs):
        parts.append("Dotted: unfinished.")
    if any(run.scored_by_mean for group in groups for run in group.runs):
        parts.append("CEM, CMA-ES: the search mean's own score.")
    return " ".join(parts)
