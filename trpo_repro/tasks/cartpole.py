"""Cart-pole balancing: the equations of motion on whole arrays of carts at once.

Source: Barto, Sutton & Anderson, "Neuronlike adaptive elements that can solve difficult learning
control problems", IEEE Trans. SMC 13 (1983), appendix; Euler steps as there. The continuous force
and the reward are this project's specification.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.types import ActionSpace, Floats, Transition

GRAVITY = 9.8  # m/s²
CART_MASS = 1.0  # kg
POLE_MASS = 0.1  # kg
POLE_HALF_LENGTH = 0.5  # m
CART_FRICTION = 0.0005  # N, of the cart on the track
POLE_FRICTION = 0.000002  # N·m·s, at the hinge
TIME_STEP = 0.02  # s
MAX_POSITION = 2.4  # m
MAX_ANGLE = np.deg2rad(12.0)  # rad
MAX_FORCE = 10.0  # N
RESET_RANGE = 0.05  # each of the four numbers starts uniformly within ± this


def accelerations(states: Floats, force: Floats) -> tuple[Floats, Floats]:
    """Return the cart's (n,) m/s² and the pole's (n,) rad/s² under `force` (n,) in newtons.

    Args:
        states: (n, 4) position m, velocity m/s, angle rad (0 is upright), angular velocity rad/s.
        force: (n,) horizontal force on the cart.
    """
    velocity, angle, spin = states[:, 1], states[:, 2], states[:, 3]
    total_mass = CART_MASS + POLE_MASS
    sine, cosine = np.sin(angle), np.cos(angle)
    track_friction = CART_FRICTION * np.sign(velocity)
    push = force + POLE_MASS * POLE_HALF_LENGTH * spin**2 * sine
    hinge_friction = POLE_FRICTION * spin / (POLE_MASS * POLE_HALF_LENGTH)
    torque = GRAVITY * sine - cosine * (push - track_friction) / total_mass - hinge_friction
    inertia = POLE_HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * cosine**2 / total_mass)
    pole = torque / inertia
    cart = (push - POLE_MASS * POLE_HALF_LENGTH * pole * cosine - track_friction) / total_mass
    return cart, pole


class CartPole:
    """Many carts at once; a state is position, velocity, angle, angular velocity."""

    observation_size = 4
    actions = ActionSpace("continuous", (1,))

    def __init__(self, *, horizon: int) -> None:
        """Make carts whose episodes last at most `horizon` steps of 0.02 s."""
        self.horizon = horizon
        self.control_period = TIME_STEP

    def reset(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw `count` carts near the upright rest: (count, 4) float64."""
        return rng.uniform(-RESET_RANGE, RESET_RANGE, (count, 4))

    def observe(self, states: Floats) -> NDArray[np.float32]:
        """Return the whole state, (n, 4)."""
        return states.astype(np.float32)

    def step(self, states: Floats, actions: NDArray[Any]) -> Transition:
        """Push each cart for one step; an action of 1 is 10 N and the rest is clipped."""
        force = MAX_FORCE * np.clip(actions[:, 0].astype(np.float64), -1.0, 1.0)
        cart, pole = accelerations(states, force)
        rates = np.stack([states[:, 1], cart, states[:, 3], pole], axis=1)
        after = states + TIME_STEP * rates
        fallen = (np.abs(after[:, 0]) > MAX_POSITION) | (np.abs(after[:, 2]) > MAX_ANGLE)
        upright = 10.0 - (1.0 - np.cos(after[:, 2])) - 1e-5 * force**2
        rewards = np.where(fallen, 0.0, upright)
        return Transition(after, rewards, fallen)

    def copy(self, states: Floats) -> Floats:
        """Return independent states (steps never write into theirs)."""
        return states.copy()
