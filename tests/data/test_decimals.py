"""Tests of decimal columns: ids become exact integers or text, other columns become numbers."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from recsys_ae.data import decimals
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.readers.read import read_interactions, read_table
from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.data.labels import read_labels
from recsys_ae.features.data.read import read_features
from recsys_ae.features.data.sequences import sequences_of
from recsys_ae.models.popularity import Popularity
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender

LARGE = [2**53 + place for place in range(8)]
NUMBER = pa.decimal128(20, 0)
WIDE = [pa.decimal256(60, 0), pa.decimal128(30, 4), pa.decimal256(70, 12)]
NARROW = [getattr(pa, name)(9, 2) for name in ("decimal32", "decimal64") if hasattr(pa, name)]


def decimal(values: list[Any], kind: Any = NUMBER) -> Any:
    return pa.array([None if value is None else Decimal(value) for value in values], kind)


def written(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.parquet"


class TestIdsOfParquet:
    @pytest.mark.parametrize("kind", [NUMBER, *WIDE])
    def test_beyond_the_integers_of_floats_stay_apart(self, path, kind):
        data = read_interactions(written(path, user=decimal(LARGE, kind), item=decimal(range(8), kind)))
        assert data.users.tolist() == LARGE
        assert data.users.dtype == data.items.dtype == np.int64
        assert data.items.tolist() == list(range(8))

    @pytest.mark.parametrize("kind", NARROW)
    def test_of_few_digits_are_integers(self, path, kind):
        data = read_interactions(written(path, user=decimal([1, 2], kind), item=decimal(["7", "5.00"], kind)))
        assert data.users.dtype == data.items.dtype == np.int64
        assert data.items.tolist() == [5, 7]

    @pytest.mark.parametrize("kind", [pa.decimal128(20, 0), pa.decimal256(40, 5)])
    def test_are_integers_up_to_the_last_int64(self, path, kind):
        edges = [-(2**63), 2**63 - 1]
        assert read_interactions(written(path, user=decimal(edges, kind), item=[1, 2])).users.tolist() == edges

    @pytest.mark.parametrize("kind", [pa.decimal128(20, 0), pa.decimal256(40, 5)])
    def test_beyond_int64_are_all_text(self, path, kind):
        data = read_interactions(written(path, user=decimal([2**63, 10, 2**63 + 1], kind), item=[1, 2, 3]))
        assert data.users.tolist() == ["10", "9223372036854775808", "9223372036854775809"]
        assert data.users.inferred_type == "string"

    def test_with_fractions_are_plain_text(self, path):
        users = decimal(["1.50", "100", "0.0000000001", "0", "-2.5"], pa.decimal128(38, 10))
        data = read_interactions(written(path, user=users, item=[1] * 5))
        assert set(data.users) == {"1.5", "100", "0.0000000001", "0", "-2.5"}

    def test_in_a_dictionary_are_the_same(self, path):
        columns = {"user": decimal(LARGE).dictionary_encode(), "item": [1] * 8}
        assert read_interactions(written(path, **columns)).users.tolist() == LARGE

    def test_that_are_missing_are_refused_as_others_are(self, path):
        message = set()
        for users in (decimal([1, None]), decimal([2**63, None]), pa.array([1, None])):
            with pytest.raises(DataError) as caught:
                read_interactions(written(path, user=users, item=[1, 2]))
            message.add(str(caught.value).rpartition(":")[0])
        assert message == {f"{path}: user in row 2 is missing"}

    def test_come_from_the_cache_as_they_were_read(self, path, monkeypatch):
        monkeypatch.setattr("recsys_ae.data.readers.cache.LEAST", 0)
        monkeypatch.setattr("recsys_ae.data.readers.cache.SETTLED", 0)
        written(path, user=decimal(LARGE), item=decimal([2**63 + place for place in range(8)]))
        plain = read_interactions(path)
        for _ in range(2):
            kept = read_interactions(path, cache=True)
            pd.testing.assert_index_equal(kept.users, plain.users, exact=True)
            pd.testing.assert_index_equal(kept.items, plain.items, exact=True)

    def test_of_a_table_are_exact_where_some_are_missing(self, path):
        table = read_table(
            written(path, id=decimal([2**53 + 1, None]), name=decimal(["2.50", None], pa.decimal128(5, 2)))
        )
        assert table["id"].tolist() == [2**53 + 1, pd.NA]
        assert table["name"][0] == "2.5"
        assert table["name"].isna().tolist() == [False, True]


class TestNumbersOfParquet:
    def test_are_ratings_and_seconds(self, path):
        nanoseconds = decimal([1_599_999_999_999_999_999, 1_500_000_000_000_000_000])
        ratings = decimal(["4.5", "0.1"], pa.decimal128(38, 18))
        columns = {"user": [1, 2], "item": [1, 1], "rating": ratings, "timestamp": nanoseconds}
        data = read_interactions(written(path, **columns))
        np.testing.assert_array_equal(data.matrix.data, np.float32([4.5, 0.1]))
        assert data.timestamps is not None
        assert data.timestamps.tolist() == [1_599_999_999, 1_500_000_000]

    def test_seconds_lose_their_fractions(self, path):
        seconds = decimal(["1700000000.75", "5"], pa.decimal128(20, 6))
        data = read_interactions(written(path, user=[1, 2], item=[1, 1], timestamp=seconds))
        assert data.timestamps is not None
        assert data.timestamps.tolist() == [1_700_000_000, 5]

    def test_one_column_may_be_an_id_and_a_rating(self, path):
        columns = {"user": [1, 2], "item": decimal(["1.5", "3"], pa.decimal128(5, 2))}
        data = read_interactions(written(path, **columns), item="item", rating="item")
        assert data.items.tolist() == ["1.5", "3"]
        assert data.matrix.data.tolist() == [1.5, 3]

    @given(st.lists(st.decimals(-(10**9), 10**9, places=5), min_size=1))
    def test_are_the_nearest_floats(self, values):
        column = pa.chunked_array([pa.array(values, pa.decimal128(20, 5))])
        assert decimals.floats(column).to_pylist() == [float(value) for value in values]


class TestFeatures:
    def test_of_parquet_have_exact_ids_and_numbers(self, path):
        prices = decimal(["4.50", None, "100000000000000000000.25"], pa.decimal128(38, 2))
        counts = decimal([3, None, 2**40])
        features = read_features(str(written(path, item=decimal(LARGE[:3]), price=prices, count=counts)))
        assert features.ids.tolist() == LARGE[:3]
        assert features.ids.dtype == np.int64
        expected = np.float32([[4.5, 3], [np.nan, np.nan], [1e20, 2**40]])
        np.testing.assert_array_equal(features.matrix, expected)

    def test_belong_to_interactions_with_other_columns_of_ids(self, path):
        items = decimal(["1.50", "3"], pa.decimal128(10, 2))
        data = read_interactions(written(path, user=[1, 2], item=items))
        features = read_features(str(written(path, item=decimal(["1.5", "3"], pa.decimal128(20, 4)), value=[1, 2])))
        assert features.of(data.items).ids.tolist() == ["1.5", "3"]

    @pytest.mark.parametrize("values", [LARGE[:3], [1, 2, 2**64]])
    def test_have_labels(self, path, values):
        kinds = decimal(["2.50", "1", "2.5"], pa.decimal128(5, 2))
        written(path, item=decimal(values), value=[1, 2, 3], kind=kinds, number=decimal(LARGE[:3]))
        ids = read_features(f"{path}:value").ids
        assert read_labels(str(path), ids[::-1], column="kind").tolist() == ["2.5", "1", "2.5"]
        assert read_labels(str(path), ids, column="number").tolist() == LARGE[:3]

    def test_labels_beyond_int64_are_text(self, path):
        written(path, item=[1, 2], kind=pa.array([2**64 - 1, 1], pa.uint64()))
        assert read_labels(str(path), pd.Index([1, 2]), column="kind").tolist() == [str(2**64 - 1), "1"]

    def test_of_texts_have_exact_ids(self, path):
        written(path, item=decimal(LARGE[:3]), text=["blue house", "blue car", "green car"])
        assert read_features(str(path), texts=["text"], id="item").ids.tolist() == LARGE[:3]


FORMS = {
    "objects": lambda values: pd.Series([Decimal(value) for value in values], dtype=object),
    "categories": lambda values: pd.Series([Decimal(value) for value in values], dtype="category"),
    "arrow": lambda values: pd.Series(decimal(values, pa.decimal128(38, 4)), dtype=pd.ArrowDtype(pa.decimal128(38, 4))),
    "dictionary": lambda values: pd.Series(pd.arrays.ArrowExtensionArray(decimal(values).dictionary_encode())),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
class TestFrames:
    def test_interactions_have_exact_ids(self, form):
        data = Interactions.from_frame(pd.DataFrame({"user": form(LARGE), "item": form(range(8))}))
        assert data.users.tolist() == LARGE
        assert data.users.dtype == data.items.dtype == np.int64

    def test_interactions_beyond_int64_have_text(self, form):
        data = Interactions.from_frame(pd.DataFrame({"user": form([2**63, 5]), "item": [1, 2]}))
        assert data.users.tolist() == ["5", str(2**63)]

    def test_interactions_have_ratings_and_exact_seconds(self, form):
        frame = pd.DataFrame(
            {"user": [1, 2], "item": [1, 2], "r": form([4, 2]), "t": form([1_599_999_999_999_999_999, 15 * 10**17])}
        )
        data = Interactions.from_frame(frame, rating="r", timestamp="t")
        assert data.matrix.data.tolist() == [4, 2]
        assert data.timestamps is not None
        assert data.timestamps.tolist() == [1_599_999_999, 1_500_000_000]

    def test_features_have_exact_ids_and_numbers(self, form):
        frame = pd.DataFrame({"item": form(LARGE), "value": form(range(8))})
        features = Features.from_frame(frame.set_axis(range(3, 11)))
        assert features.ids.tolist() == LARGE
        assert features.ids.dtype == np.int64
        assert np.asarray(features.matrix).ravel().tolist() == list(range(8))

    def test_sequences_have_exact_ids_and_order(self, form):
        frame = pd.DataFrame(
            {"item": form([LARGE[1], LARGE[0], LARGE[1]]), "t": form([10, 1, 9]), "v": [1.0, 2.0, 3.0]}
        )
        features = sequences_of(frame, order="t", columns=["v"], steps=2)
        assert features.ids.tolist() == LARGE[:2]
        assert np.asarray(features.matrix).tolist() == [[2, 0], [3, 1]]

    def test_a_missing_id_is_refused(self, form):
        frame = pd.DataFrame({"user": form([1, 2]).reindex([0, 5]), "item": [1, 2]}, index=[0, 5])
        with pytest.raises(DataError, match="user in row 2 is missing"):
            Interactions.from_frame(frame)

    def test_recommendations_are_for_the_same_ids(self, form):
        train = Interactions.from_frame(pd.DataFrame({"user": [1, 2] * 4, "item": LARGE}))
        model = Recommender(Popularity()).fit(train, run=Run(device="cpu"))
        frame = pd.DataFrame({"user": form(LARGE[:2]), "item": form(LARGE[2:4])})
        recommended = model.recommend_frame(frame, k=7, allow=form(LARGE[:3]).tolist())
        assert recommended.attrs["unknown"] == 0
        assert recommended["user"].tolist() == [LARGE[0]] * 2 + [LARGE[1]] * 3
        assert recommended["item"].tolist() == [*LARGE[:2], *LARGE[:3]]


def test_fractions_and_missing_values_in_arrow_features() -> None:
    kind = pa.decimal128(5, 2)
    values = pd.Series(decimal(["1.50", None], kind), dtype=pd.ArrowDtype(kind))
    features = Features.from_frame(pd.DataFrame({"item": [1, 2], "value": values}))
    np.testing.assert_array_equal(features.matrix, np.float32([[1.5], [np.nan]]))


def test_decimals_among_other_objects_keep_the_others() -> None:
    users = pd.Series([Decimal("1.00"), "a", 5, Decimal(2)], dtype=object)
    assert Interactions.from_frame(pd.DataFrame({"user": users, "item": 1})).users.tolist() == [1, 2, 5, "a"]


@pytest.mark.parametrize("value", ["Infinity", "1E+999999", "1E-999999"])
def test_what_cannot_be_written_out_is_refused(value: str) -> None:
    frame = pd.DataFrame({"user": pd.Series([Decimal(1), Decimal(value)], dtype=object), "item": 1})
    with pytest.raises(DataError, match="user in row 2 is neither text nor a finite number"):
        Interactions.from_frame(frame)


@pytest.mark.parametrize(("value", "text"), [("1.50", "1.5"), ("15E+1", "150"), ("-0.0", "0"), ("1E-9", "0.000000001")])
def test_equal_decimals_have_one_text(value: str, text: str) -> None:
    assert decimals.plain_text(Decimal(value)) == text
