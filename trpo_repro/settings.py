"""What can be set for each task, algorithm, network and estimator: one dataclass each.

Their annotations say what a value may be; `checking.build` holds it to that.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any

from trpo_repro.checking import OneOf, Range

Count = Annotated[int, Range(at_least=1, at_most=10**9)]  # beyond, no array would fit
Units = Annotated[int, Range(at_least=1, at_most=100_000)]  # of a layer
Several = Annotated[int, Range(at_least=2, at_most=10**9)]
Positive = Annotated[float, Range(above=0)]
Fraction = Annotated[float, Range(above=0, at_most=1)]


@dataclass(frozen=True)
class CartpoleTask:
    """Settings of `task=cartpole`."""

    name: str
    horizon: Count


@dataclass(frozen=True)
class LocomotionTask:
    """Settings of `task=swimmer|hopper|walker`."""

    name: str
    horizon: Count
    timestep: Annotated[float, Range(above=0, at_most=0.1)]
    frame_skip: Annotated[int, Range(at_least=1, at_most=1000)]
    integrator: Annotated[str, OneOf(("euler", "implicitfast", "rk4"))]


@dataclass(frozen=True)
class GymTask:
    """Settings of `task=gym`."""

    name: str
    id: str
    horizon: Count | None
    batched: bool


@dataclass(frozen=True)
class AtariTask:
    """Settings of `task=pong` and the other games."""

    name: str
    protocol: Annotated[str, OneOf(("trpo2015", "machado2018"))]
    horizon: Count
    frame_skip: Several  # a screen is made of the last two frames
    reward_bound: Positive | None


TaskConfig = CartpoleTask | LocomotionTask | GymTask | AtariTask
TASK_CONFIGS: dict[str, type[TaskConfig]] = {
    "cartpole": CartpoleTask,
    "swimmer": LocomotionTask,
    "hopper": LocomotionTask,
    "walker": LocomotionTask,
    "gym": GymTask,
    "beam_rider": AtariTask,
    "breakout": AtariTask,
    "enduro": AtariTask,
    "pong": AtariTask,
    "qbert": AtariTask,
    "seaquest": AtariTask,
    "space_invaders": AtariTask,
}
GAMES = tuple(name for name, config in TASK_CONFIGS.items() if config is AtariTask)


@dataclass(frozen=True)
class NaturalDirectionConfig:
    """Settings of what steps along A⁻¹g."""

    name: str
    stepsize: Positive
    cg_iterations: Count
    damping: Annotated[float, Range(at_least=0)]
    fisher_fraction: Fraction


@dataclass(frozen=True)
class NaturalGradientConfig(NaturalDirectionConfig):
    """Settings of `algo=natural_gradient`."""

    standardise_advantages: bool = field(default=True, kw_only=True)  # see later_settings


@dataclass(frozen=True)
class TrustRegionConfig(NaturalDirectionConfig):
    """Settings of what steps to the edge of a trust region."""

    line_search_shrink: Annotated[float, Range(above=0, below=1)]
    max_backtracks: Annotated[int, Range(at_least=0)]
    line_search: bool = field(default=True, kw_only=True)  # see later_settings


@dataclass(frozen=True)
class SinglePathConfig(TrustRegionConfig):
    """Settings of `algo=single_path|empirical_fim`."""

    standardise_advantages: bool = field(default=True, kw_only=True)  # see later_settings


@dataclass(frozen=True)
class VineConfig(TrustRegionConfig):
    """Settings of `algo=vine`."""

    trunk_steps: Count
    rollouts_per_state: Several
    rollout_length: Count
    proposal: Annotated[str, OneOf(("auto", "policy", "uniform", "all"))]
    common_random_numbers: bool


@dataclass(frozen=True)
class MaxKlConfig:
    """Settings of `algo=max_kl`."""

    name: str
    stepsize: Positive
    max_backtracks: Annotated[int, Range(at_least=0)]


@dataclass(frozen=True)
class PolicyGradientConfig:
    """Settings of `algo=policy_gradient`."""

    name: str
    stepsize: Positive


@dataclass(frozen=True)
class KlPenaltyConfig:
    """Settings of `algo=kl_penalty`."""

    name: str
    stepsize: Positive
    initial_penalty: Positive
    dual_stepsize: Annotated[float, Range(above=0, below=1)]
    max_iterations: Count


@dataclass(frozen=True)
class CemConfig:
    """Settings of `algo=cem`."""

    name: str
    population: Several
    elites: Count
    initial_std: Positive
    extra_std: Annotated[float, Range(at_least=0)]
    noise_generations: Count
    normalise_generations: Count
    play: Annotated[str, OneOf(("mean", "sampled"))]


@dataclass(frozen=True)
class CmaConfig:
    """Settings of `algo=cma`."""

    name: str
    population: Annotated[int, Range(at_least=3, at_most=10**9)]  # with 2 the package `cma` fails
    initial_std: Positive
    diagonal: bool
    normalise_generations: Count
    play: Annotated[str, OneOf(("mean", "sampled"))]


AlgorithmConfig = (
    NaturalGradientConfig
    | SinglePathConfig
    | VineConfig
    | MaxKlConfig
    | PolicyGradientConfig
    | KlPenaltyConfig
    | CemConfig
    | CmaConfig
)
ALGORITHM_CONFIGS: dict[str, type[AlgorithmConfig]] = {
    "single_path": SinglePathConfig,
    "vine": VineConfig,
    "natural_gradient": NaturalGradientConfig,
    "empirical_fim": SinglePathConfig,
    "max_kl": MaxKlConfig,
    "cem": CemConfig,
    "cma": CmaConfig,
    "policy_gradient": PolicyGradientConfig,
    "kl_penalty": KlPenaltyConfig,
}


NOT_FROM_PIXELS = ("cem", "cma")
"""The searches, whose populations of 33,500 parameters each play whole games: the paper has no such
run."""


def _possible_tasks(algo: str) -> tuple[str, ...]:
    if algo == "max_kl":
        return ("cartpole",)
    games = algo not in NOT_FROM_PIXELS
    return tuple(task for task, kind in TASK_CONFIGS.items() if games or kind is not AtariTask)


ALGORITHM_TASKS = {name: _possible_tasks(name) for name in ALGORITHM_CONFIGS}
"""Which tasks each algorithm can be run on."""


@dataclass(frozen=True)
class PolicyConfig:
    """Settings of the policy network."""

    hidden_sizes: tuple[Units, ...]
    initial_std: Positive


@dataclass(frozen=True)
class PixelPolicyConfig:
    """Settings of the policy network of the Atari games."""

    channels: tuple[Units, ...]
    kernel_size: Count
    stride: Count
    hidden_sizes: tuple[Units, ...]


@dataclass(frozen=True)
class EstimatorConfig:
    """Settings of returns, baseline and normalisation."""

    discount: Annotated[float, Range(at_least=0, at_most=1)]
    lambda_: Annotated[float, Range(at_least=0, at_most=1)]
    baseline: Annotated[str, OneOf(("none", "linear", "mlp"))]
    normalise_observations: bool


def policy_config(task: type[TaskConfig] | None) -> type[PolicyConfig | PixelPolicyConfig]:
    """Return the config class of a task's policy."""
    return PixelPolicyConfig if task is AtariTask else PolicyConfig


def later_settings(algorithm: str) -> dict[str, Any]:
    """Return the settings that came after results were stored, with what was done before them.

    They are the fields that have a default. A setting that is as it was before it existed is left
    out of the hash, so that runs from before and after are the same runs.
    """
    kind = ALGORITHM_CONFIGS.get(algorithm)
    fields = dataclasses.fields(kind) if kind else ()
    return {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
