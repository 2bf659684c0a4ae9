"""Rewards, ends and observations of the robots, recomputed from MuJoCo's own data."""

import dataclasses

import gymnasium
import mujoco
import numpy as np
import pytest

from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import stream
from trpo_repro.tasks.batched_mujoco import FULL_PHYSICS
from trpo_repro.tasks.gymnasium_task import make_gymnasium
from trpo_repro.tasks.locomotion import ROBOTS, Locomotion

every_robot = pytest.mark.parametrize("robot", ROBOTS)
walking_robots = pytest.mark.parametrize("robot", ["hopper", "walker"])
every_environment = pytest.mark.parametrize("name", ["Swimmer-v5", "Hopper-v5", "Walker2d-v5"])
FRAME_SKIP, TIMESTEP = 4, 0.004
OBSERVED = {"swimmer": 9, "hopper": 11, "walker": 17}  # Table 2, less the absolute x
LIMITS = {"hopper": ((0.7, np.inf), 0.2), "walker": ((0.8, 2.0), 1.0)}  # Gymnasium's, m and rad
FEET = {"swimmer": (), "hopper": (), "walker": ("foot", "foot_left")}


def a_simulator(robot):
    return Locomotion(
        robot,
        horizon=1000,
        timestep=TIMESTEP,
        frame_skip=FRAME_SKIP,
        integrator="implicitfast",
    )


def positions_and_velocities(simulator, state):
    return np.split(state[1:], [simulator.engine.model.nq])


def impacts(model, data, bodies):
    """Return the sum of the normal forces on each body, in newtons."""
    total = dict.fromkeys(bodies, 0.0)
    force = np.empty(6)
    for index in range(data.ncon):
        mujoco.mj_contactForce(model, data, index, force)
        for geom in data.contact[index].geom:
            name = model.body(model.geom_bodyid[geom]).name
            if name in total:
                total[name] += force[0]
    return np.array([total[name] for name in bodies])


def expected_reward(simulator, robot, state, control):
    """Return reward and terminal flag from the torques and forces that MuJoCo applied."""
    model = simulator.engine.model
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, state, FULL_PHYSICS)
    data.ctrl[:] = control
    x_before = data.qpos[0]
    for _ in range(FRAME_SKIP):
        mujoco.mj_step(model, data)
    reward = (data.qpos[0] - x_before) / (FRAME_SKIP * TIMESTEP)
    reward -= 1e-5 * np.sum(data.qfrc_actuator**2)  # each joint has one motor, in N·m
    force = np.clip(impacts(model, data, FEET[robot]), -1, 1)
    reward -= 1e-5 * np.sum(force**2)
    if robot == "swimmer":
        return reward, False, 0.0
    (low, high), angle = LIMITS[robot]
    terminal = not (low < data.qpos[1] < high and abs(data.qpos[2]) < angle)
    return reward + (not terminal), terminal, force.sum()


@every_robot
def test_reward_and_end_are_those_of_the_specification(robot):
    simulator = a_simulator(robot)
    rng = np.random.default_rng(0)
    states = simulator.reset(6, rng)
    ends, pushed = 0, 0.0
    for _ in range(60):
        controls = rng.uniform(-1, 1, (6, simulator.engine.model.nu))
        after, rewards, terminated = simulator.step(states, controls)
        for row in range(6):
            reward, terminal, force = expected_reward(simulator, robot, states[row], controls[row])
            assert rewards[row] == pytest.approx(reward, abs=1e-9)
            assert terminated[row] == terminal
            ends, pushed = ends + terminal, pushed + force
        states = after
    if robot != "swimmer":
        assert 0 < ends < 6 * 60
    assert (pushed > 0) == (robot == "walker")


@every_robot
def test_controls_beyond_the_motors_range_act_and_cost_as_the_range_itself(robot):
    simulator = a_simulator(robot)
    states = simulator.reset(4, np.random.default_rng(0))
    controls = np.random.default_rng(1).normal(0, 3, (4, simulator.engine.model.nu))
    beyond, within = (simulator.step(states, c) for c in (controls, np.clip(controls, -1, 1)))
    assert (np.abs(controls) > 1).any()
    for found, expected in zip(beyond, within, strict=True):
        np.testing.assert_array_equal(found, expected)


@every_robot
def test_the_policy_sees_all_but_the_absolute_x(robot):
    simulator = a_simulator(robot)
    states = simulator.reset(5, np.random.default_rng(0))
    observations = simulator.observe(states)
    assert observations.shape == (5, OBSERVED[robot])
    assert simulator.observation_size == OBSERVED[robot]
    moved = states.copy()
    moved[:, 1] += 100.0
    np.testing.assert_array_equal(simulator.observe(moved), observations)
    for number in range(2, states.shape[1]):
        moved = states.copy()
        moved[:, number] += 1.0
        assert (simulator.observe(moved) != observations).any(axis=1).all()


def test_swimmers_policy_has_the_parameters_of_table_2():
    simulator = a_simulator("swimmer")
    policy = Policy(
        simulator.observation_size, simulator.actions, hidden_sizes=(30,), initial_std=1.0
    )
    assert policy.parameter_count == 364


@walking_robots
def test_an_agent_that_stands_still_for_a_whole_episode_scores_exactly_one(robot):
    # Without gravity and reset noise, an agent that does nothing stays where it is. Its policy is
    # the mode of a Gaussian with all parameters zero, its episode the sampler's.
    simulator = a_simulator(robot)
    simulator.engine.model.opt.gravity[:] = 0.0
    simulator.robot = dataclasses.replace(simulator.robot, reset_noise=0.0)
    policy = Policy(simulator.observation_size, simulator.actions, hidden_sizes=(), initial_std=1.0)
    episode = Sampler(simulator, policy, Workers(1), greedy=True).episodes(
        np.zeros(policy.parameter_count, np.float32),
        Normaliser.identity(simulator.observation_size),
        streams=lambda purpose, group: stream(0, purpose, group),
        count=1,
    )
    assert episode.lengths.tolist() == [1000]
    assert episode.terminated.tolist() == [False]
    assert (episode.rewards == 1.0).all()
    assert episode.returns[0] / simulator.horizon == 1.0


@walking_robots
def test_standing_on_the_ground_scores_one_less_the_feet_of_the_walker(robot):
    # Springs in the joints hold the robot up under its weight; its motors do nothing.
    simulator = a_simulator(robot)
    model = simulator.engine.model
    model.jnt_stiffness[3:], model.dof_damping[3:] = 1e4, 1e3
    states = simulator.engine.neutral_state[None].copy()
    states[0, 2] = 1.21  # m: the feet touch the ground
    nothing = np.zeros((1, model.nu))
    for _ in range(300):
        states = simulator.step(states, nothing).states  # until it has come to rest
    rewards = []
    for _ in range(1000):
        states, reward, terminated = simulator.step(states, nothing)
        assert not terminated
        rewards.append(reward[0])
    # A foot on the ground feels more than 1 N, clipped to 1 N: 1e-5 each.
    cost = 2e-5 if robot == "walker" else 0.0
    # Sliding at less than a micrometre a second.
    assert np.mean(rewards) == pytest.approx(1.0 - cost, abs=1e-6)


@every_environment
def test_one_step_agrees_with_gymnasium_to_solver_tolerance(name):
    reference = gymnasium.make(name, disable_env_checker=True).unwrapped
    reference.reset(seed=0)
    simulator = make_gymnasium(id=name, horizon=None, batched=True)
    rng = np.random.default_rng(0)
    states = simulator.reset(6, rng)
    ends = 0
    for _ in range(60):  # 360 comparisons
        actions = rng.uniform(-1, 1, (6, simulator.actions.dimension)).astype(np.float32)
        after, rewards, terminated = simulator.step(states, actions)
        observations = simulator.observe(after)
        for row in range(6):
            # `set_state` leaves a warm start behind: the solvers agree to their tolerance, 1e-8.
            reference.set_state(*positions_and_velocities(simulator, states[row]))
            observation, reward, end, _, _ = reference.step(actions[row])
            np.testing.assert_allclose(observations[row], observation, rtol=1e-6, atol=1e-6)
            positions, velocities = positions_and_velocities(simulator, after[row])
            np.testing.assert_allclose(positions, reference.data.qpos, atol=1e-7)
            np.testing.assert_allclose(velocities, reference.data.qvel, atol=1e-6)
            assert rewards[row] == pytest.approx(reward, abs=1e-6)
            assert terminated[row] == end
            ends += end
        states = after
    assert name == "Swimmer-v5" or 0 < ends < 360


@every_environment
def test_horizon_sizes_and_first_states_are_those_of_gymnasium(name):
    reference = gymnasium.make(name, disable_env_checker=True)
    simulator = make_gymnasium(id=name, horizon=None, batched=True)
    assert simulator.horizon == reference.spec.max_episode_steps
    assert simulator.observation_size == reference.observation_space.shape[0]
    assert simulator.actions.sizes == reference.action_space.shape
    assert simulator.control_period == pytest.approx(reference.unwrapped.dt)
    drawn = [reference.reset(seed=seed)[0] for seed in range(200)]
    states = simulator.reset(200, np.random.default_rng(0))
    observations = simulator.observe(states)
    # Both fill the same uniform range: 200 draws come within 5% of its ends nearly surely.
    margin = 0.05 * np.ptp(drawn, axis=0)
    assert (np.abs(observations.min(axis=0) - np.min(drawn, axis=0)) < margin).all()
    assert (np.abs(observations.max(axis=0) - np.max(drawn, axis=0)) < margin).all()


@pytest.mark.parametrize(
    ("number", "value"),
    [(1, 0.71), (1, 0.69), (2, 0.19), (2, 0.21), (2, -0.21), (3, -99.0), (4, 101.0), (6, 120.0)],
)
def test_hoppers_ends_are_those_of_gymnasium(number, value):
    reference = gymnasium.make("Hopper-v5", disable_env_checker=True).unwrapped
    reference.reset(seed=0)
    simulator = make_gymnasium(id="Hopper-v5", horizon=None, batched=True)
    states = simulator.reset(1, np.random.default_rng(0))
    states[0, 1 + number] = value
    reference.set_state(*positions_and_velocities(simulator, states[0]))
    assert simulator._fallen(states)[0] == (not reference.is_healthy)


@every_environment
def test_velocities_are_clipped_as_gymnasium_clips_them(name):
    reference = gymnasium.make(name, disable_env_checker=True).unwrapped
    reference.reset(seed=0)
    simulator = make_gymnasium(id=name, horizon=None, batched=True)
    states = simulator.reset(1, np.random.default_rng(0))
    states[0, -3:] = [30.0, -30.0, 5.0]
    reference.set_state(*positions_and_velocities(simulator, states[0]))
    expected = reference._get_obs().astype(np.float32)
    np.testing.assert_array_equal(simulator.observe(states)[0], expected)
