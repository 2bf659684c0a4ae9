"""Settings that a run leaves alone: they move none of its numbers, and are refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.list import settings
from trpo_repro.config import plain, without_use
from trpo_repro.errors import ConfigError
from trpo_repro.runner.build import build_algorithm
from trpo_repro.settings import ALGORITHM_CONFIGS

OTHERS = {"discount": 0.9, "lambda_": 0.5, "baseline": "none", "normalise_observations": False}


@pytest.mark.parametrize("algo", ALGORITHM_CONFIGS)
def test_a_setting_moves_a_policy_unless_it_is_said_to_be_without_use(algo: str) -> None:
    usual, idle = after_three_iterations(algo), without_use(run_config([f"algo={algo}"]))
    for name, value in OTHERS.items():
        same = np.array_equal(after_three_iterations(algo, **{name: value}), usual)
        assert same == (f"estimator.{name}" in idle), name


def after_three_iterations(algo: str, **settings: Any) -> np.ndarray:
    config = run_config(["task=cartpole", f"algo={algo}", "scale=smoke", "threads=1"])
    estimator = dataclasses.replace(config.estimator, **settings)
    algorithm = build_algorithm(dataclasses.replace(config, estimator=estimator))
    arrays = algorithm.initial()
    for iteration in range(3):  # the baseline of the first one is zero
        arrays, _ = algorithm.iterate(arrays, iteration)
    return arrays["theta"]


@pytest.mark.parametrize(
    ("because", "key", "value"),
    [
        ("algo=vine", "estimator.lambda_", "0.97"),
        ("algo=cem", "estimator.discount", "0.9"),
        ("algo=cma", "estimator.baseline", "mlp"),
        ("algo.line_search=false", "algo.max_backtracks", "5"),
        ("algo.line_search=false", "algo.line_search_shrink", "0.5"),
        ("algo.proposal=all", "algo.rollouts_per_state", "8"),
    ],
)
def test_setting_that_a_run_leaves_alone_is_refused(because: str, key: str, value: str) -> None:
    """It would make another run of the same numbers."""
    words = ["algo=vine", because] if key == "algo.rollouts_per_state" else [because]
    with pytest.raises(ConfigError) as caught:
        run_config([*words, f"{key}={value}"])
    assert str(caught.value) == f"'{key}' does nothing with {because}; fix: take it out"
    usual = dict(settings(plain(run_config(words))))[key]
    run_config([*words, f"{key}={usual}"])  # as `list` shows it
