"""The paper's Figure 5: learning curves of the seven games, as cost and as reward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from trpo_repro.report.choice import Choice, choices
from trpo_repro.report.games import paper_scores, played_as
from trpo_repro.report.groups import Group
from trpo_repro.report.layout import caption, legend_above, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import SEEDS_FOR_BAND, aligned, bootstrap_band
from trpo_repro.report.style import BAND, GREY, MARK, look

AXES = {"figure5": (-1.0, "cost (negative reward)"), "figure5_reward": (1.0, "reward of a game")}
"""The pictures by the names of their files: the sign of the reward, and the axis' text."""
UNFINISHED = (0, (1, 1.2))


def of_protocol(runs: Sequence[StoredRun], protocol: str) -> dict[str, list[Choice]]:
    """Return what is drawn of the games played one way, by game."""
    return choices(played_as(runs, protocol))


def draw(
    chosen: dict[str, list[Choice]],
    name: str,
    *,
    scale: str,
    protocol: str,
    chance: Mapping[str, float],
) -> Picture:
    """Return the picture `name` of `AXES`: a panel for each game of which there are rows.

    Args:
        chosen: From `of_protocol`.
        name: Which picture.
        scale: That of the runs.
        protocol: How the games were played.
        chance: What play by chance scores, by game, where it is known.
    """
    sign, label = AXES[name]
    stored = _stored(chosen)
    complaints = [f"{game}: {line}" for game, own in stored.items() for line in _complaints(own)]
    there = {game: groups for game, groups in stored.items() if groups} or stored
    figure, axes = panels(len(there), below=0.1, around=0.9)
    frames, drawn = list[pd.DataFrame](), list[Group]()
    for ax, (game, groups) in zip(axes, there.items(), strict=True):
        note(ax, game, text=". ".join(_said(groups)) or "no run stored")
        for group in groups:
            frames.append(_curve(ax, group, sign=sign))
        if groups and game in chance:
            ax.axhline(sign * chance[game], **MARK)
        ax.set_xlabel("policy iteration")
        ax.set_ylabel(label)
        ax.locator_params(axis="x", nbins=6, integer=True)
        drawn += groups
    further = list[Line2D]()
    if any(not group.complete for group in drawn):
        further += [Line2D([], [], color=GREY, linestyle=UNFINISHED, label="unfinished")]
    if any(group.runs[0].task in chance for group in drawn):
        further += [Line2D([], [], label="play by chance", **MARK)]
    legend_above(figure, [group.algorithm for group in drawn], more=further)
    lost = [game for game in stored if game not in there]
    caption(figure, _caption(scale, protocol, drawn=drawn, lost=lost))
    numbers = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return Picture(figure, numbers, tuple(complaints))


def _stored(chosen: dict[str, list[Choice]]) -> dict[str, list[Group]]:
    """Return what has rows, for each of the paper's games."""
    return {
        game: [choice.group for choice in chosen.get(game, []) if _rows(choice.group)]
        for game in paper_scores().columns
    }


def _rows(group: Group) -> bool:
    return any(len(run.rows) for run in group.runs)


def _curve(ax: Axes, group: Group, *, sign: float) -> pd.DataFrame:
    """Draw the mean of a group's seeds with its interval; return its points."""
    pairs = [
        (run.rows["iteration"].to_numpy(np.float64), run.rows["return_mean"].to_numpy(np.float64))
        for run in group.averaged
    ]
    iterations, returns = aligned(pairs)
    values, colour = sign * returns, look(group.algorithm).colour
    mean = values.mean(axis=0)
    band = bootstrap_band(values) if len(values) >= SEEDS_FOR_BAND else None
    if band:
        ax.fill_between(iterations, *band, color=colour, alpha=BAND, linewidth=0)
    dashes = look(group.algorithm).dashes if group.complete else UNFINISHED
    marker = "o" if len(mean) == 1 else None  # a single point has no line
    ax.plot(iterations, mean, color=colour, linestyle=dashes, marker=marker)
    run = group.runs[0]
    fixed = {"task": run.task, "algorithm": group.algorithm, "setting": group.identity}
    counted = {"n": len(values), "complete": len(group.complete)}
    low, high = band or (np.nan, np.nan)
    points = {"policy iteration": iterations, "mean": mean, "low": low, "high": high}
    return pd.DataFrame({**fixed, **counted, **points})


def _said(groups: Sequence[Group]) -> Iterator[str]:
    """Yield how many seeds each line is of, and how far those have come that are not done."""
    for group in groups:
        place = ""
        if not group.complete:
            done = max(len(run.rows) for run in group.runs)
            place = f", unfinished: {done} of {group.runs[0].config['iterations']} iterations"
        yield f"{look(group.algorithm).label}: {group.count}{place}"


def _complaints(groups: Sequence[Group]) -> Iterator[str]:
    """Yield what is not there."""
    present = {group.algorithm for group in groups}
    for algorithm in ("single_path", "vine"):
        if algorithm not in present:
            yield f"no run of {look(algorithm).label}"
    for group in groups:
        if not group.complete:
            yield f"{look(group.algorithm).label} is unfinished"


def _caption(scale: str, protocol: str, *, drawn: Sequence[Group], lost: Sequence[str]) -> str:
    """Return what the reader has to know."""
    parts = ["The games' own points, unclipped, mean over the episodes of each batch and seeds."]
    if any(len(group.averaged) >= SEEDS_FOR_BAND for group in drawn):
        parts.append("Bands: 95% bootstrap interval of the mean.")
    parts.append(f"scale={scale}, protocol={protocol}.")
    if lost:
        parts.append(f"No run is stored of {', '.join(lost)}.")
    return " ".join(parts)
