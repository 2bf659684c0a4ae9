"""The batched engine against a plain loop of `mj_step` on one `MjData`, bit for bit."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import pytest

from trpo_repro.tasks.batched_mujoco import FULL_PHYSICS
from trpo_repro.tasks.locomotion import INTEGRATORS, ROBOTS, Locomotion

every_robot = pytest.mark.parametrize("robot", ROBOTS)
FILES = {"swimmer": "swimmer.xml", "hopper": "hopper.xml", "walker": "walker2d_v5.xml"}
ROWS, FRAME_SKIP, TIMESTEP = 6, 4, 0.004


def a_simulator(robot, integrator="implicitfast", threads=1):
    return Locomotion(
        robot,
        horizon=1000,
        timestep=TIMESTEP,
        frame_skip=FRAME_SKIP,
        integrator=integrator,
        threads=threads,
    )


def plain_model(robot, integrator):
    """Load Gymnasium's file itself, without the edits of `load_model`."""
    folder = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    model = mujoco.MjModel.from_xml_path(str(folder / FILES[robot]))
    model.opt.integrator, model.opt.timestep = INTEGRATORS[integrator], TIMESTEP
    return model


def advanced_alone(model, state, control):
    """Return the state after one control step from a cold solver, and the data behind it."""
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, state, FULL_PHYSICS)
    data.qacc_warmstart[:] = 0.0
    data.ctrl[:] = control
    for _ in range(FRAME_SKIP):
        mujoco.mj_step(model, data)
    after = np.empty_like(state)
    mujoco.mj_getState(model, data, after, FULL_PHYSICS)
    return after, data


def after_random_steps(simulator, steps, *, rows=ROWS, seed=0):
    """Return the states to which random controls lead: upright, fallen, in contact and not."""
    rng = np.random.default_rng(seed)
    states = simulator.reset(rows, rng)
    for _ in range(steps):
        states = simulator.step(states, rng.uniform(-1, 1, (rows, simulator.engine.model.nu)))[0]
    return states


def some_controls(simulator, *shape, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (*shape, simulator.engine.model.nu))


@every_robot
@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_control_step_is_a_plain_loop_of_physics_steps(robot, integrator):
    simulator, model = a_simulator(robot, integrator), plain_model(robot, integrator)
    states = after_random_steps(simulator, 5)
    touched = 0
    for controls in some_controls(simulator, 40, ROWS):
        after, _ = simulator.engine.advance(states, controls)
        for row in range(ROWS):
            expected, data = advanced_alone(model, states[row], controls[row])
            np.testing.assert_array_equal(after[row], expected)
            touched += data.ncon
        states = after
    assert robot == "swimmer" or touched > 100  # contacts were among what agreed


@every_robot
def test_a_state_is_time_positions_and_velocities(robot):
    simulator = a_simulator(robot)
    states, model = after_random_steps(simulator, 30), simulator.engine.model
    data = mujoco.MjData(model)
    for state in states:
        mujoco.mj_setState(model, data, state, FULL_PHYSICS)
        np.testing.assert_array_equal(state, [data.time, *data.qpos, *data.qvel])


@every_robot
def test_restored_states_continue_bit_for_bit_in_other_rows_batches_and_threads(robot):
    simulator = a_simulator(robot)
    states = after_random_steps(simulator, 30)
    saved = simulator.copy(states)
    controls = some_controls(simulator, 20, ROWS)

    def continued(simulator, states, rows):
        rewards = []
        for step in controls:
            states, reward, _ = simulator.step(states, step[rows])
            rewards.append(reward)
        return states, np.array(rewards)

    straight, rewards = continued(simulator, states, np.arange(ROWS))
    after_random_steps(simulator, 10, rows=40, seed=9)  # the engine has seen other things since
    picked = np.array([4, 1])
    there, there_rewards = continued(simulator, saved[picked], picked)
    with ThreadPoolExecutor(1) as elsewhere:
        other, other_rewards = elsewhere.submit(
            continued, simulator, saved[picked], picked
        ).result()
    two_threads, two_rewards = continued(a_simulator(robot, threads=2), saved, np.arange(ROWS))
    for found, expected in (
        (there, straight[picked]),
        (there_rewards, rewards[:, picked]),
        (other, straight[picked]),
        (other_rewards, rewards[:, picked]),
        (two_threads, straight),
        (two_rewards, rewards),
    ):
        assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@every_robot
def test_steps_leave_their_states_as_they_were_and_copies_are_independent(robot):
    simulator = a_simulator(robot)
    states = after_random_steps(simulator, 5)
    copies, before = simulator.copy(states), states.tobytes()
    first = simulator.step(states, some_controls(simulator, ROWS)).states
    kept = first.tobytes()
    simulator.step(first, some_controls(simulator, ROWS))
    assert states.tobytes() == before
    assert first.tobytes() == kept  # a later step does not write into what an earlier returned
    states[:] = 0.0
    assert copies.tobytes() == before


@every_robot
def test_sampling_threads_side_by_side_do_not_disturb_each_other(robot):
    simulator = a_simulator(robot)
    alone = [after_random_steps(simulator, 20, rows=rows, seed=rows) for rows in (3, 5, 8, 13)]
    with ThreadPoolExecutor(4) as threads:
        together = threads.map(
            lambda rows: after_random_steps(simulator, 20, rows=rows, seed=rows), (3, 5, 8, 13)
        )
        for expected, found in zip(alone, together, strict=True):
            assert found.tobytes() == expected.tobytes()


def test_what_a_step_uses_belongs_to_its_thread():
    engine = a_simulator("hopper").engine
    with ThreadPoolExecutor(1) as elsewhere:
        there = elsewhere.submit(lambda: engine._thread_engine(3).models).result()
    here = engine._thread_engine(13).models
    assert (len(there), len(here)) == (3, 13)  # neither was replaced by the other's


def test_no_time_goes_into_reading_the_clock():
    """MuJoCo counts its stages still, and measures none of them."""
    model = plain_model("hopper", "implicitfast")
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    assert data.timer.number[mujoco.mjtTimer.mjTIMER_STEP] == 1
    assert not data.timer.duration.any()


def test_a_diverged_state_shows_and_is_not_reset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to a file in the working folder
    simulator = a_simulator("hopper")
    states = simulator.reset(2, np.random.default_rng(0))
    states[1, 2] = np.nan
    after, rewards, terminated = simulator.step(states, np.zeros((2, 3)))
    assert np.isfinite(after[0]).all()
    assert not np.isfinite(after[1]).all()
    assert not terminated[1]  # not taken for a fall: the sampler names it as diverged
    assert np.isfinite(rewards[0])
