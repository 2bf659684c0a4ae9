"""`trpo-repro run -m`: every combination; all are checked before the first one starts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from trpo_repro.cli.compose import sweep_runs
from trpo_repro.cli.launch import Job, launch
from trpo_repro.cli.launchers import hydras_own
from trpo_repro.cli.reporter import say


def run_all(overrides: Sequence[str], *, restart: bool) -> int:
    """Run every combination of `overrides`; return 0 if all succeeded, else 1."""
    hydra, runs = hydras_own(overrides), sweep_runs(overrides)
    say(f"{len(runs)} run{'s' * (len(runs) != 1)}")
    job = Job(extra=("--restart",) if restart else ())
    ended = launch(runs, job, hydra_overrides=hydra)
    failed = [run.overrides for run, end in zip(runs, ended, strict=True) if end.code != 0]
    say(f"{len(ended) - len(failed)} of {len(ended)} runs complete")
    for line in failed:
        print(f"failed: trpo-repro run {shlex.join(line)}", file=sys.stderr)
    return 1 if failed else 0
