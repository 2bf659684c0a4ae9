"""Baselines against NumPy's least squares and on data whose answer is known."""

import numpy as np
import pytest

from trpo_repro.errors import ConfigError
from trpo_repro.parallel import Workers
from trpo_repro.sampling import baselines
from trpo_repro.sampling.baselines import (
    BASELINES,
    Baseline,
    LinearBaseline,
    MlpBaseline,
    NoBaseline,
)

ROWS, SIZE = 2000, 3


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    monkeypatch.setattr(baselines, "CHUNK", 300)


def some_states(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, SIZE)).astype(np.float32), rng.random(rows)


def in_the_span_of_the_features(observations, age):
    wide = observations.astype(np.float64)
    return 2.0 + wide @ [1.0, -2.0, 0.5] + wide**2 @ [0.3, 0.0, -1.0] + age - age**2 + 4 * age**3


def fitted(baseline: Baseline, observations, age, returns, start=None):
    start = baseline.initial(np.random.default_rng(0)) if start is None else start
    return baseline.fit(start, observations, age=age, returns=returns, rng=np.random.default_rng(1))


def test_no_baseline_is_zero_before_and_after_a_fit():
    baseline = NoBaseline(SIZE, Workers(1))
    observations, age = some_states()
    coefficients = fitted(baseline, observations, age, np.ones(ROWS))
    assert not baseline.predict(coefficients, observations, age=age).any()


@pytest.mark.parametrize("name", BASELINES)
def test_unfitted_baselines_predict_zero(name):
    baseline = BASELINES[name](SIZE, Workers(1))
    observations, age = some_states()
    start = baseline.initial(np.random.default_rng(0))
    assert not baseline.predict(start, observations, age=age).any()


def test_linear_fits_what_its_features_span():
    baseline = LinearBaseline(SIZE, Workers(1))
    observations, age = some_states()
    returns = in_the_span_of_the_features(observations, age)
    coefficients = fitted(baseline, observations, age, returns)
    others, their_age = some_states(seed=1)
    found = baseline.predict(coefficients, others, age=their_age)
    # The ridge pulls by a share of about 1e-5 over the least eigenvalue of the moments, 1e-3.
    np.testing.assert_allclose(found, in_the_span_of_the_features(others, their_age), atol=0.05)


def test_linear_fit_is_least_squares_with_a_ridge_by_numpy():
    baseline = LinearBaseline(SIZE, Workers(1))
    observations, age = some_states()
    returns = np.random.default_rng(2).standard_normal(ROWS)
    wide = observations.astype(np.float64)
    features = np.column_stack([wide, wide**2, np.ones(ROWS), age, age**2, age**3])
    # A ridge is least squares with one more row for each coefficient.
    ridge = np.sqrt(LinearBaseline.RIDGE * ROWS) * np.eye(features.shape[1])
    expected, *_ = np.linalg.lstsq(
        np.vstack([features, ridge]), np.append(returns, np.zeros(len(ridge))), rcond=None
    )
    coefficients = fitted(baseline, observations, age, returns)
    np.testing.assert_allclose(coefficients, expected, atol=1e-9)
    np.testing.assert_allclose(
        baseline.predict(coefficients, observations, age=age), features @ expected, atol=1e-9
    )


def test_linear_survives_constant_observations():
    baseline = LinearBaseline(SIZE, Workers(1))
    observations, age = np.ones((ROWS, SIZE), np.float32), np.zeros(ROWS)
    coefficients = fitted(baseline, observations, age, np.full(ROWS, 5.0))
    found = baseline.predict(coefficients, observations, age=age)
    np.testing.assert_allclose(found, 5.0, rtol=1e-4)


def test_mlp_lowers_the_error_with_each_fit():
    baseline = MlpBaseline(SIZE, Workers(1))
    observations, age = some_states()
    returns = 100.0 + 30.0 * np.sin(2 * observations[:, 0]) * age  # nothing linear can do
    coefficients = baseline.initial(np.random.default_rng(0))
    errors = []
    for _ in range(4):
        predicted = baseline.predict(coefficients, observations, age=age)
        errors.append(np.mean((returns - predicted) ** 2))
        coefficients = fitted(baseline, observations, age, returns, start=coefficients)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.8 * returns.var()


def test_mlp_of_constant_returns_predicts_them():
    baseline = MlpBaseline(SIZE, Workers(1))
    observations, age = some_states()
    coefficients = fitted(baseline, observations, age, np.full(ROWS, 3.0))
    np.testing.assert_allclose(
        baseline.predict(coefficients, observations, age=age), 3.0, atol=1e-6
    )


@pytest.mark.parametrize("name", BASELINES)
def test_threads_move_no_bit(name):
    observations, age = some_states()
    returns = in_the_span_of_the_features(observations, age)
    results = []
    for threads in (1, 2):
        baseline = BASELINES[name](SIZE, Workers(threads))
        coefficients = fitted(baseline, observations, age, returns)
        predicted = baseline.predict(coefficients, observations, age=age)
        results.append((coefficients.tobytes(), predicted.tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", BASELINES)
def test_a_fit_leaves_the_old_coefficients_as_they_were(name):
    baseline = BASELINES[name](SIZE, Workers(1))
    observations, age = some_states()
    start = baseline.initial(np.random.default_rng(0))
    before = start.copy()
    fitted(baseline, observations, age, np.arange(float(ROWS)), start=start)
    np.testing.assert_array_equal(start, before)


def test_linear_baseline_of_a_whole_screen_is_refused_before_its_square_is_wanted():
    with pytest.raises(ConfigError, match="cannot be fitted to 100,800 numbers; fix: use"):
        LinearBaseline(210 * 160 * 3, Workers(1))
    assert MlpBaseline(210 * 160 * 3, Workers(1))
