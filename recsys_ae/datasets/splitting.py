"""Splits: what a model may learn from, what it is chosen on, and what it is judged on."""

from dataclasses import dataclass

from scipy.sparse import csr_matrix

from recsys_ae.datasets.interactions import Ids, Interactions


@dataclass(frozen=True, eq=False)
class Holdout:
    """Users to judge a model on: what it is shown of each, and what it should find.

    Attributes
    ----------
    histories, targets
        ``(n, n_items)`` float32 CSR over the items of the training data; no pair stands in both.
    users
        The ids of the rows.
    unknown
        How many target interactions were left out because no training user has touched their item.
    """

    histories: csr_matrix
    targets: csr_matrix
    users: Ids
    unknown: int = 0


@dataclass(frozen=True, eq=False)
class Split:
    """Training data, validation users and test users.

    ``fingerprint`` is a hash of all ids and entries: two numbers are comparable only if theirs are equal.
    """

    train: Interactions
    valid: Holdout | None
    test: Holdout | None
    fingerprint: str
