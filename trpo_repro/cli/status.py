"""`trpo-repro status`: what is done, running, failed or missing, from the files alone."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from trpo_repro.errors import ConfigError, TrpoError
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.state import state_of

STATES = ("done", "running", "interrupted", "failed", "broken", "missing")


def main(options: argparse.Namespace) -> int:
    """Print a line a task and algorithm, or every run as JSON."""
    rows = (
        _planned(options) if options.name else stored_runs(Path(options.results_dir or "results"))
    )
    if options.json:
        keys = ("run", "state", "reason")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return 0
    console = Console(markup=False)
    console.print(table(rows))
    for run, state, reason in rows:
        if state in ("interrupted", "failed", "broken"):
            console.print(f"{state}: {run}: {reason}", highlight=False, soft_wrap=True)
    return 0


def stored_runs(results: Path) -> list[tuple[str, str, str]]:
    """Return (run, state, reason) of every run folder below `results`."""
    if not results.is_dir():
        raise ConfigError("no such folder", where=str(results), fix="name it: --results-dir DIR")
    rows = []
    for path in sorted(results.glob("runs/*/*/*/seed*")):
        if not path.name.removeprefix("seed").isdigit():  # set aside by --restart
            continue
        folder = RunFolder(path)
        label = "/".join(path.parts[-4:])
        try:
            iterations = read_json(folder.config).get("iterations")
            if not isinstance(iterations, int):
                raise ConfigError(f"{folder.config.name} names no iterations")
        except (TrpoError, OSError) as error:
            rows.append((label, "broken", str(error)))
            continue
        rows.append((label, *state_of(folder, iterations)))
    return rows


def _planned(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Return (run, state, reason) of every run of an experiment."""
    from trpo_repro.cli.overrides import quoted
    from trpo_repro.cli.sweep import planned_runs

    if "=" in options.name and not Path(options.name).exists():
        fix = "trpo-repro status NAME key=value…, as its sweep"
        raise ConfigError(f"'{options.name}' is no experiment", fix=fix)
    place = [f"results_dir={quoted(options.results_dir)}"] if options.results_dir else []
    runs = planned_runs(options.name, [*options.overrides, *place])
    return [(run.label, *run.state) for run in runs]


def table(rows: list[tuple[str, str, str]]) -> Table:
    """Return the counts by task and algorithm, in the states that there are."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for run, state, _ in rows:
        task, algo = run.split("/")[:2]
        counts.setdefault((task, algo), Counter())[state] += 1
    found = [state for state in STATES if any(count[state] for count in counts.values())]
    result = Table(title=f"{len(rows)} run{'s' * (len(rows) != 1)}", box=SIMPLE)
    for column in ("task", "algorithm"):
        result.add_column(column, no_wrap=True)
    for state in found:
        result.add_column(state, justify="right", no_wrap=True)
    for (task, algo), count in counts.items():
        result.add_row(task, algo, *(str(count[state] or "") for state in found))
    return result
