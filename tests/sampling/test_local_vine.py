"""Vines of games: trunk and branches by one process, exact, whoever and how many run them."""

import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from ale_py import Action, ALEInterface, roms

from trpo_repro.cli.compose import run_config
from trpo_repro.errors import RunFailed
from trpo_repro.parallel import Forks
from trpo_repro.runner.build import build_algorithm
from trpo_repro.sampling.grouping import GAMES as GROUPING
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import GroupTask, evenly_chosen
from trpo_repro.seeding import Streams
from trpo_repro.tasks import GAMES
from trpo_repro.tasks.atari import joystick_actions

LENGTH, HORIZON, DISCOUNT = 12, 40, 0.99


def vine(game, *overrides):
    """Return the sampler and a policy that looks at the screen before it acts."""
    own = (f"task.horizon={HORIZON}", f"algo.rollout_length={LENGTH}", "task.reward_bound=1")
    settings = [f"task={game}", "algo=vine", "scale=smoke", "threads=1", *own, *overrides]
    local = build_algorithm(run_config(settings)).local
    theta = local.trunk.policy.initial_parameters(np.random.default_rng(0)).numpy()
    return local, theta * 4


def group_task(local, theta, *, steps=HORIZON, share=0.2):
    (plan,) = local.trunk.plans(steps, HORIZON)
    normaliser = Normaliser.identity(local.simulator.observation_size)
    return GroupTask(theta, normaliser, Streams(3, (0,)), 0, plan, share)


def grown(local, theta, *, steps, states):
    normaliser = Normaliser.identity(local.simulator.observation_size)
    return local.vines(
        theta,
        normaliser,
        streams=Streams(3, (0,)),
        trunk_steps=steps,
        expected_length=HORIZON,
        states=states,
    )


class PlainLoop:
    """The protocol on ALE alone."""

    def __init__(self, game):
        self.ale = ALEInterface()
        self.ale.setInt("random_seed", 1)
        self.ale.setFloat("repeat_action_probability", 0.0)
        self.ale.loadROM(roms.get_rom_path(game))

    def small(self, screen):
        blocks = screen[1:209].astype(float).reshape(52, 4, 40, 4)
        return np.floor(blocks.mean(axis=(1, 3)) + 0.5).astype(np.uint8)

    def begin(self, no_ops):
        for _ in range(no_ops):
            self.ale.act(Action.NOOP)
        self.stack = [self.small(self.ale.getScreenGrayscale().copy())] * 4

    def step(self, action):
        reward, frames = 0, []
        for _ in range(4):
            reward += self.ale.act(joystick_actions()[tuple(action)])
            frames.append(self.ale.getScreenGrayscale().copy())
        self.stack = [*self.stack[1:], self.small(np.maximum(frames[2], frames[3]))]
        return reward

    @property
    def seen(self):
        return np.concatenate(self.stack).ravel()


@pytest.mark.parametrize("game", GAMES)
def test_trunk_and_branches_are_those_of_a_plain_loop_over_ale(game):
    local, theta = vine(game)
    task = group_task(local, theta)
    found = local.grow(task)
    trunk, rollouts = found.trunk, found.rollouts
    assert len(found.chosen) >= 3
    no_ops = int(task.streams("reset", 0).integers(30, size=1, endpoint=True)[0])
    act = local.trunk.policy.actor(theta)
    first_and_last = (0, len(found.chosen) - 1)
    rng = task.streams("branch", 0)
    for size in (3, 3, 2):  # of the uniform first actions
        rng.integers(size, size=4 * len(found.chosen))
    noise = rng.random((len(found.chosen), 1, LENGTH - 1, 3), dtype=np.float32)
    for n in first_and_last:
        for k in range(4):
            loop = PlainLoop(game)
            loop.begin(no_ops)
            for row in range(found.chosen[n]):
                assert np.array_equal(trunk.observations[row], loop.seen[-2080:])
                assert loop.step(trunk.actions[row]) == trunk.rewards[row]
            assert np.array_equal(rollouts.observations[n], loop.seen)
            action, total = rollouts.actions[n, k], 0.0
            for step in range(LENGTH):
                total += DISCOUNT**step * np.clip(loop.step(action), -1, 1)
                if step < LENGTH - 1:  # every branch of a state has the same noise
                    action = act(loop.seen[None], noise[n, 0, step][None])[0]
            assert rollouts.lengths[n, k] == LENGTH
            assert rollouts.q_values[n, k] == pytest.approx(total, abs=1e-9)
            assert rollouts.tail_weights[n, k] == pytest.approx(DISCOUNT**LENGTH)
            assert np.array_equal(rollouts.final_observations[n, k], loop.seen)


@pytest.mark.parametrize("share", [0.03, 0.4, 1.0])
def test_every_state_is_chosen_with_one_probability_and_every_episode_as_often(share):
    episode, age = (index.ravel() for index in np.indices((5, 300)))
    starts = (np.arange(1000) + 0.5) / 1000
    chosen = np.array([evenly_chosen(share, start, episode=episode, age=age) for start in starts])
    np.testing.assert_allclose(chosen.mean(axis=0), share, atol=0.002)
    counts = chosen.reshape(-1, 5, 300).sum(axis=2)
    assert np.abs(counts - share * 300).max() < 1
    firsts = chosen.reshape(-1, 5, 300).argmax(axis=2)
    assert share == 1 or (np.ptp(firsts, axis=1) > 0.3 / share).all()  # they begin elsewhere
    gaps = [np.diff(np.flatnonzero(one)) for one in chosen.reshape(-1, 300)]
    assert {*np.concatenate(gaps)} <= {math.floor(1 / share), math.ceil(1 / share)}


def test_the_trunk_is_the_single_path_sampler_s():
    local, theta = vine("breakout")
    task = group_task(local, theta)
    plain = replace(local.trunk, keep_states=False).sample_group(task)
    trunk = local.grow(task).trunk
    for name in ("observations", "actions", "rewards", "lengths", "final_observations"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(trunk, name))


def test_branches_that_share_their_first_action_are_one_and_the_same():
    local, theta = vine("breakout", "algo.rollouts_per_state=24")
    rollouts = local.grow(group_task(local, theta, share=0.1)).rollouts
    ends = []
    for n in range(len(rollouts.actions)):
        seen = {}
        for action, q, final in zip(
            rollouts.actions[n], rollouts.q_values[n], rollouts.final_observations[n], strict=True
        ):
            before = seen.setdefault(tuple(action), (q, final))
            assert before[0] == q
            assert np.array_equal(before[1], final)
        ends.append(len({final.tobytes() for _, final in seen.values()}))
    assert max(ends) > 1


def test_sticky_rollouts_go_on_beyond_the_horizon_of_their_episode():
    local, theta = vine("pong", "task.protocol=machado2018")
    task = group_task(local, theta, share=1.0)
    found, again = local.grow(task), local.grow(task)
    assert found.chosen[-1] == HORIZON - 1
    assert (found.rollouts.lengths == LENGTH).all()
    np.testing.assert_array_equal(
        found.rollouts.final_observations, again.rollouts.final_observations
    )


@pytest.mark.skipif(not Forks.available(), reason="this system does not fork safely")
def test_neither_processes_nor_their_number_move_a_bit():
    local, theta = vine("qbert")
    assert len(local.trunk.plans(8 * HORIZON, HORIZON)) == 2
    here, *there = (
        grown(sampler, theta, steps=8 * HORIZON, states=10)
        for sampler in (local, local.forked(1), local.forked(2))
    )
    assert len(here.chosen) > 4
    assert (np.diff(here.chosen) > 0).all()
    for other in there:
        np.testing.assert_array_equal(here.chosen, other.chosen)
        for name in ("observations", "actions", "rewards", "lengths"):
            np.testing.assert_array_equal(getattr(here.trunk, name), getattr(other.trunk, name))
        for name in here.rollouts.__dataclass_fields__:
            np.testing.assert_array_equal(
                getattr(here.rollouts, name), getattr(other.rollouts, name)
            )


def test_the_rollout_set_is_drawn_from_the_whole_trunk_alike():
    local, theta = vine("pong", "algo.rollout_length=1")
    found = grown(local, theta, steps=20 * HORIZON, states=200)
    rows = len(found.trunk.rewards)
    assert rows == 20 * HORIZON
    assert len(found.chosen) == 200  # a quarter of every episode
    assert {*np.histogram(found.chosen, bins=20, range=(0, rows))[0]} == {10}
    places = found.rollouts.observations[:, -2080:]
    assert np.array_equal(places, found.trunk.observations[found.chosen])


def test_rewards_of_branches_are_clipped_as_training_clips_them():
    settings = ("task.horizon=100", "algo.rollout_length=60")
    totals = []
    for bound in ("1", "null"):
        local, theta = vine("qbert", *settings, f"task.reward_bound={bound}")
        task = group_task(local, theta, share=0.03)
        totals.append(local.grow(task).rollouts.q_values)
    worth = totals[1][totals[0] > 0] / totals[0][totals[0] > 0]
    cubes = np.isclose(worth, 25)  # points that a cube is worth
    assert cubes.sum() > 3
    assert (worth[~cubes] > 25).all()  # where something else was caught


def test_a_trunk_without_a_state_to_branch_from_is_an_error_that_says_so():
    local, theta = vine("pong")
    with pytest.raises(RunFailed, match="none of 40 states was chosen"):
        grown(local, theta, steps=HORIZON, states=1e-9)


@pytest.mark.skipif(not Forks.available(), reason="this system does not fork safely")
def test_a_worker_that_is_killed_is_a_failed_run(monkeypatch):
    local, theta = vine("pong")
    monkeypatch.setattr(
        type(local.branches), "sample_group", lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    )
    with pytest.raises(RunFailed, match="sampling process died"):
        grown(local.forked(2), theta, steps=8 * HORIZON, states=10)


def test_groups_are_as_many_as_emulators_in_each_and_divide_among_cores():
    counts = {1: 1, 3: 1, 4: 2, 15: 2, 16: 4, 22: 4, 63: 4, 64: 8, 255: 8, 256: 16, 5000: 16}
    assert {rows: GROUPING.groups(rows) for rows in counts} == counts
