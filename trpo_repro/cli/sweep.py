"""`trpo-repro sweep NAME`: the runs of an experiment file that are not done yet."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from trpo_repro.cli.compose import settings_hash, sweep_runs
from trpo_repro.cli.experiments import experiment
from trpo_repro.cli.launch import PATIENCE, Ended, Job, launch
from trpo_repro.cli.launchers import hydras_own
from trpo_repro.cli.overrides import parse_overrides
from trpo_repro.cli.reporter import say
from trpo_repro.cli.sweep_progress import left, shown
from trpo_repro.errors import ConfigError
from trpo_repro.ranks import Ranks
from trpo_repro.runner.provenance import git_commit
from trpo_repro.runner.run_folder import creation_error, write_json
from trpo_repro.runner.signals import StopRequested
from trpo_repro.runner.sweep import SweepRun, read_experiment

BYTES_PER_RUN = 150_000  # rows, policy, two checkpoints of a bench run


def main(options: argparse.Namespace) -> int:
    """Run what is missing; return 1 if anything failed."""
    Ranks.of_environment().must_be_alone()
    hydra = hydras_own(options.overrides)
    settings = settings_hash()  # of conf/ as it is now; it may be edited while the runs go on
    runs = planned_runs(options.name, options.overrides)
    todo = [run for run in runs if run.state[0] not in ("done", "running")]
    for key in replaced(options.name, options.overrides):
        say(f"note: the experiment sets {key} itself; what you set takes its place")
    if options.dry_run:
        print(estimate(runs, todo))
        return 0
    write_manifest(options.name, runs, ended={}, settings=settings)
    ended: dict[str, Ended] = {}
    try:
        with shown(runs):
            job = Job(quiet=True, patience=60.0 * options.patience)
            ends = launch(todo, job, hydra_overrides=hydra) if todo else []
        ended = {run.label: end for run, end in zip(todo, ends, strict=True) if end.code != 0}
    except StopRequested as stop:
        say(f"to continue: trpo-repro sweep {shlex.join(_again(options))}")
        return stop.exit_code
    finally:
        write_manifest(options.name, runs, ended=ended, settings=settings)
    counts = Counter("failed" if run.label in ended else run.state[0] for run in runs)
    print(", ".join(f"{number} {state}" for state, number in sorted(counts.items())))
    for run in todo:
        if run.label in ended:
            print(f"failed: trpo-repro run {shlex.join(run.overrides)}", file=sys.stderr)
            print("  " + ended[run.label].reason.replace("\n", "\n  "), file=sys.stderr)
    return 1 if ended or counts["failed"] or counts["broken"] else 0


def _again(options: argparse.Namespace) -> list[str]:
    """Return the words of the same sweep."""
    usual = 60.0 * options.patience == PATIENCE
    patience = [] if usual else ["--patience", f"{options.patience:g}"]
    return [options.name, *options.overrides, *patience]


def planned_runs(name: str, overrides: Sequence[str]) -> list[SweepRun]:
    """Return the runs of experiment `name`, all checked, each once.

    Args:
        name: A file of `experiments/`, without its ending, or a path to one.
        overrides: Added to every run, but for those that are Hydra's own; of several values of a
            setting, each makes runs of its own.
    """
    path = experiment(name)
    found = (run for line in read_experiment(path) for run in sweep_runs([*line, *overrides]))
    runs = {run.folder.path: run for run in found}
    if not runs:
        raise ConfigError("the experiment has no runs", where=str(path))
    return list(runs.values())


def replaced(name: str, overrides: Sequence[str]) -> list[str]:
    """Return the keys that both an experiment and `overrides` set, where runs are to go apart."""
    sets = {word.split("=")[0] for line in read_experiment(experiment(name)) for word in line}
    return sorted({o.key_or_group for o in parse_overrides(overrides)} & sets - {"results_dir"})


def estimate(runs: Sequence[SweepRun], todo: Sequence[SweepRun]) -> str:
    """Return how much work is left: runs, steps, hours by like runs, and bytes."""
    steps = sum(left(run) * run.config.steps_per_iter for run in todo)
    hours = hours_left(runs, todo)
    at = "unknown (no run is done yet)" if hours is None else f"{hours:.1f}"
    return (
        f"runs: {len(runs)}, of which to do: {len(todo)}\n"
        f"simulated steps to do: {steps / 1e6:.1f} million\n"
        f"hours, one run at a time at the pace of like ones done: {at}\n"
        f"disk: about {len(todo) * BYTES_PER_RUN / 1e6:.1f} MB"
    )


def hours_left(runs: Sequence[SweepRun], todo: Sequence[SweepRun]) -> float | None:
    """Return the hours of all that is left; None where no run has a pace yet.

    A run counts with the mean pace of those most like it: of the same task and algorithm, else of
    the same task, else of all.
    """
    paces: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for run in runs:
        if pace := seconds_per_step(run):
            for like in _likeness(run):
                paces[like].append(pace)
    if not paces:
        return None
    seconds = 0.0
    for run in todo:
        pace = fmean(next(paces[like] for like in _likeness(run) if like in paces))
        seconds += left(run) * run.config.steps_per_iter * pace
    return seconds / 3600


def _likeness(run: SweepRun) -> tuple[tuple[str, ...], ...]:
    task = run.config.task.name
    return (task, run.config.algo.name), (task,), ()


def seconds_per_step(run: SweepRun) -> float | None:
    """Return a run's wall time per simulated step, by the last of its rows."""
    if not run.folder.progress.exists():
        return None
    lines = run.folder.progress.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(lines) < 2:
        return None
    row = dict(zip(lines[0].split(","), lines[-1].split(","), strict=False))
    try:
        return float(row["wall_s"]) / float(row["sim_steps"])
    except (KeyError, ValueError, ZeroDivisionError):
        return None  # a row cut short by a kill tells no pace


def write_manifest(
    name: str, runs: Sequence[SweepRun], *, ended: dict[str, Ended], settings: str
) -> None:
    """Write what the sweep consists of, the hash of its settings, and how each run stands."""
    folder = Path(runs[0].config.results_dir) / "sweeps"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise creation_error(error, folder) from error
    content: dict[str, Any] = {
        "experiment": name,
        "git_commit": git_commit(),
        "settings": settings,
        "runs": [],
    }
    for run in runs:
        state, reason = run.state
        entry = {"run": run.label, "overrides": list(run.overrides), "state": state}
        if run.label in ended:
            reason, entry["state"] = ended[run.label].reason, "failed"
        content["runs"].append({**entry, "reason": reason})
    write_json(folder / f"{Path(name).stem}.json", content)
