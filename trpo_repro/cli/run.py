"""`trpo-repro run`: one run, or with -m every combination."""

from __future__ import annotations

import argparse
import os
import sys

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.reporter import make_reporter
from trpo_repro.runner.loop import already_complete, execute
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.runner.signals import RESUMABLE, StopRequested


def main(options: argparse.Namespace) -> int:
    """Run what the overrides say; return the exit code."""
    if options.multirun:
        from trpo_repro.cli.multirun import run_all

        return run_all(options.overrides, restart=options.restart)
    config = run_config(options.overrides)
    folder = RunFolder.of(config)
    if options.restart:
        aside = folder.move_aside()
        if aside is not None:
            print(f"the old run is kept in {aside}")
    elif already_complete(config):
        print(f"already complete: {folder.path}")
        return 0
    try:
        execute(config, make_reporter())
    except StopRequested as stop:
        if stop.exit_code == RESUMABLE:
            print(f"to continue: trpo-repro run {' '.join(options.overrides)}", flush=True)
        sys.stdout.flush()
        # Sampling threads may be deep inside the physics; everything is saved, so do not wait.
        os._exit(stop.exit_code)
    return 0
