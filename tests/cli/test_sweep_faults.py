"""`trpo-repro sweep NAME` when its runs, its driver or its files go bad (faults 6, 22, 23, 28)."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import psutil
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
from stored_runs import outcome

from trpo_repro.cli import compose, launch
from trpo_repro.cli import sweep as cli_sweep
from trpo_repro.cli.launch import Ended, Job
from trpo_repro.errors import DiskError
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.signals import RESUMABLE, StopRequested
from trpo_repro.runner.sweep import SweepRun

TINY = ("task=cartpole", "scale=smoke", "threads=1")
LONG = ("task=cartpole", "steps_per_iter=1000", "iterations=2000", "threads=1")
LAUNCHERS = {"basic": (), "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")}

BAD_RUNS = """
import os, signal, sys, time
line = " ".join(sys.orig_argv)
if " run " in line:
    if "seed=1" in line: os._exit(0)
    if "seed=2" in line: os.kill(os.getpid(), signal.SIGKILL)
    if "seed=3" in line: time.sleep(600)
"""


@pytest.fixture(params=LAUNCHERS)
def launcher(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The words that choose a launcher of Hydra's, if it is installed."""
    if request.param == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    return LAUNCHERS[request.param]


def experiment(folder: Path, settings: Iterable[str], seeds: int) -> None:
    """Write experiments/six.yaml with seeds 0, 1, …"""
    (folder / "experiments").mkdir()
    lines = [word.replace("=", ": ") for word in settings]
    text = "cells:\n  - " + "\n    ".join([*lines, f"seed: {list(range(seeds))}"]) + "\n"
    (folder / "experiments" / "six.yaml").write_text(text)


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results" / "sweeps" / "six.json").read_text())


def states(folder: Path) -> list[str]:
    return [run["state"] for run in manifest(folder)["runs"]]


def folder_of(results: Path, seed: int) -> RunFolder:
    (path,) = results.glob(f"runs/*/*/*/seed{seed}")
    return RunFolder(path)


def alone(tmp_path: Path, seed: int) -> tuple[str, list[dict[str, str]]]:
    """Return the essence of a run that belongs to no sweep."""
    config = config_in(tmp_path / f"alone{seed}", TINY, f"seed={seed}")
    execute(config, SilentReporter())
    return essence(RunFolder.of(config))


def below_with(driver: psutil.Process, words: str) -> list[psutil.Process]:
    """Return the processes below `driver` whose command line has `words`."""
    found = []
    for process in driver.children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            if words in " ".join(process.cmdline()):
                found.append(process)
    return found


def runs_of(driver: psutil.Process) -> list[psutil.Process]:
    """Return the processes below `driver` that train."""
    return below_with(driver, " -m trpo_repro run ")


@pytest.mark.slow
def test_bad_runs_are_failed_with_their_reasons_and_the_others_finish(
    tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    experiment(tmp_path, TINY, 5)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "sitecustomize.py").write_text(BAD_RUNS)
    env = environment()
    bad = {**env, "PYTHONPATH": f"{tmp_path / 'bad'}{os.pathsep}{env['PYTHONPATH']}"}
    words = ("sweep", "six", "--patience", "0.3", *launcher)
    done = trpo(*words, cwd=tmp_path, env=bad)
    assert done.returncode == 1, done.stderr
    assert "2 done, 3 failed" in done.stdout
    assert states(tmp_path) == ["done", "failed", "failed", "failed", "done"]
    reasons = [run["reason"] for run in manifest(tmp_path)["runs"]]
    assert reasons[1] == "exit 1: it ended with exit code 0, but the run is not done"
    assert reasons[2] == "killed, as the kernel does for want of memory"
    assert reasons[3] == "killed by SIGTERM: hung: no new row for 18 s"
    assert done.stderr.count("failed: trpo-repro run ") == 3
    assert essence(folder_of(tmp_path / "results", 4)) == alone(tmp_path, 4)
    again = trpo(*words, cwd=tmp_path)  # with the cause put right
    assert (again.returncode, again.stderr) == (0, "")
    said = re.findall(r"^done: (\S+) \((\d) of 5 ended, ", again.stdout, flags=re.MULTILINE)
    assert sorted(label.split("/")[-1] for label, _ in said) == ["seed1", "seed2", "seed3"]
    assert [int(count) for _, count in said][-1] == 5
    assert states(tmp_path) == ["done"] * 5
    assert essence(folder_of(tmp_path / "results", 2)) == alone(tmp_path, 2)


@pytest.mark.slow
def test_run_that_raises_leaves_the_tail_of_what_it_said(tmp_path: Path) -> None:
    experiment(tmp_path, TINY, 2)
    blocked = RunFolder.of(config_in(tmp_path / "results", TINY, "seed=0"))
    blocked.path.mkdir(parents=True)
    blocked.checkpoints.write_text("in the way")
    done = trpo("sweep", "six", cwd=tmp_path)
    assert done.returncode == 1
    assert states(tmp_path) == ["failed", "done"]
    reason = manifest(tmp_path)["runs"][0]["reason"]
    assert reason.startswith("exit 2: error: the results folder is not a folder (")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_sweep_saves_its_runs_and_tells_the_truth(
    number: signal.Signals, tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    experiment(tmp_path, LONG, 4)
    side_by_side = 2 if launcher else 1
    with start("sweep", "six", *launcher, cwd=tmp_path) as process:
        driver = psutil.Process(process.pid)
        wait_until(lambda: len(runs_of(driver)) == side_by_side, "the first runs")
        runs = runs_of(driver)
        progress = [*range(side_by_side)]
        wait_until(lambda: all(rows(tmp_path, seed) >= 2 for seed in progress), "two rows each")
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130 if number == signal.SIGINT else 75, "")
    assert time.monotonic() - began < 10
    assert not [run for run in runs if run.is_running()]
    assert states(tmp_path) == ["interrupted"] * side_by_side + ["missing"] * (4 - side_by_side)
    for seed in progress:  # saved, and not just stopped
        folder = folder_of(tmp_path / "results", seed)
        status = read_json(folder.status)
        assert status["state"] == "interrupted"
        assert status["iterations_done"] == rows(tmp_path, seed)
    line = f"to continue: trpo-repro sweep {shlex.join(['six', *launcher])}\n"
    assert line in out
    assert not list((tmp_path / "results" / ".sweeps").glob("stop-*"))


def rows(folder: Path, seed: int) -> int:
    """Return how many rows the run of `seed` has written."""
    found = list((folder / "results").glob(f"runs/*/*/*/seed{seed}"))
    return row_count(found[0]) if found else 0


@pytest.mark.slow
def test_sweep_whose_driver_is_killed_goes_on_with_what_is_missing(
    tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    experiment(tmp_path, TINY, 4)
    results = tmp_path / "results"
    with start("sweep", "six", *launcher, cwd=tmp_path) as process:
        driver = psutil.Process(process.pid)
        wait_until(lambda: len(list(results.glob("runs/*/*/*/*/policy.*"))) >= 1, "a policy")
        wait_until(lambda: bool(runs_of(driver)), "another run")
        below = driver.children(recursive=True)
        process.kill()
        process.communicate(timeout=60)
    # Nobody told them, yet they do not outlive the sweep that they were for.
    wait_until(lambda: not any(child.is_running() for child in below), "the end of all", seconds=20)
    finished = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for folder in results.glob("runs/*/*/*/seed*")
        if (folder / "status.json").exists()  # not where a run was killed before its first word
        and read_json(folder / "status.json").get("state") == "done"
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert finished
    again = trpo("sweep", "six", *launcher, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert states(tmp_path) == ["done"] * 4
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in finished} == finished
    assert essence(folder_of(results, 3)) == alone(tmp_path, 3)


@pytest.mark.slow
def test_workers_that_wait_for_their_first_job_end_with_a_driver_that_is_killed(
    tmp_path: Path,
) -> None:
    experiment(tmp_path, TINY, 2)
    with start("sweep", "six", *LAUNCHERS["joblib"], cwd=tmp_path) as process:
        driver = psutil.Process(process.pid)

        wait_until(lambda: len(below_with(driver, "LokyProcess")) == 2, "both workers")
        below = driver.children(recursive=True)
        process.kill()
        process.communicate(timeout=60)
    wait_until(lambda: not any(child.is_running() for child in below), "the end of all", seconds=20)


@pytest.mark.slow
def test_settings_edited_while_a_sweep_runs_change_none_of_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [alone(tmp_path, seed) for seed in range(2)]
    conf = tmp_path / "conf"
    shutil.copytree(compose.config_folder(), conf)
    monkeypatch.setenv(compose.CONF, str(conf))
    before = compose.settings_hash()
    experiment(tmp_path, TINY, 2)
    with start("sweep", "six", cwd=tmp_path, env=environment()) as process:
        results = tmp_path / "results"
        wait_until(lambda: bool(list(results.glob("runs/*/*/*/seed0"))), "the first run")
        for path in (conf / "task" / "cartpole.yaml", conf / "algo" / "single_path.yaml"):
            path.write_text(path.read_text().replace("1.0", "0.5").replace("0.01", "0.5"))
        (tmp_path / "experiments" / "six.yaml").write_text("cells: []")
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert states(tmp_path) == ["done", "done"]
    assert [essence(folder_of(results, seed)) for seed in range(2)] == expected
    assert manifest(tmp_path)["settings"] == before != compose.settings_hash()


def test_request_to_stop_that_a_killed_sweep_left_stops_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container host and process ids come back."""
    stops: list[Path] = []

    def launched(jobs: object, job: Job, **_: object) -> list[Ended]:
        stops.append(Path(job.stop))
        assert not stops[-1].exists()
        return [Ended(1, "")]

    monkeypatch.setattr(launch, "_launch", launched)
    for _ in range(2):
        launch.launch([SweepRun(TINY, config_in(tmp_path, TINY))], Job(), hydra_overrides=[])
        stops[-1].touch()  # as a driver does that is killed before it tidies up


def test_snapshot_is_made_once_for_the_same_settings(tmp_path: Path) -> None:
    first = compose.snapshot(tmp_path)
    inode = first.stat().st_ino
    assert compose.snapshot(tmp_path).stat().st_ino == inode
    names = {path.relative_to(first) for path in first.rglob("*.yaml")}
    folder = compose.config_folder()
    assert names == {path.relative_to(folder) for path in folder.rglob("*.yaml")}


def test_disk_that_is_full_before_the_first_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(DiskError, match=r"^cannot write: No space left on device \(.*make room"):
        launch.launch([SweepRun(TINY, config_in(tmp_path, TINY))], Job(), hydra_overrides=[])


@pytest.mark.parametrize("patience", [[], ["--patience", "0.5"]])
def test_how_to_continue_a_sweep_is_all_that_was_said(
    patience: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*_: object, **__: object) -> NoReturn:
        raise StopRequested(RESUMABLE)

    monkeypatch.setattr(cli_sweep, "launch", stopped)
    path = tmp_path / "one.yaml"
    path.write_text("cells: [{task: cartpole}]")
    words = [str(path), f"results_dir={tmp_path}", *patience]
    code, out, _ = outcome("sweep", *words, capsys=capsys)
    assert code == RESUMABLE
    assert out.splitlines()[-1] == f"to continue: trpo-repro sweep {shlex.join(words)}"


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_patience_is_a_number_of_minutes(minutes: str, tmp_path: Path) -> None:
    done = trpo("sweep", "figure4", f"--patience={minutes}", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: argument --patience: ")
    assert done.stderr.count("\n") == 1
