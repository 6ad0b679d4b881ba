"""Masked autoencoder with a bottleneck: only the code reaches the decoder, and no hidden token enters it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_ae import FeatureEncoder, Features, Run
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.models import Masked
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.runtime import seeded
from recsys_ae.nn.training.steps import Step
from tests.features.models.curves import images, table

CPU = Run(device="cpu")
FORMS = pytest.mark.parametrize("form", [(1, 6, 6), ()])
SMALL: dict[str, Any] = {
    "code": "bottleneck", "latent": 3, "width": 8, "decoder": 8, "heads": 2, "patch": 2, "depth": 1,
}  # fmt: skip


def network_of(form: tuple[int, ...], **chosen: Any) -> Any:
    with seeded(0):
        spec = Masked(**{**SMALL, **chosen})
        return spec.build(FeatureShape(4, int(np.prod(form)) if form else 9, form)).eval()


def rows_of(form: tuple[int, ...], seed: int = 0) -> FeatureRows:
    width = int(np.prod(form)) if form else 9
    values = torch.rand(4, width, generator=torch.Generator().manual_seed(seed))
    return FeatureRows(values, Scaling(width), form)


def step() -> Step:
    return Step(0, 10, torch.Generator().manual_seed(0))


def places_read(network: Any, x: FeatureRows) -> list[Tensor]:
    """Return the positions of the tokens that the encoder reads, for each call by the loss."""
    seen: list[Tensor] = []
    plain = network._encoded
    network._encoded = lambda tokens, places: seen.append(places) or plain(tokens, places)
    network.loss(x, step())
    del network._encoded
    return seen


@FORMS
def test_rows_come_back_by_way_of_their_codes_alone(form: tuple[int, ...]) -> None:
    network, x = network_of(form), rows_of(form)
    codes = network.encode(x)
    assert codes.shape == (4, 3)
    torch.testing.assert_close(network(x), network.decode(codes))
    assert network(x).shape == x.seen.shape
    same = network.decode(codes[:1].expand(4, -1))
    torch.testing.assert_close(same, same[:1].expand(4, -1))


@FORMS
def test_a_code_of_visible_tokens_has_never_seen_the_others(form: tuple[int, ...]) -> None:
    network, x = network_of(form), rows_of(form)
    seen, tokens = places_read(network, x)[0], network._tokens(x.seen)
    places = seen.unsqueeze(2).expand(-1, -1, network.size)
    changed = torch.full_like(tokens, 1e3).scatter(1, places, tokens.gather(1, places))
    codes = [network._code(network._encoded(one, seen), seen) for one in (tokens, changed)]
    assert torch.equal(*codes)
    other = tokens + 1
    assert not torch.allclose(network._code(network._encoded(other, seen), seen), codes[0])


@FORMS
def test_the_loss_is_that_of_hidden_tokens_and_that_of_whole_rows(form: tuple[int, ...]) -> None:
    network, x = network_of(form, whole=0.5), rows_of(form)
    (seen, everything), tokens = places_read(network, x), network._tokens(x.seen)
    assert seen.shape == (4, 2)  # of 9
    assert everything[0].tolist() == list(range(9))
    hidden = torch.ones(4, 9).scatter(1, seen, 0.0).bool()
    guess = network._unfolded(network._code(network._encoded(tokens, seen), seen))
    error = (guess - tokens).square().mean(dim=2)[hidden].mean()
    whole = (network(x) - x.seen).square().mean()
    loss = network.loss(x, step())
    assert loss.total.item() == pytest.approx((error + 0.5 * whole).item(), rel=1e-5)
    assert loss.parts["whole"].item() == pytest.approx(whole.item(), rel=1e-5)
    blind = network_of(form, whole=0.0)
    assert len(places_read(blind, x)) == 1
    assert set(blind.loss(x, step()).parts) == {"error"}


def test_a_code_is_the_mean_of_what_each_visible_token_gives() -> None:
    """The code is the mean of the linear maps of the positions, plus one bias."""
    network, x = network_of(()), rows_of(())
    seen = torch.tensor([[1, 4]]).expand(4, -1)
    encoded = network._encoded(network._tokens(x.seen), seen)
    weights = network.to_code.weight.reshape(3, 9, 8)
    given = torch.stack([encoded[:, 0] @ weights[:, 1].T, encoded[:, 1] @ weights[:, 4].T])
    expected = 9 * given.mean(dim=0) + network.to_code.bias
    torch.testing.assert_close(network._code(encoded, seen), expected)


def test_what_is_missing_carries_no_loss() -> None:
    network = network_of(())
    rows = torch.rand(4, 9, generator=torch.Generator().manual_seed(0))
    rows[:, :3] = torch.nan
    seen, everything = places_read(network, FeatureRows(rows, Scaling(9), holes=True))
    assert (seen >= 3).all()
    assert everything.shape == (4, 9)
    tokens = network._tokens(rows.nan_to_num())
    whole = (network(FeatureRows(rows, Scaling(9), holes=True)) - rows).square()[:, 3:].mean()
    loss = network.loss(FeatureRows(rows, Scaling(9), holes=True), step())
    assert loss.parts["whole"].item() == pytest.approx(whole.item(), rel=1e-5)
    assert tokens.shape == (4, 9, 1)


@pytest.mark.parametrize("made", [images, table])
def test_it_learns_and_comes_back_from_its_folder(made: Any, tmp_path: Path) -> None:
    features: Features = made(80)
    spec = Masked(**{**SMALL, "patch": 3, "latent": 4}, epochs=60, batch_size=20, lr=0.01, lr_schedule="cosine")
    model = FeatureEncoder(spec).fit(features, run=CPU)
    unseen: Features = made(40, 2)
    rows = np.asarray(unseen.matrix)
    assert model.error(unseen) < 0.5 * np.sqrt(np.square(rows - rows.mean(axis=0)).mean())
    middle = model.interpolate(unseen.take(np.arange(2)), 3)
    np.testing.assert_allclose(
        np.asarray(middle.matrix)[[0, 2]], np.asarray(model.reconstruct(unseen).matrix)[:2], rtol=1e-4, atol=1e-5
    )
    model.save(tmp_path / "model")
    again = FeatureEncoder.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(again.encode(unseen).matrix, model.encode(unseen).matrix)


def test_what_a_code_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match="width = 6 must be a multiple of heads = 4"):
        Masked(code="bottleneck", width=6)
    with pytest.raises(ConfigError, match="normalise = True needs code = 'mean'"):
        Masked(code="bottleneck", normalise=True)
    assert Masked(code="bottleneck", latent=7, heads=2, width=8).token == 8
    assert Masked(latent=12).token == 12


def test_normalised_targets_need_tokens_of_several_values() -> None:
    """The deviation of a token of one value is 0 / 0."""
    shapes = (FeatureShape(10, 12, ()), FeatureShape(10, 36, (1, 6, 6)))
    for shape in shapes:
        with pytest.raises(DataError, match="normalise = True needs tokens of several values"):
            Masked(normalise=True, patch=1).check(shape)
    Masked(normalise=True, patch=2).check(shapes[1])
    Masked(normalise=True, patch=1).check(FeatureShape(10, 108, (3, 6, 6)))


def test_a_code_as_long_as_a_row_is_remarked_unless_whole_rows_are_never_read() -> None:
    shape = FeatureShape(4, 9, ())
    assert "can learn to copy" in Masked(**{**SMALL, "latent": 9}).remarks(shape)[0]
    assert not Masked(**{**SMALL, "latent": 9, "whole": 0.0}).remarks(shape)
    assert not Masked(latent=12).remarks(shape)
