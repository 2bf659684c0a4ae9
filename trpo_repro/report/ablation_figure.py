"""A figure for each ablation, and one table of all: final score and area against the setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from trpo_repro.report import measured_figure
from trpo_repro.report.ablations import ABLATIONS, Ablation, Found, Member
from trpo_repro.report.groups import FINAL, Group
from trpo_repro.report.layout import caption, counts, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.statistics import SEEDS_FOR_BAND, aligned, bootstrap_band, mean_interval
from trpo_repro.report.style import BAND, GREY, look
from trpo_repro.report.table import Table, estimate

QUANTITIES: dict[str, tuple[str, str, Callable[[Group], NDArray[np.float64]]]] = {
    "final": ("final score", "o", lambda group: group.finals),
    "area": ("score over all iterations", "s", lambda group: _areas(group)),
}
CURVE = ["value", "n", "policy iteration", "mean", "low", "high"]
APART = 0.12  # between the two quantities of a value


def draw(found: Found) -> dict[str, Picture]:
    """Return a picture for each ablation that is stored, by its name."""
    known = {ablation.name: ablation for ablation in ABLATIONS}
    return {name: _draw(known[name], of_task) for name, of_task in found.items()}


def curves(members: Sequence[Member]) -> pd.DataFrame:
    """Return the mean curve of each value of which a run is complete: the columns of `CURVE`."""
    frames = [
        pd.DataFrame({"value": text(member), **mean_curve(member.group)})
        for member in members
        if member.group.complete
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=CURVE)


def mean_curve(group: Group) -> dict[str, Any]:
    """Return the mean curve of the complete seeds, and the ends of its band from three on.

    Returns:
        `n`, and (T,) `policy iteration`, `mean`, `low` and `high`; these two NaN without a band.
    """
    x, scores = aligned([(_iterations(run), run.score) for run in group.complete])
    low, high = bootstrap_band(scores) if len(scores) >= SEEDS_FOR_BAND else (np.nan, np.nan)
    points = {"policy iteration": x, "mean": scores.mean(axis=0), "low": low, "high": high}
    return {"n": len(scores), **points}


def colours(members: Sequence[Member]) -> dict[str, str]:
    """Return the colour of each value: from dark to light as it rises."""
    shades = colormaps["viridis"](np.linspace(0.0, 0.85, len(members)))
    return {text(member): to_hex(shade) for member, shade in zip(members, shades, strict=True)}


def text(member: Member) -> str:
    """Return a value as a reader sees it, the comparison's own marked."""
    value = member.value
    word = ("on" if value else "off") if isinstance(value, bool) else f"{value}"
    return f"{word} (default)" if member.default else word


def table(found: Found, measured: pd.DataFrame) -> Table:
    """Return one row for each value of each ablation on each task, and for each ratio measured."""
    labels = {ablation.name: ablation for ablation in ABLATIONS}
    rows = [
        (labels[name], task, member)
        for name, of_task in found.items()
        for task, members in of_task.items()
        for member in members
    ]
    notes = (
        f"Final: mean of the last {FINAL} iterations. Over all: mean of all iterations, the area"
        " under the curve. Both with Student's 95% t interval over complete seeds.",
        "One setting at a time differs from the comparison's; its own runs are the default's.",
        "Largest KL: of any step of any seed, mean over the states, in nats.",
        "Ratio: what no training tells, by `trpo-repro measure`, with a 95% bootstrap interval;"
        " CRN: common random numbers.",
    )
    numbers = pd.DataFrame([_numbers(a, task, member=m) for a, task, m in rows])
    shown = pd.DataFrame([_shown(a, task, member=m) for a, task, m in rows])
    of_ratios, ratios = measured_figure.cells(measured)
    both = pd.concat([shown, ratios], ignore_index=True).fillna("")
    return Table("Ablations", pd.concat([numbers, of_ratios], ignore_index=True), both, notes)


def _draw(ablation: Ablation, of_task: Mapping[str, Sequence[Member]]) -> Picture:
    figure, axes = panels(2 * len(of_task), below=0.1, around=0.8)
    frames = []
    for number, (task, members) in enumerate(of_task.items()):
        _against_value(axes[2 * number], ablation, task=task, members=members)
        frame = curves(members)
        _learning(axes[2 * number + 1], frame, shades=colours(members), task=task)
        frames.append(frame.assign(task=task))
    lines = [
        Line2D([], [], label=label, color=GREY, marker=marker, linestyle="none")
        for label, marker, _ in QUANTITIES.values()
    ]
    figure.legend(handles=lines, loc="outside upper left", ncols=2, handlelength=1.2)
    caption(
        figure,
        f"{look(ablation.algorithm).label}: {ablation.label}. Final: mean of the last {FINAL}"
        " iterations. Points: means over complete seeds with Student's 95% t interval. Curves:"
        " means with a 95% bootstrap band. scale=bench.",
    )
    return Picture(figure, pd.concat(frames, ignore_index=True))


def _against_value(ax: Axes, ablation: Ablation, *, task: str, members: Sequence[Member]) -> None:
    """Draw both quantities against the values, evenly apart."""
    colour = look(ablation.algorithm).colour
    for number, (_, marker, quantity) in enumerate(QUANTITIES.values()):
        for place, member in enumerate(members):
            values = quantity(member.group)
            if not len(values):
                continue
            x = place + APART * (number - 0.5)
            ax.plot(
                [x], [values.mean()], marker, color=colour, markersize=4, alpha=1 - 0.4 * number
            )
            if between := mean_interval(values):
                ax.vlines(x, *between, color=colour, linewidth=1.2, alpha=1 - 0.4 * number)
    names = [text(member).replace(" (", "\n(") for member in members]
    ax.set_xticks(range(len(members)), names)
    ax.set_xlabel(ablation.label)
    ax.set_ylabel("score (reward per step)")
    shares = {text(m): m.group.shares(m.group.complete) for m in members}
    note(ax, task, text=counts(shares))


def _learning(ax: Axes, frame: pd.DataFrame, *, shades: Mapping[str, str], task: str) -> None:
    for value, rows in frame.groupby("value", sort=False):
        colour = shades[str(value)]
        ax.plot(rows["policy iteration"], rows["mean"], color=colour, label=value, linewidth=1.2)
        ax.fill_between(
            rows["policy iteration"],
            rows["low"],
            rows["high"],
            color=colour,
            alpha=BAND,
            linewidth=0,
        )
    ax.set_xlabel("policy iteration")
    ax.set_ylabel("score (reward per step)")
    if len(frame):
        ax.legend(fontsize=6.5, handlelength=1.4)
    note(ax, f"{task}, learning", text="")


def _areas(group: Group) -> NDArray[np.float64]:
    return np.array([run.score.mean() for run in group.complete])


def _iterations(run: Any) -> NDArray[np.float64]:
    return np.asarray(run.rows["iteration"], np.float64)


def _numbers(ablation: Ablation, task: str, *, member: Member) -> dict[str, object]:
    group = member.group
    row: dict[str, object] = {
        "ablation": ablation.name,
        "algorithm": ablation.algorithm,
        "setting": ablation.setting,
        "task": task,
        "value": member.value,
        "default": member.default,
        "n": len(group.complete),
        "failed": group.failed,
    }
    for name, (_, _, quantity) in QUANTITIES.items():
        values = quantity(group)
        low, high = mean_interval(values) or (None, None)
        mean = float(values.mean()) if len(values) else None
        row |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}
    return row | {"kl_largest": _largest_kl(group)}


def _shown(ablation: Ablation, task: str, *, member: Member) -> dict[str, str]:
    group = member.group
    cells = {"ablation": ablation.label, "algorithm": look(ablation.algorithm).label, "task": task}
    cells |= {"value": text(member), "n": group.shares(group.complete)}
    for name, heading in (("final", "final"), ("area", "over all")):
        values = QUANTITIES[name][2](group)
        mean = float(values.mean()) if len(values) else None
        cells[heading] = estimate(mean, mean_interval(values), form=".2f")
    largest = _largest_kl(group)
    return cells | {"largest KL": "" if largest is None else f"{largest:.2g}"}


def _largest_kl(group: Group) -> float | None:
    """Return the largest mean KL of any step of the complete runs."""
    found = [float(run.rows["kl_mean"].max()) for run in group.complete]
    known = [value for value in found if np.isfinite(value)]
    return max(known) if known else None
