"""`trpo-repro status` against folders in every state."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import SMALL, SilentReporter, config_in
from stored_runs import outcome, written

from trpo_repro.runner.loop import execute
from trpo_repro.runner.progress import HEADER
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.runner.state import already_complete, state_of, state_of_run

ALGORITHM = "algo=natural_gradient"


def test_every_state_is_told_from_the_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    for seed in (0, 1):
        written(results, [1.0, 2.0], ALGORITHM, seed=seed).policy.write_bytes(b"")
    written(results, [1.0], ALGORITHM, seed=7).move_aside()
    written(results, [1.0], ALGORITHM, seed=2, iterations=2, state="interrupted")
    failed = written(results, [1.0], seed=0, iterations=2, state="failed")
    failed.status.write_text(
        json.dumps({"state": "failed", "iterations_done": 1, "error": "the disk is full"})
    )
    written(results, [1.0], seed=1).status.write_text("?")
    with open(written(results, [1.0], seed=2).path / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, out, err = outcome("status", "--results-dir", str(results), capsys=capsys)
        _, listed, _ = outcome("status", "--json", "--results-dir", str(results), capsys=capsys)
    assert (code, err) == (0, "")
    headings, _, searching, single = [line.split() for line in out.splitlines() if line.strip()][
        1:5
    ]
    assert headings == ["task", "algorithm", "done", "running", "interrupted", "failed", "broken"]
    assert searching == ["cartpole", "natural_gradient", "2", "1"]
    assert single == ["cartpole", "single_path", "1", "1", "1"]
    assert "seed0: the disk is full" in out
    assert "seed2: after 1 of 2" in out
    assert sorted(run["state"] for run in json.loads(listed)) == [
        "broken", "done", "done", "failed", "interrupted", "running",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["progress.csv", "policy.safetensors"])
def test_run_that_lost_a_file_is_done_neither_for_a_sweep_nor_for_run(
    name: str, tmp_path: Path
) -> None:
    config = config_in(tmp_path, SMALL, "iterations=2")
    execute(config, SilentReporter())
    folder = RunFolder.of(config)
    assert state_of(folder, 2) == ("done", "")
    assert already_complete(config)
    (folder.path / name).unlink()
    assert state_of(folder, 2) == ("broken", f"missing: {name}")
    assert not already_complete(config)


def emptied(folder: RunFolder) -> None:
    folder.progress.write_bytes(b"")


def headed(folder: RunFolder) -> None:
    folder.progress.write_text(HEADER)


def damaged(folder: RunFolder) -> None:
    content = bytearray(folder.progress.read_bytes())
    content[len(HEADER) + 5] = 0xFF  # a digit of the first row
    folder.progress.write_bytes(content)


def rows_a_folder(folder: RunFolder) -> None:
    folder.progress.unlink()
    folder.progress.mkdir()


def unconfigured(folder: RunFolder) -> None:
    folder.config.unlink()


def ill_configured(folder: RunFolder) -> None:
    folder.config.write_text("x{")


def config_a_folder(folder: RunFolder) -> None:
    folder.config.unlink()
    folder.config.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        emptied,
        headed,
        damaged,
        rows_a_folder,
        unconfigured,
        ill_configured,
        config_a_folder,
    ],
)
def test_a_run_whose_files_say_nothing_is_done_for_nobody(
    spoil: Callable[[RunFolder], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_in(tmp_path, SMALL, "iterations=2")
    execute(config, SilentReporter())
    folder = RunFolder.of(config)
    assert already_complete(config)
    spoil(folder)
    assert state_of_run(config)[0] == "broken"
    assert not already_complete(config)
    _, out, _ = outcome("status", "--json", "--results-dir", str(tmp_path), capsys=capsys)
    assert [run["state"] for run in json.loads(out)] == ["broken"]
    words = ("curves", str(tmp_path), "--output", str(tmp_path / "x.png"))
    code, _, err = outcome(*words, capsys=capsys)
    assert (code, err.splitlines()[-1].startswith("error: ")) == (3, True)


def test_an_experiment_is_asked_for_as_it_was_swept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = tmp_path / "one.yaml"
    experiment.write_text("cells: [{task: cartpole, seed: [0, 1]}]")
    place = f"results_dir={tmp_path}"
    written(tmp_path, [1.0, 2.0], "scale=smoke", seed=7).policy.write_bytes(b"")
    words = ("status", str(experiment), "scale=smoke", "seed=7,8", place, "--json")
    code, out, err = outcome(*words, capsys=capsys)
    assert (code, err) == (0, "")
    assert [run["state"] for run in json.loads(out)] == ["done", "missing"]
    code, out, err = outcome("status", "task=cartpole", capsys=capsys)
    assert (code, out) == (2, "")
    assert "'task=cartpole' is no experiment" in err


def test_reasons_and_folders_are_shown_as_they_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "o'neil \\'s [/x] \\"
    said = "tensor([nan, nan]) is not finite [/tmp/x] [bold]"
    failed = written(results, [1.0], seed=0, iterations=2, state="failed")
    failed.status.write_text(json.dumps({"state": "failed", "iterations_done": 1, "error": said}))
    code, out, err = outcome("status", "--results-dir", str(results), capsys=capsys)
    assert (code, err) == (0, "")
    assert out.rstrip().endswith(f"seed0: {said}")
    experiment = tmp_path / "one.yaml"
    experiment.write_text("cells: [{task: cartpole}]")
    words = ("status", str(experiment), "--json", "--results-dir", str(results))
    code, out, err = outcome(*words, capsys=capsys)
    assert (code, err) == (0, "")
    (run,) = json.loads(out)
    assert (run["state"], run["reason"]) == ("failed", said)


def test_what_an_experiment_still_lacks_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = tmp_path / "two.yaml"
    experiment.write_text("cells: [{task: cartpole, seed: [0, 1]}]")
    words = ("status", str(experiment), "--results-dir", str(tmp_path / "results"))
    code, out, _ = outcome(*words, capsys=capsys)
    assert code == 0
    assert "2 runs" in out
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[1] == ["task", "algorithm", "missing"]
    assert lines[-1] == ["cartpole", "single_path", "2"]


def test_a_folder_that_is_not_there_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("status", "--results-dir", str(tmp_path / "nowhere"))
    code, out, err = outcome(*words, capsys=capsys)
    assert (code, out) == (2, "")
    assert "no such folder" in err
    assert err.count("\n") == 1
