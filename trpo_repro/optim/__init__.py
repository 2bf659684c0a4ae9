"""Optimisation: surrogate, Fisher-vector products, conjugate gradients, the step."""
