"""Predicted number of operations of a fit."""

import pytest
from scipy import sparse

from recsys_ae import models
from recsys_ae.nn.model import Shape, Stats

SMALL, LARGE = Shape(200, 100, 5), Shape(400, 300, 5)
WITHOUT = {"blend", "content_knn", "popularity"}


@pytest.mark.parametrize("name", sorted(set(models.names()) - WITHOUT))
def test_more_data_need_more_operations(name: str) -> None:
    spec = models.spec_class(name)().resolved(Stats(sparse.random_array((200, 100), density=0.2, format="csr", rng=0)))
    assert 0 < spec.operations(SMALL, 4_000) < spec.operations(LARGE, 20_000)


@pytest.mark.parametrize("name", ["mult_vae", "cdae", "autorec", "als", "bpr"])
def test_twice_the_passes_need_twice_the_operations(name: str) -> None:
    cls = models.spec_class(name)
    passes = "epochs" if hasattr(cls(), "epochs") else "iterations"
    once, twice = (cls(**{passes: n}).operations(SMALL, 4_000) for n in (5, 10))
    assert twice == pytest.approx(2 * once)
