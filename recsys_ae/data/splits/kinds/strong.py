"""Whole users (strong generalisation)."""

from typing import Literal

import numpy as np

from recsys_ae.data.interactions import Ids, Interactions
from recsys_ae.data.splits import liang2018
from recsys_ae.data.splits.assign import TEST, last_of_each, portion
from recsys_ae.data.splits.checks import active, checked_seed, number_of, shares
from recsys_ae.data.splits.holdout import Holdout, Split, hold_out, training_part
from recsys_ae.errors import Argument, ConfigError, DataError


def split_users(
    data: Interactions,
    *,
    n_valid: int | float,
    n_test: int | float,
    seed: int | None = None,
    fold_in: float = liang2018.FOLD_IN,
    recipe: Literal["liang2018"] | None = None,
) -> Split:
    """Hold out whole users, and hide the targets of each held-out user (strong generalisation).

    Parameters
    ----------
    n_valid, n_test
        Number of users, or share of the users as a float below 1. ``n_valid=0`` makes no validation users.
    seed
        By default 0, or the seed of ``recipe``.
    fold_in
        Share of a held-out user's interactions that is shown to the model. Of two or more interactions, at least one
        is shown and at least one is a target; a single interaction is shown.
    recipe
        ``"liang2018"`` reproduces the split of Liang et al. (WWW 2018): targets are a fifth of the interactions with
        known items, for users with at least five of them.

    Notes
    -----
    The items are those that training users have interacted with. The test users do not depend on ``n_valid``.
    """
    data = active(data)
    n_users = data.shape[0]
    counts = number_of("n_valid", n_valid, n_users, least=0), number_of("n_test", n_test, n_users, least=1)
    if sum(counts) >= n_users:
        raise DataError(
            f"{counts[0]:,} validation and {counts[1]:,} test users leave no user for training: "
            f"there are {n_users:,} users; ask for fewer"
        )
    if recipe is not None:
        if recipe != "liang2018" or fold_in != liang2018.FOLD_IN:
            raise ConfigError(
                Argument("recipe", recipe),
                " with ",
                Argument("fold_in", fold_in),
                " is unknown; the only recipe is 'liang2018', with ",
                Argument("fold_in", liang2018.FOLD_IN),
            )
        return liang2018.split_liang2018(data, *counts, checked_seed(liang2018.SEED if seed is None else seed))
    shares(fold_in=fold_in)
    return _split_users(data, *counts, checked_seed(seed or 0), fold_in)


def split_folds(
    data: Interactions, n_users: int, n_folds: int, *, seed: int = 0, fold_in: float = liang2018.FOLD_IN
) -> list[Split]:
    """Return splits that hold out one group of users each, as validation users; no user is in two groups.

    Parameters
    ----------
    data
        Interactions.
    n_users, n_folds
        Number of users of each group, and number of groups.
    seed
        Random seed.
    fold_in
        Share of the interactions of a user who is held out that are the history.
    """
    if n_users * n_folds >= data.shape[0]:
        raise DataError(f"{n_folds} groups of {n_users:,} users leave nobody of {data.shape[0]:,} users for training")
    draw, *fold_in_seeds = np.random.SeedSequence(seed).spawn(1 + n_folds)
    drawn = np.random.default_rng(draw).permutation(data.shape[0])
    splits = []
    for number, fold_in_seed in enumerate(fold_in_seeds):
        group = slice(number * n_users, (number + 1) * n_users)
        others = np.sort(np.delete(drawn, np.arange(data.shape[0])[group]))
        train = training_part(data, data.select_users(others), "held-out users")
        splits.append(
            Split.of(train, _folded_in(data, np.sort(drawn[group]), fold_in_seed, fold_in, train.items), None)
        )
    return splits


def _split_users(data: Interactions, n_valid: int, n_test: int, seed: int, fold_in: float) -> Split:
    draw, *fold_in_seeds = np.random.SeedSequence(seed).spawn(3)
    n_train = data.shape[0] - n_valid - n_test
    drawn = np.random.default_rng(draw).permutation(data.shape[0])
    groups = [np.sort(group) for group in np.split(drawn, [n_train, n_train + n_valid])]
    train = training_part(data, data.select_users(groups[0]), "held-out users")
    valid, test = (
        _folded_in(data, users, user_seed, fold_in, train.items)
        for users, user_seed in zip(groups[1:], fold_in_seeds, strict=True)
    )
    return Split.of(train, valid if n_valid else None, test)


def _folded_in(
    data: Interactions, users: np.ndarray, seed: np.random.SeedSequence, fold_in: float, items: Ids
) -> Holdout:
    """Return the users as a holdout, whose histories are random shares of their interactions."""
    folded = data.select_users(users)
    n_target = portion(np.diff(folded.matrix.indptr), 1 - fold_in)
    target = last_of_each(folded, n_target, 0, np.random.default_rng(seed).permutation(folded.nnz)) == TEST
    return hold_out(folded, ~target, target, items)


def split(
    data: Interactions,
    *,
    split_recipe: Literal["liang2018"] | None = None,
    split_seed: int | None = None,
    valid_users: int | float = 0.1,
    test_users: int | float = 0.1,
) -> Split:
    """Split by the options of a recipe."""
    return split_users(data, n_valid=valid_users, n_test=test_users, seed=split_seed, recipe=split_recipe)
