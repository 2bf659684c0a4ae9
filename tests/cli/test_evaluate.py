from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from cli_helpers import start, wait_until
from safetensors.numpy import load_file, save_file
from scipy import stats
from stored_runs import outcome, trained

from trpo_repro.cli import evaluate as cli_evaluate
from trpo_repro.cli.compose import run_config
from trpo_repro.errors import DiskError
from trpo_repro.runner import build, evaluation
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.seeding import stream
from trpo_repro.tasks.cartpole import CartPole
from trpo_repro.tasks.locomotion import Locomotion

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "seed=3")


@pytest.fixture
def folder(original: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy that a test may spoil."""
    shutil.copytree(original.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def evaluated(folder: RunFolder, *words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code, out, err = outcome("evaluate", str(folder.path), *words, "--json", capsys=capsys)
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_numbers_are_those_of_the_episodes(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(folder, "--episodes", "30", capsys=capsys)
    returns, lengths = np.array(found["returns"]), np.array(found["lengths"])
    assert len(returns) == len(lengths) == found["episodes"] == 30
    assert found["return"]["mean"] == pytest.approx(returns.mean())
    assert found["return"]["std"] == pytest.approx(returns.std(ddof=1))
    wanted = stats.t.interval(0.95, 29, loc=lengths.mean(), scale=stats.sem(lengths))
    assert found["length"]["interval95"] == pytest.approx(wanted)
    assert found["score"]["mean"] == pytest.approx(returns.mean() / 200)
    assert found["share_at_time_limit"] == np.mean(found["at_time_limit"])
    assert found["forward_speeds"] is None
    assert "forward_speed" not in found


def test_the_file_holds_what_was_printed(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = evaluated(folder, "--episodes", "3", "--seed", "8", capsys=capsys)
    stored = json.loads((folder.path / "evaluation-stochastic.json").read_text())
    assert printed.pop("run") == str(folder.path)
    assert stored == printed
    assert (stored["seed"], stored["run_seed"], stored["actions"]) == (8, 3, "stochastic")


def test_what_is_stored_of_this_policy_is_shown_and_not_played_again(
    folder: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []
    play = cli_evaluate.play
    monkeypatch.setattr(cli_evaluate, "play", lambda *a, **k: played.append(k) or play(*a, **k))
    path = folder.path / "evaluation-stochastic.json"
    first = evaluated(folder, "--episodes", "3", capsys=capsys)
    assert first["policy_sha256"] == hashlib.sha256(folder.policy.read_bytes()).hexdigest()
    written = path.stat().st_mtime_ns
    assert evaluated(folder, "--episodes", "3", capsys=capsys) == first
    code, out, _ = outcome("evaluate", str(folder.path), "--episodes", "3", capsys=capsys)
    assert (code, len(played), path.stat().st_mtime_ns) == (0, 1, written)
    assert "cartpole, single_path, seed 3: 3 episodes" in out
    assert f"already stored: {path}" in out
    evaluated(folder, "--episodes", "4", capsys=capsys)
    evaluated(folder, "--episodes", "4", "--greedy", capsys=capsys)
    assert len(played) == 3
    arrays = {key: value.copy() for key, value in load_file(folder.policy).items()}
    arrays["theta"][0] += 1
    save_file(arrays, folder.policy)
    evaluated(folder, "--episodes", "3", "--seed", "1", capsys=capsys)
    assert len(played) == 4
    path.write_text("{")
    evaluated(folder, "--episodes", "3", "--seed", "1", capsys=capsys)
    assert len(played) == 5


@pytest.mark.parametrize("words", [("--episodes", "2"), ("--episodes", "9", "--seed", "1")])
def test_a_look_at_other_episodes_leaves_the_record_alone(
    words: tuple[str, ...], folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder.path / "evaluation-stochastic.json"
    evaluated(folder, "--episodes", "3", capsys=capsys)
    before = path.read_bytes()
    assert evaluated(folder, *words, capsys=capsys)["episodes"] == int(words[1])
    code, out, _ = outcome("evaluate", str(folder.path), *words, capsys=capsys)
    assert code == 0
    assert f"not written: {path} keeps its 3 episodes of seed 0" in out
    assert path.read_bytes() == before
    assert evaluated(folder, "--episodes", "4", capsys=capsys)["episodes"] == 4
    assert json.loads(path.read_text())["episodes"] == 4


def test_episodes_depend_on_their_seed_and_on_nothing_else(
    folder: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for cores, seed in [(1, 0), (2, 0), (1, 1)]:
        monkeypatch.setattr(build, "available_cores", lambda cores=cores: cores)
        found = evaluated(folder, "--episodes", "60", "--seed", str(seed), capsys=capsys)
        runs.append(found["returns"])
        (folder.path / "evaluation-stochastic.json").unlink()
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_greedy_episodes_are_those_played_one_by_one(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(folder, "--episodes", "4", "--greedy", "--seed", "5", capsys=capsys)
    arrays = load_file(folder.policy)
    scale = np.sqrt(arrays["observation_squares"] / arrays["observation_count"])
    cart = CartPole(horizon=200)
    starts = cart.reset(4, stream(5, "evaluate", "reset", 0))
    for begin, total, length in zip(starts, found["returns"], found["lengths"], strict=True):
        state, rewards, fallen = begin[None], [], False
        while len(rewards) < 200 and not fallen:
            seen = np.clip((state[0] - arrays["observation_mean"]) / scale, -10, 10)
            action = seen @ arrays["theta"][:4] + arrays["theta"][4]
            state, reward, terminated = cart.step(state, np.array([[action]], np.float32))
            rewards.append(reward[0])
            fallen = bool(terminated[0])
        assert length == len(rewards)
        assert total == pytest.approx(sum(rewards), rel=1e-4)
    assert (folder.path / "evaluation-greedy.json").exists()


def test_table_for_a_person(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome("evaluate", str(folder.path), "--episodes", "1", capsys=capsys)
    assert code == 0
    assert "cartpole, single_path, seed 3: 1 episodes" in out
    assert "one episode: none" in out
    assert f"written: {folder.path / 'evaluation-stochastic.json'}" in out
    assert max(map(len, out.splitlines()[:-1])) <= 80


def test_walkers_tell_their_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained(tmp_path, "task=hopper", "iterations=1")
    found = evaluated(folder, "--episodes", "5", capsys=capsys)
    speeds = found["forward_speeds"]
    assert found["forward_speed"]["mean"] == pytest.approx(np.mean(speeds))
    # By the reward: v_x + 1 a step alive - costs of at most 1e-5 · 3 · 200² N²m² a step.
    lengths = np.array(found["lengths"])
    means = np.array(found["returns"]) / lengths - (lengths - 1) / lengths
    assert np.all(np.array(speeds) >= means - 0.05)
    assert np.all(np.array(speeds) <= means + 1.25)
    _, out, _ = outcome("evaluate", str(folder.path), "--episodes", "5", capsys=capsys)
    assert "forward m/s" in out


def test_speed_is_distance_over_time() -> None:
    config = run_config(["task=walker", "threads=1"])
    sampler = build.build_sampler(config)
    assert isinstance(sampler.simulator, Locomotion)
    states = sampler.simulator.reset(2, stream(0, "x"))
    states[:, 1] = [3.2, -1.6]
    played: Any = SimpleNamespace(lengths=np.array([100, 200]), final_states=states)
    speeds = evaluation._forward_speeds(sampler, played)
    assert speeds == pytest.approx([3.2 / 1.6, -1.6 / 3.2])


def test_a_search_that_trains_the_mode_is_judged_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tmp_path, "algo=cem", "iterations=1")
    assert evaluated(folder, "--episodes", "2", capsys=capsys)["actions"] == "greedy"
    sampled = trained(tmp_path, "algo=cem", "algo.play=sampled", "iterations=1")
    assert evaluated(sampled, "--episodes", "2", capsys=capsys)["actions"] == "stochastic"


def refused(path: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code, out, err = outcome("evaluate", str(path), *words, capsys=capsys)
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return code, err


def test_what_is_no_run_folder_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        code, err = refused(path, capsys=capsys)
        assert code == 2
        assert "not a run folder" in err


@pytest.mark.parametrize("words", [["--episodes", "0"], ["--episodes", "x"], ["--seed", "-1"]])
def test_wrong_options_exit_2(
    words: list[str], folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(folder.path, *words, capsys=capsys)[0] == 2


CONFIGS: dict[str, Callable[[Arrays], object]] = {
    "unknown key": lambda config: config.update(sede=1),
    "missing key": lambda config: config.pop("estimator"),
    "unknown task": lambda config: config["task"].update(name="hoper"),
    "wrong type": lambda config: config["policy"].update(hidden_sizes="wide"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_another_configuration_exits_3(
    name: str, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads(folder.config.read_text())
    CONFIGS[name](config)
    folder.config.write_text(json.dumps(config))
    code, err = refused(folder.path, capsys=capsys)
    assert code == 3
    assert "config.json" in err


POLICIES: dict[str, Callable[[Arrays], object]] = {
    "an array too few": lambda arrays: arrays.pop("observation_mean"),
    "an array too many": lambda arrays: arrays.update(more=np.zeros(1)),
    "another shape": lambda arrays: arrays.update(theta=arrays["theta"][:-1]),
    "another dtype": lambda arrays: arrays.update(theta=arrays["theta"].astype(np.float64)),
    "no number": lambda arrays: arrays["theta"].__setitem__(0, np.nan),
    "an infinite moment": lambda arrays: arrays["observation_mean"].__setitem__(0, np.inf),
    "a negative moment": lambda arrays: arrays["observation_squares"].__setitem__(0, -1.0),
}


@pytest.mark.parametrize("name", POLICIES)
def test_another_policy_exits_3(
    name: str, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = {key: value.copy() for key, value in load_file(folder.policy).items()}
    POLICIES[name](arrays)
    save_file(arrays, folder.policy)
    code, err = refused(folder.path, capsys=capsys)
    assert code == 3
    assert "not a policy of this run" in err


class Canary:
    """Would leave a file if anybody unpickled it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_file_that_is_no_policy_exits_3_and_runs_nothing(
    folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary, whole = tmp_path / "canary", folder.policy.read_bytes()
    huge_header = (2**62).to_bytes(8, "little") + b"{}"
    for content in (pickle.dumps(Canary(canary)), b"", whole[:-3], huge_header):
        folder.policy.write_bytes(content)
        assert refused(folder.path, capsys=capsys)[0] == 3
    folder.policy.unlink()
    code, err = refused(folder.path, capsys=capsys)
    assert code == 3
    assert "missing" in err
    assert not canary.exists()


def test_a_disk_that_says_no_exits_5_after_the_numbers(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / "evaluation-stochastic.json").mkdir()  # a file cannot take its place
    code, out, err = outcome("evaluate", str(folder.path), "--episodes", "2", capsys=capsys)
    assert code == 5
    assert "score" in out
    assert "written" not in out
    assert "cannot write" in err


def test_ctrl_c_ends_it_at_once_and_quietly(tmp_path: Path) -> None:
    """Its forks play their episodes to the end, and the process must not wait for them."""
    hopper = trained(tmp_path, "task=hopper", "threads=2")
    words = ("evaluate", str(hopper.path), "--episodes", "400000")
    with start(*words, cwd=tmp_path) as process:
        wait_until(lambda: len(psutil.Process(process.pid).children()) > 0, "a fork")
        time.sleep(1.0)  # for its work to begin
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "")
    assert not hopper.path.joinpath("evaluation-stochastic.json").exists()


def test_what_cannot_be_written_is_shown_all_the_same(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, content: dict[str, Any]) -> None:
        raise DiskError("cannot write: read-only", where=str(path))

    monkeypatch.setattr(cli_evaluate, "write_json", full)
    words = ("evaluate", str(folder.path), "--episodes", "3")
    code, out, err = outcome(*words, "--json", capsys=capsys)
    assert (code, json.loads(out)["episodes"]) == (5, 3)
    assert err.startswith("error: cannot write: read-only")
    code, out, _ = outcome(*words, capsys=capsys)
    assert code == 5
    assert "3 episodes, actions sampled" in out
