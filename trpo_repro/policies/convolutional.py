"""The convolutional network of Fig. 3 (right) as a function of one flat θ, and its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trpo_repro.policies.convolutions import Convolutions, layer_sizes

WHITE = 255.0  # of a pixel


class ConvNet:
    """Convolutions, then fully connected layers, with rectifiers between them (Fig. 3, right).

    Inputs are rows of D pixels, uint8 or the same numbers as floats, that form the image; they
    are scaled to [0, 1] here. The paper does not name the nonlinearity: rectifiers are those of
    Mnih et al. (2013), whose preprocessing it follows.
    """

    chunk_rows = 128  # beyond, what lies between the layers leaves the cache

    def __init__(self, convolutions: Convolutions, hidden: Sequence[int], *, outputs: int) -> None:
        """Fix the layer sizes."""
        self.convolutions = convolutions
        self.shapes = convolutions.weight_shapes(hidden, outputs)
        self._sizes = [size for shape in self.shapes for size in (math.prod(shape), shape[0])]
        self.parameter_count = sum(layer_sizes(self.shapes))

    def initial_parameters(self, rng: np.random.Generator, *, output_gain: float) -> Tensor:
        """Draw θ: weights of variance 2/inputs (He et al., 2015), biases 0.

        The last layer's variance is `output_gain`²/inputs.
        """
        parts = []
        for layer, shape in enumerate(self.shapes):
            gain = output_gain if layer == len(self.shapes) - 1 else math.sqrt(2.0)
            parts += [
                rng.standard_normal(math.prod(shape)) * gain / math.sqrt(math.prod(shape[1:]))
            ]
            parts += [np.zeros(shape[0])]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return θ's pieces: for each layer its weights, as in `shapes`, and its biases.

        The first weights come divided by white's 255, which scales the pixels at no cost.
        """
        pieces = iter(theta.split(self._sizes))
        (first, bias), *further = [(next(pieces).view(s), next(pieces)) for s in self.shapes]
        return [(first / WHITE, bias), *further]

    def images(self, inputs: Tensor) -> Tensor:
        """Return (n, D) pixels as (n, channels, height, width) ones."""
        return inputs.view(-1, *self.convolutions.image)

    def apply(self, inputs: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
        """Return the outputs of the one layer that these are the parameters of."""
        if weights.dim() == 4:
            return functional.conv2d(inputs, weights, bias, self.convolutions.stride)
        return functional.linear(inputs.flatten(1), weights, bias)

    def activations(self, layers: list[tuple[Tensor, Tensor]], inputs: Tensor) -> list[Tensor]:
        """Return what each layer sees of (n, D) `inputs`, and the outputs as the last."""
        seen = [self.images(inputs).to(layers[0][0].dtype)]
        for weights, bias in layers[:-1]:
            seen.append(self.apply(seen[-1], weights, bias).relu_())
        return [*seen, self.apply(seen[-1], *layers[-1])]

    def forward(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Return the (n, outputs) outputs for (n, D) `inputs`, differentiable once by θ."""
        if theta.requires_grad:
            outputs: Tensor = _Outputs.apply(theta, inputs, self)  # type: ignore[no-untyped-call]
            return outputs
        return self.activations(self.layers(theta), inputs)[-1]

    def function(
        self, thetas: NDArray[np.float32]
    ) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """Return the network at (P,) `thetas`, on arrays, for use step by step.

        With (n, P) `thetas` the i-th of them acts on the i-th row.
        """
        if thetas.ndim == 2:
            each = [self.function(theta) for theta in thetas]
            return lambda inputs: np.concatenate(
                [own(row) for own, row in zip(each, inputs[:, None], strict=True)]
            )
        layers = self.layers(torch.from_numpy(thetas))

        def outputs(inputs: NDArray[Any]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return self.activations(layers, torch.from_numpy(inputs))[-1].numpy()

        return outputs

    def linearise(self, theta: Tensor, inputs: Tensor) -> LinearisedConvNet:
        """Return J at (P,) `theta` on (n, D) `inputs`."""
        return LinearisedConvNet(self, theta, inputs=inputs)


class _Outputs(torch.autograd.Function):
    """The outputs as a function of θ, with `LinearisedConvNet`'s Jᵀ as its derivative."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, inputs: Tensor, network: ConvNet) -> Tensor:
        ctx.linearised = linearised = network.linearise(theta, inputs)
        return linearised.outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, outputs: Tensor) -> tuple[Tensor, None, None]:
        return ctx.linearised.transposed_product(outputs), None, None


def _channels_last(array: Tensor) -> Tensor:
    """Return the same array with channels next to each other in memory, where it has any.

    A convolution's derivatives are twice as fast on these, its own pass a good deal slower.
    """
    return array.contiguous(memory_format=torch.channels_last) if array.dim() == 4 else array


class LinearisedConvNet:
    """J = ∂outputs/∂θ of a `ConvNet` at one θ on (n, D) `inputs`: never stored, only applied.

    Attributes:
        outputs: (n, outputs) what the network gives.
    """

    def __init__(self, network: ConvNet, theta: Tensor, *, inputs: Tensor) -> None:
        """Pass forward once and keep what both products need: 46 KB a frame of Fig. 3's."""
        self._network, self._dtype = network, theta.dtype
        layers = network.layers(theta)
        _, *hidden, self.outputs = network.activations(layers, inputs)
        self._pixels = _channels_last(network.images(inputs))  # a quarter of the room of numbers
        self._hidden = [_channels_last(array) for array in hidden]
        self._weights = [_channels_last(weights) for weights, _ in layers]

    def product(self, vector: Tensor) -> Tensor:
        """Return J v, (n, outputs), of a (P,) `vector`: the forward pass, differentiated."""
        network = self._network
        (weights, bias), *further = network.layers(vector)
        change = network.apply(self._pixels.to(self._dtype), _channels_last(weights), bias)
        for (weights, bias), own, inputs in zip(
            further, self._weights[1:], self._hidden, strict=True
        ):
            passed = network.apply(_through_rectifier(change, inputs), own, None)
            change = network.apply(inputs, _channels_last(weights), bias).add_(passed)
        return change

    def transposed_product(self, outputs: Tensor) -> Tensor:
        """Return Jᵀ w, (P,), of (n, outputs) `outputs`: backpropagation."""
        pieces = list[Tensor]()
        for weights, inputs in zip(
            reversed(self._weights[1:]), reversed(self._hidden), strict=True
        ):
            before, *own = self._backward(outputs, inputs, weights=weights)
            pieces = [*own, *pieces]
            outputs = _through_rectifier(before, inputs)
        images = self._pixels.to(self._dtype)
        _, by_weights, by_bias = self._backward(outputs, images, weights=self._weights[0])
        return torch.cat([by_weights / WHITE, by_bias, *pieces])

    def _backward(
        self, outputs: Tensor, inputs: Tensor, *, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return one layer's Jᵀ w by its inputs, in their shape, and by weights and bias, flat."""
        if weights.dim() == 2:
            by_weights, by_bias = outputs.T @ inputs.flatten(1), outputs.sum(dim=0)
            return (outputs @ weights).view_as(inputs), by_weights.flatten(), by_bias
        stride = self._network.convolutions.stride
        wanted = [weights is not self._weights[0], True, True]  # nothing lies before the images
        by_inputs, by_weights, by_bias = torch.ops.aten.convolution_backward(
            outputs, inputs, weights, weights.shape[:1],
            [stride, stride], [0, 0], [1, 1], False, [0, 0], 1, wanted,
        )  # fmt: skip
        return by_inputs, by_weights.flatten(), by_bias


def _through_rectifier(change: Tensor, rectified: Tensor) -> Tensor:
    """Return `change` where the rectifier let something through, else 0."""
    passed: Tensor = torch.ops.aten.threshold_backward(change, rectified, 0)
    return passed
