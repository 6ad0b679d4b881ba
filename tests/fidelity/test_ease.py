"""EASE against the general inverse and against its own optimality condition."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.errors import TrainingError
from recsys_ae.models.ease import EASE, EASENetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from recsys_ae.ranking.rank import score_blocks
from recsys_ae.recommender.recommender import Recommender
from tests.models.blocks import holdout, training_data
from tests.nn.small import matrix, rows_of

DATA = matrix(60, 12, seed=2, density=0.3)


def learnt(spec: EASE, data: csr_matrix = DATA) -> EASENetwork:
    network = spec.build(Shape(*data.shape))
    assert network.learn(rows_of(data), Run(device="cpu")) == []
    return network


def _by_inverse(data: csr_matrix, l2: float) -> NDArray[np.float64]:
    """Return B with B_ij = −P_ij / P_jj, P = (XᵀX + λI)⁻¹ (eq. 8)."""
    x = data.toarray().astype(np.float64)
    p = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    b = np.array([[-p[i, j] / p[j, j] for j in range(len(p))] for i in range(len(p))])
    np.fill_diagonal(b, 0)
    return b


@pytest.mark.parametrize("l2", [0.5, 20.0, 500.0])
def test_the_weights_are_those_of_the_formula(l2: float) -> None:
    weights = learnt(EASE.paper(l2=l2)).weights
    np.testing.assert_allclose(weights.numpy(), _by_inverse(DATA, l2), rtol=1e-5, atol=1e-8)
    assert weights.diagonal().tolist() == [0] * 12
    assert weights.dtype == torch.float32


def test_the_weights_minimise_the_loss_under_a_diagonal_of_zero() -> None:
    """The gradient of ‖X − XB‖² + λ‖B‖² vanishes everywhere but on the diagonal (eq. 3 to 5)."""
    x, b = DATA.toarray().astype(np.float64), learnt(EASE.paper(l2=20.0)).weights.double().numpy()
    gradient = 2 * (x.T @ (x @ b - x) + 20 * b)
    outside = gradient[~np.eye(12, dtype=bool)]
    np.testing.assert_allclose(outside, 0, atol=1e-3)
    assert np.abs(gradient.diagonal()).min() > 1


def test_f19_lambda_is_500_by_default() -> None:
    assert EASE.paper() == EASE.paper(l2=500.0, dtype="float64")


def test_f19_negative_weights_are_kept() -> None:
    """The paper shows that clipping them hurts."""
    weights = learnt(EASE.paper(l2=0.5)).weights
    expected = _by_inverse(DATA, 0.5)
    assert ((weights < 0).numpy() == (expected < 0)).all()
    assert (expected < 0).sum() > 20


def test_f21_scores_are_the_history_times_the_weights_not_their_transpose() -> None:
    network = learnt(EASE.paper(l2=0.5))
    b = _by_inverse(DATA, 0.5)
    history = csr_matrix(np.eye(12, dtype=np.float32)[3] + 2 * np.eye(12, dtype=np.float32)[7]).reshape(1, 12)
    ((_, scores),) = score_blocks(network, csr_matrix(history), torch.zeros(12))
    np.testing.assert_allclose(scores[0].numpy(), b[3] + 2 * b[7], rtol=1e-5, atol=1e-6)
    assert np.abs((b[3] + 2 * b[7]) - (b[:, 3] + 2 * b[:, 7])).max() > 0.1


def test_single_precision_makes_the_same_lists_on_well_conditioned_data() -> None:
    data = training_data()
    histories = holdout(data).histories
    lists = {}
    for dtype in ("float64", "float32"):
        model = Recommender(EASE.paper(l2=50.0, dtype=dtype)).fit(data, run=Run(device="cpu"))  # type: ignore[arg-type]
        lists[dtype] = model.recommend(histories, k=32)
    np.testing.assert_array_equal(lists["float64"].items[:, :4], lists["float32"].items[:, :4])
    np.testing.assert_allclose(lists["float64"].scores[:, :28], lists["float32"].scores[:, :28], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_items_that_always_occur_together_need_a_penalty(dtype: str) -> None:
    twins = csr_matrix(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], np.float32))
    with pytest.raises(TrainingError, match=r"l2 = 0\.0 is too small to invert the items' Gram matrix; raise it"):
        learnt(EASE.paper(l2=0.0, dtype=dtype), twins)  # type: ignore[arg-type]
    assert learnt(EASE.paper(l2=0.1, dtype=dtype), twins).weights[0, 1] > 0.9  # type: ignore[arg-type]


def test_blocks_of_scores_are_columns_of_the_product() -> None:
    network = learnt(EASE.paper(l2=0.5))
    z = network.encode(rows_of(DATA))
    assert torch.equal(network.decode(z, slice(2, 5)), network(rows_of(DATA))[:, 2:5])
    assert network.item_vectors() is network.weights
