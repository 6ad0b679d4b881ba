"""Sparse layers compared with dense ones, forwards and backwards."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.nn.layers import DenselySummed, Gated, SparseEncoder, SparseLinear, columns, linear, start_by_fan_in
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.softmax.output import Decoder
from tests.nn.small import matrix, rows_of


def test_a_sparse_layer_equals_the_dense_layer_forwards_and_backwards() -> None:
    interactions = matrix(20, 13)
    with seeded(3):
        layer = SparseLinear(13, 5)
    upstream = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    output = layer(rows_of(interactions))
    output.backward(upstream)

    dense = torch.from_numpy(interactions.toarray()).double()
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


def test_an_item_without_interactions_gets_no_gradient() -> None:
    interactions = csr_matrix(np.array([[1, 0, 2], [3, 0, 0]], np.float32))
    layer = SparseLinear(3, 4)
    layer(rows_of(interactions)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[4] * 4, [0] * 4, [2] * 4]


def test_a_gradient_that_is_not_contiguous_is_read_right() -> None:
    interactions = matrix(6, 5)
    layer = SparseLinear(5, 3)
    upstream = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    layer(rows_of(interactions)).backward(upstream.T)
    assert layer.weight.grad is not None
    np.testing.assert_allclose(
        layer.weight.grad.numpy(), interactions.toarray().T @ upstream.T.numpy(), rtol=1e-5, atol=1e-6
    )


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
    # Truncated at two deviations, a normal distribution has 0.8796 of its deviation.
    assert bias.std().item() == pytest.approx(0.88e-3, rel=0.15)
    assert abs(bias.mean().item()) < 2e-4


def _dense(encoder: SparseEncoder, rows: Rows) -> torch.Tensor:
    values = rows.product(encoder.input.weight.detach()) + encoder.input.bias
    for layer in (module for module in encoder.deeper if isinstance(module, torch.nn.Linear)):
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
    for layer in (module for module in decoder.hidden if isinstance(module, torch.nn.Linear)):
        values = torch.tanh(values @ layer.weight.T + layer.bias)
    torch.testing.assert_close(decoder(z), values @ decoder.output.weight.T + decoder.output.bias)
    assert len(decoder.hidden) == 2 * (len(widths) - 1)


@pytest.mark.parametrize("gradients", [True, False])
def test_the_outputs_asked_for_are_computed_only(gradients: bool) -> None:
    layer = linear(4, 11)
    hidden = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    with torch.set_grad_enabled(gradients):
        layer_part = columns(layer.weight, layer.bias, hidden, slice(3, 8))
        torch.testing.assert_close(layer_part, layer(hidden)[:, 3:8])
        torch.testing.assert_close(columns(layer.weight, None, hidden, slice(None)), hidden @ layer.weight.T)


def test_a_sparse_layer_reads_dense_rows_as_it_reads_sparse_ones() -> None:
    interactions = matrix(20, 13)
    layer = SparseLinear(13, 5)
    dense = torch.from_numpy(interactions.toarray()).requires_grad_()
    output = layer(dense)
    torch.testing.assert_close(output, layer(rows_of(interactions)))
    output.sum().backward()
    assert dense.grad is not None
    torch.testing.assert_close(dense.grad, layer.weight.detach().sum(dim=1).expand(20, 13))


def _doubles(layer: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight, as (inputs, outputs), and bias of a linear layer as leaves in double precision."""
    assert isinstance(layer, SparseLinear | torch.nn.Linear)
    weight = layer.weight if isinstance(layer, SparseLinear) else layer.weight.T
    return weight.detach().double().requires_grad_(), layer.bias.detach().double().requires_grad_()


def _normed(x: torch.Tensor, norm: torch.nn.LayerNorm) -> torch.Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    deviation = torch.sqrt(centred.square().mean(dim=1, keepdim=True) + norm.eps)
    return centred / deviation * norm.weight.detach().double() + norm.bias.detach().double()


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_densely_summed_layers_are_the_formula_forwards_and_backwards(sparse: bool, n: int, eps: float) -> None:
    """Check h_k = LN(swish(W_k h_{k−1} + b_k + Σ_{j<k} h_j)) with every h_j of the sum once."""
    interactions = matrix(12, 9)
    with seeded(2):
        network = DenselySummed(9, 6, n, sparse=sparse, eps=eps)
        for parameter in network.parameters():
            if parameter.ndim == 1:  # scales of 1 and shifts of 0 would hide a forgotten one
                torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
    dense = torch.from_numpy(interactions.toarray())
    upstream = torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
    output = network(rows_of(interactions) if sparse else dense)
    output.backward(upstream)

    layers = [network.input, *network.deeper]
    leaves, outputs = [_doubles(layer) for layer in layers], list[torch.Tensor]()
    for k in range(n):
        weight, bias = leaves[k]
        sums = (outputs[-1] if k else dense.double()) @ weight + bias + sum(outputs)
        norm = network.norms[k]
        assert isinstance(norm, torch.nn.LayerNorm)
        outputs.append(_normed(sums / (1 + torch.exp(-sums)), norm))
    outputs[-1].backward(upstream.double())
    torch.testing.assert_close(output.double(), outputs[-1], rtol=1e-4, atol=1e-5)
    for layer, (weight, bias) in zip(layers, leaves, strict=True):
        found = layer.weight.grad if isinstance(layer, SparseLinear) else layer.weight.grad.T
        torch.testing.assert_close(found.double(), weight.grad, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(layer.bias.grad.double(), bias.grad, rtol=1e-3, atol=1e-5)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("sparse", [True, False])
def test_a_gated_layer_is_linear_times_the_sigmoid_of_another(sparse: bool) -> None:
    """Check (Wx + b) ⊙ σ(Vx + c): linear in its value, without a tanh."""
    interactions = matrix(12, 9)
    with seeded(2):
        layer = Gated(9, 6, sparse=sparse)
    dense = torch.from_numpy(interactions.toarray())
    output = layer(rows_of(interactions) if sparse else dense)
    upstream = torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
    output.backward(upstream)
    (w, b), (v, c) = _doubles(layer.value), _doubles(layer.gate)
    expected = (dense.double() @ w + b) / (1 + torch.exp(-(dense.double() @ v + c)))
    expected.backward(upstream.double())
    torch.testing.assert_close(output.double(), expected, rtol=1e-5, atol=1e-6)
    for layer_part, weight in ((layer.value, w), (layer.gate, v)):
        found = layer_part.weight.grad if sparse else layer_part.weight.grad.T
        assert found is not None
        torch.testing.assert_close(found.double(), weight.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normal", [False, True])
def test_layers_can_start_by_the_number_of_their_inputs(normal: bool) -> None:
    layers = torch.nn.Sequential(SparseLinear(900, 200), torch.nn.Sequential(linear(400, 500)), torch.nn.LayerNorm(7))
    with seeded(1):
        start_by_fan_in(layers, normal=normal)
    for layer, inputs in ((layers[0], 900), (layers[1][0], 400)):
        weight, bias = layer.weight.detach(), layer.bias.detach()
        bound = 1 / math.sqrt(inputs)
        assert 0.9 * bound < bias.abs().max() <= bound
        assert bias.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
        if normal:
            assert weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.01)
            assert weight.abs().max() > 3.5 * math.sqrt(2 / inputs)  # a uniform draw ends at 1.7 deviations
        else:
            assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
            assert 0.99 * bound < weight.abs().max() <= bound
    assert layers[2].weight.tolist() == [1] * 7
    assert layers[2].bias.tolist() == [0] * 7


@pytest.mark.parametrize("dropped", [False, True])
def test_a_rowwise_gradient_is_that_of_the_rows_with_entries_and_sparse(dropped: bool) -> None:
    rows = rows_of(matrix(20, 60, density=0.05))
    if dropped:
        rows = rows.with_values(rows.values * (torch.arange(len(rows.values)) % 2))
    upstream = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    found = []
    for rowwise in (False, True):
        with seeded(3):
            layer = SparseLinear(60, 5, rowwise=rowwise)
        layer(rows).backward(upstream)
        assert layer.weight.grad is not None
        found.append(layer.weight.grad)
    assert found[1].is_sparse
    assert not found[0].is_sparse
    assert found[1]._indices()[0].tolist() == rows.indices[rows.values != 0].unique().tolist()
    torch.testing.assert_close(found[1].to_dense(), found[0])
