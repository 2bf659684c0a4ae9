"""From intervals to verdicts: pure functions, the same for every claim.

A claim has counts, such as one a task. Each is judged by its 95% interval against a threshold
where it has one; the verdict on the claim follows from the judgements of its counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from trpo_repro.report.statistics import Interval


class Judgement(StrEnum):
    """What the evidence says of one count."""

    MET = "met"
    NOT_MET = "not met"
    OPEN = "open"
    """The interval holds the threshold: so many runs do not decide it."""
    TOO_SMALL = "not at this scale"
    """Runs of `scale=paper` would decide it."""
    MISSING = "missing"
    """What would decide it has not been run."""


class Verdict(StrEnum):
    """What the evidence says of a claim."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    FAILS = "does not hold"
    OPEN = "not decided"
    UNTESTED = "not tested at this scale"
    PENDING = "not tested yet"


WORDS = {
    Judgement.NOT_MET: "not met",
    Judgement.OPEN: "not decided by so few runs",
    Judgement.TOO_SMALL: "needs runs at scale=paper",
    Judgement.MISSING: "not run yet",
}
FEW = 4
"""So many counts are named."""


@dataclass(frozen=True)
class Count:
    """One thing that a claim says.

    Attributes:
        name: Such as `hopper` or `hopper, CEM`; for a missing one, what is missing.
        judgement: What the evidence says.
        value: The estimate; None where there is none.
        between: Its 95% interval, or the range of what was measured; None where there is none.
        n: Of how many runs, MDPs or samples.
        runs: The folders of the runs behind it, relative to the results.
        paper: What the paper says of the same, in the same unit; None where it has no number.
    """

    name: str
    judgement: Judgement
    value: float | None = None
    between: Interval | None = None
    n: str = ""
    runs: tuple[str, ...] = ()
    paper: float | None = None

    def beside(self, paper: float) -> Count:
        """Return the same with the paper's own number."""
        return replace(self, paper=paper)


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        rule: What it asks, with its thresholds.
        counts: One at least.
        remark: What the reader must know besides; a sentence, or nothing.
    """

    rule: str
    counts: tuple[Count, ...]
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return the verdict on all counts together."""
        return combined([count.judgement for count in self.counts])


def at_least(between: Interval | None, threshold: float) -> Judgement:
    """Judge whether a quantity reaches `threshold`: met where all of its interval does."""
    if between is None:
        return Judgement.OPEN
    if between.low >= threshold:
        return Judgement.MET
    return Judgement.NOT_MET if between.high < threshold else Judgement.OPEN


def at_most(between: Interval | None, threshold: float) -> Judgement:
    """Judge whether a quantity stays at or under `threshold`."""
    if between is None:
        return Judgement.OPEN
    return at_least(Interval(-between.high, -between.low), -threshold)


def within(between: Interval | None, bounds: tuple[float, float]) -> Judgement:
    """Judge whether a quantity lies within `bounds`: met where all of its interval does."""
    low, high = bounds
    above, below = at_least(between, low), at_most(between, high)
    if Judgement.NOT_MET in (above, below):
        return Judgement.NOT_MET
    return Judgement.MET if above is below is Judgement.MET else Judgement.OPEN


def combined(judgements: Sequence[Judgement]) -> Verdict:
    """Return the verdict on a claim of several counts.

    It holds where all are met, and in part where some are. While anything is missing, nothing is
    said, and nothing is decided where no count is.
    """
    found = set(judgements)
    if Judgement.MISSING in found:
        return Verdict.PENDING
    if Judgement.TOO_SMALL in found:
        return Verdict.UNTESTED
    if found == {Judgement.OPEN}:
        return Verdict.OPEN
    if found == {Judgement.MET}:
        return Verdict.HOLDS
    return Verdict.IN_PART if Judgement.MET in found else Verdict.FAILS


def sentence(finding: Finding) -> str:
    """Return what was found in words, with what is missing, and the remark."""
    names: dict[Judgement, list[str]] = {}
    for count in finding.counts:
        names.setdefault(count.judgement, []).append(count.name)
    total, met = len(finding.counts), names.get(Judgement.MET, [])
    if len(met) == total:
        said = {1: "Met", 2: "Met on both counts"}.get(total, f"Met on all {total} counts")
    else:
        few = f" ({listed(met)})" if len(met) <= FEW else ""
        parts = [f"met on {len(met)} of {total} counts{few}"] if met else []
        parts += [f"{w}: {listed(names[j])}" for j, w in WORDS.items() if j in names]
        said = ". ".join(part[0].upper() + part[1:] for part in parts)
    return f"{said}. {finding.remark}".strip()


def listed(names: Sequence[str]) -> str:
    """Return `hopper (vine, CEM); walker`, what stands before the first comma only once."""
    inner: dict[str, list[str]] = {}
    for name in names:
        first, _, rest = name.partition(", ")
        inner.setdefault(first, []).extend([rest] if rest else [])
    return "; ".join(f"{k} ({', '.join(dict.fromkeys(v))})" if v else k for k, v in inner.items())
