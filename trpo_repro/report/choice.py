"""Which of an algorithm's stored settings a figure or a table shows, by a rule and not by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from trpo_repro.report.groups import Group, by_algorithm, by_task, settings
from trpo_repro.report.runs import StoredRun

STEPSIZE = "algo.stepsize"


@dataclass(frozen=True)
class Choice:
    """The setting of one algorithm on one task that is shown, and those that are not.

    Attributes:
        group: The seeds shown.
        sweep: These and all that differ from them in `algo.stepsize` alone, by rising stepsize.
        left_out: The groups of every other setting.
    """

    group: Group
    sweep: tuple[Group, ...]
    left_out: tuple[Group, ...]

    @property
    def shown(self) -> bool:
        """Tell whether there is a complete run to take a mean of."""
        return bool(self.group.complete)

    @property
    def swept(self) -> bool:
        """Tell whether the stepsize was chosen among several."""
        return len(self.sweep) > 1

    @property
    def reason(self) -> str:
        """Return why this setting."""
        if not self.shown:
            return "no run is complete: not shown"
        parts = []
        if self.left_out:
            parts.append("the setting with most complete seeds, then the best final score")
        if self.swept:
            parts.append(f"best final score of {len(self.sweep)} stepsizes")
        return "; ".join(parts) or "the only setting"


def choices(runs: Sequence[StoredRun]) -> dict[str, list[Choice]]:
    """Return for each task one choice an algorithm, both in the paper's order.

    Args:
        runs: Sorted by task, algorithm, identity and seed, as `collect` returns them.
    """
    return {
        task: [choose(same) for _, same in by_algorithm(groups)]
        for task, groups in by_task(runs).items()
    }


def choose(groups: Sequence[Group]) -> Choice:
    """Return which of the settings of one algorithm on one task is shown.

    Settings that differ in the stepsize alone are one sweep. Of several sweeps (a single setting is
    one too) that with most complete runs counts, ties broken by the best final score. Within it the
    stepsize of the highest mean final score is shown, out of those with most complete runs, for the
    best of few seeds is luck; one that made a seed fail stands behind all that did not.
    """
    sweeps: dict[str, list[Group]] = {}
    for group in groups:
        own = {k: v for k, v in settings(group.runs[0].config) if k != STEPSIZE}
        sweeps.setdefault(repr(sorted(own.items())), []).append(group)

    def evidence(sweep: Sequence[Group]) -> tuple[int, float]:
        return sum(len(g.complete) for g in sweep), max(g.final for g in sweep)

    sweep = max(sweeps.values(), key=evidence)
    sweep.sort(key=lambda group: group.stepsize or 0.0)
    most = max(len(group.complete) for group in sweep)
    best = max(sweep, key=lambda g: (len(g.complete) == most, not g.failed, g.final))
    others = itertools.chain.from_iterable(s for s in sweeps.values() if s is not sweep)
    return Choice(best, tuple(sweep), tuple(others))
