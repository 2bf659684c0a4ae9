"""Networks as functions of one flat parameter vector θ, the vector of the paper's formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Linearised(Protocol):
    """J = ∂outputs/∂θ of a network at one θ on n inputs: never stored, only applied.

    Attributes:
        outputs: (n, outputs) what the network gives.
    """

    outputs: Tensor

    def product(self, vector: Tensor) -> Tensor:
        """Return J v, (n, outputs), of a (P,) `vector`."""

    def transposed_product(self, outputs: Tensor) -> Tensor:
        """Return Jᵀ w, (P,), of (n, outputs) `outputs`."""


class Network(Protocol):
    """A function of θ and inputs, without parameters of its own.

    Attributes:
        parameter_count: P.
        chunk_rows: Inputs at a time beyond which an update's arrays leave the cache.
    """

    parameter_count: int
    chunk_rows: int

    def initial_parameters(self, rng: np.random.Generator, *, output_gain: float) -> Tensor:
        """Draw θ, (P,) float32; `output_gain` is the last layer's share of its usual size."""

    def forward(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Return the (n, outputs) outputs for (n, D) `inputs`."""

    def function(
        self, thetas: NDArray[np.float32]
    ) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """Return the network at (P,) `thetas`, on arrays, for use step by step.

        With (n, P) `thetas` the i-th of them acts on the i-th row.
        """

    def linearise(self, theta: Tensor, inputs: Tensor) -> Linearised:
        """Return J at (P,) `theta` on (n, D) `inputs`."""


class Mlp:
    """Fully connected layers with tanh between them (Fig. 3, left), linear without hidden ones."""

    chunk_rows = 8192

    def __init__(self, inputs: int, hidden: Sequence[int], *, outputs: int) -> None:
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

    def array_layers(
        self, thetas: NDArray[np.float32]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return the pieces of (P,) `thetas` as `layers` does, as arrays.

        Those of (n, P) `thetas` are stacked: (n, inputs, outputs) weights, (n, 1, outputs) biases.
        """
        pieces = iter(np.split(thetas, np.cumsum(self._sizes), axis=-1))
        each = () if thetas.ndim == 1 else (len(thetas),)
        return [
            (
                np.ascontiguousarray(next(pieces)).reshape(*each, *shape),
                next(pieces).reshape(*each, *([1] * len(each)), shape[1]),
            )
            for shape in self.shapes
        ]

    def forward(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Return the (n, outputs) outputs for (n, inputs) `inputs`."""
        return feed_forward(self.layers(theta), inputs)

    def function(
        self, thetas: NDArray[np.float32]
    ) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """Return the network at (P,) `thetas`, on arrays, for use step by step.

        With (n, P) `thetas` the i-th of them acts on the i-th row.
        """
        layers = self.array_layers(thetas)
        if thetas.ndim == 1:
            return partial(feed_forward_arrays, layers)
        return lambda inputs: feed_forward_arrays(layers, inputs[:, None])[:, 0]

    def linearise(self, theta: Tensor, inputs: Tensor) -> LinearisedMlp:
        """Return J at (P,) `theta` on (n, inputs) `inputs`."""
        return LinearisedMlp(self, theta, inputs=inputs)


class LinearisedMlp:
    """J = ∂outputs/∂θ of an `Mlp` at one θ on (n, inputs) `inputs`: never stored, only applied.

    Attributes:
        outputs: (n, outputs) what the network gives.
    """

    def __init__(self, network: Mlp, theta: Tensor, *, inputs: Tensor) -> None:
        """Pass forward once and keep what both products need."""
        self._network = network
        (weights, bias), *further = network.layers(theta)
        self._first, self._inputs, self._weights = inputs, list[Tensor](), list[Tensor]()
        self._slopes = list[Tensor]()  # tanh' = 1 − tanh²
        self.outputs = torch.addmm(bias, inputs, weights)
        for weights, bias in further:
            inputs = tanh(self.outputs)
            self._inputs.append(inputs)
            self._weights.append(weights)
            self._slopes.append(1.0 - inputs.square())
            self.outputs = torch.addmm(bias, inputs, weights)

    def product(self, vector: Tensor) -> Tensor:
        """Return J v, (n, outputs), of a (P,) `vector`: the forward pass, differentiated."""
        (weights, bias), *further = self._network.layers(vector)
        change = torch.addmm(bias, self._first, weights)
        for (weights, bias), inputs, own, slopes in zip(
            further, self._inputs, self._weights, self._slopes, strict=True
        ):
            passed = change.mul_(slopes)
            change = torch.addmm(bias, inputs, weights).addmm_(passed, own)
        return change

    def transposed_product(self, outputs: Tensor) -> Tensor:
        """Return Jᵀ w, (P,), of (n, outputs) `outputs`: backpropagation."""
        pieces = list[Tensor]()
        for inputs, own, slopes in zip(
            reversed(self._inputs), reversed(self._weights), reversed(self._slopes), strict=True
        ):
            pieces = [(inputs.T @ outputs).flatten(), outputs.sum(dim=0), *pieces]
            outputs = (outputs @ own.T).mul_(slopes)
        return torch.cat([(self._first.T @ outputs).flatten(), outputs.sum(dim=0), *pieces])


def feed_forward(layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """Apply `layers` to (n, inputs) `inputs`, with tanh between them."""
    weights, bias = layers[0]
    outputs = torch.addmm(bias, inputs, weights)
    for weights, bias in layers[1:]:
        outputs = torch.addmm(bias, tanh(outputs), weights)
    return outputs


def feed_forward_arrays(
    layers: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Do as `feed_forward`, in NumPy: at a few dozen rows torch's calls cost twice as much.

    Stacked layers take stacked inputs, (n, 1, inputs).
    """
    weights, bias = layers[0]
    outputs: NDArray[np.float32] = inputs @ weights
    outputs += bias
    for weights, bias in layers[1:]:
        np.tanh(outputs, out=outputs)
        outputs = outputs @ weights
        outputs += bias
    return outputs


def tanh(inputs: Tensor) -> Tensor:
    """Return tanh; on a CPU by NumPy, whose own is ten times as fast as torch's."""
    if inputs.is_cuda:
        return inputs.tanh()
    outputs: Tensor = _ArrayTanh.apply(inputs)  # type: ignore[no-untyped-call]
    return outputs


class _ArrayTanh(torch.autograd.Function):
    """NumPy's tanh with torch's derivative, which can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        outputs = torch.from_numpy(np.tanh(inputs.detach().numpy()))
        ctx.save_for_backward(outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (outputs,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(gradients[0], outputs)
