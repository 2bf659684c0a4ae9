"""What the rules take of one run: functions of its stored rows."""

from __future__ import annotations

import numpy as np

from trpo_repro.report.groups import FINAL
from trpo_repro.report.runs import StoredRun

MAXIMUM = 10.0
"""The most that cart-pole's score can be."""
NEAR_MAXIMUM = 0.9 * MAXIMUM


def progress(run: StoredRun) -> float:
    """Return the forward progress of a run on hopper or walker: score less +1 a step that is up."""
    last = run.rows.iloc[-FINAL:]
    up = last["length_mean"] / float(run.config["task"]["horizon"])
    return float((last["score"] - up).mean())


def iterations_to_near_maximum(run: StoredRun) -> float:
    """Return how many iterations bring cart-pole near the maximum; all of them where none does."""
    reached = np.flatnonzero(run.score >= NEAR_MAXIMUM)
    return float(reached[0] + 1 if len(reached) else len(run.score))


def area(run: StoredRun) -> float:
    """Return the area of a learning curve, over its length.

    On cart-pole it is that above the curve, up to the maximum: nearly all of that below it is alike
    for whatever learns at all. Elsewhere it is that below, the mean score.
    """
    mean = float(run.score.mean())
    return MAXIMUM - mean if run.task == "cartpole" else mean


def greatest_fall(run: StoredRun) -> float:
    """Return the most that the score falls below its best so far, over the best of all."""
    best = np.maximum.accumulate(run.score)
    return float((best - run.score).max() / best[-1])
