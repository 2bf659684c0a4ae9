from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stored_runs import written

from trpo_repro.errors import ConfigError
from trpo_repro.report import collection
from trpo_repro.report.choice import Choice, choices
from trpo_repro.report.collection import PAPER_SCALE, Stored, collect


def only(results: Path) -> Choice:
    """Return the choice of the one algorithm on the one task that is stored."""
    ((choice,),) = choices(collect([results]).runs).values()
    return choice


def sweep(results: Path, scores: dict[float, list[float]], *more: str, **config: object) -> None:
    """Write a run of constant score for each stepsize and seed."""
    for stepsize, seeds in scores.items():
        for seed, score in enumerate(seeds):
            overrides = ("algo=natural_gradient", f"algo.stepsize={stepsize}", f"seed={seed}")
            written(results, [score] * 12, *overrides, *more, **config)


def test_the_stepsize_shown_has_the_best_final_score(tmp_path: Path) -> None:
    sweep(tmp_path, {0.3: [1.0, 2.0], 0.03: [3.0, 4.0], 0.1: [5.0, 1.0]})
    choice = only(tmp_path)
    assert choice.group.stepsize == 0.03  # 3.5 against 1.5 and 3.0, not the 5.0 of a lucky seed
    assert [group.stepsize for group in choice.sweep] == [0.03, 0.1, 0.3]
    assert choice.left_out == ()
    assert choice.swept


def test_final_is_the_mean_of_the_last_ten_iterations(tmp_path: Path) -> None:
    written(tmp_path, [100.0, *np.arange(1.0, 11.0)])
    assert only(tmp_path).group.finals.tolist() == [5.5]


def test_only_complete_runs_decide(tmp_path: Path) -> None:
    sweep(tmp_path, {0.03: [1.0, 1.0]})
    sweep(tmp_path, {0.1: [9.0, 9.0]}, state="running", iterations=99)
    choice = only(tmp_path)
    assert (choice.group.stepsize, choice.shown) == (0.03, True)


def test_a_stepsize_that_made_a_seed_fail_stands_behind_those_that_did_not(tmp_path: Path) -> None:
    sweep(tmp_path, {0.03: [1.0, 1.0], 0.1: [9.0]})
    overrides = ("algo=natural_gradient", "algo.stepsize=0.1", "seed=1")
    written(tmp_path, [9.0] * 3, *overrides, state="failed", iterations=12)
    assert only(tmp_path).group.stepsize == 0.03


def test_one_lucky_seed_beats_no_stepsize_of_several(tmp_path: Path) -> None:
    sweep(tmp_path, {0.03: [3.0, 4.0], 0.1: [9.0]})
    assert only(tmp_path).group.stepsize == 0.03


def test_failed_seeds_are_counted(tmp_path: Path) -> None:
    for seed in range(5):
        state = {3: "failed", 4: "running"}.get(seed, "done")
        iterations = 12 if state == "done" else 20
        score = 1.0 if state == "done" else 9.0
        written(tmp_path, [score] * 12, f"seed={seed}", state=state, iterations=iterations)
    group = only(tmp_path).group
    assert group.finals.tolist() == [1.0, 1.0, 1.0]
    assert (len(group.complete), len(group.runs), group.failed) == (3, 5, 1)
    assert group.count == "n = 3 of 5, 1 failed"


def test_nothing_complete_is_not_shown_and_said(tmp_path: Path) -> None:
    sweep(tmp_path, {0.03: [1.0], 0.1: [2.0]}, state="failed", iterations=99)
    choice = only(tmp_path)
    assert not choice.shown
    assert "no run is complete" in choice.reason


def test_of_several_settings_that_with_most_complete_seeds_is_shown(tmp_path: Path) -> None:
    for seed in range(3):
        written(tmp_path, [1.0], f"seed={seed}")
    for seed in range(2):
        written(tmp_path, [9.0], f"seed={seed}", "algo.cg_iterations=5")
    choice = only(tmp_path)
    assert choice.group.finals.tolist() == [1.0, 1.0, 1.0]
    assert [len(group.runs) for group in choice.left_out] == [2]
    assert not choice.swept


def test_a_tie_between_settings_goes_to_the_better(tmp_path: Path) -> None:
    written(tmp_path, [1.0], "algo.cg_iterations=5")
    written(tmp_path, [2.0], "algo.cg_iterations=6")
    written(tmp_path, [1.5], "algo.cg_iterations=7")
    assert only(tmp_path).group.final == 2.0


def test_a_search_is_scored_by_its_mean_and_others_by_their_batch(tmp_path: Path) -> None:
    written(tmp_path / "a", [1.0, 1.0], "algo=cem", mean_scores=[2.0, 4.0])
    written(tmp_path / "b", [1.0, 1.0])
    assert only(tmp_path / "a").group.finals.tolist() == [3.0]
    assert only(tmp_path / "b").group.finals.tolist() == [1.0]


def test_a_run_of_the_comparison_that_lies_twice_counts_once(tmp_path: Path) -> None:
    written(tmp_path, [1.0], scale="bench")
    written(tmp_path, [2.0], "seed=1", scale="paper")
    written(tmp_path / PAPER_SCALE, [2.0], "seed=1", scale="paper")
    written(tmp_path / PAPER_SCALE, [3.0], scale="paper")
    found = Stored(tmp_path).comparison
    assert [run.seed for run in found.at("bench").runs] == [0]
    assert [run.seed for run in found.at("paper").runs] == [0, 1]
    assert found.scales == ["bench", "paper"]
    with pytest.raises(ConfigError, match="there is no folder"):
        _ = Stored(tmp_path / "nothing").comparison


def test_a_collection_holds_one_scale(tmp_path: Path) -> None:
    written(tmp_path, [1.0], scale="bench")
    other = written(tmp_path, [2.0], "seed=1", scale="paper", state="running", iterations=9)
    found = collect([tmp_path])
    assert [run.seed for run in found.at("bench").runs] == [0]
    assert found.at("bench").complaints == []  # the unfinished run is of the other scale
    assert found.at("paper").complaints == [f"{other.path}: running with 1 of 9 iterations"]
    with pytest.raises(ConfigError, match="no run is of scale=smoke"):
        found.at("smoke")


def test_each_run_is_read_once_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, [0.0, 1.0])
    written(tmp_path / "ablations", [0.0, 1.0], "algo.stepsize=0.02")
    read, asked = collection.read_run, list[Path]()
    monkeypatch.setattr(collection, "read_run", lambda path: asked.append(path) or read(path))
    stored = Stored(tmp_path)
    assert asked == []
    assert stored.comparison is stored.comparison
    assert stored.part("ablations") is stored.part("ablations")
    assert len(asked) == 2
