"""CEASE against its paper: EASE on the interactions with item features as additional rows."""

import numpy as np
import torch

from recsys_ae.models.cease import CEASE, CEASENetwork
from recsys_ae.nn.model import Shape
from recsys_ae.nn.runtime import Run
from tests.nn.small import matrix, rows_of

L2, WEIGHT = 3.0, 2.5
N_ITEMS, N_FEATURES = 9, 4
INTERACTIONS = matrix(30, N_ITEMS, density=0.4, kind="ones")
FEATURES = np.random.default_rng(5).normal(size=(N_ITEMS, N_FEATURES)).astype(np.float32)


def fitted() -> CEASENetwork:
    network = CEASE(l2=L2, weight=WEIGHT).build(Shape(30, N_ITEMS, features=N_FEATURES))
    network.start_from(torch.from_numpy(FEATURES), torch.arange(N_ITEMS))
    network.learn(rows_of(INTERACTIONS), Run(device="cpu"))
    return network


def stacked(features: np.ndarray, n_new: int = 0) -> np.ndarray:
    """Return X above √ω T (eq. 5), with a column of zeros in X for each cold item."""
    x = np.hstack([INTERACTIONS.toarray(), np.zeros((30, n_new))])
    return np.vstack([x, np.sqrt(WEIGHT) * features.T.astype(np.float64)])


def ease(rows: np.ndarray) -> np.ndarray:
    """Return B with B_ij = −P_ij / P_jj off the diagonal, P = (RᵀR + λI)⁻¹."""
    inverse = np.linalg.inv(rows.T @ rows + L2 * np.eye(rows.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_the_weights_are_those_of_ease_on_interactions_above_weighted_features() -> None:
    expected = INTERACTIONS.toarray() @ ease(stacked(FEATURES))
    with torch.inference_mode():
        scores = fitted()(rows_of(INTERACTIONS)).numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_a_cold_item_is_scored_by_its_column_in_ease_with_that_item() -> None:
    """EASE minimises each column on its own, so the ridge regression of the new column on the others is its column."""
    cold = np.random.default_rng(6).normal(size=(1, N_FEATURES)).astype(np.float32)
    rows = stacked(np.vstack([FEATURES, cold]), n_new=1)
    inputs, target = rows[:, :N_ITEMS], rows[:, N_ITEMS]
    expected = np.linalg.solve(inputs.T @ inputs + L2 * np.eye(N_ITEMS), inputs.T @ target)
    np.testing.assert_allclose(ease(rows)[:N_ITEMS, N_ITEMS], expected, rtol=1e-9)
    actual = fitted().weights_of(torch.from_numpy(cold)).numpy()
    np.testing.assert_allclose(actual[0], expected, rtol=1e-4, atol=1e-6)
