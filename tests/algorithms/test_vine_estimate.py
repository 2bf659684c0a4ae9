"""Vine's rollout set and its estimates, by numbers worked out by hand."""

import dataclasses

import numpy as np
import pytest
import torch

from trpo_repro.algorithms.common import iteration_streams
from trpo_repro.cli.compose import run_config
from trpo_repro.runner.build import build_algorithm
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.vine import Rollouts


def vine(*overrides):
    return build_algorithm(run_config(["task=cartpole", "algo=vine", "threads=1", *overrides]))


def chosen_states(algorithm, *, expected_length):
    arrays = algorithm.initial() | {"expected_length": np.array(expected_length)}
    vines = algorithm._grown(
        arrays,
        Normaliser.from_arrays(arrays),
        streams=iteration_streams(0, 1),
        iteration=1,
    )
    return len(vines.trunk.rewards), len(vines.chosen)


def test_the_rollout_set_is_what_the_trunk_leaves_of_the_budget_but_half_of_the_plan_at_least():
    # Of 10,000 steps the plan leaves 6,000: 75 states, each with four rollouts of 20 steps.
    algorithm = vine("steps_per_iter=10000", "algo.trunk_steps=4000", "algo.rollout_length=20")
    trunk, states = chosen_states(algorithm, expected_length=25.0)  # about what they are
    assert 3000 < trunk < 5000
    assert states == (10_000 - trunk) // 80
    trunk, states = chosen_states(algorithm, expected_length=5.0)  # five times as long as expected
    assert trunk > 10_000
    assert states == 75 // 2


class KnownValues:
    """V(s) = the first coordinate plus ten times the age."""

    def predict(self, coefficients, observations, *, age):
        return observations[:, 0].astype(np.float64) + 10.0 * age


def estimate(proposal):
    """Return what is made of two states, of which one rollout of the first terminated."""
    algorithm = vine("task.horizon=100")
    algorithm = dataclasses.replace(
        algorithm,
        baseline=KnownValues(),
        branches=dataclasses.replace(algorithm.branches, proposal=proposal),
    )
    final = np.zeros((2, 2, 4), np.float32)
    final[..., 0] = [[4.0, 8.0], [2.0, 6.0]]
    rollouts = Rollouts(
        observations=np.full((2, 4), 6.0, np.float32),
        actions=np.array([[[0.0], [1.0]], [[2.0], [-1.0]]], np.float32),
        q_values=np.array([[1.0, 2.0], [3.0, 4.0]]),
        tail_weights=np.array([[0.5, 0.0], [0.1, 1.0]]),
        final_observations=final,
        lengths=np.array([[20, 20], [20, 5]]),
    )
    moments = Normaliser(count=1.0, mean=np.array([2.0, 0, 0, 0]), squares=np.full(4, 4.0))
    return algorithm._estimate(
        rollouts,
        moments,
        coefficients=np.zeros(0),
        age=np.array([0.5, 0.9]),
        theta=torch.zeros(algorithm.sampler.policy.parameter_count),
    )


def test_cut_rollouts_are_valued_where_they_end_and_compared_within_their_state():
    batch = estimate("policy")
    # V of the first state's: (4 − 2)/2 + 10·0.7 = 8; of the second's (2 − 2)/2 + 10·1, no age being
    # above 1, and (6 − 2)/2 + 10·0.95.
    q_values = np.array([[1.0 + 0.5 * 8.0, 2.0], [3.0 + 0.1 * 10.0, 4.0 + 11.5]])
    differences = q_values - q_values.mean(axis=1, keepdims=True)
    assert batch.q_values.numpy() == pytest.approx(differences / differences.std(), rel=1e-6)
    assert batch.observations[0].tolist() == [2.0, 3.0, 3.0, 3.0]


def test_log_q_is_the_policys_own_where_it_proposes_and_a_constant_elsewhere():
    of_policy, uniform, every = (estimate(name) for name in ("policy", "uniform", "all"))
    standard_normal = -0.5 * np.log(2 * np.pi) - 0.5 * np.array([[0.0, 1.0], [4.0, 1.0]])
    assert of_policy.log_q.numpy() == pytest.approx(standard_normal, rel=1e-6)
    assert not uniform.log_q.any()
    assert [of_policy.exhaustive, uniform.exhaustive, every.exhaustive] == [False, False, True]
