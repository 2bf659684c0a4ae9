"""Tables as HTML: ours as they are, and the stored ones by their Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trpo_repro.report.table import Table


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


def stored(path: Path) -> Shown | None:
    """Return a table that was written as Markdown (`table.markdown`); None where there is none."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    title = next((line.removeprefix("# ") for line in lines if line.startswith("# ")), path.stem)
    cells = [_cells(line) for line in lines if line.startswith("|")]
    notes = tuple(line.removeprefix("- ") for line in lines if line.startswith("- "))
    return Shown(title, cells[0], tuple(cells[2:]), notes) if len(cells) > 2 else None


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", inner))
