"""`trpo-repro run -m`: every combination, launched by Hydra, each in a process of its own.

All combinations are checked before the first one starts. A child process a run isolates failures:
the others finish, and the sweep's exit code says whether any failed.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig

from trpo_repro.cli.compose import config_folder, sweep_overrides
from trpo_repro.cli.reporter import say
from trpo_repro.errors import ConfigError
from trpo_repro.runner.run_folder import creation_error
from trpo_repro.runner.signals import RESUMABLE, StopRequested


def run_all(overrides: Sequence[str], *, restart: bool) -> int:
    """Run every combination of `overrides`; return 0 if all succeeded, else 1."""
    jobs = sweep_overrides(overrides)
    say(f"{len(jobs)} runs")
    engine = Hydra.create_main_hydra2(
        task_name="trpo-repro", config_search_path=create_config_search_path(str(config_folder()))
    )
    job = _RestartedJob() if restart else _Job()
    try:
        batches = engine.multirun("config", job, list(overrides), with_log_configuration=False)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except OSError as error:  # Hydra's own folder is the first thing that a sweep writes
        raise creation_error(error, Path(error.filename or ".")) from error
    finally:
        GlobalHydra.instance().clear()
    codes = [done.return_value for batch in batches for done in batch]
    failed = [line for line, code in zip(jobs, codes, strict=True) if code != 0]
    say(f"{len(codes) - len(failed)} of {len(codes)} runs complete")
    for line in failed:
        print(f"failed: trpo-repro run {shlex.join(line)}", file=sys.stderr)
    return 1 if failed else 0


class _Job:
    """What a launcher calls, here or on another machine: one run in a child process."""

    extra: tuple[str, ...] = ()

    def __call__(self, config: DictConfig) -> int:
        """Run the job's overrides; return its exit code."""
        overrides = list(HydraConfig.get().overrides.task)
        say(f"run {shlex.join(overrides)}")
        began = time.monotonic()
        command = [sys.executable, "-m", "trpo_repro", "run", *self.extra, *overrides]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            code = child.wait()
        except StopRequested as stop:
            # Ctrl-C reaches the child too, as part of the terminal's group; SIGTERM need not.
            if stop.exit_code == RESUMABLE:
                child.terminate()
            child.wait()  # it is saving
            raise
        say(f"exit {code} after {time.monotonic() - began:.0f} s")
        return code


class _RestartedJob(_Job):
    """The same, each from its beginning."""

    extra = ("--restart",)
