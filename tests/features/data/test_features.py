"""Features: their construction, checks, joins and files."""

import dataclasses
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.data.arrays import read_array
from recsys_ae.features.data.features import Features, joined
from recsys_ae.features.data.images import read_idx, read_image_folder
from recsys_ae.features.data.movies import flags
from recsys_ae.features.data.read import read_features
from recsys_ae.features.data.sequences import histories, sequences_of
from recsys_ae.features.data.texts import count_words

TABLE = pd.DataFrame({"item": [7, 3, 9], "year": [1999, None, 2001], "long": [True, False, True], "name": list("abc")})


def made(values: object, ids: object = None, columns: object = None, **more: object) -> Features:
    matrix = values if isinstance(values, csr_matrix) else np.asarray(values, np.float32)
    n, width = matrix.shape
    names = pd.RangeIndex(width) if columns is None else pd.Index(columns)  # type: ignore[arg-type]
    return Features(matrix, pd.RangeIndex(n) if ids is None else pd.Index(ids), names, **more)  # type: ignore[arg-type]


def test_a_table_becomes_rows_under_their_ids_with_missing_values_kept() -> None:
    found = Features.from_frame(TABLE, columns=["year", "long"])
    assert found.ids.tolist() == [7, 3, 9]
    assert found.columns.tolist() == ["year", "long"]
    np.testing.assert_array_equal(found.matrix, np.array([[1999, 1], [np.nan, 0], [2001, 1]], np.float32))


@pytest.mark.parametrize(
    ("columns", "id", "said"),
    [
        (None, "item", r"column 'name' in row 1 is not a number: 'a' \(3 such rows\)"),
        (["day"], "item", "there is no column 'day'; the columns are: item, year, long, name"),
        (["year"], "film", "there is no column 'film' to read the ids from"),
        (["item"], "year", "id in row 2 is missing"),
    ],
)
def test_a_table_that_is_no_numbers_is_refused(columns: list[str] | None, id: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Features.from_frame(TABLE, id=id, columns=columns)


@pytest.mark.parametrize(
    ("values", "more", "said"),
    [
        ([[1, np.inf]], {}, "a value is infinite: row 0, column 1"),
        (csr_matrix([[0, 0], [0, -np.inf]]), {}, "a value is infinite: row 1, column 1"),
        ([[1, 2]], {"columns": ["a", "a"]}, "columns must have different names, but 'a' occurs more than once"),
        ([[1], [2]], {"ids": [5, 5]}, "rows must have different names, but 5 occurs more than once"),
        ([[1, 2]], {"columns": ["a"]}, "there are 2 columns, but 1 names for them"),
        ([[1, 2, 3]], {"form": (1, 2, 2)}, "a row has 3 values, which do not make 1 × 2 × 2"),
        ([[1, 2]], {"form": (2,)}, "a form is"),
        ([[1, np.nan]], {"form": (1, 1, 2)}, "only a table may have missing values"),
        ([[1, 2]], {"form": (2, 1)}, r"must say how many steps each of them has \(lengths\)"),
        ([[1, 2]], {"lengths": np.array([1])}, r"must say how many steps each of them has \(lengths\)"),
        ([[1, 2]], {"form": (2, 1), "lengths": np.array([1, 2])}, "there are 1 sequences, but 2 lengths"),
    ],
)
def test_rows_that_do_not_fit_are_refused(values: object, more: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        made(values, **more)


def test_the_rows_of_items_are_found_and_who_has_none_is_counted() -> None:
    features = made([[1], [2], [3]], ids=["a", "b", "c"])
    found = features.of(pd.Index(["c", "x", "a"]))
    assert found.ids.tolist() == ["c", "a"]
    assert found.remarks == ("1 of 3 items have no features",)
    assert features.of(pd.Index(["b"])).remarks == ()
    with pytest.raises(
        DataError, match=r"none of the 2 items has features: the 3 rows have the ids a, b, c, but the items 1, 2"
    ):
        features.of(pd.Index([1, 2]))


def test_tables_are_joined_by_their_ids() -> None:
    one, other = made([[1], [2]], ids=[1, 2], columns=["x"]), made([[5], [6]], ids=[3, 1], columns=["y"])
    dense = joined([one, other])
    assert dense.ids.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(dense.matrix, [[1, 6], [2, np.nan], [np.nan, 5]])
    words = made(csr_matrix([[2.0], [0.0]]), ids=[3, 1], columns=["w"], counted=np.array([True]))
    mixed = joined([one, words])
    assert mixed.sparse
    np.testing.assert_array_equal(mixed.matrix.toarray(), [[1, 0], [2, 0], [np.nan, 2]])  # type: ignore[union-attr]
    assert mixed.counted is not None
    assert mixed.counted.tolist() == [False, True]
    assert "1 of 3 items have no w" in mixed.remarks
    with pytest.raises(DataError, match="images and sequences cannot be joined"):
        joined([one, made([[1, 2]], form=(1, 1, 2))])


def test_rows_without_words_store_no_zeros() -> None:
    words = flags(pd.Series([("a", "b"), ("a",)], index=pd.Index([1, 2])), "word")
    more = flags(pd.Series([("c",)], index=pd.Index([3])), "tag")
    both = joined([words, more])
    assert isinstance(both.matrix, csr_matrix)
    assert both.matrix.nnz == 4
    assert (both.matrix.data != 0).all()


def test_unknown_words_are_left_out_and_unused_ones_count_0() -> None:
    words = made(csr_matrix([[1.0, 2.0]]), columns=["t=a", "t=b"], counted=np.array([True, True]))
    found = words.onto(pd.Index(["t=b", "t=z"]))
    np.testing.assert_array_equal(found.matrix.toarray(), [[2, 0]])  # type: ignore[union-attr]


def test_lists_of_words_become_flags() -> None:
    lists = pd.Series([("Drama", "War"), (), ("War",)], index=pd.Index([4, 5, 6]))
    found = flags(lists, "genre")
    assert found.columns.tolist() == ["genre=Drama", "genre=War"]
    np.testing.assert_array_equal(found.matrix.toarray(), [[1, 1], [0, 0], [0, 1]])  # type: ignore[union-attr]
    assert flags(lists, "genre", least=2).columns.tolist() == ["genre=War"]


def test_words_of_texts_are_counted_and_empty_texts_left_out() -> None:
    texts = pd.Series(["A toy cowboy, the TOY!", "", None, "cowboy toys"], index=pd.Index([1, 2, 3, 4]))
    found = count_words(texts, name="plot")
    assert found.ids.tolist() == [1, 4]
    assert found.columns.tolist() == ["plot=cowboy", "plot=toy", "plot=toys"]
    np.testing.assert_array_equal(found.matrix.toarray(), [[1, 2, 0], [1, 0, 1]])  # type: ignore[union-attr]
    assert found.remarks == ("2 of 4 texts of plot are empty and left out",)
    again = count_words(pd.Series(["toy toy spaceman"]), name="plot", known=["plot=toy", "genre=War"])
    np.testing.assert_array_equal(again.matrix.toarray(), [[2]])  # type: ignore[union-attr]
    with pytest.raises(DataError, match="all 2 texts of plot are empty"):
        count_words(pd.Series(["", None]), name="plot")
    with pytest.raises(DataError, match="the texts of plot have no words that can be counted"):
        count_words(pd.Series(["the", "and of"]), name="plot")


def test_whole_names_are_counted_where_something_parts_them() -> None:
    found = count_words(pd.Series(["Tom Hanks | Tim Allen", "Tim Allen"]), name="actor", separator="|")
    assert found.columns.tolist() == ["actor=Tim Allen", "actor=Tom Hanks"]


# Files


def idx(path: Path, pixels: np.ndarray, *, packed: bool) -> Path:
    content = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in pixels.shape) + pixels.tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_idx_images_are_read_from_0_to_1(tmp_path: Path, packed: bool) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
    found = read_idx(idx(tmp_path / "t-idx3-ubyte", pixels, packed=packed))
    assert found.form == (1, 2, 3)
    np.testing.assert_allclose(found.matrix, pixels.reshape(2, 6) / 255, rtol=1e-6)
    turned = read_idx(tmp_path / "t-idx3-ubyte", transposed=True)
    assert turned.form == (1, 3, 2)
    np.testing.assert_allclose(turned.matrix, pixels.transpose(0, 2, 1).reshape(2, 6) / 255, rtol=1e-6)


@pytest.mark.parametrize(
    "content", [b"", b"PNG", bytes([0, 0, 8, 1]) + bytes(20), bytes([0, 0, 8, 3, 0, 0, 0, 9] + [0] * 9)]
)
def test_what_is_no_idx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=r"is no idx file of images|is damaged"):
        read_idx(tmp_path / "x")


def test_pictures_of_a_folder_are_scaled_to_one_size(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, colour in (("12", (255, 0, 0)), ("3", (0, 0, 255))):
        image.new("RGB", (9, 5), colour).save(tmp_path / f"{name}.png")
    found = read_image_folder(tmp_path, size=4)
    assert (found.form, found.ids.tolist()) == ((3, 4, 4), [12, 3])
    np.testing.assert_array_equal(np.asarray(found.matrix).reshape(2, 3, 16).mean(axis=2), [[1, 0, 0], [0, 0, 1]])
    (tmp_path / "4.png").write_text("no picture")
    with pytest.raises(DataError, match=r"4\.png is no picture"):
        read_image_folder(tmp_path)


def test_arrays_of_any_model_are_features(tmp_path: Path) -> None:
    rows = np.arange(24.0).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", rows.reshape(2, 12))
    assert read_array(tmp_path / "a.npy").ids.tolist() == [0, 1]
    np.savez(tmp_path / "b.npz", values=rows, ids=[5, 9], lengths=[1, 3])
    found = read_array(tmp_path / "b.npz")
    assert (found.form, found.ids.tolist()) == ((3, 4), [5, 9])
    assert found.lengths is not None
    assert found.lengths.tolist() == [1, 3]
    with pytest.raises(DataError, match="has no array 'plots'; it has: values"):
        read_array(tmp_path / "b.npz", "plots")
    np.save(tmp_path / "c.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match="is no array of numbers"):
        read_array(tmp_path / "c.npy")


# Sequences


def test_the_last_steps_of_each_item_are_its_sequence() -> None:
    frame = pd.DataFrame({"item": [2, 1, 2, 2], "t": [3, 1, 1, 2], "x": [30, 5, 10, 20]})
    found = sequences_of(frame, order="t", columns=["x"], steps=2)
    assert found.ids.tolist() == [1, 2]
    np.testing.assert_array_equal(found.matrix, [[5, 0], [20, 30]])
    assert found.lengths is not None
    assert found.lengths.tolist() == [1, 2]
    assert found.remarks == ("1 of 2 sequences are longer than 2 steps; only their last steps are used",)


def test_histories_are_ratings_and_the_days_between_in_the_order_of_time() -> None:
    day = 86_400
    frame = pd.DataFrame(
        {"user": [1, 2, 3, 1], "item": [8, 8, 8, 9], "rating": [5, 4, 3, 2], "t": [9 * day, 1 * day, 2 * day, 0]}
    )
    data = Interactions.from_frame(frame, rating="rating", timestamp="t")
    found = histories(data, steps=3)
    assert found.ids.tolist() == [8, 9]
    expected = [[4, 0, 3, np.log(2), 5, np.log(8)], [2, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-6)
    assert histories(data, of="users", steps=3).ids.tolist() == [1, 2, 3]
    with pytest.raises(DataError, match="no timestamps"):
        histories(Interactions.from_frame(frame[["user", "item"]]))


# Sources


def test_a_file_and_its_columns_are_named_by_one_word(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("movieId,year,plot,mean\n4,1999,toy story toy,1.5\n2,,war,2.5\n9,2001,,3\n")
    found = read_features(f"{path}:year,mean")
    assert found.ids.tolist() == [4, 2, 9]
    np.testing.assert_array_equal(found.matrix, np.array([[1999, 1.5], [np.nan, 2.5], [2001, 3]], np.float32))
    both = read_features(f"{path}:year", texts=["plot"])
    assert both.columns.tolist() == ["year", "plot=story", "plot=toy", "plot=war"]
    with pytest.raises(DataError, match="there is no column 'day'; the columns are: movieId, year, plot, mean"):
        read_features(f"{path}:day")
    with pytest.raises(DataError, match="there is no such file"):
        read_features(str(tmp_path / "none.csv"))


def test_a_mistyped_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mnist'"):
        read_features("mnis")
    with pytest.raises(DataError, match="mnist is not in"):
        read_features("mnist", data_dir=Path("/nowhere"))
    with pytest.raises(ConfigError, match="name the features of sample after a colon: sample:genres,year"):
        read_features("sample")
    with pytest.raises(DataError, match="sample has no features 'plots'; it has: genres, year"):
        read_features("sample:plots")


def test_movies_of_the_sample_have_genres_and_years() -> None:
    found = read_features("sample:genres,year")
    assert found.columns[-1] == "year"
    assert found.width == 19
    assert len(found) == 600


# Ids of another source


def by_id(ids: list[Any]) -> Features:
    return Features(np.arange(len(ids), dtype=np.float32)[:, None], pd.Index(ids), pd.Index(["x"]))


@pytest.mark.parametrize("ids", [["2", "10", "x7"], [2.0, 10.0, 7.5], ["002", " 10.0", "x"]])
def test_rows_are_those_of_items_in_another_form(ids: list[Any]) -> None:
    items = pd.Index([1, 2, 10])
    of_items = by_id(ids).of(items)
    assert of_items.ids.tolist() == [2, 10]
    assert of_items.matrix.tolist() == [[0], [1]]
    assert of_items.remarks == ("1 of 3 items have no features",)
    assert by_id(ids).without(items).ids.tolist() == ids[2:]


def test_the_last_of_several_rows_of_an_item_is_taken() -> None:
    rows = by_id(["7", "x", "007"])
    assert rows.of(pd.Index([7])).matrix.tolist() == [[2]]
    assert rows.without(pd.Index([7])).ids.tolist() == ["x"]


def test_few_items_with_features_are_explained_by_an_example_of_each_side() -> None:
    remark = by_id(["a1", "a2"]).of(pd.Index(["a1", "b1", "b2"])).remarks[0]
    assert remark == "2 of 3 items have no features, such as 'b1'; there are features of 'a2', which is no item"


def test_features_are_joined_by_ids_in_any_form() -> None:
    both = joined([by_id([7, 8]), dataclasses.replace(by_id(["8.0", "9"]), columns=pd.Index(["y"]))])
    assert both.ids.tolist() == [7, 8, "9"]
    np.testing.assert_array_equal(both.matrix, [[0, np.nan], [1, 0], [np.nan, 1]])
