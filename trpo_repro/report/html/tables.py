"""Tables as HTML: ours as they are, and the stored ones by their Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trpo_repro.errors import CheckpointError
from trpo_repro.report.stored_files import Kind
from trpo_repro.report.table import Table

STORED = ("tables/table1.md", "tables/table3.md", "theory/checks.md", "theory/steps.md")
"""The tables that the page takes as they were written, below the results."""

ONE_QUANTITY = re.compile(r"\S+ ± \S+|\[[^\s,\]]*\d[^\s,\]]*, [^\s,\]]*\d[^\s,\]]*\]")
"""a ± b, and an interval."""


@dataclass(frozen=True)
class Shown:
    """A table as a page shows it.

    Attributes:
        title: Above it.
        headings: Of its columns.
        rows: Its cells, as text.
        notes: Below it.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def shown(table: Table) -> Shown:
    """Return one of our tables."""
    rows = tuple(tuple(map(str, row)) for row in table.shown.to_numpy().tolist())
    return Shown(table.title, tuple(map(str, table.shown.columns)), rows, table.notes)


def unbroken(cell: str) -> str:
    """Return a cell that is not broken within a ± b or within an interval."""
    return ONE_QUANTITY.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), cell)


def _stored(path: Path) -> Shown:
    """Return a table that was written as Markdown (`table.markdown`).

    Raises:
        CheckpointError: It is cut short, or holds no such table.
        UnicodeDecodeError: It is no text.
    """
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    titles = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    cells = [_cells(line) for line in lines if line.startswith("|")]
    if not text.endswith("\n") or not titles or len(cells) < 2 or len(set(map(len, cells))) != 1:
        raise CheckpointError("it is no table that was written whole")
    notes = tuple(line.removeprefix("- ") for line in lines if line.startswith("- "))
    return Shown(titles[0], cells[0], tuple(cells[2:]), notes)


def _tables(results: Path) -> list[Path]:
    return [path for name in STORED if (path := results / name).is_file()]


def _again(path: Path) -> str:
    if path.parent.name == "theory":
        return f"trpo-repro theory --output {path.parent}"
    return f"trpo-repro tables --results-dir {path.parents[1]}"


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", inner))


TABLES = Kind(find=_tables, read=_stored, fix=_again)
"""Tables as Markdown."""
