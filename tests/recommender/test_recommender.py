"""Recommender: ids and tables, histories, ratings, known users, fits, and errors with a way out."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from scipy.sparse import coo_matrix, csc_matrix, csr_array, csr_matrix

from recsys_ae import Interactions, Recommender, Run, evaluate, split_users
from recsys_ae.data.splits.split import Holdout, split_ratings
from recsys_ae.errors import ConfigError, DataError, NotFittedError, UnsupportedError
from recsys_ae.models import EASE, MultVAE, Popularity
from recsys_ae.nn.runtime import Progress
from tests.models.blocks import holdout, small, training_data
from tests.recommender.means import Means
from tests.single_thread import single_thread  # noqa: F401

CPU = Run(device="cpu")
PAIRS = [(1, 0), (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 0), (4, 3), (4, 1), (5, 4), (5, 3), (6, 4)]
"""Pairs of a user and an item, the item as a position in one of the lists of ids below."""
IDS: dict[str, list[Any]] = {
    "numbers": [10, 20, 30, 40, 50],
    "text": ["a", "b", "c", "d", "e"],
    "mixed": [1, 2, "1", "2", "x"],
    "odd text": ["", " ", '"quoted", with a comma', "😀", "long" * 2500],
    "fractions": [0.5, 1.0, 1.5, 2.5, 1e300],
}


def frame_of(ids: list[Any], pairs: list[tuple[Any, int]] | None = None) -> pd.DataFrame:
    user, item = zip(*(pairs or PAIRS), strict=True)
    chosen: list[Any] = [ids[position] for position in item]
    return pd.DataFrame({"user": user, "item": pd.Series(chosen, dtype=object)}).infer_objects()


def popularity_of(ids: list[Any]) -> Recommender:
    return Recommender(Popularity()).fit(Interactions.from_frame(frame_of(ids)), run=CPU)


@pytest.fixture(scope="module")
def blocks() -> Recommender:
    return Recommender(EASE()).fit(training_data(), run=CPU)


# Raw ids


@pytest.mark.parametrize("kind", IDS)
def test_tables_of_raw_ids_go_in_and_come_out(kind: str) -> None:
    ids = IDS[kind]
    table = popularity_of(ids).recommend_frame(frame_of(ids, [("new", 1), ("other", 0), ("other", 3)]), k=2)
    assert list(table.columns) == ["user", "rank", "item", "score"]
    assert table["user"].tolist() == ["new", "new", "other", "other"]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    # b is in 4 histories, all others in 2: equals come in the order of the model's items.
    order = [ids[position] for position in range(5)]
    assert table["item"].tolist() == [order[0], order[2], order[1], order[2]]
    assert [type(item) for item in table["item"].tolist()] == [
        type(item) for item in (order[0], order[2], order[1], order[2])
    ]
    assert table["score"].tolist() == [2, 2, 4, 2]
    assert table.attrs == {"unknown": 0}


def test_rows_without_a_user_or_an_item_are_refused_or_skipped() -> None:
    model = popularity_of(IDS["numbers"])
    item = model.items[0]
    table = pd.DataFrame({"user": ["u", None, "v"], "item": [item, item, None]})
    with pytest.raises(DataError, match="set missing = 'skip'"):
        model.recommend_frame(table)
    pd.testing.assert_frame_equal(model.recommend_frame(table, missing="skip"), model.recommend_frame(table[:1]))


def test_one_and_the_text_of_one_are_two_items() -> None:
    model = popularity_of(IDS["mixed"])
    assert model.positions([1, "1"]).tolist() == [model.items.tolist().index(1), model.items.tolist().index("1")]
    table = model.recommend_frame(pd.DataFrame({"user": ["u"], "item": [1]}), k=9)
    assert 1 not in table["item"].tolist()
    assert "1" in table["item"].tolist()


@pytest.mark.parametrize("items", [["10", 20], ["10", "20"], [10.0, 20.0], ["010", " 20.0"]])
def test_items_in_another_form_are_those_of_a_model_of_numbers(items: list[Any]) -> None:
    model = popularity_of(IDS["numbers"])
    table = model.recommend_frame(pd.DataFrame({"user": ["u", "u"], "item": pd.Series(items, dtype=object)}), k=9)
    assert table["item"].tolist() == [30, 40, 50]
    assert table.attrs == {"unknown": 0}
    assert model.positions(items).tolist() == [0, 1]
    wanted = model.recommend_frame(pd.DataFrame({"user": ["u"], "item": [30]}), k=9, allow=items)
    assert sorted(wanted["item"]) == [10, 20]


def test_the_last_of_several_rows_on_the_same_item_counts(blocks: Recommender) -> None:
    item = blocks.items.tolist()
    frame = pd.DataFrame({"user": "u", "item": [f"0{item[0]}", str(item[1]), str(item[0])], "stars": [1, 1, 5]})
    for rows, value in (([0, 1, 2], 5), ([2, 1, 0], 1)):
        expected = csr_matrix((np.array([value, 1], np.float32), ([0, 0], [0, 1])), shape=(1, 32))
        table = blocks.recommend_frame(frame.iloc[rows], k=3, rating="stars")
        np.testing.assert_array_equal(table["score"].to_numpy(), blocks.recommend(expected, k=3).scores[0])
        assert table.attrs == {"unknown": 0}


def test_items_unknown_to_the_model_are_dropped_and_counted() -> None:
    frame = pd.DataFrame({"user": ["u", "u", "u", "v"], "item": ["z", "b", "y", "z"]})
    table = popularity_of(IDS["text"]).recommend_frame(frame, k=2)
    assert table.attrs == {
        "unknown": 3,
        "remarks": ("the model does not know 2 of 3 items, such as 'y'; the model has ids such as 'a'",),
    }
    assert table[table["user"] == "u"]["item"].tolist() == ["a", "c"]


def test_a_user_of_unknown_items_gets_the_order_of_popularity(blocks: Recommender) -> None:
    with pytest.warns(
        UserWarning, match="does not know 1 of 1 items, such as -5; the model has ids such as 1000; every"
    ):
        table = blocks.recommend_frame(pd.DataFrame({"user": ["u"], "item": [-5]}), k=32)
    counts = np.asarray(training_data().matrix.sum(axis=0)).ravel()
    assert table["item"].tolist() == blocks.items[np.argsort(-counts, kind="stable")].tolist()


def test_columns_are_named_or_counted_and_the_last_of_a_repeated_pair_counts(blocks: Recommender) -> None:
    item = blocks.items.tolist()
    frame = pd.DataFrame({"who": ["u", "u", "u"], "what": [item[0], item[1], item[0]], "stars": [1, 1, 5]})
    expected = csr_matrix((np.array([5, 1], np.float32), ([0, 0], [0, 1])), shape=(1, 32))
    scores = blocks.recommend(expected, k=3).scores[0]
    for columns in ({"user": "who", "item": "what", "rating": "stars"}, {"user": 0, "item": 1, "rating": 2}):
        table = blocks.recommend_frame(frame, k=3, **columns)  # type: ignore[arg-type]
        np.testing.assert_array_equal(table["score"].to_numpy(), scores)
    without = blocks.recommend_frame(frame, k=3, user="who", item="what")
    assert not np.array_equal(without["score"].to_numpy(), scores)


def test_the_seen_may_stay_in_the_table() -> None:
    frame = pd.DataFrame({"user": ["u"], "item": ["b"]})
    model = popularity_of(IDS["text"])
    assert model.recommend_frame(frame, k=1, exclude_seen=False)["item"].tolist() == ["b"]
    assert model.recommend_frame(frame, k=1)["item"].tolist() == ["a"]


def test_ids_are_allowed_and_denied() -> None:
    frame = pd.DataFrame({"user": ["u"], "item": ["b"]})
    model = popularity_of(IDS["text"])
    assert model.recommend_frame(frame, allow=["e", "b", "c"])["item"].tolist() == ["c", "e"]
    assert model.recommend_frame(frame, deny=["a", "d"])["item"].tolist() == ["c", "e"]
    assert model.recommend_frame(frame, allow=["e", "c"], deny=["c"])["item"].tolist() == ["e"]
    assert model.recommend_frame(frame, allow=[])["item"].tolist() == []


def test_an_unknown_id_in_a_list_is_an_error() -> None:
    frame = pd.DataFrame({"user": ["u"], "item": ["b"]})
    for name in ("allow", "deny"):
        wrong: dict[str, Any] = {name: ["a", "nobody"]}
        with pytest.raises(DataError, match=r"^the model does not know the items 'nobody'$"):
            popularity_of(IDS["text"]).recommend_frame(frame, **wrong)


def test_places_that_stay_empty_are_not_in_the_table(blocks: Recommender) -> None:
    items = blocks.items.tolist()
    frame = pd.DataFrame({"user": ["u"] * 30 + ["v"], "item": items[:30] + items[:1]})
    table = blocks.recommend_frame(frame, k=3)
    assert table["user"].tolist() == ["u", "u", "v", "v", "v"]
    assert table["rank"].tolist() == [1, 2, 1, 2, 3]
    assert sorted(table[table["user"] == "u"]["item"]) == sorted(items[30:])


def test_a_table_that_cannot_be_read_is_an_error_of_ours(blocks: Recommender) -> None:
    for frame in (pd.DataFrame({"user": [], "item": []}), pd.DataFrame({"user": [1], "thing": [1]})):
        with pytest.raises(DataError):
            blocks.recommend_frame(frame)


def test_lists_become_a_table_under_any_heading(blocks: Recommender) -> None:
    similar = blocks.similar([4, 2], k=2)
    table = blocks.to_frame(similar, blocks.items[[4, 2]], row="like")
    assert list(table.columns) == ["like", "rank", "item", "score"]
    assert table["like"].tolist() == [blocks.items[4]] * 2 + [blocks.items[2]] * 2
    assert table["item"].tolist() == blocks.items[similar.items.ravel()].tolist()


# Positions


@pytest.mark.parametrize("kind", IDS)
def test_positions_are_those_of_the_items(kind: str) -> None:
    model = popularity_of(IDS[kind])
    ids = [model.items.tolist()[position] for position in (3, 0, 3)]
    assert model.positions(ids).tolist() == [3, 0, 3]
    assert model.positions([]).tolist() == []


def test_unknown_ids_are_named_plainly_and_not_all_of_them() -> None:
    model = popularity_of(IDS["numbers"])
    with pytest.raises(DataError, match=r"^the model does not know the items 7, 8$"):
        model.positions(np.array([10, 7, 8]))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"^the model does not know the items 0, 1, 2, 3, 4 and 1,990 more$"):
        model.positions(range(2000))
    with pytest.raises(DataError, match=r"^the model does not know the items '1x'; it has ids such as 10$"):
        model.positions(["1x"])
    with pytest.raises(DataError) as caught:
        model.positions(["x" * 10_000])
    assert len(str(caught.value)) < 120


# Similar items


def test_similar_items_are_asked_for_by_position(blocks: Recommender) -> None:
    items, scores = blocks.similar(blocks.positions([blocks.items[3]]), k=5)
    assert items.shape == scores.shape == (1, 5)
    assert 3 not in items
    assert blocks.similar([3], k=1000).items.shape == (1, 31)
    assert blocks.similar([], k=5).items.shape == (0, 5)


@pytest.mark.parametrize(
    ("items", "k", "error", "message"),
    [
        ([0], 0, ConfigError, "k = 0 must be at least 1"),
        ([32], 5, DataError, "there is no item at position 32; there are 32 items"),
        (["1000"], 5, DataError, r"items must be a list of positions .*; positions\(\) looks up ids"),
    ],
)
def test_similar_items_of_nothing_are_refused(
    items: Any, k: int, error: type[Exception], message: str, blocks: Recommender
) -> None:
    with pytest.raises(error, match=message):
        blocks.similar(items, k=k)


# Histories


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, coo_matrix, csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.int64, bool])
def test_histories_may_be_any_sparse_matrix(form: type, dtype: type, blocks: Recommender) -> None:
    histories = holdout(training_data()).histories
    matrix = form(histories.toarray().astype(dtype))
    np.testing.assert_array_equal(blocks.score(matrix), blocks.score(histories))
    np.testing.assert_array_equal(blocks.recommend(matrix, k=4).items, blocks.recommend(histories, k=4).items)


def test_histories_with_repeated_entries_are_summed_and_left_alone(blocks: Recommender) -> None:
    matrix = csr_matrix((np.ones(3, np.float32), np.array([4, 1, 4]), np.array([0, 3])), shape=(1, 32))
    expected = csr_matrix(([1.0, 2.0], ([0, 0], [1, 4])), shape=(1, 32))
    np.testing.assert_array_equal(blocks.score(matrix), blocks.score(expected))
    assert matrix.indices.tolist() == [4, 1, 4]


def test_a_vector_is_no_table_of_histories(blocks: Recommender) -> None:
    from scipy.sparse import coo_array

    with pytest.raises(DataError, match=r"histories must be a sparse \(n, 32\) matrix, not coo_array"):
        blocks.recommend(coo_array(np.ones(32)))  # type: ignore[arg-type]


def test_each_user_may_have_an_item_list(blocks: Recommender) -> None:
    histories = holdout(training_data()).histories
    item_per_user = csr_matrix(np.eye(4, 32))
    assert blocks.recommend(histories, k=3, allow=item_per_user, exclude_seen=False).items[:, 0].tolist() == [
        0,
        1,
        2,
        3,
    ]
    assert not (blocks.recommend(histories, k=32, deny=item_per_user).items == np.arange(4)[:, None]).any()


def test_further_items_of_each_row_are_left_out_but_are_no_input(blocks: Recommender) -> None:
    histories = holdout(training_data()).histories
    scores = blocks.score(histories)
    excluded = csr_matrix(np.eye(4, 32))
    for exclude_seen in (True, False):
        lists = blocks.recommend(histories, k=32, exclude=excluded, deny=[9], exclude_seen=exclude_seen)
        for row, items in enumerate(lists.items):
            listed = items[items >= 0]
            seen = set(histories[row].indices.tolist()) if exclude_seen else set()
            assert set(listed.tolist()) == set(range(32)) - seen - {row, 9}
            np.testing.assert_allclose(lists.scores[row, : len(listed)], scores[row, listed], rtol=1e-5)
    with pytest.raises(DataError, match=r"exclude has the shape \(4, 31\), but the histories have \(4, 32\)"):
        blocks.recommend(histories, exclude=csr_matrix((4, 31)))


def test_what_is_rated_too_low_is_left_out_but_is_no_input(blocks: Recommender) -> None:
    items = blocks.items.tolist()
    rated = [("u", items[0], 5), ("u", items[1], 4.5), ("u", items[2], 1), ("v", items[3], 2), ("u", -5, 5)]
    frame = pd.DataFrame(rated, columns=["user", "item", "stars"])
    table = blocks.recommend_frame(frame, k=32, rating="stars", min_rating=4.5)
    assert table.attrs == {"unknown": 1}
    lists = dict(iter(table.groupby("user")))
    assert sorted(lists["u"]["item"]) == sorted(items[3:])
    liked = blocks.recommend_frame(frame[:2], k=32)
    same = liked[liked["item"] != items[2]]
    np.testing.assert_allclose(lists["u"]["score"].to_numpy(), same["score"].to_numpy())
    counts = np.asarray(training_data().matrix.sum(axis=0)).ravel()
    by_popularity = [items[position] for position in np.argsort(-counts, kind="stable")]
    assert lists["v"]["item"].tolist() == [item for item in by_popularity if item != items[3]]
    with_seen = blocks.recommend_frame(frame, k=32, rating="stars", min_rating=4.5, exclude_seen=False)
    assert with_seen.groupby("user").size().tolist() == [32, 32]


def test_a_threshold_above_all_ratings_gives_everybody_the_most_popular(blocks: Recommender) -> None:
    items = blocks.items.tolist()
    frame = pd.DataFrame({"user": ["u", "v"], "item": items[:2], "stars": [1, 2]})
    table = blocks.recommend_frame(frame, k=31, rating="stars", min_rating=3)
    assert table.groupby("user").size().tolist() == [31, 31]


def test_a_threshold_needs_ratings(blocks: Recommender) -> None:
    frame = pd.DataFrame({"user": ["u"], "item": blocks.items[:1], "stars": [5]})
    with pytest.raises(ConfigError, match=r"min_rating = 4 needs ratings; set rating to their column"):
        blocks.recommend_frame(frame, min_rating=4)
    with pytest.raises(ConfigError, match="min_rating = nan must be a finite number above 0"):
        blocks.recommend_frame(frame, rating="stars", min_rating=float("nan"))


# Ratings and known users

STARS = pd.DataFrame(
    [("ann", "a", 5), ("ann", "b", 4), ("bob", "a", 1), ("bob", "c", 2), ("cy", "b", 3), ("cy", "c", 3)],
    columns=["user", "item", "rating"],
)
NOBODY = csr_matrix((3, 3), dtype=np.float32)
"""Three empty histories."""


@pytest.fixture(scope="module")
def means() -> Recommender:
    """Return a model with global mean 3, offsets 1.5 of ann and -1.5 of bob, and item means 3, 3.5 and 2.5."""
    return Recommender(Means()).fit(Interactions.from_frame(STARS, rating="rating"), run=CPU)


def pairs(*of: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(of, np.int64).reshape(-1, 2).T)  # type: ignore[return-value]


def test_ratings_are_predicted_pair_by_pair_in_the_order_asked(means: Recommender) -> None:
    cells = pairs((2, 0), (0, 1), (1, 2), (0, 0), (0, 0))
    predicted = means.predict(NOBODY, cells, users=["bob", "cy", "ann"])
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, [4.5, 2.0, 2.5, 1.5, 1.5], atol=1e-6)
    assert means.predict(NOBODY, pairs()).shape == (0,)


def test_many_rows_are_predicted_as_few_are(means: Recommender) -> None:
    rng = np.random.default_rng(0)
    n, cells = 700, (rng.integers(0, 700, 2_000), rng.integers(0, 3, 2_000))
    users = rng.choice(["ann", "bob", "cy", "new"], n)
    predicted = means.predict(csr_matrix((n, 3), dtype=np.float32), cells, users=users.tolist())
    offsets = {"ann": 1.5, "bob": -1.5, "cy": 0.0, "new": 0.0}
    expected = [offsets[users[row]] + (3.0, 3.5, 2.5)[item] for row, item in zip(*cells, strict=True)]
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


def test_users_named_are_known_and_all_others_are_new(means: Recommender) -> None:
    cells = pairs((0, 0), (1, 0), (2, 0))
    np.testing.assert_allclose(means.predict(NOBODY, cells), [3, 3, 3], atol=1e-6)
    np.testing.assert_allclose(means.predict(NOBODY, cells, users=["zoe", "ann", 7]), [3, 4.5, 3], atol=1e-6)


def test_scores_and_lists_know_users_as_predictions_do(means: Recommender) -> None:
    histories = csr_matrix(np.array([[1, 0, 0], [1, 0, 0]], np.float32))
    scores = means.score(histories, users=["ann", "zoe"])
    np.testing.assert_allclose(scores, [[4.5, 5, 4], [3, 3.5, 2.5]], atol=1e-6)
    np.testing.assert_allclose(means.score(histories)[0], scores[1])
    lists = means.recommend(histories, 2, users=["ann", "zoe"])
    assert lists.items.tolist() == [[1, 2], [1, 2]]
    np.testing.assert_allclose(lists.scores, [[5, 4], [3.5, 2.5]], atol=1e-6)


def test_a_table_of_histories_knows_users_by_their_ids(means: Recommender) -> None:
    frame = pd.DataFrame({"user": ["ann", "zoe"], "item": ["a", "a"], "rating": [5, 5]})
    table = means.recommend_frame(frame, k=1, rating="rating")
    assert dict(zip(table["user"], table["score"], strict=True)) == pytest.approx({"ann": 5, "zoe": 3.5})


def test_ids_that_are_numbers_are_known_whatever_holds_them() -> None:
    frame = STARS.assign(user=STARS["user"].map({"ann": 10, "bob": 20, "cy": 30}))
    model = Recommender(Means()).fit(Interactions.from_frame(frame, rating="rating"), run=CPU)
    for users in ([10, 20, 99], np.array([10, 20, 99]), pd.Index([10, 20, "new"], dtype=object)):
        predicted = model.predict(NOBODY, pairs((0, 0), (1, 0), (2, 0)), users=users)
        np.testing.assert_allclose(predicted, [4.5, 1.5, 3], atol=1e-6)
    for users in (["10", "20.0", "99"], pd.Series([10.0, 20.0, None]), [" 10", "0020", "x"]):
        predicted = model.predict(NOBODY, pairs((0, 0), (1, 0), (2, 0)), users=users)  # type: ignore[arg-type]
        np.testing.assert_allclose(predicted, [4.5, 1.5, 3], atol=1e-6)


@pytest.mark.parametrize("ask", ["score", "recommend", "predict"])
def test_as_many_ids_as_rows_are_expected(ask: str, means: Recommender) -> None:
    arguments = (pairs((0, 0)),) if ask == "predict" else ()
    for users in (["ann"], ["ann"] * 4, []):
        with pytest.raises(DataError, match=f"users hold {len(users)} ids, but there are 3 histories"):
            getattr(means, ask)(NOBODY, *arguments, users=users)


def test_models_that_do_not_know_users_apart_take_no_notice(blocks: Recommender) -> None:
    data = training_data()
    histories = holdout(data).histories
    users = data.users[: histories.shape[0]]
    assert len(blocks.users) == 0
    np.testing.assert_array_equal(blocks.score(histories, users=users), blocks.score(histories))
    np.testing.assert_array_equal(blocks.recommend(histories, users=users).items, blocks.recommend(histories).items)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (([3], [0]), "there is no row at position 3; there are 3 rows"),
        (([-1], [0]), "there is no row at position -1"),
        (([0], [3]), "there is no item at position 3; there are 3 items"),
        (([0, 1], [0]), "pairs hold 2 rows and 1 items"),
        (([0], ["a"]), r"items must be a list of positions .*; positions\(\) looks up ids"),
        (([0.5], [0]), "rows must be a list of positions"),
    ],
)
def test_pairs_of_nothing_are_refused(asked: Any, message: str, means: Recommender) -> None:
    with pytest.raises(DataError, match=message):
        means.predict(NOBODY, asked)


def test_a_model_that_ranks_predicts_no_ratings(blocks: Recommender) -> None:
    histories = holdout(training_data()).histories
    with pytest.raises(UnsupportedError, match="ease ranks items, but its scores are not ratings"):
        blocks.predict(histories, pairs((0, 0)))
    with pytest.raises(UnsupportedError, match="ease ranks items"):
        evaluate(blocks, holdout(training_data()), ["rmse"])
    with pytest.raises(UnsupportedError, match="mult_vae ranks items"):
        Recommender(small("mult_vae", monitor="rmse", epochs=1)).fit(
            training_data(), valid=holdout(training_data()), run=CPU
        )


def test_nothing_is_predicted_before_the_fit() -> None:
    with pytest.raises(NotFittedError):
        Recommender(Means()).predict(NOBODY, pairs((0, 0)))


def test_ratings_that_do_not_differ_are_nothing_to_predict() -> None:
    same = Interactions.from_frame(STARS.assign(rating=4), rating="rating")
    with pytest.raises(DataError, match=r"all 6 ratings are 4, so there is nothing to predict; Means needs ratings"):
        Recommender(Means()).fit(same, run=CPU)


def test_known_users_are_validated_and_evaluated_as_themselves() -> None:
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((60, 20)) < 0.5)
    stars = np.clip(np.rint(3 + rng.normal(0, 1, 60)[user] + rng.normal(0, 0.3, len(user))), 1, 5)
    frame = pd.DataFrame({"user": 100 + user, "item": item, "rating": stars})
    split = split_ratings(Interactions.from_frame(frame, rating="rating"), seed=0)
    assert split.valid is not None
    assert split.test is not None
    model = Recommender(Means()).fit(split.train, valid=split.valid, run=CPU)
    assert list(model.history[0]) == ["valid/rmse", "valid/mae"]
    as_known = evaluate(model, split.test, ["rmse", "mae"]).mean
    as_unknown = dataclasses.replace(split.test, users=-split.test.users)
    assert as_known["rmse"] < 0.7 * evaluate(model, as_unknown, ["rmse"]).mean["rmse"]
    again = evaluate(model, split.valid, ["rmse", "mae"]).mean
    assert model.history[0] == pytest.approx({f"valid/{name}": value for name, value in again.items()}, rel=1e-6)


# Fitting


def test_what_is_known_of_a_fit_is_kept() -> None:
    data = training_data()
    split = split_users(data, n_valid=5, n_test=5, seed=1)
    model = Recommender(EASE()).fit(split.train, valid=split.valid, run=Run(device="cpu", seed=7, threads=1))
    facts = model.metadata
    assert facts["model"] == "ease"
    assert (facts["users"], facts["items"]) == split.train.shape
    assert facts["interactions"] == split.train.nnz
    assert facts["split_fingerprint"] == split.fingerprint
    assert re.fullmatch("[0-9a-f]{16}", facts["train_fingerprint"])
    assert (facts["seed"], facts["device"], facts["precision"], facts["threads"]) == (7, "cpu", "float32", 1)
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["versions"]["python"].startswith("3.")
    assert facts["seconds"] >= 0


@pytest.mark.parametrize("build", ["2.13.0+cu130", "2.13.0+cpu", "2.13.0", "2.14.0a0+git1234"])
def test_the_build_of_pytorch_that_runs_is_kept(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", build)
    facts = Recommender(EASE()).fit(training_data(), run=Run(device="cpu")).metadata
    assert facts["versions"]["torch"] == build


def test_the_fingerprint_of_the_training_data_is_that_of_the_data() -> None:
    def printed(data: Interactions) -> Any:
        return Recommender(Popularity()).fit(data, run=CPU).metadata["train_fingerprint"]

    data = training_data()
    less = data.take(np.arange(data.nnz) > 0)
    assert printed(data) == printed(training_data())
    assert printed(data) != printed(less)


def test_nothing_to_learn_from_is_refused() -> None:
    nothing = Interactions(csr_matrix((2, 3), dtype=np.float32), pd.Index([1, 2]), pd.Index([1, 2, 3]))
    with pytest.raises(DataError, match="the training data have no interactions"):
        Recommender(EASE()).fit(nothing, run=CPU)


def test_validation_users_over_other_items_are_refused() -> None:
    narrow = Holdout(csr_matrix((2, 7)), csr_matrix((2, 7)), pd.Index([1, 2]))
    with pytest.raises(DataError, match="the validation users have 7 items and the training data 32; take both from"):
        Recommender(EASE()).fit(training_data(), valid=narrow, run=CPU)


def test_validation_users_without_targets_are_refused() -> None:
    data = training_data()
    valid = holdout(data)
    bare = Holdout(valid.histories, csr_matrix(valid.targets.shape, dtype=np.float32), valid.users)
    with pytest.raises(DataError, match="the validation users have no targets"):
        Recommender(EASE()).fit(data, valid=bare, run=CPU)


@pytest.mark.parametrize("monitor", ["ndgc@100", "ndcg", "ndcg@0", ""])
def test_a_monitor_that_is_no_metric_is_refused_before_the_training(monitor: str) -> None:
    reports: list[Progress] = []
    data = training_data()
    with pytest.raises(ConfigError, match="metric"):
        Recommender(small("mult_vae", monitor=monitor)).fit(
            data, valid=holdout(data), run=Run(device="cpu", progress=reports.append)
        )
    assert reports == []


def test_any_metric_can_be_the_monitor() -> None:
    data = training_data()
    model = Recommender(small("mult_vae", monitor="mrr@7", epochs=2)).fit(data, valid=holdout(data), run=CPU)
    assert "valid/mrr@7" in model.history[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens on a machine without a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="device = 'cuda', but PyTorch sees 0 CUDA devices; use auto or cpu"):
        Recommender(EASE()).fit(training_data(), run=Run(device="cuda"))


def test_a_fit_that_is_interrupted_leaves_the_former_model_whole() -> None:
    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    data = training_data()
    model = Recommender(small("mult_vae", epochs=3)).fit(data, run=CPU)
    before = model.score(data.matrix), model.metadata, model.history
    fewer_users = data.select_users(np.arange(40))
    with pytest.raises(KeyboardInterrupt):
        model.fit(fewer_users, run=Run(device="cpu", progress=stop, seed=5))
    np.testing.assert_array_equal(model.score(data.matrix), before[0])
    assert (model.metadata, model.history) == before[1:]


def test_a_first_fit_that_is_interrupted_leaves_no_half_model() -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    model = Recommender(small("mult_vae"))
    with pytest.raises(KeyboardInterrupt):
        model.fit(training_data(), run=Run(device="cpu", progress=stop))
    with pytest.raises(NotFittedError):
        model.score(training_data().matrix)


def test_threads_are_those_of_the_run_while_fitting_only() -> None:
    during: list[int] = []
    n_threads = torch.get_num_threads()
    run = Run(device="cpu", threads=n_threads + 1, progress=lambda _: during.append(torch.get_num_threads()))
    Recommender(small("mult_dae", epochs=1)).fit(training_data(), run=run)
    assert set(during) == {n_threads + 1}
    assert torch.get_num_threads() == n_threads


def test_a_model_says_what_it_is() -> None:
    model = Recommender(EASE(l2=20.0))
    assert repr(model) == "Recommender(EASE(l2=20.0, dtype='float64'), not fitted)"
    model.fit(training_data(), run=CPU)
    assert repr(model) == "Recommender(EASE(l2=20.0, dtype='float64'), fitted on 32 items)"


# The example of the README


def test_the_whole_job_in_ten_lines(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    taste = rng.integers(0, 4, 200)
    ratings = pd.DataFrame(
        [(user, 100 * taste[user] + item, 4.0) for user in range(200) for item in rng.permutation(20)[:8]],
        columns=["userId", "movieId", "rating"],
    )
    data = Interactions.from_frame(ratings, user="userId", item="movieId")
    split = split_users(data, n_valid=20, n_test=20, seed=0)
    assert split.test is not None
    spec = MultVAE(latent=8, hidden=(32,), epochs=20, batch_size=50, lr=5e-3)
    model = Recommender(spec).fit(split.train, valid=split.valid, run=Run(device="cpu", threads=1))
    report = evaluate(model, split.test, n_resamples=100)
    assert report.mean["recall@20"] > 0.9
    assert report.fingerprint == split.fingerprint == model.metadata["split_fingerprint"]
    items, scores = model.recommend(split.test.histories, k=10)
    assert items.shape == scores.shape == (20, 10)
    model.save(tmp_path / "models" / "mult_vae")
    again = Recommender.load(tmp_path / "models" / "mult_vae")
    np.testing.assert_array_equal(again.recommend(split.test.histories, k=10).items, items)


# Doors


@pytest.mark.parametrize("k", [3, 3.0, np.int64(3), np.float32(3)])
def test_a_whole_number_of_any_type_is_a_length_of_lists(blocks: Recommender, k: Any) -> None:
    one = csr_matrix(np.eye(1, 32, dtype=np.float32))
    assert blocks.recommend(one, k).items.shape == (1, 3)
    assert blocks.similar([0], k).items.shape == (1, 3)


@pytest.mark.parametrize(
    ("k", "expected"), [(2.5, "a whole number"), (True, "a whole number"), ("3", "a whole number"), (0.0, "at least 1")]
)
def test_other_lengths_of_lists_are_refused(blocks: Recommender, k: Any, expected: str) -> None:
    for refused in (lambda: blocks.recommend(csr_matrix((1, 32)), k), lambda: blocks.similar([0], k)):
        with pytest.raises(ConfigError, match=f"^k = .* must be {expected}"):
            refused()


@pytest.mark.parametrize("kind", ["uint8", "int8", "bool", "float64"])
@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_matrix", "lil_matrix"])
def test_histories_of_any_format_and_type_score_alike(blocks: Recommender, form: str, kind: str) -> None:
    dense = (np.arange(64).reshape(2, 32) % 5 == 0).astype(kind)
    expected = blocks.score(csr_matrix(dense.astype(np.float32)))
    np.testing.assert_array_equal(blocks.score(getattr(sparse, form)(dense)), expected)


def test_histories_that_are_not_finite_are_refused(blocks: Recommender) -> None:
    bad = csr_matrix(np.eye(2, 32, dtype=np.float32))
    bad.data[1] = np.nan
    for ask in (blocks.score, blocks.recommend, lambda rows: blocks.recommend(csr_matrix((2, 32)), exclude=rows)):
        with pytest.raises(DataError, match=r"(histories|exclude): the value of row 1, column 1 is nan; leave out"):
            ask(bad)


def test_what_is_no_interactions_is_not_fitted() -> None:
    with pytest.raises(
        DataError, match=r"train must be Interactions, not csr_matrix; make them with Interactions.from"
    ):
        Recommender(EASE()).fit(csr_matrix(np.eye(3)), run=CPU)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"valid must be a Holdout such as split.valid, not Interactions"):
        Recommender(EASE()).fit(training_data(), valid=training_data(), run=CPU)  # type: ignore[arg-type]


def test_tables_of_other_libraries_are_histories(blocks: Recommender) -> None:
    columns = {"user": ["u", "v"], "item": blocks.items[:2].tolist()}
    expected = blocks.recommend_frame(pd.DataFrame(columns))
    for table in (columns, pytest.importorskip("pyarrow").table(columns)):
        pd.testing.assert_frame_equal(blocks.recommend_frame(table), expected)
    with pytest.raises(DataError, match=r"expected a pandas DataFrame, not builtins.list"):
        blocks.recommend_frame([(1, 2)])  # type: ignore[arg-type]
