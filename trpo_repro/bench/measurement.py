"""One row of the table, and how two things are timed so that their ratio means something."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One row of the table.

    Attributes:
        name: What was measured.
        value: The median figure, in `unit`.
        unit: Of `value` and `reference`.
        reference: The median of what it is held against; None for a figure that stands alone.
        ratio: Median of the rounds' value / reference; the value itself where it stands alone.
        spread: Least and greatest of the rounds' ratios.
        target: What the ratio must reach, or stay under where `at_most`.
        at_most: Whether less is better.
        note: How it was measured.
    """

    name: str
    value: float
    unit: str
    reference: float | None
    ratio: float
    spread: tuple[float, float]
    target: float
    at_most: bool
    note: str

    @property
    def met(self) -> bool:
        """Tell whether the target is reached."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def in_turn(
    actions: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: bool = False
) -> dict[str, list[float]]:
    """Return each action's figures, taken one action after the other, `rounds` times.

    What disturbs the machine for longer than a round disturbs all of them, and leaves the ratios
    of a round alone.

    Args:
        actions: Each returns its own figure, such as steps a second.
        rounds: Figures of each.
        warm_up: Whether a first round is thrown away.
    """
    figures: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + warm_up):
        for name, action in actions.items():
            figure = action()
            if number >= warm_up:
                figures[name].append(figure)
    return figures


def seconds(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that runs `action` and returns how long that took."""

    def timed() -> float:
        began = time.perf_counter()
        action()
        return time.perf_counter() - began

    return timed


def against(
    name: str,
    values: Sequence[float],
    *,
    references: Sequence[float],
    target: float,
    note: str,
    unit: str = "steps/s",
    at_most: bool = False,
) -> Measurement:
    """Return the row of figures that are held against those of the same rounds."""
    ratios = [value / reference for value, reference in zip(values, references, strict=True)]
    return Measurement(
        name,
        statistics.median(values),
        unit,
        statistics.median(references),
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        target,
        at_most,
        note,
    )


def short(steps: int) -> str:
    """Return a number of steps as people say it: 50K, 1M."""
    return f"{steps / 1e6:g}M" if steps >= 1e6 else f"{steps / 1e3:g}K"


def alone(
    name: str, values: Sequence[float], *, target: float, note: str, unit: str
) -> Measurement:
    """Return the row of figures that must stay under `target`."""
    value, spread = statistics.median(values), (min(values), max(values))
    return Measurement(name, value, unit, None, value, spread, target, True, note)
