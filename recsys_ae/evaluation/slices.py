"""Metrics of groups of users: by activity, or by any column of a table of users."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.data.id_matching import match
from recsys_ae.data.parsing import shown
from recsys_ae.data.splits.holdout import Holdout
from recsys_ae.errors import DataError
from recsys_ae.evaluation.estimate import Estimate, estimate
from recsys_ae.evaluation.report import Report
from recsys_ae.spec.text_table import RIGHT, aligned

ACTIVITY = "activity"
"""Name of the groups by the number of items in the history."""
QUARTERS = 4
MOST = 50
"""Largest number of groups."""
FEW = 10
"""A column of numbers with more distinct values is cut into quarters."""
NONE = "(none)"
"""Group of the users without a value."""


@dataclass(frozen=True, eq=False)
class Slices:
    """Metrics of groups of users. ``print(slices)`` shows a table.

    Attributes
    ----------
    by
        What the users are grouped by.
    groups
        Mean, standard error and 95 % interval of each metric, by group.
    n_users
        Number of users, by group.
    """

    by: str
    groups: Mapping[str, Mapping[str, Estimate]]
    n_users: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {
            "by": self.by,
            "groups": {
                group: {
                    "users": self.n_users[group],
                    "metrics": {name: numbers.as_dict() for name, numbers in summary.items()},
                }
                for group, summary in self.groups.items()
            },
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per group and metric."""
        rows = {
            (group, name): {"users": self.n_users[group], **vars(numbers)}
            for group, summary in self.groups.items()
            for name, numbers in summary.items()
        }
        index = pd.MultiIndex.from_tuples(list(rows), names=[self.by, "metric"])
        return pd.DataFrame(list(rows.values()), index=index)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headings and cells of the table; headings of numbers begin with ``>``."""
        names = list(next(iter(self.groups.values())))
        rows = [
            [group, f"{self.n_users[group]:,}", *(_cell(summary[name]) for name in names)]
            for group, summary in self.groups.items()
        ]
        return [self.by, f"{RIGHT}users", *(RIGHT + name for name in names)], rows

    def __str__(self) -> str:
        return "\n".join(aligned(*self.table()))


def sliced(
    report: Report, groups: "pd.Series[Any] | Sequence[Any]", by: str, *, n_resamples: int = 1000, seed: int = 0
) -> Slices:
    """Return the metrics of a report for groups of its users.

    Parameters
    ----------
    report
        Report of `evaluate`.
    groups
        Value of each user: a Series indexed by user ids, or a sequence in the order of ``report.values``. Users without
        a value are a group of their own. Numbers with more than 10 distinct values are cut into quarters.
    by
        What the users are grouped by.
    n_resamples, seed
        As for `evaluate`.

    Raises
    ------
    DataError
        If no user has a value, or if there are more than 50 groups.
    """
    labels = _labels(_aligned(report, groups, by), by)
    found, counts, values = {}, {}, report.values  # noqa: PD011  of a report
    for label in labels.categories:
        rows = np.flatnonzero(labels == label)
        if len(rows) == 0:
            continue
        ratings = None if report.ratings is None else report.ratings.iloc[rows]
        found[str(label)] = estimate(values.iloc[rows], n_resamples=n_resamples, seed=seed, ratings=ratings)
        counts[str(label)] = len(rows)
    return Slices(by, found, counts)


def activity(holdout: Holdout) -> "pd.Series[Any]":
    """Return the number of items in the history of each user of a holdout, indexed by user ids."""
    return pd.Series(np.diff(holdout.histories.indptr), index=holdout.users, name=ACTIVITY)


def _aligned(report: Report, groups: "pd.Series[Any] | Sequence[Any]", by: str) -> "pd.Series[Any]":
    """Return the value of each user of the report."""
    if not isinstance(groups, pd.Series):
        if len(groups) != report.n_users:
            raise DataError(f"{by}: {len(groups):,} values for {report.n_users:,} users; expected one for each")
        return pd.Series(list(groups))
    users = report.values.index  # noqa: PD011  of a report
    if groups.index.has_duplicates:
        repeated = groups.index[groups.index.duplicated()][0]
        raise DataError(f"{by}: the user {shown(repeated)} has several values; expected one for each user")
    positions = match(pd.Index(groups.index), users)
    if (positions < 0).all():
        raise DataError(
            f"{by}: none of the {report.n_users:,} users has a value; ids of users here are such as "
            f"{shown(users[0])}, and there such as {shown(groups.index[0])}"
            if len(groups)
            else f"{by}: the table of users is empty"
        )
    values: pd.Series[Any] = groups.reset_index(drop=True).reindex(np.where(positions < 0, -1, positions))
    return values.reset_index(drop=True)


def _labels(values: "pd.Series[Any]", by: str) -> pd.Categorical:
    """Return the group of each user, in order."""
    missing = values.isna().to_numpy(bool)
    known = values[~missing]
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known) and known.nunique() > FEW:
        quarters = pd.qcut(known, QUARTERS, labels=False, duplicates="drop")
        bounds = known.groupby(quarters).agg(["min", "max"])
        ends = zip(bounds.index, bounds.to_numpy(), strict=True)
        names = {part: f"{_number(low)} to {_number(high)}" for part, (low, high) in ends}
        order, texts = list(names.values()), quarters.map(names)
    else:
        ordered = sorted(known.unique(), key=lambda value: (isinstance(value, str), value))
        order, texts = [str(value) for value in ordered], known.map(str)
    if len(order) > MOST:
        raise DataError(f"{by} has {len(order):,} values; slice by a column with at most {MOST}, or by numbers")
    labels = np.full(len(values), NONE, dtype=object)
    labels[~missing] = texts.to_numpy(object)
    return pd.Categorical(labels, categories=[*dict.fromkeys(order), *([NONE] if missing.any() else [])])


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def _cell(numbers: Estimate) -> str:
    if math.isnan(numbers.mean):
        return "–"
    if math.isnan(numbers.standard_error):
        return f"{numbers.mean:.4f}"
    return f"{numbers.mean:.4f} [{numbers.low:.4f}, {numbers.high:.4f}]"
