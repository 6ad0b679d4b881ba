"""Conditions that select rows of a table, such as ``date >= 2026-01-01 and country = DE``."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.parsing import Series, listing, shown
from recsys_ae.errors import Argument, ConfigError, DataError

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "<>": operator.ne, "==": operator.eq, "=": operator.eq,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip
QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
CONDITION = re.compile(
    rf"\s*(?P<column>{QUOTED}|[^\s'\"<>=!]+)\s*(?P<operator>>=|<=|!=|<>|==|=|>|<)\s*"
    rf"(?P<value>{QUOTED}|[^'\"<>=!]+?)\s*(?:\band\b|$)",
    re.IGNORECASE,
)
EXAMPLE = "date >= 2026-01-01 and country = DE"


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a value."""

    column: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.column} {self.operator} {self.value}"

    def holds(self, column: Series) -> np.ndarray:
        """Return True for each row that fulfils the condition, ``(n,)``; missing values do not.

        Raises
        ------
        DataError
            If the column holds numbers or times and the value is none.
        """
        if isinstance(column.dtype, pd.CategoricalDtype):
            of_categories = self._compared(pd.Series(column.cat.categories))
            return np.asarray(np.append(of_categories, False)[column.cat.codes])
        return self._compared(column)

    def _compared(self, values: Series) -> np.ndarray:
        missing = values.isna().to_numpy(dtype=bool)
        compare = OPERATORS[self.operator]
        if pd.api.types.is_bool_dtype(values):
            values = values.astype("string").str.lower()
            found = compare(values, self.value.lower())
        elif pd.api.types.is_numeric_dtype(values):
            found = compare(values, self._number())
        elif pd.api.types.is_datetime64_any_dtype(values):
            found = compare(values, self._time(values))
        else:
            found = self._texts(values, compare)
        return np.asarray(found.fillna(value=False), dtype=bool) & ~missing

    def _texts(self, values: Series, compare: Callable[[Any, Any], Any]) -> "Series":
        """Compare as numbers if all are numbers, else as text, as which dates such as 2026-01-01 are in order."""
        numbers = pd.to_numeric(values, errors="coerce")
        if not (numbers.isna() & ~values.isna()).any():
            try:
                return pd.Series(compare(numbers, float(self.value)))
            except ValueError:
                pass  # numbers and a text, which are compared as text
        return pd.Series(compare(values.astype("string"), self.value))

    def _number(self) -> float:
        try:
            return int(self.value) if re.fullmatch(r"[+-]?\d+", self.value) else float(self.value)
        except ValueError as error:
            raise DataError(Argument("where", str(self)), f": {self.column} holds numbers") from error

    def _time(self, values: Series) -> Any:
        try:
            time = pd.Timestamp(self.value)
        except ValueError as error:
            raise DataError(Argument("where", str(self)), f": {self.column} holds times") from error
        zone = getattr(values.dtype, "tz", None)
        return time.tz_localize(zone) if zone is not None and time.tzinfo is None else time


def conditions(text: str | None) -> tuple[Condition, ...]:
    """Return the conditions of a text, all of which must hold; none for None.

    Raises
    ------
    ConfigError
        If the text is no condition.
    """
    if text is None:
        return ()
    found, place = [], 0
    while place < len(text):
        match = CONDITION.match(text, place)
        if match is None:
            break
        found.append(Condition(_plain(match["column"]), match["operator"], _plain(match["value"])))
        place = match.end()
    if not found or place < len(text) or re.search(r"\band\s*$", text, re.IGNORECASE):
        raise ConfigError(Argument("where", text), f": expected a condition such as {shown(EXAMPLE)}")
    return tuple(found)


def refuse_unknown(asked: Sequence[Condition], names: Sequence[str]) -> None:
    """Raise a `DataError` if a condition names a column that does not exist."""
    for condition in asked:
        if condition.column not in names:
            raise DataError(
                Argument("where", str(condition)),
                f": there is no column {condition.column}; the columns are: {listing(names)}",
            )


def _plain(word: str) -> str:
    quote = word[:1]
    return word[1:-1].replace(quote * 2, quote) if quote in ("'", '"') else word.strip()
