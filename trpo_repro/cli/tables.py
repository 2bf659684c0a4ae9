"""`trpo-repro tables`: scores, parameters and times, from stored results alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.ablations import write_tables
from trpo_repro.cli.output import warn, write_files
from trpo_repro.report import paper_table, score_table
from trpo_repro.report.choice import choices
from trpo_repro.report.runs import collect
from trpo_repro.report.table import files


def main(options: argparse.Namespace) -> int:
    """Make every table; print the paths of the files."""
    results, scale = Path(options.results_dir), options.scale
    found = collect([results / "runs"]).at(scale)
    chosen = choices(found.runs)
    suffix = "" if scale == "bench" else f"_{scale}"  # two scales are never one table
    tables = {
        "scores": score_table.table(chosen),
        "parameters": paper_table.parameters(chosen),
        "times": paper_table.times(chosen),
    }
    warn(found.complaints)
    output = Path(options.output) if options.output else results / "tables"
    for name, table in tables.items():
        write_files(output, files(name + suffix, table))
    write_tables(results, output, scale)
    return 0
