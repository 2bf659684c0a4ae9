from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psutil
import pytest
from cli_helpers import (
    SMALL,
    SilentReporter,
    config_in,
    environment,
    essence,
    row_count,
    start,
    trpo,
    wait_until,
)

from trpo_repro.cli.launch import Job
from trpo_repro.cli.sweep import planned_runs
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json

TINY = ("task=cartpole", "scale=smoke", "threads=1")


def folders(results: Path) -> dict[str, RunFolder]:
    """Return the run folders under `results` by their seed."""
    return {path.name: RunFolder(path) for path in results.glob("runs/*/*/*/seed*")}


def test_sweep_runs_every_combination_each_as_it_would_be_alone(tmp_path: Path) -> None:
    done = trpo("run", "-m", *TINY, "seed=0,1", "results_dir='my results'", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "2 runs"
    assert lines[-1] == "2 of 2 runs complete"
    assert "run task=cartpole scale=smoke threads=1 seed=1 'results_dir='\"'\"'my results'" in (
        done.stdout
    )
    assert [line for line in lines if line.startswith("exit 0 after ")]
    found = folders(tmp_path / "my results")
    assert sorted(found) == ["seed0", "seed1"]
    config = config_in(tmp_path / "alone", TINY, "seed=1")
    execute(config, SilentReporter())
    assert essence(found["seed1"]) == essence(RunFolder.of(config))
    assert [p.name for p in tmp_path.iterdir() if p.name != "alone"] == ["my results"]


@pytest.mark.parametrize("name", ["2024", "pp/a,b=c d's é ü"])
def test_folder_of_any_name_will_do_as_it_is_typed(name: str, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("cells: [{task: cartpole, scale: smoke, seed: 2}]")
    for words in (["run", *TINY, "seed=0"], ["run", "-m", *TINY, "seed=1"], ["sweep", "one.yaml"]):
        done = trpo(*words, f"results_dir={name}", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert sorted(folders(tmp_path / name)) == ["seed0", "seed1", "seed2"]
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert made == {"one.yaml", Path(name).parts[0]}


def test_sweep_in_which_a_run_fails_completes_the_others_and_exits_1(tmp_path: Path) -> None:
    blocked = RunFolder.of(config_in(tmp_path / "results", TINY, "seed=0"))
    blocked.path.mkdir(parents=True)
    blocked.checkpoints.write_text("in the way")
    done = trpo("run", "-m", *TINY, "seed=0,1", cwd=tmp_path)
    assert done.returncode == 1
    assert "exit 2 after " in done.stdout
    assert "exit 0 after " in done.stdout
    assert "1 of 2 runs complete" in done.stdout
    said = done.stderr.splitlines()
    assert said[0].startswith("error: the results folder is not a folder")
    assert said[1:] == [f"failed: trpo-repro run {' '.join(TINY)} seed=0"]
    assert read_json(folders(tmp_path / "results")["seed1"].status)["state"] == "done"


def test_dry_run_counts_the_hours_by_runs_of_the_same_task_and_algorithm(tmp_path: Path) -> None:
    """Of what is known, only the like counts: cart-pole says nothing about vine on hopper."""
    experiment = tmp_path / "two.yaml"
    experiment.write_text(
        "common: {seed: [0, 1], iterations: 4}\n"
        "cells: [{task: [cartpole, hopper]}, {task: hopper, algo: vine, steps_per_iter: 1000,"
        " algo.trunk_steps: 200}]\n"
    )
    words = (str(experiment), "scale=bench", "threads=1")
    asked = trpo("sweep", *words, "--dry-run", cwd=tmp_path)
    assert "unknown (no run is done yet)" in asked.stdout
    for task, seconds in (("cartpole", 1.0), ("hopper", 7200.0)):
        settings = (f"task={task}", "scale=bench", "iterations=4")
        config = config_in(tmp_path / "results", settings, "threads=1", "seed=0")
        folder = RunFolder.of(config)
        folder.path.mkdir(parents=True)
        row = f"4,{4 * config.steps_per_iter},{seconds}"
        folder.progress.write_text(f"iteration,sim_steps,wall_s\n1,0,0\n2,0,0\n3,0,0\n{row}\n")
    asked = trpo("sweep", *words, "--dry-run", cwd=tmp_path)
    # nothing is saved, so all is to do: vine at hopper's pace, a fiftieth as long; cart-pole soon
    hours = re.search(r"hours.*: ([\d.]+)\n", asked.stdout)
    assert hours
    assert "note" not in asked.stdout
    assert float(hours[1]) == pytest.approx(2 * 7200 * (1 + 1 / 50) / 3600, abs=0.05)


def test_sweep_says_what_of_an_experiment_is_replaced(tmp_path: Path) -> None:
    experiment = tmp_path / "six.yaml"
    experiment.write_text(
        "cells: [{task: cartpole, seed: [0, 1, 2]}, {task: hopper, seed: [0, 1]}]\n"
    )
    asked = trpo("sweep", str(experiment), "task=hopper", "--dry-run", cwd=tmp_path)
    assert "note: the experiment sets task itself; what you set takes its place" in asked.stdout
    assert "runs: 3, of which to do: 3" in asked.stdout


def test_sweep_takes_several_values_of_a_setting(tmp_path: Path) -> None:
    """Those of a setting that the file sets too are the ones that are run, each once."""
    experiment = tmp_path / "two.yaml"
    experiment.write_text("common: {scale: smoke, seed: [0, 1]}\ncells: [{task: cartpole}]")
    words = ["seed=1,2", "algo.stepsize=0.1,0.2", f"results_dir={tmp_path / 'a,b'}"]
    runs = planned_runs(str(experiment), words)
    made = [(run.config.seed, run.config.algo.stepsize) for run in runs]
    assert sorted(made) == [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]
    assert {run.config.results_dir for run in runs} == {str(tmp_path / "a,b")}


def test_sweep_with_an_impossible_run_runs_nothing(tmp_path: Path) -> None:
    done = trpo("run", "-m", *TINY, "seed=0,1", "algo.stepsize=0.1,-1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: algo.stepsize must be > 0, got -1\n"
    assert os.listdir(tmp_path) == []


def test_sweep_whose_output_is_cut_off_still_runs_everything(tmp_path: Path) -> None:
    with start("run", "-m", *TINY, "seed=0,1", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2 runs\n"
        process.stdout.close()
        assert process.wait(120) == 0
    states = [
        read_json(folder.status)["state"] for folder in folders(tmp_path / "results").values()
    ]
    assert states == ["done", "done"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_stopped_sweep_saves_the_run_at_work_and_starts_no_other(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with start("run", "-m", *SMALL, "iterations=2000", "seed=0,1", cwd=tmp_path) as process:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        children = psutil.Process(process.pid).children(recursive=True)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)  # as `kill` and `timeout` do
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "")
    assert len(children) == 1
    assert not [child for child in children if child.is_running()]
    (folder,) = folders(tmp_path / "results").values()
    assert read_json(folder.status)["state"] == "interrupted"
    line = "to continue: trpo-repro run -m " + " ".join(SMALL)
    assert line in out


def test_child_that_is_killed_counts_as_failed_with_its_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -9 $$\n")
    script.chmod(0o700)

    class Overrides:
        task = ("seed=0",)

    class Settings:
        overrides = Overrides

    monkeypatch.setattr("sys.executable", str(script))
    monkeypatch.setattr("trpo_repro.cli.launch.HydraConfig.get", lambda: Settings)
    ended = Job(quiet=True)(None)  # type: ignore[arg-type]
    assert ended.code == -signal.SIGKILL


@pytest.mark.slow
def test_joblib_launcher_runs_side_by_side(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = trpo("run", "-m", *TINY, *words, cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs complete" in done.stdout
    states = [
        read_json(folder.status)["state"] for folder in folders(tmp_path / "results").values()
    ]
    assert states == ["done", "done"]
