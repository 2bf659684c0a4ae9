"""`trpo-repro doctor`: what this machine has and lacks, one line each.

Nothing is imported here that could itself be missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trpo_repro.errors import MissingDependency
from trpo_repro.runner import health
from trpo_repro.runner.health import Finding, finding_of
from trpo_repro.settings import TASK_CONFIGS


def main(options: argparse.Namespace) -> int:
    """Check everything; return 4 if something that `run` needs is missing."""
    statuses = []
    for name, check in checks(Path(options.results_dir)).items():
        found = finding_of(check)
        statuses.append(found.status)
        fix = f"; fix: {found.fix}" if found.fix else ""
        print(f"{found.status:<8}{name:<22}{found.text}{fix}", flush=True)
    return MissingDependency.exit_code if "missing" in statuses else 0


def checks(results: Path) -> dict[str, Callable[[], Finding]]:
    """Return the checks by the name that they are shown under."""
    tasks = {f"task={name}": partial(_task, name) for name in TASK_CONFIGS}
    return {
        "python": health.python,
        "packages": health.packages,
        "configuration": _configuration,
        "cores": health.processor,
        "torch": health.torch_device,
        **tasks,
        "results": partial(health.disk, results),
        "optional": health.optional_packages,
        "Atari ROMs": health.roms,
        "rendering": health.rendering,
    }


def _configuration() -> Finding:
    """Check that the files of `conf/` are where they should be, and make sense."""
    from trpo_repro.cli.compose import config_folder, run_config

    run_config([])
    return Finding("ok", str(config_folder()))


def _task(name: str) -> Finding:
    from trpo_repro.cli.compose import run_config

    return health.task(run_config([f"task={name}"]).task)
