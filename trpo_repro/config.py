"""The typed configuration of a run, and its checks.

Hydra composes; this module decides whether the result makes sense. Plain containers come in,
frozen dataclasses go out, and whatever is wrong raises ConfigError with the key's full name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from trpo_repro.checking import OneOf, Range, build, section, variant
from trpo_repro.errors import ConfigError
from trpo_repro.settings import (
    ALGORITHM_CONFIGS,
    ALGORITHM_TASKS,
    TASK_CONFIGS,
    AlgorithmConfig,
    AtariTask,
    CemConfig,
    Count,
    EstimatorConfig,
    GymTask,
    PixelPolicyConfig,
    PolicyConfig,
    TaskConfig,
    VineConfig,
    later_settings,
    policy_config,
)

LARGEST = 10**8
"""Numbers in an array of which a run holds several at once, at most: 0.8 GB."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run needs to know."""

    seed: Annotated[int, Range(at_least=0, below=2**63)]
    scale: Annotated[str, OneOf(("paper", "bench", "smoke"))]
    steps_per_iter: Count
    iterations: Count
    task: TaskConfig
    policy: PolicyConfig | PixelPolicyConfig
    estimator: EstimatorConfig
    algo: AlgorithmConfig
    results_dir: str
    threads: Annotated[int, Range(at_least=1, at_most=1024)] | None
    device: Annotated[str, OneOf(("cpu", "cuda"))]
    checkpoint_seconds: Annotated[float, Range(at_least=0)]
    tensorboard: bool

    def science(self) -> dict[str, Any]:
        """Return what decides the results, less the seed and the number of iterations."""
        parts = ("steps_per_iter", "task", "policy", "estimator", "algo")
        return {name: plain(getattr(self, name)) for name in parts}

    def identity(self) -> str:
        """Return the hash of `science`, 10 hexadecimal digits."""
        return science_hash(self.science())

    def task_label(self) -> str:
        """Return the task's name as a folder: `hopper`, `gym-Hopper-v5`."""
        if isinstance(self.task, GymTask):
            return "gym-" + self.task.id.replace("/", "-").replace(":", "-")
        return self.task.name


def science_hash(science: Mapping[str, Any]) -> str:
    """Return the hash of what decides results (`RunConfig.science`), 10 hexadecimal digits."""
    later = later_settings(str(science["algo"]["name"]))
    algo = {k: v for k, v in science["algo"].items() if k not in later or v != later[k]}
    text = json.dumps({**science, "algo": algo}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def simulator_settings(task: TaskConfig) -> dict[str, Any]:
    """Return what a task's simulator is made with, its name apart."""
    training = ("name", "reward_bound")
    return {key: value for key, value in plain(task).items() if key not in training}


_ESTIMATED = ("estimator.discount", "estimator.lambda_", "estimator.baseline")
_LEFT_ALONE = {"vine": ("estimator.lambda_",), "cem": _ESTIMATED, "cma": _ESTIMATED}


def without_use(config: RunConfig) -> dict[str, str]:
    """Return the settings that a run leaves alone, each with what makes it so.

    Vine's rollouts are its estimates of Q, and the searches rank members by their returns.
    """
    found = dict.fromkeys(_LEFT_ALONE.get(config.algo.name, ()), f"algo={config.algo.name}")
    settings = plain(config.algo)
    if settings.get("line_search") is False:
        searched = ("algo.line_search_shrink", "algo.max_backtracks")
        found |= dict.fromkeys(searched, "algo.line_search=false")
    if settings.get("proposal") == "all":
        found["algo.rollouts_per_state"] = "algo.proposal=all"
    return found


def plain(value: Any) -> Any:
    """Return `value` as JSON would hold it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def parse(composed: Mapping[str, Any]) -> RunConfig:
    """Check a composed configuration.

    Args:
        composed: Hydra's result as plain dicts, lists and scalars. The table `task.sizes`, from
            which the sizes were taken, is ignored.

    Raises:
        ConfigError: An unknown or missing key, a wrong type or range, or an impossible pair.
    """
    values = dict(composed)
    values["task"] = {k: v for k, v in section(values, "task").items() if k != "sizes"}
    task_name, algo_name = values["task"].get("name"), section(values, "algo").get("name")
    task = variant(TASK_CONFIGS, "task", name=task_name)
    algo = variant(ALGORITHM_CONFIGS, "algo", name=algo_name)
    hints = {"task": task, "algo": algo, "policy": policy_config(task)}
    config: RunConfig = build(RunConfig, values, prefix="", overriding=hints)
    if isinstance(config.algo, CemConfig) and config.algo.elites > config.algo.population:
        raise ConfigError(f"algo.elites must be <= algo.population, got {config.algo.elites}")
    if isinstance(config.algo, VineConfig) and config.algo.trunk_steps >= config.steps_per_iter:
        raise ConfigError(
            f"algo.trunk_steps must be < steps_per_iter, got {config.algo.trunk_steps} of"
            f" {config.steps_per_iter}",
            fix="set both: the trunk is a part of the steps",
        )
    possible = ALGORITHM_TASKS[config.algo.name]
    if config.task.name not in possible:
        raise ConfigError(
            f"algo={config.algo.name} cannot run on task={config.task.name}",
            fix="choose task=" + "|".join(possible),
        )
    if isinstance(config.task, AtariTask):
        _check_pixels(config.estimator)
    _check_products(config.task, config.algo)
    return config


def _check_products(task: TaskConfig, algo: AlgorithmConfig) -> None:
    """Refuse sizes that are fine one by one, but make an array that fits nowhere."""
    products = dict[str, int]()
    if isinstance(task, AtariTask):  # of an episode's frames each has its own chance to stick
        products["task.horizon × task.frame_skip"] = task.horizon * task.frame_skip
    if isinstance(algo, VineConfig):  # the noise behind one state
        steps = algo.rollouts_per_state * algo.rollout_length
        products["algo.rollouts_per_state × algo.rollout_length"] = steps
    for name, product in products.items():
        if product > LARGEST:
            raise ConfigError(f"{name} must be <= {LARGEST:g}, got {product}")


def _check_pixels(estimator: EstimatorConfig) -> None:
    """Refuse what makes no sense of 8320 pixels."""
    if estimator.normalise_observations:
        raise ConfigError(
            "estimator.normalise_observations is for numbers, not for pixels",
            fix="use estimator.normalise_observations=false",
        )
    if estimator.baseline != "none":
        raise ConfigError(
            f"estimator.baseline={estimator.baseline} cannot be fitted to pixels",
            fix="use estimator.baseline=none",
        )
