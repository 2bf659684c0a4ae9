"""Swimmer, hopper and walker (Sec. 8.1): the robots, their rewards and their ends.

The bodies are Gymnasium's v5 models, edited in memory: a fast integrator, a control period, and
sensors for the feet. Two reward styles share one class: the paper's, and Gymnasium's own, under
which one step here agrees with `gymnasium.make(id)` to solver tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import NDArray

from trpo_repro.tasks.batched_mujoco import BatchedMujoco
from trpo_repro.types import ActionSpace, Floats, Transition

INTEGRATORS = {
    "euler": mujoco.mjtIntegrator.mjINT_EULER,
    "implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
    "rk4": mujoco.mjtIntegrator.mjINT_RK4,
}


@dataclass(frozen=True)
class Robot:
    """What sets one robot apart.

    Attributes:
        file: Name of Gymnasium's model file.
        hidden_positions: Leading position coordinates that Gymnasium's observation leaves out.
        alive_bonus: Reward for each step that does not end the episode.
        height: Torso height range (m) outside which the episode ends; None never ends.
        angle: Torso angle range (rad), likewise.
        state_limit: Gymnasium's hopper also ends when another coordinate leaves ± this.
        feet: Geoms whose impact forces cost (walker).
        gymnasium_control_cost: Weight of ‖control‖² in Gymnasium's reward.
        velocity_clip: Gymnasium's observation clips velocities to ± this.
        reset_noise: Initial positions and velocities are uniform within ± this.
    """

    file: str
    hidden_positions: int
    alive_bonus: float
    height: tuple[float, float] | None
    angle: tuple[float, float] | None
    state_limit: float
    feet: tuple[str, ...]
    gymnasium_control_cost: float
    velocity_clip: float
    reset_noise: float


# Thresholds and noise: gymnasium.envs.mujoco.{swimmer,hopper,walker2d}_v5.
ROBOTS = {
    "swimmer": Robot("swimmer.xml", 2, 0.0, None, None, np.inf, (), 1e-4, np.inf, 0.1),
    "hopper": Robot("hopper.xml", 1, 1.0, (0.7, np.inf), (-0.2, 0.2), 100.0, (), 1e-3, 10.0, 5e-3),
    "walker": Robot(
        "walker2d_v5.xml",
        1,
        1.0,
        (0.8, 2.0),
        (-1.0, 1.0),
        np.inf,
        ("foot_geom", "foot_left_geom"),
        1e-3,
        10.0,
        5e-3,
    ),
}
TORQUE_COST = 1e-5  # per (N·m)²
IMPACT_COST = 1e-5  # per N², forces clipped to ±1 N (High-Dimensional Continuous Control, 2016)


def load_model(robot: Robot, *, timestep: float | None, integrator: str) -> mujoco.MjModel:
    """Compile `robot` with our integrator, timestep (s; None keeps the file's) and sensors."""
    assets = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    spec = mujoco.MjSpec.from_file(str(assets / robot.file))
    spec.option.integrator = INTEGRATORS[integrator]
    if timestep is not None:
        spec.option.timestep = timestep
    for foot in robot.feet:
        site = spec.geom(foot).parent.add_site(
            name=f"{foot}_skin",
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            rgba=[0.0, 0.0, 0.0, 0.0],
            size=[1.0, 0.0, 0.0],  # holds the whole foot: every contact on its body counts
        )
        spec.add_sensor(
            name=f"{foot}_impact",
            type=mujoco.mjtSensor.mjSENS_TOUCH,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            objname=site.name,
        )
    return spec.compile()


class Locomotion:
    """Batched swimmer, hopper or walker."""

    def __init__(
        self,
        robot: str,
        *,
        horizon: int,
        timestep: float | None = None,
        frame_skip: int = 4,
        integrator: str = "rk4",
        gymnasium_style: bool = False,
        threads: int = 1,
    ) -> None:
        """Build the robot.

        Args:
            robot: A key of `ROBOTS`.
            horizon: Control steps of a full episode.
            timestep: Seconds to a physics step; None keeps Gymnasium's.
            frame_skip: Physics steps to a control step.
            integrator: A key of `INTEGRATORS`.
            gymnasium_style: Gymnasium's observation and reward instead of the paper's.
            threads: Physics threads of each sampling thread.
        """
        self.robot = ROBOTS[robot]
        model = load_model(self.robot, timestep=timestep, integrator=integrator)
        self.engine = BatchedMujoco(model, frame_skip=frame_skip, threads=threads)
        self.horizon = horizon
        self.gymnasium_style = gymnasium_style
        self.control_period = self.engine.control_period
        # The paper's policy sees all but the absolute x; Gymnasium's swimmer hides y as well.
        self._hidden = self.robot.hidden_positions if gymnasium_style else 1
        self.observation_size = model.nq + model.nv - self._hidden
        self.actions = ActionSpace("continuous", (model.nu,))
        self._lowest, self._highest = model.actuator_ctrlrange.T.copy()
        gear = model.actuator_gear[:, 0]  # N·m for a control of 1
        paper_cost = TORQUE_COST * gear**2
        gymnasium_cost = np.full(model.nu, self.robot.gymnasium_control_cost)
        self._control_cost = gymnasium_cost if gymnasium_style else paper_cost

    def reset(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw `count` states around the neutral pose."""
        return self.engine.perturbed(count, self.robot.reset_noise, rng=rng)

    def observe(self, states: Floats) -> NDArray[np.float32]:
        """Return positions (less the hidden ones) and velocities, (n, D)."""
        observations = states[:, 1 + self._hidden :].astype(np.float32)
        if self.gymnasium_style and self.robot.velocity_clip < np.inf:
            velocities = observations[:, -self.engine.model.nv :]
            limit = self.robot.velocity_clip
            np.clip(velocities, -limit, limit, out=velocities)
        return observations

    def step(self, states: Floats, actions: NDArray[Any]) -> Transition:
        """Apply (n, A) controls, clipped to the actuators' range, for one control step."""
        controls = np.minimum(actions, self._highest)
        np.maximum(controls, self._lowest, out=controls)
        after, impacts = self.engine.advance(states, controls)
        terminated = self._fallen(after)
        rewards = (after[:, 1] - states[:, 1]) / self.control_period  # v_x
        rewards -= np.square(controls) @ self._control_cost
        if self.robot.feet and not self.gymnasium_style:
            rewards -= IMPACT_COST * np.square(np.minimum(impacts, 1.0)).sum(axis=1)
        if self.robot.alive_bonus:
            rewards += self.robot.alive_bonus * ~terminated
        return Transition(after, rewards, terminated)

    def copy(self, states: Floats) -> Floats:
        """Return independent states (steps never write into theirs)."""
        return states.copy()

    def forward_position(self, states: Floats) -> Floats:
        """Return (n,) the absolute x in metres, for measuring speed."""
        return states[:, 1]

    def _fallen(self, states: Floats) -> NDArray[np.bool_]:
        """Return (n,) True where the torso left its range of height or angle.

        A state that is not a number has not fallen: the sampler reports it as diverged.
        """
        if self.robot.height is None or self.robot.angle is None:
            return np.zeros(len(states), dtype=np.bool_)
        height, angle = states[:, 2], states[:, 3]
        low, high = self.robot.height
        left, right = self.robot.angle
        # Thresholds themselves count as fallen, as in Gymnasium.
        fallen = (height <= low) | (height >= high) | (angle <= left) | (angle >= right)
        if self.gymnasium_style and self.robot.state_limit < np.inf:
            fallen |= (np.abs(states[:, 3:]) >= self.robot.state_limit).any(axis=1)
        return fallen
