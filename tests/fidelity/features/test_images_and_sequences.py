"""Autoencoders of images and sequences against their papers and against common mistakes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.models import Convolutional, Masked, Recurrent
from recsys_ae.features.models.recurrent import backwards
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.convolution import halved
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.steps import Step

CPU = Run(device="cpu")


def step() -> Step:
    return Step(0, 10, torch.Generator().manual_seed(0))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def made(spec: Any, n: int, width: int, form: tuple[int, ...]) -> Any:
    with seeded(0):
        return spec.build(FeatureShape(n, width, form)).eval()


# Convolutions


@pytest.mark.parametrize("down", ["strided", "pooled"])
@pytest.mark.parametrize("up", ["transposed", "unpooled"])
@pytest.mark.parametrize("form", [(1, 7, 5), (3, 9, 12), (2, 28, 28), (1, 13, 4)])
def test_what_comes_back_has_the_size_of_what_went_in(down: Any, up: Any, form: tuple[int, int, int]) -> None:
    width = int(np.prod(form))
    network = made(Convolutional(latent=3, channels=(4, 5), down=down, up=up), 2, width, form)
    x = FeatureRows(random(2, width), Scaling(width), form)
    sides = halved(form[1:], 2)
    assert network.down(x.seen.reshape(2, *form)).shape == (2, 5, *sides[-1])
    assert network.encode(x).shape == (2, 3)
    assert network(x).shape == (2, width)


@pytest.mark.parametrize("width", [4, 7, 30])
def test_a_tables_columns_are_one_channel_in_a_row(width: int) -> None:
    network = made(Convolutional(latent=3, channels=(4, 5)), 2, width, ())
    x = FeatureRows(random(2, width), Scaling(width))
    assert isinstance(network.down[0].convolution, torch.nn.Conv1d)
    assert network(x).shape == (2, width)


def test_an_image_that_cannot_be_halved_that_often_is_refused() -> None:
    message = r"3 × 20 cannot be halved 3 times: after 2 times a side is 1; give channels at most 2 numbers"
    with pytest.raises(DataError, match=message):
        Convolutional(channels=(4, 4, 4)).check(FeatureShape(2, 60, (1, 3, 20)))


def test_the_kinds_of_code_are_what_they_are_called() -> None:
    x = FeatureRows(random(5, 63), Scaling(63), (1, 7, 9))
    plain = made(Convolutional(latent=3, channels=(4,)), 5, 63, (1, 7, 9))
    noisy = made(Convolutional(latent=3, channels=(4,), code="denoising", level=0.5), 5, 63, (1, 7, 9))
    random_code = made(Convolutional(latent=3, channels=(4,), code="variational"), 5, 63, (1, 7, 9))
    assert plain.loss(x, step()).total.item() == pytest.approx((plain(x) - x.seen).square().sum(dim=1).mean().item())
    assert noisy.loss(x, step()).total.item() != pytest.approx((noisy(x) - x.seen).square().sum(dim=1).mean().item())
    assert {"error", "kl", "beta"} == set(random_code.loss(x, step()).parts)
    assert random_code.encode(x).shape == random_code.draw(5, torch.Generator()).shape == (5, 3)


# Sequences


LENGTHS = torch.tensor([1, 3, 4, 6])


def sequences(padding: float, seed: int = 0) -> FeatureRows:
    """Return four sequences of up to 6 steps of 2 numbers, followed by ``padding``."""
    values = random(4, 6, 2, seed=seed)
    values[torch.arange(6) >= LENGTHS[:, None]] = padding
    return FeatureRows(values.reshape(4, 12), Scaling(12), (6, 2), LENGTHS)


def recurrent(**chosen: Any) -> Any:
    return made(Recurrent(latent=3, hidden=5, **chosen), 4, 12, (6, 2))


def test_the_target_is_the_reversed_sequence() -> None:
    steps = torch.arange(1.0, 7).expand(4, 6).unsqueeze(2)
    turned = backwards(steps, LENGTHS).squeeze(2)
    assert turned[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert turned[1].tolist() == [3, 2, 1, 4, 5, 6]
    assert turned[3].tolist() == [6, 5, 4, 3, 2, 1]
    torch.testing.assert_close(backwards(backwards(steps, LENGTHS), LENGTHS), steps)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_loss_compares_what_is_written_first_with_the_last_step(cell: Any) -> None:
    network, x = recurrent(cell=cell), sequences(0)
    written = network._written(network.encode(x), None)
    values, total = x.seen.reshape(4, 6, 2), 0.0
    for row, length in enumerate(LENGTHS.tolist()):
        for place in range(length):
            total += (written[row, place] - values[row, length - 1 - place]).square().sum().item()
    assert network.loss(x, step()).total.item() == pytest.approx(total / 4, rel=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("chosen", [{}, {"conditional": True}, {"bidirectional": True, "repeated": True}])
def test_padding_carries_no_loss_and_no_code(cell: Any, chosen: dict[str, Any]) -> None:
    network = recurrent(cell=cell, **chosen)
    one, other = sequences(0), sequences(1e6)
    torch.testing.assert_close(network.encode(one), network.encode(other))
    for a, b in zip(_gradients(network, one), _gradients(network, other), strict=True):
        torch.testing.assert_close(a, b)
    assert (network(one).reshape(4, 6, 2)[torch.arange(6) >= LENGTHS[:, None]] == 0).all()


def _gradients(network: Any, x: FeatureRows) -> list[Tensor]:
    network.zero_grad()
    torch.autograd.backward(network.loss(x, step()).total)
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


def test_a_conditional_decoder_is_told_the_step_before_and_else_nothing() -> None:
    """A change of the input of one step changes the outputs after that step, and none before."""
    network, z = recurrent(conditional=True), random(1, 3)
    taught = random(1, 6, 2)
    other = taught.clone()
    other[0, 2] += 5
    first, second = network._written(z, taught), network._written(z, other)
    assert torch.equal(first[0, :3], second[0, :3])
    assert not torch.allclose(first[0, 3:], second[0, 3:])
    free = recurrent(conditional=False)
    assert torch.equal(free._written(z, None), free._written(z, None))


def test_an_untaught_conditional_decoder_reads_what_it_has_written() -> None:
    network, z = recurrent(conditional=True), random(2, 3)
    written = network._written(z, None)
    torch.testing.assert_close(network._written(z, written), written)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_second_reader_reads_each_sequence_from_its_own_end(cell: Any) -> None:
    """With the same weights, its part of the code is that of the first reader on the reversed sequence."""
    network, x = recurrent(cell=cell, bidirectional=True), sequences(0)
    for name, weight in network.reader.named_parameters():
        if name.endswith("_reverse"):
            weight.data.copy_(network.reader.get_parameter(name.removesuffix("_reverse")))
    to_code = network.to_code.weight.data
    to_code[:, 5:] = to_code[:, :5]  # equal weights for both readers, so that a reversal changes nothing
    turned = FeatureRows(backwards(x.seen.reshape(4, 6, 2), LENGTHS).flatten(1), Scaling(12), (6, 2), LENGTHS)
    torch.testing.assert_close(network.encode(turned), network.encode(x))
    one_way = recurrent(cell=cell)
    assert not torch.allclose(one_way.encode(turned)[1:], one_way.encode(x)[1:])


def test_a_repeated_code_reaches_every_step_without_the_state() -> None:
    """If the first state does not depend on the code, only a repeated code changes the steps."""
    for repeated in (False, True):
        network = recurrent(repeated=repeated)
        network.from_code.weight.data.zero_()
        first, second = network._written(random(1, 3), None), network._written(random(1, 3, seed=1), None)
        changed = (first - second).abs().sum(dim=2)[0] > 1e-6
        assert changed.tolist() == [repeated] * 6


def test_a_taught_decoder_with_a_repeated_code_reads_what_it_would_have_written() -> None:
    network, z = recurrent(conditional=True, repeated=True), random(2, 3)
    written = network._written(z, None)
    torch.testing.assert_close(network._written(z, written), written)


def test_sequences_without_a_step_are_refused() -> None:
    with pytest.raises(DataError, match=r"1 of 2 sequences have a length that is not 1 to 3, the first 0 of 'b'"):
        Features(np.zeros((2, 6)), pd.Index(["a", "b"]), pd.RangeIndex(6), (3, 2), np.array([2, 0]))


# Masks


def masked(form: tuple[int, ...] = (1, 6, 6), **chosen: Any) -> Any:
    spec = Masked(**{"latent": 8, "decoder": 8, "heads": 2, "patch": 2, "depth": 1, **chosen})
    width = int(np.prod(form)) if form else 9
    return made(spec, 4, width, form)


def tokens_seen(network: Any, x: FeatureRows) -> Tensor:
    """Return the visible tokens of a batch, as the loss draws them."""
    seen: list[Tensor] = []
    plain = network._encoded
    network._encoded = lambda tokens, places: seen.append(places) or plain(tokens, places)
    network.loss(x, step())
    del network._encoded
    return seen[0]


@pytest.mark.parametrize("form", [(1, 6, 6), (3, 4, 6), ()])
def test_tokens_are_patches_or_columns_and_come_together_again(form: tuple[int, ...]) -> None:
    network = masked(form)
    width = int(np.prod(form)) if form else 9
    rows = random(4, width)
    tokens = network._tokens(rows)
    torch.testing.assert_close(network._rows(tokens), rows)
    if form == (1, 6, 6):
        torch.testing.assert_close(tokens[:, 1], rows.reshape(4, 6, 6)[:, :2, 2:4].reshape(4, 4))


@pytest.mark.parametrize("form", [(1, 8, 8), ()])
def test_three_quarters_of_the_tokens_are_hidden(form: tuple[int, ...]) -> None:
    width = 64 if form else 16
    spec = Masked(latent=8, decoder=8, heads=2, patch=2, depth=1)
    network = made(spec, 4, width, form)
    seen = tokens_seen(network, FeatureRows(random(4, width), Scaling(width), form))
    assert seen.shape == (4, 4)  # of 16
    assert not torch.equal(seen[0], seen[1])  # each row has its own


@pytest.mark.parametrize("form", [(1, 6, 6), ()])
def test_the_encoder_never_sees_a_masked_token(form: tuple[int, ...]) -> None:
    """A change of all hidden tokens changes no prediction."""
    network, width = masked(form), 36 if form else 9
    x = FeatureRows(random(4, width), Scaling(width), form)
    seen = tokens_seen(network, x)
    tokens = network._tokens(x.seen)
    changed = torch.full_like(tokens, 1e3).scatter(
        1,
        seen.unsqueeze(2).expand(-1, -1, network.size),
        tokens.gather(1, seen.unsqueeze(2).expand(-1, -1, network.size)),
    )
    assert torch.equal(network._encoded(tokens, seen), network._encoded(changed, seen))
    guesses = [network._guessed(network._encoded(one, seen), seen) for one in (tokens, changed)]
    assert torch.equal(*guesses)


def test_the_loss_is_that_of_the_hidden_tokens_only() -> None:
    network = masked()
    x = FeatureRows(random(4, 36), Scaling(36), (1, 6, 6))
    seen, tokens = tokens_seen(network, x), network._tokens(x.seen)
    guess = network._guessed(network._encoded(tokens, seen), seen)
    hidden = torch.ones(4, 9).scatter(1, seen, 0.0).bool()
    expected = (guess - tokens).square().mean(dim=2)[hidden].mean()
    assert network.loss(x, step()).total.item() == pytest.approx(expected.item(), rel=1e-5)


def test_normalised_targets_have_mean_0_and_deviation_1_in_each_patch() -> None:
    target = masked(normalise=True)._target(masked()._tokens(random(4, 36)))
    torch.testing.assert_close(target.mean(dim=2), torch.zeros(4, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.std(dim=2), torch.ones(4, 9), atol=1e-3, rtol=0)


def test_no_reconstructed_token_was_seen_by_its_guess() -> None:
    """A change of one token changes the reconstructions of others, but not its own."""
    network, rows = masked(()), random(1, 9)
    other = rows.clone()
    other[0, 4] += 3
    first, second = (network(FeatureRows(one, Scaling(9))) for one in (rows, other))
    torch.testing.assert_close(first[0, 4], second[0, 4])
    assert not torch.allclose(first, second)


def test_missing_values_are_hidden_and_carry_no_loss() -> None:
    network, rows = masked(()), random(4, 9)
    rows[:, :5] = torch.nan
    x = FeatureRows(rows, Scaling(9), holes=True)
    assert (tokens_seen(network, x) >= 5).all()
    filled = Scaling(9)
    filled.fill = torch.full((9,), 7.0)
    other = FeatureRows(rows, filled, holes=True)
    assert network.loss(x, step()).total.item() == pytest.approx(network.loss(other, step()).total.item(), rel=1e-6)


def test_patches_that_do_not_fit_too_many_tokens_and_odd_heads_are_refused() -> None:
    with pytest.raises(DataError, match="6 × 9 pixels cannot be cut into patches of 4 × 4"):
        Masked().check(FeatureShape(2, 54, (1, 6, 9)))
    with pytest.raises(DataError, match="5,000 tokens, one for each column or patch, but masked reads 2 to 1,024"):
        Masked().check(FeatureShape(2, 5000, ()))
    with pytest.raises(ConfigError, match="latent = 6 must be a multiple of heads = 4"):
        Masked(latent=6)


def test_a_masked_model_of_a_table_learns_from_missing_values() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(200, 1)), 6, axis=1) + 0.05 * rng.normal(size=(200, 6))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    features = Features(rows, pd.RangeIndex(200), pd.RangeIndex(6))
    spec = Masked(latent=16, decoder=16, heads=2, depth=1, epochs=40, batch_size=50, lr=0.005, ratio=0.5)
    model = FeatureEncoder(spec).fit(features, run=CPU)
    assert model.error(features) < 0.5
