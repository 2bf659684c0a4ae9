"""From the emulator's screen to the image that a policy sees, and what size that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STACK = 4  # screens in one observation, the newest last
HEIGHT, WIDTH = 52, 40
FACTOR = 4  # pixels of the emulator's 210 × 160 to one of ours, each way
MARGIN = 1  # rows left out at the top, and as many at the bottom: 210 = 4 · 52 + 2
IMAGE = (STACK, HEIGHT, WIDTH)
"""(channels, height, width) of an observation."""


def shrunk(screens: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n, 52, 40) means of blocks of 4 × 4 pixels, rounded to the nearest, half up.

    Args:
        screens: (n, 210, 160) grey.
    """
    bands = screens[:, MARGIN:-MARGIN].reshape(-1, HEIGHT, FACTOR, WIDTH * FACTOR)
    columns = bands[:, :, 0].astype(np.uint16)
    for row in range(1, FACTOR):
        columns += bands[:, :, row]
    sums = columns[..., 0::FACTOR].copy()
    for column in range(1, FACTOR):
        sums += columns[..., column::FACTOR]
    sums += FACTOR**2 // 2
    return (sums // FACTOR**2).astype(np.uint8)
