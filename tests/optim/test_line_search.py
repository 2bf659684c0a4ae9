"""The backtracking line search on functions whose answer is known."""

import math
from types import SimpleNamespace

import torch

from trpo_repro.optim.line_search import searched_step
from trpo_repro.optim.step import Outcome
from trpo_repro.optim.surrogate import Evaluation

STEP = torch.tensor([1.0], dtype=torch.float64)
SETTINGS = {"max_divergence": 0.01, "shrink": 0.5, "max_backtracks": 10}


def search(evaluate, *, old=0.0, **changes):
    surrogate = SimpleNamespace(evaluate=evaluate, theta_old=torch.tensor([old]), gradient=2 * STEP)
    found = searched_step(surrogate, STEP, **(SETTINGS | changes))
    assert surrogate.theta_old == old
    assert found.predicted_gain == 2.0
    assert (found.outcome == Outcome.ACCEPTED) == (found.theta is not surrogate.theta_old)
    return found


def kl_only(coefficient):
    """Return a surrogate that always improves, with KL = coefficient · θ²."""
    return lambda theta: Evaluation(1.0, coefficient * float(theta) ** 2, math.inf)


def test_a_good_full_step_is_taken_whole():
    found = search(kl_only(0.01))
    assert found.backtracks == 0
    assert found.theta == torch.ones(1)


def test_divergence_on_the_bound_is_accepted():
    found = search(lambda theta: Evaluation(1.0, 0.01, 0.02))
    assert found.backtracks == 0


def test_the_step_shrinks_by_powers_of_the_factor_until_the_divergence_holds():
    found = search(kl_only(0.1))  # θ² ≤ 0.1: 1 and 0.5 overshoot, 0.25 holds
    assert found.backtracks == 2
    assert found.theta == torch.tensor([0.25])
    assert found.kl_mean == 0.1 * 0.25**2


def test_the_step_shrinks_until_the_surrogate_improves():
    found = search(lambda theta: Evaluation(0.3 - float(theta), 0.0, 0.0))
    assert found.backtracks == 2
    assert found.gain > 0


def test_no_gain_at_all_is_no_improvement():
    found = search(lambda theta: Evaluation(0.0, 0.0, 0.0))
    assert found.outcome == Outcome.LINE_SEARCH_FAILED


def test_a_trial_that_is_not_a_number_is_never_accepted():
    for bad in (Evaluation(math.nan, 0.0, 0.0), Evaluation(1.0, math.nan, math.nan)):
        found = search(lambda theta, bad=bad: bad)
        assert found.outcome == Outcome.LINE_SEARCH_FAILED


def test_the_trial_after_a_bad_number_may_be_accepted():
    def evaluate(theta):
        return Evaluation(math.nan if float(theta) > 0.6 else 1.0, 0.0, 0.0)

    assert search(evaluate).backtracks == 1


def test_failure_tries_the_full_step_and_every_backtrack_once():
    trials = []

    def evaluate(theta):
        trials.append(float(theta))
        return Evaluation(-1.0, 0.0, 0.0)

    found = search(evaluate, max_backtracks=3)
    assert found.outcome == Outcome.LINE_SEARCH_FAILED
    assert found.backtracks == 3
    assert trials == [1.0, 0.5, 0.25, 0.125]


def test_another_divergence_than_the_mean_may_be_bounded():
    def evaluate(theta):
        return Evaluation(1.0, 0.0, 0.01 * float(theta) / 0.3)

    found = search(evaluate, divergence=lambda evaluation: evaluation.kl_max)
    assert found.backtracks == 2


def test_the_old_parameters_are_left_as_they_were():
    search(kl_only(100.0), old=2.0)
