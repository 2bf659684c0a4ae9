"""Hydra's launchers, and the overrides that choose and configure one."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from shutil import which

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from trpo_repro.checking import suggestion
from trpo_repro.cli.compose import config_folder, leaves
from trpo_repro.cli.overrides import is_hydras, parse_overrides
from trpo_repro.errors import ConfigError, MissingDependency

LAUNCHERS = {
    "joblib": ("joblib", "hydra_joblib_launcher"),
    "submitit_local": ("slurm", "hydra_submitit_launcher"),
    "submitit_slurm": ("slurm", "hydra_submitit_launcher"),
    "ray": ("ray", "hydra_ray_launcher"),
}
"""Launchers, the extra that each comes with, and Hydra's plugin that it needs."""


def hydras_own(overrides: Sequence[str]) -> list[str]:
    """Return those of `overrides` that are Hydra's own, such as the launcher's, all checked.

    Raises:
        ConfigError: Hydra knows no such key, which it might take in silence, or no such value.
        MissingDependency: The launcher is not installed.
    """
    own = [override for override in parse_overrides(overrides) if is_hydras(override)]
    if not own:
        return []
    for override in own:
        _check_form(override)
        _check_launcher(override)
    known = leaves(_composed([o for o in own if "/" in o.key_or_group]), "hydra.")
    for override in own:
        key = override.key_or_group
        if "/" not in key and key not in known:
            if key.startswith("hydra.launcher.") and not any("/" in o.key_or_group for o in own):
                fix = f"name the launcher that it is of: hydra/launcher={'|'.join(LAUNCHERS)}"
                raise ConfigError(f"Hydra's own launcher has no '{key}'", fix=fix)
            raise ConfigError(f"unknown key '{key}'" + suggestion(key, known))
    _composed(own)  # the values too
    return _lines(own)


def check_slurm(hydra_overrides: Sequence[str]) -> None:
    """Refuse to submit jobs where there is nobody to submit them to.

    Raises:
        MissingDependency: SLURM's launcher is chosen, and its commands are not here.
    """
    if "hydra/launcher=submitit_slurm" in hydra_overrides and which("srun") is None:
        raise MissingDependency(
            "there is no SLURM here: no srun on the path",
            where="hydra/launcher=submitit_slurm",
            fix="run it on a login node, or take hydra/launcher=submitit_local",
        )


@contextmanager
def over_plugins() -> Iterator[None]:
    """Lay our files of launchers over their plugins' own, which then check them.

    Hydra does so wherever the names are the same, but warns of a version in which it will not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")
        yield


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [override.input_line or "" for override in overrides]


def _composed(overrides: Sequence[Override]) -> DictConfig:
    """Return Hydra's own configuration under `overrides`."""
    folder = str(config_folder())
    try:
        with initialize_config_dir(version_base="1.3", config_dir=folder), over_plugins():
            composed = compose("config", overrides=_lines(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split())) from error
    hydras: DictConfig = composed.hydra
    return hydras


def _check_form(override: Override) -> None:
    """Refuse what is no plain key=value."""
    if override.is_delete():
        raise ConfigError(f"'{override.key_or_group}' cannot be deleted")
    if override.is_sweep_override():
        raise ConfigError(f"'{override.input_line}' names several values", fix="choose one")


def _check_launcher(override: Override) -> None:
    """Tell a launcher that is not installed from one that nobody knows."""
    name = str(override.value())
    if override.key_or_group != "hydra/launcher" or name not in LAUNCHERS:
        return
    extra, plugin = LAUNCHERS[name]
    with suppress(ModuleNotFoundError):  # there is no plugin at all
        if importlib.util.find_spec(f"hydra_plugins.{plugin}") is not None:
            return
    raise MissingDependency(
        f"the {name} launcher is not installed",
        where=override.input_line or "",
        fix=f"pip install 'trpo-repro[{extra}]'",
    )
