"""The rules of Figure 4's claims: C01 to C08, C27."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.report.claims.evidence import Evidence, over_seeds, seeds_count
from trpo_repro.report.claims.quantities import (
    NEAR_MAXIMUM,
    area,
    iterations_to_near_maximum,
    progress,
)
from trpo_repro.report.claims.verdict import (
    Count,
    Finding,
    Judgement,
    at_least,
    at_most,
    within,
)
from trpo_repro.report.groups import FINAL, TASK_ORDER, Group
from trpo_repro.report.statistics import (
    Interval,
    difference_interval,
    mean_interval,
    ratio_interval,
)
from trpo_repro.report.style import look

SOLVED = {"cartpole": 9.5, "swimmer": 0.05, "hopper": 2.0, "walker": 2.0}
"""Scores from which on a task counts as solved: 95% of the most that there is; a steady stroke; up
to the end of the episode at 1 m/s, where standing still scores 1."""
LARGER = ("hopper", "walker")
EASIER = ("cartpole", "swimmer")
RIVALS = ("natural_gradient", "empirical_fim", "max_kl", "cem", "cma")
TIE = 0.01
"""Of the better mean score of two: a smaller difference is none."""
WELL = 0.8
POOR = 0.5
NO_PROGRESS = 0.25
SIMILAR = (0.8, 1.25)
SAME = (0.95, 1.05)
BENCH = "At scale=bench."


def single_path_solves(evidence: Evidence) -> Finding:
    """C01."""
    return _solves(evidence, "single_path")


def vine_solves(evidence: Evidence) -> Finding:
    """C02."""
    return _solves(evidence, "vine")


def _solves(evidence: Evidence, algorithm: str) -> Finding:
    wanted = ", ".join(f"{task} {score:g}" for task, score in SOLVED.items())
    rule = f"The mean final score reaches, on each task: {wanted}."
    counts = []
    for task, threshold in SOLVED.items():
        group = evidence.group(task, algorithm)
        if group is None:
            counts.append(evidence.missing(task, algorithm))
            continue
        between = mean_interval(group.finals)
        judged = at_least(between, threshold)
        counts.append(
            seeds_count(
                evidence, task, [group], value=group.final, between=between, judgement=judged
            )
        )
    return Finding(rule, tuple(counts), BENCH)


def best_solutions(evidence: Evidence) -> Finding:
    """C03."""
    rule = (
        "On each task, single path's and vine's mean final scores are each not below that of any"
        f" other method of the figure by more than {TIE:.0%} of the better of the two (Welch's t"
        " interval of the difference)."
    )
    counts = [
        _not_below(evidence, task, variant, rival)
        for task in TASK_ORDER
        for rival in RIVALS
        if rival != "max_kl" or task == "cartpole"
        for variant in ("single_path", "vine")
    ]
    return Finding(
        rule, tuple(counts), f"{_met_by_task(counts)} Differences of mean scores. {BENCH}"
    )


def _met_by_task(counts: Sequence[Count]) -> str:
    """Return on which tasks how many are met: on cart-pole all methods end alike."""
    tasks: dict[str, list[bool]] = {}
    for count in counts:
        tasks.setdefault(count.name.partition(",")[0], []).append(count.judgement is Judgement.MET)
    return "Met on " + ", ".join(f"{t} {sum(met)} of {len(met)}" for t, met in tasks.items()) + "."


def _not_below(evidence: Evidence, task: str, variant: str, rival: str) -> Count:
    def count(ours: Group, other: Group) -> Count:
        between = difference_interval(ours.finals, other.finals)
        judged = at_least(between, -TIE * max(ours.final, other.final, 0.0))
        name = f"{task}, {look(variant).label} over {look(rival).label}"
        value = ours.final - other.final
        return seeds_count(
            evidence, name, [ours, other], value=value, between=between, judgement=judged
        )

    return _of_two(evidence, task, (variant, rival), count)


def natural_gradient_on_the_easier(evidence: Evidence) -> Finding:
    """C04."""
    rule = (
        "On cart-pole and swimmer the natural gradient, best stepsize of a factor-of-three sweep,"
        f" reaches {WELL:.0%} of single path's mean final score."
    )
    return _ratios(
        evidence, rule, EASIER, ["natural_gradient"], _finals, lambda b: at_least(b, WELL)
    )


def natural_gradient_on_the_larger(evidence: Evidence) -> Finding:
    """C05."""
    rule = (
        "On hopper and walker the natural gradient, best stepsize, makes less than"
        f" {NO_PROGRESS:.0%} of single path's forward progress: score less the bonus for being up,"
        f" which is forward velocity over a full episode less the cost of control, last {FINAL}"
        " iterations."
    )
    return _ratios(
        evidence,
        rule,
        LARGER,
        ["natural_gradient"],
        lambda group: over_seeds(group, progress),
        lambda b: at_most(b, NO_PROGRESS),
    )


def searches_on_the_larger(evidence: Evidence) -> Finding:
    """C06."""
    rule = (
        "On hopper and walker CEM and CMA-ES, given the same simulated steps, reach no more than"
        f" {POOR:.0%} of single path's mean final score."
    )
    found = _ratios(evidence, rule, LARGER, ["cem", "cma"], _finals, lambda b: at_most(b, POOR))
    ways = "CEM and CMA-ES act by their mean action, single path samples its actions."
    return replace(found, remark=f"{found.remark} {ways}")


def max_kl_is_slower(evidence: Evidence) -> Finding:
    """C07."""
    rule = (
        f"On cart-pole max KL takes more iterations to a score of {NEAR_MAXIMUM:g} than single"
        f" path, and its mean final score is {SAME[0]:.0%} to {SAME[1]:.0%} of single path's."
    )

    def slower(ours: Group, other: Group) -> Count:
        one, two = (over_seeds(group, iterations_to_near_maximum) for group in (ours, other))
        between = difference_interval(one, two)
        value = float(one.mean() - two.mean())
        return seeds_count(
            evidence,
            "iterations more",
            [ours, other],
            value=value,
            between=between,
            judgement=at_least(between, 0.0),
        )

    counts = _of_two(evidence, "cartpole", ("max_kl", "single_path"), slower), _same_score(evidence)
    return Finding(rule, counts)


def mean_kl_like_max_kl(evidence: Evidence) -> Finding:
    """C27."""
    rule = (
        f"On cart-pole max KL's mean final score is {SAME[0]:.0%} to {SAME[1]:.0%} of single"
        f" path's, and the area above its curve {SIMILAR[0]:.0%} to {SIMILAR[1]:.0%}."
    )
    speed = _ratio(
        evidence,
        "cartpole",
        "max_kl",
        _areas,
        lambda b: within(b, *SIMILAR),
        "area above the curve",
    )
    return Finding(rule, (_same_score(evidence), speed))


def empirical_fim_is_as_fast(evidence: Evidence) -> Finding:
    """C08."""
    rule = (
        "On each task the area under the empirical FIM's learning curve, or on cart-pole above it,"
        f" is {SIMILAR[0]:.0%} to {SIMILAR[1]:.0%} of single path's."
    )
    return _ratios(
        evidence, rule, TASK_ORDER, ["empirical_fim"], _areas, lambda b: within(b, *SIMILAR)
    )


def _finals(group: Group) -> NDArray[np.float64]:
    return group.finals


def _areas(group: Group) -> NDArray[np.float64]:
    return over_seeds(group, area)


Quantity = Callable[[Group], NDArray[Any]]
Judge = Callable[[Interval | None], Judgement]


def _ratios(
    evidence: Evidence,
    rule: str,
    tasks: tuple[str, ...],
    algorithms: list[str],
    quantity: Quantity,
    judge: Judge,
) -> Finding:
    """Return what came of comparing algorithms with single path on several tasks."""
    counts = [
        _ratio(evidence, task, algorithm, quantity, judge, f"{task}, {look(algorithm).label}")
        for task in tasks
        for algorithm in algorithms
    ]
    return Finding(rule, tuple(counts), f"Ratios to single path. {BENCH}")


def _ratio(
    evidence: Evidence, task: str, algorithm: str, quantity: Quantity, judge: Judge, name: str
) -> Count:
    """Return the count of a quantity over that of single path."""

    def count(ours: Group, other: Group) -> Count:
        between = ratio_interval(quantity(ours), quantity(other))
        value = float(quantity(ours).mean() / quantity(other).mean())
        return seeds_count(
            evidence, name, [ours, other], value=value, between=between, judgement=judge(between)
        )

    return _of_two(evidence, task, (algorithm, "single_path"), count)


def _same_score(evidence: Evidence) -> Count:
    return _ratio(
        evidence, "cartpole", "max_kl", _finals, lambda b: within(b, *SAME), "final score, ratio"
    )


def _of_two(
    evidence: Evidence,
    task: str,
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
