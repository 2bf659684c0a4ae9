"""`trpo-repro report`: everything that is stored, as one HTML file that needs no network."""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.output import warn, write_files
from trpo_repro.report import evaluations
from trpo_repro.report.html.page import page


def main(options: argparse.Namespace) -> int:
    """Write the page; print its path."""
    results = Path(options.results_dir)
    output = Path(options.output) if options.output else results / "report.html"
    warn(evaluations.complaints(results))
    write_files(output.parent, {output.name: page(results)})
    return 0
