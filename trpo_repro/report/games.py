"""The Atari games among stored results, and the paper's Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import pandas as pd

from trpo_repro.report.runs import StoredRun

PROTOCOLS = ("trpo2015", "machado2018")
"""The paper's way of playing, and the later one; a picture or a table has one of them."""


def paper_scores() -> pd.DataFrame:
    """Return the paper's six rows by name, as text a column for each game."""
    source = resources.files("trpo_repro.report") / "paper" / "table1.csv"
    with resources.as_file(source) as path:
        return pd.read_csv(path, dtype=str, index_col="row").drop(columns="source")


def is_game(run: StoredRun) -> bool:
    """Tell whether a run is on a game, whose reward is its own points."""
    return "protocol" in run.config["task"]


def played_as(runs: Sequence[StoredRun], protocol: str) -> list[StoredRun]:
    """Return the runs on games under one protocol."""
    return [run for run in runs if run.config["task"].get("protocol") == protocol]
