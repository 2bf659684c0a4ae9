"""The exact steps against grids, and what they promise."""

import numpy as np
import pytest
from small_mdps import one, pairs

from trpo_repro.theory.algorithm_1 import (
    RACE_SIZE,
    constrained,
    optimal_return,
    pace,
    penalised,
)
from trpo_repro.theory.instances import random_mdps
from trpo_repro.theory.mdp import MDPs, Pair, expected_return, kl_divergence
from trpo_repro.theory.steps import (
    algorithm_1_step,
    increasing_root,
    log_remainder,
    penalty_coefficient,
    tilt_to_kl,
    trust_region_step,
)


def grid_of_policies(count: int, centre: np.ndarray, width: float) -> np.ndarray:
    """Return policies of 2 states and 2 actions around `centre`, shape (count², 2, 2)."""
    first, second = (np.clip(c + width * np.linspace(-1, 1, count), 1e-9, 1 - 1e-9) for c in centre)
    p, q = (x.ravel() for x in np.meshgrid(first, second, indexing="ij"))
    return np.stack([np.stack([p, 1 - p], -1), np.stack([q, 1 - q], -1)], 1)


def on_grid(mdps: MDPs, old: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return L's gain and the maximum KL on a grid around the old policy."""
    policies = grid_of_policies(401, old[0, :, 0], width)
    reference = Pair(mdps, old, old, np.zeros(1))
    gain = (reference.old_visits[0][:, None] * policies * reference.advantages[0]).sum((-1, -2))
    return gain, kl_divergence(old[0], policies).max(-1)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("share", [1.0, 0.01])
def test_algorithm_1_finds_what_a_grid_finds(number: int, share: float) -> None:
    """With a hundredth of C too, where steps are long and not nearly quadratic."""
    pair = pairs(10, 6, states=2)
    mdps, old = one(pair.mdps, number), 0.5 * pair.old[number : number + 1] + 0.25
    penalty = share * penalty_coefficient(mdps, old)
    step = algorithm_1_step(mdps, old, penalty=penalty)
    width = 1.5 * np.abs(step.policy - old).max()
    gain, kl_max = on_grid(mdps, old, width)
    best = (gain - penalty * kl_max).max()
    assert step.gain[0] >= best - 1e-15
    assert step.gain[0] == pytest.approx(best, rel=1e-2)
    assert step.gap[0] <= 1e-9 * step.gain[0]


@pytest.mark.parametrize("number", range(6))
def test_the_trust_region_finds_what_a_grid_finds(number: int) -> None:
    pair = pairs(11, 6, states=2)
    mdps, old = one(pair.mdps, number), 0.5 * pair.old[number : number + 1] + 0.25
    step = trust_region_step(mdps, old, delta=0.01)
    gain, kl_max = on_grid(mdps, old, 0.2)
    best = gain[kl_max <= 0.01].max()
    assert best <= step.gain[0] <= 1.03 * best


def test_the_trust_region_is_kept_and_the_kl_is_what_it_says() -> None:
    pair = pairs(12, 50, states=5, actions=4)
    step = trust_region_step(pair.mdps, pair.old, delta=0.01)
    assert kl_divergence(pair.old, step.policy).max() <= 0.01 * (1 + 1e-12)
    assert kl_divergence(pair.old, step.policy).max(-1) == pytest.approx(step.kl_max, rel=1e-8)
    assert step.policy.sum(-1) == pytest.approx(1)


def test_a_state_without_advantage_keeps_its_policy() -> None:
    old = np.array([[[0.3, 0.7], [0.5, 0.5]]])
    tilt = tilt_to_kl(old, np.array([[[0.0, 0.0], [1.0, -1.0]]]), level=np.array([0.01]))
    assert tilt.policy[0, 0] == pytest.approx(old[0, 0], abs=1e-15)
    assert tilt.kl[0] == pytest.approx([0, 0.01])
    assert tilt.multiplier[0, 0] == 0


def test_the_multiplier_is_the_derivative_of_the_expected_advantage() -> None:
    old, advantage = np.array([[[0.2, 0.3, 0.5]]]), np.array([[[2.0, 1.0, -1.4]]])

    def best(level: float) -> float:
        return float((tilt_to_kl(old, advantage, level=np.array([level])).policy * advantage).sum())

    slope = (best(0.0501) - best(0.0499)) / 0.0002
    found = tilt_to_kl(old, advantage, level=np.array([0.05])).multiplier[0, 0]
    assert found == pytest.approx(slope, rel=1e-5)


def test_roots_are_found_and_clamped_to_the_bracket() -> None:
    target = np.array([-5.0, 0.3, 8.0, 99.0])
    root = increasing_root(lambda x: x**3 - target, np.full(4, -1.0), high=np.full(4, 3.0))
    assert root == pytest.approx([-1, 0.3 ** (1 / 3), 2, 3], abs=1e-10)


def test_the_series_meets_the_logarithm() -> None:
    z = np.array([0.00999, -0.00999, 0.01001, -0.01001])
    assert log_remainder(z, 1 - z) == pytest.approx(np.log1p(-z) + z, rel=1e-11)
    tiny = np.array([1e-9])
    assert log_remainder(tiny, 1 - tiny)[0] == pytest.approx(-5e-19, rel=1e-8)


def test_a_best_action_that_is_nearly_never_taken_is_still_tilted_to_exactly() -> None:
    """There y is nearly 1, where 1 − y by subtraction loses all its digits."""
    rare = 1e-9
    old = np.array([[[rare, 0.5, 0.5 - rare]]])
    advantage = np.array([[[1.0, 1e-3, 0.0]]])
    advantage -= (old * advantage).sum(-1, keepdims=True)
    tilt = tilt_to_kl(old, advantage, level=np.array([1e-6]))
    assert kl_divergence(old, tilt.policy)[0, 0] == pytest.approx(1e-6, rel=1e-9)


def test_policy_iteration_finds_the_best_of_all_deterministic_policies() -> None:
    mdps = random_mdps(np.random.default_rng(1), np.full(5, 0.9), size=(3, 2))
    choices = [np.eye(2)[[(k >> s) & 1 for s in range(3)]] for k in range(8)]
    returns = [expected_return(mdps, np.tile(choice, (5, 1, 1))) for choice in choices]
    assert optimal_return(mdps) == pytest.approx(np.max(returns, 0), rel=1e-10)


def test_algorithm_1_is_slower_than_the_trust_region_and_steps_are_counted() -> None:
    mdps = random_mdps(np.random.default_rng(2), np.full(3, 0.8), size=RACE_SIZE)
    slow, fast = pace(mdps, penalised), pace(mdps, constrained)
    assert slow.reached.all()
    assert fast.reached.all()
    assert np.all(slow.steps > fast.steps)
    policy, begin = (
        np.full((3, *RACE_SIZE), 1 / 3),
        expected_return(mdps, np.full((3, 5, 3), 1 / 3)),
    )
    for _ in range(int(fast.steps[0])):
        before = expected_return(mdps, policy)
        policy = constrained(mdps, policy).policy
    wanted = begin + 0.9 * (optimal_return(mdps) - begin)
    assert before[0] < wanted[0] <= expected_return(mdps, policy)[0]


def test_what_is_not_reached_is_extrapolated(monkeypatch: pytest.MonkeyPatch) -> None:
    mdps = random_mdps(np.random.default_rng(2), np.full(3, 0.8), size=RACE_SIZE)
    full = pace(mdps, penalised)
    monkeypatch.setattr("trpo_repro.theory.algorithm_1.PATIENCE", int(full.steps.min()) - 5)
    short = pace(mdps, penalised)
    assert not short.reached.any()
    assert np.all(short.steps > full.steps.min() - 5)
