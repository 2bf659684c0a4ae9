"""The penalty's coefficient as state: in the rows, in the arrays, and across an interruption."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import SMALL, SilentReporter, config_in, essence, rows_of

from trpo_repro.algorithms import single_path
from trpo_repro.cli.compose import run_config
from trpo_repro.config import RunConfig
from trpo_repro.optim.kl_penalty import KlPenalty
from trpo_repro.optim.step import Outcome, StepResult
from trpo_repro.runner.build import build_algorithm
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.runner.signals import StopRequested

RUN = (*SMALL, "algo=kl_penalty", "algo.dual_stepsize=0.2", "checkpoint_seconds=0")


def config(results: Path, *more: str) -> RunConfig:
    return config_in(results, RUN, *more)


def run(results: Path, *more: str) -> RunFolder:
    settings = config(results, *more)
    execute(settings, SilentReporter())
    return RunFolder.of(settings)


def test_each_row_s_penalty_follows_from_the_row_before(tmp_path: Path) -> None:
    rows = rows_of(run(tmp_path, "algo.initial_penalty=0.6"))
    penalties = [float(row["penalty"]) for row in rows]
    divergences = [float(row["kl_mean"]) for row in rows]
    assert penalties[0] == 0.6
    assert min(divergences) < 0.01 < max(divergences)  # both ways are seen
    for before, divergence, after in zip(
        penalties[:-1], divergences[:-1], penalties[1:], strict=True
    ):
        assert after == pytest.approx(before * (1 + 0.2 * (divergence / 0.01 - 1)), rel=1e-12)
        assert (after > before) == (divergence > 0.01)


def test_other_algorithms_leave_the_column_empty(tmp_path: Path) -> None:
    settings = config_in(tmp_path, SMALL, "algo=policy_gradient", "iterations=2")
    execute(settings, SilentReporter())
    assert [row["penalty"] for row in rows_of(RunFolder.of(settings))] == ["", ""]


@pytest.mark.parametrize("algo", ["kl_penalty", "policy_gradient"])
@pytest.mark.parametrize("iteration", [0, 1, 5])
def test_interrupted_run_ends_with_the_bytes_of_one_left_alone(
    algo: str, iteration: int, tmp_path: Path
) -> None:
    words = (*SMALL, f"algo={algo}", "checkpoint_seconds=0")
    execute(config_in(tmp_path / "whole", words), SilentReporter())
    whole = RunFolder.of(config_in(tmp_path / "whole", words))
    estimate, calls = single_path.advantages_and_returns, []

    def stopping(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        if len(calls) == iteration + 1:
            signal.raise_signal(signal.SIGTERM)
        return estimate(*args, **kwargs)

    broken = config_in(tmp_path / "broken", words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(single_path, "advantages_and_returns", stopping)
        with pytest.raises(StopRequested):
            execute(broken, SilentReporter())
    assert len(rows_of(RunFolder.of(broken))) == iteration
    execute(broken, SilentReporter())
    assert essence(RunFolder.of(broken)) == essence(whole)


@pytest.mark.parametrize(
    ("outcome", "factor"),
    [(Outcome.NOT_FINITE, 1.0), (Outcome.ZERO_GRADIENT, 0.8), (Outcome.LINE_SEARCH_FAILED, 0.8)],
)
def test_penalty_after_a_failure(
    outcome: Outcome, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm = build_algorithm(run_config(list(RUN)))
    monkeypatch.setattr(KlPenalty, "step", lambda _, s, rng: StepResult(s.theta_old, outcome))
    arrays = algorithm.initial()
    after, row = algorithm.iterate(arrays, 0)
    assert row["outcome"] == outcome
    assert after["theta"].tobytes() == arrays["theta"].tobytes()
    assert float(after["penalty"]) == pytest.approx(factor * float(arrays["penalty"]))


def test_the_policy_is_what_acting_needs_and_the_arrays_are_left_alone() -> None:
    algorithm = build_algorithm(run_config(list(RUN)))
    arrays = algorithm.initial()
    before = {name: value.tobytes() for name, value in arrays.items()}
    after, _ = algorithm.iterate(arrays, 0)
    assert {name: value.tobytes() for name, value in arrays.items()} == before
    assert "penalty" not in algorithm.policy(after)
    assert np.isfinite(after["penalty"])
