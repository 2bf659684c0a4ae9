"""Statistics over seeds and episodes: pure functions of arrays, no files and no figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import trim_mean

LEVEL = 0.95
ENDS = (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)
RESAMPLES = 2000
SEEDS_FOR_BAND = 3
"""Fewer seeds have no bootstrap interval: it would be their range at best."""


class Interval(NamedTuple):
    """The two ends of a 95% interval."""

    low: float
    high: float


def mean_interval(values: NDArray[Any]) -> Interval | None:
    """Return Student's t interval of the mean of (n,) independent `values`; None below two."""
    count = len(values)
    if count < 2:
        return None
    centre = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / count**0.5
    reach = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * error
    return Interval(centre - reach, centre + reach)


def bootstrap_band(curves: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the bootstrap interval of the mean curve, point by point.

    Seeds are resampled whole, with the same draws at every point and every call, so that equal
    input gives equal bytes (percentile bootstrap; Efron & Tibshirani 1993, ch. 13).

    Args:
        curves: (n, T) one seed a row.

    Returns:
        (T,) lower and (T,) upper ends.
    """
    count = len(curves)
    picked = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    # Means as a product with how often each seed was drawn: (resamples, n) by (n, T).
    weights = np.stack([np.bincount(row, minlength=count) for row in picked]) / count
    low, high = np.quantile(weights @ curves, ENDS, axis=0)
    return low, high


def bootstrap_interval(
    values: NDArray[Any], statistic: Callable[[NDArray[Any]], NDArray[Any]]
) -> Interval | None:
    """Return the percentile bootstrap interval of a statistic of (n,) `values`.

    Args:
        values: (n,) one number a seed.
        statistic: Takes (resamples, n) to (resamples,).

    Returns:
        The interval; None below `SEEDS_FOR_BAND` seeds.
    """
    if len(values) < SEEDS_FOR_BAND:
        return None
    return _ends(statistic(_resampled(values, np.random.default_rng(0))))


def interquartile_mean(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the interquartile mean along the last axis (IQM; Agarwal et al. 2021).

    A quarter of the values, rounded down, is left out at each end: of five, the mean is of three.
    """
    return np.asarray(trim_mean(values, 0.25, axis=-1), np.float64)


def probability_of_improvement(ours: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return P(X > Y) + P(X = Y)/2 over all pairs of seeds: the Mann-Whitney U over n m.

    Args:
        ours: (..., n) values of X.
        others: (..., m) values of Y.

    Returns:
        (...,) probabilities.
    """
    difference = ours[..., :, None] - others[..., None, :]
    return np.asarray((0.5 + 0.5 * np.sign(difference)).mean(axis=(-2, -1)))


def improvement_interval(ours: NDArray[Any], others: NDArray[Any]) -> Interval | None:
    """Return the stratified bootstrap interval of the probability of improvement.

    The seeds of each algorithm are resampled among themselves.

    Args:
        ours: (n,) values of X.
        others: (m,) values of Y.

    Returns:
        The interval; None where either has fewer than `SEEDS_FOR_BAND` seeds.
    """
    if min(len(ours), len(others)) < SEEDS_FOR_BAND:
        return None
    rng = np.random.default_rng(0)
    return _ends(probability_of_improvement(_resampled(ours, rng), _resampled(others, rng)))


def ratio_interval(ours: NDArray[Any], others: NDArray[Any]) -> Interval | None:
    """Return Fieller's interval of mean(X) / mean(Y), with Welch's degrees of freedom.

    Every ratio r is in it for which mean(X) − r mean(Y) cannot be told from zero by Student's t
    (Fieller 1954). Five seeds are too few for a percentile bootstrap, whose 95% hold 83%.

    Args:
        ours: (n,) values of X.
        others: (m,) values of Y.

    Returns:
        The interval; None where either has fewer than two, or where the mean of Y is not positive
        beyond doubt, so that the ratio says nothing.
    """
    if min(len(ours), len(others)) < 2:
        return None
    above, below = float(ours.mean()), float(others.mean())
    if below <= 0.0:
        return None
    reach, (error_above, error_below) = _welch(ours, others, scale=above / below)
    # The two roots of (X − r Y)² = t² (error of X + r² error of Y).
    a, c = (m**2 - reach**2 * e for m, e in ((below, error_below), (above, error_above)))
    if a <= 0.0:
        return None
    half = max((above * below) ** 2 - a * c, 0.0) ** 0.5
    return Interval((above * below - half) / a, (above * below + half) / a)


def difference_interval(ours: NDArray[Any], others: NDArray[Any]) -> Interval | None:
    """Return Welch's t interval of mean(X) − mean(Y); None where either has fewer than two.

    Args:
        ours: (n,) values of X.
        others: (m,) values of Y.
    """
    if min(len(ours), len(others)) < 2:
        return None
    centre = float(ours.mean() - others.mean())
    reach, errors = _welch(ours, others)
    reach *= sum(errors) ** 0.5
    return Interval(centre - reach, centre + reach)


def aligned(
    curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return curves iteration by iteration, so that they can be averaged point by point.

    All are cut to the shortest. Where the abscissae of an iteration differ (simulated steps,
    seconds) it stands at their median, which a single seed that was held up does not move. So a
    mean begins and ends with what the seeds score in their first and last iterations.

    Args:
        curves: For each of n seeds (T_i,) rising abscissae and (T_i,) values.

    Returns:
        (T,) the abscissae and (n, T) the values at them.
    """
    length = min(len(x) for x, _ in curves)
    abscissae = np.median([x[:length] for x, _ in curves], axis=0)
    return abscissae, np.stack([y[:length] for _, y in curves])


def _welch(
    ours: NDArray[Any], others: NDArray[Any], *, scale: float = 1.0
) -> tuple[float, tuple[float, float]]:
    """Return Student's t for mean(X) − `scale` mean(Y), and the squared errors of both means.

    The degrees of freedom are those of Welch and Satterthwaite.
    """
    errors = (float(np.var(ours, ddof=1)) / len(ours), float(np.var(others, ddof=1)) / len(others))
    parts = (errors[0], scale**2 * errors[1])
    if sum(parts) == 0.0:
        return 0.0, errors
    spread = sum(p**2 / (len(v) - 1) for p, v in zip(parts, (ours, others), strict=True))
    return float(stdtrit(sum(parts) ** 2 / spread, 0.5 + LEVEL / 2)), errors


def _resampled(values: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Return (resamples, n) draws from (n,) `values` with replacement."""
    return values[rng.integers(len(values), size=(RESAMPLES, len(values)))]


def _ends(draws: NDArray[Any]) -> Interval:
    """Return the ends of the 95% of (resamples,) `draws` in the middle."""
    low, high = np.quantile(draws, ENDS)
    return Interval(float(low), float(high))
