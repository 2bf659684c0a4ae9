"""The rules of the theory's claims: C23 to C26."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from trpo_repro.report.claims.evidence import Evidence
from trpo_repro.report.claims.verdict import Count, Finding, Judgement, at_least
from trpo_repro.report.statistics import Interval

SMALL_STEPS = 10.0
RUN = Count("trpo-repro theory", Judgement.MISSING)
Select = Callable[[pd.DataFrame], "pd.Series[bool]"]


def kl_bound(evidence: Evidence) -> Finding:
    """C23."""
    rule = "η(new) ≥ L(new) − C·max KL (Eq. 9) fails on no finite MDP that was tried, to rounding."
    return _no_violation(evidence, rule, select=lambda checks: checks["equation"] == "Eq. 9")


def monotone_improvement(evidence: Evidence) -> Finding:
    """C24."""
    rule = "Algorithm 1's exact steps decrease the return on no finite MDP that was tried."
    return _no_violation(
        evidence, rule, select=lambda checks: checks["claim"].str.startswith("Algorithm 1")
    )


def lemmas(evidence: Evidence) -> Finding:
    """C26."""
    rule = "Lemmas 1 to 3 as printed, and Def. 1's coupling, fail on no finite MDP that was tried."
    return _no_violation(
        evidence,
        rule,
        select=lambda checks: checks["claim"].str.contains("emma|coupling", regex=True),
    )


def small_steps(evidence: Evidence) -> Finding:
    """C25."""
    rule = (
        "To 90% of what can be gained Algorithm 1, with the theory's penalty C, takes at least"
        f" {SMALL_STEPS:g} times as many steps as a trust region of 0.01 (medians), at each"
        " discount."
    )
    steps = evidence.theory.get("steps")
    if steps is None:
        return Finding(rule, (RUN,))
    counts = []
    for row in steps.to_dict("records"):
        ratio = float(row["steps_ratio_median"])
        counts.append(
            Count(
                f"γ = {row['discount']:g}",
                at_least(Interval(ratio, ratio), SMALL_STEPS),
                ratio,
                n=f"{row['mdps']} MDPs",
            )
        )
    return Finding(rule, tuple(counts), "The paper's discount is 0.99. results/theory/steps.md.")


def _no_violation(evidence: Evidence, rule: str, *, select: Select) -> Finding:
    """Return one count a claim: over random and worst-case MDPs together."""
    checks = evidence.theory.get("checks")
    if checks is None:
        return Finding(rule, (RUN,))
    counts = []
    for claim, rows in checks[select(checks)].groupby("claim", sort=False):
        failed, mdps = int(rows["violations"].sum()), int(rows["mdps"].sum())
        judged = Judgement.NOT_MET if failed else Judgement.MET
        counts.append(Count(str(claim), judged, float(failed), n=f"{mdps} MDPs"))
    return Finding(rule, tuple(counts) or (RUN,), "Numbers: violations. results/theory/checks.md.")
