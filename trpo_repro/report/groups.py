"""Stored runs in groups: the seeds of one configuration, and what they came to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.report.runs import SCIENCE, StoredRun
from trpo_repro.report.style import LOOKS

TASK_ORDER = ("cartpole", "swimmer", "hopper", "walker")
FINAL = 10
"""The final score of a run is the mean of so many last iterations."""


@dataclass(frozen=True)
class Group:
    """The seeds of one configuration.

    Attributes:
        runs: The runs, of different seeds.
    """

    runs: tuple[StoredRun, ...]

    @property
    def algorithm(self) -> str:
        """Return their algorithm."""
        return self.runs[0].algorithm

    @property
    def identity(self) -> str:
        """Return the hash of their settings."""
        return self.runs[0].identity

    @property
    def stepsize(self) -> float | None:
        """Return `algo.stepsize`; None where the algorithm has none."""
        value = self.runs[0].config["algo"].get("stepsize")
        return None if value is None else float(value)

    @property
    def seeds(self) -> frozenset[int]:
        """Return their seeds, those that are lost too."""
        return frozenset(run.seed for run in self.runs)

    @property
    def complete(self) -> tuple[StoredRun, ...]:
        """Return the runs that are done, all their rows there."""
        return tuple(run for run in self.runs if run.complete)

    @property
    def averaged(self) -> tuple[StoredRun, ...]:
        """Return the runs that the mean is taken over: those complete, or if none is, all."""
        return self.complete or tuple(run for run in self.runs if len(run.rows)) or self.runs

    @property
    def failed(self) -> int:
        """Return how many runs ended in an error."""
        return sum(run.state == "failed" for run in self.runs)

    @property
    def finals(self) -> NDArray[np.float64]:
        """Return (n,) the final scores of the complete runs."""
        return np.array([run.score[-FINAL:].mean() for run in self.complete])

    @property
    def final(self) -> float:
        """Return the mean final score; minus infinity where no run is complete."""
        return float(self.finals.mean()) if self.complete else -np.inf

    @property
    def count(self) -> str:
        """Return how many seeds the mean is of, and of how many that there are."""
        return f"n = {self.shares(self.averaged)}"

    def shares(self, runs: Sequence[StoredRun]) -> str:
        """Return `5`, or `3 of 5, 1 failed` where `runs` are not all that there should be."""
        lost = f", {self.failed} failed" if self.failed else ""
        return (
            f"{len(runs)}"
            if len(runs) == len(self.runs)
            else f"{len(runs)} of {len(self.runs)}{lost}"
        )


def by_task(runs: Sequence[StoredRun]) -> dict[str, list[Group]]:
    """Return the groups of each task, tasks in the paper's order and others behind."""

    def place(task: str) -> tuple[int, str]:
        return (TASK_ORDER.index(task) if task in TASK_ORDER else len(TASK_ORDER), task)

    tasks: dict[str, list[Group]] = {
        task: [] for task in sorted({run.task for run in runs}, key=place)
    }
    for (task, _, _), seeds in itertools.groupby(
        runs, key=lambda run: (run.task, run.algorithm, run.identity)
    ):
        tasks[task].append(Group(tuple(seeds)))
    return tasks


def by_algorithm(groups: Sequence[Group]) -> Iterator[tuple[str, list[Group]]]:
    """Yield each algorithm with its groups, in the order of `LOOKS`, unknown ones last."""
    known = list(LOOKS)
    ranked = sorted(
        groups, key=lambda g: known.index(g.algorithm) if g.algorithm in known else len(known)
    )
    for algorithm, same in itertools.groupby(ranked, key=lambda group: group.algorithm):
        yield algorithm, list(same)


def settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the full name and value of every setting that decides results."""
    for key, value in config.items():
        if not prefix and key not in SCIENCE:
            continue
        if isinstance(value, Mapping):
            yield from settings(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
