"""The conjugate-gradient method for A x = b (Hestenes & Stiefel 1952)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, zeros_like


class Solution(NamedTuple):
    """What conjugate gradients reached.

    Attributes:
        x: (P,) float64 approximate solution.
        image: (P,) float64, A x by the method's own recurrence.
        residual: ‖b − A x‖ / ‖b‖ by the method's own recurrence.
        iterations: Products that were taken.
    """

    x: Tensor
    image: Tensor
    residual: float
    iterations: int


def conjugate_gradient(
    product: Callable[[Tensor], Tensor], b: Tensor, *, iterations: int, tolerance: float = 1e-10
) -> Solution:
    """Solve A x ≈ b for a positive-definite A, from x = 0.

    Args:
        product: v → A v.
        b: (P,) float64 right-hand side, not zero.
        iterations: Products at most.
        tolerance: Stop at this relative residual.

    A direction of non-positive curvature ends the search with what was reached before it; the
    caller sees it in sᵀAs or in the residual. A product that is not a number makes x none either.
    """
    x = zeros_like(b)
    residual = b.clone()
    direction = b.clone()
    b_square = float(b @ b)
    square = b_square
    done = 0
    while done < iterations and square > tolerance**2 * b_square:
        curved = product(direction)
        curvature = float(direction @ curved)
        if curvature <= 0.0:
            break
        done += 1
        step = square / curvature
        x += step * direction
        residual -= step * curved
        previous, square = square, float(residual @ residual)
        direction = residual + (square / previous) * direction
    return Solution(x, b - residual, (square / b_square) ** 0.5, done)
