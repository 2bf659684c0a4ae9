from __future__ import annotations

import csv
import errno
import math
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trpo_repro.errors import CheckpointError, DiskError
from trpo_repro.runner import progress as progress_module
from trpo_repro.runner.progress import (
    COLUMNS,
    HEADER,
    TIME_COLUMNS,
    ProgressFile,
    cut_back,
    format_row,
)


def row(number: int) -> dict[str, Any]:
    return {"iteration": number, "sim_steps": 100 * number, "score": number / 3, "outcome": "ok"}


def file_with(path: Path, rows: int) -> str:
    """Write a file of `rows` rows and return its text."""
    text = HEADER + "".join(format_row(row(number)) for number in range(rows))
    path.write_text(text)
    return text


def cell(text: str, column: str) -> str:
    return next(csv.DictReader([HEADER, text]))[column]


def test_columns_are_at_least_those_of_the_contract() -> None:
    contract = (
        "iteration, sim_steps, episodes, return_mean, return_std, length_mean, score, kl_mean, "
        "kl_max, surrogate_gain, predicted_gain, backtracks, cg_residual, entropy, sampling_s, "
        "update_s, wall_s, outcome"
    )
    assert set(contract.split(", ")) <= set(COLUMNS)
    assert ",".join(COLUMNS) + "\n" == HEADER
    assert set(TIME_COLUMNS) <= set(COLUMNS)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(value=st.floats(allow_nan=False))
def test_floats_read_back_exactly(value: float) -> None:
    assert float(cell(format_row({"score": value}), "score")) == value
    assert float(cell(format_row({"score": np.float64(value)}), "score")) == value


def test_missing_and_undefined_values_are_empty_cells() -> None:
    text = format_row({"iteration": 0, "kl_mean": None, "cg_residual": math.nan})
    assert cell(text, "iteration") == "0"
    assert cell(text, "kl_mean") == cell(text, "cg_residual") == cell(text, "entropy") == ""


def test_text_with_commas_stays_one_cell() -> None:
    assert cell(format_row({"outcome": 'a, "b"'}), "outcome") == 'a, "b"'


def test_unknown_column_raises() -> None:
    with pytest.raises(ValueError, match=r"no such columns: \['skore'\]"):
        format_row({"iteration": 0, "skore": 1.0})


def test_rows_are_in_the_file_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    assert cut_back(path, 0) == []
    file = ProgressFile(path)
    for number in range(3):
        file.append(row(number))
        assert path.read_text() == HEADER + "".join(format_row(row(i)) for i in range(number + 1))
    file.sync()
    file.close()


def test_new_file_gets_the_header(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    assert cut_back(path, 0) == []
    assert path.read_text() == HEADER


def test_whole_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    file_with(path, 3)
    before = path.stat()
    assert cut_back(path, 3) == []
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_half_a_line_at_the_end_is_cut_off_at_any_length(rows: int, tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    whole = file_with(path, rows)
    following = format_row(row(rows))
    for length in range(1, len(following)):
        path.write_text(whole + following[:length])
        warnings = cut_back(path, rows)
        assert path.read_text() == whole
        assert warnings == ["progress.csv: 1 rows past the checkpoint are computed again"]


def test_rows_past_the_checkpoint_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    whole = file_with(path, 2)
    file_with(path, 5)
    warnings = cut_back(path, 2)
    assert warnings == ["progress.csv: 3 rows past the checkpoint are computed again"]
    assert path.read_text() == whole


def test_garbage_behind_the_rows_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    whole = file_with(path, 2)
    path.write_bytes(whole.encode() + b"\xff\xfe\0garbage\x85\x1c,\n,,,\n")
    assert len(cut_back(path, 2)) == 1
    assert path.read_text() == whole


def refused(path: Path, rows: int) -> None:
    """Expect that a run of so many iterations does not go on with this file."""
    message = f"the file does not hold the {rows} rows before the checkpoint"
    with pytest.raises(CheckpointError, match=message):
        cut_back(path, rows)


@pytest.mark.parametrize("rows_there", [None, 0, 2])
def test_rows_that_are_missing_are_missed(rows_there: int | None, tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    whole = file_with(path, rows_there) if rows_there is not None else None
    refused(path, 4)
    assert (path.read_text() if path.exists() else None) == whole


def test_half_a_line_before_the_checkpoint_never_joins_the_next_row(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    damaged = file_with(path, 3)[:-5]
    path.write_text(damaged)
    refused(path, 3)
    assert path.read_text() == damaged


def test_row_that_stands_twice_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    path.write_text(HEADER + format_row(row(0)) + format_row(row(0)))
    refused(path, 2)


def test_full_disk_is_a_disk_error_and_closing_says_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "progress.csv"
    cut_back(path, 0)
    file = ProgressFile(path)
    monkeypatch.setattr(progress_module, "write_all", refuse)
    with pytest.raises(DiskError, match=r"csv, \d+ bytes needed, \d+ free\)"):
        file.append(row(0))
    file.close()
    assert path.read_text() == HEADER


def test_rows_that_cannot_be_made_durable_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cut_back(tmp_path / "progress.csv", 0)
    with closing(ProgressFile(tmp_path / "progress.csv")) as file:
        file.append(row(0))
        file.sync()
        file.append(row(1))
        monkeypatch.setattr(os, "fsync", refuse)
        waiting = len(format_row(row(1)))
        with pytest.raises(DiskError, match=rf"csv, {waiting} bytes needed, \d+ free\)"):
            file.sync()
