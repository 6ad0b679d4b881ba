"""Dense layers of chosen widths and activations, and the decoder that mirrors an encoder."""

import itertools
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.nn.layers import linear, start_by_fan_in

Activation: TypeAlias = Literal["linear", "sigmoid", "tanh", "relu"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda a: a,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}


def slope(activation: str, h: Tensor) -> Tensor:
    """Return the derivative of an activation function where its value is ``h``."""
    if activation == "sigmoid":
        return h * (1 - h)
    if activation == "tanh":
        return 1 - h.square()
    return (h > 0).to(h.dtype) if activation == "relu" else torch.ones_like(h)


def evenly_spaced(width: int, latent: int, n: int) -> tuple[int, ...]:
    """Return the widths of ``n`` hidden layers that fall from ``width`` in equal steps; none is narrower than the code.

    For 784 columns and three layers these are 588, 392 and 196.
    """
    return tuple(max(round(width * (n + 1 - layer) / (n + 1)), latent) for layer in range(1, n + 1))


class Dense(nn.Module):
    """Linear layers of these widths with an activation between them, and ``last`` after them."""

    def __init__(self, widths: Sequence[int], activation: str, *, last: str = "linear") -> None:
        super().__init__()
        self.layers = nn.ModuleList(linear(*pair) for pair in itertools.pairwise(widths))
        self.activations = [activation] * (len(self.layers) - 1) + [last]
        for layer, function in zip(self.layers, self.activations, strict=True):
            if function == "relu":
                start_by_fan_in(layer, normal=True)

    @property
    def weights(self) -> list[Tensor]:
        """Weights of the layers, ``(outputs, inputs)`` each."""
        return [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, widths[0])`` to ``(n, widths[-1])``."""
        return self.states(x)[-1]

    def states(self, x: Tensor) -> list[Tensor]:
        """Return the output of each layer."""
        outputs = []
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = ACTIVATIONS[activation](layer(x))
            outputs.append(x)
        return outputs


class Transposed(nn.Module):
    """Layers of another network in reverse order: its weights transposed, with separate biases."""

    def __init__(self, of: Dense, activation: str) -> None:
        super().__init__()
        self.of = (of,)  # in a tuple, so that it is not a submodule: the weights belong to the encoder
        weights = of.weights[::-1]
        self.biases = nn.ParameterList(torch.zeros(weight.shape[1]) for weight in weights)
        self.activations = [activation] * (len(weights) - 1) + ["linear"]

    def forward(self, z: Tensor) -> Tensor:
        """Map ``(n, latent)`` to ``(n, width)``."""
        for weight, bias, activation in zip(self.of[0].weights[::-1], self.biases, self.activations, strict=True):
            z = ACTIVATIONS[activation](functional.linear(z, weight.T, bias))
        return z


class Mirrored(nn.Module):
    """A dense encoder with hidden layers, and a decoder with the same widths in reverse.

    Parameters
    ----------
    code
        Activation of the code; the output has none.
    tied
        True if the decoder uses the encoder's weights.
    """

    def __init__(
        self, width: int, hidden: Sequence[int], latent: int, activation: str, *, code: str, tied: bool = False
    ) -> None:
        super().__init__()
        widths = (width, *hidden, latent)
        self.encoder = Dense(widths, activation, last=code)
        self.decoder: Transposed | Dense = (
            Transposed(self.encoder, activation) if tied else Dense(widths[::-1], activation)
        )

    @property
    def output_bias(self) -> Tensor:
        """Bias of the last layer of the decoder, ``(width,)``."""
        tied = isinstance(self.decoder, Transposed)
        layer = len(self.encoder.layers) - 1
        bias: Tensor = self.decoder.get_parameter(f"biases.{layer}" if tied else f"layers.{layer}.bias")
        return bias

    def encode(self, x: Tensor) -> Tensor:
        """Map ``(n, width)`` to codes, ``(n, latent)``."""
        code: Tensor = self.encoder(x)
        return code

    def decode(self, z: Tensor) -> Tensor:
        """Map codes to ``(n, width)``."""
        output: Tensor = self.decoder(z)
        return output
