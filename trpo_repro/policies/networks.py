"""Networks as functions of one flat parameter vector θ, the vector of the paper's formulas."""

from __future__ import annotations

import itertools
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
        self.shapes = list(itertools.pairwise(widths))
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

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return θ's pieces: for each layer its (inputs, outputs) weights and (outputs,) bias."""
        pieces = iter(theta.split(self._sizes))
        return [(next(pieces).view(shape), next(pieces)) for shape in self.shapes]

    def layers_of_each(self, thetas: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the pieces of each of the (n, P) `thetas`, stacked along a first dimension."""
        pieces = iter(thetas.split(self._sizes, dim=1))
        stacked = []
        for rows, columns in self.shapes:
            weights = next(pieces).reshape(-1, rows, columns)
            stacked.append((weights, next(pieces).reshape(-1, 1, columns)))
        return stacked

    def forward(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Return the (n, outputs) outputs for (n, inputs) `inputs`."""
        return feed_forward(self.layers(theta), inputs)


def feed_forward(layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """Apply `layers` to (n, inputs) `inputs`, with tanh between them."""
    weights, bias = layers[0]
    outputs = torch.addmm(bias, inputs, weights)
    for weights, bias in layers[1:]:
        outputs = torch.addmm(bias, outputs.tanh_(), weights)  # in place: nobody else has it
    return outputs


def feed_forward_each(layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """Apply to row i of (n, inputs) `inputs` the i-th network of `layers_of_each`."""
    weights, bias = layers[0]
    outputs = torch.baddbmm(bias, inputs[:, None], weights)
    for weights, bias in layers[1:]:
        outputs = torch.baddbmm(bias, outputs.tanh_(), weights)
    return outputs[:, 0]
