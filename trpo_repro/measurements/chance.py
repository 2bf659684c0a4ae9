"""C14: the games by chance, played by one who chooses anew at every frame.

The paper does not say how the player of Table 1's random row plays. `trpo-repro random` plays as
our policies do: any of the joystick's 18 positions, each held for four frames. This player chooses
among a game's own actions (ALE's minimal set) instead, and holds none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trpo_repro.measurements.row import Row, mean_row
from trpo_repro.seeding import stream
from trpo_repro.tasks.emulator import Emulator


def chance(game: str, rom: Path, *, episodes: int, no_ops: int, frames: int) -> Row:
    """Return the mean score of whole games.

    Args:
        game: Its name.
        rom: Its cartridge.
        episodes: Games to play.
        no_ops: Frames that a game idles first, at most; how many is drawn uniformly.
        frames: After so many a game ends.
    """
    emulator, rng = Emulator(rom), stream(0, "chance", game)
    scores = [_game(emulator, rng, no_ops=no_ops, frames=frames) for _ in range(episodes)]
    return mean_row("score", game, values=np.array(scores), unit="games")


def _game(emulator: Emulator, rng: np.random.Generator, *, no_ops: int, frames: int) -> float:
    """Play one game; return its score."""
    emulator.restart()
    for _ in range(rng.integers(no_ops, endpoint=True)):
        emulator.act(0)
    score = 0.0
    for action in rng.choice(emulator.own_actions, frames):
        score += emulator.act(int(action))
        if emulator.over:
            break
    return score
