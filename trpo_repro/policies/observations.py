"""What a batch holds of the policy's inputs: numbers row by row, or screens that rows share."""

from __future__ import annotations

import torch
from torch import Tensor


class FrameStacks:
    """N observations of the `stack` newest screens each, of which every screen is stored once.

    Rows are taken out as from an (N, stack · pixels) tensor, by a slice or a tensor of numbers,
    and put together then. Before an episode has had so many screens, its first stands for those
    that are missing.
    """

    def __init__(self, screens: Tensor, first: Tensor, *, stack: int) -> None:
        """Take (N, pixels) `screens` and the (N,) row at which each one's episode begins."""
        self._screens, self._first, self._stack = screens, first, stack

    def __len__(self) -> int:
        """Return N."""
        return len(self._screens)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """Return the observations of n rows, (n, stack · pixels), the newest screen last."""
        if isinstance(rows, slice):
            rows = torch.arange(*rows.indices(len(self)), device=self._screens.device)
        back = torch.arange(self._stack - 1, -1, -1, device=rows.device)
        places = torch.maximum(rows[:, None] - back, self._first[rows][:, None])
        # Whole screens at a time: indexing by `places` would copy pixel by pixel.
        screens = self._screens.index_select(0, places.flatten())
        return screens.view(len(places), -1)

    def to(self, device: str) -> FrameStacks:
        """Return the same observations on `device`."""
        return FrameStacks(self._screens.to(device), self._first.to(device), stack=self._stack)


Observations = Tensor | FrameStacks
"""(N, D) inputs, normalised."""
