"""A picture with the numbers in it, and the files that it is kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import Group
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.style import FORMATS, rendered
from trpo_repro.report.table import csv


@dataclass(frozen=True)
class Picture:
    """A figure and its data.

    Attributes:
        figure: What is drawn.
        numbers: What is plotted, one row a point.
        complaints: What could not be drawn, a line each.
    """

    figure: Figure
    numbers: pd.DataFrame
    complaints: tuple[str, ...] = ()


def files(name: str, picture: Picture, *, about: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a picture by name: every format, its numbers, and what is behind it."""
    drawn = {f"{name}.{kind}": rendered(picture.figure, kind) for kind in FORMATS}
    sidecar = {"figure": name, **about, "complaints": list(picture.complaints)}
    return drawn | {
        f"{name}.csv": csv(picture.numbers),
        f"{name}.json": (json.dumps(sidecar, indent=1, allow_nan=False) + "\n").encode(),
    }


def sidecar(
    chosen: Mapping[str, Sequence[Choice]], results: Path, *, scale: str, unreadable: Sequence[Path]
) -> dict[str, Any]:
    """Return which runs were shown, which were not and why, as JSON.

    Args:
        chosen: The choices by task.
        results: What the paths of runs are relative to.
        scale: That of all runs.
        unreadable: Folders of which nobody knows what they are.
    """
    tasks = {
        task: {choice.group.algorithm: _choice(choice, results) for choice in of_task}
        for task, of_task in chosen.items()
    }
    lost = sorted(path.relative_to(results).as_posix() for path in unreadable)
    return {"scale": scale, "tasks": tasks, "unreadable": lost}


def _choice(choice: Choice, results: Path) -> dict[str, Any]:
    others = [g for g in (*choice.sweep, *choice.left_out) if g is not choice.group]
    return {
        "shown": choice.shown,
        "why": choice.reason,
        **_group(choice.group, results),
        "not_shown": [_group(group, results) for group in others],
    }


def _group(group: Group, results: Path) -> dict[str, Any]:
    return {
        "setting": group.identity,
        "stepsize": group.stepsize,
        "n": len(group.complete),
        "seeds": len(group.runs),
        "failed": group.failed,
        "final_score": group.final if group.complete else None,
        "runs": [_run(run, results) for run in group.runs],
    }


def _run(run: StoredRun, results: Path) -> dict[str, Any]:
    return {
        "run": run.path.relative_to(results).as_posix(),
        "seed": run.seed,
        "git_commit": run.provenance.get("git_commit"),
        "iterations": len(run.rows),
        "state": run.state,
        "complete": run.complete,
    }
