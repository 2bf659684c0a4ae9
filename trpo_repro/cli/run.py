"""`trpo-repro run`: one run, or with -m every combination."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from contextlib import suppress

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.reporter import Silent, make_reporter, say
from trpo_repro.config import RunConfig
from trpo_repro.errors import TrpoError
from trpo_repro.ranks import Ranks
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.runner.signals import StopRequested, follow_parent
from trpo_repro.runner.state import already_complete


def main(options: argparse.Namespace) -> int:
    """Run what the overrides say; return the exit code."""
    follow_parent()
    try:
        return _run_all(options) if options.multirun else _run_one(options)
    except StopRequested as stop:
        if not Ranks.of_environment().rank:
            again = ["run", *["-m"] * options.multirun, *options.overrides]
            say(f"to continue: trpo-repro {shlex.join(again)}")
        with suppress(OSError):  # the terminal may be what went away
            sys.stdout.flush()
        # Sampling threads may be deep inside the physics; everything is saved, so do not wait.
        os._exit(stop.exit_code)


def _run_one(options: argparse.Namespace) -> int:
    config, ranks = run_config(options.overrides), Ranks.of_environment()
    if not ranks.alone:
        return _run_together(config, ranks, restart=options.restart)
    if not options.restart and already_complete(config):
        print(f"already complete: {RunFolder.of(config).path}")
        return 0
    execute(config, make_reporter(), restart=options.restart)
    return 0


def _run_together(config: RunConfig, ranks: Ranks, *, restart: bool) -> int:
    """Run this process's share, started by torchrun; a failure is told by one process alone."""
    reporter = Silent() if ranks.rank else make_reporter()
    try:
        execute(config, reporter, restart=restart, ranks=ranks)
    except TrpoError as error:
        if not ranks.silent:
            raise
        return error.exit_code
    return 0


def _run_all(options: argparse.Namespace) -> int:
    from trpo_repro.cli.multirun import run_all

    Ranks.of_environment().must_be_alone()
    return run_all(options.overrides, restart=options.restart)
