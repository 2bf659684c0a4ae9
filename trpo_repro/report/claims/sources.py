"""What the rules look at besides runs and games: measurements, and the theory's tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from trpo_repro.errors import CheckpointError
from trpo_repro.report.evaluations import policy_sha256
from trpo_repro.report.runs import read_json
from trpo_repro.report.stored_files import Kind, read_table

MEASUREMENTS = ("standing", "variance", "parameters", "chance", "products")
WORDS, NUMBERS = ("quantity", "task", "n"), ("value", "low", "high")
"""What each row of a measurement has."""
OF_RUN = ("run", "policy_sha256")
"""What those have that were measured at a run's policy; elsewhere they may be empty or absent."""


def measured(results: Path) -> pd.DataFrame:
    """Return the rows of every measurement that is stored."""
    rows = [
        {"measurement": path.stem, "run": "", **row}
        for path in _measurements(results)
        for row in MEASURED.load(path) or []
    ]
    return pd.DataFrame(rows, columns=["measurement", "run", *WORDS, *NUMBERS])


def theory(results: Path) -> dict[str, pd.DataFrame]:
    """Return the theory's tables that are stored, by name."""
    kinds = {"checks.csv": CHECKS, "steps.csv": STEPS}
    found = {path.stem: k.load(path) for name, k in kinds.items() for path in _at(results, name)}
    return {name: table for name, table in found.items() if table is not None}


def _measurements(results: Path) -> list[Path]:
    paths = [results / "measurements" / f"{name}.json" for name in MEASUREMENTS]
    return [path for path in paths if path.is_file()]


def _at(results: Path, name: str) -> list[Path]:
    """Return the path of a file of the theory's, if it is there."""
    path = results / "theory" / name
    return [path] if path.is_file() else []


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return a measurement's rows.

    Raises:
        CheckpointError: It holds none, or others than ours, or some of a run's policy that is
            no longer that run's.
    """
    rows = read_json(path).get("rows")
    if not isinstance(rows, list) or not rows or not all(map(_is_row, rows)):
        raise CheckpointError("it does not hold the rows of a measurement")
    for row in rows:
        run, sha256 = row.get("run", ""), row.get("policy_sha256", "")
        if run and policy_sha256(path.parents[1] / run) != sha256:
            raise CheckpointError(f"it is not of the policy that {run} holds")
    return rows


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(key), str) for key in WORDS)
        and all(isinstance(row.get(key, ""), str) for key in OF_RUN)
        and all(type(row.get(key)) in (int, float) and math.isfinite(row[key]) for key in NUMBERS)
    )


def _checks(path: Path) -> pd.DataFrame:
    """Return what was checked.

    Raises:
        CheckpointError: It is damaged, or lacks rows: each family of MDPs has the same claims.
    """
    table = read_table(path, words=["claim", "equation"], numbers=["violations", "mdps"])
    if table["claim"].value_counts().nunique() != 1:
        raise CheckpointError("it lacks claims of one of its families of MDPs")
    return table


def _steps(path: Path) -> pd.DataFrame:
    return read_table(path, words=[], numbers=["discount", "mdps", "steps_ratio_median"])


def _theory_again(path: Path) -> str:
    return f"trpo-repro theory --output {path.parent}"


MEASURED = Kind(
    find=_measurements,
    read=_rows,
    fix=lambda path: f"trpo-repro measure {path.stem} --results-dir {path.parents[1]}",
)
"""What `trpo-repro measure` found: rows of `quantity`, `task`, `value`, `low`, `high`, `n`."""
CHECKS = Kind(find=lambda results: _at(results, "checks.csv"), read=_checks, fix=_theory_again)
"""The theory's `claim`, `equation`, `mdps` and `violations`."""
STEPS = Kind(find=lambda results: _at(results, "steps.csv"), read=_steps, fix=_theory_again)
"""Algorithm 1's `steps_ratio_median` over the trust region's, by `discount`; `mdps` of each."""
SOURCES = (MEASURED, CHECKS, STEPS)
"""All of them."""
