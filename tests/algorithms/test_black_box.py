"""The derivative-free searches as algorithms: what a generation leaves behind."""

from __future__ import annotations

import numpy as np
import pytest

from trpo_repro.cli.compose import run_config
from trpo_repro.runner.build import build_algorithm

MOMENTS = ("observation_count", "observation_mean", "observation_squares")


@pytest.mark.parametrize("algo", ["cem", "cma"])
def test_the_moments_of_observations_stay_once_they_are_learned(algo: str) -> None:
    settings = ["algo.normalise_generations=2", "algo.population=6", "scale=smoke", "threads=1"]
    learner = build_algorithm(run_config([f"algo={algo}", *settings]))
    states = [learner.initial()]
    for generation in range(4):
        states.append(learner.iterate(states[-1], generation)[0])
    counts = [float(state["observation_count"]) for state in states]
    assert counts[0] < counts[1] < counts[2]
    for name in MOMENTS:
        np.testing.assert_array_equal(states[2][name], states[3][name])
        np.testing.assert_array_equal(states[2][name], states[4][name])
    assert not np.array_equal(states[3]["theta"], states[4]["theta"])  # the search goes on


def test_without_normalisation_nothing_is_learned_of_the_observations() -> None:
    settings = ["algo=cem", "scale=smoke", "threads=1", "estimator.normalise_observations=false"]
    learner = build_algorithm(run_config(settings))
    begun = learner.initial()
    after, _ = learner.iterate(begun, 0)
    for name in MOMENTS:
        np.testing.assert_array_equal(begun[name], after[name])
