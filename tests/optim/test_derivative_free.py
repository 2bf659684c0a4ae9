import numpy as np
import pytest

from trpo_repro.optim.cem import CrossEntropy
from trpo_repro.optim.cma import CovarianceMatrixAdaptation


def sphere(points):
    return -((points - 1.0) ** 2).sum(axis=1)


def ellipsoid(points):
    weights = 10.0 ** np.linspace(0, 3, points.shape[1])
    return -(weights * (points - 0.5) ** 2).sum(axis=1)


def rosenbrock(points):
    head, tail = points[:, :-1], points[:, 1:]
    return -(100 * (tail - head**2) ** 2 + (1 - head) ** 2).sum(axis=1)


# The package says when an unlikely sample makes it clip a change of its diagonal.
@pytest.mark.filterwarnings("ignore:elements of z2:UserWarning")
@pytest.mark.parametrize(
    ("function", "diagonal"),
    [(sphere, True), (sphere, False), (ellipsoid, True), (ellipsoid, False), (rosenbrock, False)],
)
def test_cma_solves_the_standard_functions(function, diagonal):
    search = CovarianceMatrixAdaptation(0.5, 20, diagonal, seed=0)
    history = np.zeros((0, 20))
    for _ in range(400):
        samples = search.ask(np.zeros(6), history)
        history, mean = search.tell(history, function(samples))
    assert function(mean[None])[0] > -1e-8


def test_what_cma_asks_is_a_function_of_its_history():
    """An iteration that was broken off is asked again; another start is another search."""
    search = CovarianceMatrixAdaptation(0.5, 20, diagonal=False, seed=0)
    start, history = np.zeros(6), np.zeros((0, 20))
    for _ in range(3):
        samples = search.ask(start, history)
        assert np.array_equal(search.ask(start, history), samples)
        assert not np.array_equal(search.ask(start + 1.0, history), samples)
        search.ask(start, history)
        history, _ = search.tell(history, sphere(samples))


def mild_ellipsoid(points):
    # CEM's variances collapse along the steep axes first; at 1000:1 it stops short, as is known.
    return -(np.linspace(1, 5, points.shape[1]) * (points - 0.5) ** 2).sum(axis=1)


@pytest.mark.parametrize("function", [sphere, mild_ellipsoid])
def test_cem_solves_the_standard_functions(function):
    search = CrossEntropy(population=100, elites=10, extra_std=0.5, noise_generations=100)
    rng = np.random.default_rng(0)
    mean, std = np.zeros(6), np.ones(6)
    for generation in range(200):
        samples = search.ask(mean, std, generation=generation, rng=rng)
        mean, std = search.tell(samples, function(samples))
    assert function(mean[None])[0] > -1e-3


def test_cem_noise_falls_linearly_to_zero():
    search = CrossEntropy(population=200_000, elites=10, extra_std=2.0, noise_generations=10)
    for generation, expected in [(0, 2.0), (5, 1.0), (10, 0.0), (15, 0.0)]:
        samples = search.ask(
            np.zeros(1), np.zeros(1), generation=generation, rng=np.random.default_rng(0)
        )
        assert samples.std() == pytest.approx(expected, rel=0.01)


def test_cem_refits_to_the_best_samples():
    search = CrossEntropy(population=4, elites=2, extra_std=0.0, noise_generations=1)
    samples = np.array([[0.0], [1.0], [2.0], [9.0]])
    mean, std = search.tell(samples, np.array([0.0, 5.0, 6.0, -1.0]))
    assert (mean[0], std[0]) == (1.5, 0.5)


def test_cma_rebuilt_from_its_history_asks_for_the_same_samples():
    start = np.zeros(5)
    going = CovarianceMatrixAdaptation(0.3, 12, False, seed=4)
    history = np.zeros((0, 12))
    for _ in range(15):
        history, _ = going.tell(history, sphere(going.ask(start, history)))
    rebuilt = CovarianceMatrixAdaptation(0.3, 12, False, seed=4)
    assert np.array_equal(rebuilt.ask(start, history), going.ask(start, history))


def test_cma_leaves_the_global_generator_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    search = CovarianceMatrixAdaptation(0.3, 12, True, seed=4)
    search.tell(np.zeros((0, 12)), sphere(search.ask(np.zeros(5), np.zeros((0, 12)))))
    assert np.array_equal(before, np.random.get_state()[1])
