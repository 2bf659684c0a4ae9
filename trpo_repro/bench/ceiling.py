"""The ceiling: how fast `mujoco.rollout` replays the controls of sampled trajectories, open loop.

No policy, no rewards, no resets, and hardly a call: the trajectories are cut into pieces of a few
hundred control steps that go into C++ by the dozen, each from the state that it had when sampled.
Whole episodes would not do. Replayed open loop, a robot with feet is elsewhere after some seconds,
mostly on the ground, where steps cost more than those it is compared with; a piece stays on its
trajectory to about 1e-9. Nothing is padded, and the pieces are handed out longest first, so that
no thread waits for another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import Floats, Trajectories

PIECE = 200  # control steps at most
CALL = 2000  # control steps to a call, about: it costs thousands of times what Python adds


@dataclass(frozen=True)
class Replay:
    """Pieces of trajectories, of one length, that one call advances.

    Attributes:
        rows: (n,) where in the batch each piece begins.
        states: (n, state size) what they begin with.
        controls: (n, steps · frame_skip, nu).
    """

    rows: NDArray[np.int64]
    states: Floats
    controls: Floats


def replays(simulator: Locomotion, trajectories: Trajectories) -> list[Replay]:
    """Return all of the trajectories' controls, cut into calls, the longest pieces first.

    Args:
        simulator: The task that they come from.
        trajectories: Sampled with their states.
    """
    assert trajectories.states is not None, "sample with keep_states"
    begins, lengths = _pieces(trajectories)
    low, high = simulator.engine.model.actuator_ctrlrange.T
    controls = np.clip(trajectories.actions, low, high)  # float64, as the limits are
    calls = []
    for length in np.unique(lengths)[::-1]:
        alike = begins[lengths == length]
        for rows in np.array_split(alike, -(-len(alike) * length // CALL)):
            picked = controls[rows[:, None] + np.arange(length)]
            held = np.repeat(picked, simulator.engine.frame_skip, axis=1)
            calls.append(Replay(rows, np.ascontiguousarray(trajectories.states[rows]), held))
    return calls


def _pieces(trajectories: Trajectories) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row at which each piece begins, and its length."""

    def cut() -> Iterator[tuple[int, int]]:
        for start, length in zip(trajectories.starts, trajectories.lengths, strict=True):
            for begin in range(0, length, PIECE):
                yield start + begin, min(PIECE, length - begin)

    begins, lengths = zip(*cut(), strict=True)
    return np.array(begins), np.array(lengths)


class Replayer:
    """Replays calls on a fixed number of threads, with all that they need made beforehand."""

    def __init__(self, simulator: Locomotion, calls: list[Replay], *, threads: int) -> None:
        """Prepare to replay `calls` of `simulator` on `threads` threads."""
        self.simulator, self.calls = simulator, calls
        self._pool = ThreadPoolExecutor(threads)
        self._own = threading.local()
        self._steps = max(call.controls.shape[0] * call.controls.shape[1] for call in calls)

    def speed(self) -> float:
        """Return control steps a second."""
        began = time.perf_counter()
        steps = sum(self._pool.map(self._replay, self.calls))
        return steps / (time.perf_counter() - began)

    def ends(self) -> list[Floats]:
        """Return the (n, state size) states after each call's pieces."""
        return list(self._pool.map(lambda call: self._states_of(call)[:, -1].copy(), self.calls))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    def _replay(self, call: Replay) -> int:
        """Return the control steps that the call took."""
        states = self._states_of(call)
        return int(states.shape[0] * states.shape[1] // self.simulator.engine.frame_skip)

    def _states_of(self, call: Replay) -> Floats:
        """Advance the call's pieces; return a view of all states on the way."""
        model, own = self.simulator.engine.model, self._own
        if not hasattr(own, "rollout"):
            own.rollout, own.data = Rollout(nthread=0), [mujoco.MjData(model)]
            own.states = np.empty(self._steps * self.simulator.engine.state_size)
            own.sensors = np.empty(self._steps * model.nsensordata)
        rows, length = call.controls.shape[:2]
        size, readings = self.simulator.engine.state_size, model.nsensordata
        states: Floats = own.states[: rows * length * size].reshape(rows, length, size)
        own.rollout.rollout(
            [model] * rows,
            own.data,
            call.states,
            call.controls,
            skip_checks=True,
            nstep=length,
            state=states,
            sensordata=own.sensors[: rows * length * readings].reshape(rows, length, readings),
        )
        return states
