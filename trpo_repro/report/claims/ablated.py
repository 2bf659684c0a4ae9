"""The rules of the claims that the ablations decide: C19, C20, C28, and the score of C21."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from trpo_repro.report.ablations import Member
from trpo_repro.report.claims.comparison import single_path_solves
from trpo_repro.report.claims.evidence import SEEDS, Evidence, over_seeds, seeds_count
from trpo_repro.report.claims.quantities import area, greatest_fall
from trpo_repro.report.claims.verdict import Count, Finding, Judgement, at_least, at_most
from trpo_repro.report.groups import Group
from trpo_repro.report.statistics import LEVEL, Interval, ratio_interval

TASKS = ("cartpole", "hopper")
NO_HELP = 1.1
LITTLE_LOST = 0.9
CATASTROPHE = 0.5
"""Of a run's best score. The greatest fall of Figure 4's runs of single path is 0.24; vine's are
greater: two of its five runs on hopper fall by more than half, for one iteration or two."""
OCCASIONAL = 0.1
"""Of all runs: a rarer event is not looked for."""
ENOUGH = math.ceil(math.log(1 - LEVEL) / math.log(1 - OCCASIONAL))
"""Seeds of which one at least shows, with probability `LEVEL`, what happens to `OCCASIONAL`."""
UNTUNED = 0.8


def line_search(evidence: Evidence) -> Finding:
    """C19."""
    rule = (
        f"Without the line search the score of one seed at least falls by {CATASTROPHE:.0%} of its"
        " best or more below what it had reached; with it, of none. Not met where none falls of so"
        f" many that one in {1 / OCCASIONAL:.0f} would have shown with 95% probability, which takes"
        f" {ENOUGH} seeds; not decided by fewer."
    )
    counts = []
    for task in TASKS:
        pair = _values(evidence, "line_search", task=task, values=(False, True))
        if pair is None:
            counts.append(_missing("line_search", task))
            continue
        without, with_it = (over_seeds(group, greatest_fall) >= CATASTROPHE for group in pair)
        none = Judgement.NOT_MET if len(without) >= ENOUGH else Judgement.OPEN
        judged = Judgement.MET if without.any() else none
        counts.append(
            seeds_count(
                evidence,
                f"{task}, seeds that fall",
                groups=pair,
                value=float(without.sum()),
                between=None,
                judgement=Judgement.OPEN if with_it.any() else judged,
            )
        )
    return Finding(rule, tuple(counts), "Whether it happens is asked, not how often.")


def ten_iterations_suffice(evidence: Evidence) -> Finding:
    """C20."""
    rule = (
        "On hopper, with 20 and with 50 conjugate-gradient iterations the area under the learning"
        f" curve is no more than {NO_HELP:g} times that with 10."
    )
    counts = [
        _area_ratio(
            evidence,
            "cg_iterations",
            task="hopper",
            values=(more, 10),
            title=f"hopper, {more} over 10",
            judge=lambda between: at_most(between, NO_HELP),
        )
        for more in (20, 50)
    ]
    remark = "Cart-pole's policy has six parameters, for which six iterations are exact."
    return Finding(rule, tuple(counts), remark)


def subsample_scores(evidence: Evidence) -> tuple[Count, ...]:
    """Return the counts of C21 that are about the score."""
    above, below = "area above the curve, 10% over all", "area under the curve, 10% over all"
    values = (0.1, 1.0)
    return (
        _area_ratio(
            evidence,
            "subsample",
            task="cartpole",
            values=values,
            title=f"cartpole, {above}",
            judge=lambda between: at_most(between, 1 / LITTLE_LOST),
        ),
        _area_ratio(
            evidence,
            "subsample",
            task="hopper",
            values=values,
            title=f"hopper, {below}",
            judge=lambda between: at_least(between, LITTLE_LOST),
        ),
    )


def untuned_stepsize(evidence: Evidence) -> Finding:
    """C28."""
    rule = (
        f"δ = 0.01 reaches {UNTUNED:.0%} of the mean final score of the best of five δ over two"
        " decades on hopper and cart-pole; and single path, whose δ it is, solves every task (C01)."
    )
    counts = []
    for task in TASKS:
        members = _complete(evidence, "stepsize", task=task)
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
                groups=[ours, best],
                value=ours.final / best.final,
                between=between,
                judgement=at_least(between, UNTUNED),
            )
        )
    return Finding(rule, (*counts, *single_path_solves(evidence).counts))


def _area_ratio(
    evidence: Evidence,
    name: str,
    *,
    task: str,
    values: tuple[Any, Any],
    title: str,
    judge: Callable[[Interval | None], Judgement],
) -> Count:
    """Return the count of the ratio of areas at two values of a setting."""
    pair = _values(evidence, name, task=task, values=values)
    if pair is None:
        return _missing(name, task)
    one, two = (over_seeds(group, area) for group in pair)
    between = ratio_interval(one, two)
    value = float(one.mean() / two.mean())
    judged = judge(between)
    return seeds_count(evidence, title, groups=pair, value=value, between=between, judgement=judged)


def _complete(evidence: Evidence, name: str, *, task: str) -> list[Member]:
    """Return the members of an ablation with enough seeds."""
    members = evidence.ablations.get(name, {}).get(task, ())
    return [member for member in members if len(member.group.complete) >= SEEDS]


def _values(
    evidence: Evidence, name: str, *, task: str, values: tuple[Any, Any]
) -> tuple[Group, Group] | None:
    """Return the groups of two values of a setting; None unless both are there."""
    found = {member.value: member.group for member in _complete(evidence, name, task=task)}
    one, two = (found.get(value) for value in values)
    return (one, two) if one and two else None


def _missing(name: str, task: str) -> Count:
    return Count(f"ablation {name} on {task}", Judgement.MISSING)
