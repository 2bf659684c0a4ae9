"""`trpo-repro bench`: speed as ratios, measured in one run on one machine."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trpo_repro.bench import games, sb3
from trpo_repro.bench.measurement import Measurement
from trpo_repro.bench.process import memory, start_up
from trpo_repro.bench.ranks import ranks_against_threads
from trpo_repro.bench.sampling import Setup, other_algorithms, sampling
from trpo_repro.bench.scaling import kinds_of, measured, report
from trpo_repro.bench.update import products_against_gradient
from trpo_repro.cli.compose import run_config
from trpo_repro.cli.experiments import experiment
from trpo_repro.cli.output import make_folder, write_files
from trpo_repro.errors import ConfigError, RunFailed
from trpo_repro.parallel import available_cores
from trpo_repro.runner.provenance import cpu_model, git_commit
from trpo_repro.runner.sweep import read_experiment
from trpo_repro.settings import ALGORITHM_TASKS, GAMES

Plan = dict[str, Callable[[], list[Measurement]]]
SAMPLING = {"sampling": 0.75}
QUICK_STEPS = 2000
WHOLE_STEPS = 10_000  # of an iteration that is measured at its whole size
PAPER = {"sampling": 0.90, "end to end": 0.80}
"""The ratios of the ceiling that are wanted at `scale=bench` and `scale=paper`."""


def main(options: argparse.Namespace) -> int:
    """Measure, print, and return 0: a slow machine is no error."""
    if options.scaling:
        for unused in [f"--{name}" for name in ("json", "only") if getattr(options, name)]:
            raise ConfigError(f"{unused} does nothing with --scaling", fix="take one of them out")
        return scaling_table(Path(options.scaling), quick=options.quick)
    everything = plan(setup(Path(options.results_dir), quick=options.quick))
    chosen = {k: v for k, v in everything.items() if (options.only or "") in k}
    if not chosen:
        known = ", ".join(everything)
        raise ConfigError(f"no measurement is named {options.only!r}", fix=f"choose of: {known}")
    rows: list[Measurement] = []
    skipped = []
    for number, (name, measure) in enumerate(chosen.items(), start=1):
        if name == "sb3" and not sb3.available():
            skipped.append("sb3: not measured; pip install 'trpo-repro[bench]'")
            continue
        about = f"measuring {name} ({number} of {len(chosen)})"
        with Console(stderr=True, highlight=False).status(about):
            found = measure() if len(chosen) == 1 else in_child(name, options)
        if len(chosen) > 1:  # the table comes when all are done, half an hour later
            for row in found:
                print(brief(row), file=sys.stderr, flush=True)
        rows += found
    if options.json:
        result = {**machine(), "measurements": [as_json(row) for row in rows], "skipped": skipped}
        print(json.dumps(result, indent=2))
    else:
        _show(rows, skipped)
    return 0


def in_child(name: str, options: argparse.Namespace) -> list[Measurement]:
    """Measure in a process of its own, which no measurement before has left its threads in."""
    words = ["bench", "--json", "--only", name, "--results-dir", options.results_dir]
    command = [sys.executable, "-m", "trpo_repro", *words, *["--quick"] * options.quick]
    # Its spinner would write over ours.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise RunFailed(f"measuring {name} failed", fix=f"see trpo-repro bench --only {name}")
    return [from_json(row) for row in json.loads(done.stdout)["measurements"]]


def setup(results: Path, *, quick: bool) -> Setup:
    """Return the sizes; `quick` is for seeing that everything works."""
    if quick:
        return Setup(
            run_config,
            results,
            rounds=2,
            paper_steps=100_000,
            rival_steps=10_000,
            game_steps=2_000,
        )
    return Setup(run_config, results)


def plan(setup: Setup) -> Plan:
    """Return the measurements by name."""
    large, small, rounds = setup.paper_steps, setup.bench_steps, setup.rounds
    return {
        "start": partial(start_up, rounds),
        "memory": partial(memory, large),
        "products": partial(products_against_gradient, large, rounds + 2),
        "bench-swimmer": partial(sampling, setup, "swimmer", steps=small, targets=SAMPLING),
        "bench-hopper": partial(sampling, setup, "hopper", steps=small, targets=SAMPLING),
        "bench-walker": partial(sampling, setup, "walker", steps=small, targets=SAMPLING),
        "paper-hopper": partial(sampling, setup, "hopper", steps=large, targets=PAPER),
        "paper-walker": partial(sampling, setup, "walker", steps=large, targets=PAPER),
        "algorithms": partial(other_algorithms, setup),
        "ranks-bench": partial(ranks_against_threads, "hopper", small, rounds=rounds),
        "ranks-paper": partial(ranks_against_threads, "hopper", large, rounds=rounds),
        "single-games": partial(games.single_path, setup),
        "vine-games": partial(games.vine, setup),
        "sb3": partial(sb3.against_sb3, run_config, setup.rival_steps),
    }


def scaling_table(path: Path, *, quick: bool) -> int:
    """Measure every kind of run of Figure 4 and Table 1; write what they take on many cores."""
    make_folder(path.parent)
    lines = read_experiment(experiment("figure4"))
    games = product(GAMES, ("single_path", "vine"))
    figures = {
        "Figure 4": kinds_of(run_config([*line, "scale=paper"]) for line in lines),
        "Table 1, one seed": kinds_of(
            run_config([f"task={game}", f"algo={algo}", "scale=paper"])
            for game, algo in games
            if game in ALGORITHM_TASKS[algo]
        ),
    }
    costs = {}
    for kind in {kind: None for runs in figures.values() for kind in runs}:
        with Console(stderr=True, highlight=False).status(f"measuring {kind.label}"):
            largest = QUICK_STEPS if quick else max(kind.steps // 10, WHOLE_STEPS)
            costs[kind] = measured(kind, min(kind.steps, largest), rounds=1 if quick else 2)
    where = machine()
    tenth = f"a tenth of these steps, of {WHOLE_STEPS:,} at least"
    size = f"{QUICK_STEPS:,} steps" if quick else tenth
    text = report(
        figures,
        costs,
        where=f"{where['cpu']}, {where['cores']} cores, load {where['load_average']} at the end, "
        f"commit {where['git_commit']}",
        steps=f"Measured in iterations of {size}.",
    )
    print(text, end="", flush=True)  # first: it took long
    write_files(path.parent, {path.name: text.encode()})
    return 0


def machine() -> dict[str, object]:
    """Return where it was measured, and how busy that was before."""
    load = os.getloadavg()[0]
    return {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "load_average": round(load, 2),
        "git_commit": git_commit(),
    }


def as_json(row: Measurement) -> dict[str, Any]:
    """Return a row as JSON."""
    return {**dataclasses.asdict(row), "met": row.met}


def from_json(content: dict[str, Any]) -> Measurement:
    """Return the row that `as_json` wrote."""
    low, high = content["spread"]
    own = {key: value for key, value in content.items() if key not in ("met", "spread")}
    return Measurement(**own, spread=(low, high))


def _show(rows: Sequence[Measurement], skipped: Sequence[str]) -> None:
    """Print the table for a person."""
    console = Console(highlight=False)
    where = machine()
    console.print(f"{where['cpu']}, {where['cores']} cores, load {where['load_average']}\n")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("what")
    for name in ("measured", "against", "ratio", "from-to", "target"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met")
    for row in rows:
        table.add_row(
            f"{row.name}\n  [dim]{row.note}[/dim]",
            shown(row.value, row.unit),
            "" if row.reference is None else shown(row.reference, row.unit),
            f"{row.ratio:.2f}",
            f"{row.spread[0]:.2f}-{row.spread[1]:.2f}",
            wanted(row),
            "yes" if row.met else "NO",
        )
    console.print(table)
    for line in skipped:
        print(line)  # its brackets are no markup


def brief(row: Measurement) -> str:
    """Return a row in one line, for somebody who waits."""
    return f"{row.name}: {row.ratio:.2f}, wanted {wanted(row)}{'' if row.met else ': NOT MET'}"


def wanted(row: Measurement) -> str:
    """Return what a row's ratio must be."""
    return f"{'≤' if row.at_most else '≥'} {row.target:g}"


def shown(value: float, unit: str) -> str:
    """Return a figure in few characters."""
    return f"{value / 1e3:,.1f}K/s" if unit == "steps/s" else f"{value:.3g} {unit}"
