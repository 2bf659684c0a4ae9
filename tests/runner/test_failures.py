"""What a run that cannot go on says and leaves behind."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import (
    SMALL,
    SilentReporter,
    config_in,
    diverging,
    essence,
    folder_in,
    rows_of,
    run,
    trpo,
)

from trpo_repro.errors import (
    CheckpointError,
    ConfigError,
    DiskError,
    MissingDependency,
    SimulationDiverged,
    TrpoError,
)
from trpo_repro.runner import progress, run_folder
from trpo_repro.runner.checkpoint import load_arrays, newest_checkpoint
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.state import already_complete
from trpo_repro.tasks.cartpole import CartPole


def failing_at(function: Callable[..., Any], call: int, error: Exception) -> Callable[..., Any]:
    """Return `function` that raises `error` in its n-th call and in every later one."""
    count = 0

    def patched(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count >= call:
            raise error
        return function(*args, **kwargs)

    return patched


def test_a_run_whose_rows_are_lost_is_not_called_done(tmp_path: Path) -> None:
    folder = run(tmp_path)
    wanted, whole = essence(folder), folder.progress.read_bytes()
    folder.progress.unlink()
    for _ in range(2):  # the first refusal leaves nothing that would let the second pass
        with pytest.raises(CheckpointError, match="does not hold the 8 rows before") as caught:
            run(tmp_path)
        assert caught.value.exit_code == 3
        assert not folder.progress.exists()
    folder.progress.write_bytes(whole)
    run(tmp_path)
    assert essence(folder) == wanted


@pytest.mark.slow
def test_physics_that_diverge_end_the_run_with_1_and_a_record(tmp_path: Path) -> None:
    words = ["task=swimmer", "scale=smoke", "task.timestep=0.1", "task.frame_skip=50"]
    words += ["task.integrator=euler", "policy.initial_std=100"]
    done = trpo("run", *words, cwd=tmp_path)
    assert done.returncode == 1
    folder = folder_in(tmp_path / "results")
    failure = read_json(folder.failure)
    assert failure["iteration"] == 0
    assert done.stderr.splitlines()[-1] == f"error: {failure['error']}"
    assert "Traceback" not in done.stderr
    for part in (
        "not finite",
        "iteration 0, group ",
        ", episode ",
        "step ",
        "smaller task.timestep",
    ):
        assert part in failure["error"]
    assert read_json(folder.status)["state"] == "failed"
    assert load_arrays(folder.policy)["theta"].shape == (364,)
    again = trpo("run", *words, cwd=tmp_path)  # it is as deterministic as everything else
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1] == done.stderr.splitlines()[-1]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_run_that_diverges_later_keeps_its_last_good_state(
    number: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = essence(run(tmp_path / "golden"))
    config = config_in(tmp_path / "results")
    with monkeypatch.context() as patch:
        patch.setattr(CartPole, "step", diverging(700, number))
        with pytest.raises(SimulationDiverged) as caught:
            execute(config, SilentReporter())
    folder = RunFolder.of(config)
    failure = read_json(folder.failure)
    done = failure["iteration"]
    assert 0 < done < 8
    assert f"iteration {done}, group 0, episode " in str(caught.value)
    assert failure["error"] == str(caught.value)
    assert str(caught.value).endswith("fix: use a smaller algo.stepsize, or another seed")
    status = read_json(folder.status)
    assert (status["state"], status["iterations_done"]) == ("failed", done)
    assert status["error"] == failure["error"]
    found, warnings = newest_checkpoint(
        folder.checkpoints, identity=config.identity(), seed=config.seed
    )
    assert found is not None
    assert (found.iterations, warnings) == (done, [])
    assert len(rows_of(folder)) == done
    assert not already_complete(config)
    execute(config, SilentReporter())  # say, after the cause was put right
    assert essence(folder) == golden
    assert not folder.failure.exists()


def test_run_that_fails_in_its_first_iteration_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = essence(run(tmp_path / "golden"))
    with monkeypatch.context() as patch:
        patch.setattr(CartPole, "step", diverging(1, np.nan))
        with pytest.raises(SimulationDiverged):
            run(tmp_path / "results")
    assert essence(run(tmp_path / "results")) == golden


def test_error_that_nobody_expected_leaves_a_failed_run_and_not_a_running_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = essence(run(tmp_path / "golden"))
    with monkeypatch.context() as patch:
        step = failing_at(CartPole.step, 500, ValueError("a bug"))
        patch.setattr(CartPole, "step", step)
        with pytest.raises(ValueError, match="a bug"):
            run(tmp_path / "results")
    folder = folder_in(tmp_path / "results")
    assert read_json(folder.status)["state"] == "failed"
    assert read_json(folder.failure)["error"] == "ValueError: a bug"
    assert essence(run(tmp_path / "results")) == golden


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (progress, "write_all", 1),
        (progress, "write_all", 4),
        (run_folder, "write_all", 1),
        (run_folder, "write_all", 4),
        (run_folder, "write_all", 9),
        (run_folder, "write_all", 25),
        (os, "fsync", 7),
        (os, "fsync", 30),
        (os, "replace", 13),
    ],
)
def test_disk_that_fills_up_ends_with_5_and_the_run_goes_on_with_room(
    owner: object, name: str, call: int, tmp_path: Path
) -> None:
    golden = essence(run(tmp_path / "golden"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, failing_at(getattr(owner, name), call, full()))
        with pytest.raises(DiskError, match=r"needed, \d+ free\); fix: make room") as caught:
            run(tmp_path / "results", "checkpoint_seconds=0")
    assert caught.value.exit_code == 5
    folder = folder_in(tmp_path / "results")
    if folder.status.exists():
        assert read_json(folder.status)["state"] != "done"
    assert essence(run(tmp_path / "results")) == golden


def test_disk_that_is_full_from_the_start_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "mkdir", failing_at(os.mkdir, 1, full()))
    with pytest.raises(DiskError):
        run(tmp_path / "results")


def test_disk_error_is_one_line_and_exit_code_5(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        blocked = "/proc/nothing"  # even root makes no folders there
    else:
        blocked = str(tmp_path / "closed")
        os.mkdir(blocked, 0o500)
    for words in ([], ["-m"]):
        done = trpo("run", *words, *SMALL, f"results_dir={blocked}/results", cwd=tmp_path)
        assert done.returncode == 5
        assert done.stderr.startswith("error: cannot write")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("flag", [[], ["-m"]])
def test_file_in_place_of_the_results_folder_is_one_line_and_exit_code_2(
    flag: list[str], tmp_path: Path
) -> None:
    (tmp_path / "results").write_text("mine")
    done = trpo("run", *flag, *SMALL, cwd=tmp_path)
    assert done.returncode == 2
    assert "the results folder is not a folder" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "results").read_text() == "mine"
    with pytest.raises(ConfigError):
        run(tmp_path / "results")


def test_missing_gpu_is_said_before_anything_is_written(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(MissingDependency) as caught:
        run(tmp_path, "device=cuda")
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_every_error_has_an_exit_code_of_the_contract() -> None:
    classes, codes = [TrpoError], {}
    while classes:
        cls = classes.pop()
        codes[cls.__name__] = cls.exit_code
        classes += cls.__subclasses__()
    assert codes == {
        "TrpoError": 1,
        "RunFailed": 1,
        "SimulationDiverged": 1,
        "ConfigError": 2,
        "CheckpointError": 3,
        "MissingDependency": 4,
        "DiskError": 5,
        "FolderInUse": 6,
    }


def test_error_message_says_what_where_and_the_way_out() -> None:
    assert str(TrpoError("what", where="where", fix="way out")) == "what (where); fix: way out"
    assert str(TrpoError("what")) == "what"
    json.dumps(str(TrpoError("what", fix="way out")))
