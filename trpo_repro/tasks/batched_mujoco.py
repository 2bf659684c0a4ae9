"""MuJoCo, many independent copies of one robot at a time, at the engine's own speed.

`mujoco.rollout` advances all rows of a batch inside C++. A state is MuJoCo's full physics state
(time, positions, velocities) as one float64 row, so saving and restoring a row is copying it. The
constraint solver starts cold at every control step: its warm start would be hidden state.
"""

from __future__ import annotations

import ctypes
import threading

import mujoco
import numpy as np
from mujoco import _callbacks
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from trpo_repro.types import Floats

FULL_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS

# A state that diverges is found and reported by the sampler; without this, MuJoCo would also print
# its own warnings and write a log file into the user's folder.
mujoco.set_mju_user_warning(lambda message: None)

# MuJoCo profiles itself by a clock that it reads many times a physics step, and that its Python
# package sets: a sixth of a step's time, measured on a virtual machine. Python's
# `set_mjcb_time(None)` only puts that clock back, but C's own variable takes none.
ctypes.c_void_p.in_dll(ctypes.CDLL(_callbacks.__file__), "mjcb_time").value = None

_ROLLOUTS: list[Rollout] = []
"""Every thread's pool, kept for good: a fork that dropped its copy of one would wait for ever for
the pool's threads, which it does not have."""


class _Engine(threading.local):
    """What one sampling thread steps with: scratch data, physics threads, buffers."""

    rollout: Rollout | None = None
    models: list[mujoco.MjModel]
    data: list[mujoco.MjData]
    controls: NDArray[np.float64]
    states: NDArray[np.float64]
    sensors: NDArray[np.float64]


class BatchedMujoco:
    """Advances rows of full physics states of one model, `frame_skip` physics steps at a time."""

    def __init__(self, model: mujoco.MjModel, *, frame_skip: int, threads: int = 1) -> None:
        """Prepare `model` for batches.

        Args:
            model: The robot. Its automatic reset of diverged states is switched off here, so
                that divergence shows instead of looking like a fresh start.
            frame_skip: Physics steps to one control step.
            threads: Physics threads of each thread that calls `advance`.
        """
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self.model = model
        self.frame_skip = frame_skip
        self.control_period: float = model.opt.timestep * frame_skip  # seconds
        self.state_size = mujoco.mj_stateSize(model, FULL_PHYSICS)
        self._threads = threads
        self._engine = _Engine()
        self.neutral_state = np.empty(self.state_size)
        data = mujoco.MjData(model)
        mujoco.mj_getState(model, data, self.neutral_state, FULL_PHYSICS)

    def perturbed(self, count: int, scale: float, *, rng: np.random.Generator) -> Floats:
        """Return `count` neutral states, each position and velocity off by uniform ± `scale`."""
        states = np.empty((count, self.state_size))
        states[:] = self.neutral_state
        states[:, 1:] += rng.uniform(-scale, scale, (count, self.state_size - 1))
        return states

    def advance(self, states: Floats, controls: Floats) -> tuple[Floats, Floats]:
        """Hold `controls` for one control step.

        Args:
            states: (n, state_size) float64.
            controls: (n, nu) float64.

        Returns:
            The next states, and the (n, nsensordata) sensor readings of the last physics step.
        """
        rows = len(states)
        engine = self._thread_engine(rows)
        engine.controls[:rows] = controls[:, None, :]
        engine.rollout.rollout(  # type: ignore[union-attr]
            engine.models[:rows],
            engine.data,
            np.ascontiguousarray(states),
            engine.controls[:rows],
            skip_checks=True,
            nstep=self.frame_skip,
            state=engine.states[:rows],
            sensordata=engine.sensors[:rows],
            chunk_size=max(1, -(-rows // self._threads)),
        )
        return engine.states[:rows, -1].copy(), engine.sensors[:rows, -1].copy()

    def _thread_engine(self, rows: int) -> _Engine:
        """Return the calling thread's engine with room for `rows`."""
        engine = self._engine
        if engine.rollout is None:
            engine.data = [mujoco.MjData(self.model) for _ in range(self._threads)]
            engine.rollout = Rollout(nthread=self._threads if self._threads > 1 else 0)
            _ROLLOUTS.append(engine.rollout)
            engine.states = np.empty((0, self.frame_skip, self.state_size))
        if len(engine.states) < rows:
            engine.models = [self.model] * rows
            engine.states = np.empty((rows, self.frame_skip, self.state_size))
            engine.controls = np.empty((rows, self.frame_skip, self.model.nu))
            engine.sensors = np.empty((rows, self.frame_skip, self.model.nsensordata))
        return engine
