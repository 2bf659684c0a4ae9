"""Where a run stands, from its folder's files alone."""

from __future__ import annotations

import fcntl

from trpo_repro.config import RunConfig
from trpo_repro.errors import TrpoError
from trpo_repro.runner.continuity import science_differences
from trpo_repro.runner.progress import lost_rows
from trpo_repro.runner.run_folder import RunFolder, read_json


def state_of(folder: RunFolder, iterations: int) -> tuple[str, str]:
    """Return where a run of so many `iterations` stands, and why.

    The states: `done`, `running`, `failed`, `interrupted` (or killed, or to be extended), `broken`
    (files are missing or cannot be read, or are another run's) and `missing`.
    """
    return ("running", "") if is_locked(folder) else left_as(folder, iterations)


def state_of_run(config: RunConfig) -> tuple[str, str]:
    """Return where `config`'s run stands, and why, in the same words."""
    return ("running", "") if is_locked(RunFolder.of(config)) else _left_by(config)


def already_complete(config: RunConfig) -> bool:
    """Tell whether `config` has been run to its end."""
    return _left_by(config)[0] == "done"


def _left_by(config: RunConfig) -> tuple[str, str]:
    """Return the state that `config`'s folder was left in, which may be a copy of another's."""
    folder = RunFolder.of(config)
    state, why = left_as(folder, config.iterations)
    if state != "done":
        return state, why
    try:
        told = read_json(folder.config)
    except (TrpoError, OSError) as error:
        return "broken", str(error)
    other = science_differences(told, config)
    return ("broken", f"it holds another run: {other}") if other else ("done", "")


def left_as(folder: RunFolder, iterations: int) -> tuple[str, str]:
    """Return the state that the last to write the folder left, though somebody may be at it."""
    if not folder.status.exists():
        return "missing", ""
    try:
        status = read_json(folder.status)
    except (TrpoError, OSError) as error:
        return "broken", str(error)
    done = status.get("iterations_done")
    if not isinstance(done, int):
        return "broken", f"{folder.status.name} names no iterations"
    if status.get("state") == "failed":
        return "failed", str(status.get("error", ""))
    if status.get("state") != "done" or done < iterations:
        return "interrupted", f"after {done} of {iterations}"
    lost = [path.name for path in (folder.progress, folder.policy) if not path.exists()]
    wrong = f"missing: {', '.join(lost)}" if lost else lost_rows(folder.progress, done)
    return ("broken", wrong) if wrong else ("done", "")


def is_locked(folder: RunFolder) -> bool:
    """Tell whether a process is writing the folder."""
    lock = folder.path / ".lock"
    if not lock.exists():
        return False
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def steps_done(folder: RunFolder) -> int:
    """Return the iterations that a run has behind it, by its status file; 0 where there is none."""
    try:
        done = read_json(folder.status).get("iterations_done")
    except (TrpoError, OSError):
        return 0
    return done if isinstance(done, int) else 0
