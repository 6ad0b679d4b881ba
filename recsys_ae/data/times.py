"""Times: numbers with a detected unit, datetimes and ISO 8601 text, read as seconds since 1970."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from recsys_ae.data import decimals
from recsys_ae.data.parsing import Series, number, numbers, optional, refuse, titled
from recsys_ae.errors import DataError

UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EARLIEST, END = 10**8, 4_102_444_800
"""Seconds of 1973-03-03 and 2100-01-01. No number is a time between them in two units."""
FORMS = {8: "YYYYMMDD", 10: "YYYYMMDDHH", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}
"""Written dates by their number of digits."""
DAY = 86_400


def seconds(column: Series, role: str = "timestamp") -> tuple[np.ndarray, str]:
    """Return a column of times as seconds since 1970, and a remark on their unit.

    Numbers of a column have one unit: seconds, milliseconds, microseconds or nanoseconds since 1970, whichever places
    all of them before 2100, and after 1973 if it is not seconds. Whole numbers that are all written dates, such as
    20201231, are dates. Zero is 1970-01-01 in every unit. Datetimes and text without a time zone are in UTC. Fractions
    of a second are cut off.

    Returns
    -------
    times
        ``(n,)`` int64, none negative.
    remark
        The unit of numbers that are not seconds, and the first and last day; else empty.

    Raises
    ------
    DataError
        For a time that is missing, before 1970 or of another form, and for numbers of different units.
    """
    with optional(role):
        return _seconds(column, role)


def day(moment: int) -> str:
    """Return the ISO date of seconds since 1970, of any year."""
    return str(np.datetime64(int(moment), "s").astype("datetime64[D]"))


def _seconds(column: Series, role: str) -> tuple[np.ndarray, str]:
    refuse(column.isna().to_numpy(dtype=bool), column, role, "is missing")
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _of_distinct(column, role)
    column = decimals.numbers_of(column)
    if types.is_datetime64_any_dtype(column):
        times = pd.to_datetime(column, utc=True).dt.tz_localize(None).astype("datetime64[s]").astype("int64").to_numpy()
        return _not_negative(times, column, role), ""
    if types.is_numeric_dtype(column):
        return _of_numbers(column, role)
    values = column.to_numpy(dtype=object)
    if all(isinstance(value, (date, np.datetime64)) for value in values):
        return _not_negative(np.fromiter(map(_moment, values), np.int64, len(values)), column, role), ""
    return _of_text(column, role)


def _of_distinct(column: Series, role: str) -> tuple[np.ndarray, str]:
    """Convert the distinct values only, because they are fewer than the rows."""
    used = column.cat.remove_unused_categories()
    try:
        times, remark = _seconds(pd.Series(used.cat.categories, name=column.name), role)
    except DataError:
        # Convert row by row for an error that names the row.
        return _seconds(column.astype(column.cat.categories.dtype), role)
    return times[used.cat.codes.to_numpy()], remark


def _of_text(column: Series, role: str) -> tuple[np.ndarray, str]:
    """Return the times of text that holds numbers or ISO 8601 dates."""
    is_text = np.isnan(np.fromiter(map(number, column), np.float64, len(column)))
    if not is_text.any():
        return _of_numbers(column, role)
    text = column.map(lambda value: value if isinstance(value, str) else None)
    dates = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    no_date = dates.isna().to_numpy(dtype=bool)
    refuse(no_date & is_text, column, role, "is neither a number nor a date such as 2020-12-31T23:59:59Z")
    refuse(no_date, column, role, "is a number, but other rows hold dates")
    times = dates.dt.tz_localize(None).astype("datetime64[s]").astype("int64").to_numpy()
    return _not_negative(times, column, role), ""


def _of_numbers(column: Series, role: str) -> tuple[np.ndarray, str]:
    values = numbers(column, role)
    if not len(values):
        return values.astype(np.int64), ""
    refuse(values < 0, column, role, "is negative")
    refuse(values >= 2**63, column, role, "is out of range")
    # Integers beyond 2**53 stay exact this way.
    whole = column.to_numpy(dtype=np.int64) if types.is_integer_dtype(column) else values.astype(np.int64)
    low, high = whole.min(where=whole > 0, initial=2**62), whole.max(initial=0)
    for digits, form in FORMS.items():
        scale = 10 ** (digits - 8)
        if low >= 1900_01_01 * scale and high < 2101_01_01 * scale and (whole == values).all():
            dates = _written(whole, digits, column, role)
            if dates is not None:
                return dates, _remark(column, role, f"written dates, {form}", dates)
    unit = _unit(values, column, role)
    times = whole // UNITS[unit]
    return times, "" if unit == "seconds" else _remark(column, role, f"{unit} since 1970", times)


def _unit(values: np.ndarray, column: Series, role: str) -> str:
    """Return the unit of numbers; raise an error that names the first number of another unit than the most."""
    low, high = np.min(values, where=values >= 1, initial=np.inf), values.max(initial=0)
    for name, per_second in UNITS.items():
        if (low >= EARLIEST * per_second or name == "seconds") and high < END * per_second:
            return name
    names = list(UNITS)
    unit = np.full(len(values), -1)
    for position, per_second in enumerate(UNITS.values()):
        lowest = EARLIEST * per_second if position else 1
        unit[(values >= lowest) & (values < END * per_second)] = position
    expected = "; expected seconds, milliseconds, microseconds or nanoseconds since 1970, before 2100"
    refuse((unit < 0) & (values >= 1), column, role, f"is out of range{expected}")
    counts = np.bincount(unit[unit >= 0], minlength=len(names))
    chosen = int(counts.argmax())
    other = (unit >= 0) & (unit != chosen)
    if other.any():
        found = names[int(unit[other][0])]
        refuse(other, column, role, f"is a number of {found}, but most rows hold {names[chosen]}")
    return names[chosen]


def _written(values: np.ndarray, digits: int, column: Series, role: str) -> np.ndarray | None:
    """Return the times of dates written as numbers with this many digits; None if the numbers are no such dates.

    Zero stays zero. Numbers of 10 digits may be seconds, so they are dates only if all of them are valid.
    """
    missing = values == 0
    days, rest = np.divmod(values, 10 ** (digits - 8))
    year, month, in_month = days // 10_000, days // 100 % 100, days % 100
    clock = rest * 10 ** (14 - digits)
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    next_first = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    valid = (month >= 1) & (month <= 12) & (in_month >= 1) & (in_month <= next_first - first)
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    if digits == 10 and not (valid | missing).all():
        return None
    refuse(~(valid | missing), column, role, f"is not a date of the form {FORMS[digits]}")
    times = (first + in_month - 1) * DAY + hour * 3600 + minute * 60 + second
    return _not_negative(np.where(missing, 0, times), column, role)


def _moment(value: Any) -> int:
    """Return a datetime, date or NumPy datetime as seconds since 1970."""
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[s]").astype(np.int64))
    if not isinstance(value, datetime):
        return int((value - date(1970, 1, 1)).days) * DAY
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return int((aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))


def _not_negative(times: np.ndarray, column: Series, role: str) -> np.ndarray:
    refuse(times < 0, column, role, "is before 1970")
    return times


def _remark(column: Series, role: str, unit: str, times: np.ndarray) -> str:
    known = times[times > 0] if times.any() else times
    title = titled(column, role).replace(role, f"{role}s", 1)
    return f"{title} read as {unit}: {day(known.min())} to {day(known.max())}"
