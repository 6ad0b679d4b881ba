"""Columns of lists in Parquet and JSON lines, with a row for each user."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from recsys_ae.data.readers.read import read_interactions
from recsys_ae.errors import DataError

USERS = ["u1", "u2", "u3", "u4"]
ITEMS = [["a", "b", "c"], [], ["b"], None]
STARS = [[5.0, 3.0, 4.0], [], [1.0], None]
ROWS = pd.DataFrame({"user": ["u1", "u1", "u1", "u3"], "item": list("abcb"), "rating": [5.0, 3.0, 4.0, 1.0]})


def by_parquet(path: Path, kind: pa.DataType | None = None) -> Path:
    items = pa.array(ITEMS, kind or pa.list_(pa.string()))
    parquet.write_table(pa.table({"user": USERS, "items": items, "rating": pa.array(STARS)}), path / "a.parquet")
    return path / "a.parquet"


def by_json(path: Path) -> Path:
    rows = zip(USERS, ITEMS, STARS, strict=True)
    lines = [json.dumps({"user": user, "items": items or [], "rating": stars or []}) for user, items, stars in rows]
    (path / "a.jsonl").write_text("\n".join(lines))
    return path / "a.jsonl"


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_(pa.large_string())])
def test_lists_of_parquet_are_rows(tmp_path: Path, kind: pa.DataType) -> None:
    check(by_parquet(tmp_path, kind))


def test_lists_of_json_are_rows(tmp_path: Path) -> None:
    check(by_json(tmp_path))


def check(path: Path) -> None:
    found = read_interactions(path)
    pairs = [
        (found.users[row], found.items[column], value)
        for row, column, value in zip(found.rows, found.matrix.indices, found.matrix.data, strict=True)
    ]
    assert pairs == list(ROWS.itertuples(index=False, name=None))
    assert "2 of 4 rows have an empty list" in found.remarks


def test_lists_of_a_fixed_size(tmp_path: Path) -> None:
    items = pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))
    parquet.write_table(pa.table({"user": [1, 2], "item": items}), tmp_path / "a.parquet")
    found = read_interactions(tmp_path / "a.parquet")
    assert found.items.tolist() == [1, 2, 3, 4]
    assert found.nnz == 4


def test_lists_of_other_lengths_are_refused(tmp_path: Path) -> None:
    parquet.write_table(
        pa.table({"user": [1, 2], "item": [[1], [2, 3]], "rating": [[1.0], [2.0]]}), tmp_path / "a.parquet"
    )
    message = "the lists in row 2 have different lengths: item has 2, and rating 1"
    with pytest.raises(DataError, match=message):
        read_interactions(tmp_path / "a.parquet")
    rows = [{"user": 1, "item": [1], "rating": [1.0]}, {"user": 2, "item": [2, 3], "rating": [2.0]}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=message):
        read_interactions(tmp_path / "a.jsonl")


def test_nothing_but_empty_lists_and_other_nests_are_refused(tmp_path: Path) -> None:
    empty = pa.array([[], []], pa.list_(pa.int64()))
    parquet.write_table(pa.table({"user": [1, 2], "item": empty}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="all lists are empty"):
        read_interactions(tmp_path / "a.parquet")
    parquet.write_table(pa.table({"user": [1], "item": [{"id": 3}]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"the column item holds a struct<id: int64> in each row"):
        read_interactions(tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text('{"user": 1, "item": [[2]]}\n')
    with pytest.raises(DataError, match="item in row 1 is neither text nor a number"):
        read_interactions(tmp_path / "c.jsonl")
