"""Item kNN: threads, neighbours, chunks, extreme values, and errors; tests/fidelity checks its formula."""

import sys

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import MissingPackageError, UnsupportedError
from recsys_ae.models.item_knn import ItemKNN, ItemKNNNetwork
from recsys_ae.nn.linear import neighbors
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import holdout, training_data
from tests.nn.small import matrix, rows_of


def learnt(spec: ItemKNN, data: csr_matrix, threads: int = 1) -> ItemKNNNetwork:
    network = ItemKNNNetwork(spec, Shape(*data.shape))
    network.learn(rows_of(data), Run(device="cpu", threads=threads))
    return network


def test_threads_do_not_change_a_bit() -> None:
    single, double = (learnt(ItemKNN(b=0.75, neighbors=5), matrix(40, 12), threads).state_dict() for threads in (1, 2))
    assert all(torch.equal(single[name], double[name]) for name in single)


def test_no_item_is_its_own_neighbour() -> None:
    """An item of the history is scored by the rest of the history, and scores 0 alone."""
    data = training_data()
    model = Recommender(ItemKNN()).fit(data, run=Run(device="cpu"))
    scores = model.score(csr_matrix(np.eye(32, dtype=np.float32)))
    assert (scores.diagonal() == 0).all()
    assert (scores > 0).sum() > 32


def test_neighbours_are_in_order_and_missing_ones_are_0() -> None:
    """The third item has one neighbour, the last has none."""
    data = csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], np.float32))
    network = learnt(ItemKNN.paper(neighbors=3), data)
    expected = [[2 / 6**0.5, 1 / 3**0.5, 0], [2 / 6**0.5, 1 / 2**0.5, 0], [1 / 2**0.5, 1 / 3**0.5, 0], [0, 0, 0]]
    np.testing.assert_allclose(network.similarities.numpy(), np.sort(expected, axis=1)[:, ::-1], rtol=1e-6)
    assert network.neighbors.tolist() == [[1, 2, 0], [0, 2, 0], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("cells", [1, 10, 2**22])
def test_scores_do_not_depend_on_how_the_work_is_cut(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = learnt(ItemKNN(b=0.75, neighbors=5), matrix(40, 12)), rows_of(matrix(40, 12))
    expected = network(rows)
    monkeypatch.setattr(neighbors, "CELLS", cells)
    assert torch.equal(network(rows), expected)


def test_only_as_many_places_are_held_as_there_are_other_items() -> None:
    assert learnt(ItemKNN(b=0.75, neighbors=500), matrix(40, 12)).neighbors.shape == (12, 11)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_a_user_with_all_items_but_one_does_no_harm(weighting: str) -> None:
    """Such a user has weight log 1 = 0 in tf-idf and BM25, and an item of no other user has norm 0."""
    data = csr_matrix(np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], np.float32))
    network = learnt(ItemKNN(b=0.75, weighting=weighting), data)  # type: ignore[arg-type]
    assert network.similarities.isfinite().all()
    assert (network.similarities[0] > 0).any()


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("factor", [1e-20, 1e30])
def test_values_of_any_size_give_finite_similarities(weighting: str, factor: float) -> None:
    network = learnt(ItemKNN(b=0.75, weighting=weighting), csr_matrix(matrix(40, 12) * np.float32(factor)))  # type: ignore[arg-type]
    assert network.similarities.isfinite().all()
    if weighting != "bm25":
        assert network.similarities.max() > 0.1


def test_items_are_alike_that_are_neighbours_or_have_the_same_ones() -> None:
    """Two items that have only each other are similar, though their neighbours differ."""
    data = csr_matrix(np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]], np.float32))
    vectors = torch.nn.functional.normalize(learnt(ItemKNN(b=0.75, neighbors=2), data).item_vectors(), dim=1)
    cosine = vectors @ vectors.T
    assert cosine[0, 1] > 0.99
    assert cosine[0, 2:].tolist() == [0, 0, 0]
    assert cosine[2, 3] > cosine[2, 4] > 0


def test_too_many_items_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Recommender(ItemKNN()).fit(training_data(), run=Run(device="cpu"))
    monkeypatch.setattr(neighbors, "free_memory", lambda device: 1000)
    with pytest.raises(
        UnsupportedError, match=r"needs 0\.0 GiB for the similarities of 32 items, and 0\.0 GiB are free"
    ):
        model.similar([0])


def test_values_count() -> None:
    data = training_data()
    model, histories = Recommender(ItemKNN()).fit(data, run=Run(device="cpu")), holdout(data).histories
    np.testing.assert_allclose(model.score(csr_matrix(histories * 3)), 3 * model.score(histories), rtol=1e-6)
    uneven = Interactions(csr_matrix(data.matrix.multiply(np.arange(1, 61)[:, None])), data.users, data.items)
    again = Recommender(ItemKNN()).fit(uneven, run=Run(device="cpu"))
    assert not np.allclose(again.score(histories), model.score(histories), rtol=0.01)


def test_without_implicit_an_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit", None)
    with pytest.raises(MissingPackageError, match="item_knn needs the package implicit; install it"):
        Recommender(ItemKNN()).fit(training_data())
