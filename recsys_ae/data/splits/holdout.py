"""Splits and holdouts: training data, and fold-in histories and targets of validation and test users."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.id_matching import match, mismatch
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.data.interactions import Ids, Interactions, Step
from recsys_ae.data.parsing import shown
from recsys_ae.errors import DataError


@dataclass(frozen=True, eq=False)
class Holdout:
    """Users to evaluate a model on: their fold-in histories and their targets.

    Attributes
    ----------
    histories, targets
        ``(n, n_items)`` float32 CSR with the items of the training data as columns; no pair is in both.
    users
        Ids of the rows.
    unknown
        Number of target interactions that were dropped because no training user has interacted with their item.
    fingerprint
        Fingerprint of the split, if the holdout belongs to one.
    remarks
        What was noticed when the ids of a given test part were compared with those of the training part.
    items
        Ids of the columns, if the holdout belongs to a split.
    """

    histories: csr_matrix
    targets: csr_matrix
    users: Ids
    unknown: int = 0
    fingerprint: str | None = None
    remarks: tuple[str, ...] = ()
    items: Ids | None = None

    def __post_init__(self) -> None:
        for name in ("histories", "targets"):
            matrix = canonical(getattr(self, name), f"{name} of the holdout")
            object.__setattr__(self, name, matrix)
        if self.histories.shape != self.targets.shape or len(self.users) != self.targets.shape[0]:
            raise DataError(
                f"a holdout has histories of shape {self.histories.shape}, targets of shape {self.targets.shape} and "
                f"{len(self.users):,} users; expected the same shape, and a user for each row"
            )
        if self.items is not None and len(self.items) != self.targets.shape[1]:
            raise DataError(
                f"a holdout has {self.targets.shape[1]:,} columns, but {len(self.items):,} items; expected an item for "
                "each column"
            )

    def select(self, positions: np.ndarray) -> "Holdout":
        """Return the rows at ``positions``; ``unknown`` remains that of all rows."""
        return dataclasses.replace(
            self, histories=self.histories[positions], targets=self.targets[positions], users=self.users[positions]
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Training data, validation users and test users.

    ``fingerprint`` is a hash of all ids and entries: metrics are comparable only if their fingerprints are equal.
    """

    train: Interactions
    valid: Holdout | None
    test: Holdout | None
    fingerprint: str

    @classmethod
    def of(cls, train: Interactions, valid: Holdout | None, test: Holdout | None) -> "Split":
        """Return a split of these parts, or raise an error if one of them is empty."""
        if train.nnz == 0:
            raise DataError("no interaction is left to train on; hold out less")
        for name, holdout in (("validation", valid), ("test", test)):
            if holdout is not None and holdout.targets.nnz == 0:
                lost = f"; the only {holdout.unknown:,} are on items unknown to training" if holdout.unknown else ""
                raise DataError(
                    f"the {len(holdout.users):,} {name} users have no target{lost}: "
                    "hold out more, or keep only users with more interactions"
                )
        contents: list[Ids | csr_matrix | None] = [train.users, train.items, train.matrix]
        for holdout in (valid, test):
            contents += [None] if holdout is None else [holdout.users, holdout.histories, holdout.targets]
        digest = fingerprint(*contents)
        valid, test = (
            holdout and dataclasses.replace(holdout, fingerprint=digest, items=train.items) for holdout in (valid, test)
        )
        return cls(train, valid, test, digest)


def training_part(data: Interactions, train: Interactions, name: str, *, items: Ids | None = None) -> Interactions:
    """Return ``train`` without users and items that have no interactions; ``items``, if given, become the columns.

    The difference from ``data`` is recorded in ``steps`` under ``name``.
    """
    users = np.flatnonzero(np.diff(train.matrix.indptr))
    if len(users) < train.shape[0]:
        train = train.select_users(users)
    items = items_with_interactions(train) if items is None else items
    # Ids of the same source are compared exactly: 7 and 007 are two of its items.
    train = train if items.equals(train.items) else train.moved(items.get_indexer(train.items), items)
    return dataclasses.replace(train, steps=(*data.steps, Step(name, data.counts, train.counts)))


def items_with_interactions(data: Interactions) -> Ids:
    """Return the items with at least one interaction, in order."""
    return data.items[np.bincount(data.matrix.indices, minlength=data.shape[1]) > 0]


def hold_out(data: Interactions, history: np.ndarray, target: np.ndarray, items: Ids) -> Holdout:
    """Return a holdout of all users from two disjoint masks, ``(nnz,)``, without interactions on other items."""
    column = items.get_indexer(data.items)
    unknown = int(np.count_nonzero(column[data.matrix.indices[target]] < 0))
    histories, targets = (_selected(data.matrix, mask, column, len(items)) for mask in (history, target))
    return Holdout(histories, targets, data.users, unknown)


def _selected(matrix: csr_matrix, mask: np.ndarray, column: np.ndarray, n_items: int) -> csr_matrix:
    """Return the entries under a mask, moved to new columns; entries with column -1 are dropped."""
    columns = column[matrix.indices]
    keep = mask & (columns >= 0)
    indptr = np.append(0, np.cumsum(keep))[matrix.indptr]
    selected = csr_matrix((matrix.data[keep], columns[keep], indptr), shape=(matrix.shape[0], n_items))
    selected.sort_indices()
    return selected


def histories_of(data: Interactions, users: Ids) -> csr_matrix:
    """Return the rows of these users, ``(len(users), n_items)``, empty for users who are not in the data.

    Ids of users are compared by `match`.
    """
    matrix, positions = data.matrix, match(data.users, users)
    # An empty row at the end, which position -1 selects for an unknown user.
    indptr = np.append(matrix.indptr, matrix.nnz)
    padded = csr_matrix((matrix.data, matrix.indices, indptr), shape=(matrix.shape[0] + 1, matrix.shape[1]))
    return padded[positions]


def given_test(train: Interactions, test: Interactions, read: Interactions | None = None) -> Holdout:
    """Return a holdout of the users of a test part, with their histories from a training part.

    Users and items of both parts are compared by `match`, because the parts may write their ids differently. ``read``
    is the training part before filters removed users. If it is given, the histories come from it, on the items of
    ``train``.
    """
    source = train if read is None else read.moved(train.items.get_indexer(read.items), train.items)
    positions, target = match(source.users, test.users), match(train.items, test.items)
    part = {"owner": "the training part"}
    remarks = (
        *mismatch(source.users, test.users, positions, "users of the test part", **part),
        *mismatch(train.items, test.items, target, "items of the test part", **part),
    )
    test, remark = _joined(test, positions)
    moved = test.moved(target, train.items)
    if moved.nnz == 0:
        raise DataError(
            f"no item of the test part is in the training part: ids of items are such as {shown(train.items[0])} in "
            f"training and such as {shown(test.items[0])} in test"
        )
    histories = histories_of(source, moved.users)
    common = _entries(histories).multiply(_entries(moved.matrix)).tocoo()
    if common.nnz:
        user, item = shown(moved.users[common.row[0]]), shown(train.items[common.col[0]])
        raise DataError(
            f"{common.nnz:,} pairs of user and item are in both the training and the test part, such as user {user} "
            f"and item {item}; remove them from one of the parts"
        )
    unknown = int(np.count_nonzero(target[test.matrix.indices] < 0))
    return Holdout(histories, moved.matrix, moved.users, unknown, remarks=(*remarks, *remark))


def _joined(data: Interactions, positions: np.ndarray) -> tuple[Interactions, tuple[str, ...]]:
    """Return the data with one row, the first, for all users at the same known position, and a remark on them."""
    n = len(positions)
    _, first, group = np.unique(
        np.where(positions < 0, positions.max(initial=0) + 1 + np.arange(n), positions),
        return_index=True,
        return_inverse=True,
    )
    if len(first) == n:
        return data, ()
    other = int(np.flatnonzero(first[group] != np.arange(n))[0])
    pair = f"{shown(data.users[first[group[other]]])} and {shown(data.users[other])}"
    remark = f"{n - len(first):,} users of the test part are another user in the training part, such as {pair}"
    rows = np.argsort(np.argsort(first))[group]
    source = np.argsort(data.order, kind="stable")
    times = None if data.timestamps is None else data.timestamps[source]
    arrays = rows[data.rows[source]], data.matrix.indices[source], data.matrix.data[source]
    users = data.users[np.sort(first)]
    return Interactions.from_arrays(*arrays, users, data.items, times, duplicates="last"), (remark,)


def _entries(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz, dtype=bool), matrix.indices, matrix.indptr), shape=matrix.shape)
