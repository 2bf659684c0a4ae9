"""The linear solves against power iteration, long sums, Monte Carlo and definitions."""

import numpy as np
import pytest
from small_mdps import long_enough, one, pairs, state_sequence, value_by_iteration

from trpo_repro.theory.mdp import (
    advantages,
    expected_return,
    kl_divergence,
    total_variation,
    values,
    visits,
)

PAIR = pairs(0)
NUMBERS = range(0, len(PAIR.mdps), 4)


@pytest.mark.parametrize("number", NUMBERS)
def test_values_are_the_limit_of_bellman_backups(number: int) -> None:
    slow = value_by_iteration(PAIR.mdps, PAIR.old, number)
    assert values(PAIR.mdps, PAIR.old)[number] == pytest.approx(slow, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("number", NUMBERS)
def test_visits_are_the_discounted_sum_over_time(number: int) -> None:
    states = state_sequence(PAIR.mdps, PAIR.new, number, long_enough(PAIR.mdps, number))
    weights = PAIR.mdps.discount[number] ** np.arange(len(states))
    slow = (weights[:, None] * states).sum(0)
    assert visits(PAIR.mdps, PAIR.new)[number] == pytest.approx(slow, rel=1e-11)
    assert slow.sum() == pytest.approx(1 / (1 - PAIR.mdps.discount[number]))


@pytest.mark.parametrize("number", NUMBERS)
def test_the_difference_of_returns_is_a_sum_of_independent_advantages(number: int) -> None:
    """Eq. (1), with A from Bellman backups and states from loops: nothing that is solved."""
    mdps, discount = PAIR.mdps, PAIR.mdps.discount[number]
    old, new = (value_by_iteration(mdps, policy, number) for policy in (PAIR.old, PAIR.new))
    advantage = mdps.rewards[number, :, None] - old[:, None]
    advantage = advantage + discount * mdps.transitions[number] @ old
    states = state_sequence(mdps, PAIR.new, number, long_enough(mdps, number))
    each = (states[:, :, None] * PAIR.new[number] * advantage).sum((1, 2))
    gained = (discount ** np.arange(len(states)) * each).sum()
    assert mdps.start[number] @ (new - old) == pytest.approx(gained, rel=1e-9, abs=1e-10)
    assert PAIR.advantages[number] == pytest.approx(advantage, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_surrogate_is_its_definition(number: int) -> None:
    total = PAIR.old_return[number]
    for s in range(3):
        for a in range(2):
            weight = PAIR.old_visits[number, s] * PAIR.new[number, s, a]
            total += weight * PAIR.advantages[number, s, a]
    assert PAIR.surrogate[number] == pytest.approx(total, rel=1e-12)


def test_the_return_is_the_mean_of_sampled_ones() -> None:
    number = int(PAIR.mdps.discount.argmin())
    mdps, policy = one(PAIR.mdps, number), PAIR.old[number]
    rng, episodes, length = np.random.default_rng(1), 20_000, 60
    state = rng.choice(3, size=episodes, p=mdps.start[0])
    found = np.zeros(episodes)
    for t in range(length):
        found += mdps.discount[0] ** t * mdps.rewards[0, state]
        action = (rng.random(episodes)[:, None] > policy[state].cumsum(-1)).sum(-1)
        chances = mdps.transitions[0, state, np.minimum(action, 1)].cumsum(-1)
        state = np.minimum((rng.random(episodes)[:, None] > chances).sum(-1), 2)
    error = found.std() / np.sqrt(episodes)
    assert expected_return(mdps, policy[None])[0] == pytest.approx(found.mean(), abs=4 * error)


def test_advantages_vanish_under_their_own_policy() -> None:
    mean = (PAIR.old * advantages(PAIR.mdps, PAIR.old)).sum(-1)
    assert np.abs(mean).max() < 1e-12


def test_divergences_by_hand() -> None:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert total_variation(p, q) == pytest.approx(0.25)
    assert kl_divergence(p, q) == pytest.approx(0.5 * np.log(2))
    assert kl_divergence(q, p) == np.inf
    assert kl_divergence(p, p) == 0
