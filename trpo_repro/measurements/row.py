"""One measured number, and how its interval is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.report.statistics import bootstrap_interval, mean_interval


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        quantity: What it is.
        task: Of what.
        value: The number.
        low: The lower end of its 95% interval, or the least of what was measured.
        high: The upper end, or the greatest.
        n: How many of what it was taken over.
        run: Whose policy it was measured at, a folder below the results; empty: no run's.
        policy_sha256: Of that policy.
    """

    quantity: str
    task: str
    value: float
    low: float
    high: float
    n: str
    run: str = ""
    policy_sha256: str = ""


def mean_row(quantity: str, task: str, *, values: NDArray[Any], unit: str) -> Row:
    """Return the mean of (n,) `values` with Student's t interval."""
    low, high = mean_interval(values) or (float(values[0]), float(values[0]))
    return Row(quantity, task, float(values.mean()), low, high, f"{len(values)} {unit}")


def ratio_row(
    quantity: str, task: str, *, above: NDArray[Any], below: NDArray[Any], unit: str
) -> Row:
    """Return mean(above) / mean(below) of (n,) pairs, with a bootstrap interval over the pairs."""

    def ratio(picked: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(above[picked].mean(axis=-1) / below[picked].mean(axis=-1))

    every = np.arange(len(above))
    low, high = bootstrap_interval(every, ratio) or (np.nan, np.nan)
    return Row(quantity, task, float(ratio(every)), low, high, f"{len(above)} {unit}")


def exact_row(quantity: str, task: str, *, value: float, n: str) -> Row:
    """Return a number that has no spread."""
    return Row(quantity, task, value, value, value, n)
