"""Experiments as lists of runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trpo_repro.checking import suggestion
from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.runner.state import state_of_run


@dataclass(frozen=True)
class SweepRun:
    """One run of an experiment.

    Attributes:
        overrides: What makes it, as on a command line.
        config: The same, composed and checked.
    """

    overrides: tuple[str, ...]
    config: RunConfig

    @property
    def folder(self) -> RunFolder:
        """Return where it is kept."""
        return RunFolder.of(self.config)

    @property
    def state(self) -> tuple[str, str]:
        """Return where it stands, and why."""
        return state_of_run(self.config)

    @property
    def label(self) -> str:
        """Return a short name: `hopper/vine/1a2b3c4d5e/seed0`."""
        return "/".join(self.folder.path.parts[-4:])


def read_experiment(path: Path) -> list[list[str]]:
    """Return the overrides of every run of an experiment file.

    The file's `cells` are a list of mappings from a setting to its value, or to a list of values,
    of which every combination is run. A value that is itself a list is written as text:
    `policy.hidden_sizes: "[50, 50]"`. What stands under `common` is set in every cell that does not
    set it itself.

    Raises:
        ConfigError: There is no such file, or it is not of this form.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = (p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError(
            f"unknown experiment {path.stem!r}" + suggestion(path.stem, known)
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("the file is not YAML", where=str(path)) from error
    sound = isinstance(content, dict) and content.keys() <= {"common", "cells"}
    cells, common = (content.get("cells"), content.get("common", {})) if sound else (None, {})
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in [*cells, common]):
        raise ConfigError(
            "an experiment is a list `cells` of mappings, and one mapping `common`", where=str(path)
        )
    return [line for cell in cells for line in _expand({**common, **cell}, path)]


def _expand(cell: Mapping[str, Any], path: Path) -> Iterator[list[str]]:
    """Yield the overrides of every combination of a cell's values."""
    axes = []
    for key, value in cell.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(v, (str, int, float, bool)) for v in values):
            raise ConfigError(f"{key} must be a value or a list of values", where=str(path))
        axes.append([f"{key}={_word(v)}" for v in values])
    return (list(line) for line in itertools.product(*axes))


def _word(value: str | int | float | bool) -> str:
    """Return a YAML scalar as Hydra's grammar reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
