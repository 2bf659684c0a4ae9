"""`trpo-repro tables`: scores, parameters and times, from stored results alone.

Table 1, the games', takes runs of every scale and says in each cell which.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.ablations import write_tables
from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.errors import ConfigError
from trpo_repro.report import paper_table, score_table, table1
from trpo_repro.report.choice import choices
from trpo_repro.report.games import PROTOCOLS, is_game, played_as
from trpo_repro.report.runs import Collection, StoredRun, collect
from trpo_repro.report.table import Table, files, markdown


def main(options: argparse.Namespace) -> int:
    """Make every table; print the paths of the files."""
    results, scale = Path(options.results_dir), options.scale
    found = collect([results / "runs"])
    games, complaints = _games(found.runs, results)
    at_scale = [run for run in found.runs if run.config.get("scale") == scale]
    chosen = choices([run for run in at_scale if not is_game(run)])
    suffix = "" if scale == "bench" else f"_{scale}"  # two scales are never one table
    tables = dict[str, Table]()
    if chosen:
        tables[f"scores{suffix}"] = score_table.table(chosen)
        tables[f"parameters{suffix}"] = paper_table.parameters(chosen)
    if at_scale:
        tables[f"times{suffix}"] = paper_table.times(choices(at_scale))
    elif not games:
        raise ConfigError(f"no run is of scale={scale}", fix="name another: --scale")
    tables |= games
    stored = Collection(at_scale, found.unreadable)
    warn(stored.complaints + complaints)
    output = Path(options.output) if options.output else results / "tables"
    for name, table in tables.items():
        write_files(output, files(name, table))
    if "table1" in tables:
        print(markdown(tables["table1"]))
    write_tables(results, output, scale)
    refuse_if_strict(options.strict, stored.complaints)
    return 0


def _games(runs: list[StoredRun], results: Path) -> tuple[dict[str, Table], list[str]]:
    """Return Table 1 for each protocol of which there is anything, and what is missing of it."""
    tables, complaints = dict[str, Table](), list[str]()
    for protocol in PROTOCOLS:
        if played_as(runs, protocol) or table1.random_cells(results, protocol):
            name = "table1" if protocol == "trpo2015" else f"table1_{protocol}"
            tables[name] = table1.table(runs, results, protocol)
            complaints += table1.missing(runs, results, protocol)
    return tables, complaints
