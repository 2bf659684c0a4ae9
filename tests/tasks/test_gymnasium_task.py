"""Gymnasium's own environments as rows of a batch, against Gymnasium itself."""

from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest

from trpo_repro.errors import ConfigError, MissingDependency
from trpo_repro.tasks.gymnasium_task import GymnasiumTask, make_gymnasium
from trpo_repro.tasks.locomotion import Locomotion

every_environment = pytest.mark.parametrize(
    "name", ["CartPole-v1", "Pendulum-v1", "HalfCheetah-v5"]
)


def a_task(name):
    return make_gymnasium(id=name, horizon=None, batched=True)


def some_actions(task, rng, rows):
    if task.actions.kind == "discrete":
        return rng.integers(task.actions.sizes[0], size=(rows, 1))
    return rng.normal(0.0, 2.0, (rows, task.actions.dimension)).astype(np.float32)


def as_gymnasium_takes_it(task, action):
    # Pendulum itself clips a torque beyond ± 2.
    return int(action[0]) if task.actions.kind == "discrete" else action


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_steps_are_those_of_gymnasium_from_the_same_state(name):
    task, rng, rows = a_task(name), np.random.default_rng(0), 4
    states = task.reset(rows, rng)
    references = [gymnasium.make(name, disable_env_checker=True).unwrapped for _ in range(rows)]
    for reference, (environment, *_) in zip(references, states, strict=True):
        reference.reset(seed=0)
        reference.state = np.array(environment.state)
    for _ in range(task.horizon):
        actions = some_actions(task, rng, rows)
        states, rewards, terminated = task.step(states, actions)
        observations = task.observe(states)
        for row, reference in enumerate(references):
            observation, reward, end, _, _ = reference.step(
                as_gymnasium_takes_it(task, actions[row])
            )
            np.testing.assert_array_equal(observations[row], observation)
            assert rewards[row] == reward
            assert terminated[row] == end
        if terminated.any():  # Gymnasium warns of steps beyond the end
            break
    assert terminated.any() == (name == "CartPole-v1")


@every_environment
def test_sizes_and_horizon_are_those_of_gymnasium(name):
    task, reference = a_task(name), gymnasium.make(name, disable_env_checker=True)
    assert isinstance(task, GymnasiumTask)
    assert task.horizon == reference.spec.max_episode_steps
    assert task.observation_size == reference.observation_space.shape[0]


@every_environment
def test_every_row_starts_differently_and_as_its_random_stream_says(name):
    task = a_task(name)
    first, again = (task.observe(task.reset(4, np.random.default_rng(0))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first, axis=0)) == 4


@every_environment
def test_copies_continue_exactly_and_on_their_own(name):
    task, rng = a_task(name), np.random.default_rng(0)
    states = task.step(task.reset(3, rng), some_actions(task, rng, 3)).states
    saved = task.copy(states)
    actions = [some_actions(task, rng, 3) for _ in range(5)]

    def observed(states, rows):
        seen = []
        for action in actions:
            states, rewards, _ = task.step(states, action[rows])
            seen.append((task.observe(states).tolist(), rewards.tolist()))
        return seen

    before = task.observe(saved).tolist()
    everything = observed(states, np.arange(3))
    assert task.observe(saved).tolist() == before
    twice = [observed(task.copy(saved[[2]]), [2]) for _ in range(2)]
    assert twice[0] == twice[1]
    assert twice[0] == [([seen[2]], [rewards[2]]) for seen, rewards in everything]


def test_actions_beyond_the_box_are_clipped_to_it():
    task = a_task("Pendulum-v1")
    start = task.reset(1, np.random.default_rng(0))
    results = [task.step(task.copy(start), np.array([[u]], np.float32)) for u in (2.0, 50.0)]
    assert results[0].rewards == results[1].rewards


def test_the_engine_serves_what_it_reproduces_unless_told_otherwise():
    assert isinstance(a_task("Hopper-v5"), Locomotion)
    plain = make_gymnasium(id="Hopper-v5", horizon=7, batched=False)
    assert isinstance(plain, GymnasiumTask)
    assert plain.horizon == 7


def test_gymnasiums_own_hopper_and_the_engines_walk_the_same_path():
    task, engine = (make_gymnasium(id="Hopper-v5", horizon=None, batched=b) for b in (False, True))
    rng = np.random.default_rng(0)
    states = task.reset(1, rng)
    environment = states[0][0]
    batch = np.empty((1, engine.engine.state_size))
    batch[0] = [0.0, *environment.data.qpos, *environment.data.qvel]
    for _ in range(30):
        actions = some_actions(task, rng, 1)
        states, rewards, _ = task.step(states, actions)
        batch, engine_rewards, _ = engine.step(batch, actions)
        # Each step's difference of the solver's warm start, 1e-8, grows along the way.
        np.testing.assert_allclose(task.observe(states), engine.observe(batch), atol=1e-4)
        np.testing.assert_allclose(rewards, engine_rewards, atol=1e-4)


class FiveSteps(gymnasium.Env):
    """Ends every episode itself, by truncation after five steps."""

    observation_space = gymnasium.spaces.Tuple(
        (gymnasium.spaces.Discrete(6), gymnasium.spaces.Box(-1, 1, (2,)))
    )
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.age = 0
        return (self.age, np.zeros(2)), {}

    def step(self, action):
        self.age += 1
        return (self.age, np.full(2, 0.5)), 1.0, False, self.age == 5, {}


def a_hundredfold(**settings):
    bare = gymnasium.make("Hopper-v5", **settings).unwrapped
    return gymnasium.wrappers.TransformReward(bare, lambda reward: 100 * reward)


def test_wrappers_of_an_environments_own_stay_and_are_copied_with_all_below():
    gymnasium.register("Hundredfold-v0", entry_point=a_hundredfold, max_episode_steps=50)
    try:
        task = a_task("Hundredfold-v0")
    finally:
        del gymnasium.registry["Hundredfold-v0"]
    plain = make_gymnasium(id="Hopper-v5", horizon=50, batched=False)
    ours, theirs = (t.reset(1, np.random.default_rng(0)) for t in (task, plain))
    action = np.full((1, 3), 0.5, np.float32)
    for _ in range(3):
        saved = task.copy(ours)
        ours, rewards, _ = task.step(ours, action)
        theirs, plain_rewards, _ = plain.step(theirs, action)
        assert rewards.tolist() == (100 * plain_rewards).tolist()
        again = task.step(saved, action)
        assert again.rewards.tolist() == rewards.tolist()
        assert np.array_equal(task.observe(again.states), task.observe(ours))


@pytest.fixture
def five_steps():
    gymnasium.register("FiveSteps-v0", entry_point=FiveSteps)
    yield "FiveSteps-v0"
    del gymnasium.registry["FiveSteps-v0"]


def test_observations_of_any_fixed_size_are_flattened(five_steps):
    task = make_gymnasium(id=five_steps, horizon=5, batched=True)
    assert task.observation_size == 8
    states = task.step(task.reset(1, np.random.default_rng(0)), np.array([[1]])).states
    assert task.observe(states).tolist() == [[0, 1, 0, 0, 0, 0, 0.5, 0.5]]
    lake = a_task("FrozenLake-v1")
    observed = lake.observe(lake.reset(2, np.random.default_rng(0)))
    assert observed.tolist() == np.eye(1, 16).repeat(2, axis=0).tolist()


@pytest.mark.parametrize("horizon", [5, 6])
def test_a_time_limit_of_the_environments_own_is_not_stepped_over(five_steps, horizon):
    task = make_gymnasium(id=five_steps, horizon=horizon, batched=True)
    states = task.reset(1, np.random.default_rng(0))
    for _ in range(5):
        states, _, terminated = task.step(states, np.array([[0]]))
        assert not terminated
    with pytest.raises(ConfigError, match="beyond a time limit of its own"):
        task.step(task.copy(states), np.array([[0]]))


class Selfish(gymnasium.Env):
    """Steps by way of a method that it keeps, and of a helper that knows it."""

    observation_space = gymnasium.spaces.Box(0, 99, (1,))
    action_space = gymnasium.spaces.MultiDiscrete([[3, 2], [2, 2]], start=[[-1, 5], [0, 0]])

    def __init__(self):
        self.advance, self.helper = self._advance, SimpleNamespace(whose=self)

    def reset(self, *, seed=None, options=None):
        self.age = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.advance()
        return np.full(1, self.helper.whose.age, np.float32), float(self.age), False, False, {}

    def _advance(self):
        self.age += 1


@pytest.fixture
def selfish():
    gymnasium.register("Selfish-v0", entry_point=Selfish, max_episode_steps=50)
    yield a_task("Selfish-v0")
    del gymnasium.registry["Selfish-v0"]


def test_what_refers_back_to_an_environment_refers_to_its_copy(selfish):
    first = selfish.step(selfish.reset(1, np.random.default_rng(0)), np.zeros((1, 4), int)).states
    saved = selfish.copy(first)
    for _ in range(2):  # the copy first, and then the original
        states, rewards, _ = selfish.step(saved, np.zeros((1, 4), int))
        assert (selfish.observe(states).tolist(), rewards.tolist()) == ([[2.0]], [2.0])
        saved = first


def test_several_discrete_actions_have_the_shape_and_start_of_their_space(selfish):
    assert selfish.actions.sizes == (3, 2, 2, 2)
    states = selfish.reset(1, np.random.default_rng(0))
    seen = []
    states[0][0].unwrapped.advance = lambda: None
    step = type(states[0][0].unwrapped).step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Selfish, "step", lambda own, action: seen.append(action) or step(own, action))
        selfish.step(states, np.array([[0, 1, 1, 0]]))
    assert [action.tolist() for action in seen] == [[[-1, 6], [1, 0]]]


def test_a_module_before_the_name_is_imported(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('Mine-v0', max_episode_steps=7,"
        " entry_point='gymnasium.envs.classic_control:PendulumEnv')\n"
    )
    with pytest.raises(MissingDependency, match="there is no module my_module"):
        a_task("my_module:Mine-v0")
    monkeypatch.syspath_prepend(tmp_path)
    assert a_task("my_module:Mine-v0").horizon == 7
    del gymnasium.registry["Mine-v0"]


def test_an_unknown_environment_is_a_mistake_of_the_configuration():
    with pytest.raises(ConfigError, match="unknown Gymnasium environment"):
        a_task("Hoper-v5")
