"""`trpo-repro theory`: the paper's identities and bounds, exactly, on finite MDPs."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table as Rows

from trpo_repro.cli.output import make_folder, write_files
from trpo_repro.errors import RunFailed
from trpo_repro.report import bound_figure
from trpo_repro.report.picture import files as picture_files
from trpo_repro.report.style import our_style
from trpo_repro.report.table import Table, csv, files
from trpo_repro.report.theory_table import Verdicts, checks, steps, violations
from trpo_repro.runner.provenance import git_commit
from trpo_repro.theory.algorithm_1 import race
from trpo_repro.theory.instances import random_families
from trpo_repro.theory.verification import verify
from trpo_repro.theory.worst_case import worst_families


def main(options: argparse.Namespace) -> int:
    """Check everything, print and write it.

    Raises:
        RunFailed: A claim does not hold; everything is written all the same.
    """
    begin, seed = time.perf_counter(), options.seed
    make_folder(Path(options.output))
    about = {"mdps": options.mdps, "seed": seed, "git_commit": git_commit()}
    sidecar = {key: about[key] for key in ("seed", "git_commit")}
    source = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.items()) + "."
    console = Console(stderr=True, highlight=False)
    with console.status(f"checking {options.mdps} random MDPs"):
        verdicts = {
            "random": verify(random_families(seed, options.mdps), seed),
            "worst case": verify(worst_families(seed), seed),
        }
    with console.status("running Algorithm 1 against the trust region"):
        tables = {"checks": checks(verdicts, source), "steps": steps(race(seed), source)}
    with our_style():
        contents = picture_files("bound", bound_figure.draw(seed), about=sidecar)
    for name, table in tables.items():
        contents |= files(name, table)
    failures = violations(verdicts)
    contents["violations.csv"] = csv(failures)
    seconds = time.perf_counter() - begin
    with contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext():
        write_files(Path(options.output), contents)
    if options.json:
        print(json.dumps(_as_json(tables, failures, about={**about, "seconds": seconds}), indent=2))
    else:
        _show(tables, seconds)
    _raise_if_violated(verdicts, Path(options.output))
    return 0


def _show(tables: dict[str, Table], seconds: float) -> None:
    """Print the tables for a person."""
    console = Console(highlight=False)
    for table in tables.values():
        rows = Rows(
            title=table.title,
            title_justify="left",
            box=None,
            header_style="bold",
            padding=(0, 1, 0, 0),
        )
        for number, heading in enumerate(table.shown.columns):
            rows.add_column(heading, justify="right" if number > 1 else "left")
        for cells in table.shown.to_numpy().tolist():
            rows.add_row(*cells)
        console.print(rows)
        for line in table.notes[:-1]:
            console.print(f"[dim]{line}[/dim]")
        console.print()
    print(f"{seconds:.0f} s")


def _as_json(
    tables: dict[str, Table], failures: pd.DataFrame, *, about: dict[str, object]
) -> dict[str, object]:
    """Return everything but the picture as JSON."""
    found = {name: table.numbers for name, table in tables.items()} | {"violations": failures}
    rows = {name: json.loads(frame.to_json(orient="records")) for name, frame in found.items()}
    return {**about, **rows}


def _raise_if_violated(verdicts: Verdicts, output: Path) -> None:
    """Raise if a claim fails that is more than a misprint."""
    every = [check for of_family in verdicts.values() for check in of_family]
    broken = sorted({c.claim for c in every if len(c.violations) and not c.misprint})
    if broken:
        fix = f"see {output / 'violations.csv'} for the MDPs"
        raise RunFailed(f"does not hold on every MDP: {'; '.join(broken)}", fix=fix)
