"""`trpo-repro tables`: scores, parameters and times, from stored results alone.

Table 1, the games', takes runs of every scale and says in each cell which.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.ablations import write_tables
from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.report import paper_table, score_table, stored_files, table1
from trpo_repro.report.choice import Choice, choices, lacking
from trpo_repro.report.collection import SCALES, Stored, suffix
from trpo_repro.report.evaluations import EVALUATIONS, RANDOM_GAMES
from trpo_repro.report.games import PROTOCOLS, is_game, played_as
from trpo_repro.report.policies import POLICIES
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.table import Table, files, markdown


def main(options: argparse.Namespace) -> int:
    """Make every table; print the paths of the files."""
    results = Path(options.results_dir)
    stored = Stored(results)
    compared = stored.comparison
    games, complaints = _games(compared.runs, results)
    tables, losses = dict[str, Table](), list[str]()
    scales = [options.scale] if options.scale else compared.scales
    for scale in scales or ([] if games else SCALES[:1]):
        found = compared.at(scale)
        tables |= _of_scale(found.runs, scale)
        losses += found.complaints + lacking(_of_robots(found.runs))
    tables |= games
    losses = list(dict.fromkeys(losses))
    files_lost = stored_files.complaints(results, [EVALUATIONS, RANDOM_GAMES, POLICIES])
    warn(losses + complaints + files_lost)
    output = Path(options.output) if options.output else results / "tables"
    for name, table in tables.items():
        write_files(output, files(name, table))
    if "table1" in tables:
        print(markdown(tables["table1"]))
    warn(others := write_tables(stored, output, scales=scales))
    refuse_if_strict(options.strict, losses + files_lost + others)
    return 0


def _of_scale(runs: list[StoredRun], scale: str) -> dict[str, Table]:
    """Return the tables whose numbers are of runs of one scale."""
    tables = dict[str, Table]()
    if chosen := _of_robots(runs):
        tables[f"scores{suffix(scale)}"] = score_table.table(chosen)
        tables[f"parameters{suffix(scale)}"] = paper_table.parameters(chosen)
    tables[f"times{suffix(scale)}"] = paper_table.times(choices(runs))
    return tables


def _of_robots(runs: list[StoredRun]) -> dict[str, list[Choice]]:
    """Return what is shown of every task that is no game."""
    return choices([run for run in runs if not is_game(run)])


def _games(runs: list[StoredRun], results: Path) -> tuple[dict[str, Table], list[str]]:
    """Return Table 1 for each protocol of which there is anything, and what is missing of it."""
    tables, complaints = dict[str, Table](), list[str]()
    for protocol in PROTOCOLS:
        if played_as(runs, protocol) or table1.random_cells(results, protocol):
            name = "table1" if protocol == "trpo2015" else f"table1_{protocol}"
            tables[name] = table1.table(runs, results, protocol=protocol)
            complaints += table1.missing(runs, results, protocol=protocol)
    return tables, complaints
