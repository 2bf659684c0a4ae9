from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trpo_repro.report.statistics import (
    aligned,
    bootstrap_band,
    bootstrap_interval,
    difference_interval,
    improvement_interval,
    interquartile_mean,
    mean_interval,
    probability_of_improvement,
    ratio_interval,
)


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


def test_iqm_is_the_mean_of_the_middle_half_counted_by_hand() -> None:
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, 3.0, -50.0])) == 2.0  # one off each end
    eight = np.array([8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 40.0])
    assert interquartile_mean(eight) == (3 + 5 + 6 + 7) / 4
    assert interquartile_mean(np.array([1.0, 5.0])) == 3.0
    np.testing.assert_array_equal(interquartile_mean(np.stack([eight, eight + 1])), [5.25, 6.25])


@pytest.mark.parametrize(("n", "m"), [(5, 5), (10, 3), (1, 4)])
def test_probability_of_improvement_is_mann_whitney_s_u_over_the_pairs(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    ours, others = rng.integers(0, 4, n).astype(float), rng.integers(0, 4, m).astype(float)  # ties
    wanted = stats.mannwhitneyu(ours, others).statistic / (n * m)
    assert probability_of_improvement(ours, others) == pytest.approx(wanted)
    assert probability_of_improvement(others, ours) == pytest.approx(1 - wanted)


def test_interval_of_the_improvement_resamples_each_side_by_itself() -> None:
    rng = np.random.default_rng(4)
    ours, others = rng.normal(0.5, 1, 8), rng.normal(0, 1, 6)
    draws = [
        stats.mannwhitneyu(rng.choice(ours, 8), rng.choice(others, 6)).statistic / 48
        for _ in range(3000)
    ]
    wanted = np.quantile(draws, [0.025, 0.975])
    assert improvement_interval(ours, others) == pytest.approx(tuple(wanted), abs=0.03)
    assert improvement_interval(ours, others) == improvement_interval(ours, others)
    assert improvement_interval(ours, others[:2]) is None


def test_bootstrap_interval_of_the_mean_is_the_band_of_one_point() -> None:
    values = np.random.default_rng(5).normal(size=7)
    low, high = bootstrap_band(values[:, None])
    found = bootstrap_interval(values, lambda draws: draws.mean(axis=-1))
    assert found == pytest.approx((low[0], high[0]))
    assert bootstrap_interval(values[:2], interquartile_mean) is None


def test_intervals_of_differences_are_those_of_scipy() -> None:
    one, two = np.array([3.0, 2.0, 4.0, 2.5]), np.array([1.0, 2.0, 2.2, 9.0, 3.0])
    wanted = stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    assert difference_interval(one, two) == pytest.approx((wanted.low, wanted.high))
    assert difference_interval(one[:1], two) is None


def test_interval_of_a_ratio_holds_what_welch_s_test_does_not_reject() -> None:
    ours, others = np.array([3.0, 2.0, 4.0, 2.5, 3.5]), np.array([1.0, 2.0, 1.2, 1.7, 1.4])
    low, high = ratio_interval(ours, others) or (0.0, 0.0)
    ratios = np.linspace(0.5, 6.0, 5501)
    kept = ratios[
        [stats.ttest_ind(ours, r * others, equal_var=False).pvalue > 0.05 for r in ratios]
    ]
    # Welch's degrees of freedom change with r; ours are those at the estimate.
    assert (low, high) == pytest.approx((kept.min(), kept.max()), rel=0.02)


def test_interval_of_a_ratio_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        low, high = ratio_interval(rng.normal(2.0, 0.5, 5), rng.normal(4.0, 0.6, 5)) or (0.0, 0.0)
        hits += low <= 0.5 <= high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


def test_a_ratio_to_what_may_be_zero_has_no_interval() -> None:
    one = np.array([3.0, 2.0, 4.0])
    assert ratio_interval(one, one - 3) is None
    assert ratio_interval(one, -one) is None
    assert ratio_interval(one[:1], one) is None
    assert ratio_interval(np.full(3, 2.0), np.full(4, 4.0)) == (0.5, 0.5)


def test_curves_of_equal_abscissae_are_cut_to_the_shortest() -> None:
    long, short = np.arange(4.0), np.arange(3.0)
    grid, values = aligned([(long, long * 2), (short, short - 1)])
    np.testing.assert_array_equal(grid, [0, 1, 2])
    np.testing.assert_array_equal(values, [[0, 2, 4], [-1, 0, 1]])


def test_an_iteration_stands_where_it_ends_in_the_median_seed() -> None:
    slow, usual, fast = (np.arange(1.0, 4.0) * pace for pace in (50, 2, 1))
    where, values = aligned([(slow, slow), (usual, usual), (fast, fast)])
    np.testing.assert_array_equal(where, usual)
    np.testing.assert_array_equal(values, [slow, usual, fast])
