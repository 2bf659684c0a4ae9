"""Damaged results while they are shown (26, 27); what is missing is said before anything (15)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import config_in
from stored_runs import outcome, written

from trpo_repro.cli import launch
from trpo_repro.cli.launchers import hydras_own
from trpo_repro.errors import MissingDependency
from trpo_repro.report.collection import PAPER_SCALE
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.tasks import atari


@pytest.fixture
def one_of_five_damaged(tmp_path: Path) -> Path:
    folders = [written(tmp_path, [1.0, 2.0, 3.0], f"seed={seed}") for seed in range(5)]
    with open(folders[3].progress, "r+b") as file:
        file.seek(-20, 2)
        file.write(b"\xff" * 20)
    return tmp_path


@pytest.mark.parametrize("command", ["figures", "tables", "curves"])
def test_damaged_run_is_named_and_left_alone_and_strict_makes_it_an_error(
    command: str, one_of_five_damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = one_of_five_damaged
    sources = {p: p.read_bytes() for p in (results / "runs").rglob("*") if p.is_file()}
    output = results / "out"
    words = [command, "--results-dir", str(results), "--output", str(output)]
    if command == "curves":
        words = [command, str(results / "runs"), "--output", str(output / "curves.png")]
    code, _, err = outcome(*words, capsys=capsys)
    assert code == 0
    assert "seed3: done with 2 of 3 iterations; progress.csv is damaged after 2 rows" in err
    made = {p.name: p.read_bytes() for p in output.iterdir()}
    assert made
    code, _, err = outcome(*words, "--strict", capsys=capsys)
    assert code == 3
    assert err.splitlines()[-1].startswith("error: 1 stored runs or files are missing, unf")
    assert {p.name: p.read_bytes() for p in output.iterdir()} == made  # it is made all the same
    assert {p: p.read_bytes() for p in (results / "runs").rglob("*") if p.is_file()} == sources


ALGORITHMS = ("single_path", "cem", "empirical_fim")


@pytest.fixture
def three_of_four_seeds(tmp_path: Path) -> dict[str, list[RunFolder]]:
    """Three algorithms of four seeds, and a sweep with a stepsize that has only two of them."""
    sweep = [("natural_gradient", 3.0, 4, 2.0), ("natural_gradient", 10.0, 2, 1.0)]
    found: dict[str, list[RunFolder]] = {}
    for algo, stepsize, count, score in [*((a, None, 4, 2.0) for a in ALGORITHMS), *sweep]:
        more = (f"algo.stepsize={stepsize}",) if stepsize else ()
        for seed in range(count):
            made = written(tmp_path, [score] * 3, f"algo={algo}", *more, seed=seed)
            found.setdefault(algo, []).append(made)
    return found


def shown(results: Path, name: str) -> dict[str, str]:
    """Return n by algorithm, as a reader sees it."""
    lines = (results / "tables" / name).read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| cartpole")]
    return {row[1]: row[2] for row in rows}


COMMANDS = ("tables", "figures", "claims")


@pytest.mark.parametrize("damage", ["{", None])
def test_seeds_that_are_lost_count_among_those_that_there_should_be(
    damage: str | None,
    three_of_four_seeds: dict[str, list[RunFolder]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost = three_of_four_seeds["cem"][1:3]
    for folder in lost:
        if damage:
            folder.config.write_text(damage)
        else:
            shutil.rmtree(folder.path)
    wanted = {"single path": "4", "natural gradient": "4", "empirical FIM": "4", "CEM": "2 of 4"}
    for command in COMMANDS:
        code, _, err = outcome(command, "--results-dir", str(tmp_path), "--strict", capsys=capsys)
        assert code == 3
        told = [line for line in err.splitlines() if "cem" in line]
        if damage:
            assert [line.split(": ")[1] for line in told] == [str(folder.path) for folder in lost]
        else:
            (line,) = told  # all of them at once
            assert str(lost[0].path.parent) in line
            assert "no run of seeds 1, 2, which most algorithms on cartpole have" in line
    assert shown(tmp_path, "scores.md") == shown(tmp_path, "times.md") == wanted
    about = json.loads((tmp_path / "figures" / "figure4.json").read_text())
    cem = about["tasks"]["cartpole"]["cem"]
    assert (cem["n"], cem["seeds"]) == (2, 4)
    state = "unreadable" if damage else "absent"
    assert [run["state"] for run in cem["runs"]] == ["done", state, state, "done"]


def test_a_group_of_fewer_seeds_is_no_alarm_where_that_was_meant(
    three_of_four_seeds: dict[str, list[RunFolder]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert three_of_four_seeds  # the sweep has a stepsize of two seeds
    for seed in (100, 101):  # tuned on seeds of its own
        written(tmp_path, [2.0] * 3, "algo=empirical_fim", seed=seed)
    for seed in range(2):  # an ablation of two seeds, whose default has four
        written(tmp_path / "ablations", [1.0] * 3, "algo.line_search=false", seed=seed)
    for algo, count in (("single_path", 1), ("vine", 5)):
        for seed in range(count):
            words = ("task=swimmer", f"algo={algo}", "scale=paper")
            written(tmp_path / PAPER_SCALE, [1.0] * 3, *words, seed=seed)
    for command in COMMANDS:
        code, _, err = outcome(command, "--results-dir", str(tmp_path), "--strict", capsys=capsys)
        assert (code, err) == (0, "")
    wanted = {"single path": "4", "natural gradient": "4", "empirical FIM": "6", "CEM": "4"}
    assert shown(tmp_path, "scores.md") == wanted


def test_sound_results_satisfy_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, [1.0])
    code, _, _ = outcome("tables", "--results-dir", str(tmp_path), "--strict", capsys=capsys)
    assert code == 0


def test_what_a_killed_command_left_half_written_is_removed_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [1.0])
    tables = tmp_path / "tables"
    (tables / ".tmp-folder").mkdir(parents=True)
    with subprocess.Popen("true") as killed:
        pass
    stray = tables / f".tmp-{killed.pid}-scores.csv"
    # Being written by a process that lives, not one of this command's, not ours at all.
    others = [".tmp-1-scores.csv", f".tmp-{killed.pid}-mine.csv", ".tmp-x-scores.csv"]
    for name in (stray.name, *others):
        (tables / name).write_text("half")
    assert outcome("tables", "--results-dir", str(tmp_path), capsys=capsys)[0] == 0
    left = {path.name for path in tables.glob(".tmp-*")}
    assert left == {".tmp-folder", *others}


def test_launcher_that_is_not_installed_is_said_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "hydra_plugins.hydra_joblib_launcher", None)
    with pytest.raises(MissingDependency, match=r"pip install 'trpo-repro\[joblib\]'") as caught:
        hydras_own(["seed=0,1", "hydra/launcher=joblib"])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("damage", [None, b"not the game"])
def test_missing_or_wrong_game_is_said_before_a_folder_exists(
    damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rom = tmp_path / "pong.bin"
    if damage:
        rom.write_bytes(damage)
    monkeypatch.setattr(atari.roms, "get_rom_path", lambda game: rom)
    config = config_in(tmp_path / "results", ["task=pong", "scale=smoke", "threads=1"])
    with pytest.raises(MissingDependency, match="pong is missing or damaged") as caught:
        execute(config, None)  # type: ignore[arg-type]
    assert caught.value.exit_code == 4
    assert not (tmp_path / "results").exists()


def test_end_of_a_child_is_told_in_words() -> None:
    assert launch.Ended(-9, "").reason == "killed, as the kernel does for want of memory"
    assert launch.Ended(-11, "").reason == "killed by SIGSEGV"
    assert launch.Ended(1, "error: x\n").reason == "exit 1: error: x"
