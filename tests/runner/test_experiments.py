"""The experiment files: how they are read, and that those of this project are what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.experiments import experiment
from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.report.ablations import ABLATIONS, FOLDER
from trpo_repro.report.collection import PAPER_SCALE
from trpo_repro.report.groups import settings
from trpo_repro.runner.sweep import read_experiment
from trpo_repro.settings import VineConfig


def test_what_is_common_holds_in_every_cell_that_does_not_say_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(
        "common:\n  task: [hopper, walker]\n  seed: 3\n"
        "cells:\n  - algo: vine\n  - task: swimmer\n    algo.line_search: false\n"
    )
    assert read_experiment(path) == [
        ["task=hopper", "seed=3", "algo=vine"],
        ["task=walker", "seed=3", "algo=vine"],
        ["task=swimmer", "seed=3", "algo.line_search=false"],
    ]


@pytest.mark.parametrize("text", ["cells: []\nmore: 1", "common: {}", "common: []\ncells: []", "1"])
def test_what_is_no_experiment_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="an experiment is a list `cells`"):
        read_experiment(path)


def configs(name: str) -> list[RunConfig]:
    """Return the configurations of an experiment's first seed."""
    lines = read_experiment(experiment(name))
    return [run_config(line) for line in lines if "seed=0" in line]


def test_each_ablation_changes_the_one_setting_that_its_figure_shows() -> None:
    changed: dict[tuple[str, str], set[object]] = {}
    usual: dict[tuple[str, str], dict[str, object]] = {}
    for config in configs("ablations"):
        assert config.results_dir == f"results/{FOLDER}"
        task, algo = config.task.name, config.algo.name
        if (task, algo) not in usual:
            usual[task, algo] = dict(
                settings(run_config([f"task={task}", f"algo={algo}"]).science())
            )
        own = dict(settings(config.science()))
        (key,) = {key for key in own if own[key] != usual[task, algo][key]}
        changed.setdefault((algo, key), set()).add(own[key])
    assert changed.keys() == {(a.algorithm, a.setting) for a in ABLATIONS}
    assert changed["single_path", "algo.cg_iterations"] == {1, 2, 5, 20, 50}
    assert changed["single_path", "algo.stepsize"] == {0.001, 0.003, 0.03, 0.1}
    assert len(usual) == 4


def test_gymnasium_s_robots_are_run_for_one_and_ten_million_steps() -> None:
    found = configs("gym_v5")
    assert {config.steps_per_iter * config.iterations for config in found} == {10**6, 10**7}
    assert len({config.identity() for config in found}) == len(found) == 3 * (2 * 2 + 1)
    assert len(read_experiment(experiment("gym_v5"))) == 5 * len(found)


def test_runs_of_the_paper_s_scale_have_the_sizes_of_tables_2_and_3() -> None:
    found = configs("paper_scale")
    names = {(config.task.name, config.algo.name) for config in found}
    robots = {"swimmer": (50_000, 200), "hopper": (10**6, 200), "walker": (10**6, 200)}
    games = {"pong": (100_000, 500), "seaquest": (100_000, 500)}
    lengths = {"swimmer": 50, "hopper": 100, "walker": 100}
    wanted = {(t, a) for t in robots for a in ("single_path", "vine")}
    assert names == wanted | {(game, "single_path") for game in games}
    for config in found:
        assert config.results_dir == f"results/{PAPER_SCALE}"
        assert (config.steps_per_iter, config.iterations) == (robots | games)[config.task.name]
        if isinstance(config.algo, VineConfig):
            length = lengths[config.task.name]
            assert (config.algo.rollouts_per_state, config.algo.rollout_length) == (4, length)
            assert config.algo.trunk_steps == 16 * 1000  # rollouts for sampling times their length
