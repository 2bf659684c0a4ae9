"""Any Gymnasium environment as a simulator: one environment object a row."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit
from numpy.typing import NDArray

from trpo_repro.errors import ConfigError, MissingDependency
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import ActionSpace, Simulator, States, Transition

BATCHED = {"Swimmer-v5": "swimmer", "Hopper-v5": "hopper", "Walker2d-v5": "walker"}
"""Environments whose dynamics, reward and observation the batched engine reproduces."""


def make_gymnasium(*, id: str, horizon: int | None, batched: bool, threads: int = 1) -> Simulator:
    """Return environment `id`, on the batched engine where that agrees with Gymnasium.

    Args:
        id: A registered environment such as `Hopper-v5`, or `module:Name-v0`, whose module is
            imported to register it.
        horizon: Steps of a full episode; None takes the environment's own limit.
        batched: False steps Gymnasium's own objects even where the engine could.
        threads: Physics threads of each sampling thread.

    Raises:
        ConfigError: Unknown environment, no time limit, or spaces no policy here can serve.
        MissingDependency: The environment needs a package that is not installed, or its module
            cannot be found.
    """
    module, _, name = id.rpartition(":")
    if module:
        _import(module)
    try:
        spec = gymnasium.spec(name)
    except (gymnasium.error.NameNotFound, gymnasium.error.UnregisteredEnv) as error:
        raise ConfigError(
            f"unknown Gymnasium environment {id!r}",
            where="task.id",
            fix="see python -c 'import gymnasium; gymnasium.pprint_registry()'; one of your own is"
            " task.id=module:Name-v0",
        ) from error
    except gymnasium.error.Error as error:
        raise _refusal(id, error) from error
    limit = horizon or spec.max_episode_steps
    if limit is None:
        raise ConfigError(f"{id} has no time limit", where="task.id", fix="set task.horizon=…")
    if batched and id in BATCHED:
        return Locomotion(BATCHED[id], horizon=limit, gymnasium_style=True, threads=threads)
    return GymnasiumTask(id, horizon=limit)


def _refusal(id: str, error: Exception) -> ConfigError | MissingDependency:
    """Return what Gymnasium has against environment `id` as an error of ours, in one line."""
    what = " ".join(str(error).split())
    if isinstance(error, (gymnasium.error.DependencyNotInstalled, ImportError)):
        return MissingDependency(what, where=f"task.id={id}", fix="install what it names")
    return ConfigError(what, where=f"task.id={id}", fix="choose another task.id")


class GymnasiumTask:
    """Rows of Gymnasium's own environment objects, stepped one by one in Python.

    A state is the environment object itself, in an object array, with its last observation and
    whether a time limit of its own has ended the episode; `copy` makes deep copies, which step and
    restore on their own.
    """

    def __init__(self, id: str, *, horizon: int) -> None:
        """Make a prototype of environment `id`; every reset copies it.

        Raises:
            ConfigError: Gymnasium does not make it, or its spaces are none that we can serve.
            MissingDependency: It needs a package that is not installed.
        """
        try:
            self._prototype = _bare(gymnasium.make(id))
        except (gymnasium.error.Error, ImportError) as error:
            raise _refusal(id, error) from error
        self._id = id
        self._observations = self._prototype.observation_space
        try:
            self.observation_size = spaces.flatdim(self._observations)
        except ValueError as error:  # a sequence or a graph: of no fixed size
            raise ConfigError(
                f"{id} observes {self._observations}, of no fixed size",
                where="task.id",
                fix="use an environment whose observations flatten to a vector",
            ) from error
        self.actions = _action_space(id, self._prototype.action_space)
        self.horizon = horizon

    def reset(self, count: int, rng: np.random.Generator) -> States:
        """Return `count` environments, each reset with a seed of its own."""
        states = np.empty(count, dtype=object)
        for row, seed in enumerate(rng.integers(2**31, size=count)):
            environment = copy.deepcopy(self._prototype)
            _show_divergence(environment)
            observation, _ = environment.reset(seed=int(seed))
            states[row] = (environment, observation, False)
        return states

    def observe(self, states: States) -> NDArray[np.float32]:
        """Return the (n, D) observations that came with the last step, flattened.

        A `Discrete` one is a vector with a single 1 (`gymnasium.spaces.flatten`).
        """
        rows = [
            np.asarray(spaces.flatten(self._observations, observation), np.float32)
            for _, observation, _ in states
        ]
        return np.stack(rows) if rows else np.empty((0, self.observation_size), np.float32)

    def step(self, states: States, actions: NDArray[Any]) -> Transition:
        """Step each environment in place with its action, clipped to the action space's box.

        Raises:
            ConfigError: An environment has a time limit of its own, and was over by that.
        """
        after = np.empty(len(states), dtype=object)
        rewards, terminated = np.empty(len(states)), np.empty(len(states), dtype=np.bool_)
        for row, ((environment, _, over), action) in enumerate(zip(states, actions, strict=True)):
            if over:
                raise ConfigError(
                    f"{self._id} was stepped beyond a time limit of its own",
                    where="task.id",
                    fix="set task.horizon to that limit; vine's rollouts go beyond an episode's"
                    " horizon: give the environment a limit larger by algo.rollout_length",
                )
            result = environment.step(_native(action, environment.action_space))
            observation, rewards[row], terminated[row] = result[0], result[1], result[2]
            after[row] = (environment, observation, result[3])
        return Transition(after, rewards, terminated)

    def copy(self, states: States) -> States:
        """Return deep copies of the environments.

        Raises:
            ConfigError: They hold what cannot be copied.
        """
        copies = np.empty(len(states), dtype=object)
        for row, (environment, *rest) in enumerate(states):
            try:
                copies[row] = (_duplicate(environment), *copy.deepcopy(rest))
            except TypeError as error:
                raise ConfigError(
                    f"{self._id} cannot be copied in mid-game: {error}",
                    where="task.id",
                    fix="use an algorithm that restores no states: not vine",
                ) from error
        return copies


def _import(module: str) -> None:
    """Import the module that registers an environment."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"there is no module {error.name}",
            where=f"task.id={module}:…",
            fix="install it, or name its folder: PYTHONPATH=FOLDER",
        ) from error


def _bare(environment: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Return what `gymnasium.make` has wrapped; wrappers of the environment's own stay."""
    while isinstance(environment, (TimeLimit, OrderEnforcing, PassiveEnvChecker)):
        environment = environment.env
    return environment


def _duplicate(environment: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Return a copy of everything in `environment`, its wrappers and what refers back to them.

    `copy.deepcopy` alone would not: Gymnasium's `EzPickle` lets it make a fresh environment.
    """
    layers = [environment]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    copies: dict[int, Any] = {id(layer): object.__new__(type(layer)) for layer in layers}
    known = dict(copies)  # which the copying of their contents adds to
    for layer in layers:
        copies[id(layer)].__dict__.update(copy.deepcopy(layer.__dict__, known))
    duplicate: gymnasium.Env[Any, Any] = copies[id(environment)]
    return duplicate


def _show_divergence(environment: gymnasium.Env[Any, Any]) -> None:
    """Switch off MuJoCo's silent reset of states that diverged, where this is MuJoCo."""
    model = getattr(environment.unwrapped, "model", None)
    if isinstance(model, mujoco.MjModel):
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET


def _action_space(id: str, space: spaces.Space[Any]) -> ActionSpace:
    """Translate Gymnasium's action space."""
    if isinstance(space, spaces.Box):
        return ActionSpace("continuous", (int(np.prod(space.shape)),))
    if isinstance(space, spaces.Discrete):
        return ActionSpace("discrete", (int(space.n),))
    if isinstance(space, spaces.MultiDiscrete):
        return ActionSpace("discrete", tuple(int(n) for n in space.nvec.ravel()))
    raise ConfigError(f"{id} acts in {space}", where="task.id", fix="use a Box or Discrete")


def _native(action: NDArray[Any], space: spaces.Space[Any]) -> Any:
    """Return one row of actions as the environment expects it."""
    if isinstance(space, spaces.Box):
        return np.clip(action.reshape(space.shape), space.low, space.high).astype(space.dtype)
    if isinstance(space, spaces.Discrete):
        return int(action[0]) + int(space.start)
    assert isinstance(space, spaces.MultiDiscrete)
    return (action.reshape(space.shape) + space.start).astype(space.dtype)
