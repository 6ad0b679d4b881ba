"""Linear heads: scores, weights of cold items and item vectors from one pair of weights."""

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_ae import models
from recsys_ae.nn.head import LinearHead
from recsys_ae.nn.model import Shape
from tests.models.blocks import small
from tests.nn.small import matrix, rows_of

SHAPE = Shape(9, 7)


def networks() -> dict[str, LinearHead]:
    """Return an untrained network of each model with a linear head."""
    chosen = {"edlae": {"rank": 3}}
    built = {name: small(name, **chosen.get(name, {})).build(SHAPE) for name in models.names() if name != "blend"}
    return {name: network.eval() for name, network in built.items() if isinstance(network, LinearHead)}


NETWORKS = networks()
every_head = pytest.mark.parametrize("name", NETWORKS)


def test_these_models_have_a_linear_head() -> None:
    assert set(NETWORKS) == {
        "als", "autorec", "bpr", "cdae", "edlae", "hvamp", "mult_dae", "mult_vae", "recvae"
    }  # fmt: skip


@every_head
def test_an_item_s_weights_give_the_score_that_the_model_gives_it(name: str) -> None:
    network, rows = NETWORKS[name], rows_of(matrix())
    for parameter in [*network.parameters(), *network.buffers()]:
        if parameter.dtype.is_floating_point and parameter.ndim:
            torch.nn.init.normal_(parameter.data, std=0.3)
    if name == "autorec":
        network.rated.fill_(True)
    with torch.no_grad():
        codes = network.encode(rows) if name != "als" else torch.randn(9, network.spec.latent)
        scores = network.decode(codes)
        np.testing.assert_allclose(network.score_new(rows, codes, network.item_weights()), scores, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(network.decode(codes, slice(2, 5)), scores[:, 2:5], rtol=1e-4, atol=1e-4)


def test_a_capability_of_all_of_them_is_one_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method written once, on the head, works for every model that scores by item weights."""

    def scores_alone(self: LinearHead, item: int) -> Tensor:
        weight, bias = self.head()
        alone: Tensor = weight[item].square().sum() + (0 if bias is None else bias[item])
        return alone

    monkeypatch.setattr(LinearHead, "scores_alone", scores_alone, raising=False)
    for network in NETWORKS.values():
        assert network.scores_alone(3).shape == ()  # type: ignore[attr-defined]
