"""Ablations: runs that differ from those of the comparison in one setting alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trpo_repro.report.choice import Choice
from trpo_repro.report.groups import Group, by_task, settings
from trpo_repro.report.runs import StoredRun

FOLDER = "ablations"
"""Where their results lie, below the others: a setting of theirs is none of Figure 4's."""


@dataclass(frozen=True)
class Ablation:
    """One setting that is varied.

    Attributes:
        name: Of its files.
        algorithm: Whose.
        setting: Its full name.
        label: What it is, for an axis.
    """

    name: str
    algorithm: str
    setting: str
    label: str


ABLATIONS = (
    Ablation("line_search", "single_path", "algo.line_search", "line search"),
    Ablation("cg_iterations", "single_path", "algo.cg_iterations", "conjugate-gradient iterations"),
    Ablation("subsample", "single_path", "algo.fisher_fraction", "share of states in A"),
    Ablation("stepsize", "single_path", "algo.stepsize", "δ, mean KL in nats"),
    Ablation("baseline", "single_path", "estimator.baseline", "baseline"),
    Ablation("lambda", "single_path", "estimator.lambda_", "λ of GAE"),
    Ablation(
        "normalisation",
        "single_path",
        "estimator.normalise_observations",
        "normalised observations",
    ),
    Ablation("crn", "vine", "algo.common_random_numbers", "common random numbers"),
    Ablation("rollouts", "vine", "algo.rollouts_per_state", "rollouts per state, K"),
)


@dataclass(frozen=True)
class Member:
    """One value of the setting.

    Attributes:
        value: The value.
        group: The seeds that were run with it.
        default: Whether it is the comparison's.
    """

    value: Any
    group: Group
    default: bool


Found = Mapping[str, Mapping[str, Sequence[Member]]]
"""By name of the ablation, by task: the members by rising value, two at least."""


def ablations(chosen: Mapping[str, Sequence[Choice]], runs: Sequence[StoredRun]) -> Found:
    """Return what of each ablation is stored; one without any run beside the default is not there.

    Args:
        chosen: The comparison, whose settings are the defaults.
        runs: Those of the ablations.
    """
    groups = by_task(runs)
    found = {}
    for ablation in ABLATIONS:
        of_task = {
            task: members
            for task, own in groups.items()
            if len(members := _members(ablation, chosen.get(task, ()), groups=own)) > 1
        }
        if of_task:
            found[ablation.name] = of_task
    return found


def _members(
    ablation: Ablation, of_task: Sequence[Choice], *, groups: Sequence[Group]
) -> list[Member]:
    """Return every group that differs from the default in the setting alone, and its seeds' own."""
    base = next((c.group for c in of_task if c.group.algorithm == ablation.algorithm), None)
    if base is None or not base.complete:
        return []
    usual = dict(settings(base.runs[0].config))
    members = []
    for group in groups:
        own = dict(settings(group.runs[0].config))
        differing = {key for key in own.keys() | usual.keys() if own.get(key) != usual.get(key)}
        if group.algorithm == ablation.algorithm and differing == {ablation.setting}:
            members.append(Member(own.get(ablation.setting), group, default=False))
    # The same seeds of the default, or seeds that differ would pass for an effect.
    seeds = {run.seed for member in members for run in member.group.runs}
    if same := tuple(run for run in base.runs if run.seed in seeds):
        members.append(Member(usual.get(ablation.setting), Group(same), default=True))
    return sorted(members, key=lambda member: _rank(member.value))


def _rank(value: Any) -> tuple[float, str]:
    """Return what to sort by: numbers as they are, words behind them."""
    return (float(value), "") if isinstance(value, (int, float)) else (float("inf"), str(value))
