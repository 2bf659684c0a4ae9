from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trpo_repro.report.statistics import bootstrap_band, mean_interval


@pytest.mark.parametrize("count", [2, 5, 100])
def test_interval_is_student_s(count: int) -> None:
    values = np.random.default_rng(count).normal(3.0, 2.0, count)
    wanted = stats.t.interval(0.95, count - 1, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx(wanted)


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        low, high = mean_interval(rng.normal(1.0, 1.0, 5)) or (0.0, 0.0)
        hits += low <= 1.0 <= high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval() -> None:
    assert mean_interval(np.array([3.0])) is None


def test_interval_of_equal_values_is_a_point() -> None:
    assert mean_interval(np.full(4, 2.5)) == (2.5, 2.5)


def test_band_is_that_of_resampled_seeds() -> None:
    curves = np.random.default_rng(1).normal(size=(6, 3))
    low, high = bootstrap_band(curves)
    for point in range(3):
        draws = np.random.default_rng(2).choice(curves[:, point], (20000, 6)).mean(axis=1)
        assert [low[point], high[point]] == pytest.approx(
            np.quantile(draws, [0.025, 0.975]), abs=0.06
        )


def test_band_resamples_whole_seeds_alike_at_every_point() -> None:
    curves = np.random.default_rng(3).normal(size=(5, 1)) + np.arange(4.0)
    low, high = bootstrap_band(curves)
    assert np.ptp(high - low) < 1e-12


def test_band_of_equal_seeds_has_no_width_and_repeats_exactly() -> None:
    curves = np.tile(np.arange(4.0), (3, 1))
    low, high = bootstrap_band(curves)
    np.testing.assert_allclose(low, np.arange(4.0))
    np.testing.assert_allclose(high, np.arange(4.0))
    np.testing.assert_array_equal(bootstrap_band(curves + 0.5), bootstrap_band(curves + 0.5))
