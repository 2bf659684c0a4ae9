"""Which of an algorithm's stored settings a figure or a table shows, by a rule and not by hand."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trpo_repro.report.groups import Group, by_algorithm, by_task, settings
from trpo_repro.report.runs import ABSENT, StoredRun, stand_in

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

    A seed that most of the settings shown on a task have counts for all of them as one that there
    should be. Settings that are not shown have no say, and nothing is asked of them: a stepsize may
    have been tried on fewer seeds, or on others.

    Args:
        runs: Sorted by task, algorithm, identity and seed, as `collect` returns them.
    """
    return {
        task: _with_absent([choose(same) for _, same in by_algorithm(groups)])
        for task, groups in by_task(runs).items()
    }


def lacking(chosen: Mapping[str, Sequence[Choice]]) -> list[str]:
    """Return a line for each setting that is shown and lacks seeds that most others have."""
    return [
        f"{absent[0].path.parent}: {absent[0].problem}"
        for of_task in chosen.values()
        for choice in of_task
        if (absent := [run for run in choice.group.runs if run.state == ABSENT])
    ]


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


def _with_absent(of_task: Sequence[Choice]) -> list[Choice]:
    """Return the choices on one task, seeds that are not there in those that should have them."""
    shown = [choice for choice in of_task if choice.shown]
    having = Counter(seed for choice in shown for seed in choice.group.seeds)
    usual = {seed for seed, count in having.items() if 2 * count > len(shown)}
    return [
        _with_seeds(choice, sorted(usual - choice.group.seeds)) if choice.shown else choice
        for choice in of_task
    ]


def _with_seeds(choice: Choice, absent: Sequence[int]) -> Choice:
    """Return `choice` with what stands for the seeds that are `absent`."""
    if not absent:
        return choice
    sibling, seeds = choice.group.runs[0], ", ".join(map(str, absent))
    problem = (
        f"no run of seed{'s' * (len(absent) > 1)} {seeds}, which most algorithms on"
        f" {sibling.task} have; fix: run {'them' if len(absent) > 1 else 'it'}"
    )
    added = [stand_in(sibling, seed, state=ABSENT, problem=problem) for seed in absent]
    group = Group(tuple(sorted([*choice.group.runs, *added], key=lambda run: run.seed)))
    sweep = tuple(group if own is choice.group else own for own in choice.sweep)
    return replace(choice, group=group, sweep=sweep)
