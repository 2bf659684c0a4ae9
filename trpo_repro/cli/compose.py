"""From command-line overrides to checked configurations, by way of Hydra's composition."""

from __future__ import annotations

import copy
import hashlib
import itertools
import os
import shutil
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trpo_repro.checking import suggestion
from trpo_repro.cli.experiments import shipped
from trpo_repro.cli.overrides import is_hydras, parse_overrides
from trpo_repro.config import RunConfig, parse, without_use
from trpo_repro.errors import ConfigError
from trpo_repro.runner.sizes import convolutions
from trpo_repro.runner.sweep import SweepRun
from trpo_repro.settings import PixelPolicyConfig

CONF = "TRPO_REPRO_CONF"
"""Environment variable: the folder of a sweep's snapshot, which its runs take for `conf/`."""


def config_folder() -> Path:
    """Return `conf/`: a sweep's snapshot of it, or ours."""
    frozen = os.environ.get(CONF)
    return Path(frozen) if frozen else shipped("conf")


def groups() -> dict[str, list[str]]:
    """Return the config groups and what can be chosen in each."""
    folders = sorted(f for f in config_folder().iterdir() if f.is_dir())
    return {f.name: sorted(p.stem for p in f.glob("*.yaml")) for f in folders if f.name != "hydra"}


def snapshot(results: Path) -> Path:
    """Return a copy of `conf/` below `results`, named by its contents, for the runs of a sweep.

    Editing `conf/` while a sweep goes on thus changes none of its runs.
    """
    target = results.absolute() / ".sweeps" / f"conf-{settings_hash()}"
    if not target.is_dir():
        unfinished = target.with_name(f".tmp-{os.getpid()}-{target.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        for path in config_folder().rglob("*.yaml"):
            copy = unfinished / path.relative_to(config_folder())
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        unfinished.rename(target)
    return target


def settings_hash() -> str:
    """Return the hash of the names and contents of all files of `conf/`, 12 hexadecimal digits."""
    folder, found = config_folder(), hashlib.sha256()
    for path in sorted(folder.rglob("*.yaml")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return found.hexdigest()[:12]


def run_config(overrides: Sequence[str], *, several: str = "add -m to run them all") -> RunConfig:
    """Return the checked configuration of one run.

    Args:
        overrides: Words such as `task=hopper` and `algo.stepsize=0.03`.
        several: What to do who has named several values of one setting.

    Raises:
        ConfigError: Whatever is wrong with them.
    """
    parsed = parse_overrides(overrides)
    for override in parsed:
        if is_hydras(override):
            raise ConfigError(
                f"'{override.key_or_group}' does nothing in a single run",
                fix="add -m, or take it out",
            )
        if override.is_sweep_override():
            raise ConfigError(f"'{override.input_line}' names several values", fix=several)
    return _checked(parsed)


def sweep_runs(overrides: Sequence[str]) -> list[SweepRun]:
    """Return the runs of a `-m` command, or of a line of an experiment file, each checked.

    Args:
        overrides: As for `run_config`, where a value may be a list. `hydra/…` keys, which
            `launchers.hydras_own` checks, make no job.

    Raises:
        ConfigError: One of the jobs is wrong.
    """
    axes = []
    for override in parse_overrides(overrides):
        if is_hydras(override):
            continue
        key = override.get_key_element()
        if override.is_sweep_override():
            if override.value_type == ValueType.GLOB_CHOICE_SWEEP:
                axes.append([f"{key}={name}" for name in _globbed(override)])
                continue
            if override.value_type == ValueType.RANGE_SWEEP or override.is_choice_sweep():
                axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
                continue
            raise ConfigError(f"'{override.input_line}' cannot be swept", fix="list the values")
        axes.append([override.input_line or ""])
    return [SweepRun(job, run_config(job)) for job in itertools.product(*axes)]


def _globbed(override: Override) -> list[str]:
    value: Any = override.value()
    choices = groups().get(override.key_or_group)
    if choices is None:
        raise ConfigError(f"'{override.input_line}': only task and algo can be globbed")
    return list(value.filter(choices))


def _checked(parsed: Sequence[Override]) -> RunConfig:
    """Compose, resolve and check."""
    choices = groups()
    chosen = [o for o in parsed if o.key_or_group in choices]
    for override in chosen:
        name = str(override.value())
        if name not in choices[override.key_or_group]:
            kind = "algorithm" if override.key_or_group == "algo" else override.key_or_group
            raise ConfigError(
                f"unknown {kind} {name!r}" + suggestion(name, choices[override.key_or_group])
            )
    usual = _composed(tuple(o.input_line or "" for o in chosen), config_folder())
    known = {name for name in leaves(usual) if not name.startswith("task.sizes.")}
    known |= choices.keys()
    for override in parsed:
        _check_key(override, known)
    composed = _with_values(usual, [o for o in parsed if o.key_or_group not in choices])
    try:
        _check_scale(composed)
        container = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    assert isinstance(container, dict)
    # A shell leaves the ~ of results_dir=~/mine as it is.
    container["results_dir"] = os.path.expanduser(str(container["results_dir"]))
    config = parse({str(key): value for key, value in container.items()})
    for key, because in without_use(config).items():
        if OmegaConf.select(composed, key) != OmegaConf.select(usual, key):
            raise ConfigError(f"'{key}' does nothing with {because}", fix="take it out")
    if isinstance(config.policy, PixelPolicyConfig):
        convolutions(config.policy)  # refuses what does not fit
    return config


def _check_key(override: Override, known: Set[str]) -> None:
    """Refuse a key that the chosen task and algorithm do not have, naming its neighbour."""
    key = override.key_or_group
    if key in known:
        if override.is_delete():
            raise ConfigError(f"'{key}' cannot be deleted")
        if override.is_add():
            raise ConfigError(f"'{key}' is there already", fix="take out the +")
        return
    if key == "task.sizes" or key.startswith("task.sizes."):
        raise ConfigError(f"'{key}' is not for setting", fix="set steps_per_iter and iterations")
    if any(name.startswith(f"{key}.") for name in known):
        raise ConfigError(f"'{key}' is a group of settings", fix=f"set one of them: {key}.…=…")
    raise ConfigError(f"unknown key '{key}'" + suggestion(key, known))


def _check_scale(composed: DictConfig) -> None:
    """Refuse a scale that the task has no sizes for, before interpolation stumbles over it."""
    sizes = [str(name) for name in composed.task.sizes]
    if composed.scale not in sizes:
        raise ConfigError(f"scale must be one of {', '.join(sizes)}, got {composed.scale}")


@cache  # a sweep asks of hundreds of runs, of which few differ in this
def _composed(chosen: tuple[str, ...], folder: Path) -> DictConfig:
    """Let Hydra put the files of `folder` together, as task and algorithm choose them."""
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(folder)):
            return compose("config", overrides=list(chosen))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split())) from error


def _with_values(composed: DictConfig, overrides: Sequence[Override]) -> DictConfig:
    """Return a copy with the settings of `overrides`, which Hydra would set in the same way.

    It would put the files together anew for each run, which takes far longer.
    """
    changed = copy.deepcopy(composed)
    for override in overrides:
        key, word = override.key_or_group, override.input_line
        if override.package is not None:
            raise ConfigError(f"'{word}': '{key}' is no group, and takes no @")
        try:
            OmegaConf.update(changed, key, override.value(), merge=True)
        except OmegaConfBaseException as error:
            raise ConfigError(f"'{word}': " + " ".join(str(error).split())) from error
    return changed


def leaves(config: DictConfig, prefix: str = "") -> list[str]:
    """Return the full names of all settings."""
    names = []
    for key in config:
        node = config._get_node(key)
        full = prefix + str(key)
        if isinstance(node, DictConfig):
            names += leaves(node, full + ".")
        else:
            names.append(full)
    return names
