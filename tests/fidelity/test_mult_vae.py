"""Mult-VAE against its paper, and against mistakes that other packages make (F1, F2, …)."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recsys_ae.models.mult_vae import MultVAE, MultVAENetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.threads import cpu_threads
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
PAPERS_UPDATES = 46_800


def network_of(spec: MultVAE, width: int = WIDTH) -> MultVAENetwork:
    with seeded(1):
        network = spec.build(Shape(50, width))
        # Biases near 0 would hide a missing one.
        for parameter in network.parameters():
            if parameter.ndim == 1:
                nn.init.normal_(parameter, std=0.3)
    return network


def step_at(update: int, total: int = PAPERS_UPDATES, seed: int = 4) -> Step:
    return Step(update, total, torch.Generator().manual_seed(seed))


def number(value: Tensor | float) -> float:
    return value.item() if isinstance(value, Tensor) else value


@pytest.fixture
def rows() -> Rows:
    return rows_of(matrix(12, WIDTH))


@pytest.mark.parametrize("hidden", [(), (6,), (7, 6)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("update", [0, 30_000, 46_000])
def test_the_loss_and_its_gradients_are_the_papers(
    hidden: tuple[int, ...], dropout: float, update: int, rows: Rows
) -> None:
    """The loss is eq. 5 with one sample of z, dropout after normalisation and beta = min(0.2, t / 200,000)."""
    network = network_of(MultVAE.paper(latent=4, hidden=hidden, dropout=dropout)).train()
    step = step_at(update)
    draws = copy_of(step.generator)
    loss = network.loss(rows, step)
    loss.total.backward()

    slow, x = SlowNetwork(network.encoder, network.decoder), dense64(rows)
    corrupted = on_the_sphere(x)
    if dropout:
        corrupted = dropped(corrupted, dropout, rows, draws)
    output = slow.encoded(corrupted)
    mu, log_variance = output[:, :4], output[:, 4:]
    sigma = torch.sqrt(torch.exp(log_variance))
    z = mu + torch.randn(12, 4, generator=draws).double() * sigma
    nll = negative_log_likelihood(slow.decoded(z), x)
    kl = (0.5 * (sigma**2 + mu**2 - 1 - torch.log(sigma**2))).sum(dim=1).mean()
    beta = min(0.2, update / 200_000)
    total = nll + beta * kl
    total.backward()

    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    assert number(loss.parts["nll"]) == pytest.approx(nll.item(), rel=1e-5)
    assert number(loss.parts["kl"]) == pytest.approx(kl.item(), rel=1e-5)
    assert number(loss.parts["beta"]) == pytest.approx(beta, rel=1e-9)
    assert_same_gradients(network, network.encoder, network.decoder, slow)
    # Nothing else was drawn: one mask and one z (F8).
    assert torch.equal(step.generator.get_state(), draws.get_state())


def test_f01_noise_has_unit_deviation(rows: Rows) -> None:
    """With mean 0 and log-variance 0, what the decoder reads is standard normal."""
    network = network_of(MultVAE.paper(latent=500, hidden=(3,))).train()
    codes: list[Tensor] = []
    network.decoder.hidden.register_forward_pre_hook(lambda _, args: codes.append(args[0]))
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.zero_()
        network.loss(rows, step_at(0))
    assert codes[0].std().item() == pytest.approx(1, abs=0.04)
    assert codes[0].mean().item() == pytest.approx(0, abs=0.06)


def test_f02_the_architecture_is_the_papers_and_the_code_is_not_halved() -> None:
    """The layers are [I → 600 → 200 → 600 → I]; the encoder returns 200 means and 200 log-variances."""
    network = MultVAE.paper().build(Shape(1000, 70))
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    assert shapes == {
        "encoder.input.weight": (70, 600),
        "encoder.input.bias": (600,),
        "encoder.deeper.1.weight": (400, 600),
        "encoder.deeper.1.bias": (400,),
        "decoder.hidden.0.weight": (600, 200),
        "decoder.hidden.0.bias": (600,),
        "decoder.output.weight": (70, 600),
        "decoder.output.bias": (70,),
    }
    assert network.encode(rows_of(matrix(5, 70))).shape == (5, 200)


def test_f02_weights_start_glorot_uniform_and_biases_truncated_normal() -> None:
    with seeded(3):
        network = MultVAE.paper().build(Shape(1000, 300))
    for name, parameter in network.named_parameters():
        values = parameter.detach()
        if values.ndim > 1:
            limit = math.sqrt(6 / sum(values.shape))
            assert limit * 0.999 < values.abs().max() <= limit, name
            assert values.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01), name
        else:
            assert 1e-3 < values.abs().max() <= 2e-3, name


def test_f02_f05_f15_f16_the_defaults_are_the_papers() -> None:
    spec = MultVAE.paper()
    assert (spec.hidden, spec.latent, spec.dropout) == ((600,), 200, 0.5)
    assert (spec.lr, spec.batch_size, spec.epochs, spec.l2) == (1e-3, 500, 200, 0)
    assert (spec.beta, spec.anneal * PAPERS_UPDATES) == (0.2, pytest.approx(40_000))
    assert (spec.monitor, spec.lr_schedule, spec.clip_norm, spec.patience) == ("ndcg@100", "constant", 0, 0)


def test_f05_the_input_is_normalised_before_it_is_dropped(rows: Rows) -> None:
    """If it were normalised after dropout, a row would keep its length whatever is dropped."""
    network = network_of(MultVAE.paper(latent=4, hidden=(6,))).train()
    inputs: list[Rows] = []
    network.encoder.input.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    network.loss(rows, step_at(0))
    normalised = rows.normalised().values
    values = inputs[0].values
    assert 0 < (values == 0).sum() < len(values)
    torch.testing.assert_close(values[values != 0], 2 * normalised[values != 0])


def test_f05_f15_beta_anneals_by_default_and_weighs_the_kl(rows: Rows) -> None:
    network = network_of(MultVAE.paper(latent=4, hidden=(6,))).train()
    for update, beta in [(0, 0), (1, 5e-6), (20_000, 0.1), (39_999, 0.199995), (40_000, 0.2), (46_799, 0.2)]:
        loss = network.loss(rows, step_at(update))
        assert number(loss.parts["beta"]) == pytest.approx(beta, rel=1e-9)
        assert loss.total.item() == pytest.approx(number(loss.parts["nll"]) + beta * number(loss.parts["kl"]), rel=1e-6)


def test_f07_beta_never_climbs_above_its_cap(rows: Rows) -> None:
    network = network_of(MultVAE.paper(latent=4, hidden=(6,), anneal=0.5, beta=0.3))
    betas = [number(network.loss(rows, step_at(update, total=200)).parts["beta"]) for update in range(0, 200, 3)]
    assert betas == pytest.approx([min(0.3, 0.3 * update / 100) for update in range(0, 200, 3)])


def test_f12_beta_rises_with_every_update_not_with_every_epoch() -> None:
    """12 rows in batches of 3 are 4 updates an epoch; the history holds their mean."""
    rows = rows_of(matrix(12, WIDTH))
    network = network_of(MultVAE.paper(latent=4, hidden=(6,), epochs=3, batch_size=3, beta=0.2, anneal=0.75))
    history = network.learn(rows, Run(device="cpu"))
    betas = [min(0.2, 0.2 * update / 9) for update in range(12)]
    assert [measured["beta"] for measured in history] == pytest.approx(
        [np.mean(betas[:4]), np.mean(betas[4:8]), np.mean(betas[8:])]
    )


def test_f06_f10_f15_scores_are_the_mean_codes_without_noise_or_dropout(rows: Rows) -> None:
    """Scores are equal from call to call, also of a network in training mode."""
    histories = matrix(12, WIDTH)
    network = network_of(MultVAE.paper(latent=4, hidden=(6,))).train()
    slow, x = SlowNetwork(network.encoder, network.decoder), dense64(rows)
    expected = slow.decoded(slow.encoded(on_the_sphere(x))[:, :4]).detach().float()
    popularity = torch.arange(WIDTH).float()
    expected[rows.lengths == 0] = popularity
    for _ in range(3):
        ((_, scores),) = score_blocks(network.train(), histories, popularity)
        torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(network.train()(rows), network.eval()(rows))


def test_f06_f15_scores_do_not_depend_on_the_size_of_the_batch() -> None:
    histories = matrix(300, WIDTH)
    network = network_of(MultVAE.paper(latent=4, hidden=(6,)))
    popularity = torch.arange(WIDTH).float()
    ((_, at_once),) = score_blocks(network, histories, popularity)
    for size in (1, 7, 100):
        batches = [
            next(score_blocks(network, histories[start : start + size], popularity))[1] for start in range(0, 300, size)
        ]
        torch.testing.assert_close(torch.cat(batches), at_once, rtol=1e-5, atol=1e-6)


def test_the_length_of_a_history_does_not_matter_only_its_direction(rows: Rows) -> None:
    network = network_of(MultVAE.paper(latent=4, hidden=(6,)))
    with torch.no_grad():
        torch.testing.assert_close(network(rows), network(rows.with_values(rows.values * 7)), rtol=1e-5, atol=1e-6)


def test_a_block_of_items_is_decoded_like_the_whole(rows: Rows) -> None:
    network = network_of(MultVAE.paper(latent=4, hidden=(6,)))
    with torch.no_grad():
        z = network.encode(rows)
        torch.testing.assert_close(network.decode(z, slice(3, 9)), network.decode(z)[:, 3:9])


def test_an_items_vector_is_its_row_of_the_output_layer() -> None:
    network = network_of(MultVAE.paper(latent=4, hidden=(6,)))
    assert network.item_vectors() is network.decoder.output.weight
    assert network.item_vectors().shape == (WIDTH, 6)


def test_the_same_seed_gives_the_same_model_to_the_bit_on_two_threads_too() -> None:
    """The data are large enough for matrix products to use both threads."""
    rows = rows_of(matrix(400, 700, density=0.05))
    states = []
    for _ in range(2):
        network = network_of(MultVAE.paper(latent=64, hidden=(200,), epochs=2, batch_size=200), width=700)
        with cpu_threads(2):
            network.learn(rows, Run(device="cpu", seed=3))
        states.append(network.state_dict())
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
