"""Groups of users that are held out in turn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.kinds.strong import split_folds
from recsys_ae.errors import DataError


def data_of(n_users: int, seed: int = 0) -> Interactions:
    seen = np.random.default_rng(seed).random((n_users, 12)) < 0.4
    seen[:, :6] = True
    return Interactions.from_matrix(csr_matrix(seen.astype(np.float32)), users=[f"u{n:02}" for n in range(n_users)])


@settings(max_examples=30, deadline=None)
@given(st.integers(7, 40), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_each_group_is_held_out_once(n_users: int, size: int, n_folds: int, seed: int) -> None:
    data = data_of(n_users)
    if size * n_folds >= n_users:
        with pytest.raises(DataError, match=f"{n_folds} groups of {size} users leave nobody of {n_users} users"):
            split_folds(data, size, n_folds, seed=seed)
        return
    folds = split_folds(data, size, n_folds, seed=seed)
    groups = [set(fold.valid.users) for fold in folds if fold.valid is not None]
    assert [len(group) for group in groups] == [size] * n_folds
    assert len(set.union(*groups)) == size * n_folds
    for fold, group in zip(folds, groups, strict=True):
        assert set(fold.train.users) == set(data.users) - group
        assert fold.test is None


def test_history_and_targets_are_the_interactions_of_a_user() -> None:
    data = data_of(20)
    for fold in split_folds(data, 4, 3, seed=5):
        assert fold.valid is not None
        assert not fold.valid.histories.multiply(fold.valid.targets).nnz
        together = (fold.valid.histories + fold.valid.targets).toarray()
        known = fold.train.items.get_indexer(data.items)
        rows = data.users.get_indexer(fold.valid.users)
        assert np.array_equal(together[:, known[known >= 0]], data.matrix.toarray()[rows][:, known >= 0])


def test_groups_depend_on_the_seed_alone() -> None:
    data = data_of(30)
    fingerprints = [[fold.fingerprint for fold in split_folds(data, 4, 3, seed=seed)] for seed in (0, 0, 1)]
    assert fingerprints[0] == fingerprints[1]
    assert not set(fingerprints[0]) & set(fingerprints[2])
    assert len(set(fingerprints[0])) == 3
