"""The golden comparison on every kind of task and for every algorithm; and workers that die.

A run is killed for good, more than once, and must end with the bytes of one left alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from cli_helpers import (
    SilentReporter,
    config_in,
    essence,
    folder_in,
    row_count,
    start,
    wait_until,
)

from trpo_repro.runner.checkpoint import newest_checkpoint
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.settings import ALGORITHM_TASKS

HOPPER = ("task=hopper", "steps_per_iter=5000", "task.horizon=100", "iterations=5", "threads=2")
PONG = ("task=pong", "steps_per_iter=80", "task.horizon=20", "iterations=5", "threads=2")
KINDS = {
    "hopper": HOPPER,
    "pong": PONG,
    "gym": ("task=gym", "task.id=Pendulum-v1", "steps_per_iter=400", "iterations=5", "threads=1"),
}


def undisturbed(results: Path, overrides: tuple[str, ...]) -> tuple[str, list[dict[str, str]]]:
    config = config_in(results, overrides)
    execute(config, SilentReporter())
    return essence(RunFolder.of(config))


def killed_at(rows: int, process: subprocess.Popen[str], folder: Path) -> None:
    """Kill the process and its workers once it has written `rows`."""
    wait_until(lambda: row_count(folder) >= rows or process.poll() is not None, f"{rows} rows")
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_run_is_golden_on_every_kind_of_task(kind: str, tmp_path: Path) -> None:
    words = ("run", *KINDS[kind], "checkpoint_seconds=0")
    for rows in (1, 3):
        with start(*words, cwd=tmp_path) as process:
            killed_at(rows, process, tmp_path)
    execute(config_in(tmp_path / "results", KINDS[kind]), SilentReporter())
    golden = undisturbed(tmp_path / "golden", KINDS[kind])
    assert len(golden[1]) == 5
    assert essence(folder_in(tmp_path / "results")) == golden


@pytest.mark.parametrize("algo", ALGORITHM_TASKS)
def test_continued_run_is_golden_for_every_algorithm(algo: str, tmp_path: Path) -> None:
    overrides = ("task=cartpole", "scale=smoke", f"algo={algo}", "threads=1")
    golden = undisturbed(tmp_path / "golden", (*overrides, "iterations=4"))
    for iterations in (1, 2, 4):
        config = config_in(tmp_path / "results", overrides, f"iterations={iterations}")
        execute(config, SilentReporter())
    assert essence(folder_in(tmp_path / "results")) == golden


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hopper", "pong"])
def test_death_of_a_sampling_process_fails_the_run_and_loses_nothing(
    kind: str, tmp_path: Path
) -> None:
    overrides = KINDS[kind]
    with start("run", *overrides, "iterations=5000", cwd=tmp_path) as process:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        workers = psutil.Process(process.pid).children()
        (workers[0] if len(workers) == 2 else process).kill()
        _, err = process.communicate(timeout=60)
    assert (len(workers), process.returncode) == (2, 1)
    told = "a sampling process died (killed, or out of memory); fix: run it again"
    assert err == f"error: {told}\n"
    psutil.wait_procs(workers, timeout=10)
    assert not [worker for worker in workers if worker.is_running()]
    folder = folder_in(tmp_path / "results")
    done = row_count(tmp_path)
    assert read_json(folder.failure) == {"iteration": done, "error": told}
    found, warnings = newest_checkpoint(folder.checkpoints, identity=folder.path.parts[-2], seed=0)
    assert found is not None
    assert (found.iterations, warnings) == (done, [])
    more = (*overrides, f"iterations={done + 1}")
    execute(config_in(tmp_path / "results", more), SilentReporter())
    assert essence(folder) == undisturbed(tmp_path / "golden", more)
