"""C09: what standing still scores, by a controller that holds a pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trpo_repro.measurements.row import Row, mean_row
from trpo_repro.seeding import stream
from trpo_repro.tasks.locomotion import Locomotion

POSES: dict[str, list[float]] = {
    "hopper": [0.0, 0.0, 0.0],
    "walker": [-0.21, -0.34, 0.14, -0.11, -0.23, 0.28],  # one foot before the other
}
"""The joint angles (rad) that are held; the walker's were found by a random search."""
GAINS = {"hopper": (1.5, 0.04), "walker": (1.5, 0.04)}
"""Control per rad off the pose, and per rad/s."""


def standing(task: str, simulator: Locomotion, *, episodes: int) -> Row:
    """Return the score of standing still: episodes that begin as all do, and hold a pose.

    Those that stay up to the end count; one in a hundred of the walker's falls.
    """
    model = simulator.engine.model
    states = simulator.reset(episodes, stream(0, "standing", task))
    total, up = np.zeros(episodes), np.ones(episodes, np.bool_)
    for _ in range(simulator.horizon):
        positions, velocities = np.split(states[:, 1 : 1 + model.nq + model.nv], [model.nq], axis=1)
        states, rewards, terminated = simulator.step(
            states, _torques(task, positions[:, 3:], speeds=velocities[:, 3:])
        )
        total += rewards * up
        up &= ~terminated
    return mean_row(
        "score", task, values=total[up] / simulator.horizon, unit=f"of {episodes} stood"
    )


def _torques(
    task: str, angles: NDArray[np.float64], *, speeds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the (n, A) controls that pull the joints towards the pose."""
    stiffness, damping = GAINS[task]
    return stiffness * (np.array(POSES[task]) - angles) - damping * speeds
