"""Item kNN against its formula, written out densely, and against the package implicit."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys_ae.models.item_knn import ItemKNN
from tests.fidelity.counted import DATA, UNKNOWN, Float, learnt, scores


def _similarities(data: csr_matrix, spec: ItemKNN) -> Float:
    """Return all similarities of items: dense, without neighbourhoods, and 0 on the diagonal."""
    x = data.toarray().astype(np.float64)
    n_items = x.shape[1]
    idf = np.log(n_items) - np.log(1 + (x != 0).sum(axis=1))
    if spec.weighting == "cosine":
        weighted = x
    elif spec.weighting == "tfidf":
        weighted = np.sqrt(x) * idf[:, None]
    else:
        size = 1 - spec.b + spec.b * x.sum(axis=0) / x.sum(axis=0).mean()
        with np.errstate(invalid="ignore"):
            weighted = np.nan_to_num(x * (spec.k1 + 1) / (spec.k1 * size + x)) * idf[:, None]
    if spec.weighting != "bm25":
        weighted = weighted / np.maximum(np.linalg.norm(weighted, axis=0), 1e-300)
    result: Float = weighted.T @ weighted
    np.fill_diagonal(result, 0)
    return result


def _largest(table: Float, k: int) -> Float:
    result = np.zeros_like(table)
    for row, values in enumerate(table):
        best = np.argsort(-values)[:k]
        result[row, best] = values[best]
    return result


SPECS = [
    ItemKNN.paper(weighting="cosine"),
    ItemKNN.paper(weighting="tfidf"),
    ItemKNN.paper(weighting="bm25"),
    ItemKNN.paper(weighting="bm25", k1=20.0, b=0.1),
]


@pytest.mark.parametrize("k", [1, 4, 13, 500])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_knn_adds_up_the_largest_similarities(spec: ItemKNN, k: int) -> None:
    spec = ItemKNN.paper(weighting=spec.weighting, neighbors=k, k1=spec.k1, b=spec.b)
    expected = UNKNOWN.toarray() @ _largest(_similarities(DATA, spec), k)
    actual = scores(learnt(spec), UNKNOWN)
    assert (expected > 0).any()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.filterwarnings("ignore:Method expects CSR input")
def test_knn_scores_unseen_items_like_implicit(weighting: str) -> None:
    """The K of implicit counts the item itself, which is its own nearest neighbour; ours does not."""
    from implicit import nearest_neighbours as implicit

    recommenders = {
        "cosine": implicit.CosineRecommender(K=6, num_threads=1),
        "tfidf": implicit.TFIDFRecommender(K=6, num_threads=1),
        "bm25": implicit.BM25Recommender(K=6, K1=1.2, B=0.75, num_threads=1),
    }
    theirs = recommenders[weighting]
    theirs.fit(DATA, show_progress=False)
    assert (np.diff(theirs.similarity.toarray()[:-1].argmax(axis=1)) == 1).all()
    table = scores(learnt(ItemKNN.paper(weighting=weighting, neighbors=5)), UNKNOWN)  # type: ignore[arg-type]
    for user in range(UNKNOWN.shape[0]):
        items, expected = theirs.recommend(user, UNKNOWN[user], N=14)
        unseen = ~np.isin(items, UNKNOWN[user].indices)
        assert unseen.any()
        np.testing.assert_allclose(table[user, items[unseen]], expected[unseen], rtol=1e-5, atol=1e-6)
