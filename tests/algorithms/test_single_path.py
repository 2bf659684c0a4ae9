"""Single-path TRPO as a pure function of its arrays, and as a learner, on cart-pole."""

import dataclasses

import numpy as np
import pytest

from trpo_repro.algorithms.common import ages, iteration_streams
from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.cli.compose import run_config
from trpo_repro.optim.step import NaturalDirection
from trpo_repro.optim.trust_region import TrustRegion
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.runner.build import build_algorithm
from trpo_repro.sampling.baselines import BASELINES
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.returns import discounted_sums
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.tasks.cartpole import CartPole

CLOCKS = ("sampling_s", "update_s")
STEPSIZE = 0.01


def an_algorithm(*, threads=1, steps=1000, baseline="linear", **settings):
    simulator, workers = CartPole(horizon=200), Workers(threads)
    policy = Policy(4, simulator.actions, hidden_sizes=(), initial_std=1.0)
    direction = NaturalDirection(cg_iterations=10, damping=1e-4, fisher_fraction=0.1)
    defaults = {"seed": 7, "discount": 0.99, "lambda_": 1.0, "normalise": True}
    return SinglePath(
        sampler=Sampler(simulator, policy, workers),
        baseline=BASELINES[baseline](4, workers),
        update=TrustRegion(stepsize=STEPSIZE, direction=direction, shrink=0.8, max_backtracks=15),
        steps=steps,
        **(defaults | settings),
    )


def run(algorithm, iterations):
    arrays, rows = algorithm.initial(), []
    for iteration in range(iterations):
        arrays, row = algorithm.iterate(arrays, iteration)
        rows.append(row)
    return arrays, rows


def as_bytes(arrays):
    return {name: (value.dtype.str, value.tobytes()) for name, value in arrays.items()}


def without_clocks(row):
    return {name: value for name, value in row.items() if name not in CLOCKS}


@pytest.mark.parametrize("baseline", BASELINES)
def test_an_iteration_is_a_pure_function_of_its_arrays_and_number(baseline):
    algorithm = an_algorithm(baseline=baseline)
    arrays, _ = run(algorithm, 2)
    before = as_bytes(arrays)
    first, row = algorithm.iterate(arrays, 2)
    assert as_bytes(arrays) == before
    algorithm.iterate(first, 3)  # what came in between leaves no trace
    for again in (algorithm, an_algorithm(baseline=baseline)):
        second, second_row = again.iterate(arrays, 2)
        assert as_bytes(second) == as_bytes(first)
        assert without_clocks(second_row) == without_clocks(row)


def test_another_iteration_or_seed_samples_other_numbers():
    arrays, _ = run(an_algorithm(), 1)
    first = an_algorithm().iterate(arrays, 1)[1]["return_mean"]
    assert an_algorithm().iterate(arrays, 2)[1]["return_mean"] != first
    assert an_algorithm(seed=8).iterate(arrays, 1)[1]["return_mean"] != first


@pytest.mark.parametrize("baseline", BASELINES)
def test_threads_move_no_bit(baseline):
    # 15,000 steps are three groups of simulators and more than one chunk of the update.
    one, two = (run(an_algorithm(threads=n, steps=15_000, baseline=baseline), 2) for n in (1, 2))
    assert as_bytes(one[0]) == as_bytes(two[0])
    assert list(map(without_clocks, one[1])) == list(map(without_clocks, two[1]))


@pytest.mark.parametrize("lambda_", [1.0, 0.95])
def test_cart_pole_is_learned_and_every_accepted_step_stays_in_the_trust_region(lambda_):
    _, rows = run(an_algorithm(steps=5000, lambda_=lambda_), 15)
    accepted = [row for row in rows if row["outcome"] == "accepted"]
    assert len(accepted) >= 10
    for row in accepted:
        assert 0.0 < row["kl_mean"] <= STEPSIZE
        assert row["kl_max"] >= row["kl_mean"]
        assert row["surrogate_gain"] > 0.0
    assert rows[0]["score"] < 3.0  # ten points for each of some 40 steps of 200
    assert rows[-1]["score"] > 2 * rows[0]["score"]


def test_the_row_describes_the_batch():
    algorithm = an_algorithm()
    _, row = algorithm.iterate(algorithm.initial(), 0)
    assert row["sim_steps"] >= 1000
    assert row["length_mean"] * row["episodes"] == pytest.approx(row["sim_steps"])
    assert row["score"] == pytest.approx(row["return_mean"] / 200)
    # Cart-pole pays just under ten a step, and nothing for the one that falls.
    upright = row["length_mean"] - 1
    assert 9.9 * upright < row["return_mean"] < 10 * (upright + 1)
    assert row["entropy"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e), rel=1e-6)  # σ = 1


class Captured(Exception):
    """Carries the surrogate that an update was given."""


class Capture:
    def step(self, surrogate, rng):
        raise Captured(surrogate)


def advantages_of(*overrides):
    """Return the first batch's advantages."""
    settings = ["task=cartpole", "steps_per_iter=1000", "threads=1"]
    built = build_algorithm(run_config([*settings, *overrides]))
    algorithm = dataclasses.replace(built, update=Capture())
    with pytest.raises(Captured) as caught:
        algorithm.iterate(algorithm.initial(), 0)
    return caught.value.args[0].batch.advantages.numpy()


@pytest.mark.parametrize("algo", ["single_path", "empirical_fim", "natural_gradient"])
def test_advantages_keep_their_unit_where_that_is_asked_for(algo):
    usual = advantages_of(f"algo={algo}", "estimator.baseline=none")
    raw = advantages_of(
        f"algo={algo}", "estimator.baseline=none", "algo.standardise_advantages=false"
    )
    assert (usual.mean(), usual.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    np.testing.assert_allclose((raw - raw.mean()) / raw.std(), usual, atol=1e-4)
    # Cart-pole pays ten points for a step up and none for the last: discounted sums of these.
    steps_left = np.log(1 - raw / 10 * (1 - 0.99)) / np.log(0.99)
    assert raw.std() > 10
    np.testing.assert_allclose(steps_left, steps_left.round(), atol=0.1)


def test_a_failed_update_keeps_the_policy_bit_for_bit_and_says_so():
    algorithm = an_algorithm()
    hopeless = dataclasses.replace(algorithm.update, stepsize=1e-30)  # float32 cannot step so far
    algorithm = dataclasses.replace(algorithm, update=hopeless)
    arrays = algorithm.initial()
    after, row = algorithm.iterate(arrays, 0)
    assert row["outcome"] == "line_search_failed"
    assert after["theta"].tobytes() == arrays["theta"].tobytes()
    assert (row["kl_mean"], row["surrogate_gain"]) == (0.0, 0.0)


def test_normalisation_is_frozen_within_an_iteration_and_updated_after_it():
    algorithm = an_algorithm()
    arrays = algorithm.initial()
    assert arrays["observation_count"] == 0
    after, row = algorithm.iterate(arrays, 0)
    assert after["observation_count"] == row["sim_steps"]
    # The first batch was sampled without normalisation, as with normalisation switched off.
    plain, plain_row = an_algorithm(normalise=False).iterate(arrays, 0)
    assert without_clocks(plain_row) == without_clocks(row)
    assert plain["observation_count"] == 0


def test_the_fitted_baseline_predicts_the_next_batch_as_its_policy_will_see_it():
    algorithm = an_algorithm(steps=5000)
    arrays, _ = run(algorithm, 1)
    normaliser = Normaliser.from_arrays(arrays)
    batch = algorithm.sampler.batch(
        arrays["theta"],
        normaliser,
        streams=iteration_streams(algorithm.seed, 1),
        steps=5000,
        expected_length=float(arrays["expected_length"]),
    )
    returns = discounted_sums(
        batch.rewards, batch.lengths, factor=0.99, tails=np.zeros(len(batch.lengths))
    )
    predicted = algorithm.baseline.predict(
        arrays["baseline"], normaliser(batch.observations), age=ages(batch, 200)
    )
    assert np.var(returns - predicted) < 0.8 * np.var(returns)


def test_the_policy_is_theta_and_the_normalisation():
    algorithm = an_algorithm()
    arrays = algorithm.initial()
    assert set(algorithm.policy(arrays)) == {
        "theta",
        "observation_count",
        "observation_mean",
        "observation_squares",
    }
    assert arrays["theta"].shape == (6,)
