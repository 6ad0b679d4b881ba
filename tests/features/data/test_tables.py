"""Tables of features: the column of ids, columns that are no numbers, and remarks about what is not used."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import ConfigError, DataError, arguments_named, renamed
from recsys_ae.features.data.labels import read_labels
from recsys_ae.features.data.read import read_features
from recsys_ae.features.data.tables import id_column


def csv(folder: Path, text: str) -> Path:
    path = folder / "items.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("names", "right"),
    [
        (["name", "Item ID", "year"], "Item ID"),
        (["id", "MOVIE_ID"], "MOVIE_ID"),
        (["Id", "movie"], "Id"),
        (["title", "year"], "title"),
    ],
)
def test_ids_have_a_usual_name_or_come_first(names: list[str], right: str) -> None:
    assert id_column(names) == right


def test_a_table_without_ids_names_the_column_that_was_taken_and_the_option(tmp_path: Path) -> None:
    path = csv(tmp_path, "year,budget\n1999,1\n2001,2\n1999,3\n2001,4\n")
    said = (
        r"items\.csv: the id 1999 has more than one row: rows 1 and 3 \(2 such ids\); ids are read from the column "
        "'year', the first, because none is called item, movieId or id; set --id-column to another column, or keep one"
    )
    with pytest.raises(DataError, match=said), arguments_named(renamed({"id": "--id-column"})):
        read_features(str(path))
    with pytest.raises(DataError, match=r"ids are read from the column 'year'; set id to another column"):
        read_features(str(path), id="year")
    found = read_features(str(path), id="budget")
    assert (found.ids.tolist(), found.remarks) == ([1, 2, 3, 4], ())


def test_unusual_ids_are_remarked(tmp_path: Path) -> None:
    path = csv(tmp_path, "title,year\na,1999\nb,2001\n")
    (remark,) = read_features(str(path)).remarks
    assert remark.endswith(
        "items.csv: ids are read from the column 'title', the first, because none is called item, movieId or id"
    )
    path = csv(tmp_path, "item,year\na,1999\nb,2001\n")
    assert read_features(str(path)).remarks == ()


def test_row_numbers_without_a_name_are_not_features(tmp_path: Path) -> None:
    frame = pd.DataFrame({"item": ["a", "b"], "year": [1999, 2001]})
    path = tmp_path / "items.csv"
    frame.to_csv(path)
    found = read_features(str(path))
    assert (found.columns.tolist(), found.ids.tolist()) == (["year"], ["a", "b"])
    assert found.remarks == (f"{path}: column 1 has no name and is not used",)
    pd.read_csv(path).to_csv(path, index=False)
    assert read_features(str(path)).columns.tolist() == ["year"]
    frame.set_index("item").rename_axis(None).to_csv(path)
    assert read_features(str(path)).ids.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("Toy", "Heat", r"row 1 is not a number: 'Toy' \(2 such rows\); if it is text, set --text-columns"),
        ("1", "1,5", "row 2 is not a number; write it with a decimal point and without commas: '1,5'"),
        ("1", "1,234.5", "row 2 is not a number; write it with a decimal point and without commas"),
        ("2020-01-31", "2020-02-01", "row 1 is not a number but a date; convert the column, such as to the year"),
        ("1", "31/01/2020 12:00", "row 2 is not a number but a date"),
        ("1e60", "1", "row 1 is too large for a 32-bit number: '1e60'"),
    ],
)
def test_values_that_are_no_numbers_are_named_with_a_way_out(tmp_path: Path, one: str, other: str, said: str) -> None:
    path = csv(tmp_path, f'item,x,ok\n1,"{one}",3\n2,"{other}",4\n')
    with pytest.raises(DataError, match=said) as caught, arguments_named(renamed({"texts": "--text-columns"})):
        read_features(str(path))
    assert str(caught.value).startswith(f"{path}: column 'x' in ")
    assert str(caught.value).endswith(f"; or read other columns, such as {path}:ok")


@pytest.mark.parametrize("infinite", ["inf", "-Infinity", "1e999"])
def test_infinite_values_are_named_by_their_id(tmp_path: Path, infinite: str) -> None:
    path = csv(tmp_path, f"item,x\na,1\nb,{infinite}\n")
    with pytest.raises(DataError, match=r"items\.csv: a value is infinite: row 'b', column 'x'; leave it empty"):
        read_features(str(path))


def test_missing_values_are_counted_under_the_marker_that_the_table_has(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,x,y,plot\n1,NA,true,a war story\n2, null ,FALSE,NULL\n3,3.5,,n/a\n4,,True,war\n")
    found = read_features(f"{path}:x,y", texts=["plot"])
    np.testing.assert_array_equal(
        found.matrix[:, :2].toarray(),  # type: ignore[union-attr]
        np.array([[np.nan, 1], [np.nan, 0], [3.5, np.nan], [np.nan, 1]], np.float32),
    )
    assert found.remarks[0] == f"{path}: 2 values of x are missing, written as NA, null"
    assert "2 of 4 texts of plot are empty and left out" in found.remarks


def test_parquet_keeps_booleans_and_refuses_dates(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    frame = pd.DataFrame({"item": [1, 2, 3], "long": [True, None, False], "day": pd.to_datetime(["2020-01-01"] * 3)})
    frame.to_parquet(path)
    np.testing.assert_array_equal(read_features(f"{path}:long").matrix, np.array([[1], [np.nan], [0]], np.float32))
    with pytest.raises(DataError, match=r"items\.parquet: column 'day' holds dates or times .* convert it, such as"):
        read_features(f"{path}:day")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item,x,x\n1,2,3\n", "two columns have the same name"),
        ("item\n1\n2\n", "there is no column besides the ids in 'item'"),
        ("item,x\n1,2\n,3\n", "id in row 2 is missing"),
        ("item,x\n", "there is a header but no row"),
        ("", "the file is empty"),
    ],
)
def test_tables_that_are_none_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(DataError, match=said) as caught:
        read_features(str(path))
    assert str(caught.value).startswith(f"{path}: ")


def test_a_column_of_ids_that_is_not_there_is_named_as_the_option(tmp_path: Path) -> None:
    path = csv(tmp_path, "item,x\n1,2\n")
    with pytest.raises(DataError, match=r"items\.csv: id = 'film': there is no such column; the columns are: item, x"):
        read_features(str(path), id="film")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("mnist:train,test", "mnist has one part, train or test; leave out test"),
        ("{}/v.npz:a,b", r"v\.npz is read as one array; leave out b"),
        ("{}:x", "has no columns to choose from; leave out x"),
    ],
)
def test_columns_that_a_source_has_no_use_for_are_refused(tmp_path: Path, source: str, said: str) -> None:
    np.savez(tmp_path / "v.npz", a=np.ones((2, 2)), b=np.ones((2, 2)))
    with pytest.raises(ConfigError, match=said):
        read_features(source.format(tmp_path), data_dir=tmp_path)


# Labels


def test_labels_are_read_by_the_ids_of_the_features(tmp_path: Path) -> None:
    path = csv(tmp_path, "item,code,kind,x\n1,a,war,3\n1,b,love,4\n2,c,na,5\n")
    features = read_features(f"{path}:x", id="code")
    assert read_labels(str(path), features.ids[:2], column="item", id="code").tolist() == [1, 1]
    with pytest.raises(DataError, match=r"the label 'kind' in row 3 is missing; leave such rows out, .*: 'na'"):
        read_labels(str(path), features.ids, column="kind", id="code")
    with pytest.raises(DataError, match=r"the id 1 has more than one row: rows 1 and 2; .* set id to another column"):
        read_labels(str(path), features.ids, column="kind")
