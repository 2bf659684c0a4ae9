"""The jobs of Hydra's launchers for SLURM, so that a job that is lost takes no other down with it.

Those launchers wait for their jobs in order, and the first that ended without a result (killed by
the node's kernel, cancelled, out of time too often) ends the waiting for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import submitit
from hydra.core.singleton import Singleton
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
from submitit.core.utils import FailedJobError, UncompletedJobError

COMMON = frozenset(BaseQueueConf.__dataclass_fields__)
"""The parameters that submitit names alike for every kind of queue."""


def launch(
    launcher: BaseSubmititLauncher, jobs: Sequence[Sequence[str]], *, lost: Callable[[str], Any]
) -> list[Any]:
    """Submit `jobs` as one array; return what each returned, or what `lost` makes of its loss."""
    executor = _executor(launcher._EXECUTOR, dict(launcher.params))
    with executor.batch():
        submitted = [
            executor.submit(
                launcher,
                list(overrides),
                "hydra.sweep.dir",
                number,
                f"job_id_for_{number}",
                Singleton.get_state(),
            )
            for number, overrides in enumerate(jobs)
        ]
    return [_returned(job, lost) for job in submitted]


def _executor(kind: str, parameters: dict[str, Any]) -> Any:
    """Return submitit's executor with the parameters of the configuration."""
    folder, timeouts = parameters.pop("submitit_folder"), parameters.pop("max_num_timeout", None)
    limit = {} if timeouts is None else {f"{kind}_max_num_timeout": timeouts}
    executor = submitit.AutoExecutor(folder, cluster=kind, **limit)
    named = {k if k in COMMON else f"{kind}_{k}": v for k, v in parameters.items()}
    executor.update_parameters(**{k: v for k, v in named.items() if v is not None})
    return executor


def _returned(job: Any, lost: Callable[[str], Any]) -> Any:
    """Wait for `job`; return what it returned."""
    try:
        return job.results()[0].return_value
    except (UncompletedJobError, FailedJobError) as error:
        last = str(error).strip().splitlines()[-1]
        return lost(f"job {job.job_id} was lost: {last}")
