"""`progress.csv`: one row an iteration, in a fixed order of columns."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from trpo_repro.errors import CheckpointError
from trpo_repro.runner.run_folder import disk_error, write_all, write_atomically
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
    "mean_theta_return",
    "mean_theta_score",
    "penalty",
)
TIME_COLUMNS = ("sampling_s", "update_s", "wall_s")
"""The columns that differ between two runs of the same seed."""
SIZE_LIMIT = 1 << 28  # bytes that we agree to read: a million rows
LINE_LIMIT = 1 << 12  # bytes of a row that we agree to keep; ours are below 400


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
        self._not_durable = 0  # bytes
        try:
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise disk_error(error, path) from error

    def append(self, row: Row) -> None:
        """Write one row."""
        line = format_row(row).encode()
        try:
            write_all(self._file, line)
            self._not_durable += len(line)
        except OSError as error:
            raise disk_error(error, self.path, needed=len(line)) from error

    def sync(self) -> None:
        """Make the rows durable: done before the checkpoint that counts on them."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, self.path, needed=self._not_durable) from error
        self._not_durable = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cut_back(path: Path, rows: int) -> list[str]:
    """Leave the header and the first `rows` rows of `path`; return warnings.

    Rows past the checkpoint belong to iterations that will be run again; half a line is what a
    killed writer left. Nobody can bring back rows before it: they were durable when it was written.

    Raises:
        CheckpointError: These are not all there, or the file is larger than any of ours.
    """
    if path.exists() and path.stat().st_size > SIZE_LIMIT:
        raise CheckpointError(
            "the file is larger than any of ours",
            where=str(path),
            fix="--restart keeps the old folder aside and begins anew",
        )
    lines, surplus = _first_lines(path, 1 + rows)
    before = _numbered(lines)
    if len(before) < rows:
        raise CheckpointError(
            f"the file does not hold the {rows} rows before the checkpoint",
            where=str(path),
            fix="put it back, or --restart keeps the old folder aside and begins anew",
        )
    warnings = []
    if surplus:
        warnings.append(f"{path.name}: {surplus} rows past the checkpoint are computed again")
    kept = [HEADER.encode(), *before]
    if lines != kept or surplus:
        write_atomically(path, b"".join(kept))
    return warnings


def lost_rows(path: Path, rows: int) -> str:
    """Say what is wrong with the first `rows` rows of `path`; nothing where they are there."""
    try:
        lines, _ = _first_lines(path, 1 + rows)
    except OSError as error:
        return f"{path.name}: {error.strerror}"
    there = len(_numbered(lines))
    if there < rows:
        return f"{path.name} holds {there} of {rows} rows"
    return "" if all(line.isascii() for line in lines) else f"{path.name} is damaged"


def _numbered(lines: list[bytes]) -> list[bytes]:
    """Return the whole rows behind the header, as far as they are numbered from 0 on."""
    whole = [line for line in lines[1:] if line.endswith(b"\n")]
    in_order = [line.split(b",")[0] == str(number).encode() for number, line in enumerate(whole)]
    return whole[: in_order.index(False)] if False in in_order else whole


def _first_lines(path: Path, count: int) -> tuple[list[bytes], int]:
    """Return the first `count` lines, in bytes as damage is no text, and how many follow."""
    if not path.exists():
        return [], 0
    with open(path, "rb") as file:
        lines = [line for _ in range(count) if (line := file.readline(LINE_LIMIT))]
        return lines, sum(1 for _ in file)
