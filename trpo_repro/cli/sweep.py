"""`trpo-repro sweep NAME`: the runs of an experiment file that are not done yet."""

from __future__ import annotations

import argparse
import shlex
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live
from rich.table import Table

from trpo_repro.cli.compose import config_folder, hydra_only, run_config, settings_hash
from trpo_repro.cli.launch import Ended, Job, launch
from trpo_repro.cli.reporter import say
from trpo_repro.errors import ConfigError
from trpo_repro.ranks import Ranks
from trpo_repro.runner.provenance import git_commit
from trpo_repro.runner.run_folder import creation_error, write_json
from trpo_repro.runner.signals import RESUMABLE, StopRequested
from trpo_repro.runner.sweep import SweepRun, read_experiment, steps_done

BYTES_PER_RUN = 150_000  # rows, policy, two checkpoints of a bench run
SECONDS_BETWEEN_LOOKS = 2.0


def main(options: argparse.Namespace) -> int:
    """Run what is missing; return 1 if anything failed."""
    Ranks.of_environment().must_be_alone()
    settings = settings_hash()  # of conf/ as it is now; it may be edited while the runs go on
    runs = planned_runs(options.name, options.overrides)
    todo = [run for run in runs if run.state[0] not in ("done", "running")]
    if options.dry_run:
        print(estimate(runs, todo))
        return 0
    hydra = hydra_only(options.overrides)
    write_manifest(options.name, runs, {}, settings=settings)
    ended: dict[str, Ended] = {}
    try:
        with live_table(runs):
            job = Job(quiet=True, patience=60.0 * options.patience)
            ends = launch(todo, job, hydra) if todo else []
        ended = {run.label: end for run, end in zip(todo, ends, strict=True) if end.code != 0}
    except StopRequested as stop:
        if stop.exit_code == RESUMABLE:
            say(f"to continue: trpo-repro sweep {shlex.join([options.name, *options.overrides])}")
        return stop.exit_code
    finally:
        write_manifest(options.name, runs, ended, settings=settings)
    counts = Counter("failed" if run.label in ended else run.state[0] for run in runs)
    print(", ".join(f"{number} {state}" for state, number in sorted(counts.items())))
    for run in todo:
        if run.label in ended:
            print(f"failed: trpo-repro run {shlex.join(run.overrides)}", file=sys.stderr)
            print("  " + ended[run.label].reason.replace("\n", "\n  "), file=sys.stderr)
    return 1 if ended or counts["failed"] or counts["broken"] else 0


def planned_runs(name: str, overrides: Sequence[str]) -> list[SweepRun]:
    """Return the runs of experiment `name`, all checked, each once.

    Args:
        name: A file of `experiments/`, without its ending, or a path to one.
        overrides: Added to every run.
    """
    path = Path(name) if name.endswith(".yaml") else experiments_folder() / f"{name}.yaml"
    ours = [word for word in overrides if word not in hydra_only(overrides)]
    runs = {}
    for line in read_experiment(path):
        run = SweepRun((*line, *ours), run_config([*line, *ours]))
        runs[run.folder.path] = run
    if not runs:
        raise ConfigError("the experiment has no runs", where=str(path))
    return list(runs.values())


def experiments_folder() -> Path:
    """Return `experiments/` here, or else that of the checkout."""
    here = Path("experiments")
    return here if here.is_dir() else config_folder().parent / "experiments"


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


def left(run: SweepRun) -> int:
    """Return the iterations that a run still needs."""
    return max(0, run.config.iterations - steps_done(run.folder))


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
    name: str, runs: Sequence[SweepRun], ended: dict[str, Ended], *, settings: str
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


@contextmanager
def live_table(runs: Sequence[SweepRun]) -> Iterator[None]:
    """Show how the runs stand while the block goes on, from their files."""
    console = Console()
    stop = threading.Event()

    def show() -> None:
        began, done_before = time.monotonic(), sum(steps_done(run.folder) for run in runs)
        with Live(console=console, refresh_per_second=1, transient=True) as live:
            while not stop.wait(SECONDS_BETWEEN_LOOKS):
                live.update(table(runs, time.monotonic() - began, done_before))

    watcher = threading.Thread(target=show, daemon=True)
    if console.is_terminal:
        watcher.start()
    try:
        yield
    finally:
        stop.set()
        if watcher.is_alive():
            watcher.join()


def table(runs: Sequence[SweepRun], elapsed: float, done_before: int) -> Table:
    """Return one line a task and algorithm: done, running, failed, to do; and the time left."""
    states: dict[tuple[str, str], Counter[str]] = {}
    for run in runs:
        key = (run.config.task_label(), run.config.algo.name)
        states.setdefault(key, Counter())[run.state[0]] += 1
    done = sum(steps_done(run.folder) for run in runs)
    remaining = sum(left(run) for run in runs)
    rate = (done - done_before) / elapsed
    title = f"time left about {remaining / rate / 60:.0f} min" if rate > 0 else "starting"
    result = Table(title=title, box=SIMPLE)
    for column in ("task", "algorithm", "done", "running", "failed", "to do"):
        result.add_column(column, justify="left" if column in ("task", "algorithm") else "right")
    for (task, algo), count in states.items():
        bad = count["failed"] + count["broken"]
        waiting = count["missing"] + count["interrupted"]
        result.add_row(task, algo, *map(str, (count["done"], count["running"], bad, waiting)))
    return result
