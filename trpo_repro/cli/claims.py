"""`trpo-repro claims`: the paper's claims with a verdict on each, from stored results alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table as Rows

from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.errors import ConfigError
from trpo_repro.report import stored_files
from trpo_repro.report.claims.evidence import gather
from trpo_repro.report.claims.ledger import Entry, ledger, summary, table
from trpo_repro.report.claims.sources import SOURCES
from trpo_repro.report.claims.verdict import sentence
from trpo_repro.report.collection import Stored
from trpo_repro.report.evaluations import EVALUATIONS, RANDOM_GAMES
from trpo_repro.report.table import files


def main(options: argparse.Namespace) -> int:
    """Print the verdicts; write claims.csv and claims.md."""
    results = Path(options.results_dir)
    if not results.is_dir():
        raise ConfigError("no such folder", where=str(results), fix="name it: --results-dir DIR")
    evidence = gather(Stored(results))
    kinds = (EVALUATIONS, RANDOM_GAMES, *SOURCES)
    losses = [*evidence.complaints, *stored_files.complaints(results, kinds)]
    warn(losses)
    entries = ledger(evidence)
    if options.brief:
        print(summary(entries))
    else:
        output = Path(options.output) if options.output else results / "tables"
        write_files(output, files("claims", table(entries)))
        _show(entries)
    refuse_if_strict(options.strict, losses)
    return 0


def _show(entries: list[Entry]) -> None:
    """Print one line a claim for a person."""
    rows = Rows(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("", "the paper says", "verdict", "what was found"):
        rows.add_column(heading)
    for entry in entries:
        rows.add_row(entry.name, entry.claim, str(entry.verdict), sentence(entry.finding))
    Console(highlight=False, markup=False).print(rows)
