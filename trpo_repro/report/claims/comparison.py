"""The rules of Figure 4's claims: C01 to C08, C27."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trpo_repro.report.claims.evidence import Evidence, over_seeds, seeds_count
from trpo_repro.report.claims.pairs import (
    BENCH,
    areas,
    finals,
    of_two,
    ratio_to_single_path,
    ratios_to_single_path,
)
from trpo_repro.report.claims.quantities import (
    NEAR_MAXIMUM,
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
    difference_interval,
    mean_interval,
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
                evidence, task, groups=[group], value=group.final, between=between, judgement=judged
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
        _not_below(evidence, task, variant=variant, rival=rival)
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


def _not_below(evidence: Evidence, task: str, *, variant: str, rival: str) -> Count:
    def count(ours: Group, other: Group) -> Count:
        between = difference_interval(ours.finals, other.finals)
        judged = at_least(between, -TIE * max(ours.final, other.final, 0.0))
        name = f"{task}, {look(variant).label} over {look(rival).label}"
        value = ours.final - other.final
        return seeds_count(
            evidence, name, groups=[ours, other], value=value, between=between, judgement=judged
        )

    return of_two(evidence, task, algorithms=(variant, rival), count=count)


def natural_gradient_on_the_easier(evidence: Evidence) -> Finding:
    """C04."""
    rule = (
        "On cart-pole and swimmer the natural gradient, best stepsize of a factor-of-three sweep,"
        f" reaches {WELL:.0%} of single path's mean final score."
    )
    return ratios_to_single_path(
        evidence,
        rule,
        tasks=EASIER,
        algorithms=["natural_gradient"],
        quantity=finals,
        judge=lambda b: at_least(b, WELL),
    )


def natural_gradient_on_the_larger(evidence: Evidence) -> Finding:
    """C05."""
    rule = (
        "On hopper and walker the natural gradient, best stepsize, makes less than"
        f" {NO_PROGRESS:.0%} of single path's forward progress: score less the bonus for being up,"
        f" which is forward velocity over a full episode less the cost of control, last {FINAL}"
        " iterations."
    )
    return ratios_to_single_path(
        evidence,
        rule,
        tasks=LARGER,
        algorithms=["natural_gradient"],
        quantity=lambda group: over_seeds(group, progress),
        judge=lambda b: at_most(b, NO_PROGRESS),
    )


def searches_on_the_larger(evidence: Evidence) -> Finding:
    """C06."""
    rule = (
        "On hopper and walker CEM and CMA-ES, given the same simulated steps, reach no more than"
        f" {POOR:.0%} of single path's mean final score."
    )
    found = ratios_to_single_path(
        evidence,
        rule,
        tasks=LARGER,
        algorithms=["cem", "cma"],
        quantity=finals,
        judge=lambda b: at_most(b, POOR),
    )
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
            groups=[ours, other],
            value=value,
            between=between,
            judgement=at_least(between, 0.0),
        )

    counts = (
        of_two(evidence, "cartpole", algorithms=("max_kl", "single_path"), count=slower),
        _same_score(evidence),
    )
    return Finding(rule, counts)


def mean_kl_like_max_kl(evidence: Evidence) -> Finding:
    """C27."""
    rule = (
        f"On cart-pole max KL's mean final score is {SAME[0]:.0%} to {SAME[1]:.0%} of single"
        f" path's, and the area above its curve {SIMILAR[0]:.0%} to {SIMILAR[1]:.0%}."
    )
    speed = ratio_to_single_path(
        evidence,
        "cartpole",
        algorithm="max_kl",
        quantity=areas,
        judge=lambda b: within(b, SIMILAR),
        name="area above the curve",
    )
    remark = "An area above 1 is in favour of the bound on the mean: max KL is the slower (C07)."
    return Finding(rule, (_same_score(evidence), speed), remark)


def _same_score(evidence: Evidence) -> Count:
    return ratio_to_single_path(
        evidence,
        "cartpole",
        algorithm="max_kl",
        quantity=finals,
        judge=lambda b: within(b, SAME),
        name="final score, ratio",
    )


def empirical_fim_is_as_fast(evidence: Evidence) -> Finding:
    """C08."""
    rule = (
        "On each task the area under the empirical FIM's learning curve, or on cart-pole above it,"
        f" is {SIMILAR[0]:.0%} to {SIMILAR[1]:.0%} of single path's."
    )
    return ratios_to_single_path(
        evidence,
        rule,
        tasks=TASK_ORDER,
        algorithms=["empirical_fim"],
        quantity=areas,
        judge=lambda b: within(b, SIMILAR),
    )
