"""The rules of the claims that the ablations decide: C19, C20, C28, and the score of C21."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trpo_repro.report.ablations import Member
from trpo_repro.report.claims.comparison import single_path_solves
from trpo_repro.report.claims.evidence import SEEDS, Evidence, over_seeds, seeds_count
from trpo_repro.report.claims.verdict import Count, Finding, Judgement, at_least, at_most
from trpo_repro.report.groups import Group
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import difference_interval, ratio_interval

TASKS = ("cartpole", "hopper")
NO_HELP = 1.1
LITTLE_LOST = 0.9
UNTUNED = 0.8


def line_search(evidence: Evidence) -> Finding:
    """C19."""
    rule = (
        "Without the line search the worst drop of a run, the most that its score falls below its"
        " best so far, is greater (Welch's t interval of the difference of means)."
    )
    counts = []
    for task in TASKS:
        pair = _values(evidence, "line_search", task, (False, True))
        if pair is None:
            counts.append(_missing("line_search", task))
            continue
        without, with_it = (over_seeds(group, worst_drop) for group in pair)
        between = difference_interval(without, with_it)
        counts.append(
            seeds_count(
                evidence,
                f"{task}, difference of the drops",
                pair,
                value=float(without.mean() - with_it.mean()),
                between=between,
                judgement=at_least(between, 0.0),
            )
        )
    return Finding(rule, tuple(counts))


def ten_iterations_suffice(evidence: Evidence) -> Finding:
    """C20."""
    rule = (
        "With 20 and with 50 conjugate-gradient iterations the mean score over all policy"
        f" iterations is no more than {NO_HELP:g} times that with 10."
    )
    counts = [
        _area_ratio(evidence, "cg_iterations", task, more, 10, f"{task}, {more} over 10")
        for task in TASKS
        for more in (20, 50)
    ]
    return Finding(
        rule, tuple(c if isinstance(c, Count) else _judged_at_most(*c, NO_HELP) for c in counts)
    )


def subsample_scores(evidence: Evidence) -> tuple[Count, ...]:
    """Return the counts of C21 that are about the score."""
    counts = [
        _area_ratio(evidence, "subsample", task, 0.1, 1.0, f"{task}, score on 10% over all")
        for task in TASKS
    ]
    return tuple(c if isinstance(c, Count) else _judged_at_least(*c, LITTLE_LOST) for c in counts)


def untuned_stepsize(evidence: Evidence) -> Finding:
    """C28."""
    rule = (
        f"δ = 0.01 reaches {UNTUNED:.0%} of the mean final score of the best of five δ over two"
        " decades on hopper and cart-pole; and single path, whose δ it is, solves every task (C01)."
    )
    counts = []
    for task in TASKS:
        members = _complete(evidence, "stepsize", task)
        ours = next((m.group for m in members if m.value == 0.01), None)
        if ours is None or len(members) < 5:
            counts.append(_missing("stepsize", task))
            continue
        best = max((m.group for m in members), key=lambda group: group.final)
        between = ratio_interval(ours.finals, best.finals)
        name = f"{task}, 0.01 over {best.stepsize:g}"
        counts.append(
            seeds_count(
                evidence,
                name,
                [ours, best],
                value=ours.final / best.final,
                between=between,
                judgement=at_least(between, UNTUNED),
            )
        )
    return Finding(rule, (*counts, *single_path_solves(evidence).counts))


def worst_drop(run: StoredRun) -> float:
    """Return the most that a run's score falls below its best so far."""
    return float((np.maximum.accumulate(run.score) - run.score).max())


def area(run: StoredRun) -> float:
    """Return the mean score over all iterations."""
    return float(run.score.mean())


Ratio = tuple[Evidence, str, Sequence[Group], float, Any]


def _area_ratio(
    evidence: Evidence, name: str, task: str, value: Any, reference: Any, title: str
) -> Count | Ratio:
    """Return what the ratio's count is made of, or the count that says what is missing."""
    pair = _values(evidence, name, task, (value, reference))
    if pair is None:
        return _missing(name, task)
    one, two = (over_seeds(group, area) for group in pair)
    return evidence, title, pair, float(one.mean() / two.mean()), ratio_interval(one, two)


def _judged_at_most(
    evidence: Evidence, name: str, pair: Sequence[Group], value: float, between: Any, most: float
) -> Count:
    judged = at_most(between, most)
    return seeds_count(evidence, name, pair, value=value, between=between, judgement=judged)


def _judged_at_least(
    evidence: Evidence, name: str, pair: Sequence[Group], value: float, between: Any, least: float
) -> Count:
    judged = at_least(between, least)
    return seeds_count(evidence, name, pair, value=value, between=between, judgement=judged)


def _complete(evidence: Evidence, name: str, task: str) -> list[Member]:
    """Return the members of an ablation with enough seeds."""
    members = evidence.ablations.get(name, {}).get(task, ())
    return [member for member in members if len(member.group.complete) >= SEEDS]


def _values(
    evidence: Evidence, name: str, task: str, values: tuple[Any, Any]
) -> tuple[Group, Group] | None:
    """Return the groups of two values of a setting; None unless both are there."""
    found = {member.value: member.group for member in _complete(evidence, name, task)}
    one, two = (found.get(value) for value in values)
    return (one, two) if one and two else None


def _missing(name: str, task: str) -> Count:
    return Count(f"ablation {name} on {task}", Judgement.MISSING)
