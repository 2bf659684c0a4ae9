"""Commands on games: played by chance, evaluated both ways."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
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
from scipy import stats
from stored_runs import outcome, trained

from trpo_repro.cli import random as cli_random
from trpo_repro.cli.compose import run_config
from trpo_repro.runner import evaluation
from trpo_repro.runner.evaluation import play_at_random
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder

SHORT = ("task=breakout", "scale=smoke", "task.horizon=100")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), *SHORT, "iterations=1")


def test_a_game_is_evaluated_stochastically_and_greedily(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outcome(
        "evaluate", str(folder.path), "--episodes", "8", "--json", capsys=capsys
    )
    assert (code, err) == (0, "")
    sampled, greedy = json.loads(out)
    assert [found["actions"] for found in (sampled, greedy)] == ["stochastic", "greedy"]
    for found in (sampled, greedy):
        assert len(found["returns"]) == len(found["lengths"]) == 8
        assert found["return"]["mean"] == pytest.approx(np.mean(found["returns"]))
        assert "score" not in found  # a game's points are not divided by its steps
        stored = json.loads((folder.path / f"evaluation-{found['actions']}.json").read_text())
        assert stored["returns"] == found["returns"]
    outcome("evaluate", str(folder.path), "--episodes", "2", "--greedy", capsys=capsys)
    code, out, err = outcome("evaluate", str(folder.path), "--episodes", "2", capsys=capsys)
    assert "game score" in out
    assert "different games: greedy ones differ by their first no-ops alone" in out


def test_what_is_evaluated_does_not_depend_on_processes_and_keeps_no_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = run_config([*SHORT, "task.horizon=30"])
    alone = play_at_random(config, episodes=5, seed=1)
    sampler = evaluation.evaluation_sampler(config, episodes=5, greedy=False)
    theta = np.zeros(33_500, np.float32)
    kept = sampler.episodes(
        theta,
        evaluation.Normaliser.identity(8320),
        streams=evaluation.Streams(1, ("evaluate",)),
        count=5,
    )
    assert kept.observations.shape == (len(kept.rewards), 0)
    monkeypatch.setattr(evaluation.Forks, "available", lambda: False)
    here = play_at_random(config, episodes=5, seed=1)
    for other in (alone, here):
        assert np.array_equal(kept.returns, other.returns)
        assert np.array_equal(kept.lengths, other.lengths)


def test_games_by_chance_are_written_with_what_they_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["task=breakout", "task.horizon=60", f"results_dir='{tmp_path}'"]
    code, out, err = outcome("random", *words, "--episodes", "12", "--seed", "3", capsys=capsys)
    assert (code, err) == (0, "")
    found = json.loads((tmp_path / "random" / "trpo2015" / "breakout.json").read_text())
    assert found["episodes"] == len(found["returns"]) == 12
    assert found["seed"] == 3
    assert found["horizon"] == 60
    wanted = stats.t.interval(0.95, 11, np.mean(found["returns"]), stats.sem(found["returns"]))
    assert found["return"]["interval95"] == pytest.approx(wanted)
    line = out.splitlines()[1].split()
    assert line[0] == "breakout"
    assert line[-1] == "1.2"  # the paper's


def test_games_by_chance_that_are_stored_are_shown_and_not_played_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []
    play = cli_random.play_at_random
    count = lambda *a, **k: played.append(k) or play(*a, **k)  # noqa: E731
    monkeypatch.setattr(cli_random, "play_at_random", count)
    words = ["random", "task=breakout", "task.horizon=60", f"results_dir='{tmp_path}'"]
    words += ["--episodes", "3"]
    first = outcome(*words, capsys=capsys)
    path = tmp_path / "random" / "trpo2015" / "breakout.json"
    written = path.read_bytes()
    assert outcome(*words, capsys=capsys) == first
    assert (len(played), path.read_bytes()) == (1, written)
    for other in ("task.frame_skip=5", "--episodes=4"):
        path.write_bytes(written)
        assert outcome(*words, other, capsys=capsys)[0] == 0
        assert path.read_bytes() != written
    path.write_bytes(written)
    for other in ("--seed=1", "--episodes=2"):  # a look, which must not cost the record
        code, _, err = outcome(*words, other, capsys=capsys)
        assert code == 0
        assert err == f"not written: {path} keeps its 3 episodes of seed 0\n"
        assert path.read_bytes() == written
    assert len(played) == 5


@pytest.mark.parametrize("word", ["seed=5", "algo=vine", "iterations=3", "threads=2"])
def test_a_setting_that_chance_has_no_use_for_is_refused(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outcome("random", "task=breakout", word, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: '{word}' does nothing here; fix: ")
    assert err.count("\n") == 1


def test_chance_takes_every_position_of_the_joystick_alike() -> None:
    sampler = evaluation.evaluation_sampler(
        run_config(["task=pong", "task.horizon=400"]), episodes=9, greedy=False
    )
    found = sampler.episodes(
        np.zeros(33_500, np.float32),
        evaluation.Normaliser.identity(8320),
        streams=evaluation.Streams(0, ("evaluate",)),
        count=9,
    )
    joint = found.actions @ np.array([6, 2, 1])
    counts = np.bincount(joint, minlength=18)
    assert stats.chisquare(counts).pvalue > 0.001


def test_only_games_are_played_by_chance(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outcome("random", "task=hopper", capsys=capsys)
    assert code == 2
    assert err == "error: task=hopper is not one of the games\n"


@pytest.mark.parametrize(
    "settings",
    [
        ("algo=vine", "steps_per_iter=800", "algo.rollout_length=10", "algo.trunk_steps=160"),
        ("task.protocol=machado2018",),
    ],
)
def test_a_killed_run_on_a_game_goes_on_to_the_same_bytes(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    game = ("task=qbert", "scale=smoke", "task.horizon=40", "iterations=6", *settings)
    here, there = tmp_path / "undisturbed", tmp_path / "killed"
    execute(config_in(here, game, "threads=1"), SilentReporter())
    words = (*game, "threads=2", "checkpoint_seconds=0")
    with start("run", *words, f"results_dir='{there}'", cwd=tmp_path) as child:
        wait_until(lambda: row_count(there) >= 2, "two rows")
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    assert row_count(there) < 6, "it was killed too late"
    execute(config_in(there, words), SilentReporter())
    assert essence(folder_in(here)) == essence(folder_in(there))
