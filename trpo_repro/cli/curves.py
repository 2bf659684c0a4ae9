"""`trpo-repro curves`: learning curves of stored runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.errors import ConfigError
from trpo_repro.report.collection import collect
from trpo_repro.report.curves import draw
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.style import our_style, picture_format, rendered


def main(options: argparse.Namespace) -> int:
    """Draw the runs below the folders that were named; print the picture's path."""
    output = Path(options.output)
    kind = picture_format(output)
    found = collect([Path(run) for run in options.runs])
    warn(found.complaints)
    with our_style():
        picture = rendered(draw(_begun(found.runs)), kind)
    write_files(output.parent, {output.name: picture})
    refuse_if_strict(options.strict, found.complaints)
    return 0


def _begun(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return the runs that have a row at least."""
    if begun := [run for run in runs if len(run.rows)]:
        return begun
    raise ConfigError("no run has come to its first row", fix="wait, or see trpo-repro status")
