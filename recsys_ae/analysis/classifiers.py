"""Where scikit-learn is: the classifiers that say what a code is worth."""

from importlib import import_module
from typing import Any

import numpy as np

from recsys_ae.errors import DataError, MissingPackageError

ITERATIONS = 1000


def scikit_learn(part: str) -> Any:
    """Import a part of scikit-learn, such as ``linear_model``, or say what to do without it."""
    try:
        return import_module(f"sklearn.{part}")
    except ImportError as error:
        raise MissingPackageError("classifying needs the package scikit-learn: pip install scikit-learn") from error


def logistic_regression(rows: np.ndarray, labels: np.ndarray, *, strength: float = 1.0) -> Any:
    """Fit a multinomial logistic regression to columns scaled to deviation 1; ``strength`` is 1 / the L2 penalty."""
    pipeline, scaling, linear = map(scikit_learn, ("pipeline", "preprocessing", "linear_model"))
    made = pipeline.make_pipeline(
        scaling.StandardScaler(), linear.LogisticRegression(C=strength, max_iter=ITERATIONS, random_state=0)
    )
    return made.fit(rows, labels)


def checked(rows: np.ndarray, labels: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rows ``(n, width)`` and their labels ``(n,)``, or say why they are none."""
    rows, labels = np.asarray(rows), np.asarray(labels)
    if rows.ndim != 2 or labels.shape != (len(rows),) or not len(rows):
        raise DataError(
            f"{what} of shape {rows.shape} and labels of shape {labels.shape}: expected (n, width) and (n,)"
        )
    return rows, labels
