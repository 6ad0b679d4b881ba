"""Convolutions that halve the sides of an image or a row, and convolutions that double them back."""

import itertools
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

KERNEL, PADDING = 3, 1


def halved(sides: Sequence[int], times: int) -> list[tuple[int, ...]]:
    """Return the sides before and after each halving; halves are rounded up."""
    sizes = [tuple(sides)]
    for _ in range(times):
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    return sizes


class Halving(nn.Module):
    """A convolution of kernel 3 with ReLU that halves all sides: by its stride, or by max-pooling after it."""

    def __init__(self, inputs: int, outputs: int, dimensions: int, *, pooled: bool) -> None:
        super().__init__()
        kind: Any = nn.Conv1d if dimensions == 1 else nn.Conv2d
        self.convolution = kind(inputs, outputs, KERNEL, stride=1 if pooled else 2, padding=PADDING)
        self.pool: Any = None
        if pooled:
            self.pool = (nn.MaxPool1d if dimensions == 1 else nn.MaxPool2d)(2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, inputs, *sides)`` to ``(n, outputs, *halved sides)``."""
        h: Tensor = functional.relu(self.convolution(x))
        return h if self.pool is None else self.pool(h)


class Doubling(nn.Module):
    """Inverse of `Halving`, to ``sides``: a transposed convolution, or repeated values and a convolution."""

    def __init__(
        self, inputs: int, outputs: int, sides: Sequence[int], smaller: Sequence[int], *, unpooled: bool
    ) -> None:
        super().__init__()
        flat = len(sides) == 1
        self.sides = tuple(sides)
        self.unpooled = unpooled
        if unpooled:
            self.convolution: Any = (nn.Conv1d if flat else nn.Conv2d)(inputs, outputs, KERNEL, padding=PADDING)
            return
        # The transposed convolution turns a side s into 2s − 1; an even side needs one more.
        padding = tuple(side - 2 * small + 1 for side, small in zip(sides, smaller, strict=True))
        kind: Any = nn.ConvTranspose1d if flat else nn.ConvTranspose2d
        self.convolution = kind(inputs, outputs, KERNEL, stride=2, padding=PADDING, output_padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, inputs, *smaller sides)`` to ``(n, outputs, *sides)``."""
        if self.unpooled:
            x = functional.interpolate(x, size=self.sides, mode="nearest")
        output: Tensor = self.convolution(x)
        return output


class Halvings(nn.Sequential):
    """A sequence of halvings with these numbers of channels."""

    def __init__(self, channels: Sequence[int], dimensions: int, *, pooled: bool) -> None:
        super().__init__(*(Halving(*pair, dimensions, pooled=pooled) for pair in itertools.pairwise(channels)))


class Doublings(nn.Module):
    """Inverse of `Halvings`, with ReLU between the steps; ``sides`` are those of `halved`."""

    def __init__(self, channels: Sequence[int], sides: Sequence[Sequence[int]], *, unpooled: bool) -> None:
        super().__init__()
        steps = zip(itertools.pairwise(channels[::-1]), itertools.pairwise(sides[::-1]), strict=True)
        self.steps = nn.ModuleList(
            Doubling(*pair, larger, smaller, unpooled=unpooled) for pair, (smaller, larger) in steps
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, channels[-1], *sides[-1])`` to ``(n, channels[0], *sides[0])``."""
        for position, step in enumerate(self.steps):
            x = step(functional.relu(x) if position else x)
        return x
