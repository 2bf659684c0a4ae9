"""Stored evaluations: which of them are of the policy that lies beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from trpo_repro.errors import CheckpointError
from trpo_repro.report.collection import comparison_folders
from trpo_repro.report.runs import read_json

SAMPLED = "evaluation-stochastic.json"


def policy_sha256(folder: Path) -> str | None:
    """Return the sha256 of the policy that a run's folder holds; None without one."""
    path = folder / "policy.safetensors"
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored_evaluation(path: Path) -> dict[str, Any] | None:
    """Return a stored evaluation; None where there is none of the policy that lies beside it.

    Raises:
        CheckpointError: It is damaged.
    """
    if not path.is_file():
        return None
    content, sha256 = read_json(path), policy_sha256(path.parent)
    return content if sha256 and content.get("policy_sha256") == sha256 else None


def complaints(results: Path) -> list[str]:
    """Return a line for each evaluation below `results` that is of no policy beside it."""
    paths = sorted(p for f in comparison_folders(results) for p in f.rglob("evaluation-*.json"))
    return [f"{path}: not shown: {why}" for path in paths if (why := _problem(path))]


def _problem(path: Path) -> str:
    """Return why an evaluation does not count; nothing if it does."""
    if policy_sha256(path.parent) is None:
        return "no policy.safetensors lies beside it, so that nobody can tell whose it is"
    try:
        if stored_evaluation(path) is not None:
            return ""
        why = "it is not of the policy.safetensors that lies beside it"
    except CheckpointError as error:
        why = str(error)
    return f"{why}; fix: trpo-repro evaluate {path.parent}"
