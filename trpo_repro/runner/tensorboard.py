"""A run's rows as TensorBoard's files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trpo_repro.errors import MissingDependency
from trpo_repro.types import Row


def writer_class() -> Callable[..., Any]:
    """Return TensorBoard's writer class."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependency(
            "TensorBoard is not installed",
            where="tensorboard=true",
            fix="pip install 'trpo-repro[tensorboard]'",
        ) from error
    writer: Callable[..., Any] = SummaryWriter
    return writer


def write_row(board: Any, row: Row) -> None:
    """Write every number of `row` against its iteration, where there is a `board`."""
    if board is None:
        return
    for column, value in row.items():
        if isinstance(value, (int, float)) and column != "iteration":
            board.add_scalar(column, value, row["iteration"])
