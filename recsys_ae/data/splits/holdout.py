"""What a split is made of: the users a model is judged on, and the parts of a split."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.interactions import Ids, Interactions, Step
from recsys_ae.data.parsing import shown
from recsys_ae.errors import DataError


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
    fingerprint
        That of the split it belongs to, where it does.
    """

    histories: csr_matrix
    targets: csr_matrix
    users: Ids
    unknown: int = 0
    fingerprint: str | None = None

    def select(self, positions: np.ndarray) -> "Holdout":
        """Return the rows at ``positions``; ``unknown`` stays that of the whole."""
        return dataclasses.replace(
            self, histories=self.histories[positions], targets=self.targets[positions], users=self.users[positions]
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Training data, validation users and test users.

    ``fingerprint`` is a hash of all ids and entries: two numbers are comparable only if theirs are equal.
    """

    train: Interactions
    valid: Holdout | None
    test: Holdout | None
    fingerprint: str

    @classmethod
    def of(cls, train: Interactions, valid: Holdout | None, test: Holdout | None) -> "Split":
        """Put the parts together; a part with nothing in it is refused."""
        if train.nnz == 0:
            raise DataError("no interaction is left to train on; hold out less")
        for name, part in (("validation", valid), ("test", test)):
            if part is not None and part.targets.nnz == 0:
                lost = f"; the only {part.unknown:,} are on items unknown to training" if part.unknown else ""
                raise DataError(
                    f"the {len(part.users):,} {name} users have no target{lost}: "
                    "hold out more, or keep only users with more interactions"
                )
        parts: list[Ids | csr_matrix | None] = [train.users, train.items, train.matrix]
        for part in (valid, test):
            parts += [None] if part is None else [part.users, part.histories, part.targets]
        own = fingerprint(*parts)
        valid, test = (part and dataclasses.replace(part, fingerprint=own) for part in (valid, test))
        return cls(train, valid, test, own)


def training_part(data: Interactions, train: Interactions, name: str, *, items: Ids | None = None) -> Interactions:
    """Return ``train`` without untouched users and, unless ``items`` says otherwise, untouched items.

    What ``data`` had more is recorded in ``steps`` under ``name``.
    """
    users = np.flatnonzero(np.diff(train.matrix.indptr))
    if len(users) < train.shape[0]:
        train = train.select_users(users)
    items = touched(train) if items is None else items
    train = train if items.equals(train.items) else train.onto(items)
    return dataclasses.replace(train, steps=(*data.steps, Step(name, data.counts, train.counts)))


def touched(data: Interactions) -> Ids:
    """Return the items with at least one interaction, in their order."""
    return data.items[np.bincount(data.matrix.indices, minlength=data.shape[1]) > 0]


def hold_out(data: Interactions, history: np.ndarray, target: np.ndarray, items: Ids) -> Holdout:
    """Make a holdout of all users from two disjoint masks, ``(nnz,)``; items not among ``items`` are left out."""
    column = items.get_indexer(data.items)
    unknown = int(np.count_nonzero(column[data.matrix.indices[target]] < 0))
    histories, targets = (_selected(data.matrix, mask, column, len(items)) for mask in (history, target))
    return Holdout(histories, targets, data.users, unknown)


def _selected(matrix: csr_matrix, mask: np.ndarray, column: np.ndarray, n_items: int) -> csr_matrix:
    """Return the entries under a mask, moved to new columns; those with column -1 are left out."""
    columns = column[matrix.indices]
    keep = mask & (columns >= 0)
    indptr = np.append(0, np.cumsum(keep))[matrix.indptr]
    selected = csr_matrix((matrix.data[keep], columns[keep], indptr), shape=(matrix.shape[0], n_items))
    selected.sort_indices()
    return selected


def histories_of(data: Interactions, users: Ids) -> csr_matrix:
    """Return the rows of these users, ``(len(users), n_items)``; the row of a user who is not in the data is empty."""
    matrix = data.matrix
    # One empty row more, which position -1, an unknown user, then finds.
    indptr = np.append(matrix.indptr, matrix.nnz)
    padded = csr_matrix((matrix.data, matrix.indices, indptr), shape=(matrix.shape[0] + 1, matrix.shape[1]))
    return padded[data.users.get_indexer(users)]


def given_test(train: Interactions, test: Interactions, read: Interactions | None = None) -> Holdout:
    """Make a holdout of the users of a test part, with their histories from a training part.

    ``read`` is the training part before filters took users away: the histories then come from it, on the items of
    ``train``.
    """
    nothing = np.zeros(test.nnz, dtype=bool)
    alone = hold_out(test, nothing, ~nothing, train.items)
    if alone.targets.nnz == 0:
        raise DataError(
            f"no item of the test part is in the training part: ids of items are such as {shown(train.items[0])} in "
            f"training and such as {shown(test.items[0])} in test"
        )
    histories = histories_of(train if read is None else read.onto(train.items), test.users)
    both = _entries(histories).multiply(_entries(alone.targets)).tocoo()
    if both.nnz:
        user, item = shown(test.users[both.row[0]]), shown(train.items[both.col[0]])
        raise DataError(
            f"{both.nnz:,} pairs of user and item are in both the training and the test part, such as user {user} and "
            f"item {item}; remove them from one of the parts"
        )
    return dataclasses.replace(alone, histories=histories)


def _entries(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz, dtype=bool), matrix.indices, matrix.indptr), shape=matrix.shape)
