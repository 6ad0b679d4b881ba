"""RecVAE against its paper, and against mistakes that other packages make (F1, F6, F8)."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

from recsys_ae.models.recvae import RecVAE, RecVAENetwork, composite_prior
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run, seeded
from recsys_ae.nn.threads import cpu_threads
from recsys_ae.nn.training.steps import Step
from tests.fidelity.slow import dense64, dropped, negative_log_likelihood, on_the_sphere
from tests.nn.small import copy_of, matrix, rows_of

WIDTH, LATENT = 17, 4
ENCODER_PASS, DECODER_PASS = 1, 4

Leaves = dict[str, Tensor]


def network_of(width: int = WIDTH, **chosen: Any) -> RecVAENetwork:
    with seeded(1):
        network = RecVAE.paper(**{"latent": LATENT, "width": 6, **chosen}).build(Shape(50, width))
        for parameter in network.parameters():
            if parameter.ndim == 1:  # biases near 0 and scales of 1 would hide a missing one
                nn.init.normal_(parameter, mean=0.3, std=0.3)
    return network.train()


def watch_codes(network: RecVAENetwork, codes: list[Tensor]) -> None:
    """Record the codes that the loss of the output layer reads."""
    nll = network.decoder.nll
    network.decoder.nll = lambda z, *args: codes.append(z) or nll(z, *args)  # type: ignore[method-assign, func-returns-value]


def move(network: RecVAENetwork) -> None:
    """Change the encoder since the beginning of the epoch, as updates do."""
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def ready(network: RecVAENetwork, rows: Rows, epoch: int) -> RecVAENetwork:
    """Begin an epoch as training does, with all training rows at hand."""
    network._rows = rows
    for past_epoch in range(1, epoch + 1):
        network.begin_epoch(past_epoch)
    return network


def step_at(update: int = 0, seed: int = 4) -> Step:
    return Step(update, 100, torch.Generator().manual_seed(seed))


def number(value: Tensor | float) -> float:
    return value.item() if isinstance(value, Tensor) else value


def leaves_of(module: nn.Module) -> Leaves:
    return {name: parameter.detach().double().requires_grad_() for name, parameter in module.named_parameters()}


def slow_encoder(leaves: Leaves, x: Tensor, layers: int, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and log-variance after layers h_k = LN(swish(W_k h_{k−1} + Σ_{j<k} h_j))."""
    hidden: list[Tensor] = []
    for k in range(layers):
        name = f"0.deeper.{k - 1}" if k else "0.input"
        weight = leaves[f"{name}.weight"].T if k else leaves[f"{name}.weight"]
        sums = (hidden[-1] if k else x) @ weight + leaves[f"{name}.bias"]
        for earlier in hidden:
            sums = sums + earlier
        swish = sums * torch.sigmoid(sums)
        normed = (swish - swish.mean(dim=1, keepdim=True)) / (swish.var(dim=1, keepdim=True, correction=0) + eps).sqrt()
        hidden.append(normed * leaves[f"0.norms.{k}.weight"] + leaves[f"0.norms.{k}.bias"])
    output = hidden[-1] @ leaves["1.weight"].T + leaves["1.bias"]
    return output[:, :LATENT], output[:, LATENT:]


def log_normal(z: Tensor, mean: Tensor | float, variance: Tensor | float) -> Tensor:
    variance = torch.as_tensor(variance, dtype=torch.float64)
    return -0.5 * torch.log(2 * math.pi * variance) - (z - mean) ** 2 / (2 * variance)


def assert_gradients(module: nn.Module, leaves: Leaves) -> None:
    for name, parameter in module.named_parameters():
        expected = leaves[name].grad
        assert parameter.grad is not None
        assert expected is not None
        assert expected.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad.double(), expected, rtol=1e-3, atol=1e-5, msg=name)


@pytest.fixture
def rows() -> Rows:
    return rows_of(matrix(12, WIDTH))


@pytest.fixture
def batch(rows: Rows) -> Rows:
    """Return some of the rows in another order, among them the first one, which is empty."""
    return rows.take(torch.tensor([9, 0, 4, 7, 1, 2, 8]))


@pytest.mark.parametrize(("layers", "eps"), [(5, 1e-5), (2, 0.1), (1, 1e-5)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("gamma", [0.005, 0.3])
def test_f08_the_loss_of_an_encoder_pass_and_its_gradients_are_the_papers(
    layers: int, eps: float, dropout: float, gamma: float, rows: Rows, batch: Rows
) -> None:
    """The loss is −Σ_i x_i log π_i + γ Σ_i x_i Σ_d (log q(z_d) − log p(z_d)), with one z for both terms."""
    network = network_of(layers=layers, ln_eps=eps, dropout=dropout, gamma=gamma)
    ready(network, rows, ENCODER_PASS)
    old = leaves_of(network.encoder)
    move(network)
    encoder, decoder = leaves_of(network.encoder), leaves_of(network.decoder)
    step = step_at()
    draws = copy_of(step.generator)
    loss = network.loss(batch, step)
    loss.total.backward()

    x = dense64(batch)
    corrupted = dropped(on_the_sphere(x), dropout, batch, draws) if dropout else on_the_sphere(x)
    mean, log_variance = slow_encoder(encoder, corrupted, layers, eps)
    z = mean + torch.randn(7, LATENT, generator=draws).double() * torch.exp(log_variance).sqrt()
    nll = negative_log_likelihood(z @ decoder["weight"].T + decoder["bias"], x)
    with torch.no_grad():
        old_mean, old_log_variance = slow_encoder(old, on_the_sphere(x), layers, eps)
    prior = (
        3 / 20 * log_normal(z, 0, 1).exp()
        + 3 / 4 * log_normal(z, old_mean, old_log_variance.exp()).exp()
        + 1 / 10 * log_normal(z, 0, math.exp(10)).exp()
    )
    kl = (log_normal(z, mean, log_variance.exp()) - prior.log()).sum(dim=1)
    total = nll + (gamma * x.sum(dim=1) * kl).mean()
    total.backward()

    assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)
    assert number(loss.parts["nll"]) == pytest.approx(nll.item(), rel=1e-5)
    assert number(loss.parts["kl"]) == pytest.approx(kl.mean().item(), rel=1e-4)
    assert_gradients(network.encoder, encoder)
    assert all(parameter.grad is None for parameter in network.decoder.parameters())
    # Nothing else was drawn: one mask and one z.
    assert torch.equal(step.generator.get_state(), draws.get_state())


def test_f08_the_loss_of_a_decoder_pass_reads_whole_rows_and_has_no_kl(rows: Rows, batch: Rows) -> None:
    network = network_of(dropout=0.5)
    ready(network, rows, DECODER_PASS)
    encoder, decoder = leaves_of(network.encoder), leaves_of(network.decoder)
    step = step_at()
    draws = copy_of(step.generator)
    loss = network.loss(batch, step)
    loss.total.backward()

    x = dense64(batch)
    with torch.no_grad():
        mean, log_variance = slow_encoder(encoder, on_the_sphere(x), 5, 1e-5)
        z = mean + torch.randn(7, LATENT, generator=draws).double() * torch.exp(log_variance).sqrt()
    nll = negative_log_likelihood(z @ decoder["weight"].T + decoder["bias"], x)
    nll.backward()
    assert loss.total.item() == pytest.approx(nll.item(), rel=1e-5)
    assert set(loss.parts) == {"nll"}
    assert_gradients(network.decoder, decoder)
    assert all(parameter.grad is None for parameter in network.encoder.parameters())
    assert torch.equal(step.generator.get_state(), draws.get_state())


@pytest.mark.parametrize(("epoch", "runs"), [(ENCODER_PASS, 1), (DECODER_PASS, 0)])
def test_only_the_pass_that_trains_the_encoder_runs_it_and_once(epoch: int, runs: int, rows: Rows) -> None:
    """Neither the old posterior nor the codes of a decoder pass are computed again for each update."""
    network, codes, calls = network_of(), list[Tensor](), list[Any]()
    ready(network, rows, epoch)
    network.encoder.get_submodule("0.input").register_forward_pre_hook(lambda _, args: calls.append(args[0]))
    watch_codes(network, codes)
    network.loss(rows, step_at())
    assert len(calls) == runs
    assert [code.requires_grad for code in codes] == [epoch == ENCODER_PASS]


def test_the_composite_prior_is_a_mixture_in_each_dimension() -> None:
    rng = np.random.default_rng(0)
    z, mean, log_variance = 3 * rng.normal(size=(3, 20, LATENT))
    expected = np.log(
        3 / 20 * norm.pdf(z)
        + 3 / 4 * norm.pdf(z, mean, np.exp(log_variance / 2))
        + 1 / 10 * norm.pdf(z, 0, np.exp(10 / 2))
    )
    actual = composite_prior(*(torch.from_numpy(values).float() for values in (z, mean, log_variance)))
    assert actual.shape == (20, LATENT)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_composite_prior_of_a_code_far_off_is_finite() -> None:
    far = torch.tensor([[1e4]])
    density = composite_prior(far, torch.zeros(1, 1), torch.zeros(1, 1))
    assert density.item() == pytest.approx(math.log(0.1) + norm.logpdf(1e4, 0, math.exp(5)), rel=1e-5)


def test_the_kl_of_each_user_is_weighted_with_the_sum_of_the_row(rows: Rows) -> None:
    network = network_of(gamma=0.02)
    ready(network, rows, ENCODER_PASS)
    sums = set()
    for user in range(1, 4):
        row = rows.take(torch.tensor([user]))
        loss = network.loss(row, step_at())
        penalty = loss.total.item() - number(loss.parts["nll"])
        assert penalty == pytest.approx(0.02 * row.values.sum().item() * number(loss.parts["kl"]), rel=1e-3)
        sums.add(row.values.sum().item())
    assert len(sums) > 1


@pytest.mark.parametrize(("encoder_epochs", "decoder_epochs"), [(3, 1), (1, 2)])
def test_encoder_and_decoder_learn_in_turn(encoder_epochs: int, decoder_epochs: int, rows: Rows) -> None:
    network = network_of(encoder_epochs=encoder_epochs, decoder_epochs=decoder_epochs, epochs=8, batch_size=5)
    seen = [leaves_of(network)]

    def validate() -> dict[str, float]:
        seen.append(leaves_of(network))
        return {"ndcg@100": 0.0}

    with cpu_threads(1):
        history = network.learn(rows, Run(device="cpu"), validate)
    for epoch in range(1, 9):
        before, after = seen[epoch - 1], seen[epoch]
        changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
        of_encoder = (epoch - 1) % (encoder_epochs + decoder_epochs) < encoder_epochs
        assert changed == {"encoder" if of_encoder else "decoder"}, epoch
        assert ("kl" in history[epoch - 1]) == of_encoder


def test_the_old_posterior_is_the_encoders_of_rows_without_dropout_at_the_last_change_of_turns(rows: Rows) -> None:
    network = network_of(dropout=0.9)
    network._rows = rows
    expected = torch.empty(0)
    for epoch in range(1, 10):
        network.begin_epoch(epoch)
        if epoch in (1, 4, 8):
            posterior = slow_encoder(leaves_of(network.encoder), on_the_sphere(dense64(rows)), 5, 1e-5)
            assert not torch.equal(torch.cat(posterior, dim=1), expected)
            expected = torch.cat(posterior, dim=1)
        assert not network._old.requires_grad
        torch.testing.assert_close(network._old.double(), expected, rtol=1e-4, atol=1e-5)
        network.loss(rows, step_at())
        if network.trains_encoder:
            move(network)


def test_the_old_posteriors_are_no_part_of_the_state_and_go_when_all_is_learnt(rows: Rows) -> None:
    network = network_of(epochs=2, batch_size=5)
    names = set(network.state_dict())
    assert names == {name for name, _ in network.named_parameters()}
    ready(network, rows, ENCODER_PASS)
    assert set(network.state_dict()) == names
    network.learn(rows, Run(device="cpu"))
    assert network._old.numel() == 0
    assert not hasattr(network, "_rows")
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_one_optimizer_is_the_papers_two(rows: Rows) -> None:
    """The moments and the step count of a frozen weight do not change."""
    network, twin = network_of(epochs=9, batch_size=5), network_of(epochs=9, batch_size=5)
    with cpu_threads(1):
        network.learn(rows, Run(device="cpu", seed=3))

        generator = Run(device="cpu", seed=3).generator()
        for_encoder = torch.optim.Adam(twin.encoder.parameters(), lr=5e-4)
        for_decoder = torch.optim.Adam(twin.decoder.parameters(), lr=5e-4)
        twin._rows = rows
        for epoch in range(1, 10):
            twin.begin_epoch(epoch)
            optimizer = for_decoder if epoch % 4 == 0 else for_encoder
            for positions in torch.split(torch.randperm(12, generator=generator), 5):
                optimizer.zero_grad()
                torch.autograd.backward(twin.loss(rows.take(positions), Step(0, 1, generator)).total)
                optimizer.step()
    for (name, actual), expected in zip(network.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("epoch", [ENCODER_PASS, DECODER_PASS])
def test_f01_noise_has_unit_deviation(epoch: int, rows: Rows) -> None:
    """With mean 0 and log-variance 0, what the decoder reads is standard normal."""
    network, codes = network_of(latent=500), list[Tensor]()
    watch_codes(network, codes)
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.zero_()
        ready(network, rows, epoch).loss(rows, step_at())
    assert codes[0].std().item() == pytest.approx(1, abs=0.04)
    assert codes[0].mean().item() == pytest.approx(0, abs=0.06)


def test_f06_scoring_is_deterministic_and_from_the_mean_of_the_whole_row(rows: Rows) -> None:
    network = network_of(dropout=0.9)
    ready(network, rows, ENCODER_PASS)
    expected, _ = slow_encoder(leaves_of(network.encoder), on_the_sphere(dense64(rows)), 5, 1e-5)
    for mode in (True, False):
        network.train(mode)
        codes = network.encode(rows)
        torch.testing.assert_close(codes.double(), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(network(rows), network(rows))
    scores = network.decode(codes)
    torch.testing.assert_close(scores, codes @ network.decoder.weight.T + network.decoder.bias)
    torch.testing.assert_close(network.decode(codes, slice(3, 9)), scores[:, 3:9])


def test_f06_inputs_have_length_1_before_entries_are_dropped(rows: Rows) -> None:
    network, inputs = network_of(), list[Rows]()
    ready(network, rows, ENCODER_PASS)
    network.encoder.get_submodule("0.input").register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    network.loss(rows, step_at())
    normalised, values = rows.normalised().values, inputs[0].values
    assert 0 < (values == 0).sum() < len(values)
    torch.testing.assert_close(values[values != 0], 2 * normalised[values != 0])


def test_the_defaults_and_the_shapes_are_the_papers() -> None:
    spec = RecVAE.paper()
    assert (spec.width, spec.layers, spec.latent, spec.dropout, spec.ln_eps) == (600, 5, 200, 0.5, 1e-5)
    assert (spec.encoder_epochs, spec.decoder_epochs, spec.epochs / 4) == (3, 1, 50)
    assert (spec.lr, spec.batch_size, spec.gamma, spec.l2, spec.optimizer) == (5e-4, 500, 0.005, 0, "adam")
    shapes = [tuple(parameter.shape) for parameter in spec.build(Shape(1000, 70)).parameters() if parameter.ndim > 1]
    assert sorted(shapes) == sorted([(70, 600), *4 * [(600, 600)], (400, 600), (70, 200)])


def test_weights_and_biases_start_uniform_by_the_number_of_inputs() -> None:
    with seeded(3):
        network = RecVAE.paper(latent=100, width=300).build(Shape(10, 700))
    starts = {"encoder.0.input": 700, "encoder.0.deeper.3": 300, "encoder.1": 300, "decoder": 100}
    for name, inputs in starts.items():
        layer, bound = network.get_submodule(name), 1 / math.sqrt(inputs)
        for values in (layer.weight, layer.bias):
            assert isinstance(values, Tensor)
            assert 0.95 * bound < values.abs().max().item() <= bound, name
            assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1), name
