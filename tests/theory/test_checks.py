"""The checks hold on random MDPs, are attained on the worst, and fail where they should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_mdps import pairs

from trpo_repro.theory import algorithm_1, bounds, coupling
from trpo_repro.theory.algorithm_1 import monotone_improvement
from trpo_repro.theory.check import Check, bound, identity, joined
from trpo_repro.theory.mdp import MDPs, Pair, total_variation
from trpo_repro.theory.steps import penalty_coefficient
from trpo_repro.theory.verification import verify
from trpo_repro.theory.worst_case import coupling_worst_case, mixture_worst_case

GAMMA, ALPHA = np.array([0.5, 0.9, 0.99]), np.full(3, 1e-3)


def named(checks: list[Check], equation: str) -> Check:
    (found,) = (check for check in checks if check.equation == equation)
    return found


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 4))
def test_everything_holds_on_random_mdps(seed: int, states: int, actions: int) -> None:
    for check in verify([pairs(seed, 5, states, actions)], seed):
        assert check.misprint or not len(check.violations), check.claim


def test_the_constructed_mdp_attains_the_lemmas_and_nearly_the_theorem() -> None:
    pair = coupling_worst_case(GAMMA, ALPHA)
    assert pair.epsilon == pytest.approx(1)
    assert pair.alpha == pytest.approx(ALPHA)
    checks = coupling.appendix_a(pair)
    for equation in ("Eq. 28", "Eq. 40", "Eq. 44"):
        assert named(checks, equation).slack == pytest.approx(0, abs=1e-9), equation
    # Eq. (45) drops 1 − γ(1 − α) for 1 − γ: all the room that Theorem 1 leaves.
    room = 1 - (1 - GAMMA) / (1 - GAMMA * (1 - ALPHA))
    assert bounds.theorem_1(pair).slack == pytest.approx(room, abs=1e-8)


def test_the_mixture_bound_is_attained_and_half_of_it_by_the_greedy_policy() -> None:
    pair = mixture_worst_case(GAMMA, ALPHA)
    share = (1 - GAMMA) / (1 - GAMMA * (1 - ALPHA))
    greedy, any_policy = (
        c for c in bounds.section_2(pair, np.random.default_rng(0)) if c.equation == "Eq. 6"
    )
    assert any_policy.slack == pytest.approx(1 - share, abs=1e-8)
    assert greedy.slack == pytest.approx(1 - share / 2, abs=1e-8)


@pytest.mark.parametrize("constant", [0.4, 3.9])
def test_a_smaller_constant_in_theorem_1_is_found_out(
    monkeypatch: pytest.MonkeyPatch, constant: float
) -> None:
    pair = coupling_worst_case(GAMMA[:1], ALPHA[:1])
    assert not len(bounds.theorem_1(pair).violations)
    monkeypatch.setattr(bounds, "THEOREM_1", constant)
    assert len(bounds.theorem_1(pair).violations) == 1


def test_a_smaller_constant_in_the_mixture_bound_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = mixture_worst_case(GAMMA[:1], ALPHA[:1])
    monkeypatch.setattr(bounds, "MIXTURE", 1.9)
    assert len(bounds.mixture_bound(pair, pair.new, which="").violations) == 1


def test_a_smaller_constant_with_kl_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = coupling_worst_case(np.array([0.5]), np.array([0.3]))
    assert not len(bounds.kl_bound(pair).violations)
    monkeypatch.setattr(bounds, "THEOREM_1", 0.4)
    assert len(bounds.kl_bound(pair).violations) == 1


def test_a_flipped_sign_is_found_out() -> None:
    pair = pairs(3)
    wrong = 2 * pair.old_return - pair.new_return
    unit = bounds.return_unit(pair.mdps)
    check = identity("", "", left=pair.new_return, right=wrong, unit=unit)
    assert len(check.violations) == len(pair.mdps)


def test_the_wrong_order_of_policies_is_found_out() -> None:
    """With ρ of the old policy Eq. (2) would say that L = η."""
    pair = pairs(4)
    unit = bounds.return_unit(pair.mdps)
    assert len(identity("", "", left=pair.new_return, right=pair.surrogate, unit=unit).violations)


def test_the_middle_of_lemma_3_is_false_as_printed() -> None:
    checks = coupling.appendix_a(coupling_worst_case(GAMMA, ALPHA))
    printed = named(checks, "Eq. 32")
    assert printed.misprint
    assert len(printed.violations) == 3


def test_a_step_that_loses_is_found_out() -> None:
    check = bound("", "", used=np.zeros(1), allowed=np.array([-1e-9]), unit=1.0)
    assert len(check.violations) == 1


def test_a_smaller_penalty_in_algorithm_1_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_small(mdps: MDPs, old: np.ndarray) -> np.ndarray:
        return 0.01 * penalty_coefficient(mdps, old)

    monkeypatch.setattr(algorithm_1, "penalty_coefficient", too_small)
    monkeypatch.setattr(algorithm_1, "ITERATIONS", 1)  # before policies are deterministic
    maximum, gain = monotone_improvement(pairs(9, 200))
    assert not len(maximum.violations)
    assert len(gain.violations)


def test_what_is_not_a_number_is_a_violation() -> None:
    one = np.ones(1)
    assert len(bound("", "", used=one * np.nan, allowed=one, unit=1.0).violations) == 1
    assert len(identity("", "", left=one * np.nan, right=one, unit=1.0).violations) == 1


def test_equality_within_rounding_is_no_violation_and_beyond_it_is() -> None:
    one = np.ones(1)
    assert not len(bound("", "", used=one + 1e-15, allowed=one, unit=1.0).violations)
    assert len(bound("", "", used=one + 1e-13, allowed=one, unit=1.0).violations) == 1


def test_the_maximal_coupling_has_its_marginals_and_differs_with_the_total_variation() -> None:
    pair = pairs(5, actions=4)
    joint = coupling.maximal_coupling(pair.old, pair.new)
    assert joint.min() >= 0
    assert joint.sum(-1) == pytest.approx(pair.old)
    assert joint.sum(-2) == pytest.approx(pair.new)
    differ = joint.sum((-1, -2)) - np.einsum("nsaa->ns", joint)
    assert differ == pytest.approx(total_variation(pair.old, pair.new), abs=1e-14)


def test_the_gradient_of_the_surrogate_is_that_of_the_return_by_finite_differences() -> None:
    """Independent of the complex step that the check takes."""
    pair, step = pairs(6), 1e-5
    direction = np.random.default_rng(0).standard_normal(pair.old.shape)
    logits = np.log(pair.old)

    def moved(sign: float) -> Pair:
        new = bounds.softmax(logits + sign * step * direction)
        return Pair(pair.mdps, pair.old, new, pair.mixing)

    ahead, behind = moved(1), moved(-1)
    of_return = (ahead.new_return - behind.new_return) / (2 * step)
    of_surrogate = (ahead.surrogate - behind.surrogate) / (2 * step)
    assert of_return == pytest.approx(of_surrogate, rel=1e-4, abs=1e-6)


def test_checks_are_joined_in_order() -> None:
    parts = [monotone_improvement(pairs(seed, 2))[1] for seed in (7, 8)]
    assert joined(parts).slack.tolist() == [*parts[0].slack, *parts[1].slack]
