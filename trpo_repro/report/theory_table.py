"""The tables of `trpo-repro theory`: what was checked, and how small Algorithm 1's steps are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from trpo_repro.report.table import Table
from trpo_repro.theory.algorithm_1 import ACCURACY, DELTA, PATIENCE, SHARE, Race
from trpo_repro.theory.check import TOLERANCE, Check
from trpo_repro.theory.mdp import Array

ATTAINED = 1e-9
"""A bound whose slack is smaller is said to be attained."""
Verdicts = Mapping[str, Sequence[Check]]
"""The checks by family of MDPs: `random` and `worst case`."""


def checks(verdicts: Verdicts, source: str) -> Table:
    """Return one row a claim: MDPs, violations, slack.

    Args:
        verdicts: The checks, the same ones in the same order for each family.
        source: Seed and commit, for the notes.
    """
    notes = (
        "Slack of a bound x ≤ b is 1 − x/b: 0 where it is attained, below 0 where it fails. An "
        "identity has the difference of its sides instead, in units of the largest value that the "
        "quantity can take; tightest is then the greatest. Tightest and median are of the random "
        "MDPs.",
        f"Failed: an excess above {TOLERANCE:g} of those units; for Algorithm 1's maximum, more "
        f"than {ACCURACY:g} of its gain below its dual. No slack is taken of a bound that is "
        "itself below this.",
        "MDPs: random + worst case, which is the tightest of two constructions and a search.",
        "† printed in Lemma 3, not used in its proof, and false: its violations are the finding.",
        source,
    )
    shown = [_shown(of_claim) for of_claim in zip(*verdicts.values(), strict=True)]
    numbers = [
        {"family": family, **row(check)} for family, all_ in verdicts.items() for check in all_
    ]
    title = "The paper's theory on finite MDPs"
    return Table(title, pd.DataFrame(numbers), pd.DataFrame(shown), notes)


def row(check: Check) -> dict[str, object]:
    """Return a check's numbers."""
    return {
        "claim": check.claim,
        "equation": check.equation,
        "kind": "identity" if check.identity else "bound",
        "misprint": check.misprint,
        "mdps": len(check.slack),
        "violations": len(check.violations),
        "tightest_slack": check.tightest,
        "median_slack": check.median,
        "tolerance": check.tolerance,
    }


def violations(verdicts: Verdicts) -> pd.DataFrame:
    """Return one row for every MDP on which a claim fails, misprints included."""
    columns = ["family", "claim", "equation", "mdp", "slack", "excess"]
    rows = [
        (family, check.claim, check.equation, mdp, check.slack[mdp], check.excess[mdp])
        for family, all_ in verdicts.items()
        for check in all_
        for mdp in check.violations
    ]
    return pd.DataFrame(rows, columns=columns)


def steps(race: Race, source: str) -> Table:
    """Return one row a discount: Algorithm 1 beside the trust region.

    Args:
        race: How long both took.
        source: Seed and commit, for the notes.
    """
    rows = [_pace(race, discount) for discount in np.unique(race.discount)]
    unfinished = int((~race.algorithm_1.reached).sum() + (~race.trust_region.reached).sum())
    frames = pd.DataFrame(rows), pd.DataFrame([_shown_pace(row) for row in rows])
    notes = (
        f"From the uniform policy to {SHARE:.0%} of what the optimal policy gains; the trust "
        f"region is Eq. 11 with δ = {DELTA}. Both steps are exact. Median, and least to greatest.",
        f"{unfinished} of {2 * len(race.discount)} were not there after {PATIENCE} steps and are "
        "extrapolated at the pace of their last step.",
        "First KL and gain: of Algorithm 1's first step, maximum KL and share of all there is to "
        "gain, beside the gain of the trust region's first.",
        source,
    )
    return Table("Steps of Algorithm 1 against the trust region's", *frames, notes)


def _pace(race: Race, discount: float) -> dict[str, float]:
    """Return the numbers at one discount."""
    here = race.discount == discount
    found: dict[str, float] = {"discount": discount, "mdps": int(here.sum())}
    for name, pace in (("algorithm_1", race.algorithm_1), ("trust_region", race.trust_region)):
        taken = np.ceil(pace.steps[here])
        found[f"{name}_steps_median"] = float(np.median(taken))
        found[f"{name}_steps_least"] = float(taken.min())
        found[f"{name}_steps_greatest"] = float(taken.max())
        found[f"{name}_extrapolated"] = int((~pace.reached[here]).sum())
        found[f"{name}_first_kl_median"] = float(np.median(pace.first_kl[here]))
        found[f"{name}_first_gain_median"] = float(np.median(pace.first_gain[here]))
    ratio: Array = race.algorithm_1.steps[here] / race.trust_region.steps[here]
    return {**found, "steps_ratio_median": float(np.median(ratio))}


def _shown_pace(row: Mapping[str, float]) -> dict[str, str]:
    def taken(name: str) -> str:
        ends = f"{row[f'{name}_steps_least']:.0f}–{row[f'{name}_steps_greatest']:.0f}"
        return f"{row[f'{name}_steps_median']:.4g} ({ends})"

    return {
        "γ": f"{row['discount']:g}",
        "MDPs": f"{row['mdps']}",
        "Algorithm 1": taken("algorithm_1"),
        "trust region": taken("trust_region"),
        "ratio": f"{row['steps_ratio_median']:.3g}",
        "first KL": f"{row['algorithm_1_first_kl_median']:.1e}",
        "first gain": f"{row['algorithm_1_first_gain_median']:.1%}",
        "region's gain": f"{row['trust_region_first_gain_median']:.1%}",
    }


def _shown(of_claim: Sequence[Check]) -> dict[str, str]:
    """Return one line of the table: the same claim on random and on worst-case MDPs."""
    random, worst = of_claim
    return {
        "claim": random.claim + " †" * random.misprint,
        "equation": random.equation,
        "MDPs": f"{len(random.slack)}+{len(worst.slack)}",
        "failed": f"{len(random.violations)}+{len(worst.violations)}",
        "tightest": _slack(random, random.tightest),
        "median": _slack(random, random.median),
        "worst case": _slack(worst, worst.tightest),
    }


def _slack(check: Check, value: float) -> str:
    if check.identity:
        return f"{value:.1e}"
    if abs(value) < ATTAINED:
        return "attained"
    return f"1 − {1 - value:.0e}" if 0 < 1 - value < 1e-3 else f"{value:.3g}"
