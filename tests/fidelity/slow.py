"""Slow, dense float64 versions of the multinomial autoencoders, written from the paper's formulas."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recsys_ae.nn.layers import SparseEncoder
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.softmax.output import Decoder
from tests.nn.small import dense_of


class SlowNetwork:
    """Dense float64 copies of a network's weights; gradients come from autograd."""

    def __init__(self, encoder: SparseEncoder, decoder: Decoder) -> None:
        first = [(encoder.input.weight.T, encoder.input.bias)]
        deeper = [(layer.weight, layer.bias) for layer in encoder.deeper if isinstance(layer, nn.Linear)]
        hidden = [(layer.weight, layer.bias) for layer in decoder.hidden if isinstance(layer, nn.Linear)]
        self.encoder = self._leaves([*first, *deeper])
        self.decoder = self._leaves([*hidden, (decoder.output.weight, decoder.output.bias)])
        self.parameters = [leaf for pair in (*self.encoder, *self.decoder) for leaf in pair]

    @staticmethod
    def _leaves(pairs: Sequence[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        return [(w.detach().double().requires_grad_(), b.detach().double().requires_grad_()) for w, b in pairs]

    @staticmethod
    def _through(layers: list[tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
        """Apply the layers, with tanh between them and none after the last."""
        for depth, (weight, bias) in enumerate(layers):
            x = (torch.tanh(x) if depth else x) @ weight.T + bias
        return x

    def encoded(self, x: Tensor) -> Tensor:
        return self._through(self.encoder, x)

    def decoded(self, z: Tensor) -> Tensor:
        return self._through(self.decoder, z)


def dense64(rows: Rows) -> Tensor:
    return torch.from_numpy(dense_of(rows)).double()


def on_the_sphere(x: Tensor) -> Tensor:
    lengths = x.norm(dim=1, keepdim=True)
    return torch.where(lengths > 0, x / lengths.clamp_min(1e-300), x)


def dropped(x: Tensor, rate: float, rows: Rows, generator: torch.Generator) -> Tensor:
    """Apply dropout to a dense input with the draws of the sparse one: one for each entry."""
    mask = torch.zeros_like(x)
    mask[rows.row_of_entry, rows.indices] = (torch.rand(len(rows.values), generator=generator) >= rate).double()
    return x * mask / (1 - rate)


def negative_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """Return the negative log-likelihood of eq. 2, mean over users."""
    return -(x * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()


def assert_same_gradients(network: nn.Module, encoder: SparseEncoder, decoder: Decoder, slow: SlowNetwork) -> None:
    """Compare the gradients after both backward passes."""
    first = [(encoder.input.weight.grad, encoder.input.bias.grad)]
    layers = [*encoder.deeper, *decoder.hidden, decoder.output]
    pairs = [*first, *((layer.weight.grad, layer.bias.grad) for layer in layers if isinstance(layer, nn.Linear))]
    expected = slow.parameters
    flat = [gradient for pair in pairs for gradient in pair]
    assert len(flat) == len(expected) == len(list(network.parameters()))
    for number, (gradient, leaf) in enumerate(zip(flat, expected, strict=True)):
        assert gradient is not None
        assert leaf.grad is not None
        oriented = gradient.T if number == 0 else gradient
        assert leaf.grad.abs().max() > 0
        torch.testing.assert_close(oriented.double(), leaf.grad, rtol=1e-4, atol=1e-6)
