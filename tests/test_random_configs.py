"""Properties of the whole configuration (faults 16 and 17)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_configs import PAIRS, config_or_complaint, overrides, run_to_its_end

QUICK = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CHEAP = [(task, algo) for task, algo in PAIRS if task in ("cartpole", "swimmer", "gym")]
PONG = [(task, algo) for task, algo in PAIRS if task == "pong"]


@settings(QUICK, max_examples=40)
@given(words=overrides(PAIRS, wrong=True))
def test_wrong_setting_is_one_line_that_names_it(words: list[str]) -> None:
    config_or_complaint(words)


@pytest.mark.slow
@settings(QUICK, max_examples=40)
@given(words=overrides(CHEAP, wrong=False))
def test_accepted_configuration_runs_two_iterations(words: list[str]) -> None:
    run_to_its_end(words)


@pytest.mark.slow
@settings(QUICK, max_examples=6)
@given(
    words=overrides([p for p in PAIRS if p[0] == "pong"], wrong=False), horizon=st.integers(1, 5)
)
def test_accepted_configuration_of_a_game_runs(words: list[str], horizon: int) -> None:
    run_to_its_end([*words, "steps_per_iter=10", f"task.horizon={horizon}"])
