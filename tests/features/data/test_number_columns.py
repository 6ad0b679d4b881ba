"""Columns of numbers: texts, booleans, missing markers, and values that are no numbers."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.data.number_columns import MARKERS, numbers

NAN = np.nan


@pytest.mark.parametrize(
    ("column", "right"),
    [
        (pd.Series([True, None, False], dtype="boolean"), [1, NAN, 0]),
        (pd.Series([True, None, False], dtype=object), [1, NAN, 0]),
        (pd.Series(["True", " false ", None, "NA"]), [1, 0, NAN, NAN]),
        (pd.Series([" 12 ", "-1.5e3", "  "]), [12, -1500, NAN]),
        (pd.Series(pd.Categorical(["1", "2", None])), [1, 2, NAN]),
        (pd.Series([decimal.Decimal("1.5"), None], dtype=object), [1.5, NAN]),
        (pd.Series([1, None], dtype="Int64"), [1, NAN]),
        (pd.Series([1.5, None], dtype="float64[pyarrow]"), [1.5, NAN]),
        (pd.Series(["1.5", None], dtype="string[pyarrow]"), [1.5, NAN]),
        (pd.Series(["1", "?"], index=[3, 3]), [1, NAN]),
        (pd.Series([None, None], dtype=object), [NAN, NAN]),
    ],
)
def test_numbers_of_every_type_are_read(column: "pd.Series[Any]", right: list[float]) -> None:
    values, _ = numbers(column, "x")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array(right, np.float32))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pd.Series(["a", "1"]), "column 'x' in row 1 is not a number: 'a'"),
        (pd.Series(["true", "1"]), "column 'x' in row 1 is not a number: 'true'"),
        (pd.Series(["1", "1_000"]), "column 'x' in row 2 is not a number: '1_000'"),
        (pd.Series([1 + 2j]), "column 'x' holds complex numbers; give their real and imaginary parts"),
        (pd.Series([[1, 2], [3]], dtype=object), r"column 'x' in row 1 is not a number: \[1, 2\] \(2 such rows\)"),
        (pd.Series([10**400], dtype=object), "column 'x' is no column of numbers: int too large"),
        (pd.Series([1e300]), r"column 'x' in row 1 is too large for a 32-bit number: 1e\+300"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "column 'x' holds dates or times"),
        (pd.Series(pd.to_timedelta([1], unit="D")), "column 'x' holds dates or times"),
        (pd.Series(pd.period_range("2020", periods=1, freq="Y")), "column 'x' holds dates or times"),
        (pd.Series([datetime.date(2020, 1, 1)], dtype=object), "column 'x' in row 1 is not a number: datetime.date"),
        (pd.Series([datetime.date(2020, 1, 1)], dtype="date32[pyarrow]"), "column 'x' holds dates or times"),
    ],
)
def test_what_is_no_number_is_refused(column: "pd.Series[Any]", said: str) -> None:
    with pytest.raises(DataError, match=said):
        numbers(column, "x")


@given(
    st.lists(st.floats(-1e30, 1e30) | st.sampled_from(sorted(MARKERS)) | st.none(), min_size=1),
    st.sampled_from(["", " ", "\t"]),
)
def test_written_numbers_come_back_and_markers_are_missing(values: list[float | str | None], blank: str) -> None:
    texts = [value if value is None else f"{blank}{value}{blank}" for value in values]
    right = [value if isinstance(value, float) else NAN for value in values]
    found, remarks = numbers(pd.Series(texts, dtype=object), "x")
    np.testing.assert_allclose(found, np.array(right, np.float32), rtol=1e-6)
    n_marked = sum(isinstance(value, str) for value in values)
    assert len(remarks) == bool(n_marked)
    if n_marked:
        assert remarks[0].startswith(f"{n_marked:,} values of x are missing, written as ")


def test_a_frame_has_the_same_rules() -> None:
    frame = pd.DataFrame({"item": ["a", "b"], "x": ["NA", "2"]})
    found = Features.from_frame(frame)
    assert found.remarks == ("1 values of x are missing, written as NA",)
    with pytest.raises(DataError, match="the id 'a' has more than one row: rows 1 and 2"):
        Features.from_frame(pd.DataFrame({"item": ["a", "a"], "x": [1, 2]}))


def test_of_many_columns_with_gaps_a_few_are_named() -> None:
    frame = pd.DataFrame({"item": ["a"], **{f"x{column}": ["NA"] for column in range(25)}})
    *named, last = Features.from_frame(frame).remarks
    assert named == [f"1 values of x{column} are missing, written as NA" for column in range(5)]
    assert last == "20 more columns have values written as missing"
