"""Cart-pole against the published equations, one cart at a time in plain Python floats."""

import math

import numpy as np
import pytest

from trpo_repro.tasks.cartpole import CartPole

DEGREES_12 = 12 * math.pi / 180


def sign(number):
    return (number > 0) - (number < 0)


def barto_sutton_anderson(x, x_dot, theta, theta_dot, force):
    """Return the state 0.02 s later: the appendix of Barto, Sutton & Anderson (1983).

    There g = −9.8 m/s² and its sign is part of the first term.
    """
    g, m_c, m, length, mu_c, mu_p = -9.8, 1.0, 0.1, 0.5, 0.0005, 0.000002
    inner = -force - m * length * theta_dot**2 * math.sin(theta) + mu_c * sign(x_dot)
    theta_acc = (
        -g * math.sin(theta) + math.cos(theta) * inner / (m_c + m) - mu_p * theta_dot / (m * length)
    ) / (length * (4 / 3 - m * math.cos(theta) ** 2 / (m_c + m)))
    turning = theta_dot**2 * math.sin(theta) - theta_acc * math.cos(theta)
    x_acc = (force + m * length * turning - mu_c * sign(x_dot)) / (m_c + m)
    tau = 0.02
    return (
        x + tau * x_dot,
        x_dot + tau * x_acc,
        theta + tau * theta_dot,
        theta_dot + tau * theta_acc,
    )


def test_trajectories_are_those_of_the_published_equations():
    simulator = CartPole(horizon=200)
    rng = np.random.default_rng(0)
    states = simulator.reset(20, rng)
    alone = [tuple(state) for state in states.tolist()]
    for _ in range(100):
        actions = rng.normal(0.0, 0.7, (20, 1)).astype(np.float32)
        states = simulator.step(states, actions).states
        forces = [10.0 * min(1.0, max(-1.0, action)) for action in actions[:, 0].tolist()]
        alone = [barto_sutton_anderson(*s, f) for s, f in zip(alone, forces, strict=True)]
    # The unstable pole multiplies rounding by e^(4 /s · 2 s) or so.
    np.testing.assert_allclose(states, alone, rtol=1e-9, atol=1e-9)


def test_a_row_does_not_depend_on_the_others():
    simulator = CartPole(horizon=200)
    states = simulator.reset(20, np.random.default_rng(0))
    actions = np.random.default_rng(1).normal(0.0, 0.7, (20, 1))
    together = simulator.step(states, actions)
    alone = simulator.step(states[7:8], actions[7:8])
    np.testing.assert_array_equal(alone.states[0], together.states[7])
    assert alone.rewards[0] == together.rewards[7]


def test_reward_is_ten_less_the_tilt_and_the_force_while_the_pole_is_up():
    simulator = CartPole(horizon=200)
    rng = np.random.default_rng(0)
    states = simulator.reset(50, rng)
    for _ in range(5):
        actions = rng.normal(0.0, 0.7, (50, 1))
        after = simulator.step(states, actions)
        up = ~after.terminated
        assert up.all()
        for state, action, reward in zip(after.states, actions, after.rewards, strict=True):
            force = 10.0 * min(1.0, max(-1.0, action[0]))
            expected = 10.0 - (1.0 - math.cos(state[2])) - 1e-5 * force**2
            assert reward == pytest.approx(expected, rel=1e-12)
        states = after.states


def test_a_perfect_cart_pole_scores_ten():
    simulator = CartPole(horizon=200)
    states = np.zeros((1, 4))
    total = 0.0
    for _ in range(200):
        states, rewards, terminated = simulator.step(states, np.zeros((1, 1)))
        assert not terminated
        total += rewards[0]
    assert total / simulator.horizon == 10.0


@pytest.mark.parametrize(
    ("x", "theta", "fallen"),
    [
        (2.39, 0.0, False),
        (2.41, 0.0, True),
        (-2.39, 0.0, False),
        (-2.41, 0.0, True),
        (0.0, DEGREES_12 - 1e-3, False),
        (0.0, DEGREES_12 + 1e-3, True),
        (0.0, -DEGREES_12 + 1e-3, False),
        (0.0, -DEGREES_12 - 1e-3, True),
    ],
)
def test_episodes_end_beyond_the_track_or_twelve_degrees(x, theta, fallen):
    # Without velocities, one Euler step leaves position and angle where they are.
    after = CartPole(horizon=200).step(np.array([[x, 0.0, theta, 0.0]]), np.zeros((1, 1)))
    assert after.terminated.tolist() == [fallen]


def test_first_states_lie_within_the_range_and_fill_it():
    states = CartPole(horizon=200).reset(1000, np.random.default_rng(0))
    assert np.abs(states).max() <= 0.05
    assert (states.max(axis=0) > 0.049).all()
    assert (states.min(axis=0) < -0.049).all()


def test_the_policy_sees_the_whole_state():
    simulator = CartPole(horizon=200)
    states = simulator.reset(5, np.random.default_rng(0))
    observations = simulator.observe(states)
    assert observations.dtype == np.float32
    np.testing.assert_array_equal(observations, states.astype(np.float32))


def test_steps_leave_their_states_as_they_were_and_copies_are_independent():
    simulator = CartPole(horizon=200)
    states = simulator.reset(5, np.random.default_rng(0))
    copies, before = simulator.copy(states), states.tobytes()
    simulator.step(states, np.ones((5, 1)))
    assert states.tobytes() == before
    states[:] = 7.0
    assert copies.tobytes() == before
