"""Dividing the interactions of the same users into a training, a validation and a test part."""

import numpy as np

from recsys_ae.data.interactions import Ids, Interactions
from recsys_ae.data.splits.holdout import Holdout, Split, hold_out, training_part

TRAIN, VALID, TEST = 0, 1, 2


def portion(lengths: np.ndarray, share: float, *, besides: np.ndarray | int = 0) -> np.ndarray:
    """Return ``share`` of each length, rounded; at least one, unless that and ``besides`` would leave nothing."""
    least = 1 if share else 0
    wanted = np.maximum(np.rint(share * lengths), least)
    return np.asarray(np.minimum(wanted, lengths - 1 - besides), dtype=np.int64)


def last_of_each(data: Interactions, n_test: np.ndarray, n_valid: np.ndarray | int, rank: np.ndarray) -> np.ndarray:
    """Return the part of each interaction, ``(nnz,)``: per user those ranked last are TEST, those before them VALID.

    ``n_test`` and ``n_valid`` count per user; ``rank`` holds 0 to nnz - 1, each once.
    """
    rows = data.rows
    # All keys differ, so any way of sorting, on any machine, gives the same order.
    order = np.argsort(rows * data.nnz + rank)
    from_end = data.matrix.indptr[1:][rows] - 1 - np.arange(data.nnz)
    part = np.zeros(data.nnz, np.int8)
    part[order[from_end < (n_test + n_valid)[rows]]] = VALID
    part[order[from_end < n_test[rows]]] = TEST
    return part


def holdouts(data: Interactions, part: np.ndarray, items: Ids, *, valid: bool) -> tuple[Holdout | None, Holdout]:
    """Return the validation and the test users: those with interactions in that part.

    Their histories are the interactions in the parts before it.
    """

    def of(which: int) -> Holdout:
        users = np.unique(data.rows[part == which])
        return hold_out(data, part < which, part == which, items).select(users)

    return of(VALID) if valid else None, of(TEST)


def split_by(data: Interactions, part: np.ndarray, name: str, *, valid: bool) -> Split:
    """Train on one part, on the users and items it touches; judge on the others."""
    train = training_part(data, data.take(part == TRAIN), name)
    return Split.of(train, *holdouts(data, part, train.items, valid=valid))
