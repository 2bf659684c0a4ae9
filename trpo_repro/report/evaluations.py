"""Stored games: those of policies, which must lie beside them, and those of chance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.errors import CheckpointError
from trpo_repro.report.collection import comparison_folders
from trpo_repro.report.runs import read_json
from trpo_repro.report.stored_files import Kind

SAMPLED = "evaluation-stochastic.json"


def policy_sha256(folder: Path) -> str | None:
    """Return the sha256 of the policy that a run's folder holds; None without one."""
    path = folder / "policy.safetensors"
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def random_path(results: Path, protocol: str, *, game: str) -> Path:
    """Return where `trpo-repro random` keeps the games that chance played under a protocol."""
    return results / "random" / protocol / f"{game}.json"


def _evaluations(results: Path) -> list[Path]:
    return sorted(p for f in comparison_folders(results) for p in f.rglob("evaluation-*.json"))


def _of_policy_beside(path: Path) -> NDArray[np.float64]:
    """Return (n,) the returns of an evaluation of the policy that lies beside it.

    Raises:
        CheckpointError: It is damaged, or of another policy.
    """
    sha256 = policy_sha256(path.parent)
    if sha256 is None:
        raise CheckpointError(
            "no policy.safetensors lies beside it, so that nobody can tell whose it is"
        )
    content = read_json(path)
    if content.get("policy_sha256") != sha256:
        raise CheckpointError("it is not of the policy.safetensors that lies beside it")
    return _returns(content)


def _evaluate_again(path: Path) -> str:
    if not (path.parent / "policy.safetensors").is_file():
        return ""
    return f"trpo-repro evaluate {path.parent}" + " --greedy" * path.stem.endswith("greedy")


def _returns(content: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return (n,) what the episodes of a stored file came to.

    Raises:
        CheckpointError: They are not as many finite numbers as it says that there are.
    """
    stored, count = content.get("returns"), content.get("episodes")
    numbers = [x for x in stored if type(x) in (int, float)] if isinstance(stored, list) else []
    if not numbers or not len(numbers) == len(stored or []) == count:
        raise CheckpointError("it does not hold as many returns as it has episodes")
    returns = np.array(numbers, np.float64)
    if not np.isfinite(returns).all():
        raise CheckpointError("it holds returns that are no numbers")
    return returns


EVALUATIONS = Kind(find=_evaluations, read=_of_policy_beside, fix=_evaluate_again)
"""What `trpo-repro evaluate` found of a run's policy: (n,) returns."""
RANDOM_GAMES = Kind(
    find=lambda results: sorted(results.glob("random/*/*.json")),
    read=lambda path: _returns(read_json(path)),
    fix=lambda path: (
        f"trpo-repro random task={path.stem} task.protocol={path.parent.name}"
        f" results_dir={path.parents[2]}"
    ),
)
"""What `trpo-repro random` found of a game: (n,) returns."""
