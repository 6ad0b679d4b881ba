"""ALS against its formula, written out densely, and against the package implicit."""

import numpy as np
import pytest
import torch

from recsys_ae.models.als import ALS
from tests.fidelity.counted import DATA, UNKNOWN, Float, learnt, scores
from tests.nn.small import rows_of


def _als_user(factors: Float, values: Float, alpha: float, l2: float) -> Float:
    """Return (VᵀCV + λI)⁻¹ VᵀCp (Hu, Koren, Volinsky 2008, eq. 4)."""
    confidence = np.where(values != 0, np.abs(alpha * values), 1)
    preference = (values > 0).astype(np.float64)
    left = factors.T @ np.diag(confidence) @ factors + l2 * np.eye(factors.shape[1])
    return np.linalg.solve(left, factors.T @ (confidence * preference))


@pytest.mark.parametrize("alpha", [0.5, 5.0])
def test_als_solves_each_user_by_the_formula(alpha: float) -> None:
    network = learnt(ALS.paper(latent=5, l2=0.7, alpha=alpha))
    factors = network.item_vectors().double().numpy()
    expected = [_als_user(factors, row, alpha, 0.7) for row in UNKNOWN.toarray().astype(np.float64)]
    with torch.inference_mode():
        actual = network.encode(rows_of(UNKNOWN)).numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(scores(network, UNKNOWN), expected @ factors.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_als_scores_users_like_implicit(sign: int) -> None:
    """In histories a negative value is a dislike, for which implicit has its own rules."""
    from implicit.cpu.als import AlternatingLeastSquares

    histories = UNKNOWN.copy()
    histories.data[::3] *= sign
    network = learnt(ALS.paper(latent=5, l2=0.7, alpha=3.0, iterations=6), seed=4)
    theirs = AlternatingLeastSquares(5, 0.7, 3.0, iterations=6, num_threads=1, random_state=4)
    theirs.fit(DATA, show_progress=False)
    items, expected = theirs.recommend(
        np.arange(9), histories, N=14, filter_already_liked_items=False, recalculate_user=True
    )
    actual = np.take_along_axis(scores(network, histories), items.astype(np.int64), axis=1)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(network.item_vectors().numpy(), theirs.item_factors)


def test_als_ends_where_items_and_users_solve_each_other() -> None:
    """At the end of the alternation each item's factors are the solution for the users' vectors, too."""
    network = learnt(ALS.paper(latent=3, l2=2.0, alpha=4.0, iterations=300))
    factors = network.item_vectors().double().numpy()
    table = DATA.toarray().astype(np.float64)
    users = np.array([_als_user(factors, row, 4.0, 2.0) for row in table])
    again = np.array([_als_user(users, column, 4.0, 2.0) for column in table.T])
    assert np.abs(factors).max() > 0.3
    np.testing.assert_allclose(again, factors, atol=2e-4)
