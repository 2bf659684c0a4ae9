"""What a check says about every MDP: how much of a bound is used, or how far two sides differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trpo_repro.theory.mdp import Array

TOLERANCE = 1e-14
"""Rounding that is let pass, in units of the largest value that the quantity can take."""


@dataclass(frozen=True)
class Check:
    """One statement of the paper on many MDPs.

    Attributes:
        claim: What is claimed, in words.
        equation: Where the paper says so.
        slack: Of a bound x ≤ b, 1 − x/b: 0 where it is attained, negative where it fails; of an
            identity, the relative difference of its sides. Shape (n,).
        excess: By how much it fails, in the units of `TOLERANCE`, shape (n,).
        identity: Whether it is an equation.
        misprint: Whether the paper prints it but does not use it, and it is false.
        tolerance: Above which an excess is a violation.
    """

    claim: str
    equation: str
    slack: Array
    excess: Array
    identity: bool = False
    misprint: bool = False
    tolerance: float = TOLERANCE

    @property
    def violations(self) -> Array:
        """The indices of the MDPs on which it fails; what is not a number fails."""
        return np.flatnonzero(~(self.excess <= self.tolerance))

    @property
    def tightest(self) -> float:
        """The least slack of a bound, the greatest difference of an identity."""
        return float(self.slack.max() if self.identity else self.slack.min())

    @property
    def median(self) -> float:
        """The median slack."""
        return float(np.median(self.slack))


def identity(
    claim: str,
    equation: str,
    *,
    left: Array,
    right: Array,
    unit: Array | float,
    tolerance: float = TOLERANCE,
) -> Check:
    """Return the check of left = right, both (n, …), in units of `unit`, (n,)."""
    difference = np.abs(left - right).reshape(len(left), -1).max(-1) / unit
    return Check(claim, equation, difference, difference, identity=True, tolerance=tolerance)


def bound(
    claim: str,
    equation: str,
    *,
    used: Array,
    allowed: Array,
    unit: Array | float,
    misprint: bool = False,
) -> Check:
    """Return the check of used ≤ allowed; further axes than the first are all to hold.

    Args:
        claim: In words.
        equation: Its number.
        used: Shape (n, …).
        allowed: The same shape.
        unit: The largest value that either can take, shape (n,).
        misprint: As in `Check`.
    """
    used, allowed = (x.reshape(len(x), -1) / np.reshape(unit, (-1, 1)) for x in (used, allowed))
    share = np.full_like(used, -np.inf)
    # Of what is below rounding, as at time 0 of Lemma 3, no share is known; the excess decides.
    np.divide(used, allowed, out=share, where=allowed > TOLERANCE)
    return Check(claim, equation, (1 - share).min(-1), (used - allowed).max(-1), misprint=misprint)


def joined(checks: Sequence[Check]) -> Check:
    """Return one check of the same claim on several batches of MDPs."""
    first = checks[0]
    slack = np.concatenate([check.slack for check in checks])
    excess = np.concatenate([check.excess for check in checks])
    return dataclasses.replace(first, slack=slack, excess=excess)
