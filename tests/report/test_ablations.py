"""Ablations and published numbers: which runs belong, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_runs import measured, outcome, written

from trpo_repro.report import published
from trpo_repro.report.ablations import FOLDER, ablations
from trpo_repro.report.choice import choices
from trpo_repro.report.collection import Stored, collect


def test_members_differ_from_the_comparison_in_one_setting_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [1.0, 99.0], seed=3)  # a seed that nothing was varied on
    for seed in range(3):
        written(tmp_path, [1.0, 2.0 + seed], seed=seed)
        for words in (["algo.cg_iterations=20"], ["algo.cg_iterations=5"]):
            written(tmp_path / "ablations", [1.0, 4.0], *words, seed=seed)
    both = ("algo.cg_iterations=1", "algo.stepsize=0.1")
    written(tmp_path / "ablations", [1.0, 4.0], *both)
    chosen = choices(collect([tmp_path / "runs"]).runs)
    found = ablations(chosen, Stored(tmp_path).part(FOLDER).runs)
    assert list(found) == ["cg_iterations"]
    members = found["cg_iterations"]["cartpole"]
    assert [(m.value, m.default) for m in members] == [(5, False), (10, True), (20, False)]
    for command, wanted in (("figures", "ablation_cg_iterations.svg"), ("tables", "ablations.md")):
        assert outcome(command, "--results-dir", str(tmp_path), capsys=capsys)[0] == 0
        assert (tmp_path / command / wanted).is_file()
    figure4 = (tmp_path / "figures" / "figure4.csv").read_text()
    assert figure4.count("single_path") == 2  # what was varied is no setting of the comparison
    text = (tmp_path / "tables" / "ablations.md").read_text()
    assert "| 10 (default) | 3 | 2.00 [" in text


def test_what_is_measured_is_drawn_and_stands_in_the_table_of_ablations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [1.0, 2.0])
    policies = ("cartpole, untrained policy", "hopper, trained policy")
    rows = [("vine / single path", task, 0.4, 0.2, 0.6) for task in policies]
    measured(tmp_path, "variance", *rows, ("another", "hopper", 3.0, 2.0, 4.0))
    for command in ("figures", "tables"):
        assert outcome(command, "--results-dir", str(tmp_path), capsys=capsys)[0] == 0
    drawn = (tmp_path / "figures" / "ablation_variance.csv").read_text().splitlines()
    assert [line.count("vine / single path") for line in drawn] == [0, 1, 1]
    assert not (tmp_path / "figures" / "ablation_products.csv").exists()
    text = (tmp_path / "tables" / "ablations.md").read_text()
    assert "| cartpole, untrained policy | vine / single path | 9 | 0.4 [0.2, 0.6] |" in text
    assert "another" not in text


def test_our_returns_stand_above_the_published_with_steps_and_versions(tmp_path: Path) -> None:
    for seed in range(3):
        words = ("task=gym", "task.id=Hopper-v5", "estimator.lambda_=0.97", "steps_per_iter=5000")
        written(tmp_path, [1.0] * 20, *words, seed=seed)
    frame = published.table(collect([tmp_path]).runs).shown
    ours = frame.iloc[0]
    assert (ours["source"], ours["method"]) == (
        "trpo-repro",
        "single path, GAE(0.97), 5,000 a batch",
    )
    assert (ours["steps"], ours["seeds"]) == ("100,000", "3")
    assert ours["hopper"] == "200 [200, 200]"
    assert len(frame) == 1 + len(published.published())


def test_seeds_are_named_by_robot_where_they_differ(tmp_path: Path) -> None:
    for robot, seeds in (("Walker2d-v5", 1), ("Hopper-v5", 2), ("Swimmer-v5", 2)):
        for seed in range(seeds):
            written(tmp_path, [1.0] * 20, "task=gym", f"task.id={robot}", seed=seed)
    ours = published.table(collect([tmp_path]).runs).shown.iloc[0]
    assert ours["seeds"] == "swimmer 2; hopper 2; walker 1"
