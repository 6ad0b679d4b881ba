"""Tests of times: every unit and form gives the same seconds, and a column of several units is refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.data.times import DAY, EARLIEST, END, FORMS, UNITS, day, seconds
from recsys_ae.errors import DataError

WAY_OUT = "; to leave out the column, set timestamp = 'none'"
MOMENTS = st.lists(st.integers(EARLIEST, END - 1), min_size=1, max_size=6)
FORM = {"YYYYMMDD": "%Y%m%d", "YYYYMMDDHH": "%Y%m%d%H", "YYYYMMDDHHMM": "%Y%m%d%H%M", "YYYYMMDDHHMMSS": "%Y%m%d%H%M%S"}
"""Forms of written dates, as `datetime.strftime` names them."""


def read(*values: Any, **options: Any) -> tuple[list[int], str]:
    times, remark = seconds(pd.Series(list(values), **options))
    assert times.dtype == np.int64
    return times.tolist(), remark


def refusal(*values: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        seconds(pd.Series(list(values), **options))
    message = str(caught.value)
    assert message.endswith(WAY_OUT)
    assert len(message.splitlines()) == 1
    return message.removesuffix(WAY_OUT)


class TestNumbers:
    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(MOMENTS, st.sampled_from(list(UNITS)), st.integers(0, 10**9 - 1), st.sampled_from([int, str, object]))
    def test_of_every_unit_give_the_same_seconds(self, moments, unit, fraction, kind):
        per_second = UNITS[unit]
        values = [moment * per_second + fraction % per_second for moment in moments]
        times, remark = read(*values, dtype=kind)
        assert times == moments
        assert (f"read as {unit} since 1970: {day(min(moments))} to {day(max(moments))}" in remark) == (
            unit != "seconds"
        )

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(MOMENTS, st.sampled_from(list(FORMS)))
    def test_may_be_written_dates(self, moments, digits):
        form = FORM[FORMS[digits]]
        texts = [datetime.fromtimestamp(moment, UTC).strftime(form) for moment in moments]
        expected = [int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()) for text in texts]
        times, remark = read(*map(int, texts))
        assert times == expected
        assert f"written dates, {FORMS[digits]}: " in remark

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(MOMENTS, st.integers(1, 3), st.integers(0, 5), st.permutations(list(UNITS)))
    def test_of_two_units_are_refused(self, moments, n_odd, position, units):
        usual, odd = (UNITS[unit] for unit in units[:2])
        values = [moment * usual for moment in moments for _ in range(n_odd + 1)]
        values.insert(position := min(position, len(values)), EARLIEST * odd)
        expected = f"is a number of {units[1]}, but most rows hold {units[0]}: {EARLIEST * odd}"
        assert refusal(*values) == f"timestamp in row {position + 1} {expected}"

    def test_that_are_small_are_seconds(self):
        assert read(5, 0, 86_400) == ([5, 0, 86_400], "")

    def test_of_zero_are_zero_in_every_unit(self):
        assert read(0, 1_600_000_000_123)[0] == [0, 1_600_000_000]
        assert read(0, 20201231)[0] == [0, 18_627 * DAY]

    def test_may_have_fractions(self):
        assert read(1600000001.9, 3.5)[0] == [1_600_000_001, 3]
        assert read("1600000001.438", "1.6e9")[0] == [1_600_000_001, 1_600_000_000]

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ((20200101, 20201345), "row 2 is not a date of the form YYYYMMDD: 20201345"),
            ((20190229,), "row 1 is not a date of the form YYYYMMDD: 20190229"),
            ((20200101006000,), "row 1 is not a date of the form YYYYMMDDHHMMSS: 20200101006000"),
            ((19650101, 20200101), "row 1 is before 1970: 19650101"),
            ((1_600_000_000, 9_999_999_999), "row 2 is out of range; expected seconds, milliseconds, microseconds or"),
            ((1_600_000_000, 1e30), "row 2 is out of range: 1e+30"),
            ((1_600_000_000, -62_135_596_800), "row 2 is negative: -62135596800"),
            ((-0.5, 3), "row 1 is negative: -0.5"),
            ((1, np.inf), "row 2 is not finite: inf"),
            ((np.nan, 1), "row 1 is missing: nan"),
        ],
    )
    def test_that_are_no_times(self, values, message):
        assert refusal(*values).startswith(f"timestamp in {message}")

    def test_of_a_column_with_another_name(self):
        column = pd.Series([1_600_000_000_123, 1_600_000_000_124, 3], name="when")
        with pytest.raises(DataError, match=r"^timestamp \(column when\) in row 3 is a number of seconds"):
            seconds(column)


class TestDatetimes:
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(
        st.lists(
            st.datetimes(datetime(1970, 1, 1), timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-5))])),
            min_size=1,
        ),
        st.sampled_from([lambda moment: moment, datetime.isoformat]),
    )
    def test_of_python_and_their_text_are_in_utc_without_a_zone(self, moments, form):
        aware = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments]
        expected = [(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) for moment in aware]
        assert read(*map(form, moments), dtype=object) == (expected, "")

    @pytest.mark.parametrize(
        "value",
        [
            date(2020, 12, 31),
            pd.Timestamp("2020-12-31"),
            np.datetime64("2020-12-31"),
            "2020-12-31",
            "2020/12/31",
            "2020-12-31 00:00:00.000",
            "2020-12-31T02:00:00+02:00",
        ],
    )
    @pytest.mark.parametrize("kind", [object, "category"])
    def test_of_any_type_give_the_same_second(self, value, kind):
        assert read(value, value, dtype=kind) == ([18_627 * DAY] * 2, "")

    def test_of_arrow_give_the_same_second(self):
        import pyarrow as pa

        for kind in (pa.date32(), pa.timestamp("us"), pa.timestamp("s", "Asia/Tokyo")):
            column = pd.Series([datetime(2020, 12, 31, tzinfo=UTC)]).astype(pd.ArrowDtype(pa.timestamp("us", "UTC")))
            assert seconds(column.astype(pd.ArrowDtype(kind)))[0].tolist()[0] // DAY == 18_627

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (("12/31/2020",), "row 1 is neither a number nor a date such as 2020-12-31T"),
            (("2020-12-31", "Dec 31, 2020"), "row 2 is neither a number nor a date such as 2020-12-31T"),
            (("1600000000", "2020-12-31"), "row 1 is a number, but other rows hold dates: '1600000000'"),
            (("2020-12-31", "1950-01-01"), "row 2 is before 1970: '1950-01-01'"),
            ((datetime(2020, 1, 1), datetime(1, 1, 1)), "row 2 is before 1970: "),
            (([1],), "row 1 is neither a number nor a date"),
        ],
    )
    @pytest.mark.parametrize("kind", [object, "category"])
    def test_of_other_forms_are_refused(self, values, message, kind):
        if isinstance(values[0], list):
            kind = object
        assert refusal(*values, dtype=kind).startswith(f"timestamp in {message}")

    def test_unused_categories_do_not_matter(self):
        column = pd.Series(pd.Categorical(["2020-12-31"], categories=["yesterday", "2020-12-31"]))
        assert seconds(column)[0].tolist() == [18_627 * DAY]


@pytest.mark.parametrize(("moment", "text"), [(0, "1970-01-01"), (2**45, "1116918-"), (-(10**12), "-29719-")])
def test_a_day_of_any_year_has_a_name(moment: int, text: str) -> None:
    assert day(moment).startswith(text)


def test_no_times_have_no_unit() -> None:
    for dtype in (np.int64, np.float64, "datetime64[s]"):
        times, remark = seconds(pd.Series([], dtype=dtype))
        assert (times.tolist(), times.dtype, remark) == ([], np.int64, "")
