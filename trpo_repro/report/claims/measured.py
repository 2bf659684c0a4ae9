"""The rules of the claims that measurements or whole tables decide: C09 to C11, C16 to C22."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from trpo_repro.report.claims.ablated import LITTLE_LOST, subsample_scores
from trpo_repro.report.claims.evidence import Evidence, measured_count
from trpo_repro.report.claims.verdict import Count, Finding, Judgement, at_most, within
from trpo_repro.report.paper_table import PAPER_COLUMN, minutes, paper_table
from trpo_repro.report.statistics import Interval, mean_interval
from trpo_repro.report.style import look

STANDING = (0.99, 1.01)
BONUS = 1.0
"""The paper's score of standing still, +1 a step (Fig. 4's note: a cost of −1)."""
MUCH_LOWER = 0.5
AS_CHEAP = 1.0
"""The paper's cost of ten products on 10% of the data in gradients: "about the same" (App. C.1)."""
ABOUT_AS_CHEAP = 1.2
EQUAL = 1e-4
COUNTS = {"swimmer": 364, "atari": 33_500}
"""Tables 2 and 3: the two numbers of parameters that follow from the stated sizes."""


def standing_still(evidence: Evidence) -> Finding:
    """C09."""
    low, high = STANDING
    rule = (
        f"A robot at rest, up for a whole episode, scores {low:g} to {high:g} on hopper and walker."
    )
    counts = _counts(
        evidence,
        "standing",
        quantity="score",
        judge=lambda b: within(b, STANDING),
        paper=BONUS,
    )
    return Finding(rule, counts)


def vine_variance(evidence: Evidence) -> Finding:
    """C10."""
    rule = (
        "At the same states and actions of fixed policies, with as many rollouts of the same"
        " length, the variance of vine's advantage (a rollout's Q less the mean of its state's"
        f" others) is at most {MUCH_LOWER:g} of that of single path's Q less a baseline."
    )
    return Finding(
        rule,
        _counts(
            evidence,
            "variance",
            quantity="vine / single path",
            judge=lambda b: at_most(b, MUCH_LOWER),
        ),
    )


def common_random_numbers(evidence: Evidence) -> Finding:
    """C11."""
    rule = (
        "At the same states and actions of fixed policies, the variance of the differences of Q"
        " with common random numbers is smaller than without."
    )
    return Finding(
        rule,
        _counts(evidence, "variance", quantity="with / without", judge=lambda b: at_most(b, 1.0)),
    )


def parameter_counts(evidence: Evidence) -> Finding:
    """C16."""
    wanted = ", ".join(f"{task} {count}" for task, count in COUNTS.items())
    rule = f"The networks have the paper's numbers of parameters: {wanted}."
    rows = {row["task"]: row for row in evidence.rows("parameters")}
    counts = []
    for task, count in COUNTS.items():
        if task not in rows:
            counts.append(_missing("parameters"))
        else:
            judged = Judgement.MET if rows[task]["value"] == count else Judgement.NOT_MET
            ours = Count(task, judged, float(rows[task]["value"]), n="1 network")
            counts.append(ours.beside(count))
    return Finding(rule, tuple(counts))


def computation_time(evidence: Evidence) -> Finding:
    """C17."""
    rule = (
        "A whole run at the paper's batch sizes (scale=paper) takes no more minutes than Table 2"
        " says, for single path and vine on each robot."
    )
    paper, counts = paper_table(), []
    for task in ("swimmer", "hopper", "walker"):
        for algorithm, column in PAPER_COLUMN.items():
            of_task = evidence.paper.get(task, ())
            choice = next((c for c in of_task if c.group.algorithm == algorithm), None)
            name, limit = f"{task}, {look(algorithm).label}", float(paper[task][column])
            if choice is None or not choice.shown:
                counts.append(Count(name, Judgement.MISSING).beside(limit))
                continue
            taken = minutes(choice)
            ends = mean_interval(taken)
            judged = at_most(ends or Interval(taken[0], taken[0]), limit)
            n, runs = choice.group.shares(choice.group.complete), evidence.runs(choice.group)
            ours = Count(name, judged, float(np.mean(taken)), ends, n, runs)
            counts.append(ours.beside(limit))
    remark = (
        "Minutes of wall time, on our machine; the paper does not name its own. Table 2's Q-values"
        " per batch, 2500 on hopper and walker, are read as states, of four rollouts of 100 steps"
        " each: the million steps that it says too. Read as single rollouts they would be a quarter"
        " of a million, and vine's time in proportion."
    )
    return Finding(rule, tuple(counts), remark)


def cheap_products(evidence: Evidence) -> Finding:
    """C21."""
    rule = (
        f"Ten Fisher-vector products on 10% of a batch take at most {ABOUT_AS_CHEAP:g} times as"
        " long as its gradient; and the area under hopper's learning curve is at least"
        f" {LITTLE_LOST:.0%} of that with products on all states, the area above cart-pole's at"
        f" most {1 / LITTLE_LOST:.0%}."
    )
    times = _counts(
        evidence,
        "products",
        quantity="products / gradient",
        judge=lambda b: at_most(b, ABOUT_AS_CHEAP),
        paper=AS_CHEAP,
    )
    return Finding(rule, (*times, *subsample_scores(evidence)))


def analytic_product(evidence: Evidence) -> Finding:
    """C22."""
    rule = (
        "JᵀMJ v takes less time than differentiating the KL twice, and differs from it by no more"
        f" than {EQUAL:g} of its length."
    )
    times = _counts(
        evidence, "products", quantity="JᵀMJ / double backward", judge=lambda b: at_most(b, 1.0)
    )
    values = _counts(
        evidence, "products", quantity="relative difference", judge=lambda b: at_most(b, EQUAL)
    )
    return Finding(rule, (*times, *values))


def _counts(
    evidence: Evidence,
    measurement: str,
    *,
    quantity: str,
    judge: Callable[[Interval], Judgement],
    paper: float | None = None,
) -> tuple[Count, ...]:
    """Return one count a row of a measurement, or that it is missing."""
    rows = evidence.rows(measurement, quantity)
    named = [(row, f"{row['task']}, {quantity}") for row in rows]
    counts = tuple(
        replace(measured_count(row, name, judge=judge), paper=paper) for row, name in named
    )
    return counts or (_missing(measurement),)


def _missing(measurement: str) -> Count:
    return Count(f"trpo-repro measure {measurement}", Judgement.MISSING)
