"""How long the paper's experiments take on how many cores: measured parts, put together.

An iteration's seconds on R ranks of one core each are S/min(R, G) + U/R + O + X/B·(R − 1)/R:
sampling in at most G groups, the part of the update that is shared out, the part that every rank
does, and the X bytes of a batch and its update at B bytes a second. S and U + O are measured for
every task and algorithm on one rank; O, X and B on two.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trpo_repro.bench.iteration import Iteration, iterations
from trpo_repro.config import RunConfig
from trpo_repro.sampling import population
from trpo_repro.sampling.grouping import ANY_TASK, GAMES
from trpo_repro.settings import AtariTask, CemConfig, CmaConfig, VineConfig

CORES = (16, 128, 1024)
RANKS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Kind:
    """Runs that cost alike: one task, algorithm and size.

    Attributes:
        label: Task and algorithm.
        overrides: What composes one of them.
        iterations: Of a run.
        steps: Simulated steps of an iteration.
        groups: In which a batch is sampled, at most.
        trunk_steps: Of vine's steps, those of its trunk; 0 for the others.
    """

    label: str
    overrides: tuple[str, ...]
    iterations: int
    steps: int
    groups: int
    trunk_steps: int = 0

    @staticmethod
    def of(config: RunConfig) -> Kind:
        """Return the kind that a run of the paper's size belongs to."""
        names = (f"task={config.task_label()}", f"algo={config.algo.name}", "scale=paper")
        grouping = GAMES if isinstance(config.task, AtariTask) else ANY_TASK
        if isinstance(config.algo, CemConfig | CmaConfig):
            grouping = population.GROUPING
        label = f"{config.task_label()} {config.algo.name}"
        trunk = config.algo.trunk_steps if isinstance(config.algo, VineConfig) else 0
        return Kind(label, names, config.iterations, config.steps_per_iter, grouping.most, trunk)

    def in_iterations_of(self, steps: int) -> list[str]:
        """Return what composes a run that is like these but for smaller iterations."""
        words = [*self.overrides, f"steps_per_iter={steps}", "threads=1"]
        if self.trunk_steps:
            words.append(f"algo.trunk_steps={self.trunk_steps * steps // self.steps}")
        return words


@dataclass(frozen=True)
class Cost:
    """Seconds and bytes of an iteration.

    Attributes:
        sampling: S.
        shared: U.
        own: O.
        received: X.
        bandwidth: B.
        groups: G.
        on_two: Seconds of an iteration on two ranks, as measured.
        whole: Whether it was measured at the paper's size, not in proportion to a smaller one.
    """

    sampling: float
    shared: float
    own: float
    received: float
    bandwidth: float
    groups: int
    on_two: float
    whole: bool

    def parts(self, ranks: int) -> dict[str, float]:
        """Return the seconds of an iteration on `ranks` ranks, by what they are spent on."""
        largest = math.ceil(self.groups / min(ranks, self.groups)) / self.groups
        exchange = self.received / self.bandwidth * (ranks - 1) / ranks
        return {
            "sampling": self.sampling * largest,
            "update, shared": self.shared / ranks,
            "update, each rank's own": self.own,
            "exchange": exchange,
        }

    def seconds(self, ranks: int) -> float:
        """Return the seconds of an iteration."""
        return sum(self.parts(ranks).values())

    def cell(self, ranks: int) -> str:
        """Return the seconds of an iteration, and whether they were measured."""
        known = ranks <= 2 and self.whole
        return f"{self.on_two if ranks == 2 else self.seconds(ranks):.3g} {'m' if known else 'e'}"


def measured(kind: Kind, steps: int, *, rounds: int) -> Cost:
    """Measure a kind of run on one rank and on two, in iterations of `steps`, in proportion."""
    words = kind.in_iterations_of(steps)
    one, two = (_median(iterations(words, ranks, count=rounds)) for ranks in (1, 2))
    factor = kind.steps / one.steps
    # U + O on one rank, U/2 + O on two, what is exchanged and waited for apart.
    update_on_two = two.update_s - two.exchanging_s - two.waiting_s
    own = min(max(0.0, 2.0 * update_on_two - one.update_s), one.update_s)
    return Cost(
        sampling=one.sampling_s * factor,
        shared=(one.update_s - own) * factor,
        own=own * factor,
        received=2.0 * two.received * factor,
        bandwidth=two.received / two.exchanging_s,
        groups=kind.groups,
        on_two=two.wall_s * factor,
        whole=steps == kind.steps,
    )


def _median(taken: Sequence[Iteration]) -> Iteration:
    """Return the iteration of the median time."""
    return sorted(taken, key=lambda i: i.wall_s)[(len(taken) - 1) // 2]


def campaign_hours(runs: Mapping[Kind, int], costs: Mapping[Kind, Cost], *, cores: int) -> _Plan:
    """Return the shortest of the plans that give every run the same number of ranks."""
    return min(
        (_plan(runs, costs, cores=cores, ranks=r) for r in RANKS if r <= cores),
        key=lambda p: p.hours,
    )


@dataclass(frozen=True)
class _Plan:
    """How all runs share the cores.

    Attributes:
        hours: Until the last run is done.
        ranks: Of a run, at most: no run gets more than it has groups for.
        limit: What no further core would shorten, or `cores`.
    """

    hours: float
    ranks: int
    limit: str


def _plan(runs: Mapping[Kind, int], costs: Mapping[Kind, Cost], *, cores: int, ranks: int) -> _Plan:
    longest, work, slowest = 0.0, 0.0, ""
    for kind, count in runs.items():
        used = min(ranks, kind.groups)
        seconds = kind.iterations * costs[kind].seconds(used)
        work += count * used * seconds
        if seconds > longest:
            longest, slowest = seconds, kind.label
    if longest > work / cores:
        return _Plan(longest / 3600, ranks, f"the longest run, {slowest}")
    return _Plan(work / cores / 3600, ranks, "cores")


def kinds_of(configs: Iterable[RunConfig]) -> Counter[Kind]:
    """Return how many runs there are of each kind."""
    return Counter(Kind.of(config) for config in configs)


def report(
    figures: Mapping[str, Mapping[Kind, int]], costs: Mapping[Kind, Cost], *, where: str, steps: str
) -> str:
    """Return the tables as Markdown."""
    lines = [
        "# What `scale=paper` takes on how many cores",
        "",
        f"Written by `trpo-repro bench --scaling`. {where}. {steps}",
        "m: measured; e: extrapolated by the formula at the head of `trpo_repro/bench/scaling.py`.",
        "",
        "## One iteration, seconds",
        "",
        "| task and algorithm | steps | "
        + " | ".join(f"{r} rank{'s' * (r > 1)}" for r in RANKS)
        + " | received by a rank of 2 | ranks from which on update and exchange take longer |",
        "| --- | --- |" + " --- |" * (len(RANKS) + 2),
    ]
    for kind, cost in costs.items():
        cells = [cost.cell(r) for r in RANKS]
        lines.append(
            f"| {kind.label} | {kind.steps:,} | {' | '.join(cells)} "
            f"| {cost.received / 2e6:.3g} MB | {_takeover(cost)} |"
        )
    lines += ["", "## All runs, hours (e)", ""]
    lines += ["| what | runs | " + " | ".join(f"{c:,} cores" for c in CORES) + " |"]
    lines += ["| --- | --- |" + " --- |" * len(CORES)]
    for name, runs in figures.items():
        plans = [campaign_hours(runs, costs, cores=cores) for cores in CORES]
        cells = [f"{p.hours:.3g} h; {p.ranks} a run; limit: {p.limit}" for p in plans]
        lines.append(f"| {name} | {sum(runs.values())} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _takeover(cost: Cost) -> str:
    """Return the ranks from which on exchange and update take longer than sampling."""
    for ranks in range(1, 4097):
        parts = cost.parts(ranks)
        if parts["sampling"] < cost.seconds(ranks) / 2:
            return str(ranks)
    return "never"
