"""Stored files besides the runs' own: each kind is read in one way, and a damaged one is named.

A kind says where its files lie, how one is read and how one is made anew. Whoever shows results
takes what `load` returns, for which a damaged file is as good as none; the command prints the
`complaints` of every kind that it shows, so that nobody takes the one for the other.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from trpo_repro.errors import CheckpointError, TrpoError

Content = TypeVar("Content")


@dataclass(frozen=True)
class Kind(Generic[Content]):
    """One kind of stored file.

    Attributes:
        find: Takes the results' folder to the files of this kind that are there.
        read: Takes a file to what it holds; raises something where that is not what it should be.
        fix: Takes a file to the command that makes it anew; to nothing where none does.
    """

    find: Callable[[Path], Iterable[Path]]
    read: Callable[[Path], Content]
    fix: Callable[[Path], str]

    def load(self, path: Path) -> Content | None:
        """Return what a file holds; None where there is none, or none that can be used."""
        return self._examined(path)[0] if path.is_file() else None

    def complaint(self, path: Path) -> str:
        """Return what is wrong with a file that is there, and how to make it anew, or nothing."""
        why, fix = self._examined(path)[1], self.fix(path)
        return f"{path}: not shown: {why}" + (f"; fix: {fix}" if fix else "") if why else ""

    def _examined(self, path: Path) -> tuple[Content | None, str]:
        """Return what a file holds, or why that cannot be shown."""
        try:
            return self.read(path), ""
        except TrpoError as error:
            return None, error.what
        except Exception as error:  # on a damaged file a reader may stumble anywhere
            return None, " ".join(f"it is damaged: {type(error).__name__}: {error}".split())


def complaints(results: Path, kinds: Sequence[Kind[Any]]) -> list[str]:
    """Return a line for each file below `results`, of these kinds, that cannot be used."""
    return [line for kind in kinds for path in kind.find(results) if (line := kind.complaint(path))]


def read_table(path: Path, *, words: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Read a CSV file that `table.csv` wrote.

    Args:
        path: The file.
        words: Columns that it must have, of text.
        numbers: Columns that it must have, full of finite numbers.

    Raises:
        CheckpointError: It is cut short, empty, or lacks a column or a number.
        ValueError: It is no CSV file.
    """
    raw = path.read_bytes()
    if not raw.endswith(b"\n"):
        raise CheckpointError("its last line is cut short")
    frame = pd.read_csv(io.BytesIO(raw), dtype=dict.fromkeys(words, str))
    if lost := [name for name in (*words, *numbers) if name not in frame]:
        raise CheckpointError(f"it has no column {lost[0]}")
    cells = frame[[*numbers]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if not len(frame) or not np.isfinite(cells).all():
        raise CheckpointError("it lacks rows, or numbers in them")
    return frame.fillna(dict.fromkeys(words, ""))
