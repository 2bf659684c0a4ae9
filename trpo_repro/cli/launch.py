"""Runs in processes of their own, started by one of Hydra's launchers.

A child process a run isolates failures: the others finish whatever becomes of one. What a child
says on standard error comes back with its exit code. Whoever launched asks all to stop by making a
file that every job looks for; so that works wherever a launcher put them.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from trpo_repro.cli.compose import CONF, config_folder, snapshot
from trpo_repro.cli.guard import guarded
from trpo_repro.cli.launchers import check_slurm, over_plugins
from trpo_repro.cli.reporter import say
from trpo_repro.errors import ConfigError
from trpo_repro.runner.run_folder import creation_error
from trpo_repro.runner.signals import PARENT, RESUMABLE, announce_on_signals
from trpo_repro.runner.sweep import SweepRun

TAIL = 2000  # characters of a child's standard error that are kept
SECONDS_BETWEEN_LOOKS = 0.2
PATIENCE = 3600.0  # seconds without a new row after which a run counts as hung
SLURM_KILLS_WITHIN = 60.0  # seconds from its signal to the end; KillWait, 30 unless changed
GRACE = 20.0  # seconds that a child gets to save before it is killed


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: Its exit code; minus the signal's number where one killed it.
        said: The last of its standard error, empty where that was not kept.
    """

    code: int
    said: str

    @property
    def reason(self) -> str:
        """Return the end in words."""
        how = f"exit {self.code}"
        if self.code == -signal.SIGKILL:
            how = "killed, as the kernel does for want of memory"
        elif self.code < 0:
            how = f"killed by {signal.Signals(-self.code).name}"
        return ": ".join(filter(None, [how, self.said.strip()[-300:]]))


def launch(runs: Sequence[SweepRun], job: Job, *, hydra_overrides: Sequence[str]) -> list[Ended]:
    """Run each of `runs` by the launcher that `hydra_overrides` choose; return how each ended.

    Args:
        runs: What to run; all results go to one folder.
        job: What the launcher calls for each.
        hydra_overrides: Such as `hydra/launcher=joblib` and `hydra.launcher.n_jobs=4`.

    Raises:
        StopRequested: A signal came; the runs at work are saved and no other was started.
        MissingDependency: There is no SLURM for its launcher.
    """
    check_slurm(hydra_overrides)
    results = Path(runs[0].config.results_dir)
    try:
        conf = snapshot(results)
    except OSError as error:
        raise creation_error(error, results) from error
    # With the time: in a container host and process ids come back, and so would a killed driver's.
    name = f"stop-{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
    stop = results.absolute() / ".sweeps" / name
    folders = {run.overrides: str(run.folder.path) for run in runs}
    job = replace(job, conf=str(conf), stop=str(stop), folders=folders)
    try:
        with announce_on_signals(stop.touch):
            ended = _launch([run.overrides for run in runs], job, hydra_overrides=hydra_overrides)
    finally:
        stop.unlink(missing_ok=True)
    return [
        Ended(1, "it ended with exit code 0, but the run is not done")
        if end.code == 0 and run.state[0] != "done"
        else end
        for run, end in zip(runs, ended, strict=True)
    ]


def _launch(
    jobs: Sequence[Sequence[str]], job: Job, *, hydra_overrides: Sequence[str]
) -> list[Ended]:
    """Let Hydra's launcher call `job` for each of `jobs`."""
    search_path = create_config_search_path(str(config_folder()))
    engine = Hydra.create_main_hydra2(task_name="trpo-repro", config_search_path=search_path)
    # Hydra's own folder lies where the results go, which it is not told otherwise.
    place = [word for word in jobs[0] if word.startswith("results_dir=")]
    try:
        with over_plugins():
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
        plugin = type(launcher).__module__
        if plugin.startswith("hydra_plugins.hydra_submitit_launcher"):
            from trpo_repro.cli import submitit_jobs  # only where it is installed

            return submitit_jobs.launch(launcher, jobs, lost=lambda how: Ended(1, how))
        joblib = plugin.startswith("hydra_plugins.hydra_joblib_launcher")
        with guarded() if joblib else nullcontext():
            returns = launcher.launch([list(line) for line in jobs], initial_job_idx=0)
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except OSError as error:  # Hydra's own folder is the first thing that a sweep writes
        raise creation_error(error, Path(error.filename or ".")) from error
    finally:
        GlobalHydra.instance().clear()
    return [ended.return_value for ended in returns]


def _leave_ctrl_c_to(driver: int) -> None:
    """Ignore Ctrl-C if this process is a worker of `driver`, which it reaches too."""
    if os.getppid() == driver and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(frozen=True)
class Job:
    """What a launcher calls, here or on another machine: one run in a child process.

    Attributes:
        quiet: Keep the child's output instead of showing it.
        extra: Options of `trpo-repro run` besides the overrides.
        patience: Seconds without a new row after which a run is ended.
        conf: The configuration files as they were when all began.
        stop: The file whose existence asks to stop.
        folders: Where each run writes, by its overrides.
        driver: The process that launched.
    """

    quiet: bool = False
    extra: tuple[str, ...] = ()
    patience: float = PATIENCE
    conf: str = ""
    stop: str = ""
    folders: dict[tuple[str, ...], str] = field(default_factory=dict)
    driver: int = field(default_factory=os.getpid)

    def __call__(self, config: DictConfig) -> Ended:
        """Run the job's overrides."""
        overrides = list(HydraConfig.get().overrides.task)
        _leave_ctrl_c_to(self.driver)
        if self._unwanted():
            return Ended(RESUMABLE, "not started: asked to stop")
        if not self.quiet:
            say(f"run {shlex.join(overrides)}")
        began = time.monotonic()
        ended = self._wait(self._start(overrides), self.folders.get(tuple(overrides)))
        if not self.quiet:
            say(f"exit {ended.code} after {time.monotonic() - began:.0f} s")
        if ended.code == RESUMABLE and os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
            # To return would be to have done one's work. A job that SLURM requeues is killed here
            # and begins anew; one that was only signalled returns in the end.
            self._until_unwanted(SLURM_KILLS_WITHIN)
        return ended

    def _until_unwanted(self, seconds: float) -> None:
        """Wait, unless the driver asks to stop."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._unwanted():
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _start(self, overrides: Sequence[str]) -> subprocess.Popen[str]:
        """Start the child, in a session of its own: a terminal's Ctrl-C is for the driver."""
        frozen = {CONF: self.conf} if self.conf else {}
        return subprocess.Popen(
            [sys.executable, "-m", "trpo_repro", "run", *self.extra, *overrides],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.quiet else None,
            stderr=subprocess.PIPE if self.quiet else None,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, PARENT: str(os.getpid()), **frozen},
        )

    def _wait(self, child: subprocess.Popen[str], folder: str | None) -> Ended:
        """Wait for the child's end; bring it about when asked to stop, or when it hangs."""
        seen, since, verdict = None, time.monotonic(), ""
        deadline = float("inf")
        while True:
            try:
                said = child.communicate(timeout=SECONDS_BETWEEN_LOOKS)[1]
                return Ended(child.returncode, ((said or "")[-TAIL:] + verdict))
            except subprocess.TimeoutExpired:
                pass
            now, looks = time.monotonic(), _looks(folder)
            if looks != seen:
                seen, since = looks, now
            hung = now - since > self.patience
            if deadline == float("inf") and (hung or self._unwanted()):
                child.terminate()  # once: the second would end it before it has saved
                deadline = now + GRACE
                verdict = f"hung: no new row for {self.patience:g} s" if hung else ""
            elif now > deadline:
                child.kill()

    def _unwanted(self) -> bool:
        """Tell whether the driver asked to stop."""
        return bool(self.stop and Path(self.stop).exists())


def _looks(folder: str | None) -> Any:
    """Return what changes whenever the run in `folder` writes a row or its status."""
    found = []
    for name in ("progress.csv", "status.json"):
        try:
            status = os.stat(os.path.join(folder or "", name))
        except OSError:
            continue
        found.append((name, status.st_mtime_ns, status.st_size))
    return found
