"""Numbers that leave nothing to learn from, or no number at all (faults 13 and 14)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from cli_helpers import SilentReporter, config_in, rows_of

from trpo_repro.errors import SimulationDiverged
from trpo_repro.optim.step import Outcome
from trpo_repro.runner.checkpoint import load_arrays, newest_checkpoint
from trpo_repro.runner.evaluation import play, stored_config
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.settings import ALGORITHM_TASKS
from trpo_repro.tasks.cartpole import CartPole
from trpo_repro.tasks.gymnasium_task import GymnasiumTask
from trpo_repro.types import Transition

GRADIENT = [name for name in ALGORITHM_TASKS if name not in ("cem", "cma")]
ON_ANY_TASK = [name for name, tasks in ALGORITHM_TASKS.items() if "gym" in tasks]
TINY = ("scale=smoke", "iterations=3", "threads=1")


def run(results: Path, *overrides: str) -> RunFolder:
    config = config_in(results, [*TINY, *overrides])
    execute(config, SilentReporter())
    return RunFolder.of(config)


def good_policy(folder: RunFolder) -> np.ndarray[Any, Any]:
    """Return θ of a stored policy that can be read and played."""
    episodes = play(folder, stored_config(folder), episodes=2, seed=0, greedy=False)
    assert np.isfinite(episodes.returns).all()
    theta = load_arrays(folder.policy)["theta"]
    assert np.isfinite(theta).all()
    return theta


def sound_rows(folder: RunFolder, count: int = 3) -> list[dict[str, str]]:
    rows = rows_of(folder)
    assert len(rows) == count
    for row in rows:
        assert row["outcome"] in set(Outcome)
        for name in ("return_mean", "return_std", "length_mean", "score", "sim_steps"):
            assert np.isfinite(float(row[name])), name
    return rows


class Odd(gymnasium.Env[Any, Any]):
    """An environment that ends, pays and is seen as its class says."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,))
    action_space = gymnasium.spaces.Box(-1, 1, (2,))
    length, nan_at = 1, -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.age = 0
        return self.observation_space.low, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.age += 1
        seen = np.full(3, np.nan if self.age == self.nan_at else 0.5, np.float32)
        return seen, 1.0, self.age >= self.length, False, {}


class NeverSeen(Odd):
    """Pays finite rewards for observations that are none."""

    length, nan_at = 10, 4


@pytest.fixture(autouse=True)
def environments() -> Iterator[None]:
    for name, kind in (("EndsAtOnce-v0", Odd), ("NeverSeen-v0", NeverSeen)):
        gymnasium.register(name, entry_point=kind, max_episode_steps=20)
    yield
    for name in ("EndsAtOnce-v0", "NeverSeen-v0"):
        del gymnasium.registry[name]


def rewarded(patch: pytest.MonkeyPatch, reward: float) -> None:
    """Let cart-pole pay the same at every step, whatever happens, and never end."""
    step = CartPole.step

    def constant(self: CartPole, states: Any, actions: Any) -> Transition:
        after = step(self, states, actions)
        still = np.zeros_like(states)  # upright, wherever it was pushed
        return Transition(still, np.full_like(after.rewards, reward), after.terminated & False)

    patch.setattr(CartPole, "step", constant)


@pytest.mark.parametrize("algo", GRADIENT)
def test_constant_reward_of_nothing_leaves_the_parameters_exactly_as_they_were(
    algo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewarded(monkeypatch, 0.0)
    first = run(tmp_path / "first", f"algo={algo}", "iterations=1")
    folder = run(tmp_path / "results", f"algo={algo}")
    rows = sound_rows(folder)
    assert {row["outcome"] for row in rows} == {"zero_gradient"}
    theta = good_policy(folder)
    assert np.array_equal(theta, good_policy(first))
    assert {float(row["entropy"]) for row in rows} == {float(rows[0]["entropy"])}
    assert [float(row["kl_mean"]) for row in rows] == [0.0] * 3


@pytest.mark.parametrize("algo", ALGORITHM_TASKS)
def test_constant_reward_of_any_size_leaves_a_good_policy(
    algo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reward in (1.0, -1e30, 1e-30):
        with monkeypatch.context() as patch:
            rewarded(patch, reward)
            folder = run(tmp_path / f"{reward}", f"algo={algo}")
        sound_rows(folder)
        good_policy(folder)


@pytest.mark.parametrize("algo", ALGORITHM_TASKS)
@pytest.mark.parametrize("size", ["steps_per_iter=1", "task.horizon=1", "task.horizon=200"])
def test_smallest_batches_leave_a_good_policy(size: str, algo: str, tmp_path: Path) -> None:
    """One episode; a horizon of one step; and the two together."""
    extra = () if size.startswith("steps") else ("steps_per_iter=20",)
    if algo == "vine":  # which needs a step of the trunk's, and one that is not
        extra = (*(extra or ("steps_per_iter=2",)), "algo.trunk_steps=1")
    folder = run(tmp_path, f"algo={algo}", size, *extra)
    rows = sound_rows(folder)
    if size == "task.horizon=1":
        assert {float(row["length_mean"]) for row in rows} == {1.0}
    good_policy(folder)


@pytest.mark.parametrize("algo", ON_ANY_TASK)
def test_environment_that_ends_at_once_leaves_a_good_policy(algo: str, tmp_path: Path) -> None:
    words = ["task=gym", "task.id=EndsAtOnce-v0", "steps_per_iter=50"]
    words += ["algo.trunk_steps=10"] * (algo == "vine")
    folder = run(tmp_path, f"algo={algo}", *words)
    assert {float(row["length_mean"]) for row in sound_rows(folder)} == {1.0}
    good_policy(folder)


@pytest.mark.parametrize("algo", ON_ANY_TASK)
def test_observation_that_is_no_number_fails_the_run_and_says_where(
    algo: str, tmp_path: Path
) -> None:
    words = ["task=gym", "task.id=NeverSeen-v0", "steps_per_iter=50"]
    words += ["algo.trunk_steps=10"] * (algo == "vine")
    with pytest.raises(SimulationDiverged, match="not finite") as caught:
        run(tmp_path, f"algo={algo}", *words)
    assert "iteration 0, group 0, " in str(caught.value)
    assert (
        f"smaller algo.{'initial_std' if algo in ('cem', 'cma') else 'stepsize'}, or another"
        in (str(caught.value))
    )
    (path,) = tmp_path.glob("runs/*/*/*/seed0")
    folder = RunFolder(path)
    assert read_json(folder.failure) == {"iteration": 0, "error": str(caught.value)}
    assert np.isfinite(load_arrays(folder.policy)["theta"]).all()


@pytest.mark.parametrize("algo", ALGORITHM_TASKS)
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_reward_that_is_no_number_keeps_the_last_good_state(
    number: float, algo: str, tmp_path: Path
) -> None:
    config = config_in(tmp_path, [*TINY, f"algo={algo}"], "iterations=50")
    step, count = CartPole.step, 0

    def diverging(self: CartPole, states: Any, actions: Any) -> Transition:
        nonlocal count
        count += 1
        after = step(self, states, actions)
        if count == 1500:
            after.rewards[0] = number
        return after

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CartPole, "step", diverging)
        with pytest.raises(SimulationDiverged) as caught:
            execute(config, SilentReporter())
    folder = RunFolder.of(config)
    done = json.loads(folder.failure.read_text())["iteration"]
    assert f"iteration {done}, " in str(caught.value)
    assert 0 < done == len(rows_of(folder))
    found, _ = newest_checkpoint(folder.checkpoints, identity=config.identity(), seed=config.seed)
    assert found is not None
    assert found.iterations == done
    good_policy(folder)


def test_gymnasiums_own_mujoco_does_not_hide_divergence() -> None:
    task = GymnasiumTask("HalfCheetah-v5", horizon=10)
    states = task.reset(1, np.random.default_rng(0))
    environment = states[0][0]
    environment.data.qvel[:] = np.nan
    for begun in (states, task.copy(states)):
        after = task.step(begun, np.zeros((1, 6), np.float32))
        assert not np.isfinite(task.observe(after.states)).all()


@pytest.mark.parametrize("rollouts", [3, 5, 6, 7])
def test_q_values_that_are_all_equal_are_no_direction_for_vine(
    rollouts: int, tmp_path: Path
) -> None:
    """Nobody swings Acrobot up in ten steps. The mean of equals may be off by rounding."""
    words = ["task=gym", "task.id=Acrobot-v1", "algo=vine", "algo.proposal=uniform"]
    words += [f"algo.rollouts_per_state={rollouts}", "algo.rollout_length=10"]
    rows = sound_rows(run(tmp_path, *words, "estimator.baseline=none"))
    assert {row["outcome"] for row in rows} == {"zero_gradient"}
