"""A table: its numbers as CSV, and as Markdown for a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from trpo_repro.report.statistics import Interval


@dataclass(frozen=True)
class Table:
    """One table in both forms.

    Attributes:
        title: What it shows.
        numbers: For machines.
        shown: The same as text, one column a heading.
        notes: What the reader has to know.
    """

    title: str
    numbers: pd.DataFrame
    shown: pd.DataFrame
    notes: tuple[str, ...]


def files(name: str, table: Table) -> dict[str, bytes]:
    """Return the CSV and the Markdown file of a table by name."""
    return {f"{name}.csv": csv(table.numbers), f"{name}.md": markdown(table).encode()}


def csv(frame: pd.DataFrame) -> bytes:
    """Return `frame` as a CSV file of six significant digits."""
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()


def markdown(table: Table) -> str:
    """Return the table as GitHub's Markdown."""
    rows = [list(map(str, table.shown.columns)), ["---"] * len(table.shown.columns)]
    rows += table.shown.to_numpy().tolist()
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"# {table.title}", "", *lines, "", *(f"- {n}" for n in table.notes), ""])


def _cell(text: str) -> str:
    return text.replace("|", r"\|") or "–"


def estimate(value: float | None, between: Interval | None, *, form: str = ".3f") -> str:
    """Return `2.674 [2.289, 3.058]`; nothing where there is no value."""
    if value is None:
        return ""
    ends = f" [{between.low:{form}}, {between.high:{form}}]" if between else ""
    return f"{value:{form}}{ends}"


def machines(found: Sequence[str]) -> str:
    """Return the machines that results come from, each once."""
    return "; ".join(sorted(set(found)))
