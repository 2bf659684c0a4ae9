"""Discounted returns and advantages against plain loops and numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trpo_repro.errors import RunFailed
from trpo_repro.sampling.returns import advantages_and_returns, discounted_sums, standardised
from trpo_repro.types import Trajectories

# Hypothesis's own deadline is off: a busy machine is not a failure.
by_many_examples = settings(max_examples=100, deadline=None, derandomize=True)
episode_lengths = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def some_trajectories(lengths, terminated, rewards):
    nothing = np.zeros((len(lengths), 1), np.float32)
    return Trajectories(
        observations=np.zeros((len(rewards), 1), np.float32),
        actions=np.zeros((len(rewards), 1), np.float32),
        rewards=np.asarray(rewards, np.float64),
        lengths=np.asarray(lengths, np.int64),
        terminated=np.asarray(terminated, np.bool_),
        final_observations=nothing,
        final_states=nothing,
    )


def random_case(lengths, seed):
    rng = np.random.default_rng(seed)
    terminated = rng.random(len(lengths)) < 0.5
    trajectories = some_trajectories(lengths, terminated, rng.standard_normal(sum(lengths)))
    return trajectories, rng.standard_normal(sum(lengths)), rng.standard_normal(len(lengths))


def loop_advantages(trajectories, values, final_values, discount, lambda_):
    """Return Σ_l (γλ)^l (r + γ V' − V) by the double sum of its definition."""
    advantages = []
    begin = 0
    for episode, length in enumerate(trajectories.lengths):
        rewards = trajectories.rewards[begin : begin + length]
        tail = 0.0 if trajectories.terminated[episode] else final_values[episode]
        v = [*values[begin : begin + length], tail]
        errors = [rewards[t] + discount * v[t + 1] - v[t] for t in range(length)]
        for t in range(length):
            advantages.append(
                sum((discount * lambda_) ** (k - t) * errors[k] for k in range(t, length))
            )
        begin += length
    return np.array(advantages)


def loop_returns(trajectories, final_values, discount):
    """Return Σ_l γ^l r, with the value of what never came behind a time limit."""
    returns = []
    begin = 0
    for episode, length in enumerate(trajectories.lengths):
        rewards = trajectories.rewards[begin : begin + length]
        tail = 0.0 if trajectories.terminated[episode] else final_values[episode]
        for t in range(length):
            total = sum(discount ** (k - t) * rewards[k] for k in range(t, length))
            returns.append(total + discount ** (length - t) * tail)
        begin += length
    return np.array(returns)


@by_many_examples
@given(episode_lengths, st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_discounted_sums_are_those_of_a_loop(lengths, seed, factor):
    rng = np.random.default_rng(seed)
    increments, tails = rng.standard_normal(sum(lengths)), rng.standard_normal(len(lengths))
    expected = np.empty(len(increments))
    row = len(increments)
    for length, tail in zip(reversed(lengths), reversed(tails), strict=True):
        following = tail
        for _ in range(length):
            row -= 1
            following = increments[row] + factor * following
            expected[row] = following
    found = discounted_sums(increments, np.array(lengths), factor=factor, tails=tails)
    np.testing.assert_array_equal(found, expected)


@by_many_examples
@given(episode_lengths, st.integers(0, 2**32 - 1), st.floats(0.0, 0.999))
def test_advantages_and_returns_are_those_of_their_definitions(lengths, seed, lambda_):
    trajectories, values, final_values = random_case(lengths, seed)
    advantages, returns = advantages_and_returns(
        trajectories, values, final_values=final_values, discount=0.9, lambda_=lambda_
    )
    expected = loop_advantages(trajectories, values, final_values, 0.9, lambda_)
    np.testing.assert_allclose(advantages, expected, atol=1e-12)
    np.testing.assert_allclose(returns, loop_returns(trajectories, final_values, 0.9), atol=1e-12)


@by_many_examples
@given(episode_lengths, st.integers(0, 2**32 - 1))
def test_monte_carlo_is_the_limit_of_gae(lengths, seed):
    trajectories, values, final_values = random_case(lengths, seed)
    exact, nearly = (
        advantages_and_returns(
            trajectories, values, final_values=final_values, discount=0.9, lambda_=lambda_
        )
        for lambda_ in (1.0, 1.0 - 1e-12)
    )
    np.testing.assert_allclose(exact[0], nearly[0], atol=1e-9)
    np.testing.assert_array_equal(exact[1], nearly[1])


def test_numbers_worked_out_by_hand():
    # Two episodes at γ = ½: rewards 1, 2 and the end; rewards 4, 8 and the time limit, V = 16.
    trajectories = some_trajectories([2, 2], [True, False], [1, 2, 4, 8])
    values, final_values = np.array([1.0, 1.0, 2.0, 4.0]), np.array([100.0, 16.0])
    advantages, returns = advantages_and_returns(
        trajectories, values, final_values=final_values, lambda_=1.0, discount=0.5
    )
    assert returns.tolist() == [2.0, 2.0, 12.0, 16.0]
    assert advantages.tolist() == [1.0, 1.0, 10.0, 12.0]
    # λ = 0: one-step errors, 1 + ½·1 − 1, 2 + 0 − 1, 4 + ½·4 − 2, 8 + ½·16 − 4.
    advantages, returns = advantages_and_returns(
        trajectories, values, final_values=final_values, lambda_=0.0, discount=0.5
    )
    assert advantages.tolist() == [0.5, 1.0, 4.0, 12.0]
    assert returns.tolist() == [2.0, 2.0, 12.0, 16.0]
    # λ = ½: the next error enters with weight ¼.
    advantages, _ = advantages_and_returns(
        trajectories, values, final_values=final_values, lambda_=0.5, discount=0.5
    )
    assert advantages.tolist() == [0.75, 1.0, 7.0, 12.0]


@pytest.mark.parametrize("lambda_", [1.0, 0.9])
def test_the_value_behind_a_terminal_state_counts_nothing_even_if_it_is_no_number(lambda_):
    trajectories = some_trajectories([2], [True], [1, 1])
    advantages, returns = advantages_and_returns(
        trajectories, np.zeros(2), final_values=np.array([np.nan]), discount=1.0, lambda_=lambda_
    )
    assert returns.tolist() == [2.0, 1.0]
    assert np.isfinite(advantages).all()


def test_a_perfect_value_function_leaves_no_advantage():
    rewards, discount = np.full(50, 3.0), 0.9
    value = 3.0 / (1 - discount)  # of the same reward for ever
    trajectories = some_trajectories([20, 30], [False, False], rewards)
    for lambda_ in (1.0, 0.95, 0.0):
        advantages, _ = advantages_and_returns(
            trajectories,
            np.full(50, value),
            final_values=np.full(2, value),
            discount=discount,
            lambda_=lambda_,
        )
        np.testing.assert_allclose(advantages, 0.0, atol=1e-12)


def test_standardised_numbers_have_mean_zero_and_deviation_one():
    values = np.random.default_rng(0).gamma(2.0, 5.0, 1000)
    result = standardised(values)
    assert result.mean() == pytest.approx(0.0, abs=1e-12)
    assert result.std() == pytest.approx(1.0)
    assert np.array_equal(np.argsort(result), np.argsort(values))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1.0, 7.7])
def test_standardised_constants_are_zeros(constant):
    # The mean of 1000 times 0.1 is not 0.1 in floating point: what is left is rounding.
    assert not standardised(np.full(1000, constant)).any()


def test_numbers_too_large_to_standardise_are_an_error_not_zeros():
    with pytest.raises(RunFailed, match="as large as 2e\\+200: the baseline has diverged"):
        standardised(np.array([1e200, -2e200, 0.0]))


def test_standardising_hides_no_number_that_is_none():
    assert np.isnan(standardised(np.array([1.0, np.nan, 2.0]))).any()
