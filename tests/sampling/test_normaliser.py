"""Running moments against NumPy's."""

import numpy as np
import pytest

from trpo_repro.sampling.normaliser import CLIP, Normaliser


def some_observations(rows=1000, seed=0):
    rng = np.random.default_rng(seed)
    scales, shifts = np.array([1e-3, 1.0, 1e3]), np.array([5.0, 0.0, -1e4])
    return (shifts + scales * rng.standard_normal((rows, 3))).astype(np.float32)


def test_a_normaliser_that_has_seen_nothing_is_the_identity():
    observations = some_observations()
    assert np.array_equal(Normaliser.identity(3)(observations), observations)


@pytest.mark.parametrize("cuts", [(), (1,), (10, 11, 500)])
def test_moments_gathered_in_parts_are_those_of_numpy_over_all(cuts):
    observations = some_observations()
    normaliser = Normaliser.identity(3)
    for part in np.split(observations, cuts):
        normaliser = normaliser.updated(part)
    wide = observations.astype(np.float64)
    assert normaliser.count == 1000
    np.testing.assert_allclose(normaliser.mean, wide.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(normaliser.squares / 1000, wide.var(axis=0), rtol=1e-9)


def test_normalised_observations_have_mean_zero_and_variance_one():
    observations = some_observations()
    normalised = Normaliser.identity(3).updated(observations)(observations)
    assert normalised.dtype == np.float32
    # float32 holds 5 ± 0.001 to about 5e-7, 5e-4 standard deviations.
    np.testing.assert_allclose(normalised.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(normalised.std(axis=0), 1.0, atol=1e-3)


def test_outliers_are_clipped():
    normaliser = Normaliser.identity(3).updated(some_observations())
    far = np.array([[1e6, -1e6, 1e9]], np.float32)
    assert normaliser(far).tolist() == [[CLIP, -CLIP, CLIP]]


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e5])
def test_entries_that_never_vary_are_centred_and_not_blown_up(constant):
    observations = np.full((1000, 3), constant, np.float32)
    normaliser = Normaliser.identity(3)
    for part in np.split(observations, [7, 300]):
        normaliser = normaliser.updated(part)
    assert not normaliser(observations).any()
    np.testing.assert_allclose(normaliser(observations + 1), 1.0, rtol=1e-6)


def test_a_single_observation_is_safe():
    observations = some_observations(rows=1)
    assert not Normaliser.identity(3).updated(observations)(observations).any()


def test_updating_and_normalising_leave_their_inputs_as_they_were():
    observations = some_observations()
    before = observations.copy()
    normaliser = Normaliser.identity(3).updated(observations)
    mean, squares = normaliser.mean.copy(), normaliser.squares.copy()
    normaliser.updated(some_observations(seed=1))
    normaliser(observations)
    np.testing.assert_array_equal(observations, before)
    np.testing.assert_array_equal(normaliser.mean, mean)
    np.testing.assert_array_equal(normaliser.squares, squares)


def test_storing_and_rebuilding_changes_nothing():
    normaliser = Normaliser.identity(3).updated(some_observations())
    rebuilt = Normaliser.from_arrays(normaliser.arrays())
    observations = some_observations(seed=1)
    assert rebuilt(observations).tobytes() == normaliser(observations).tobytes()
    assert rebuilt.count == normaliser.count
