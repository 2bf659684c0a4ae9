"""The layers of a convolutional network, counted without torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from trpo_repro.errors import ConfigError


@dataclass(frozen=True)
class Convolutions:
    """Square convolutions without padding, one after the other.

    Attributes:
        image: (channels, height, width) of what they see.
        channels: Filters of each layer.
        kernel_size: Side of each filter, pixels.
        stride: Pixels between two places of a filter.
    """

    image: tuple[int, int, int]
    channels: tuple[int, ...]
    kernel_size: int
    stride: int

    def __post_init__(self) -> None:
        """Refuse filters that are larger than what they see.

        Raises:
            ConfigError: It names the first convolution of which that is so.
        """
        for number, (_, height, width) in enumerate(self.images()[:-1], 1):
            if self.kernel_size > min(height, width):
                raise ConfigError(
                    f"policy.kernel_size={self.kernel_size} does not fit into the "
                    f"{height} × {width} image of convolution {number}",
                    fix="choose a smaller policy.kernel_size or policy.stride, "
                    "or fewer policy.channels",
                )

    def images(self) -> list[tuple[int, int, int]]:
        """Return the (channels, height, width) of the image and of each layer's outputs."""
        images = [self.image]
        for filters in self.channels:
            sides = [(side - self.kernel_size) // self.stride + 1 for side in images[-1][1:]]
            images.append((filters, sides[0], sides[1]))
        return images

    def weight_shapes(self, hidden: Sequence[int], outputs: int) -> list[tuple[int, ...]]:
        """Return each layer's weights' shape, those of the fully connected ones behind included.

        A convolution's is (filters, channels, kernel, kernel), a fully connected layer's
        (outputs, inputs); each has as many biases as its first number.
        """
        images, kernel = self.images(), (self.kernel_size, self.kernel_size)
        depths = itertools.pairwise(channels for channels, _, _ in images)
        widths = itertools.pairwise([math.prod(images[-1]), *hidden, outputs])
        return [
            *((after, before, *kernel) for before, after in depths),
            *((after, before) for before, after in widths),
        ]


def layer_sizes(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return the number of parameters, weights and biases, of layers of these weights' shapes."""
    return [math.prod(shape) + shape[0] for shape in shapes]
