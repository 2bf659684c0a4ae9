"""Diverged physics are an error that names its place, never a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.errors import SimulationDiverged
from trpo_repro.types import Floats


@contextmanager
def group_of_steps(group: int) -> Iterator[None]:
    """Let what is no number pass in silence until `require_finite` finds it; add in which group.

    Raises:
        SimulationDiverged: As it was raised in the block, its place with the group's number.
    """
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            yield
    except SimulationDiverged as error:
        where = f"group {group}, {error.where}"
        raise SimulationDiverged(error.what, where=where, fix=error.fix) from error


def require_finite(
    rewards: Floats,
    observations: Sequence[NDArray[Any]],
    *,
    place: Callable[[int], str],
) -> None:
    """Raise if a step gave a reward or an observation that is no number.

    Args:
        rewards: (n,) of the steps.
        observations: Arrays whose rows, one array after the other, are those of the steps.
        place: Says where the step of a row happened.

    Raises:
        SimulationDiverged: At the first such step.
    """
    pixels = observations[0].dtype.kind in "iu"  # which are always numbers
    seen = () if pixels else observations
    if all(np.isfinite(values).all() for values in (rewards, *seen)):
        return
    good = np.isfinite(rewards)
    if seen:
        good &= np.concatenate([np.isfinite(rows).all(axis=1) for rows in seen])
    row = int(np.flatnonzero(~good)[0])
    raise SimulationDiverged(
        "the simulation gave a reward or observation that is not finite",
        where=place(row),
        fix="use another seed",
    )
