"""`trpo-repro report`: everything that is stored, as one HTML file that needs no network."""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.report import stored_files
from trpo_repro.report.claims.evidence import gather
from trpo_repro.report.claims.sources import SOURCES
from trpo_repro.report.collection import Stored
from trpo_repro.report.evaluations import EVALUATIONS, RANDOM_GAMES
from trpo_repro.report.html.page import page
from trpo_repro.report.html.pictures import DRAWINGS, POINTS, VIDEOS
from trpo_repro.report.html.sections import PARTS
from trpo_repro.report.html.tables import TABLES
from trpo_repro.report.policies import POLICIES

SHOWN = (EVALUATIONS, RANDOM_GAMES, POLICIES, *SOURCES, TABLES, DRAWINGS, POINTS, VIDEOS)
"""The kinds of stored files that the page shows."""


def main(options: argparse.Namespace) -> int:
    """Write the page; print its path."""
    results = Path(options.results_dir)
    output = Path(options.output) if options.output else results / "report.html"
    stored = Stored(results)
    losses = [*gather(stored).complaints, *stored_files.complaints(results, SHOWN)]
    losses += [line for name in PARTS for line in stored.part(name).complaints]
    warn(losses := list(dict.fromkeys(losses)))
    write_files(output.parent, {output.name: page(stored)})
    refuse_if_strict(options.strict, losses)
    return 0
