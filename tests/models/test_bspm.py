"""BSPM on users and items without entries, its state and its chunks; tests/fidelity checks its formulas."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.models import bspm
from recsys_ae.models.bspm import BSPM, BSPMNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from tests.nn.small import matrix, rows_of
from tests.pretended.machine import pretended_gpu
from tests.pretended.machines import Machine, on_every_machine

DATA = matrix(60, 14, seed=3, density=0.3)
NOBODYS = 5
BARE = csr_matrix(DATA.toarray() * (np.arange(14) != NOBODYS))


def learnt(data: csr_matrix = DATA, latent: int = 6) -> BSPMNetwork:
    network = BSPM(latent=latent).build(Shape(*data.shape))
    network.learn(rows_of(data), Run(device="cpu"))
    return network


@pytest.mark.parametrize("latent", [6, 50])
def test_an_item_without_users_scores_0_and_changes_no_other(latent: int) -> None:
    network, others = learnt(BARE, latent), np.delete(np.arange(14), NOBODYS)
    scores = network(rows_of(DATA)).numpy()
    assert (scores[:, NOBODYS] == 0).all()
    expected = learnt(csr_matrix(BARE[:, others]), latent)(rows_of(csr_matrix(DATA[:, others]))).numpy()
    np.testing.assert_allclose(scores[:, others], expected, rtol=1e-5, atol=1e-5 * expected.max())
    assert network.item_vectors().isfinite().all()


def test_rows_without_entries_and_entries_of_zero_teach_nothing() -> None:
    expected = learnt()(rows_of(DATA))
    full = DATA[np.flatnonzero(DATA.getnnz(axis=1))]
    torch.testing.assert_close(learnt(full)(rows_of(DATA)), expected, rtol=1e-5, atol=1e-5)
    zero_row = csr_matrix((np.zeros(2, np.float32), [1, 3], [0, 2]), shape=(1, 14))
    zeros = csr_matrix(
        (np.r_[zero_row.data, full.data], np.r_[zero_row.indices, full.indices], np.r_[0, full.indptr + 2])
    )
    assert zeros.nnz == full.nnz + 2
    torch.testing.assert_close(learnt(zeros)(rows_of(DATA)), expected, rtol=1e-5, atol=1e-5)


def test_a_history_without_entries_scores_0() -> None:
    scores = learnt()(rows_of(DATA))
    assert (scores[0] == 0).all()
    assert (scores[1] != 0).any()


def test_of_a_graph_without_edges_everything_scores_0() -> None:
    network = learnt(csr_matrix(np.zeros((8, 14), np.float32)))
    assert (network(rows_of(DATA)) == 0).all()


@pytest.mark.parametrize("cells", [1, 200, 2**24])
def test_scores_do_not_depend_on_how_the_work_is_cut(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = learnt(), rows_of(DATA)
    expected = network(rows)
    monkeypatch.setattr(bspm, "CELLS", cells)
    torch.testing.assert_close(network(rows), expected, rtol=1e-5, atol=1e-6)


def test_the_state_grows_with_the_interactions_and_not_with_the_square_of_the_items() -> None:
    """The state has 8 bytes per edge, a vector and a root for each item, and an offset for each user."""
    state = learnt(matrix(60, 300, seed=1, density=0.02)).state_dict()
    edges = matrix(60, 300, seed=1, density=0.02).nnz
    assert sum(tensor.nbytes for tensor in state.values()) == 8 * edges + 4 * (61 + 300 + 6 + 300 * 6)


def test_another_graph_can_take_the_place_of_one_that_has_scored() -> None:
    """The cached transpose of the old graph is not used for the new one."""
    network, other = learnt(), learnt(matrix(60, 14, seed=8, density=0.5))
    network(rows_of(DATA))
    network.load_state_dict(other.state_dict())
    assert torch.equal(network(rows_of(DATA)), other(rows_of(DATA)))
    network.learn(rows_of(DATA), Run(device="cpu"))
    assert torch.equal(network(rows_of(DATA)), learnt()(rows_of(DATA)))


def on_gpu(rows: Rows) -> Rows:
    parts = (part.to("cuda:0") for part in (rows.indptr, rows.indices, rows.values))
    return Rows(*parts, rows.width, rows.positions.to("cuda:0"), rows.bounds)  # type: ignore[misc]


@on_every_machine
@pytest.mark.parametrize("cells", [200, 2**24])
@pytest.mark.parametrize("often", [0, 1e9])
@pytest.mark.parametrize(
    "chosen",
    [{}, {"sharpening": 0.0}, {"solver": "euler", "steps": 3, "sharpening": 0.7}, {"idl_beta": 0.0}, {"latent": 50}],
)
def test_both_ways_of_a_gpu_give_the_scores_of_the_cpu(
    chosen: dict[str, Any], often: float, cells: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, rows = BSPM(**{"latent": 6, **chosen}).build(Shape(60, 14)), rows_of(DATA)
    network.learn(rows_of(BARE), Run(device="cpu"))
    expected = network(rows)
    monkeypatch.setattr(bspm, "OFTEN", often)
    monkeypatch.setattr(bspm, "CELLS", cells)
    with machine() as record:
        network.to("cuda:0")
        there = on_gpu(rows)
        network._graph()  # the transpose of the graph is kept
        actual = network(there)
        assert (network._weights is not None) == (often > 0)
        # For the kind of the values, and for the bounds of the graph.
        assert record.count("wait") <= (2 if often else 0), record.listed("wait")
    torch.testing.assert_close(actual.cpu(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_the_dense_matrix_is_kept_for_few_rows_and_until_the_graph_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    other, rows = learnt(matrix(60, 14, seed=8, density=0.5)), rows_of(DATA)
    expected = other(rows)
    monkeypatch.setattr(bspm, "SPARSE", 1)
    with pretended_gpu():
        network, there = learnt().to("cuda:0"), on_gpu(rows)
        network(there.take(torch.arange(1, device="cuda:0")))
        assert network._weights is None
        monkeypatch.setattr(bspm, "SPARSE", 40)
        network(there)
        weights = network._weights
        assert weights is not None
        monkeypatch.setattr(bspm, "SPARSE", 0)
        network(there)
        assert network._weights is weights
        network.load_state_dict(other.state_dict())
        assert network._weights is None
        monkeypatch.setattr(bspm, "SPARSE", 40)
        actual = network(there)
        network.learn(there, Run(device="cuda"))
        assert network._weights is None
        network(there)
        network.to("cpu")
        network(rows)
        assert network._weights is None
    torch.testing.assert_close(actual.cpu(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("free", "dense"), [(6 * 4 * 14**2, True), (6 * 4 * 14**2 - 1, False), (None, True)])
def test_without_memory_for_the_dense_matrix_the_graph_is_used(
    free: int | None, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = learnt()
    monkeypatch.setattr(bspm, "OFTEN", 1e9)
    monkeypatch.setattr(bspm, "free_memory", lambda _: free)
    assert network._is_dense_faster(1) == dense


def test_the_dense_matrix_pays_for_many_rows_of_a_dense_graph() -> None:
    """On paper for ML-20M: the graph takes 1.4e9 multiplications of dense matrices for a row, the matrix 5.6e13."""
    network = BSPM(latent=448).build(Shape(116_677, 20_108))
    network.values = torch.empty(8_500_000, device="meta")
    rows = [n for n in (1, 1_000, 5_000, 8_000, 9_000, 13_350) if network._is_dense_faster(n)]
    assert rows == [9_000, 13_350]
