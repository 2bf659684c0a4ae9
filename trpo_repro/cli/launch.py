"""Runs in processes of their own, started by one of Hydra's launchers.

A child process a run isolates failures: the others finish whatever becomes of one. What a child
says on standard error comes back with its exit code.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from trpo_repro.cli.compose import config_folder
from trpo_repro.cli.reporter import say
from trpo_repro.errors import ConfigError
from trpo_repro.runner.run_folder import creation_error
from trpo_repro.runner.signals import RESUMABLE, StopRequested

TAIL = 2000  # characters of a child's standard error that are kept


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: Its exit code; minus the signal's number where one killed it.
        said: The last of its standard error, empty where that was not kept.
    """

    code: int
    said: str


def launch(jobs: Sequence[Sequence[str]], job: Job, hydra_overrides: Sequence[str]) -> list[Ended]:
    """Run each of `jobs` by the launcher that `hydra_overrides` choose; return how each ended.

    Args:
        jobs: The overrides of each run, checked.
        job: What the launcher calls for each.
        hydra_overrides: Such as `hydra/launcher=joblib` and `hydra.launcher.n_jobs=4`.
    """
    search_path = create_config_search_path(str(config_folder()))
    engine = Hydra.create_main_hydra2(task_name="trpo-repro", config_search_path=search_path)
    # Hydra's own folder lies where the results go, which it is not told otherwise.
    place = [word for word in jobs[0] if word.startswith("results_dir=")]
    try:
        config = engine.compose_config(
            "config", [*hydra_overrides, *place], RunMode.MULTIRUN, with_log_configuration=False
        )
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(
                config_loader=engine.config_loader, callbacks=Callbacks(config)
            ),
            task_function=job,
            config=config,
        )
        returns = launcher.launch([list(line) for line in jobs], initial_job_idx=0)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except OSError as error:  # Hydra's own folder is the first thing that a sweep writes
        raise creation_error(error, Path(error.filename or ".")) from error
    finally:
        GlobalHydra.instance().clear()
    return [ended.return_value for ended in returns]


@dataclass(frozen=True)
class Job:
    """What a launcher calls, here or on another machine: one run in a child process.

    Attributes:
        quiet: Keep the child's output instead of showing it.
        extra: Options of `trpo-repro run` besides the overrides.
    """

    quiet: bool = False
    extra: tuple[str, ...] = ()

    def __call__(self, config: DictConfig) -> Ended:
        """Run the job's overrides."""
        overrides = list(HydraConfig.get().overrides.task)
        if not self.quiet:
            say(f"run {shlex.join(overrides)}")
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", "trpo_repro", "run", *self.extra, *overrides],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.quiet else None,
            stderr=subprocess.PIPE if self.quiet else None,
            text=True,
        )
        try:
            said = child.communicate()[1]
        except StopRequested as stop:
            # Ctrl-C reaches the child too, as part of the terminal's group; SIGTERM need not.
            if stop.exit_code == RESUMABLE:
                child.terminate()
            child.wait()  # it is saving
            raise
        if not self.quiet:
            say(f"exit {child.returncode} after {time.monotonic() - began:.0f} s")
        return Ended(child.returncode, (said or "")[-TAIL:])
