"""The ledger: the claims of `paper/claims.csv`, each with its rule, and the table of verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources

import pandas as pd

from trpo_repro.report.claims import ablated, comparison, games, measured, theory
from trpo_repro.report.claims.evidence import Evidence
from trpo_repro.report.claims.verdict import Count, Finding, Judgement, Verdict, sentence
from trpo_repro.report.table import Table

RULES: Mapping[str, Callable[[Evidence], Finding]] = {
    "C01": comparison.single_path_solves,
    "C02": comparison.vine_solves,
    "C03": comparison.best_solutions,
    "C04": comparison.natural_gradient_on_the_easier,
    "C05": comparison.natural_gradient_on_the_larger,
    "C06": comparison.searches_on_the_larger,
    "C07": comparison.max_kl_is_slower,
    "C08": comparison.empirical_fim_is_as_fast,
    "C09": measured.standing_still,
    "C10": measured.vine_variance,
    "C11": measured.common_random_numbers,
    "C12": games.single_path_plays,
    "C13": games.vine_plays,
    "C14": games.random_row,
    "C15": games.curves_rise,
    "C16": measured.parameter_counts,
    "C17": measured.computation_time,
    "C18": games.thirty_hours,
    "C19": ablated.line_search,
    "C20": ablated.ten_iterations_suffice,
    "C21": measured.cheap_products,
    "C22": measured.analytic_product,
    "C23": theory.kl_bound,
    "C24": theory.monotone_improvement,
    "C25": theory.small_steps,
    "C26": theory.lemmas,
    "C27": comparison.mean_kl_like_max_kl,
    "C28": ablated.untuned_stepsize,
}
SUBJECTS: Mapping[str, str] = {
    "C01": "single path solves cart-pole, swimmer, hopper and walker",
    "C02": "vine solves all four",
    "C03": "no other method is better than the two",
    "C04": "the natural gradient does well on cart-pole and swimmer",
    "C05": "the natural gradient gets nowhere on hopper and walker",
    "C06": "CEM and CMA-ES do poorly on hopper and walker",
    "C07": "max KL learns more slowly, to the same end",
    "C08": "the empirical FIM learns as fast as the analytic one",
    "C09": "standing still earns 1 a step",
    "C10": "vine's advantages vary much less",
    "C11": "common random numbers lower the variance",
    "C12": "single path plays seven games at Table 1's scores",
    "C13": "vine plays seven games at Table 1's scores",
    "C14": "chance, acting as our policies do, plays them at Table 1's scores",
    "C15": "the games' learning curves of Fig. 5",
    "C16": "364 and 33,500 parameters",
    "C17": "Table 2's computation times",
    "C18": "30 hours for a game",
    "C19": "without the line search, steps are catastrophic now and then",
    "C20": "10 conjugate-gradient iterations suffice",
    "C21": "Fisher products on 10% of the states cost as much as a gradient",
    "C22": "JᵀMJ costs less than differentiating the KL twice",
    "C23": "the lower bound of Eq. 9",
    "C24": "Algorithm 1 never loses return",
    "C25": "the theory's penalty makes tiny steps",
    "C26": "Lemmas 1 to 3",
    "C27": "a bound on the mean KL does like one on the maximum",
    "C28": "δ = 0.01 works on every task",
}
"""The claims in a few words."""
NOTES = (
    "The rules stand in `trpo_repro/report/claims/`, thresholds included. A count is met where all"
    " of its 95% interval lies on the claim's side of the threshold, not met where all of it lies"
    " on the other, and not decided otherwise. Four have no such interval: C14 asks whether the"
    " interval of our random play holds the paper's number (the fewer games, the easier); C17 and"
    " C18 take a single run's time as it is; C19 asks whether something happens at all, of seeds"
    " enough to show it; C25"
    " compares medians over MDPs.",
    "A claim holds where all its counts are met, in part where some are, and does not hold where"
    " none is. Where none of its counts is decided, nor is it. While runs are missing it is not"
    " tested yet; where these would be of the paper's scale, it is not tested at this scale.",
    "The rules were written on 2026-11-21, when single path's runs on the robots, every algorithm's"
    " on cart-pole, vine's on hopper and the theory's tables were known, and no other result. A"
    " review on 2026-11-22 found some that could hardly fail, and one that an error of ours helped"
    " to pass; one on 2026-12-01 that C19 took ten runs without an event for proof that there is"
    " none. CHANGELOG.md says what was changed and what they had said before.",
    "Vine's settings were chosen on other seeds than these, but three times over, each time after"
    " runs on these seeds had come out badly (`results/tuning.md`).",
    "Numbers: ours, its interval in brackets, and the paper's own of the same where it has one.",
    "scale=bench: 50K simulated steps an iteration; the paper has 1M on hopper and walker.",
    "Intervals: Student's t for a mean, Welch's t for a difference, Fieller's for a ratio;"
    " measurements say their own in `results/measurements/`. None is corrected for how many there"
    " are. n: seeds (of both, where two are compared), unless said; a failed seed is named there"
    " and is in no mean.",
    "The folder of every run behind a verdict is in claims.csv.",
)


@dataclass(frozen=True)
class Entry:
    """One claim and what was found.

    Attributes:
        name: Such as C01.
        where: Its place in the paper.
        claim: What the paper says.
        finding: What the rule found.
    """

    name: str
    where: str
    claim: str
    finding: Finding

    @property
    def verdict(self) -> Verdict:
        """Return the verdict."""
        return self.finding.verdict


def claims() -> pd.DataFrame:
    """Return the paper's claims: `id`, `where`, `claim`, how each is tested, by what evidence."""
    source = resources.files("trpo_repro.report") / "paper" / "claims.csv"
    with resources.as_file(source) as path:
        return pd.read_csv(path, dtype=str)


def ledger(evidence: Evidence) -> list[Entry]:
    """Return every claim with what its rule finds in `evidence`, in the paper's order."""
    return [
        Entry(row["id"], row["where"], row["claim"], RULES[row["id"]](evidence))
        for row in claims().to_dict("records")
    ]


def table(entries: list[Entry]) -> Table:
    """Return the ledger: for machines one row a count, for a reader one row a claim."""
    counted = [_number(entry, count) for entry in entries for count in entry.finding.counts]
    shown = [_shown(entry) for entry in entries]
    rules = tuple(f"{entry.name}: {entry.finding.rule}" for entry in entries)
    return Table("The paper's claims", pd.DataFrame(counted), pd.DataFrame(shown), (*NOTES, *rules))


def summary(entries: list[Entry]) -> str:
    """Return the verdicts in a few lines of Markdown."""
    lines = []
    for verdict in Verdict:
        subjects = [_subject(entry) for entry in entries if entry.verdict is verdict]
        if subjects:
            lines.append(f"- **{verdict.capitalize()}** ({len(subjects)}): {'; '.join(subjects)}.")
    return "\n".join(lines)


def _subject(entry: Entry) -> str:
    """Return a claim in a few words, and how many of its counts are met if not all or none are."""
    counts = entry.finding.counts
    met = sum(count.judgement is Judgement.MET for count in counts)
    part = f", {met} of {len(counts)}" if entry.verdict is Verdict.IN_PART else ""
    return f"{SUBJECTS[entry.name]} ({entry.name}{part})"


def quantity(count: Count) -> str:
    """Return `2.59 [2.15, 3.03] (paper: 2.4)`, less what there is not."""
    parts = [] if count.value is None else [_short(count.value)]
    if count.between:
        parts.append(f"[{_short(count.between.low)}, {_short(count.between.high)}]")
    if count.paper is not None:
        parts.append(f"(paper: {count.paper:g})")
    return " ".join(parts)


def _short(number: float) -> str:
    """Return four digits, or all of those before the point."""
    return f"{number:.4g}" if abs(number) < 1000 else f"{number:.0f}"


def numbers(finding: Finding) -> str:
    """Return each count's estimate with its interval, and the paper's number beside it."""
    told = [(count.name, quantity(count)) for count in finding.counts]
    return "; ".join(f"{name} {found}" for name, found in told if found)


def _number(entry: Entry, count: Count) -> dict[str, object]:
    low, high = count.between or (None, None)
    return {
        "id": entry.name,
        "where": entry.where,
        "claim": entry.claim,
        "verdict": str(entry.verdict),
        "count": count.name,
        "judgement": str(count.judgement),
        "value": count.value,
        "low": low,
        "high": high,
        "paper": count.paper,
        "n": count.n,
        "runs": " ".join(count.runs),
    }


def _shown(entry: Entry) -> dict[str, str]:
    known = [count for count in entry.finding.counts if count.judgement is not Judgement.MISSING]
    runs = {run for count in known for run in count.runs}
    settings = {run.rsplit("/", 1)[0].removeprefix("runs/") for run in runs}
    return {
        "id": entry.name,
        "the paper says": f"{entry.claim} ({entry.where})",
        "verdict": str(entry.verdict),
        "what was found": sentence(entry.finding),
        "numbers": numbers(entry.finding),
        "n": ", ".join(dict.fromkeys(count.n for count in known if count.n)),
        "runs": ", ".join(sorted(settings)),
    }
