"""Tables of other libraries become pandas DataFrames, and everything else is refused in one line."""

import sys
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys_ae.data.inputs.frames import as_frame
from recsys_ae.errors import DataError, MissingPackageError

COLUMNS: dict[str, Any] = {"user": ["b", "a", "b"], "item": [3, 1, 2]}
FRAME = pd.DataFrame(COLUMNS)


def arrow() -> Any:
    return pytest.importorskip("pyarrow").table(COLUMNS)


class Stream:
    """A table that knows the Arrow stream only."""

    def __arrow_c_stream__(self, schema: Any = None) -> Any:
        return arrow().__arrow_c_stream__(schema)


def test_a_frame_is_returned_as_it_is() -> None:
    assert as_frame(FRAME) is FRAME


@pytest.mark.parametrize(
    "table",
    [
        COLUMNS,
        OrderedDict(COLUMNS),
        {name: tuple(column) for name, column in COLUMNS.items()},
        {name: np.array(column) for name, column in COLUMNS.items()},
        {"user": pd.Series(COLUMNS["user"], index=[2, 0, 1]), "item": pd.Series(COLUMNS["item"], index=[7, 8, 9])},
        FRAME.to_dict("records"),
        SimpleNamespace(to_pandas=FRAME.copy),
    ],
)
def test_tables_are_read_column_by_column(table: Any) -> None:
    read = as_frame(table)
    assert {name: read[name].tolist() for name in read} == COLUMNS


def test_arrow_tables_are_read() -> None:
    for table in (arrow(), Stream(), {name: arrow().column(name) for name in COLUMNS}, *arrow().to_batches()):
        assert {name: as_frame(table)[name].tolist() for name in COLUMNS} == COLUMNS


def test_polars_frames_are_read() -> None:
    polars = pytest.importorskip("polars")
    read = as_frame(polars.DataFrame(COLUMNS))
    assert {name: read[name].tolist() for name in read} == COLUMNS


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([(1, 2), (2, 3)], "expected a pandas DataFrame, not builtins.list; name the columns: pd.DataFrame(rows"),
        (np.array([[1, 2]]), "expected a pandas DataFrame, not numpy.ndarray; name the columns"),
        (csr_matrix((2, 2)), "not scipy.sparse._csr.csr_matrix; read it with Interactions.from_matrix"),
        ("ratings.csv", "not builtins.str; read the file with read_interactions"),
        (Path("ratings.csv"), "read the file with read_interactions"),
        (pd.Series([1, 2]), "not pandas"),
        (None, "expected a pandas DataFrame, not builtins.NoneType"),
        ([], "expected a pandas DataFrame, not builtins.list"),
        (5, "expected a pandas DataFrame, not builtins.int"),
        (pd.DataFrame, "expected a pandas DataFrame, not builtins.type"),
        ({"user": [1, 2], "item": [1]}, "the columns do not make a table, such as a pandas DataFrame"),
        ({"user": 1, "item": 2}, "the columns do not make a table, such as a pandas DataFrame"),
        ({"user": np.zeros((2, 2)), "item": [1, 2]}, "the columns do not make a table"),
    ],
)
def test_anything_else_is_refused_by_its_type(table: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        as_frame(table)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"needs the package pyarrow: pip install pyarrow"):
        as_frame(Stream())
