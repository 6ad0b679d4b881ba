"""BPR against its objective, written out densely, and against the package implicit."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from recsys_ae.models.bpr import BPR, BPRNetwork
from tests.fidelity.counted import DATA, UNKNOWN, Float, learnt, scores
from tests.nn.small import rows_of


def _bpr_user(factors: Float, bias: Float, history: Float, l2: float) -> Float:
    """Return the s that maximises the mean of ln softmax(Vs + b) over the history, minus λ/2 ‖s‖²."""
    mean = factors[history != 0].mean(axis=0)

    def loss(s: Float) -> tuple[float, Float]:
        logits = factors @ s + bias
        value = logsumexp(logits) - s @ mean - bias[history != 0].mean() + l2 / 2 * s @ s
        return float(value), factors.T @ softmax(logits) - mean + l2 * s

    optimum: Float = minimize(loss, np.zeros(factors.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return optimum


@pytest.mark.parametrize("user_l2", [0.01, 0.2, 1.0])
def test_bpr_finds_the_vector_of_the_largest_likelihood(user_l2: float) -> None:
    network = learnt(BPR.paper(latent=5, lr=0.3, iterations=60, user_l2=user_l2))
    assert isinstance(network, BPRNetwork)
    factors, bias = network.item_factors.double().numpy(), network.item_bias.double().numpy()
    assert np.linalg.norm(factors, axis=1).max() > 0.5
    expected = np.array([_bpr_user(factors, bias, row, user_l2) for row in UNKNOWN.toarray()])
    with torch.inference_mode():
        actual = network.encode(rows_of(UNKNOWN)).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(actual, expected, atol=2e-3 * np.abs(expected).max())
    np.testing.assert_allclose(scores(network, UNKNOWN), expected @ factors.T + bias, atol=5e-3)


def test_bpr_has_the_items_of_implicit() -> None:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    network = learnt(BPR.paper(latent=5, lr=0.1, l2=0.02, iterations=7), seed=3)
    theirs = BayesianPersonalizedRanking(5, 0.1, 0.02, iterations=7, num_threads=1, random_state=3)
    theirs.fit(DATA, show_progress=False)
    assert isinstance(network, BPRNetwork)
    np.testing.assert_array_equal(network.item_factors.numpy(), theirs.item_factors[:, :5])
    np.testing.assert_array_equal(network.item_bias.numpy(), theirs.item_factors[:, 5])


def test_bpr_ranks_a_users_items_above_all_others() -> None:
    """The probability of that, which the updates raise (eq. 3 and section 4.1.1), approaches 1."""
    network = learnt(BPR.paper(latent=10, lr=0.2, l2=0.0, iterations=200, user_l2=0.001))
    table, positives = scores(network, DATA), DATA.toarray() != 0
    wins = [np.mean(row[items][:, None] > row[~items]) for row, items in zip(table, positives, strict=True)]
    assert np.mean(wins) > 0.9
