"""One Atari 2600 whose present state is kept or saved as its owners need."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ale_py import Action, ALEInterface, ALEState, LoggerMode
from numpy.typing import NDArray

HEIGHT, WIDTH = 210, 160  # pixels of the screen
SEED = 1  # of the memory's contents at power-on: the same for every emulator
ALEInterface.setLoggerMode(LoggerMode.Error)


@dataclass(eq=False)
class AtariState:
    """A game at one point between two agent steps.

    Lives, the score and the emulator's own counters are in the emulator's state. The maximum over
    two frames never reaches beyond one agent step, so that it leaves nothing to save.

    Attributes:
        emulator: The one that plays this game; the state can be restored nowhere else, for on
            Q*bert that would not be exact. None in a copy that was sent to another process.
        screens: (4, 52, 40) uint8, the newest last.
        frame: Frames played since the reset, its no-ops not counted.
        held: The joystick's position, one of ALE's actions.
        sticks: (frames,) bool, where an episode's joystick stays as it is whatever is chosen;
            None where it never does.
        over: Whether the game is.
        saved: The emulator's state, where it was cloned.
    """

    emulator: Emulator | None
    screens: NDArray[np.uint8]
    frame: int
    held: int
    sticks: NDArray[np.bool_] | None
    over: bool
    saved: ALEState | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave the emulator behind: it cannot be sent to another process."""
        return {**self.__dict__, "emulator": None, "saved": None}


def nobody() -> None:
    """Return no state, as the reference to one that is gone does."""


class Emulator:
    """Plays the games of many states in turn, each of which goes on exactly where it was.

    The emulator's present is the newest state that it was stepped to. Another state is restored
    from its clone, and the present one is cloned first if it may be wanted again: cloning and
    restoring cost 35 µs each, an agent step 250.
    """

    def __init__(self, rom: Path) -> None:
        """Insert a cartridge and switch on: 70 ms."""
        self._ale = ALEInterface()
        self._ale.setInt("random_seed", SEED)
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.loadROM(rom)
        # Exact, and a hundred times as fast as a reset, which would not clear the memory.
        self._beginning = self._ale.cloneState(include_rng=True)
        self._first_screen = self._ale.getScreenGrayscale().copy()
        self._restorable = self._beginning_is_restorable()
        self._stale = False
        self._present: Callable[[], AtariState | None] = nobody

    @property
    def idle(self) -> bool:
        """Tell whether no game that may go on is the present one."""
        state = self._present()
        return state is None or state.over

    def restart(self) -> None:
        """Begin a game."""
        self._keep_present()
        if self._restorable:
            self._ale.restoreState(self._beginning)
        else:
            self._ale.reset_game()
        self._present, self._stale = nobody, True  # ALE draws when it plays, not when it restores

    def _beginning_is_restorable(self) -> bool:
        """Tell whether the state of a machine just switched on can be restored after play.

        Not on Q*bert, which leaves frames half drawn: ALE saves no note of that (its issue 412).
        There a reset is exact (4 ms); in other games it would leave the memory as it is.
        """
        self._ale.act(Action.NOOP.value)
        first = self.memory()
        self._ale.restoreState(self._beginning)
        self._ale.act(Action.NOOP.value)
        return np.array_equal(first, self.memory())

    def load(self, state: AtariState) -> None:
        """Make `state` the present.

        Raises:
            ValueError: It was stepped, and no copy of it was made before.
        """
        if self._present() is state:
            return
        if state.saved is None:
            raise ValueError("this state was stepped: copy a state that is needed again")
        self._keep_present()
        self._ale.restoreState(state.saved)

    def hold(self, state: AtariState) -> None:
        """Let the present belong to `state`."""
        self._present = weakref.ref(state)

    def save(self, state: AtariState) -> None:
        """Clone `state`, unless it has been."""
        if state.saved is None:
            self.load(state)
            state.saved = self._ale.cloneState(include_rng=True)

    def _keep_present(self) -> None:
        """Clone the present state where somebody still holds it."""
        state = self._present()
        if state is not None and not state.over and state.saved is None:
            state.saved = self._ale.cloneState(include_rng=True)

    def act(self, action: int) -> float:
        """Play one frame; return its reward. Nothing happens once the game is over."""
        self._stale = False
        return float(self._ale.act(action))

    @property
    def own_actions(self) -> list[int]:
        """Return those of ALE's 18 actions that the game tells apart: its minimal set."""
        return [action.value for action in self._ale.getMinimalActionSet()]

    @property
    def over(self) -> bool:
        """Tell whether the present game is over."""
        return bool(self._ale.game_over())

    def draw(self, screen: NDArray[np.uint8]) -> None:
        """Write the frame last played, or a game's first, grey, into (210, 160) `screen`."""
        if self._stale:
            screen[:] = self._first_screen
        else:
            self._ale.getScreenGrayscale(screen)

    def picture(self) -> NDArray[np.uint8]:
        """Return the frame last played in colour, (210, 160, 3)."""
        return np.array(self._ale.getScreenRGB())

    def memory(self) -> NDArray[np.uint8]:
        """Return the present (128,) bytes of memory."""
        return np.array(self._ale.getRAM())
