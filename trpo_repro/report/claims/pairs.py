"""Two algorithms compared on a task by a quantity of each run, which Figure 4's rules share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.report.claims.evidence import Evidence, over_seeds, seeds_count
from trpo_repro.report.claims.quantities import area
from trpo_repro.report.claims.verdict import Count, Finding, Judgement
from trpo_repro.report.groups import Group
from trpo_repro.report.statistics import Interval, ratio_interval
from trpo_repro.report.style import look

BENCH = "At scale=bench."
Quantity = Callable[[Group], NDArray[Any]]
Judge = Callable[[Interval | None], Judgement]


def finals(group: Group) -> NDArray[np.float64]:
    """Return the final scores, one a seed."""
    return group.finals


def areas(group: Group) -> NDArray[np.float64]:
    """Return the areas of the learning curves (`quantities.area`), one a seed."""
    return over_seeds(group, area)


def ratios_to_single_path(
    evidence: Evidence,
    rule: str,
    *,
    tasks: tuple[str, ...],
    algorithms: list[str],
    quantity: Quantity,
    judge: Judge,
) -> Finding:
    """Return what came of comparing algorithms with single path on several tasks."""
    counts = [
        ratio_to_single_path(
            evidence,
            task,
            algorithm=algorithm,
            quantity=quantity,
            judge=judge,
            name=f"{task}, {look(algorithm).label}",
        )
        for task in tasks
        for algorithm in algorithms
    ]
    return Finding(rule, tuple(counts), f"Ratios to single path. {BENCH}")


def ratio_to_single_path(
    evidence: Evidence, task: str, *, algorithm: str, quantity: Quantity, judge: Judge, name: str
) -> Count:
    """Return the count of a quantity over that of single path."""

    def count(ours: Group, other: Group) -> Count:
        between = ratio_interval(quantity(ours), quantity(other))
        value = float(quantity(ours).mean() / quantity(other).mean())
        return seeds_count(
            evidence,
            name,
            groups=[ours, other],
            value=value,
            between=between,
            judgement=judge(between),
        )

    return of_two(evidence, task, algorithms=(algorithm, "single_path"), count=count)


def of_two(
    evidence: Evidence,
    task: str,
    *,
    algorithms: tuple[str, str],
    count: Callable[[Group, Group], Count],
) -> Count:
    """Return the count of two algorithms' seeds, or what is missing of them."""
    groups = [evidence.group(task, algorithm) for algorithm in algorithms]
    for algorithm, group in zip(algorithms, groups, strict=True):
        if group is None:
            return evidence.missing(task, algorithm)
    ours, other = groups
    assert ours is not None
    assert other is not None
    return count(ours, other)
