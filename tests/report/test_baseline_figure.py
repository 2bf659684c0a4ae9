"""The natural gradient with a baseline and without: which runs are in which panel."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_runs import outcome, written

from trpo_repro.report import baseline_figure
from trpo_repro.report.choice import choices
from trpo_repro.report.collection import collect

NATURAL = ("task=hopper", "algo=natural_gradient")
RAW = "algo.standardise_advantages=false"
NONE = "estimator.baseline=none"


def store(results: Path) -> None:
    for seed in range(3):
        written(results, [1.0, 2.0], *NATURAL, seed=seed)
        written(results, [1.0, 3.0], "task=hopper", seed=seed)
        apart = results / baseline_figure.FOLDER
        written(apart, [0.0, 0.5], *NATURAL, RAW, NONE, "algo.stepsize=0.1", seed=seed)
        written(apart, [0.0, 2.5], "task=hopper", RAW, NONE, seed=seed)
    written(results, [9.0, 9.0], "task=hopper", "algo=empirical_fim")
    written(apart, [9.0], *NATURAL, RAW, NONE, "algo.stepsize=0.3", state="failed", iterations=2)


def test_each_panel_has_the_runs_that_made_their_advantages_its_way(tmp_path: Path) -> None:
    store(tmp_path)
    chosen = choices(collect([tmp_path / "runs"]).runs)
    apart = collect([tmp_path / baseline_figure.FOLDER]).runs
    picture = baseline_figure.draw(chosen, apart)
    assert picture is not None
    last = picture.numbers[picture.numbers["policy iteration"] == 1]
    with_one, without = (
        baseline_figure.PANELS[("linear", True)],
        list(baseline_figure.PANELS.values())[-1],
    )
    assert [(row.panel, row.algorithm, row.mean, row.n) for row in last.itertuples()] == [
        (with_one, "natural_gradient", 2.0, 3),
        (with_one, "single_path", 3.0, 3),
        (without, "natural_gradient", 0.5, 3),
        (without, "single_path", 2.5, 3),
    ]
    assert [ax.get_title() for ax in picture.figure.axes] == [with_one, without]
    assert baseline_figure.draw(chosen, []) is None


def test_the_command_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path)
    code, out, _ = outcome("figures", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    assert str(tmp_path / "figures" / "baseline.png") in out.splitlines()
