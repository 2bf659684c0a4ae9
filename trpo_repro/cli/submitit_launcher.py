"""Hydra's launchers for SLURM, except that a job that is lost takes no other down with it.

Theirs waits for the jobs in order, and the first that ended without a result (killed by the node's
kernel, cancelled, out of time too often) ends the waiting for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.hydra_submitit_launcher import submitit_launcher
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from submitit.core.utils import FailedJobError, UncompletedJobError

from trpo_repro.cli.launch import Ended

COMMON = frozenset(BaseQueueConf.__dataclass_fields__)
"""The parameters that submitit names alike for every kind of queue."""


class _Patient(submitit_launcher.BaseSubmititLauncher):
    """Submits all jobs as one array and waits for each to its end."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """Run each of `job_overrides`; what the job returned, or how it was lost, comes back."""
        executor = self._executor()
        with executor.batch():
            jobs = [
                executor.submit(
                    self,
                    list(overrides),
                    "hydra.sweep.dir",
                    number,
                    f"job_id_for_{number}",
                    Singleton.get_state(),
                )
                for number, overrides in enumerate(job_overrides, initial_job_idx)
            ]
        return [_returned(job) for job in jobs]

    def _executor(self) -> Any:
        """Return submitit's executor with the parameters of the configuration."""
        own = dict(self.params)
        folder, timeouts = own.pop("submitit_folder"), own.pop("max_num_timeout", None)
        first = {} if timeouts is None else {f"{self._EXECUTOR}_max_num_timeout": timeouts}
        executor = submitit.AutoExecutor(folder, cluster=self._EXECUTOR, **first)
        named = {k if k in COMMON else f"{self._EXECUTOR}_{k}": v for k, v in own.items()}
        executor.update_parameters(**{k: v for k, v in named.items() if v is not None})
        return executor


def _returned(job: Any) -> JobReturn:
    """Wait for `job`; return what it returned."""
    try:
        returned: JobReturn = job.results()[0]
    except (UncompletedJobError, FailedJobError) as error:
        last = str(error).strip().splitlines()[-1]
        returned = JobReturn(status=JobStatus.COMPLETED)
        returned.return_value = Ended(1, f"job {job.job_id} was lost: {last}")
    return returned


class SlurmLauncher(_Patient, submitit_launcher.SlurmLauncher):
    """Jobs of a SLURM cluster."""


class LocalLauncher(_Patient, submitit_launcher.LocalLauncher):
    """Processes of this machine."""
