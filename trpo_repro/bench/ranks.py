"""Several processes against several threads of one, and what the processes exchange."""

from __future__ import annotations

import statistics

from trpo_repro.bench.iteration import Iteration, iterations
from trpo_repro.bench.measurement import Measurement, against, alone, short

WAYS = {"1 thread": (1, 1), "2 threads": (1, 2), "2 ranks": (2, 1)}
"""Ranks, and threads of each."""


def ranks_against_threads(task: str, steps: int, *, rounds: int) -> list[Measurement]:
    """Measure whole iterations of single path on two ranks, and on two threads of one process."""
    found = {name: list[Iteration]() for name in WAYS}
    for _ in range(rounds):
        for name, (ranks, threads) in WAYS.items():
            words = [f"task={task}", f"steps_per_iter={steps}", f"threads={threads}"]
            found[name] += iterations(words, ranks, count=1)
    speed = {name: [i.steps / i.wall_s for i in taken] for name, taken in found.items()}
    label, both = f"{task} {short(steps)}", found["2 ranks"]
    note = "end to end, untrained policy"
    shares = [i.exchanging_s / i.wall_s for i in both]
    waits = [i.waiting_s / i.wall_s for i in both]
    bandwidth = statistics.median(i.received / i.exchanging_s for i in both) / 1e6
    received = [i.received / 1e6 for i in both]
    took = f"at {bandwidth:.0f} MB/s, in {statistics.median(i.exchanging_s for i in both):.2g} s"
    both_ranks, single = speed["2 ranks"], speed["1 thread"]
    return [
        against(
            f"2 ranks / 2 threads, {label}",
            both_ranks,
            references=speed["2 threads"],
            target=0.85,
            note=note,
        ),
        against(
            f"2 ranks / 1 thread, {label}", both_ranks, references=single, target=1.6, note=note
        ),
        alone(f"received by a rank, {label}", received, target=200, note=took, unit="MB"),
        alone(f"share of an iteration, {label}", shares, target=0.1, note="exchanging", unit=""),
        alone(f"share of an iteration, {label}", waits, target=0.2, note="waiting", unit=""),
    ]
