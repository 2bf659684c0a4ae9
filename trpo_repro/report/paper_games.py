"""The paper's Table 1."""

from __future__ import annotations

from importlib import resources

import pandas as pd


def paper_scores() -> pd.DataFrame:
    """Return the paper's six rows by name, as text a column for each game."""
    source = resources.files("trpo_repro.report") / "paper" / "table1.csv"
    with resources.as_file(source) as path:
        return pd.read_csv(path, dtype=str, index_col="row").drop(columns="source")
