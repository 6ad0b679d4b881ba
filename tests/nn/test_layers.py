"""The sparse layers equal the dense ones, forwards and backwards."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.nn.layers import Decoder, SparseEncoder, SparseLinear, linear
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import seeded
from tests.nn.small import matrix, rows_of


def test_a_sparse_layer_equals_the_dense_layer_forwards_and_backwards() -> None:
    given = matrix(20, 13)
    with seeded(3):
        layer = SparseLinear(13, 5)
    upstream = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    output = layer(rows_of(given))
    output.backward(upstream)

    dense = torch.from_numpy(given.toarray()).double()
    weight = layer.weight.detach().double().requires_grad_()
    bias = layer.bias.detach().double().requires_grad_()
    expected = dense @ weight + bias
    expected.backward(upstream.double())
    assert weight.grad is not None
    assert bias.grad is not None
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    np.testing.assert_allclose(output.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.weight.grad.numpy(), weight.grad.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.bias.grad.numpy(), bias.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_an_item_that_nobody_touched_gets_no_gradient() -> None:
    given = csr_matrix(np.array([[1, 0, 2], [3, 0, 0]], np.float32))
    layer = SparseLinear(3, 4)
    layer(rows_of(given)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[4] * 4, [0] * 4, [2] * 4]


def test_a_gradient_that_is_not_contiguous_is_read_right() -> None:
    given = matrix(6, 5)
    layer = SparseLinear(5, 3)
    upstream = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    layer(rows_of(given)).backward(upstream.T)
    assert layer.weight.grad is not None
    np.testing.assert_allclose(layer.weight.grad.numpy(), given.toarray().T @ upstream.T.numpy(), rtol=1e-5, atol=1e-6)


def test_an_empty_row_becomes_the_bias() -> None:
    layer = SparseLinear(7, 3)
    output = layer(rows_of(matrix()))
    assert output[0].tolist() == layer.bias.tolist()


def test_a_batch_without_rows_has_a_gradient_of_zero() -> None:
    layer = SparseLinear(7, 3)
    layer(rows_of(csr_matrix((0, 7), dtype=np.float32))).sum().backward()
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("make", [SparseLinear, linear])
def test_weights_start_glorot_uniform_and_biases_truncated_normal(make: type) -> None:
    with seeded(1):
        layer = make(400, 300)
    limit = math.sqrt(6 / (400 + 300))
    weight, bias = layer.weight.detach(), layer.bias.detach()
    assert weight.abs().max() <= limit
    assert weight.abs().max() > 0.999 * limit
    # A uniform draw has the deviation limit / sqrt(3), and half of it lies below limit / 2; a normal one has 38 %.
    assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01)
    assert (weight.abs() < limit / 2).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert bias.abs().max() <= 2e-3
    # Cut at two deviations, a normal distribution keeps 0.8796 of its deviation.
    assert bias.std().item() == pytest.approx(0.88e-3, rel=0.15)
    assert abs(bias.mean().item()) < 2e-4


def _dense(encoder: SparseEncoder, rows: Rows) -> torch.Tensor:
    values = rows.product(encoder.input.weight.detach()) + encoder.input.bias
    for layer in (one for one in encoder.deeper if isinstance(one, torch.nn.Linear)):
        values = torch.tanh(values) @ layer.weight.T + layer.bias
    return values


@pytest.mark.parametrize("widths", [(4,), (6, 4), (8, 6, 4)])
def test_an_encoder_has_tanh_between_its_layers_and_none_after_the_last(widths: tuple[int, ...]) -> None:
    rows = rows_of(matrix())
    encoder = SparseEncoder(7, widths)
    assert [tuple(p.shape) for p in encoder.parameters() if p.ndim > 1] == [
        (7, widths[0]), *[(b, a) for a, b in itertools.pairwise(widths)],
    ]  # fmt: skip
    torch.testing.assert_close(encoder(rows), _dense(encoder, rows))


@pytest.mark.parametrize("widths", [(4,), (4, 6), (4, 6, 8)])
def test_a_decoder_has_tanh_after_all_but_the_output_layer(widths: tuple[int, ...]) -> None:
    decoder = Decoder(widths, 11)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    values = z
    for layer in (one for one in decoder.hidden if isinstance(one, torch.nn.Linear)):
        values = torch.tanh(values @ layer.weight.T + layer.bias)
    torch.testing.assert_close(decoder(z), values @ decoder.output.weight.T + decoder.output.bias)
    assert len(decoder.hidden) == 2 * (len(widths) - 1)


def test_a_decoder_computes_the_outputs_asked_for_only() -> None:
    decoder = Decoder((4, 6), 11)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(decoder(z, slice(3, 8)), decoder(z)[:, 3:8])
    assert decoder(z, slice(3, 8)).shape == (5, 5)
