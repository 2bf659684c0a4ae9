"""TensorBoard beside a run: asked for, missing, and closed whatever happens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import (
    SMALL,
    diverging,
    folder_in,
    rows_of,
    run,
    trpo,
)

from trpo_repro.errors import MissingDependency, SimulationDiverged
from trpo_repro.runner import tensorboard
from trpo_repro.tasks.cartpole import CartPole


def test_missing_tensorboard_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependency, match=r"pip install 'trpo-repro\[tensorboard\]'"):
        run(tmp_path, "tensorboard=true")
    assert list(tmp_path.iterdir()) == []
    run(tmp_path)


class Board:
    """Stands in for TensorBoard's writer."""

    made: list[Board]

    def __init__(self, folder: Path, *, purge_step: int) -> None:
        self.folder, self.purge_step = folder, purge_step
        self.scalars: list[tuple[str, float, int]] = []
        self.closed = False
        Board.made.append(self)

    def add_scalar(self, *scalar: Any) -> None:
        self.scalars.append(scalar)

    def close(self) -> None:
        self.closed = True


def test_tensorboard_gets_every_number_and_is_closed_also_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Board, "made", [], raising=False)
    monkeypatch.setattr(tensorboard, "writer_class", lambda: Board)
    with monkeypatch.context() as patch:
        patch.setattr(CartPole, "step", diverging(700, np.nan))
        with pytest.raises(SimulationDiverged):
            run(tmp_path, "tensorboard=true")
    folder = run(tmp_path, "tensorboard=true")
    first, second = Board.made
    assert first.closed
    assert second.closed
    assert first.folder == second.folder == folder.tensorboard
    assert second.purge_step == 1 + max(step for _, _, step in first.scalars)
    rows = rows_of(folder)
    written = {(name, step): value for name, value, step in first.scalars + second.scalars}
    for row in rows:
        for column in ("score", "kl_mean", "return_mean", "sim_steps"):
            assert written[column, int(row["iteration"])] == float(row[column])


def test_tensorboard_itself_writes_its_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    done = trpo("run", *SMALL, "iterations=2", "tensorboard=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(folder_in(tmp_path / "results").tensorboard.glob("events.out.tfevents.*"))
