"""The ceiling: how fast `mujoco.rollout` replays the controls of sampled trajectories, open loop.

No policy, no rewards, no resets: whole trajectories go into C++ at once, sorted by length so that
little is padded, with outputs allocated beforehand and checks skipped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import Floats, Trajectories, chunks

ROWS = 64  # trajectories to a call: their outputs stay small


@dataclass(frozen=True)
class Replay:
    """Controls of trajectories of similar lengths, padded to the longest.

    Attributes:
        states: (n, state size) initial states.
        controls: (n, steps · frame_skip, nu), the last control held where a trajectory has ended.
    """

    states: Floats
    controls: Floats


def replays(simulator: Locomotion, trajectories: Trajectories) -> list[Replay]:
    """Return the trajectories' controls in calls of `ROWS` trajectories.

    Args:
        simulator: The task that they come from.
        trajectories: Sampled with their states.
    """
    assert trajectories.states is not None, "sample with keep_states"
    order = np.argsort(trajectories.lengths, kind="stable")
    calls = []
    for rows in (order[part] for part in chunks(len(order), ROWS)):
        starts, lengths = trajectories.starts[rows], trajectories.lengths[rows]
        steps = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
        controls = trajectories.actions[starts[:, None] + steps].astype(np.float64)
        held = np.repeat(np.clip(controls, -1.0, 1.0), simulator.engine.frame_skip, axis=1)
        calls.append(Replay(trajectories.states[starts], held))
    return calls


def replay_speed(simulator: Locomotion, calls: list[Replay], threads: int) -> float:
    """Return control steps a second at which `threads` threads replay the calls."""
    model, skip = simulator.engine.model, simulator.engine.frame_skip
    data = [mujoco.MjData(model) for _ in range(threads)]
    largest = max(call.controls.shape[0] * call.controls.shape[1] for call in calls)
    state_buffer = np.empty(largest * simulator.engine.state_size)
    sensor_buffer = np.empty(largest * model.nsensordata)
    steps = 0
    with Rollout(nthread=threads) as rollout:
        began = time.perf_counter()
        for call in calls:
            rows, length = call.controls.shape[:2]
            states = _view(state_buffer, (rows, length, simulator.engine.state_size))
            sensors = _view(sensor_buffer, (rows, length, model.nsensordata))
            rollout.rollout(
                [model] * rows,
                data,
                call.states,
                call.controls,
                skip_checks=True,
                nstep=length,
                state=states,
                sensordata=sensors,
            )
            steps += rows * length // skip
        return steps / (time.perf_counter() - began)


def _view(buffer: Floats, shape: tuple[int, int, int]) -> Floats:
    """Return the first entries of `buffer` in this shape."""
    return buffer[: shape[0] * shape[1] * shape[2]].reshape(shape)
