"""Test models whose rating errors are known, and holdouts of ratings."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae.data.splits.split import Holdout


class Rater:
    """Model that predicts the true rating plus ``off``, ranks by it, and records its calls."""

    def __init__(self, ratings: np.ndarray, off: np.ndarray | float = 0.0) -> None:
        self.predicted = ratings + off
        self.asked: list[str] = []
        self.knows_users = False
        self.rows_of: list[object] | None = None

    def predict(
        self, histories: csr_matrix, pairs: tuple[np.ndarray, np.ndarray], *, users: "pd.Index[str] | None" = None
    ) -> np.ndarray:
        self.asked.append("predict")
        self.rows_of = None if users is None else users.tolist()
        rows = np.arange(len(self.predicted)) if users is None else [int(user.split()[1]) for user in users]
        return np.asarray(self.predicted[rows][pairs], np.float32)

    def recommend(
        self,
        histories: csr_matrix,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        users: "pd.Index[str] | None" = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(f"recommend {k}")
        items = np.argsort(-self.predicted[: histories.shape[0]], axis=1, kind="stable")[:, :k]
        return items, np.take_along_axis(self.predicted, items, axis=1)


def ratings(n_users: int = 120, n_items: int = 30, seed: int = 0) -> np.ndarray:
    """Return ``(n_users, n_items)`` ratings from 1 to 5; 0 is no rating. Users have from one to nearly all ratings."""
    rng = np.random.default_rng(seed)
    counts = np.clip((rng.lognormal(1.5, 0.9, n_users)).astype(int), 1, n_items - 2)
    matrix = np.zeros((n_users, n_items))
    for user, count in enumerate(counts):
        matrix[user, rng.permutation(n_items)[:count]] = rng.integers(1, 6, count)
    return matrix


def holdout(targets: np.ndarray, fingerprint: str | None = None) -> Holdout:
    users = pd.Index([f"user {number}" for number in range(len(targets))])
    nothing = csr_matrix(np.zeros_like(targets, np.float32))
    return Holdout(nothing, csr_matrix(targets.astype(np.float32)), users, 0, fingerprint)
