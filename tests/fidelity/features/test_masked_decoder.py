"""Masked autoencoder: the decoder's positions, and the groups by which tokens are reconstructed."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_ae.features.models import Masked
from recsys_ae.features.nn.contract import FeatureShape
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Scaling
from recsys_ae.nn.runtime import seeded

FORMS = pytest.mark.parametrize("form", [(1, 8, 8), ()])


def network_of(form: tuple[int, ...], **chosen: Any) -> Any:
    with seeded(0):
        spec = Masked(**{"latent": 8, "width": 8, "decoder": 8, "heads": 2, "patch": 2, "depth": 1, **chosen})
        network = spec.build(FeatureShape(3, _width(form), form)).eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)  # so that every part shows in the output
    return network


def _width(form: tuple[int, ...]) -> int:
    return int(np.prod(form)) if form else 16


def rows_of(form: tuple[int, ...]) -> FeatureRows:
    values = torch.rand(3, _width(form), generator=torch.Generator().manual_seed(0))
    return FeatureRows(values, Scaling(_width(form)), form)


def guesses(network: Any, tokens: Tensor, seen: list[int]) -> Tensor:
    """Predict all tokens from those at the positions ``seen``, token by token (He et al. 2022, section 3)."""
    encoded = network._encoded(tokens, torch.tensor([seen]).expand(len(tokens), -1))
    placed = []
    for place in range(16):
        known = network.narrow(encoded[:, seen.index(place)]) if place in seen else network.hidden.expand(3, -1)
        placed.append(known + network.decoder_places[place])
    decoded = network.decoder(torch.stack(placed, dim=1))
    maps = [network.out[place if len(network.out) > 1 else 0] for place in range(16)]
    return torch.stack([decoded[:, place] @ maps[place] for place in range(16)], dim=1)


@FORMS
def test_hidden_tokens_are_told_apart_by_their_positions(form: tuple[int, ...]) -> None:
    network, x = network_of(form), rows_of(form)
    tokens, seen = network._tokens(x.seen), [11, 2, 7, 5]
    places = torch.tensor([seen]).expand(3, -1)
    found = network._guessed(network._encoded(tokens, places), places)
    torch.testing.assert_close(found, guesses(network, tokens, seen), rtol=1e-4, atol=1e-5)
    if form:  # patches share the map to their pixels, so only positions make their guesses differ
        hidden = [place for place in range(16) if place not in seen]
        assert torch.pdist(found[0, hidden]).min() > 0.01


def test_codes_of_a_bottleneck_are_decoded_with_positions() -> None:
    network = network_of((1, 8, 8), code="bottleneck", latent=3)
    z = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    tokens = (z @ network.from_code.weight.T + network.from_code.bias).reshape(3, 16, 8) + network.decoder_places
    right = network._rows(network.decoder(tokens) @ network.out[0])
    torch.testing.assert_close(network.decode(z), right, rtol=1e-4, atol=1e-5)


@FORMS
@pytest.mark.parametrize(("ratio", "groups"), [(0.75, 4), (0.5, 2), (0.9, 8)])
def test_a_reconstruction_sees_as_many_tokens_as_the_training(form: tuple[int, ...], ratio: float, groups: int) -> None:
    """Each token is the mean of its predictions from the groups without it, of the size visible in the training."""
    network, x = network_of(form, ratio=ratio), rows_of(form)
    assert network.visible == 16 // groups
    tokens = network._tokens(x.seen)
    by_group = [guesses(network, tokens, list(range(group, 16, groups))) for group in range(groups)]
    right = torch.empty_like(tokens)
    for place in range(16):
        others = [by_group[group][:, place] for group in range(groups) if group != place % groups]
        right[:, place] = torch.stack(others).mean(dim=0)
    torch.testing.assert_close(network(x), network._rows(right), rtol=1e-4, atol=1e-5)
