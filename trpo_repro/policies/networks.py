"""Networks as functions of one flat parameter vector θ, the vector of the paper's formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Mlp:
    """Fully connected layers with tanh between them (Fig. 3, left), linear without hidden ones."""

    def __init__(self, inputs: int, hidden: Sequence[int], outputs: int) -> None:
        """Fix the layer sizes."""
        widths = [inputs, *hidden, outputs]
        self.shapes = list(zip(widths[:-1], widths[1:], strict=True))
        self._sizes = [size for rows, columns in self.shapes for size in (rows * columns, columns)]
        self.parameter_count = sum(self._sizes)

    def initial_parameters(self, rng: np.random.Generator, *, output_gain: float) -> Tensor:
        """Draw θ: weights of variance 1/inputs, the last layer's times `output_gain`², biases 0."""
        parts = []
        for layer, (rows, columns) in enumerate(self.shapes):
            gain = output_gain if layer == len(self.shapes) - 1 else 1.0
            parts += [rng.standard_normal(rows * columns) * gain / math.sqrt(rows)]
            parts += [np.zeros(columns)]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    def forward(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Return the (n, outputs) outputs for (n, inputs) `inputs`."""
        pieces = theta.split(self._sizes)
        hidden = inputs
        for layer, shape in enumerate(self.shapes):
            if layer > 0:
                hidden = torch.tanh(hidden)
            hidden = torch.addmm(pieces[2 * layer + 1], hidden, pieces[2 * layer].view(shape))
        return hidden
