"""`trpo-repro curves`: learning curves of stored runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.errors import CheckpointError, ConfigError
from trpo_repro.report.collection import AGAIN, collect, without_copies
from trpo_repro.report.curves import draw
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.style import our_style, picture_format, rendered


def main(options: argparse.Namespace) -> int:
    """Draw the runs below the folders that were named; print the picture's path."""
    output = Path(options.output)
    kind = picture_format(output)
    found = collect([Path(run) for run in options.runs])
    once = without_copies(found.runs)
    kept = {run.path for run in once}
    copies = [f"{run.path}: there twice, shown once" for run in found.runs if run.path not in kept]
    warn([*found.complaints, *copies])
    with our_style():
        picture = rendered(draw(_begun(once)), kind)
    write_files(output.parent, {output.name: picture})
    refuse_if_strict(options.strict, found.complaints)
    return 0


def _begun(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return the runs that have a row at least."""
    if begun := [run for run in runs if len(run.rows)]:
        return begun
    if damaged := next((run for run in runs if run.state == "done"), None):
        raise CheckpointError("no rows are left", where=str(damaged.path), fix=AGAIN)
    raise ConfigError("no run has come to its first row", fix="wait, or see trpo-repro status")
