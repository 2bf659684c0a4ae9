"""The games against a plain loop over ALE, and states that go on exactly where they were."""

import pickle

import numpy as np
import pytest
from ale_py import Action, ALEInterface, roms

from trpo_repro.errors import MissingDependency
from trpo_repro.tasks import GAMES, atari, make_task
from trpo_repro.tasks.atari import Atari, joystick_actions
from trpo_repro.tasks.atari_screen import shrunk

every_game = pytest.mark.parametrize("game", GAMES)


def make(game, *, protocol="trpo2015", horizon=400, frame_skip=4):
    return Atari(game, protocol=protocol, horizon=horizon, frame_skip=frame_skip)


def random_actions(simulator, steps, count, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack(
        [rng.integers(size, size=(steps, count)) for size in simulator.actions.sizes], -1
    )


def played(simulator, states, actions):
    """Return the states after `actions`, and what was seen on the way."""
    seen = []
    for action in actions:
        states, rewards, terminated = simulator.step(states, action)
        memory = [state.emulator.memory() for state in states]
        seen.append((simulator.observe(states), rewards, terminated, np.array(memory)))
    return states, [np.array(column) for column in zip(*seen, strict=True)]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


class PlainLoop:
    """What the protocol says, on ALE alone: one game, its screens shrunk by means of blocks."""

    def __init__(self, game):
        self.ale = ALEInterface()
        self.ale.setInt("random_seed", 1)
        self.ale.setFloat("repeat_action_probability", 0.0)
        self.ale.loadROM(roms.get_rom_path(game))

    def screen(self):
        return self.ale.getScreenGrayscale().copy()

    @staticmethod
    def small(screen):
        blocks = screen[1:209].astype(float).reshape(52, 4, 40, 4)
        return np.floor(blocks.mean(axis=(1, 3)) + 0.5).astype(np.uint8)

    def begin(self, no_ops):
        for _ in range(no_ops):
            self.ale.act(Action.NOOP)
        self.stack = [self.small(self.screen())] * 4
        return np.stack(self.stack)

    def step(self, action):
        reward, frames = 0, []
        for _ in range(4):
            reward += self.ale.act(action)
            frames.append(self.screen())
        self.stack = [*self.stack[1:], self.small(np.maximum(frames[2], frames[3]))]
        return np.stack(self.stack), reward, self.ale.game_over()


@every_game
def test_pixels_and_rewards_are_those_of_a_plain_loop(game):
    simulator, count = make(game), 2
    rng = np.random.default_rng(3)
    no_ops = np.random.default_rng(3).integers(30, size=count, endpoint=True)
    states = simulator.reset(count, rng)
    loops = [PlainLoop(game) for _ in range(count)]
    for row, loop in enumerate(loops):
        first = simulator.observe(states)[row]
        assert np.array_equal(first, loop.begin(no_ops[row]).ravel())
    names = {(h, v, f): v + h + f or "NOOP" for h in ("", "RIGHT", "LEFT")
             for v in ("", "UP", "DOWN") for f in ("", "FIRE")}  # fmt: skip
    names = list(names.values())  # horizontal outermost, fire innermost
    for actions in random_actions(simulator, 60, count):
        states, rewards, terminated = simulator.step(states, actions)
        observed = simulator.observe(states)
        for row, loop in enumerate(loops):
            h, v, f = actions[row]
            expected = loop.step(Action.__members__[names[6 * h + 2 * v + f]])
            assert np.array_equal(observed[row], expected[0].ravel())
            assert (rewards[row], terminated[row]) == expected[1:]


@every_game
def test_a_copied_state_goes_on_exactly_as_the_original_does(game):
    simulator = make(game)
    actions = random_actions(simulator, 70, 2)
    states, _ = played(simulator, simulator.reset(2, np.random.default_rng(0)), actions[:30])
    saved = simulator.copy(states)
    again = simulator.copy(saved)
    _, first = played(simulator, states, actions[30:])
    _, other = played(simulator, again, actions[:40])  # elsewhere, in the same emulators
    _, second = played(simulator, saved, actions[30:])
    assert same(first, second)
    assert not same(first, other)


@every_game
def test_branches_of_one_emulator_in_turn_are_as_if_each_had_its_own(game):
    simulator, branches = make(game), 3
    actions = random_actions(simulator, 30, branches)
    trunk, _ = played(simulator, simulator.reset(1, np.random.default_rng(0)), actions[:10, :1])
    waiting = simulator.copy(np.repeat(trunk, branches))
    together = simulator.copy(waiting)
    _, seen = played(simulator, together, actions[10:])
    for branch in range(branches):
        own = slice(branch, branch + 1)
        _, alone = played(simulator, simulator.copy(waiting[own]), actions[10:, own])
        # Memory is read after all three stepped, so that only the last branch's is its own.
        assert same([column[:, own] for column in seen[:3]], alone[:3])


@every_game
def test_a_new_game_knows_nothing_of_those_before(game):
    simulator = make(game)
    actions = random_actions(simulator, 40, 2)
    fresh = played(simulator, simulator.reset(2, np.random.default_rng(5)), actions)[1]
    played(simulator, simulator.reset(2, np.random.default_rng(6)), actions[::-1])
    again = played(simulator, simulator.reset(2, np.random.default_rng(5)), actions)[1]
    assert same(fresh, again)
    assert len(simulator._emulators) == 2


@every_game
def test_a_game_without_no_ops_begins_with_the_screen_that_a_new_machine_shows(game):
    simulator = make(game, protocol="machado2018")
    for seed in range(2):  # the second time in an emulator that has played
        states = simulator.reset(1, np.random.default_rng(seed))
        expected = PlainLoop(game).begin(0).ravel()
        assert np.array_equal(simulator.observe(states)[0], expected)
        played(simulator, states, random_actions(simulator, 50, 1))
        del states
    assert len(simulator._emulators) == 1


def test_a_game_that_is_still_wanted_is_not_overwritten_by_a_new_one():
    simulator = make("pong")
    actions = random_actions(simulator, 40, 1)
    held, _ = played(simulator, simulator.reset(1, np.random.default_rng(0)), actions[:20])
    simulator.reset(3, np.random.default_rng(1))
    goes_on = played(simulator, held, actions[20:])[1]
    undisturbed, _ = played(simulator, simulator.reset(1, np.random.default_rng(0)), actions[:20])
    assert same(goes_on, played(simulator, undisturbed, actions[20:])[1])


def test_a_state_that_was_stepped_cannot_be_stepped_again():
    simulator = make("pong")
    states = simulator.reset(1, np.random.default_rng(0))
    (action,) = random_actions(simulator, 1, 1)
    simulator.step(states, action)
    with pytest.raises(ValueError, match="copy a state"):
        simulator.step(states, action)


def test_a_state_from_another_process_can_be_seen_but_not_stepped():
    simulator = make("pong")
    states = simulator.reset(1, np.random.default_rng(0))
    sent = pickle.loads(pickle.dumps(states))  # noqa: S301
    assert np.array_equal(simulator.observe(sent), simulator.observe(states))
    with pytest.raises(ValueError, match="another process"):
        simulator.step(sent, np.zeros((1, 3), np.int64))


def test_a_game_ends_and_stays_over():
    simulator = make("breakout", horizon=10_000)
    states = simulator.reset(1, np.random.default_rng(0))
    fire = np.array([[0, 0, 1]])
    for _ in range(2000):
        states, reward, terminated = simulator.step(states, fire)
        if terminated.any():
            break
    assert terminated.all()
    states, reward, terminated = simulator.step(states, fire)
    assert terminated.all()
    assert not reward.any()


def test_every_joystick_position_is_one_of_ale_s_eighteen_actions():
    table = joystick_actions()
    assert table.shape == (3, 3, 2)
    assert sorted(table.ravel()) == list(range(18))
    assert table[0, 0, 0] == Action.NOOP.value
    assert table[2, 1, 1] == Action.UPLEFTFIRE.value
    assert table[1, 2, 0] == Action.DOWNRIGHT.value


def test_machado2018_has_all_actions_at_once_and_a_sticky_joystick():
    simulator = make("pong", protocol="machado2018", horizon=5000)
    assert simulator.actions.sizes == (18,)
    (state,) = simulator.reset(1, np.random.default_rng(0))
    # 20,000 draws: the share's standard deviation is 0.003.
    assert state.sticks.mean() == pytest.approx(0.25, abs=0.015)
    state.sticks[:8] = [0, 0, 0, 0, 1, 1, 1, 1]  # the second step keeps the first one's action
    loop = PlainLoop("pong")
    loop.begin(0)
    states = np.array([state])
    for chosen, acts in ((2, Action.UP), (5, Action.UP)):
        states, *_ = simulator.step(states, np.array([[chosen]]))
        expected, *_ = loop.step(acts)
        assert np.array_equal(simulator.observe(states)[0], expected.ravel())
    assert np.array_equal(states[0].emulator.memory(), loop.ale.getRAM())


def test_sticks_beyond_the_horizon_follow_from_those_before():
    simulator = make("pong", protocol="machado2018", horizon=100)
    states = simulator.reset(2, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    rng.integers(0, size=2, endpoint=True)  # no-ops
    drawn = [rng.random(400) < 0.25 for _ in states]
    saved = simulator.copy(states)
    actions = random_actions(simulator, 250, 2)
    played_on, seen = played(simulator, states, actions)
    for state, sticks in zip(played_on, drawn, strict=True):
        assert np.array_equal(state.sticks[:400], sticks)
        beyond = state.sticks[400:1000]
        assert beyond.mean() == pytest.approx(0.25, abs=0.06)  # three standard deviations
        assert not np.array_equal(beyond[:400], sticks)
    assert not np.array_equal(played_on[0].sticks, played_on[1].sticks)
    assert same(seen, played(simulator, saved, actions)[1])


def test_screens_are_means_of_four_by_four_pixels():
    screens = np.random.default_rng(0).integers(0, 256, (3, 210, 160)).astype(np.uint8)
    expected = np.stack([PlainLoop.small(screen) for screen in screens])
    assert np.array_equal(shrunk(screens), expected)
    assert (shrunk(np.full((1, 210, 160), 255, np.uint8)) == 255).all()


def test_a_game_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(atari.ALEInterface, "isSupportedROM", lambda path: None)
    with pytest.raises(MissingDependency, match="pong is missing or damaged"):
        make_task("pong", protocol="trpo2015", horizon=10, frame_skip=4)
