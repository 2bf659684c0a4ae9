"""Conjugate gradients against a direct solver."""

import numpy as np
import pytest
import torch

from trpo_repro.optim.conjugate_gradient import conjugate_gradient


def positive_definite(size, seed, condition):
    """Return a random matrix with eigenvalues from 1 to `condition`, and a right-hand side."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((size, size)))
    matrix = basis @ np.diag(np.geomspace(1.0, condition, size)) @ basis.T
    return matrix, rng.standard_normal(size)


def solve(matrix, b, **settings):
    tensor = torch.from_numpy(matrix)
    return conjugate_gradient(lambda v: tensor @ v, torch.from_numpy(b), **settings)


@pytest.mark.parametrize("seed", range(5))
def test_solution_is_that_of_a_direct_solver(seed):
    matrix, b = positive_definite(20, seed, condition=100.0)
    solution = solve(matrix, b, iterations=60)
    # Residual 1e-10 times the condition number bounds the error.
    np.testing.assert_allclose(solution.x.numpy(), np.linalg.solve(matrix, b), atol=1e-7)
    assert solution.residual < 1e-10
    assert solution.iterations < 60


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_reported_residual_is_the_true_one(iterations):
    matrix, b = positive_definite(40, 7, condition=1e3)
    solution = solve(matrix, b, iterations=iterations)
    true = np.linalg.norm(b - matrix @ solution.x.numpy()) / np.linalg.norm(b)
    assert true > 1e-3  # it has not converged: there is something to report
    assert solution.residual == pytest.approx(true, rel=1e-8)
    assert solution.iterations == iterations


def test_three_different_eigenvalues_take_three_iterations():
    matrix = np.diag([1.0, 1.0, 5.0, 5.0, 5.0, 9.0])
    solution = solve(matrix, np.arange(1.0, 7.0), iterations=10)
    assert solution.iterations == 3


def test_right_hand_side_is_left_as_it_was():
    matrix, b = positive_definite(10, 3, condition=10.0)
    before = b.copy()
    solve(matrix, b, iterations=10)
    np.testing.assert_array_equal(b, before)


def test_negative_curvature_at_the_start_gives_zero():
    solution = solve(-np.eye(4), np.ones(4), iterations=10)
    assert solution.iterations == 0
    assert not solution.x.any()
    assert solution.residual == 1.0


def test_negative_curvature_on_the_way_keeps_what_was_reached_before_it():
    matrix, b = np.diag([3.0, 1.0, -1.0]), np.array([2.0, 1.0, 0.9])
    solution = solve(matrix, b, iterations=10)
    assert solution.iterations == 1
    expected = (b @ b) / (b @ matrix @ b) * b  # the minimum along b, the first direction
    np.testing.assert_allclose(solution.x.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("good", [0, 2])
def test_a_product_that_is_not_a_number_shows_in_the_solution(good):
    matrix, b = positive_definite(10, 3, condition=10.0)
    tensor, done = torch.from_numpy(matrix), 0

    def product(v):
        nonlocal done
        done += 1
        return tensor @ v if done <= good else v * torch.nan

    solution = conjugate_gradient(product, torch.from_numpy(b), iterations=10)
    assert done == solution.iterations == good + 1
    assert solution.x.isnan().all()
    assert np.isnan(solution.residual)
