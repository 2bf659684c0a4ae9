"""`trpo-repro curves`: learning curves of stored runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.report.collection import collect
from trpo_repro.report.curves import draw
from trpo_repro.report.style import our_style, picture_format, rendered


def main(options: argparse.Namespace) -> int:
    """Draw the runs below the folders that were named; print the picture's path."""
    output = Path(options.output)
    kind = picture_format(output)
    found = collect([Path(run) for run in options.runs])
    warn(found.complaints)
    with our_style():
        picture = rendered(draw(found.runs), kind)
    write_files(output.parent, {output.name: picture})
    refuse_if_strict(options.strict, found.complaints)
    return 0
