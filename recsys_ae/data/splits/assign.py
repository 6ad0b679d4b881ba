"""Assignment of the interactions of each user to a training, a validation and a test part."""

import numpy as np

from recsys_ae.data.interactions import Ids, Interactions
from recsys_ae.data.splits.holdout import Holdout, Split, hold_out, training_part

TRAIN, VALID, TEST = 0, 1, 2


def portion(lengths: np.ndarray, share: float, *, besides: np.ndarray | int = 0) -> np.ndarray:
    """Return ``share`` of each length, rounded: at least 1 unless 0 is asked for, at most length − 1 − ``besides``."""
    least = 1 if share else 0
    rounded = np.maximum(np.rint(share * lengths), least)
    return np.asarray(np.minimum(rounded, lengths - 1 - besides), dtype=np.int64)


def last_of_each(data: Interactions, n_test: np.ndarray, n_valid: np.ndarray | int, rank: np.ndarray) -> np.ndarray:
    """Return the part of each interaction, ``(nnz,)``: per user the last are TEST, those before them VALID.

    ``n_test`` and ``n_valid`` are numbers per user; ``rank`` is a permutation of 0 to nnz - 1.
    """
    rows = data.rows
    # All keys differ, so every sorting algorithm gives the same order on every machine.
    order = np.argsort(rows * data.nnz + rank)
    from_end = data.matrix.indptr[1:][rows] - 1 - np.arange(data.nnz)
    assignment = np.zeros(data.nnz, np.int8)
    assignment[order[from_end < (n_test + n_valid)[rows]]] = VALID
    assignment[order[from_end < n_test[rows]]] = TEST
    return assignment


def holdouts(data: Interactions, assignment: np.ndarray, items: Ids, *, valid: bool) -> tuple[Holdout | None, Holdout]:
    """Return the validation users and the test users, who have interactions in these parts.

    Their histories are the interactions in the earlier parts.
    """

    def of(part: int) -> Holdout:
        users = np.unique(data.rows[assignment == part])
        return hold_out(data, assignment < part, assignment == part, items).select(users)

    return of(VALID) if valid else None, of(TEST)


def split_by(data: Interactions, assignment: np.ndarray, name: str, *, valid: bool) -> Split:
    """Return a split with the users and items of the training part, and holdouts of the other parts."""
    train = training_part(data, data.take(assignment == TRAIN), name)
    return Split.of(train, *holdouts(data, assignment, train.items, valid=valid))
