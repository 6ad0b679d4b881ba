"""Tests of splits: held-out parts, reproducibility, fingerprints and errors."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, load_npz

from recsys_ae.data.filters import MinInteractions
from recsys_ae.data.fingerprint import fingerprint
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits import kinds
from recsys_ae.data.splits.split import (
    Holdout,
    Split,
    split_given,
    split_interactions,
    split_last,
    split_ratings,
    split_time,
    split_users,
)
from recsys_ae.errors import ConfigError, DataError

Pairs = set[tuple[Any, Any]]


def made(n_users: int = 60, n_items: int = 40, n: int = 900, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, n_users, n),
            "item": rng.integers(100, 100 + n_items, n),
            "rating": rng.integers(1, 6, n),
            "time": rng.integers(1_000, 2_000, n),
        }
    )
    return Interactions.from_frame(frame, rating="rating", timestamp="time", duplicates="last")


def small(rows: Sequence[tuple[object, object, int]]) -> Interactions:
    return Interactions.from_frame(pd.DataFrame(rows, columns=["user", "item", "time"]), timestamp="time")


def entries(matrix: csr_matrix, users: "pd.Index[int]", items: "pd.Index[int]") -> Pairs:
    coordinates = matrix.tocoo()
    return set(zip(users[coordinates.row].tolist(), items[coordinates.col].tolist(), strict=True))


def pairs(data: Interactions) -> Pairs:
    return entries(data.matrix, data.users, data.items)


def shown(holdout: Holdout | None, split: Split) -> Pairs:
    assert holdout is not None
    return entries(holdout.histories, holdout.users, split.train.items)


def wanted(holdout: Holdout | None, split: Split) -> Pairs:
    assert holdout is not None
    return entries(holdout.targets, holdout.users, split.train.items)


SPLITS: dict[str, Callable[[Interactions], Split]] = {
    "users": lambda data: split_users(data, n_valid=10, n_test=10),
    "recipe": lambda data: split_users(data, n_valid=10, n_test=10, recipe="liang2018"),
    "interactions": split_interactions,
    "last": split_last,
    "time": split_time,
    "ratings": split_ratings,
    "given": lambda data: split_given(data.take(data.order % 3 > 0), data.take(data.order % 3 == 0)),
}
EVERY = pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS.keys())


@EVERY
def test_no_pair_is_both_shown_and_wanted(split: Callable[[Interactions], Split]) -> None:
    made_of = split(made())
    for holdout in (made_of.valid, made_of.test):
        assert not shown(holdout, made_of) & wanted(holdout, made_of)


@EVERY
def test_no_target_is_trained_on(split: Callable[[Interactions], Split]) -> None:
    made_of = split(made())
    assert not pairs(made_of.train) & (wanted(made_of.valid, made_of) | wanted(made_of.test, made_of))
    assert not wanted(made_of.valid, made_of) & wanted(made_of.test, made_of)


@EVERY
def test_nothing_is_invented_and_values_are_kept(split: Callable[[Interactions], Split]) -> None:
    data = made()
    table = pd.DataFrame(data.matrix.toarray(), index=data.users, columns=data.items)
    made_of = split(data)
    matrices = [(made_of.train.matrix, made_of.train.users)]
    for holdout in (made_of.valid, made_of.test):
        assert holdout is not None
        matrices += [(holdout.histories, holdout.users), (holdout.targets, holdout.users)]
    for matrix, users in matrices:
        coordinates = matrix.tocoo()
        assert matrix.dtype == np.float32
        assert matrix.shape == (len(users), len(made_of.train.items))
        assert matrix.has_canonical_format
        expected = table.loc[users, made_of.train.items].to_numpy()
        assert np.array_equal(coordinates.data, expected[coordinates.row, coordinates.col])


@EVERY
def test_the_same_data_give_the_same_split(split: Callable[[Interactions], Split]) -> None:
    first, second = split(made()), split(made())
    assert first.fingerprint == second.fingerprint
    assert pairs(first.train) == pairs(second.train)
    assert wanted(first.test, first) == wanted(second.test, second)


@EVERY
def test_the_holdouts_carry_the_fingerprint_and_the_items(split: Callable[[Interactions], Split]) -> None:
    made_of = split(made())
    assert made_of.valid is not None
    assert made_of.test is not None
    assert made_of.valid.fingerprint == made_of.test.fingerprint == made_of.fingerprint
    for holdout in (made_of.valid, made_of.test):
        assert holdout.items is not None
        assert holdout.items.equals(made_of.train.items)


@EVERY
def test_the_global_generator_is_left_alone(split: Callable[[Interactions], Split]) -> None:
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    split(made())
    assert np.random.random() == expected  # noqa: NPY002


@EVERY
def test_the_data_are_left_alone(split: Callable[[Interactions], Split]) -> None:
    data = made()
    expected = data.matrix.toarray()
    split(data)
    assert np.array_equal(data.matrix.toarray(), expected)


@pytest.mark.parametrize("name", ["users", "recipe", "interactions", "time", "last"])
def test_only_touched_items_and_users_are_trained_on(name: str) -> None:
    train = SPLITS[name](made()).train
    assert train.matrix.getnnz(axis=0).min() > 0
    assert train.matrix.getnnz(axis=1).min() > 0


@pytest.mark.parametrize("name", ["users", "recipe", "interactions", "time", "last", "ratings"])
def test_the_training_part_says_what_was_held_out(name: str) -> None:
    data = made()
    train = SPLITS[name](data).train
    assert train.steps[-1].before == data.counts
    assert train.steps[-1].after == train.counts


# Whole users


def test_held_out_users_are_in_no_other_part() -> None:
    split = split_users(made(), n_valid=12, n_test=9)
    assert split.valid is not None
    assert split.test is not None
    groups = [set(split.train.users), set(split.valid.users), set(split.test.users)]
    assert [len(group) for group in groups] == [39, 12, 9]
    assert len(set.union(*groups)) == 60


def test_shares_of_users_are_rounded() -> None:
    split = split_users(made(), n_valid=0.1, n_test=0.26)
    assert split.valid is not None
    assert split.test is not None
    assert (len(split.valid.users), len(split.test.users)) == (6, 16)


def test_a_fifth_of_a_held_out_users_interactions_are_targets() -> None:
    data = small([(user, item, 1) for user in range(30) for item in range(10)])
    split = split_users(data, n_valid=5, n_test=5)
    assert split.test is not None
    assert set(split.test.targets.getnnz(axis=1)) == {2}
    assert set(split.test.histories.getnnz(axis=1)) == {8}


def test_the_share_shown_can_be_chosen() -> None:
    data = small([(user, item, 1) for user in range(30) for item in range(10)])
    split = split_users(data, n_valid=5, n_test=5, fold_in=0.5)
    assert split.test is not None
    assert set(split.test.targets.getnnz(axis=1)) == {5}


def test_a_single_interaction_is_shown_and_of_two_one_is_wanted() -> None:
    rows = [(user, item, 1) for user in range(50) for item in range(4)]
    rows += [(user, item, 1) for user in range(100, 150) for item in range(1 + user % 2)]
    split = split_users(small(rows), n_valid=0, n_test=60)
    assert split.test is not None
    lengths = {user: (0 if user < 100 else 1 + user % 2) for user in split.test.users}
    targets = split.test.targets.getnnz(axis=1)
    single = np.array([lengths[user] == 1 for user in split.test.users])
    assert single.any()
    assert set(targets[single]) == {0}
    assert set(targets[~single]) == {1}
    assert split.test.histories.getnnz(axis=1).min() == 1


def test_targets_on_items_unknown_to_training_are_counted() -> None:
    # Besides the common items, each user has two items that no other user has interacted with.
    rare = [(user, 1_000 + 2 * user + i, 1) for user in range(40) for i in range(2)]
    split = split_users(
        small([(user, item, 1) for user in range(40) for item in range(8)] + rare), n_valid=0, n_test=20
    )
    assert split.test is not None
    n_targets = 20 * 2
    assert split.test.unknown > 0
    assert split.test.unknown + split.test.targets.nnz == n_targets
    assert split.test.histories.shape == (20, 8 + 20 * 2)


def test_the_test_users_do_not_depend_on_the_number_of_validation_users() -> None:
    few, many = split_users(made(), n_valid=2, n_test=9), split_users(made(), n_valid=30, n_test=9)
    assert few.test is not None
    assert many.test is not None
    assert set(few.test.users) == set(many.test.users)


def test_another_seed_draws_other_users() -> None:
    first, second = (split_users(made(), n_valid=9, n_test=9, seed=seed) for seed in (1, 2))
    assert first.fingerprint != second.fingerprint
    assert set(first.train.users) != set(second.train.users)


def test_validation_and_test_users_are_folded_in_by_draws_of_their_own() -> None:
    """All users have the same items, so equal draws would hide the same items of both groups."""
    split = split_users(small([(user, item, 1) for user in range(60) for item in range(10)]), n_valid=20, n_test=20)
    assert split.valid is not None
    assert split.test is not None
    assert split.valid.targets.nnz == split.test.targets.nnz == 20 * 2
    assert (split.valid.targets != split.test.targets).nnz > 20


def test_no_validation_users_are_drawn_when_none_are_asked_for() -> None:
    for recipe in (None, "liang2018"):
        split = split_users(made(), n_valid=0, n_test=9, recipe=recipe)
        assert split.valid is None
        assert split.train.shape[0] == 51


def test_users_without_interactions_are_not_drawn() -> None:
    data = made()
    emptied = data.take(data.rows >= 20)
    split = split_users(emptied, n_valid=10, n_test=10)
    assert split.test is not None
    assert (split.test.histories.getnnz(axis=1) + split.test.targets.getnnz(axis=1)).min() > 0
    assert split.train.shape[0] == 20
    assert "users without interactions: removed 0 interactions, 20 users" in str(split.train.steps[-2])


def test_too_few_users_say_how_many_there_are() -> None:
    with pytest.raises(DataError, match=r"40 validation and 20 test users leave no user .* there are 60 users"):
        split_users(made(), n_valid=40, n_test=20)


@pytest.mark.parametrize("n", [0, -3, 0.0, 1.0, 1.5, 0.001, float("nan")])
def test_numbers_of_users_out_of_bounds_are_refused(n: float) -> None:
    with pytest.raises(DataError, match=r"n_test = .* is neither a number of users, at least 1, nor a share"):
        split_users(made(), n_valid=5, n_test=n)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_shares_out_of_bounds_are_refused(share: float) -> None:
    with pytest.raises(DataError, match="is not a share between 0 and 1"):
        split_users(made(), n_valid=5, n_test=5, fold_in=share)
    with pytest.raises(DataError, match="is not a share between 0 and 1"):
        split_interactions(made(), test=share)
    with pytest.raises(DataError, match="is not a share between 0 and 1"):
        split_ratings(made(), test=share)


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(DataError, match=r"test and validation together are 1\.1"):
        split_interactions(made(), test=0.6, valid=0.5)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_bounds_are_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed = "):
        split_users(made(), n_valid=5, n_test=5, seed=seed)


def test_users_with_single_interactions_alone_leave_no_target() -> None:
    with pytest.raises(DataError, match="the 5 test users have no target: hold out more"):
        split_users(small([(user, user % 3, 1) for user in range(30)]), n_valid=0, n_test=5)


def test_targets_that_are_all_unknown_say_so() -> None:
    rows = [(user, 10 * user + item, 1) for user in range(30) for item in range(5)]
    with pytest.raises(DataError, match="5 test users have no target; the only 5 are on items unknown to training"):
        split_users(small(rows), n_valid=0, n_test=5)


# The recipe of Liang et al. 2018


def liang2018_by_hand(data: Interactions, n_valid: int, n_test: int, seed: int) -> list[tuple[Pairs, Pairs]]:
    """Follow the paper's procedure with plain tables; return the fold-in pairs and targets of each held-out part."""
    table = pd.DataFrame({"user": data.users[data.rows], "item": data.items[data.matrix.indices], "at": data.order})
    table = table.sort_values("at")
    drawn = np.array(sorted(data.users))[np.random.RandomState(seed).permutation(data.shape[0])]
    n_train = len(drawn) - n_valid - n_test
    items_of_training = set(table[table["user"].isin(drawn[:n_train])]["item"])
    holdouts = []
    for users in (drawn[n_train : n_train + n_valid], drawn[n_train + n_valid :]):
        random = np.random.RandomState(seed)
        shown_, wanted_ = set(), set()
        rows = table[table["user"].isin(users) & table["item"].isin(items_of_training)]
        for user, group in rows.groupby("user"):
            items = group["item"].tolist()
            chosen = set()
            if len(items) >= 5:
                chosen = set(random.choice(len(items), size=int(0.2 * len(items)), replace=False).tolist())
            shown_ |= {(user, item) for i, item in enumerate(items) if i not in chosen}
            wanted_ |= {(user, item) for i, item in enumerate(items) if i in chosen}
        holdouts.append((shown_, wanted_))
    return holdouts


@pytest.mark.parametrize("seed", [98765, 7])
def test_the_recipe_draws_as_the_paper_does(seed: int) -> None:
    data = made(n_users=80, n_items=200, n=700)
    split = split_users(data, n_valid=15, n_test=20, recipe="liang2018", seed=seed)
    by_hand = liang2018_by_hand(data, 15, 20, seed)
    assert [(shown(h, split), wanted(h, split)) for h in (split.valid, split.test)] == by_hand


def test_the_recipe_numbers_items_by_their_first_appearance_in_training() -> None:
    data = made()
    split = split_users(data, n_valid=10, n_test=10, recipe="liang2018")
    order = np.argsort(data.order)
    rows, columns = data.rows[order], data.matrix.indices[order]
    trained = data.users[rows].isin(split.train.users)
    assert split.train.items.tolist() == data.items[pd.unique(columns[trained])].tolist()


def test_the_recipe_does_not_depend_on_the_order_in_which_users_stand() -> None:
    data = made()
    shuffled = data.select_users(np.random.default_rng(0).permutation(data.shape[0]))
    first, second = (split_users(d, n_valid=10, n_test=10, recipe="liang2018") for d in (data, shuffled))
    assert first.fingerprint == second.fingerprint


def test_the_recipe_uses_the_papers_seed_unless_told() -> None:
    fingerprints = [
        split_users(made(), n_valid=10, n_test=10, recipe="liang2018", seed=seed).fingerprint
        for seed in (None, 98765, 0)
    ]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_the_recipe_takes_ids_that_do_not_compare() -> None:
    mixed = small([(f"u{user}" if user % 2 else user, item, 1) for user in range(20) for item in range(6)])
    split = split_users(mixed, n_valid=3, n_test=3, recipe="liang2018")
    assert split.test is not None
    assert set(split.test.targets.getnnz(axis=1)) == {1}


def test_the_recipe_counts_interactions_with_unknown_items() -> None:
    rare = [(user, 1_000 + user, 1) for user in range(40)]
    data = small([(user, item, 1) for user in range(40) for item in range(10)] + rare)
    split = split_users(data, n_valid=5, n_test=6, recipe="liang2018")
    assert split.valid is not None
    assert split.test is not None
    assert (split.valid.unknown, split.test.unknown) == (5, 6)


def test_unknown_recipes_and_changed_ones_are_refused() -> None:
    with pytest.raises(ConfigError, match="the only recipe is 'liang2018'"):
        split_users(made(), n_valid=5, n_test=5, recipe="liang2019")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"the only recipe is 'liang2018', with fold_in = 0\.8"):
        split_users(made(), n_valid=5, n_test=5, recipe="liang2018", fold_in=0.5)


def numbers(archive: Path, name: str, separator: bytes) -> np.ndarray:
    with zipfile.ZipFile(archive) as opened:
        return np.array(opened.read(name).replace(separator, b" ").split(), dtype=np.int64)


def test_movielens_1m_is_split_exactly_as_by_the_authors_procedure(data_dir: Path) -> None:
    bench = data_dir.parent / "bench" / "ml1m_strong"
    if not (bench / "ids.npz").exists():
        pytest.skip(f"the independent split is absent: {bench}")
    table = numbers(data_dir / "ml-1m.zip", "ml-1m/ratings.dat", b"::").reshape(-1, 4)
    table = table[table[:, 2] > 3.5]
    data = Interactions.from_frame(pd.DataFrame(table[:, :2], columns=["user", "item"]))
    data = data.select_users(np.flatnonzero(data.matrix.getnnz(axis=1) >= 5))
    split = split_users(data, n_valid=0.1, n_test=0.1, recipe="liang2018", seed=98765)
    assert split.valid is not None
    assert split.test is not None
    with np.load(bench / "ids.npz") as ids:
        users = np.concatenate([split.train.users, split.valid.users, split.test.users])
        assert np.array_equal(users, ids["users"])
        assert np.array_equal(split.train.items, ids["items"])
    matrices = {
        "train": split.train.matrix,
        "val_tr": split.valid.histories,
        "val_te": split.valid.targets,
        "test_tr": split.test.histories,
        "test_te": split.test.targets,
    }
    for name, matrix in matrices.items():
        expected = csr_matrix(load_npz(bench / f"{name}.npz")).sorted_indices()
        assert matrix.shape == expected.shape
        for array in ("indptr", "indices", "data"):
            assert np.array_equal(getattr(matrix, array), getattr(expected, array)), f"{array} of {name}"


# Parts of the same users


def test_every_user_gives_a_share_of_their_interactions() -> None:
    data = small([(user, item, 1) for user in range(20) for item in range(10)])
    split = split_interactions(data, test=0.3, valid=0.2)
    assert split.valid is not None
    assert split.test is not None
    assert set(split.train.matrix.getnnz(axis=1)) == {5}
    assert set(split.valid.targets.getnnz(axis=1)) == {2}
    assert set(split.test.targets.getnnz(axis=1)) == {3}


@pytest.mark.parametrize("name", ["interactions", "last", "time"])
def test_a_test_history_is_what_was_trained_and_validated_on(name: str) -> None:
    split = SPLITS[name](made(n=600))
    assert split.test is not None
    users = set(split.test.users)
    expected = pairs(split.train) | wanted(split.valid, split)
    assert shown(split.test, split) == {pair for pair in expected if pair[0] in users}
    assert shown(split.valid, split) <= pairs(split.train)


def test_short_histories_keep_something_to_train_on() -> None:
    rows = [(user, item, item) for user in range(1, 6) for item in range(1, user + 1)]
    for split in (split_interactions(small(rows)), split_last(small(rows))):
        assert split.valid is not None
        assert split.test is not None
        assert split.train.shape[0] == 5
        assert split.test.users.tolist() == [2, 3, 4, 5]
        assert split.valid.users.tolist() == [3, 4, 5]


def test_users_of_a_weak_split_are_those_with_targets() -> None:
    split = split_ratings(small([(user, item, 1) for user in range(40) for item in range(3)]), test=0.1, valid=0)
    assert split.valid is None
    assert split.test is not None
    assert split.test.targets.getnnz(axis=1).min() == 1
    assert len(split.test.users) < 40


def once_each(items: Iterable[Any]) -> list[tuple[Any, Any, int]]:
    """Return a user for each item who interacts with that item only and is a training user, so the item is known."""
    return [(1_000 + number, item, 1) for number, item in enumerate(items)]


def test_the_latest_interactions_are_held_out() -> None:
    rows = [(1, "a", 40), (1, "b", 10), (1, "c", 30), (1, "d", 20), (2, "a", 5), (2, "b", 4), (2, "c", 1)]
    split = split_last(small(rows + once_each("abcd")))
    assert wanted(split.test, split) == {(1, "a"), (2, "a")}
    assert wanted(split.valid, split) == {(1, "c"), (2, "b")}
    assert {pair for pair in pairs(split.train) if pair[0] in (1, 2)} == {(1, "b"), (1, "d"), (2, "c")}


def test_the_latest_interactions_can_be_several() -> None:
    rows = [(user, item, 50 - item) for user in range(4) for item in range(8)]
    split = split_last(small(rows + once_each(range(8))), n_test=3, n_valid=2)
    assert wanted(split.test, split) == {(user, item) for user in range(4) for item in (0, 1, 2)}
    assert wanted(split.valid, split) == {(user, item) for user in range(4) for item in (3, 4)}


def test_of_equal_times_the_later_in_the_source_is_the_latest() -> None:
    rows = [(1, "c", 7), (1, "a", 7), (1, "b", 7), (2, "b", 1), (2, "c", 2), (2, "a", 3)]
    split = split_last(small(rows), n_valid=0)
    assert split.valid is None
    assert split.test is not None
    assert split.test.unknown == 0
    assert wanted(split.test, split) == {(1, "b"), (2, "a")}


def test_a_moment_cuts_all_users_alike() -> None:
    rows = [(user, item, 100 + 10 * item + user) for user in range(5) for item in range(10)]
    split = split_time(small(rows + once_each(range(9))), test=180, valid=160)
    assert wanted(split.test, split) == {(user, 8) for user in range(5)}
    assert wanted(split.valid, split) == {(user, item) for user in range(5) for item in (6, 7)}
    assert split.test is not None
    assert split.test.unknown == 5


def test_a_share_of_the_time_is_a_share_of_all_interactions() -> None:
    rng = np.random.default_rng(0)
    times = rng.permutation(2_000).reshape(100, 20) + 1
    data = small([(user, item, int(times[user, item])) for user in range(100) for item in range(20)])
    split = split_time(data, test=0.2, valid=0.1)
    assert (split.train.nnz, len(wanted(split.valid, split)), len(wanted(split.test, split))) == (1_400, 200, 400)
    assert split.train.timestamps is not None
    assert split.train.timestamps.max() == 1_400


def test_interactions_at_the_same_moment_stay_together() -> None:
    data = small([(user, item, 1 + item // 5) for user in range(20) for item in range(10)])
    with pytest.raises(DataError, match=r"valid = 0\.1 would hold out all or none .* times run from 1 to 1"):
        split_time(data, test=0.1)
    three = small([(user, item, 1 + user % 3) for user in range(30) for item in range(10)])
    assert len(wanted(split_time(three, test=0.1, valid=0).test, split_time(three, test=0.1, valid=0))) == 100


def test_users_who_appear_after_the_cut_have_an_empty_history() -> None:
    rows = [(user, item, 10 + item) for user in range(5) for item in range(5)]
    split = split_time(small([*rows, (7, 0, 90), (7, 99, 91), (3, 99, 92)]), test=50, valid=0)
    assert split.test is not None
    assert split.test.users.tolist() == [3, 7]
    assert split.test.histories.getnnz(axis=1).tolist() == [5, 0]
    assert split.test.targets.getnnz(axis=1).tolist() == [0, 1]
    assert split.test.unknown == 2
    assert 7 not in split.train.users


@pytest.mark.parametrize("cut", [1, 999, 5_000])
def test_cuts_outside_the_times_say_where_they_run(cut: int) -> None:
    with pytest.raises(DataError, match=f"test = {cut} would hold out all or none .* times run from 100"):
        split_time(made(), test=cut)


def test_a_validation_cut_after_the_test_cut_is_refused() -> None:
    with pytest.raises(DataError, match="valid = 1800 would hold out all or none"):
        split_time(made(), test=1_500, valid=1_800)


@pytest.mark.parametrize("split", [split_last, split_time])
def test_splits_by_time_refuse_data_without_it(split: Callable[[Interactions], Split]) -> None:
    with pytest.raises(DataError, match="the data have no timestamps"):
        split(Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 1]})))
    with pytest.raises(DataError, match="2 of 4 timestamps are 0, which means unknown"):
        split(small([(1, 1, 5), (1, 2, 0), (1, 3, 6), (2, 1, 0)]))


@pytest.mark.parametrize(("n_test", "n_valid"), [(0, 1), (-1, 1), (1, -1)])
def test_numbers_of_latest_interactions_out_of_bounds_are_refused(n_test: int, n_valid: int) -> None:
    with pytest.raises(DataError, match="expected at least 1 and at least 0"):
        split_last(made(), n_test=n_test, n_valid=n_valid)


@pytest.mark.parametrize("name", ["interactions", "last", "time", "ratings", "users"])
def test_data_without_interactions_are_refused(name: str) -> None:
    data = made()
    with pytest.raises(DataError):
        SPLITS[name](data.take(np.zeros(data.nnz, dtype=bool)))


def test_held_out_ratings_are_kept_for_every_user_and_item() -> None:
    data = made(n=600)
    split = split_ratings(data, test=0.2, valid=0.1)
    assert split.train.shape == data.shape
    assert split.valid is not None
    assert split.test is not None
    assert (split.valid.unknown, split.test.unknown) == (0, 0)
    assert (split.valid.targets.nnz, split.test.targets.nnz) == (round(0.1 * data.nnz), round(0.2 * data.nnz))
    total = split.train.matrix.sum() + split.valid.targets.sum() + split.test.targets.sum()
    assert total == data.matrix.sum()
    assert set(split.test.targets.data) == {1, 2, 3, 4, 5}


# Given files


def test_a_given_test_part_is_judged_on_the_given_training_part() -> None:
    train = small([(1, "a", 1), (1, "b", 1), (2, "b", 1), (2, "c", 1), (2, "a", 1)])
    test = small([(1, "c", 1), (3, "a", 1), (2, "z", 1)])
    split = split_given(train, test, valid=0)
    assert split.valid is None
    assert split.test is not None
    assert pairs(split.train) == pairs(train)
    assert split.test.users.tolist() == [1, 2, 3]
    assert wanted(split.test, split) == {(1, "c"), (3, "a")}
    assert shown(split.test, split) == {(1, "a"), (1, "b"), (2, "a"), (2, "b"), (2, "c")}
    assert split.test.unknown == 1


def test_the_given_test_part_does_not_depend_on_the_validation_share() -> None:
    data = made()
    train, test = data.take(data.order % 3 > 0), data.take(data.order % 3 == 0)
    few, many = (split_given(train, test, valid=valid) for valid in (0, 0.4))
    assert few.train.items.equals(many.train.items)
    assert (shown(few.test, few), wanted(few.test, few)) == (shown(many.test, many), wanted(many.test, many))
    assert pairs(many.train) | wanted(many.valid, many) == pairs(few.train)


def test_test_users_that_a_filter_takes_from_training_keep_their_histories() -> None:
    read = small([(1, "a", 1), (1, "b", 1), (1, "c", 1), (2, "a", 1), (2, "z", 1), (4, "z", 1), (5, "a", 1)])
    test = small([(1, "d", 1), (2, "b", 1), (3, "a", 1), (4, "a", 1)])
    train = MinInteractions(user=3)(read)
    without, with_read = split_given(train, test, valid=0), split_given(train, test, valid=0, read=read)
    assert shown(without.test, without) == {(1, "a"), (1, "b"), (1, "c")}
    # z is unknown to the model, so the history of user 4 is empty.
    assert shown(with_read.test, with_read) == {(1, "a"), (1, "b"), (1, "c"), (2, "a")}
    assert wanted(with_read.test, with_read) == wanted(without.test, without) == {(2, "b"), (3, "a"), (4, "a")}
    assert pairs(with_read.train) == pairs(without.train) == pairs(train)
    assert with_read.fingerprint != without.fingerprint


def test_a_filter_that_takes_nothing_leaves_a_given_split_as_it_is() -> None:
    data = made()
    train, test = data.take(data.order % 3 > 0), data.take(data.order % 3 == 0)
    assert split_given(train, test, read=train).fingerprint == split_given(train, test).fingerprint


def test_items_that_a_filter_takes_are_in_no_history() -> None:
    data = made()
    read, test = data.take(data.order % 3 > 0), data.take(data.order % 3 == 0)
    for repeat in (False, True):
        train = MinInteractions(user=6, item=9, repeat=repeat)(read)
        split = split_given(train, test, valid=0, read=read)
        assert train.shape[0] < read.shape[0]
        assert split.test is not None
        expected = {(user, item) for user, item in pairs(read) if item in set(train.items)}
        assert shown(split.test, split) == {pair for pair in expected if pair[0] in split.test.users}


def test_pairs_in_both_given_parts_are_refused() -> None:
    train, test = small([(1, "a", 1), (1, "b", 1)]), small([(1, "b", 1), (2, "a", 1)])
    with pytest.raises(DataError, match=r"1 pairs of user and item are in both .* user 1 and item 'b'"):
        split_given(train, test)


def test_pairs_rated_zero_in_both_given_parts_are_refused() -> None:
    rated = Interactions.from_frame(pd.DataFrame({"user": [1, 1], "item": [1, 2], "rating": [0, 3]}), rating="rating")
    with pytest.raises(DataError, match="2 pairs of user and item are in both"):
        split_given(rated, rated)


def test_given_parts_with_ids_in_different_forms_meet() -> None:
    train = small([("07", 1, 1), ("07", 2, 1), ("x", 1, 1), ("y", 3, 1)])
    test = small([(7, "3.0", 1), (7, "9", 1), (8, "1", 1)])
    split = split_given(train, test, valid=0)
    assert shown(split.test, split) == {(7, 1), (7, 2)}
    assert wanted(split.test, split) == {(7, 3), (8, 1)}
    assert split.test is not None
    assert split.test.unknown == 1
    assert split.test.remarks == ()


def test_given_parts_whose_users_do_not_meet_are_remarked_on() -> None:
    split = split_given(small([(1, "a", 1), (1, "b", 1)]), small([("u1", "a", 1)]), valid=0)
    assert split.test is not None
    assert split.test.remarks == (
        "the training part does not know 1 of 1 users of the test part, such as 'u1'; the training part has ids such "
        "as 1",
    )
    with pytest.raises(DataError, match="ids of items are such as 1 in training and such as 'a' in test"):
        split_given(small([(1, 1, 1), (1, 2, 1)]), small([(1, "a", 1), (1, "b", 1)]))


def test_test_users_that_are_one_training_user_are_joined() -> None:
    train = small([(7, "a", 1), (7, "b", 1), (8, "c", 1), (8, "d", 1)])
    test = small([("007", "c", 1), ("x", "a", 2), ("7", "d", 3), ("07", "c", 5)])
    split = split_given(train, test, valid=0)
    assert split.test is not None
    assert shown(split.test, split) == {("007", "a"), ("007", "b")}
    assert wanted(split.test, split) == {("007", "c"), ("007", "d"), ("x", "a")}
    assert split.test.remarks == (
        "2 users of the test part are another user in the training part, such as '007' and '07'",
    )


def test_items_of_one_source_are_never_joined_by_their_form() -> None:
    data = small([(user, item, user) for user in range(1, 9) for item in ("7", "007", "07", "+7x") if user > 1])
    late = small([(1, "7", 1), (1, "x", 2), (2, "7", 1), (2, "y", 2), (3, "007", 9), (3, "y", 9)])
    split = split_time(late, test=0.3, valid=0)
    assert split.test is not None
    assert "007" not in split.train.items
    assert split.test.unknown == 1
    assert len(split_interactions(data, valid=0).train.items) == len(data.items)


def test_the_given_files_of_movielens_100k_are_taken_as_they_are(data_dir: Path) -> None:
    base, test = (
        Interactions.from_frame(
            pd.DataFrame(numbers(data_dir / "ml-100k.zip", f"ml-100k/u1.{part}", b"\t").reshape(-1, 4)[:, :3]),
            user=0, item=1, rating=2,
        )
        for part in ("base", "test")
    )  # fmt: skip
    split = split_given(base, test, valid=0)
    assert split.train.counts == (80_000, 943, 1_650)
    assert split.test is not None
    assert split.test.targets.nnz + split.test.unknown == 20_000
    assert split.test.unknown == int((~np.isin(test.items[test.matrix.indices], base.items)).sum()) > 0


# Seeds

SEEDED: dict[str, Callable[[Interactions, int], Split]] = {
    "users": lambda data, seed: split_users(data, n_valid=10, n_test=10, seed=seed),
    "recipe": lambda data, seed: split_users(data, n_valid=10, n_test=10, recipe="liang2018", seed=seed),
    "interactions": lambda data, seed: split_interactions(data, seed=seed),
    "ratings": lambda data, seed: split_ratings(data, seed=seed),
    "given": lambda data, seed: split_given(data.take(data.order % 3 > 0), data.take(data.order % 3 == 0), seed=seed),
}


@pytest.mark.parametrize("name", SEEDED)
def test_another_seed_holds_out_others_and_the_same_seed_the_same(name: str) -> None:
    first, again, other = (SEEDED[name](made(), seed) for seed in (1, 1, 2))
    assert first.fingerprint == again.fingerprint
    assert wanted(first.valid, first) != wanted(other.valid, other)
    assert (wanted(first.test, first) == wanted(other.test, other)) == (name == "given")


@pytest.mark.parametrize("kind", ["strong", "weak", "ratings", "given"])
def test_the_seed_of_a_recipe_reaches_its_split(kind: str) -> None:
    data = made()
    parts = {"test": data.take(data.order % 3 == 0), "read": None} if kind == "given" else {}
    train = data.take(data.order % 3 > 0) if kind == "given" else data
    splits = [import_module(f"{kinds.__name__}.{kind}").split(train, split_seed=seed, **parts) for seed in (1, 2)]
    assert wanted(splits[0].valid, splits[0]) != wanted(splits[1].valid, splits[1])


# Fingerprints


def test_a_fingerprint_is_the_hash_of_ids_and_entries() -> None:
    ids, matrix = pd.Index([1, 2]), csr_matrix(np.array([[0, 2.5], [1, 0]], np.float32))
    expected = hashlib.sha256(
        b"[1, 2]" + np.array([0, 1, 2, 1, 0], "<i8").tobytes() + np.array([2.5, 1], "<f4").tobytes() + b"none"
    )
    assert fingerprint(ids, matrix, None) == expected.hexdigest()[:16]


def test_a_fingerprint_does_not_depend_on_how_positions_and_ids_are_stored() -> None:
    matrix = csr_matrix(np.array([[0, 2.5], [1, 0]], np.float32))
    wide = matrix.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    expected = fingerprint(pd.Index([1, 2]), matrix)
    assert fingerprint(pd.Index([1, 2], dtype="int32"), wide) == expected
    assert fingerprint(pd.Index([np.int64(1), 2], dtype=object), wide) == expected


def test_a_fingerprint_does_not_depend_on_the_order_within_a_row() -> None:
    matrix = csr_matrix(np.array([[3, 2.5], [1, 0]], np.float32))
    reversed_ = csr_matrix((np.array([2.5, 3, 1], np.float32), [1, 0, 0], [0, 2, 3]), shape=(2, 2))
    assert fingerprint(matrix) == fingerprint(reversed_)


def test_a_fingerprint_tells_ids_of_different_types_apart() -> None:
    different: list[pd.Index[Any]] = [
        pd.Index([1, 2]),
        pd.Index(["1", "2"]),
        pd.Index([1.0, 2.0]),
        pd.Index([1, "2"]),
        pd.Index(["1, 2"]),
    ]
    assert len({fingerprint(ids) for ids in different}) == len(different)


@pytest.mark.parametrize("changed", ["rating", "user", "item"])
def test_a_fingerprint_changes_with_every_part_of_the_data(changed: str) -> None:
    rows = pd.DataFrame({"user": np.repeat(range(9), 5), "item": [1, 2, 3, 4, 5] * 9, "rating": [5, 4, 3] * 15})
    changed_rows = rows.copy()
    changed_rows.loc[0, changed] = {"rating": 1, "user": 99, "item": 9}[changed]
    first, second = (
        split_interactions(Interactions.from_frame(t, rating="rating"), valid=0) for t in (rows, changed_rows)
    )
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("field", ["users", "histories", "targets"])
def test_a_fingerprint_changes_with_every_part_of_a_holdout(part: str, field: str) -> None:
    """Only one part differs, and everything else is the same."""
    split = split_users(made(), n_valid=10, n_test=10)
    holdout = getattr(split, part)
    value = getattr(holdout, field)
    changed = value + 1000 if field == "users" else value.copy()
    if field != "users":
        changed.data[0] += 1
    parts = {"valid": split.valid, "test": split.test, part: dataclasses.replace(holdout, **{field: changed})}
    assert Split.of(split.train, split.valid, split.test).fingerprint == split.fingerprint
    assert Split.of(split.train, parts["valid"], parts["test"]).fingerprint != split.fingerprint


def test_a_fingerprint_changes_with_the_training_part_and_with_a_part_that_is_missing_or_moved() -> None:
    split = split_users(made(), n_valid=10, n_test=10)
    matrix, users, items = split.train.matrix, split.train.users, split.train.items
    trains = [Interactions(matrix * 2, users, items), Interactions(matrix, users + 1000, items)]
    trains.append(Interactions(matrix, users, items + 1000))
    splits = [split, *(Split.of(train, split.valid, split.test) for train in trains)]
    for valid, test in ((None, split.test), (split.valid, None), (split.test, split.valid), (None, None)):
        splits.append(Split.of(split.train, valid, test))
    assert len({each.fingerprint for each in splits}) == len(splits)
