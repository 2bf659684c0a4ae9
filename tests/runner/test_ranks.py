"""One run in several processes: the bytes of one, whatever their number and whichever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_helpers import (
    SMALL,
    SilentReporter,
    config_in,
    environment,
    essence,
    folder_in,
    row_count,
    trpo,
    wait_until,
)
from rank_processes import free_port

from trpo_repro.errors import SimulationDiverged
from trpo_repro.ranks import Ranks
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json

HERE = Path(__file__).parent
CASES = {
    # Three groups of simulators; three chunks of the update and two of the baseline.
    "single path": ("task=cartpole", "steps_per_iter=17000", "iterations=3"),
    "mlp baseline": ("task=cartpole", "scale=smoke", "estimator.baseline=mlp"),
    "walker": ("task=walker", "scale=smoke", "steps_per_iter=4000"),
    "vine": ("task=hopper", "algo=vine", "scale=smoke", "steps_per_iter=8000"),
    "kl penalty": ("task=cartpole", "algo=kl_penalty", "scale=smoke"),
    "cem": ("task=cartpole", "algo=cem", "scale=smoke", "algo.population=60"),
    "game": ("task=space_invaders", "scale=smoke", "task.horizon=100", "steps_per_iter=600"),
    "vine on a game": ("task=space_invaders", "algo=vine", "scale=smoke", "task.horizon=100"),
}

ONE_RANK_FAILS = """
import sys, time
from trpo_repro.errors import ConfigError, TrpoError
from trpo_repro.ranks import Ranks

class SlowStore:
    def __init__(self, store):
        self.store = store

    def __getattr__(self, name):
        time.sleep(0.3)
        return getattr(self.store, name)

rank, slow = map(int, sys.argv[1:])
ranks = Ranks(rank, 2)
try:
    with ranks.connected():
        if rank != slow:
            raise ConfigError("not so")
        ranks._store = SlowStore(ranks._store)
        ranks.gathered(dict)
except TrpoError as error:
    print(f"{type(error).__name__}: {error.what}, {'silent' if ranks.silent else 'aloud'}")
"""


def together(count: int, cases: list[Any], folder: Path) -> list[list[dict[str, Any]]]:
    """Run each case as `count` ranks."""
    done = subprocess.run(
        [sys.executable, str(HERE.parent / "rank_processes.py"), str(count), str(folder)],
        input=json.dumps(cases),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("count", "names"), [(2, tuple(CASES)), (4, ("single path", "vine"))])
def test_any_number_of_ranks_gives_the_bytes_of_one_process(
    count: int, names: tuple[str, ...], tmp_path: Path
) -> None:
    places = {name: tmp_path / name for name in names}
    cases = [["run", *CASES[n], "threads=1", f"results_dir='{places[n]}'"] for n in names]
    for case in together(count, cases, tmp_path / "logs"):
        assert [rank["code"] for rank in case] == [0] * count, case
        assert [bool(rank["out"]) for rank in case] == [True] + [False] * (count - 1)
        assert [rank["err"] for rank in case] == [""] * count
    for name in names:
        alone = config_in(tmp_path / "alone", (*CASES[name], "threads=1"))
        execute(alone, SilentReporter())
        assert essence(folder_in(places[name])) == essence(RunFolder.of(alone)), name


def test_ranks_that_see_different_checkpoints_go_on_from_rank_0s(tmp_path: Path) -> None:
    first, second, whole = (tmp_path / name for name in ("first", "second", "whole"))
    for place, iterations in ((first, 3), (second, 5), (whole, 8)):
        execute(config_in(place, SMALL, f"iterations={iterations}"), SilentReporter())
    before = {p: p.read_bytes() for p in second.rglob("*") if p.is_file()}
    words = [["run", *SMALL, f"results_dir='{place}'"] for place in (first, second)]
    (case,) = together(2, [words], tmp_path / "logs")
    assert [rank["code"] for rank in case] == [0, 0], case
    assert "continuing after 3 of 8 iterations" in case[0]["out"]
    assert case[1]["out"] == ""
    assert essence(folder_in(first)) == essence(folder_in(whole))
    assert {p: p.read_bytes() for p in second.rglob("*") if p.is_file()} == before


def test_finished_run_is_left_alone_by_all_ranks(tmp_path: Path) -> None:
    execute(config_in(tmp_path / "results", SMALL), SilentReporter())
    folder = folder_in(tmp_path / "results")
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("*")}
    (case,) = together(2, [["run", *SMALL, f"results_dir='{tmp_path}/results'"]], tmp_path / "logs")
    assert [rank["code"] for rank in case] == [0, 0], case
    assert "already complete" in case[0]["out"]
    assert {p: p.stat().st_mtime_ns for p in folder.path.rglob("*")} == before


def test_ranks_with_different_command_lines_are_refused(tmp_path: Path) -> None:
    words = [["run", *SMALL, f"seed={n}", f"results_dir='{tmp_path}/{n}'"] for n in (0, 1)]
    (case,) = together(2, [words], tmp_path / "logs")
    assert [rank["code"] for rank in case] == [2, 2], case
    assert "was asked to run something else" in case[0]["err"]


def test_what_stops_rank_0_stops_all_and_is_told_once(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    (case,) = together(2, [["run", *SMALL, f"results_dir='{in_the_way}'"]], tmp_path / "logs")
    assert [rank["code"] for rank in case] == [2, 2], case
    assert case[0]["err"].startswith("error: the results folder is not a folder")
    assert case[1]["err"] == ""


@pytest.mark.parametrize("slow", [0, 1])
def test_what_stops_a_rank_reaches_another_that_is_slow_to_read_it(slow: int) -> None:
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_RANK_FAILS, str(rank), str(slow)],
            env=environment(**variables, RANK=str(rank), WORLD_SIZE="2"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=120) for process in ranks]
    assert said[slow] == ("ConfigError: not so, silent\n", ""), said
    assert said[1 - slow] == ("ConfigError: not so, aloud\n", ""), said


def test_sweeps_are_not_for_torchrun(tmp_path: Path) -> None:
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for words in (["run", "-m", *SMALL], ["sweep", "single_path"]):
        done = trpo(*words, cwd=tmp_path, env=environment(**variables))
        assert done.returncode == 2
        assert done.stderr.startswith("error: torchrun starts one run")
    assert os.listdir(tmp_path) == []


def test_one_process_exchanges_nothing_and_fails_as_it_is() -> None:
    ranks = Ranks()
    assert ranks.share(range(5)) == range(5)
    with pytest.raises(SimulationDiverged, match="here"), ranks.connected():
        ranks.gathered(lambda: (_ for _ in ()).throw(SimulationDiverged("here")))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_shares_are_even_and_cover_everything_in_order(count: int) -> None:
    shares = [Ranks(rank, count).share(range(7)) for rank in range(count)]
    assert [item for share in shares for item in share] == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def torchrun(*words: str, cwd: Path) -> subprocess.Popen[str]:
    """Start the command line as two ranks."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "trpo_repro"]
    return subprocess.Popen(
        [sys.executable, *launcher, *words],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rank_of(process: psutil.Process) -> int:
    return int(process.environ().get("RANK", -1))


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_killed_rank_stops_all_and_one_process_goes_on(victim: int, tmp_path: Path) -> None:
    words = ["run", *SMALL, "iterations=300", "checkpoint_seconds=0"]
    with torchrun(*words, cwd=tmp_path) as launcher:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        ranks = {rank_of(p): p for p in psutil.Process(launcher.pid).children(recursive=True)}
        ranks[victim].send_signal(signal.SIGKILL)
        _, err = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    told = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1, err
    assert told[0].startswith(f"error: process {victim} of 2 died (")
    assert not any(p.is_running() for p in ranks.values())
    done = read_json(folder_in(tmp_path / "results").status)["iterations_done"]
    places = [tmp_path / name for name in ("results", "whole")]
    for place in places:
        execute(config_in(place, SMALL, f"iterations={done + 10}"), SilentReporter())
    assert essence(folder_in(places[0])) == essence(folder_in(places[1]))


@pytest.mark.slow
def test_stopped_torchrun_saves_and_tells_how_to_go_on(tmp_path: Path) -> None:
    with torchrun("run", *SMALL, "iterations=3000", cwd=tmp_path) as launcher:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        launcher.terminate()
        out, _ = launcher.communicate(timeout=60)
    assert out.count("to continue: trpo-repro run") == 1
    assert read_json(folder_in(tmp_path / "results").status)["state"] == "interrupted"
