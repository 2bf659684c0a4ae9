"""One episode of a stored policy, drawn frame by frame."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError, MissingDependency
from trpo_repro.runner.build import build_sampler
from trpo_repro.runner.evaluation import load_policy
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import stream
from trpo_repro.tasks.atari import Atari
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import States

Draw = Callable[[States], NDArray[np.uint8]]
"""One state to a (height, width, 3) picture."""
CAMERA = {"distance": 4.0, "elevation": -10.0, "azimuth": 90.0}
FPS_OF_GAMES = 15.0  # agent steps a second: 60 frames, four to a step


@dataclasses.dataclass(frozen=True)
class Video:
    """An episode's pictures, as they come.

    Attributes:
        frames: (height, width, 3) uint8 each.
        fps: Pictures to a second of the task's own time.
    """

    frames: Iterator[NDArray[np.uint8]]
    fps: float


def record(folder: RunFolder, config: RunConfig, *, seed: int, greedy: bool, size: int) -> Video:
    """Return an episode of the policy in `folder`, which is played as its frames are taken.

    Args:
        folder: The run's folder.
        config: Its configuration.
        seed: Root of the episode's random streams.
        greedy: Take the likeliest action instead of sampling.
        size: Height and width of a robot's pictures, pixels.

    Raises:
        ConfigError: There is no picture of this task.
        MissingDependency: Nothing can be drawn without a screen here.
        CheckpointError: The stored policy is missing, damaged or of another shape.
    """
    sampler = build_sampler(dataclasses.replace(config, threads=1), greedy=greedy)
    simulator = sampler.simulator
    arrays = load_policy(folder.policy, sampler)
    if isinstance(simulator, Atari):
        draw: Draw = _screen
        fps = FPS_OF_GAMES
    elif isinstance(simulator, Locomotion):
        draw, fps = _robot(simulator, size), 1.0 / simulator.control_period
    else:
        raise ConfigError(
            f"there is no picture of task={config.task.name}", fix="choose a robot or a game"
        )
    return Video(_frames(sampler, arrays, draw=draw, seed=seed), fps)


def _frames(
    sampler: Sampler, arrays: dict[str, NDArray[Any]], *, draw: Draw, seed: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the picture of each state of one episode."""
    simulator, distribution = sampler.simulator, sampler.policy.distribution
    act = sampler.policy.actor(arrays["theta"], greedy=sampler.greedy)
    normaliser = Normaliser.from_arrays(arrays)
    noise = stream(seed, "video", "noise")
    states = simulator.reset(1, stream(seed, "video", "reset"))
    for _ in range(simulator.horizon):
        yield draw(states)
        observed = normaliser(simulator.observe(states))
        actions = act(observed, distribution.noise(noise, (1,)))
        states, _, terminated = simulator.step(states, actions)
        if terminated[0]:
            break
    yield draw(states)


def _screen(states: States) -> NDArray[np.uint8]:
    """Return the emulator's own screen, in colour."""
    picture: NDArray[np.uint8] = states[0].emulator.picture()
    return picture


def _robot(simulator: Locomotion, size: int) -> Draw:
    """Return what draws a robot from the side, the camera moving along with it."""
    model = simulator.engine.model
    try:
        renderer = mujoco.Renderer(model, size, size)
    except Exception as error:  # whatever the driver's own complaint is
        raise MissingDependency(
            f"nothing can be drawn without a screen: {' '.join(str(error).split())}",
            where=f"MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}",
            fix="install EGL (Debian: libegl1), or set MUJOCO_GL=osmesa with libosmesa6",
        ) from error
    data, camera = mujoco.MjData(model), mujoco.MjvCamera()
    for name, value in CAMERA.items():
        setattr(camera, name, value)
    if not simulator.robot.alive_bonus:
        camera.elevation, camera.distance = -90.0, 6.0  # a swimmer lies flat

    def draw(states: States) -> NDArray[np.uint8]:
        mujoco.mj_setState(model, data, states[0], mujoco.mjtState.mjSTATE_FULLPHYSICS)
        mujoco.mj_forward(model, data)
        camera.lookat[:] = [data.qpos[0], data.qpos[1] if camera.elevation < -45 else 0.0, 0.6]
        renderer.update_scene(data, camera)
        return np.array(renderer.render())

    return draw
