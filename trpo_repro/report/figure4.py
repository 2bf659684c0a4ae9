"""The paper's Figure 4: seven algorithms on four tasks, mean over seeds with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from trpo_repro.errors import ConfigError
from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import TASK_ORDER
from trpo_repro.report.layout import caption, counts, legend_above, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import SEEDS_FOR_BAND, aligned, bootstrap_band
from trpo_repro.report.style import BAND, MARK, look

STANDING = {"hopper": 1.0, "walker": 1.0}
"""The score of standing still for a whole episode: +1 a step (the paper's cost of -1)."""
PAUSE = 20
"""So many times the median, and an iteration's duration says nothing of the algorithm."""


@dataclass(frozen=True)
class Abscissa:
    """What the curves are drawn against.

    Attributes:
        label: The axis' text.
        column: The column of a run's rows.
        unit: How much of the column is one on the axis.
    """

    label: str
    column: str
    unit: float = 1.0


ABSCISSAE = {
    "figure4": Abscissa("policy iteration", "iteration"),
    "figure4_steps": Abscissa("simulated steps (millions)", "sim_steps", 1e6),
    "figure4_time": Abscissa("wall time (minutes)", "wall_s", 60.0),
}
"""The three pictures by the names of their files."""


@dataclass(frozen=True)
class Curve:
    """The mean of one algorithm on one task.

    Attributes:
        choice: Whose.
        x: (T,) abscissae in units of the axis.
        mean: (T,) mean score over complete seeds.
        band: The (T,) ends of the 95% interval of the mean; None for fewer than three seeds.
    """

    choice: Choice
    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None


def draw(chosen: Mapping[str, Sequence[Choice]], abscissa: Abscissa) -> Picture:
    """Return the picture of the paper's tasks.

    Seeds differ in how many steps and seconds an iteration takes: against these the mean of an
    iteration stands at their median (`aligned`).

    Raises:
        ConfigError: No run of these tasks is complete.
    """
    tasks = {task: chosen[task] for task in TASK_ORDER if task in chosen}
    complaints = [f"{task}: not one of Figure 4's tasks" for task in chosen if task not in tasks]
    drawn: dict[str, list[Curve]] = {}
    for task, of_task in tasks.items():
        known = [choice for choice in of_task if choice.shown and _has(choice, abscissa)]
        if known:
            drawn[task] = [curve(choice, abscissa) for choice in known]
        complaints += [
            f"{task}, {_name(choice)}: {line}"
            for choice in of_task
            for line in _complaints(choice, abscissa)
        ]
    if not drawn:
        raise ConfigError("no run of Figure 4's tasks is complete", fix="see trpo-repro status")
    figure, axes = panels(len(drawn), below=0.15, around=0.8)
    for ax, (task, curves) in zip(axes, drawn.items(), strict=True):
        _panel(ax, task, curves=curves, abscissa=abscissa)
        note(ax, task, text=panel_note(tasks[task]))
    curves = [curve for of_task in drawn.values() for curve in of_task]
    dotted = [Line2D([], [], label="standing still", **MARK)]
    algorithms = [own.choice.group.algorithm for own in curves]
    legend_above(figure, algorithms, more=dotted if STANDING.keys() & drawn.keys() else [])
    caption(figure, _caption(curves, abscissa))
    return Picture(figure, _numbers(drawn, abscissa), tuple(complaints))


def curve(choice: Choice, abscissa: Abscissa) -> Curve:
    """Return the mean curve of the complete seeds of a choice."""
    x, scores = aligned([(_abscissae(run, abscissa), run.score) for run in choice.group.complete])
    enough = len(scores) >= SEEDS_FOR_BAND
    return Curve(choice, x, scores.mean(axis=0), bootstrap_band(scores) if enough else None)


def _abscissae(run: StoredRun, abscissa: Abscissa) -> NDArray[np.float64]:
    return run.rows[abscissa.column].to_numpy(np.float64) / abscissa.unit


def _has(choice: Choice, abscissa: Abscissa) -> bool:
    """Tell whether every row says where on the axis it belongs."""
    return all(np.isfinite(_abscissae(run, abscissa)).all() for run in choice.group.complete)


def _complaints(choice: Choice, abscissa: Abscissa) -> Iterator[str]:
    """Yield why a choice is not drawn, or what about its curve would surprise."""
    if not choice.shown:
        yield choice.reason
    elif not _has(choice, abscissa):
        yield f"rows without {abscissa.column}: not shown"
    else:
        lengths = [len(run.rows) for run in choice.group.complete]
        if min(lengths) < max(lengths):
            yield f"runs of {min(lengths)} to {max(lengths)} iterations, drawn up to the shortest"
        if abscissa.column == "wall_s":
            for run in choice.group.complete:
                yield from pauses(run)


def pauses(run: StoredRun) -> Iterator[str]:
    """Yield a complaint where an iteration took so long that something else must have run."""
    seconds = np.diff(run.rows["wall_s"].to_numpy(np.float64))
    if len(seconds) and (longest := seconds.max()) > PAUSE * np.median(seconds):
        usual = f"the median is {np.median(seconds):.1f} s"
        yield f"seed {run.seed}: iteration {seconds.argmax() + 1} took {longest:.0f} s, {usual}"


def _panel(ax: Axes, task: str, *, curves: Sequence[Curve], abscissa: Abscissa) -> None:
    """Draw one task."""
    if task in STANDING:
        ax.axhline(STANDING[task], **MARK)
    for own in curves:
        style = look(own.choice.group.algorithm)
        if own.band:
            ax.fill_between(own.x, *own.band, color=style.colour, alpha=BAND, linewidth=0)
        marker = "o" if len(own.x) == 1 else None  # a single point has no line
        ax.plot(own.x, own.mean, color=style.colour, linestyle=style.dashes, marker=marker)
    ax.set_xlabel(abscissa.label)
    ax.set_ylabel("score (reward per step)")
    ax.set_xlim(left=0)
    ax.margins(x=0)
    ax.locator_params(axis="x", nbins=6)


def panel_note(of_task: Sequence[Choice]) -> str:
    """Return n, the usual one first, the chosen stepsizes, and who is not shown."""
    shares = {_name(c): c.group.shares(c.group.complete) for c in of_task if c.shown}
    parts = [counts(shares)] if shares else []
    parts += [
        f"{_name(c)}: stepsize\N{NO-BREAK SPACE}{c.group.stepsize:g}"
        for c in of_task
        if c.shown and c.swept
    ]
    parts += [
        f"{_name(c)}: {c.group.shares(c.group.complete)} complete, not shown"
        for c in of_task
        if not c.shown
    ]
    return ". ".join(parts)


def _caption(curves: Sequence[Curve], abscissa: Abscissa) -> str:
    """Return what the reader has to know about the lines that are there."""
    runs = [run for own in curves for run in own.choice.group.complete]
    parts = ["Lines: mean over complete seeds."]
    if any(own.band for own in curves):
        parts.append("Bands: 95% bootstrap interval of the mean, from three seeds on.")
    if any(run.scored_by_mean for run in runs):
        parts.append(
            "CEM, CMA-ES: the score of the search's mean, not of its members, acting by its mean"
            " action; the others sample theirs."
        )
    if any(own.choice.swept for own in curves):
        parts.append("Where stepsizes were swept: the best by final score.")
    if abscissa.column != "iteration":
        parts.append("Each iteration stands at the median over seeds.")
    if abscissa.column == "wall_s":
        parts.append("Time includes what other work beside a run cost it: no measure of speed.")
        parts.append(f"On: {'; '.join(sorted({run.machine for run in runs}))}.")
    parts.append(f"scale={runs[0].config.get('scale')}.")
    return " ".join(parts)


def _numbers(drawn: Mapping[str, Sequence[Curve]], abscissa: Abscissa) -> pd.DataFrame:
    """Return every plotted point: x in units of the axis, mean, ends of the band."""
    frames = []
    for task, curves in drawn.items():
        for own in curves:
            group, (low, high) = own.choice.group, own.band or (np.nan, np.nan)
            fixed: dict[str, Any] = {"task": task, "algorithm": group.algorithm}
            fixed |= {"setting": group.identity, "stepsize": group.stepsize}
            fixed |= {"n": len(group.complete)}
            points = {abscissa.label: own.x, "mean": own.mean, "low": low, "high": high}
            frames.append(pd.DataFrame({**fixed, **points}))
    return pd.concat(frames, ignore_index=True)


def _name(choice: Choice) -> str:
    return look(choice.group.algorithm).label
