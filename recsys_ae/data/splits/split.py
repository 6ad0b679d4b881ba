"""Splits: what a model may learn from, what it is chosen on, and what it is judged on."""

import dataclasses
from typing import Literal

import numpy as np

from recsys_ae.data.interactions import Interactions, Step
from recsys_ae.data.splits import liang2018
from recsys_ae.data.splits.assign import TEST, TRAIN, VALID, holdouts, last_of_each, portion, split_by
from recsys_ae.data.splits.holdout import Holdout, Split, given_test, hold_out, touched, training_part
from recsys_ae.errors import ConfigError, DataError

__all__ = [
    "Holdout",
    "Split",
    "split_given",
    "split_interactions",
    "split_last",
    "split_ratings",
    "split_time",
    "split_users",
]


def split_users(
    data: Interactions,
    *,
    n_valid: int | float,
    n_test: int | float,
    seed: int | None = None,
    fold_in: float = liang2018.FOLD_IN,
    recipe: Literal["liang2018"] | None = None,
) -> Split:
    """Hold out whole users, and of each held-out user the targets (strong generalisation).

    Parameters
    ----------
    n_valid, n_test
        How many users, or which share of the users as a float below 1. No validation users with ``n_valid=0``.
    seed
        0 unless given; under a recipe, the recipe's own.
    fold_in
        The share of a held-out user's interactions that is shown to the model. Of two or more interactions at least
        one is shown and at least one is a target; a single one is shown.
    recipe
        ``"liang2018"`` draws exactly as Liang et al. (WWW 2018) did: targets are a fifth of the interactions with
        known items, of users with at least five of them.

    Notes
    -----
    The items are those that training users have touched. The test users do not depend on ``n_valid``.
    """
    data = _active(data)
    n_users = data.shape[0]
    counts = _n_users("n_valid", n_valid, n_users, least=0), _n_users("n_test", n_test, n_users, least=1)
    if sum(counts) >= n_users:
        raise DataError(
            f"{counts[0]:,} validation and {counts[1]:,} test users leave nobody to train on: "
            f"there are {n_users:,} users; ask for fewer"
        )
    if recipe is not None:
        if recipe != "liang2018" or fold_in != liang2018.FOLD_IN:
            raise ConfigError(
                f"recipe = {recipe!r} with fold_in = {fold_in!r} is unknown; the only recipe is 'liang2018', "
                f"and it fixes fold_in = {liang2018.FOLD_IN}"
            )
        return liang2018.split_liang2018(data, *counts, _seed(liang2018.SEED if seed is None else seed))
    _shares(fold_in=fold_in)
    return _split_users(data, *counts, _seed(seed or 0), fold_in)


def split_interactions(data: Interactions, *, test: float = 0.2, valid: float = 0.1, seed: int = 0) -> Split:
    """Hold out a random share of every user's interactions (weak generalisation).

    The shares are of the user's interactions, at least one each where that leaves one to train on: a user with one
    interaction has no target, a user with two no validation target. Test histories are the training and validation
    interactions. ``valid=0`` makes no validation part.
    """
    _shares(test=test, valid=valid)
    data = _active(data)
    lengths = np.diff(data.matrix.indptr)
    n_test = portion(lengths, test)
    n_valid = portion(lengths, valid, besides=n_test)
    part = last_of_each(data, n_test, n_valid, np.random.default_rng(_seed(seed)).permutation(data.nnz))
    return split_by(data, part, "held-out interactions", valid=valid > 0)


def split_last(data: Interactions, *, n_test: int = 1, n_valid: int = 1) -> Split:
    """Hold out the latest interactions of every user; of equal times, the later in the source is the latest.

    A user keeps at least one interaction to train on: those with few have fewer targets, or none. Test histories are
    the training and validation interactions. ``n_valid=0`` makes no validation part.
    """
    if n_test < 1 or n_valid < 0:
        raise DataError(f"n_test = {n_test} and n_valid = {n_valid}: expected at least 1 and at least 0")
    data = _active(data)
    times = _times(data)
    left = np.diff(data.matrix.indptr) - 1
    tests = np.minimum(n_test, left)
    rank = np.empty(data.nnz, np.int64)
    rank[np.lexsort((data.order, times))] = np.arange(data.nnz)
    part = last_of_each(data, tests, np.minimum(n_valid, left - tests), rank)
    return split_by(data, part, "latest interactions of each user", valid=n_valid > 0)


def split_time(data: Interactions, *, test: float | int = 0.2, valid: float | int = 0.1) -> Split:
    """Hold out everything from a moment on, the same for all users.

    Parameters
    ----------
    test, valid
        The moment from which interactions are held out: as a float, such that this share of all interactions is held
        out (more where several happen at that moment); as an int, in seconds since 1970. Validation lies between
        the two moments; none with 0.

    Notes
    -----
    Users who first appear later have an empty history; items that do are left out and counted.
    """
    data = _active(data)
    times = _times(data)
    _shares(**{name: at for name, at in (("test", test), ("valid", valid)) if isinstance(at, float)})
    ordered = np.sort(times)
    test_from = _moment("test", test, ordered, len(ordered))
    part = np.where(times >= test_from, TEST, TRAIN)
    if valid:
        before = ordered[: np.searchsorted(ordered, test_from)]
        valid_from = _moment("valid", valid, before, len(ordered))
        part[(times >= valid_from) & (times < test_from)] = VALID
    return split_by(data, part, "interactions after the cut", valid=bool(valid))


def split_ratings(data: Interactions, *, test: float = 0.1, valid: float = 0.1, seed: int = 0) -> Split:
    """Hold out a random share of all ratings, to measure the error of predicted ones.

    Unlike the other splits it keeps every user and item, trained or not: each held-out rating is to be predicted.
    Test histories are the training and validation ratings. ``valid=0`` makes no validation part.
    """
    _shares(test=test, valid=valid)
    drawn = np.random.default_rng(_seed(seed)).permutation(data.nnz)
    n_test, n_valid = round(test * data.nnz), round(valid * data.nnz)
    part = np.zeros(data.nnz, np.int8)
    part[drawn[:n_test]] = TEST
    part[drawn[n_test : n_test + n_valid]] = VALID
    train = data.take(part == TRAIN, name="held-out ratings")
    return Split.of(train, *holdouts(data, part, data.items, valid=valid > 0))


def split_given(
    train: Interactions,
    test: Interactions,
    *,
    valid: float = 0.1,
    seed: int = 0,
    read: Interactions | None = None,
) -> Split:
    """Take training and test part as the publisher gives them; validation is a share of each user's training part.

    Test histories are all the given training interactions of the user, none for a user who is not in training. The
    items are those of the given training part: test interactions with others are left out and counted. ``valid=0``
    makes no validation part.

    Parameters
    ----------
    read
        The training part before a filter such as `MinInteractions` took users away. A test user who is not in
        ``train`` then keeps the history that ``read`` has of them, on the items of ``train``.
    """
    _shares(valid=valid)
    base = _active(train).onto(touched(train))
    test = _active(test)
    judged = given_test(base, test, read)
    lengths = np.diff(base.matrix.indptr)
    n_valid = portion(lengths, valid)
    part = last_of_each(base, 0 * lengths, n_valid, np.random.default_rng(_seed(seed)).permutation(base.nnz))
    validated, _ = holdouts(base, part, base.items, valid=valid > 0)
    learnt = base.take(part == TRAIN, name="validation interactions" if valid else None)
    return Split.of(learnt, validated, judged)


def _split_users(data: Interactions, n_valid: int, n_test: int, seed: int, fold_in: float) -> Split:
    draw, *fold_in_seeds = np.random.SeedSequence(seed).spawn(3)
    n_train = data.shape[0] - n_valid - n_test
    drawn = np.random.default_rng(draw).permutation(data.shape[0])
    parts = [np.sort(part) for part in np.split(drawn, [n_train, n_train + n_valid])]
    train = training_part(data, data.select_users(parts[0]), "held-out users")

    def folded_in(users: np.ndarray, own: np.random.SeedSequence) -> Holdout:
        held = data.select_users(users)
        n_target = portion(np.diff(held.matrix.indptr), 1 - fold_in)
        target = last_of_each(held, n_target, 0, np.random.default_rng(own).permutation(held.nnz)) == TEST
        return hold_out(held, ~target, target, train.items)

    valid, test = (folded_in(users, own) for users, own in zip(parts[1:], fold_in_seeds, strict=True))
    return Split.of(train, valid if n_valid else None, test)


def _moment(name: str, at: float | int, ordered: np.ndarray, n: int) -> int:
    """Return the moment given, or the one from which the last ``at * n`` of the times run."""
    start = int(ordered[-min(max(round(at * n), 1), len(ordered))]) if isinstance(at, float) else int(at)
    if not ordered[0] < start <= ordered[-1]:
        raise DataError(
            f"{name} = {at} would hold out all or none of the times from {ordered[0]} to {ordered[-1]} "
            "that there are to divide; choose another cut"
        )
    return start


def _active(data: Interactions) -> Interactions:
    """Return the data without users without interactions."""
    if data.nnz == 0:
        raise DataError("the data have no interactions to split")
    users = np.flatnonzero(np.diff(data.matrix.indptr))
    if len(users) == data.shape[0]:
        return data
    left = data.select_users(users)
    return dataclasses.replace(left, steps=(*data.steps, Step("users without interactions", data.counts, left.counts)))


def _n_users(name: str, value: int | float, n_users: int, *, least: int) -> int:
    n = round(value * n_users) if isinstance(value, float) and 0 < value < 1 else value
    if isinstance(n, float) or n < least or (n == 0 and value != 0):
        raise DataError(
            f"{name} = {value} is neither a number of users, at least {least}, nor a share between 0 and 1 "
            f"that holds one of the {n_users:,} users"
        )
    return int(n)


def _shares(**shares: float) -> None:
    """Refuse shares out of bounds; only that of validation may be 0."""
    for name, share in shares.items():
        if not (0 < share < 1 or (share == 0 and name == "valid")):
            raise DataError(f"{name} = {share} is not a share between 0 and 1")
    held_out = shares.get("test", 0.0) + shares.get("valid", 0.0)
    if held_out >= 1:
        raise DataError(f"test and validation together are {held_out:g} of the data; keep something to train on")


def _seed(seed: int) -> int:
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed = {seed} is out of bounds; expected 0 to {2**32 - 1}")
    return seed


def _times(data: Interactions) -> np.ndarray:
    if data.timestamps is None:
        raise DataError("the data have no timestamps; name their column when reading, or split without time")
    missing = int((data.timestamps <= 0).sum())
    if missing:
        raise DataError(
            f"{missing:,} of {data.nnz:,} timestamps are 0, which means unknown; "
            "leave those interactions out, or split without time"
        )
    return data.timestamps
