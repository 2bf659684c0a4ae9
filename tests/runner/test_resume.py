"""Golden: a run that was disturbed in any way ends with the bytes of one that was not."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import (
    SMALL,
    SilentReporter,
    config_in,
    environment,
    essence,
    folder_in,
    row_count,
    rows_of,
    start,
    trpo,
    wait_until,
)

from trpo_repro.algorithms import single_path
from trpo_repro.errors import CheckpointError, FolderInUse
from trpo_repro.runner import loop, progress, run_folder
from trpo_repro.runner.checkpoint import newest_checkpoint
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.signals import SECONDS_OF_ONE_REQUEST, StopRequested
from trpo_repro.runner.state import already_complete

Essence = tuple[str, list[dict[str, str]]]
HERE = Path(__file__).parent


def run(results: Path, *more: str, restart: bool = False) -> tuple[RunFolder, SilentReporter]:
    """Run `SMALL` in this process, to its end."""
    reporter = SilentReporter()
    config = config_in(results, SMALL, *more)
    execute(config, reporter, restart=restart)
    return RunFolder.of(config), reporter


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Essence:
    """What `SMALL` gives when nothing disturbs it."""
    return essence(run(tmp_path_factory.mktemp("golden"))[0])


def status(folder: RunFolder) -> dict[str, Any]:
    return read_json(folder.status)


def test_row_of_an_iteration_keeps_the_contract(tmp_path: Path) -> None:
    folder, reporter = run(tmp_path, "checkpoint_seconds=0")
    rows = rows_of(folder)
    assert [int(row["iteration"]) for row in rows] == list(range(8))
    steps = [int(row["sim_steps"]) for row in rows]
    assert steps == sorted(set(steps))
    seconds = [float(row["wall_s"]) for row in rows]
    assert seconds == sorted(seconds)
    assert all(float(row["score"]) == float(row["return_mean"]) / 200 for row in rows)
    assert status(folder) == {
        "state": "done",
        "iterations_done": 8,
        "iterations": 8,
        "sim_steps": steps[-1],
        "updated": status(folder)["updated"],
    }
    written = read_json(folder.config)
    assert written["task"] == {"name": "cartpole", "horizon": 200}
    assert {"git_commit", "packages", "cpu", "threads", "python"} <= written["provenance"].keys()
    assert [row["iteration"] for row in reporter.rows] == list(range(8))


def test_accepted_step_never_leaves_the_trust_region(tmp_path: Path, golden: Essence) -> None:
    tight, _ = run(tmp_path, "algo.stepsize=0.001", "estimator.baseline=none")
    for rows, bound in ((golden[1], 0.01), (rows_of(tight), 0.001)):
        accepted = [row for row in rows if row["outcome"] == "accepted"]
        assert len(accepted) > len(rows) / 2
        for row in accepted:
            assert 0.0 < float(row["kl_mean"]) <= bound
            assert float(row["kl_max"]) >= float(row["kl_mean"])
            assert float(row["surrogate_gain"]) > 0.0


def test_saving_often_or_never_gives_the_same_bytes(tmp_path: Path, golden: Essence) -> None:
    assert essence(run(tmp_path, "checkpoint_seconds=0")[0]) == golden


def test_number_of_threads_moves_no_bit_on_cartpole(tmp_path: Path, golden: Essence) -> None:
    assert essence(run(tmp_path, "threads=2")[0]) == golden


@pytest.mark.parametrize(
    "choice",
    [
        "estimator.baseline=linear",
        "estimator.baseline=mlp",
        "algo=vine algo.trunk_steps=2000 algo.rollout_length=10",
        "algo=cem",
        "algo=cma",
    ],
)
def test_number_of_threads_moves_no_bit_on_hopper(choice: str, tmp_path: Path) -> None:
    overrides = ["task=hopper", "task.horizon=100", "steps_per_iter=5000", "iterations=2"]
    overrides += choice.split()
    results = []
    for threads in (1, 2, 3):
        config = config_in(tmp_path / str(threads), overrides, f"threads={threads}")
        execute(config, SilentReporter())
        results.append(essence(RunFolder.of(config)))
    assert results[0] == results[1] == results[2]


def test_another_seed_gives_other_numbers(tmp_path: Path, golden: Essence) -> None:
    assert essence(run(tmp_path, "seed=1")[0]) != golden


@pytest.mark.slow
def test_run_killed_again_and_again_ends_with_the_bytes_of_one_left_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE.parent / "kill_loop.py"), str(tmp_path / "runs"), "24"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    phases = Counter(phase for phase, _ in report["kills"])
    print(f"{report['runs']} runs, {len(report['kills'])} kills: {dict(phases)}")
    assert report["wrong"] == []
    assert len(report["kills"]) >= 24
    assert set(phases) == {"start", "sampling", "update", "saving", "after saving"}
    assert len({rows for _, rows in report["kills"]}) >= 4


@pytest.mark.slow
def test_command_killed_while_it_starts_and_later_is_golden(
    tmp_path: Path, golden: Essence
) -> None:
    words = ("run", *SMALL, "checkpoint_seconds=0")
    rng = random.Random(4)
    # Seconds after the start for the first three, rows in the file for the others.
    for moment in [rng.uniform(0, 0.6), rng.uniform(0.3, 1.2), rng.uniform(1.0, 2.0)]:
        with start(*words, cwd=tmp_path) as process:
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
    with start(*words, cwd=tmp_path) as process:
        wait_until(lambda: row_count(tmp_path) >= 3 or process.poll() is not None, "three rows")
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    folder, _ = run(tmp_path / "results")
    assert essence(folder) == golden


def test_longer_run_of_a_finished_one_equals_the_long_run(tmp_path: Path, golden: Essence) -> None:
    folder, _ = run(tmp_path, "iterations=5")
    assert not already_complete(config_in(tmp_path))
    again, reporter = run(tmp_path)
    assert again.path == folder.path
    assert reporter.begun_at == 5
    assert essence(again) == golden
    assert [p.name for p in tmp_path.glob("runs/*/*/*/*")] == ["seed0"]


def test_finished_run_is_complete_for_fewer_iterations_too(tmp_path: Path) -> None:
    run(tmp_path, "iterations=2")
    assert already_complete(config_in(tmp_path, SMALL, "iterations=2"))
    assert already_complete(config_in(tmp_path, SMALL, "iterations=1"))
    assert not already_complete(config_in(tmp_path, SMALL, "iterations=3"))
    assert not already_complete(config_in(tmp_path, SMALL, "iterations=2", "seed=1"))


def test_restart_keeps_the_old_folder_and_begins_anew(tmp_path: Path, golden: Essence) -> None:
    folder, _ = run(tmp_path, "iterations=5")
    old = essence(folder)
    _, reporter = run(tmp_path, restart=True)
    assert reporter.begun_at == 0
    aside = folder.path.with_name("seed0.old1")
    assert reporter.notes == [f"the old run is kept in {aside}"]
    assert essence(RunFolder(aside)) == old
    assert essence(folder) == golden


def test_restart_of_a_run_in_use_is_refused_and_leaves_it_alone(tmp_path: Path) -> None:
    folder, _ = run(tmp_path, "iterations=1")
    with folder.locked(), pytest.raises(FolderInUse):
        run(tmp_path, restart=True)
    assert folder.policy.exists()


def stopped_at(function: Callable[..., Any], call: int) -> Callable[..., Any]:
    """Return `function` that, in its n-th call, gets a request to stop before it does its work."""
    count = 0

    def patched(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == call:
            signal.raise_signal(signal.SIGTERM)
        return function(*args, **kwargs)

    return patched


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (single_path, "advantages_and_returns", 1),  # in the very first iteration
        (single_path, "advantages_and_returns", 4),
        (loop, "save_checkpoint", 1),
        (loop, "save_checkpoint", 3),
        (loop, "write_json", 1),
        (loop, "write_json", 2),
        (loop, "write_json", 5),
        (progress, "write_all", 1),
        (progress, "write_all", 5),
        (run_folder, "write_all", 1),
        (run_folder, "write_all", 9),
        (os, "fsync", 1),
        (os, "fsync", 21),
        (os, "replace", 6),
        (os, "replace", 13),
        (os, "replace", 20),
    ],
)
def test_run_asked_to_stop_anywhere_is_golden_when_continued(
    owner: object, name: str, call: int, tmp_path: Path, golden: Essence
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, stopped_at(getattr(owner, name), call))
        with pytest.raises(StopRequested) as caught:
            run(tmp_path, "checkpoint_seconds=0")
    assert caught.value.exit_code == 75
    folder, reporter = run(tmp_path, "checkpoint_seconds=0")
    assert essence(folder) == golden
    assert not list(folder.path.rglob(".tmp-*"))
    assert all("damaged" not in warning for warning in reporter.warnings)


def test_status_of_a_stopped_run_says_so_and_its_policy_is_there(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        estimate = single_path.advantages_and_returns
        patch.setattr(single_path, "advantages_and_returns", stopped_at(estimate, 4))
        with pytest.raises(StopRequested):
            execute(config, SilentReporter())
    folder = RunFolder.of(config)
    assert status(folder)["state"] == "interrupted"
    assert status(folder)["iterations_done"] == 3
    assert folder.policy.exists()
    found, _ = newest_checkpoint(folder.checkpoints, identity=config.identity(), seed=config.seed)
    assert found is not None
    assert found.iterations == 3
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # the handlers went with the run


def test_sigterm_ends_with_75_and_the_line_that_continues(tmp_path: Path, golden: Essence) -> None:
    cwd = tmp_path / "a b"
    cwd.mkdir()
    # Longer than SMALL, so that the signal finds it at work; golden for its first 8 iterations.
    long = [*SMALL, "iterations=2000", "results_dir='my results=ü'"]
    with start("run", *long, cwd=cwd) as process:
        wait_until(lambda: row_count(cwd) >= 2, "two rows")
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (75, "")
    folder = folder_in(cwd / "my results=ü")
    done = status(folder)["iterations_done"]
    assert status(folder)["state"] == "interrupted"
    assert 2 <= done < 2000
    assert len(rows_of(folder)) == done
    assert f"interrupted after {done} of 2000 iterations; saved" in out
    line = out.splitlines()[-1]
    assert line.startswith("to continue: trpo-repro run ")
    words = shlex.split(line.removeprefix("to continue: trpo-repro "))
    again = trpo(*words, f"iterations={done + 2}", cwd=cwd)
    assert (again.returncode, again.stderr) == (0, "")
    assert f"continuing after {done} of {done + 2} iterations" in again.stdout
    config = config_in(tmp_path / "undisturbed", SMALL, f"iterations={done + 2}")
    execute(config, SilentReporter())
    undisturbed = essence(RunFolder.of(config))
    assert essence(folder) == undisturbed
    assert undisturbed[1][:8] == golden[1][: len(undisturbed[1])]


def test_ctrl_c_ends_with_130_and_the_run_can_go_on(tmp_path: Path) -> None:
    with start("run", *SMALL, "iterations=2000", cwd=tmp_path) as process:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1].startswith("to continue: trpo-repro run ")
    folder = folder_in(tmp_path / "results")
    assert status(folder)["state"] == "interrupted"
    done = status(folder)["iterations_done"]
    _, reporter = run(tmp_path / "results", f"iterations={done + 1}")
    assert reporter.begun_at == done
    assert len(rows_of(folder)) == done + 1


def test_second_signal_ends_the_process_at_once(tmp_path: Path, golden: Essence) -> None:
    """Even where the first one's save hangs, as on a disk that does not answer."""
    fork = multiprocessing.get_context("fork")
    hanging, save, calls = fork.Semaphore(0), loop.save_checkpoint, itertools.count(1)

    def slow_save(*args: Any, **kwargs: Any) -> None:
        if next(calls) > 2:
            hanging.release()
            time.sleep(600)
        save(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", slow_save)
        process = fork.Process(target=run, args=(tmp_path, "checkpoint_seconds=0"))
        process.start()
    try:
        for _ in range(2):
            assert hanging.acquire(timeout=60)
            process.terminate()
            time.sleep(1.2 * SECONDS_OF_ONE_REQUEST)
        process.join(10)
        assert process.exitcode == 75
    finally:
        process.kill()
    folder, reporter = run(tmp_path)
    assert reporter.begun_at == 2  # the last checkpoint is whole
    assert essence(folder) == golden


def test_damaged_newest_checkpoint_costs_an_iteration_and_no_bit(
    tmp_path: Path, golden: Essence
) -> None:
    folder, _ = run(tmp_path, "iterations=5", "checkpoint_seconds=0")
    os.truncate(folder.checkpoints / "00000005.safetensors", 40)
    _, reporter = run(tmp_path)
    assert reporter.begun_at == 4
    assert any("00000005.json is damaged" in warning for warning in reporter.warnings)
    assert any("1 rows past the checkpoint" in warning for warning in reporter.warnings)
    assert (folder.checkpoints / "00000005.safetensors.corrupt").exists()
    assert essence(folder) == golden


def test_garbage_in_the_rows_is_cut_off_and_computed_again(tmp_path: Path, golden: Essence) -> None:
    folder, _ = run(tmp_path, "iterations=5")
    with open(folder.progress, "ab") as file:
        file.write(b"5,6000,\xff")
    _, reporter = run(tmp_path)
    assert len(reporter.warnings) == 1
    assert essence(folder) == golden


def test_run_whose_checkpoints_are_all_damaged_stops_until_told_to_begin_anew(
    tmp_path: Path, golden: Essence
) -> None:
    folder, _ = run(tmp_path, "iterations=5", "checkpoint_seconds=0")
    for path in folder.checkpoints.glob("*.safetensors"):
        path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path)
    assert caught.value.exit_code == 3
    assert len(rows_of(folder)) == 5
    run(tmp_path, restart=True)
    assert essence(folder) == golden


def test_policy_without_any_checkpoint_is_not_overwritten(tmp_path: Path) -> None:
    folder, _ = run(tmp_path, "iterations=2")
    policy = folder.policy.read_bytes()
    for path in folder.checkpoints.iterdir():
        path.unlink()
    with pytest.raises(CheckpointError, match="policy but no checkpoint"):
        run(tmp_path)
    assert folder.policy.read_bytes() == policy


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    folder, _ = run(tmp_path, "iterations=2")
    stray = folder.path / ".tmp-1-status.json"
    stray.write_text("{")
    run(tmp_path, "iterations=3")
    assert not stray.exists()


def test_clock_that_goes_back_a_year_changes_nothing(
    tmp_path: Path, golden: Essence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1.0)
    folder, _ = run(tmp_path, "iterations=5")
    run(tmp_path)
    assert essence(folder) == golden
    assert all(float(row["wall_s"]) > 0.0 for row in rows_of(folder))
