"""Classification of codes by their nearest neighbours."""

import numpy as np

from recsys_ae.errors import ConfigError
from recsys_ae.features.analysis.classifiers import checked, scikit_learn


def knn_accuracy(
    train_codes: np.ndarray, train_labels: np.ndarray, test_codes: np.ndarray, test_labels: np.ndarray, k: int = 5
) -> float:
    """Return the accuracy of the most frequent label of the k nearest training codes (Cover and Hart 1967)."""
    codes, labels = checked(train_codes, train_labels, "training codes")
    queries, expected = checked(test_codes, test_labels, "test codes")
    if not 1 <= k <= len(codes):
        raise ConfigError(f"k = {k} neighbours of {len(codes):,} training codes: expected 1 to {len(codes):,}")
    voting = scikit_learn("neighbors").KNeighborsClassifier(k).fit(codes, labels)
    return float(np.mean(voting.predict(queries) == expected))
