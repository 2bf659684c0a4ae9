"""`progress.csv`: one row an iteration, in a fixed order of columns."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from trpo_repro.runner.run_folder import disk_error, write_atomically
from trpo_repro.types import Row

COLUMNS = (
    "iteration",
    "sim_steps",
    "episodes",
    "return_mean",
    "return_std",
    "length_mean",
    "score",
    "kl_mean",
    "kl_max",
    "surrogate_gain",
    "predicted_gain",
    "backtracks",
    "cg_residual",
    "entropy",
    "sampling_s",
    "update_s",
    "wall_s",
    "outcome",
)
TIME_COLUMNS = ("sampling_s", "update_s", "wall_s")
"""The columns that differ between two runs of the same seed."""


def format_row(row: Row) -> str:
    """Return the line of `row`: floats so that they read back exactly, None as an empty cell."""
    unknown = row.keys() - set(COLUMNS)
    if unknown:
        raise ValueError(f"no such columns: {sorted(unknown)}")
    return _line([_cell(row.get(column)) for column in COLUMNS])


def _cell(value: float | int | str | None) -> str:
    return "" if value is None or value != value else str(value)


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


HEADER = _line(list(COLUMNS))


class ProgressFile:
    """Appends rows; each reaches the operating system before the next iteration begins."""

    def __init__(self, path: Path) -> None:
        """Open `path`, which `cut_back` has prepared."""
        self.path = path
        self._file = open(path, "a", encoding="utf-8", newline="")  # noqa: SIM115

    def append(self, row: Row) -> None:
        """Write one row."""
        line = format_row(row)
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise disk_error(error, self.path, needed=len(line)) from error

    def sync(self) -> None:
        """Make the rows durable: done before the checkpoint that counts on them."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cut_back(path: Path, rows: int) -> list[str]:
    """Leave the header and the first `rows` rows of `path`; return warnings.

    Rows past the checkpoint belong to iterations that will be run again; half a line is what a
    killed writer left.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [HEADER, *lines[1 : 1 + rows]]
    warnings = []
    whole = len(kept) == rows + 1 and all(
        line.startswith(f"{number},") and line.endswith("\n")
        for number, line in enumerate(kept[1:])
    )
    if not whole:
        warnings.append(f"{path.name} does not hold the {rows} rows before the checkpoint")
    surplus = len(lines) - len(kept)
    if surplus > 0:
        warnings.append(f"{path.name}: {surplus} rows past the checkpoint are computed again")
    if lines != kept:
        write_atomically(path, "".join(kept).encode())
    return warnings
