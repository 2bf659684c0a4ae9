"""Statistics over seeds and episodes: pure functions of arrays, no files and no figures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEVEL = 0.95
RESAMPLES = 2000


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
    low, high = np.quantile(weights @ curves, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    return low, high
