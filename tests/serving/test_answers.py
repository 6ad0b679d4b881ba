"""Recommendations for tables of histories, compared with those of the recommender."""

import logging

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import Interactions, Recommender, Run
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.models import CDAE, EASE, AutoRec
from recsys_ae.serving.answers import Answers
from recsys_ae.testing.blocks import training_data
from tests.single_thread import single_thread  # noqa: F401

RUN = Run(device="cpu", threads=1)
DATA = training_data()


@pytest.fixture(scope="module")
def model() -> Recommender:
    named = Interactions.from_arrays(
        DATA.rows, DATA.matrix.indices, DATA.matrix.data, DATA.users, pd.Index([f"i{item}" for item in DATA.items])
    )
    return Recommender(EASE(l2=5.0)).fit(named, run=RUN)


def table_of(model: Recommender, rows: list[int]) -> pd.DataFrame:
    """Return the histories of some users as a table, in an order of its own."""
    matrix = DATA.matrix[rows].tocoo()
    frame = pd.DataFrame({"user": [f"u{rows[row]}" for row in matrix.row], "item": model.items[matrix.col]})
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def lists(found: pd.DataFrame) -> dict[object, list[object]]:
    return {user: rows["item"].tolist() for user, rows in found.groupby("user", sort=False)}


def test_rows_of_interactions_are_answered_in_the_order_of_their_users(model: Recommender) -> None:
    frame = table_of(model, [3, 1, 4])
    found = Answers(model).table(frame, {"k": 5})
    assert list(found.columns) == ["user", "rank", "item", "score"]
    assert list(lists(found)) == list(dict.fromkeys(frame["user"]))
    items, scores = model.recommend(DATA.matrix[[3, 1, 4]], 5)
    for place, user in enumerate(("u3", "u1", "u4")):
        rows = found[found["user"] == user]
        assert rows["item"].tolist() == model.items[items[place]].tolist()
        assert np.allclose(rows["score"], scores[place])
        assert rows["rank"].tolist() == [1, 2, 3, 4, 5]


def test_lists_are_answered_row_by_row(model: Recommender) -> None:
    histories = [model.items[DATA.matrix[row].indices].tolist() for row in (2, 5)]
    frame = pd.DataFrame({"user": ["a", "b", "a", "c"], "items": [histories[0], np.array(histories[1]), [], None]})
    found = Answers(model).table(frame, {"k": 4})
    assert found["user"].tolist() == ["a", "b", "a", "c"]
    items, scores = model.recommend(DATA.matrix[[2, 5]], 4)
    assert found["items"].tolist()[:2] == [model.items[row].tolist() for row in items]
    assert np.allclose(found["scores"].tolist()[:2], scores)
    popular = model.items[np.argsort(-np.bincount(DATA.matrix.indices, minlength=len(model.items)), kind="stable")[:4]]
    assert found["items"].tolist()[2] == found["items"].tolist()[3] == popular.tolist()


def test_users_without_an_item_get_the_most_popular(model: Recommender) -> None:
    frame = pd.DataFrame({"user": ["new", "old"], "item": [None, model.items[0]]})
    found = lists(Answers(model).table(frame, {"k": 3}))
    assert list(found) == ["new", "old"]
    assert found["new"] == Answers(model).table(pd.DataFrame({"user": ["x"], "items": [[]]}), {"k": 3})["items"][0]


def test_ids_have_any_form_and_unknown_items_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    numbers = Recommender(EASE(l2=5.0)).fit(DATA, run=RUN)
    first, second = DATA.items[:2]
    with caplog.at_level(logging.WARNING):
        text = Answers(numbers).table(pd.DataFrame({"user": [1, 1, 1], "item": [str(first), f"{second}.0", "nothing"]}))
    assert caplog.messages == ["skipped 1 interactions, because the model does not know their items"]
    plain = Answers(numbers).table(pd.DataFrame({"user": [1, 1], "item": [first, second]}))
    pd.testing.assert_frame_equal(text, plain)


def test_parameters_choose_the_items(model: Recommender) -> None:
    frame = table_of(model, [0])
    answers = Answers(model)
    mine = set(frame["item"])
    assert mine.isdisjoint(answers.table(frame, {"k": 30})["item"])
    assert set(answers.table(frame, {"k": 32, "exclude_seen": False})["item"]) == set(model.items)
    allowed = list(model.items[5:9])
    assert set(answers.table(frame, {"allow": np.array(allowed)})["item"]) == set(allowed) - mine
    assert set(answers.table(frame, {"k": 32, "deny": allowed})["item"]) == set(model.items) - mine - set(allowed)
    assert len(answers.table(frame, {"k": None})) == 10


def test_low_ratings_only_exclude_their_items(model: Recommender) -> None:
    frame = table_of(model, [0]).assign(rating=5.0)
    low = frame.iloc[:1].assign(item=model.items[-1], rating=1.0)
    found = Answers(model, threshold=4.0).table(pd.concat([frame, low]), {"k": 32})
    assert model.items[-1] not in set(found["item"])
    without = Answers(model).table(frame, {"k": 32})
    kept = without[without["item"] != model.items[-1]]
    assert found["item"].tolist() == kept["item"].tolist()
    again = pd.concat([low.assign(rating=1.0), low.assign(rating=5.0)])
    liked = Answers(model, threshold=4.0).table(again, {"k": 3})
    assert liked["item"].tolist() != Answers(model, threshold=4.0).table(low, {"k": 3})["item"].tolist()


def test_models_that_know_their_users_get_the_ids() -> None:
    model = Recommender(CDAE(latent=4, epochs=3)).fit(DATA, run=RUN)
    frame = pd.DataFrame({"user": [DATA.users[3]], "items": [DATA.items[DATA.matrix[3].indices].tolist()]})
    items, _ = model.recommend(DATA.matrix[[3]], 10, users=DATA.users[[3]])
    assert Answers(model).table(frame)["items"][0] == model.items[items[0]].tolist()


def test_models_of_ratings_need_them() -> None:
    rated = training_data(rated=True)
    model = Recommender(AutoRec(latent=4, epochs=3)).fit(rated, run=RUN)
    row = rated.matrix[[2]]
    frame = pd.DataFrame({"user": 2, "item": rated.items[row.indices], "rating": row.data})
    items, _ = model.recommend(row, 10, users=rated.users[[2]] if model.knows_users else None)
    found = Answers(model).table(frame.assign(user=rated.users[2]))
    assert found["item"].tolist() == model.items[items[0]].tolist()
    with pytest.raises(DataError, match="autorec reads ratings; give the column rating"):
        Answers(model).table(frame.drop(columns="rating"))


@pytest.mark.parametrize(
    ("frame", "params", "said"),
    [
        ({"item": ["i1"]}, {}, "expected the column user and one of item and items; the columns are"),
        ({"user": [1]}, {}, "expected the column user and one of item and items"),
        ({"user": [1], "item": ["i1"], "items": [["i1"]]}, {}, "one of item and items"),
        ({"user": [], "item": []}, {}, "the table has no rows"),
        ({"user": [1, None], "item": ["i1", "i2"]}, {}, "user in row 2 is missing"),
        ({"user": [1], "items": ["i1"]}, {}, "items in row 1 is no list: 'i1'"),
        ({"user": [1, 2], "item": ["i1", "i2"], "rating": [1, "x"]}, {}, "rating in row 2 is not a number: 'x'"),
        ({"user": [1], "item": ["i1"]}, {"k": 0}, "k is 0; expected a whole number of at least 1"),
        ({"user": [1], "item": ["i1"]}, {"k": 2.5}, "k is 2.5"),
        ({"user": [1], "item": ["i1"]}, {"top": 3}, "the parameter top is unknown; expected one of k, exclude_seen"),
        ({"user": [1], "item": ["i1"]}, {"allow": ["none"]}, "the model does not know the items 'none'"),
    ],
)
def test_what_is_wrong_is_said(
    model: Recommender, frame: dict[str, list[object]], params: dict[str, object], said: str
) -> None:
    with pytest.raises((DataError, ConfigError), match=said):
        Answers(model).table(pd.DataFrame(frame), params)


def test_a_matrix_of_nothing_is_no_history(model: Recommender) -> None:
    assert csr_matrix((1, len(model.items))).nnz == 0
    found = Answers(model).table(pd.DataFrame({"user": [1], "item": ["unknown"]}), {"k": 2})
    assert (
        found["item"].tolist() == Answers(model).table(pd.DataFrame({"user": [1], "items": [[]]}), {"k": 2})["items"][0]
    )
