"""`trpo-repro curves`: learning curves of stored runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trpo_repro.report.curves import draw
from trpo_repro.report.runs import collect
from trpo_repro.report.style import our_style, picture_format, rendered
from trpo_repro.runner.run_folder import creation_error, write_atomically


def main(options: argparse.Namespace) -> int:
    """Draw the runs below the folders that were named; print the picture's path."""
    output = Path(options.output)
    kind = picture_format(output)
    found = collect([Path(run) for run in options.runs])
    for complaint in found.complaints:
        print(f"warning: {complaint}", file=sys.stderr)
    with our_style():
        picture = rendered(draw(found.runs), kind)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise creation_error(error, output.parent) from error
    write_atomically(output, picture)
    print(output)
    return 0
