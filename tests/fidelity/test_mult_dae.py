"""Mult-DAE against its paper, and against mistakes that other packages make (F2, F18, …)."""

import math

import pytest
import torch
from torch import nn

from recsys_ae.models.mult_dae import MultDAE, MultDAENetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.training.steps import Step
from recsys_ae.ranking.rank import score_blocks
from tests.fidelity.slow import (
    SlowNetwork,
    assert_same_gradients,
    dense64,
    dropped,
    negative_log_likelihood,
    on_the_sphere,
)
from tests.nn.small import copy_of, matrix, rows_of

WIDTH = 17


def network_of(spec: MultDAE, width: int = WIDTH) -> MultDAENetwork:
    with seeded(1):
        network = spec.build(Shape(50, width))
        for parameter in network.parameters():
            if parameter.ndim == 1:
                nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture
def rows() -> Rows:
    return rows_of(matrix(12, WIDTH))


@pytest.mark.parametrize("hidden", [(), (6,), (7, 6)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_f18_the_loss_and_its_gradients_are_the_papers(hidden: tuple[int, ...], dropout: float, rows: Rows) -> None:
    """The loss is eq. 2 with z from the corrupted row; all layers but the last have a tanh, also the code."""
    network = network_of(MultDAE.paper(latent=4, hidden=hidden, dropout=dropout)).train()
    generator = torch.Generator().manual_seed(4)
    draws = copy_of(generator)
    loss = network.loss(rows, Step(0, 10, generator))
    loss.total.backward()

    slow, x = SlowNetwork(network.encoder, network.decoder), dense64(rows)
    corrupted = on_the_sphere(x)
    if dropout:
        corrupted = dropped(corrupted, dropout, rows, draws)
    total = negative_log_likelihood(slow.decoded(torch.tanh(slow.encoded(corrupted))), x)
    total.backward()

    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    assert set(loss.parts) == {"nll"}
    assert_same_gradients(network, network.encoder, network.decoder, slow)
    assert torch.equal(generator.get_state(), draws.get_state())


def test_f02_the_architecture_is_the_papers_shallow_one() -> None:
    """The layers are [I → 200 → I]."""
    shapes = {
        name: tuple(parameter.shape) for name, parameter in MultDAE.paper().build(Shape(9, 70)).named_parameters()
    }
    assert shapes == {
        "encoder.input.weight": (70, 200),
        "encoder.input.bias": (200,),
        "decoder.output.weight": (70, 200),
        "decoder.output.bias": (70,),
    }


def test_hidden_layers_are_mirrored() -> None:
    network = MultDAE.paper(latent=4, hidden=(9, 6)).build(Shape(9, 70))
    shapes = [tuple(parameter.shape) for parameter in network.parameters() if parameter.ndim > 1]
    assert shapes == [(70, 9), (6, 9), (4, 6), (6, 4), (9, 6), (70, 9)]


def test_f02_weights_start_glorot_uniform_and_biases_truncated_normal() -> None:
    with seeded(3):
        network = MultDAE.paper().build(Shape(1000, 300))
    for name, parameter in network.named_parameters():
        values = parameter.detach()
        if values.ndim > 1:
            limit = math.sqrt(6 / sum(values.shape))
            assert limit * 0.999 < values.abs().max() <= limit, name
            assert values.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01), name
        else:
            assert 1e-3 < values.abs().max() <= 2e-3, name


def test_f02_f18_the_defaults_are_the_papers() -> None:
    """The paper's weight decay of 0.01 is for a sum over the batch of 500: 2e-5 for its mean."""
    spec = MultDAE.paper()
    assert (spec.hidden, spec.latent, spec.dropout) == ((), 200, 0.5)
    assert (spec.lr, spec.batch_size, spec.epochs, spec.l2) == (1e-3, 500, 200, 0.01 / 500)
    assert (spec.monitor, spec.lr_schedule, spec.clip_norm, spec.patience) == ("ndcg@100", "constant", 0, 0)


def test_f02_f10_l2_is_applied() -> None:
    """With a loss whose gradient vanishes (no targets), the penalty alone moves the weights, and not the biases."""
    network = network_of(MultDAE.paper(latent=4, l2=0.1, epochs=1, batch_size=3, lr=0.01))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    network.learn(rows_of(matrix(3, WIDTH, density=0)), Run(device="cpu"))
    for name, parameter in network.named_parameters():
        # The first step of Adam is lr times the gradient's sign, and the gradient is 2 l2 w.
        expected = before[name] - (0.01 * before[name].sign() if parameter.ndim > 1 else 0)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-3, atol=1e-5)


def test_f05_the_input_is_normalised_before_it_is_dropped(rows: Rows) -> None:
    network = network_of(MultDAE.paper(latent=4)).train()
    inputs: list[Rows] = []
    network.encoder.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    network.loss(rows, Step(0, 10, torch.Generator().manual_seed(4)))
    normalised, values = rows.normalised().values, inputs[0].values
    assert 0 < (values == 0).sum() < len(values)
    torch.testing.assert_close(values[values != 0], 2 * normalised[values != 0])


def test_f06_f15_scores_have_no_dropout_and_are_equal_from_call_to_call(rows: Rows) -> None:
    network = network_of(MultDAE.paper(latent=4, hidden=(6,)))
    slow = SlowNetwork(network.encoder, network.decoder)
    expected = slow.decoded(torch.tanh(slow.encoded(on_the_sphere(dense64(rows))))).detach().float()
    popularity = torch.arange(WIDTH).float()
    expected[rows.lengths == 0] = popularity
    for _ in range(3):
        ((_, scores),) = score_blocks(network.train(), matrix(12, WIDTH), popularity)
        torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(network.train()(rows), network.eval()(rows))


def test_an_items_vector_is_its_row_of_the_output_layer() -> None:
    network = network_of(MultDAE.paper(latent=4, hidden=(6,)))
    assert network.item_vectors() is network.decoder.output.weight
