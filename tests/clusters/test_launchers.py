"""One sweep of six runs, three of them bad, under every launcher: the same end on all of them.

Behind the marker `cluster`, for `make test-clusters`; what a machine cannot test says why.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import (
    SilentReporter,
    config_in,
    environment,
    essence,
    row_count,
    start,
    trpo,
    wait_until,
)

from clusters.slurm_node import missing, slurm_node
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json

pytestmark = pytest.mark.cluster

TINY = ("task=cartpole", "scale=smoke", "threads=1")
LONG = ("task=cartpole", "steps_per_iter=1000", "threads=1", "checkpoint_seconds=1")
PLUGINS = {
    "joblib": "hydra_joblib_launcher",
    "submitit_local": "hydra_submitit_launcher",
    "submitit_slurm": "hydra_submitit_launcher",
    "ray": "hydra_ray_launcher",
}
SETTINGS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": [],
    "submitit_slurm": ["hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=null"],
    "ray": ["hydra.launcher.ray.init.num_cpus=2"],
}
BAD_RUNS = """
import os, signal, sys
line = " ".join(sys.orig_argv)
if " run " in line and any(f"seed={n}" in line for n in (1, 2, 3)):
    from trpo_repro.runner import loop
    def train(*arguments, **settings):
        if "seed=1" in line: raise RuntimeError("on purpose")
        if "seed=2" in line: sys.exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    loop.train = train
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """Yield the variables of a one-node cluster."""
    if why := missing():
        pytest.skip(f"SLURM: {why}")
    folder = Path(tempfile.mkdtemp(prefix="trpo-slurm-"))
    try:
        with slurm_node(folder) as variables:
            yield {"SLURM_CONF": variables["SLURM_CONF"]}
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=PLUGINS)
def launcher(request: pytest.FixtureRequest) -> str:
    """Name a launcher, if its plugin is installed."""
    name: str = request.param
    if find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{PLUGINS[name]}") is None:
        pytest.skip(f"{name}: hydra_plugins.{PLUGINS[name]} is not installed")
    return name


def variables_of(launcher: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return what a launcher's commands need in their environment."""
    if launcher == "submitit_slurm":
        found: dict[str, str] = request.getfixturevalue("slurm")
        return found
    return {}


def words(launcher: str, *more: str) -> list[str]:
    return ["sweep", "six", f"hydra/launcher={launcher}", *SETTINGS[launcher], *more]


def experiment(folder: Path, settings: tuple[str, ...], seeds: int) -> None:
    (folder / "experiments").mkdir()
    lines = [word.replace("=", ": ") for word in (*settings, f"seed={list(range(seeds))}")]
    text = "cells:\n  - " + "\n    ".join(lines) + "\n"
    (folder / "experiments" / "six.yaml").write_text(text)


def manifest(folder: Path) -> list[dict[str, Any]]:
    content = json.loads((folder / "results" / "sweeps" / "six.json").read_text())
    runs: list[dict[str, Any]] = content["runs"]
    return runs


def folder_of(results: Path, seed: int) -> RunFolder:
    (path,) = results.glob(f"runs/*/*/*/seed{seed}")
    return RunFolder(path)


def alone(place: Path, *overrides: str) -> tuple[str, list[dict[str, str]]]:
    """Return the essence of a run that belongs to no sweep."""
    config = config_in(place, overrides)
    execute(config, SilentReporter())
    return essence(RunFolder.of(config))


def test_three_bad_runs_of_six_leave_the_same_manifest(
    launcher: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    experiment(tmp_path, TINY, 6)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "sitecustomize.py").write_text(BAD_RUNS)
    good = environment(**variables_of(launcher, request))
    bad = {**good, "PYTHONPATH": f"{tmp_path / 'bad'}{os.pathsep}{good['PYTHONPATH']}"}
    done = trpo(*words(launcher), cwd=tmp_path, env=bad)
    assert done.returncode == 1, done.stderr
    assert "3 done, 3 failed" in done.stdout
    found = [(run["overrides"][-1], run["state"], run["reason"]) for run in manifest(tmp_path)]
    assert found == [
        ("seed=0", "done", ""),
        ("seed=1", "failed", found[1][2]),
        ("seed=2", "failed", "exit 1: it ended with exit code 0, but the run is not done"),
        ("seed=3", "failed", "killed, as the kernel does for want of memory"),
        ("seed=4", "done", ""),
        ("seed=5", "done", ""),
    ]
    assert found[1][2].startswith("exit 1: error: RuntimeError: on purpose")
    for seed in (0, 4, 5):
        ours = essence(folder_of(tmp_path / "results", seed))
        assert ours == alone(tmp_path / "alone", *TINY, f"seed={seed}")
    again = trpo(*words(launcher), cwd=tmp_path, env=good)  # with the cause put right
    assert again.returncode == 0, again.stderr
    assert [run["state"] for run in manifest(tmp_path)] == ["done"] * 6


def test_killed_driver_is_submitted_again(
    launcher: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    experiment(tmp_path, (*LONG, "iterations=40"), 3)
    env = environment(**variables_of(launcher, request))
    with start(*words(launcher), cwd=tmp_path, env=env) as driver:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        os.killpg(driver.pid, signal.SIGKILL)
    done = trpo(*words(launcher), cwd=tmp_path, env=env)
    # Runs that a scheduler still works on are left to it.
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results"
    wait_until(lambda: all(state == "done" for state in states(results)), "the last run")
    ours = essence(folder_of(results, 1))
    assert ours == alone(tmp_path / "alone", *LONG, "iterations=40", "seed=1")


def states(results: Path) -> list[str]:
    files = [RunFolder(path).status for path in results.glob("runs/*/*/*/seed*")]
    return [str(read_json(file)["state"]) for file in files if file.exists()]


class Sweep:
    """One long run under SLURM, and what its operator does to the job."""

    def __init__(self, folder: Path, slurm: dict[str, str]) -> None:
        self.folder, self.results, self.env = folder, folder / "results", environment(**slurm)
        self.drivers: list[subprocess.Popen[str]] = []

    def start(self, iterations: int, *more: str) -> subprocess.Popen[str]:
        """Start a driver and wait for the run to have something to lose."""
        if not self.drivers:
            experiment(self.folder, (*LONG, f"iterations={iterations}"), 1)
        line = words("submitit_slurm", *more)
        self.drivers.append(start(*line, cwd=self.folder, env=self.env))
        wait_until(lambda: row_count(self.folder) >= 5, "five rows")
        return self.drivers[-1]

    def slurm(self, *command: str) -> str:
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        return done.stdout

    def job(self) -> str:
        """Return the running job's number."""
        return self.slurm("squeue", "-h", "-t", "running", "-o", "%i").split()[0]

    def restart(self, job: str) -> None:
        """Wait until the job is requeued; spare it SLURM's two minutes of waiting."""
        show = ("scontrol", "show", "job", job)  # of all, it would show those of other tests too
        wait_until(lambda: "Restarts=1" in self.slurm(*show), "the requeue", seconds=240)

        def begun() -> bool:
            for job in self.slurm("squeue", "-h", "-t", "pending", "-o", "%A").split():
                self.slurm("scontrol", "update", f"JobId={job}", "StartTime=now")
            return bool(self.slurm("squeue", "-h", "-t", "running").strip())

        wait_until(begun, "the job's second start", seconds=240)

    def status(self) -> dict[str, Any]:
        """Return the run's status."""
        return read_json(folder_of(self.results, 0).status)

    def logs(self) -> str:
        """Return what submitit wrote of the job."""
        return "".join(p.read_text() for p in sorted(self.results.rglob("*_log.*")))

    def stop(self) -> None:
        """Leave nothing running."""
        for driver in self.drivers:
            driver.kill()
            driver.communicate()
        self.slurm("scancel", "--user=root")
        wait_until(lambda: not self.slurm("squeue", "-h").strip(), "the end of all jobs")


@pytest.fixture
def sweep(tmp_path: Path, slurm: dict[str, str]) -> Iterator[Sweep]:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    found = Sweep(tmp_path, slurm)
    try:
        yield found
    finally:
        found.stop()


def finish(driver: subprocess.Popen[str]) -> int:
    driver.communicate(timeout=240)
    return driver.returncode


def test_scancel_with_a_signal_saves_and_the_next_sweep_goes_on(
    sweep: Sweep, tmp_path: Path
) -> None:
    driver = sweep.start(400)
    sweep.slurm("scancel", "--signal=TERM", sweep.job())
    assert finish(driver) == 1
    status = sweep.status()
    assert status["state"] == "interrupted"
    assert 5 <= status["iterations_done"] < 400
    assert finish(sweep.start(400)) == 0
    ours = essence(folder_of(sweep.results, 0))
    assert ours == alone(tmp_path / "alone", *LONG, "iterations=400")


def test_requeued_job_goes_on_by_itself(sweep: Sweep, tmp_path: Path) -> None:
    driver = sweep.start(400)
    job = sweep.job()
    sweep.slurm("scontrol", "requeue", job)
    sweep.restart(job)
    assert 5 <= sweep.status()["iterations_done"] < 400
    assert finish(driver) == 0
    ours = essence(folder_of(sweep.results, 0))
    assert ours == alone(tmp_path / "alone", *LONG, "iterations=400")


def test_time_limit_saves_requeues_and_goes_on(sweep: Sweep) -> None:
    sweep.start(1_000_000, "hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=30")
    sweep.restart(sweep.job())
    done = sweep.status()["iterations_done"]
    wait_until(lambda: sweep.status()["iterations_done"] > done, "further rows")
    assert "this job is timed-out" in sweep.logs()
