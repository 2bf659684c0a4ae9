"""Where the results come from: runs, commits, versions, machines, hours, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from trpo_repro.errors import CheckpointError
from trpo_repro.report.runs import UNREADABLE, StoredRun, read_json
from trpo_repro.report.table import Table, machines

PART = "part"


def table(parts: Mapping[str, Sequence[StoredRun]]) -> Table:
    """Return one row a part of the results and task.

    Args:
        parts: The runs of each part, such as `comparison` and `ablations`.
    """
    rows = []
    for part, runs in parts.items():
        for task in dict.fromkeys(run.task for run in runs):
            rows.append(_row(part, task, runs=[run for run in runs if run.task == task]))
    every = [run for runs in parts.values() for run in runs]
    steps, spent = sum(map(_steps, every)), sum(map(hours, every))
    notes = (
        f"All: {len(every)} runs, {steps / 1e6:.0f} million simulated steps, {spent:.1f} hours of"
        " wall time, runs side by side each counted.",
        f"Versions: {'; '.join(_versions(every))}.",
        f"Machines: {machines([run.machine for run in _read(every)])}.",
        "A + behind a commit: code or settings were edited since, or (before 2026-11-21) results.",
    )
    numbers = pd.DataFrame(rows)
    shown = numbers.map(lambda value: f"{value:.1f}" if isinstance(value, float) else str(value))
    return Table("Where the numbers come from", numbers, shown, notes)


def failures(parts: Mapping[str, Sequence[StoredRun]]) -> Table:
    """Return one row for each run that is not complete, with its reason."""
    rows = [
        {PART: part, "run": "/".join(run.path.parts[-4:]), "state": run.state, "why": _why(run)}
        for part, runs in parts.items()
        for run in runs
        if not run.complete
    ]
    frame = pd.DataFrame(rows, columns=[PART, "run", "state", "why"])
    return Table("Runs that are not complete", frame, frame, ())


def hours(run: StoredRun) -> float:
    """Return the wall time of a run."""
    return float(run.rows["wall_s"].iloc[-1]) / 3600 if len(run.rows) else 0.0


def _row(part: str, task: str, *, runs: Sequence[StoredRun]) -> dict[str, object]:
    return {
        PART: part,
        "task": task,
        "runs": len(runs),
        "complete": sum(run.complete for run in runs),
        "failed": sum(run.state == "failed" for run in runs),
        "million steps": sum(map(_steps, runs)) / 1e6,
        "hours": sum(map(hours, runs)),
        "commits": ", ".join(_sorted(str(r.provenance.get("git_commit")) for r in _read(runs))),
    }


def _steps(run: StoredRun) -> float:
    return float(run.rows["sim_steps"].iloc[-1]) if len(run.rows) else 0.0


def _read(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return the runs of which somebody knows where they were made."""
    return [run for run in runs if run.state != UNREADABLE]


def _versions(runs: Sequence[StoredRun]) -> list[str]:
    """Return `torch 2.13.0+cpu` and so on, every one that occurs."""
    known = [
        packages for run in runs if isinstance(packages := run.provenance.get("packages"), dict)
    ]
    found = [pair for packages in known for pair in packages.items()]
    found += [("Python", run.provenance.get("python")) for run in runs]
    return _sorted(f"{name} {version}" for name, version in found if version)


def _sorted(words: Iterable[str]) -> list[str]:
    return sorted(set(words), key=str.lower)


def _why(run: StoredRun) -> str:
    """Return what the run says of its failure, or what is wrong with its files."""
    try:
        return str(read_json(run.path / "failure.json")["error"])
    except (OSError, CheckpointError, KeyError):
        return run.problem
