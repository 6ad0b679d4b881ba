"""Metrics compared with trec_eval's, by pytrec_eval: user by user, on random lists and on MovieLens."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys_ae.metrics import per_user

pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec_eval is not installed")

SAME = {
    "ndcg@10": "ndcg_cut_10",
    "precision@10": "P_10",
    "recall_all@10": "recall_10",
    "map_all@10": "map_cut_10",
    "hit@10": "success_10",
    "mrr@50": "recip_rank",
}
"""Metrics that trec_eval has, too; its reciprocal rank has no cut-off."""


def of_trec_eval(top: np.ndarray, targets: csr_matrix) -> dict[str, np.ndarray]:
    """Return the values of each user by trec_eval, which orders items by their scores."""
    wanted = {f"u{row}": {f"i{item}": 1 for item in targets[row].indices} for row in range(len(top))}
    ranked = {
        f"u{row}": {f"i{item}": float(-rank) for rank, item in enumerate(items[items >= 0])}
        for row, items in enumerate(top)
    }
    found = pytrec_eval.RelevanceEvaluator(wanted, set(SAME.values())).evaluate(ranked)
    return {ours: np.array([found[f"u{row}"][theirs] for row in range(len(top))]) for ours, theirs in SAME.items()}


def random_case(seed: int) -> tuple[np.ndarray, csr_matrix]:
    generator = np.random.default_rng(seed)
    top = np.argsort(generator.random((200, 80)), axis=1)[:, :50]
    dense = generator.random((200, 80)) < generator.uniform(0.02, 0.4, (200, 1))
    dense[:, 0] = True
    return top, csr_matrix(dense.astype(np.float32))


@pytest.mark.parametrize("seed", range(3))
def test_random_lists_have_the_values_of_trec_eval(seed: int) -> None:
    top, targets = random_case(seed)
    measured = per_user(top, targets, list(SAME))
    for name, expected in of_trec_eval(top, targets).items():
        np.testing.assert_allclose(measured[name], expected, rtol=1e-6, atol=1e-6, err_msg=name)


def test_recall_and_map_differ_in_what_they_are_divided_by() -> None:
    top, targets = random_case(7)
    measured, counts = per_user(top, targets, ["recall@10", "map@10"]), np.diff(targets.indptr)
    theirs = of_trec_eval(top, targets)
    for name, same in (("recall@10", "recall_all@10"), ("map@10", "map_all@10")):
        np.testing.assert_allclose(measured[name], theirs[same] * counts / np.minimum(counts, 10), rtol=1e-6)
