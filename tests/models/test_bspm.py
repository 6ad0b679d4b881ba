"""BSPM on users and items without entries, its state and its chunks; tests/fidelity checks its formulas."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.models import bspm
from recsys_ae.models.bspm import BSPM, BSPMNetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from tests.nn.small import matrix, rows_of

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
