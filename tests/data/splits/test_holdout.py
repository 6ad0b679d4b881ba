"""Parts of a split: which are refused, what training keeps, and histories of users from other data."""

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.holdout import Holdout, Split, histories_of, hold_out, training_part
from recsys_ae.errors import DataError


def made(n_users: int = 12, n_items: int = 9, n: int = 200) -> Interactions:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, n_users, n), "item": rng.integers(100, 100 + n_items, n)})
    return Interactions.from_frame(frame, duplicates="last")


def held_out(data: Interactions, n: int) -> Holdout:
    """Return a holdout with the first n interactions as targets, and no histories."""
    target = np.arange(data.nnz) < n
    return hold_out(data, np.zeros(data.nnz, bool), target, data.items)


def test_a_single_interaction_is_enough_for_each_part() -> None:
    data = made()
    split = Split.of(data.take(np.arange(data.nnz) == 5), held_out(data, 1), held_out(data, 1))
    assert split.train.nnz == 1


def test_parts_without_interactions_are_refused_by_name() -> None:
    data = made()
    nothing, something = held_out(data, 0), held_out(data, 3)
    with pytest.raises(DataError, match=r"^no interaction is left to train on; hold out less$"):
        Split.of(data.take(np.zeros(data.nnz, bool)), something, something)
    for name, parts in (("validation", (nothing, something)), ("test", (something, nothing))):
        with pytest.raises(DataError) as refused:
            Split.of(data, *parts)
        assert str(refused.value) == (
            f"the 12 {name} users have no target: hold out more, or keep only users with more interactions"
        )


@pytest.mark.parametrize(("n_users", "n_items"), [(30, 5), (8, 40)])
def test_training_keeps_only_users_and_items_with_interactions(n_users: int, n_items: int) -> None:
    data = made(n_users, n_items)
    rest = data.take((data.rows != 3) & (data.matrix.indices != 2))
    train = training_part(data, rest, "held-out users")
    assert train.users.tolist() == data.users.drop(data.users[3]).tolist()
    assert train.items.tolist() == data.items.drop(data.items[2]).tolist()
    (*_, step) = train.steps
    assert (step.name, step.before, step.after) == ("held-out users", data.counts, train.counts)
    assert training_part(data, data, "nothing").matrix.shape == data.matrix.shape


def test_histories_are_as_wide_as_the_data() -> None:
    """The last items have no interactions in these rows, and the unknown user has an empty row."""
    data = made()
    narrow = data.take(data.matrix.indices < 3)
    users = pd.Index([5, 99, 2])
    histories = histories_of(narrow, users)
    assert histories.shape == (3, data.shape[1])
    np.testing.assert_array_equal(histories.toarray(), narrow.matrix.toarray()[[5, 0, 2]] * [[1], [0], [1]])
