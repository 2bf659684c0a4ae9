"""Simulators by name. Each maker imports its engine only when it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trpo_repro.types import Simulator


def _cartpole(*, threads: int, **settings: Any) -> Simulator:
    from trpo_repro.tasks.cartpole import CartPole

    return CartPole(**settings)


def _locomotion(robot: str) -> Callable[..., Simulator]:
    def make(**settings: Any) -> Simulator:
        from trpo_repro.tasks.locomotion import Locomotion

        return Locomotion(robot, **settings)

    return make


def _gymnasium(**settings: Any) -> Simulator:
    from trpo_repro.tasks.gymnasium_task import make_gymnasium

    return make_gymnasium(**settings)


def _atari(game: str) -> Callable[..., Simulator]:
    def make(**settings: Any) -> Simulator:
        from trpo_repro.tasks.atari import Atari

        return Atari(game, **settings)

    return make


GAMES = ("beam_rider", "breakout", "enduro", "pong", "qbert", "seaquest", "space_invaders")

TASKS: dict[str, Callable[..., Simulator]] = {
    "cartpole": _cartpole,
    "swimmer": _locomotion("swimmer"),
    "hopper": _locomotion("hopper"),
    "walker": _locomotion("walker"),
    "gym": _gymnasium,
    **{game: _atari(game) for game in GAMES},
}


def make_task(name: str, *, threads: int = 1, **settings: Any) -> Simulator:
    """Build the simulator of task `name`.

    Args:
        name: A key of `TASKS`.
        threads: Threads inside the physics engine, for each thread that samples.
        **settings: The maker's own keyword arguments; an unknown one raises TypeError.
    """
    return TASKS[name](threads=threads, **settings)
