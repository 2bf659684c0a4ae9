"""A game's sampling and iterations against emulators that are stepped with random actions."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ale_py import AtariVectorEnv

from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.algorithms.vine import Vine
from trpo_repro.bench.measurement import Measurement, against, in_turn, short
from trpo_repro.bench.sampling import Iterations, Sampling, Setup, own_sampling
from trpo_repro.parallel import Forks, available_cores
from trpo_repro.runner.build import build_algorithm
from trpo_repro.tasks.atari_screen import HEIGHT, WIDTH
from trpo_repro.types import Simulator

GAME = "pong"
ROWS = 8  # emulators to a thread or process of the reference
SINGLE_PATH = {"sampling": 0.85, "end to end": 0.55}
VINE = 0.80
"""The ratios wanted."""
VINE_STEPS = 4
"""Of an iteration at `scale=paper`, to one of single path's."""


def single_path(setup: Setup) -> list[Measurement]:
    """Measure sampling and whole iterations against ALE's own vector environment."""
    steps = setup.game_steps
    algorithm = build_algorithm(setup.compose([f"task={GAME}", f"steps_per_iter={steps}"]))
    assert isinstance(algorithm, SinglePath)
    arrays, _ = algorithm.iterate(algorithm.initial(), 0)  # emulators made, episodes' length known
    with tempfile.TemporaryDirectory() as folder:
        actions: dict[str, Callable[[], float]] = {
            "ceiling": _vector_environment(steps),
            "sampling": Sampling(algorithm, arrays).speed,
            "end to end": Iterations(algorithm, arrays, Path(folder)).speed,
        }
        figures = in_turn(actions, setup.rounds)
    note = f"against AtariVectorEnv, random actions, {available_cores()} threads"
    return [
        against(
            f"{what}, {GAME} {short(steps)}",
            figures[what],
            references=figures["ceiling"],
            target=target,
            note=note,
        )
        for what, target in SINGLE_PATH.items()
    ]


def vine(setup: Setup) -> list[Measurement]:
    """Measure vine's sampling against as many processes that step the same emulators at random."""
    steps = VINE_STEPS * setup.game_steps
    words = [f"task={GAME}", "algo=vine", f"steps_per_iter={steps}", "algo.rollout_length=100"]
    algorithm = build_algorithm(setup.compose([*words, f"algo.trunk_steps={steps // 5}"]))
    assert isinstance(algorithm, Vine)
    arrays, _ = algorithm.iterate(algorithm.initial(), 0)
    simulator = algorithm.sampler.simulator
    actions = {
        "random": _processes(simulator, setup.game_steps),
        "vine": own_sampling(algorithm, arrays),
    }
    figures = in_turn(actions, setup.rounds)
    note = f"against {available_cores()} processes with random actions"
    name = f"sampling, vine, {GAME} {short(steps)}"
    return [against(name, figures["vine"], references=figures["random"], target=VINE, note=note)]


def _vector_environment(steps: int) -> Callable[[], float]:
    """Return what steps ALE's vector environment at random and returns agent steps a second."""
    threads = available_cores()
    environments: Any = AtariVectorEnv(
        GAME,
        num_envs=ROWS * threads,
        num_threads=threads,
        img_height=HEIGHT,
        img_width=WIDTH,
        full_action_space=True,
        repeat_action_probability=0.0,
    )
    environments.reset(seed=0)
    rng = np.random.default_rng(0)

    def speed() -> float:
        rounds = max(1, steps // (ROWS * threads))
        actions = rng.integers(18, size=(rounds, ROWS * threads))
        began = time.perf_counter()
        for chosen in actions:
            environments.step(chosen)
        return rounds * ROWS * threads / (time.perf_counter() - began)

    return speed


def _processes(simulator: Simulator, steps: int) -> Callable[[], float]:
    """Return what steps emulators in one process a core and returns agent steps a second."""
    count = available_cores()
    rounds = max(1, steps // (ROWS * count))

    def play(seed: int) -> int:
        rng = np.random.default_rng(seed)
        states = simulator.reset(ROWS, rng)
        for _ in range(rounds):
            chosen = rng.integers(
                simulator.actions.sizes, size=(ROWS, len(simulator.actions.sizes))
            )
            states, _, over = simulator.step(states, chosen)
            if over.any():
                states[over] = simulator.reset(int(over.sum()), rng)
        return rounds * ROWS

    forks = Forks(play, count)
    forks.map(range(count))  # emulators made

    def speed() -> float:
        began = time.perf_counter()
        return sum(forks.map(range(count))) / (time.perf_counter() - began)

    return speed
