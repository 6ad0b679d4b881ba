"""Assignment of interactions to the parts of a split, and the holdouts of these parts."""

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.assign import TEST, TRAIN, VALID, last_of_each, portion, split_by
from recsys_ae.data.splits.liang2018 import split_liang2018


def made(n_users: int = 12, n_items: int = 9) -> Interactions:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, n_users, 200), "item": rng.integers(100, 100 + n_items, 200)})
    return Interactions.from_frame(frame, duplicates="last")


@pytest.mark.parametrize(
    ("share", "besides", "expected"),
    [(0.2, 0, [0, 1, 1, 1, 2, 20]), (0.0, 0, [0, 0, 0, 0, 0, 0]), (0.9, 0, [0, 1, 2, 4, 8, 90])],
)
def test_a_portion_is_rounded_holds_one_and_leaves_one(share: float, besides: int, expected: list[int]) -> None:
    actual = portion(np.array([1, 2, 3, 5, 9, 100]), share, besides=besides)
    assert actual.tolist() == expected
    assert actual.dtype == np.int64


def test_a_portion_leaves_room_for_what_is_taken_besides() -> None:
    assert portion(np.array([5, 5, 5]), 0.9, besides=np.array([0, 1, 3])).tolist() == [4, 3, 1]


def test_the_last_interactions_of_each_user_are_held_out() -> None:
    data = made()
    rank = np.random.default_rng(1).permutation(data.nnz)
    n_test, n_valid = np.arange(12) % 3, np.arange(12) % 2
    assignment = last_of_each(data, n_test, n_valid, rank)
    assert assignment.dtype == np.int8
    for user in range(12):
        of_user = assignment[data.rows == user][np.argsort(rank[data.rows == user])]
        n_train = len(of_user) - n_test[user] - n_valid[user]
        assert of_user.tolist() == [TRAIN] * n_train + [VALID] * n_valid[user] + [TEST] * n_test[user]


def test_the_training_part_names_its_step() -> None:
    data = made()
    rank = np.random.default_rng(1).permutation(data.nnz)
    assignment = last_of_each(data, np.ones(12, int), np.ones(12, int), rank)
    train = split_by(data, assignment, "latest interactions", valid=True).train
    assert [step.name for step in train.steps] == [*(step.name for step in data.steps), "latest interactions"]
    steps = split_liang2018(made(60), n_valid=5, n_test=5).train.steps
    assert steps[-1].name == "held-out users"
