"""Seven Atari games from pixels, on the Arcade Learning Environment (Bellemare et al., 2013).

An agent step is `frame_skip` frames under one joystick position; a screen is the maximum of the
last two of them, grey, a quarter as large each way; an observation is four screens (Mnih et al.,
2013). An episode begins with its first screen four times over.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ale_py import Action, ALEInterface, roms
from numpy.typing import NDArray

from trpo_repro.errors import MissingDependency
from trpo_repro.tasks.atari_screen import IMAGE, shrunk
from trpo_repro.tasks.emulator import HEIGHT, WIDTH, AtariState, Emulator
from trpo_repro.types import ActionSpace, States, Transition

JOYSTICK = (("", "RIGHT", "LEFT"), ("", "UP", "DOWN"), ("", "FIRE"))
"""Horizontal, vertical, fire: the factors of an action (App. D), the joystick at rest first."""


@dataclass(frozen=True)
class Protocol:
    """How games are played.

    Attributes:
        no_ops: Frames that an episode idles first, at most; how many is drawn uniformly.
        stickiness: Probability that a frame repeats the joystick position of the one before.
        factored: Actions as the joystick's three factors, or as one of ALE's 18.
    """

    no_ops: int
    stickiness: float
    factored: bool


PROTOCOLS = {
    "trpo2015": Protocol(no_ops=30, stickiness=0.0, factored=True),
    "machado2018": Protocol(no_ops=0, stickiness=0.25, factored=False),
}
"""The paper's time's, and that of Machado et al., "Revisiting the ALE" (2018), Table 1 there."""


def joystick_actions() -> NDArray[np.int64]:
    """Return (3, 3, 2) ALE's action for each horizontal, vertical and fire position."""
    names = (
        "".join([vertical, horizontal, fire]) or "NOOP"
        for horizontal, vertical, fire in itertools.product(*JOYSTICK)
    )
    values = [Action.__members__[name].value for name in names]
    return np.array(values).reshape([len(factor) for factor in JOYSTICK])


class Atari:
    """Games side by side; a state is an `AtariState`, in an object array.

    `step` moves the emulators: a state that is needed again must be copied before. A saved state
    stays with its emulator; what is sent to another process can be looked at, but not stepped.
    """

    def __init__(
        self, game: str, *, protocol: str, horizon: int, frame_skip: int, threads: int = 1
    ) -> None:
        """Find the cartridge; emulators are made as games begin.

        Args:
            game: Such as `space_invaders`.
            protocol: A key of `PROTOCOLS`.
            horizon: Agent steps of a full episode.
            frame_skip: Frames to an agent step, two at least.
            threads: Not used: an emulator has one.

        Raises:
            MissingDependency: The cartridge is not there, or is another.
        """
        self.protocol = PROTOCOLS[protocol]
        self.horizon, self.frame_skip = horizon, frame_skip
        self.observation_size = int(np.prod(IMAGE))
        table = joystick_actions()
        sizes = table.shape if self.protocol.factored else (table.size,)
        self.actions = ActionSpace("discrete", tuple(sizes))
        self._table = table if self.protocol.factored else np.arange(table.size)
        self._rom = cartridge(game)
        self._emulators = list[Emulator]()
        self._lock = threading.Lock()  # of the list: threads may share a simulator

    def reset(self, count: int, rng: np.random.Generator) -> States:
        """Begin `count` games, each after no-ops of its own."""
        no_ops = rng.integers(self.protocol.no_ops, size=count, endpoint=True)
        frames, stickiness = self.horizon * self.frame_skip, self.protocol.stickiness
        states = np.empty(count, dtype=object)
        for row in range(count):
            sticks = rng.random(frames) < stickiness if stickiness else None
            states[row] = self._begun(int(no_ops[row]), sticks)
        return states

    def observe(self, states: States) -> NDArray[np.uint8]:
        """Return (n, 4 · 52 · 40) pixels, screen after screen, the newest last."""
        screens = [state.screens for state in states]
        return np.array(screens, np.uint8).reshape(len(states), self.observation_size)

    def step(self, states: States, actions: NDArray[Any]) -> Transition:
        """Play each game for one agent step; rewards are the game's own points."""
        chosen = self._table[tuple(actions.T)]
        last_two = np.empty((len(states), 2, HEIGHT, WIDTH), np.uint8)
        after, rewards = np.empty(len(states), dtype=object), np.empty(len(states))
        for row, state in enumerate(states):
            after[row], rewards[row] = self._played(state, int(chosen[row]), last_two=last_two[row])
        screens = shrunk(np.maximum(last_two[:, 0], last_two[:, 1]))
        for state, screen in zip(after, screens, strict=True):
            state.screens = np.concatenate([state.screens[1:], screen[None]])
        return Transition(after, rewards, np.array([state.over for state in after], np.bool_))

    def copy(self, states: States) -> States:
        """Return independent states; both they and the originals can be stepped from here."""
        copies = np.empty(len(states), dtype=object)
        for row, state in enumerate(states):
            _emulator(state).save(state)
            copies[row] = AtariState(**state.__dict__)
        return copies

    def places(self, states: States) -> NDArray[np.int64]:
        """Return (n,) the numbers of the emulators that the states belong to."""
        numbers = {id(emulator): number for number, emulator in enumerate(self._emulators)}
        return np.array([numbers[id(_emulator(state))] for state in states], np.int64)

    def _begun(self, no_ops: int, sticks: NDArray[np.bool_] | None) -> AtariState:
        """Return a new game, on an emulator that no other is being played on."""
        with self._lock:
            emulator = next((idle for idle in self._emulators if idle.idle), None)
            if emulator is None:
                emulator = Emulator(self._rom)
                self._emulators.append(emulator)
            emulator.restart()
            state = AtariState(emulator, np.empty(IMAGE, np.uint8), 0, 0, sticks, over=False)
            emulator.hold(state)
        for _ in range(no_ops):
            emulator.act(Action.NOOP.value)
        screen = np.empty((1, HEIGHT, WIDTH), np.uint8)
        emulator.draw(screen[0])
        state.screens[:] = shrunk(screen)
        return state

    def _played(
        self, state: AtariState, action: int, *, last_two: NDArray[np.uint8]
    ) -> tuple[AtariState, float]:
        """Return the next state, its screens still those of `state`, and the reward.

        The last two frames are written into (2, 210, 160) `last_two`.
        """
        emulator, held, reward = _emulator(state), state.held, 0.0
        emulator.load(state)
        sticks = state.sticks
        if sticks is not None and state.frame + self.frame_skip > len(sticks):
            sticks = self._prolonged(sticks)
        for frame in range(self.frame_skip):
            if sticks is None or not sticks[state.frame + frame]:
                held = action
            reward += emulator.act(held)
            if (left := self.frame_skip - 1 - frame) < 2:
                emulator.draw(last_two[1 - left])
        after = AtariState(
            emulator,
            state.screens,
            state.frame + self.frame_skip,
            held,
            sticks,
            over=emulator.over,
        )
        emulator.hold(after)
        return after, reward

    def _prolonged(self, sticks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return twice as many `sticks`, for a rollout that goes on beyond its episode's horizon.

        Those before decide them, so that a state's rollouts share them and a reset draws none.
        """
        rng = np.random.default_rng(np.packbits(sticks))
        return np.concatenate([sticks, rng.random(len(sticks)) < self.protocol.stickiness])


def _emulator(state: AtariState) -> Emulator:
    """Return a state's emulator, which it has in the process that made it."""
    if state.emulator is None:
        raise ValueError("this state came from another process, whose emulator it needs")
    return state.emulator


def cartridge(game: str) -> Path:
    """Return where the game is stored, its contents checked by ALE's checksums."""
    found = roms.get_rom_path(game) if game in roms.get_all_rom_ids() else None
    if found is None or not Path(found).is_file() or ALEInterface.isSupportedROM(found) != game:
        raise MissingDependency(
            f"the game {game} is missing or damaged",
            where="ale-py's ROMs",
            fix="pip install --force-reinstall ale-py",
        )
    return Path(found)
