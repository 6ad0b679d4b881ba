"""Popularity: counts of users as scores."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import UnsupportedError
from recsys_ae.models.popularity import Popularity
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender

PAIRS = [(1, "a"), (1, "b"), (2, "b"), (3, "b"), (3, "d"), (2, "d"), (4, "c"), (4, "a"), (5, "e")]


@pytest.fixture
def model() -> Recommender:
    frame = pd.DataFrame(PAIRS, columns=["user", "item"]).assign(rating=[1, 5, 5, 1, 2, 3, 5, 5, 4])
    return Recommender(Popularity()).fit(Interactions.from_frame(frame, rating="rating"), run=Run(device="cpu"))


def test_scores_are_the_numbers_of_users_whatever_they_rated(model: Recommender) -> None:
    scores = model.score(csr_matrix(np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.float32)))
    assert scores.tolist() == [[2, 3, 1, 2, 1]] * 2


def test_the_most_popular_come_first_and_equals_by_position(model: Recommender) -> None:
    items, scores = model.recommend(csr_matrix(np.array([[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], np.float32)), k=5)
    assert items.tolist() == [[0, 3, 2, 4, -1], [1, 0, 3, 2, 4]]
    assert scores[0].tolist() == [2, 2, 1, 1, -np.inf]


def test_items_are_not_alike(model: Recommender) -> None:
    with pytest.raises(UnsupportedError, match="popularity cannot compare items; use another model"):
        model.similar([0])
