"""Metrics of groups of users."""
# ruff: noqa: PD011  a report's `values` are not those of pandas

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_ae import Recommender, Run, split_users
from recsys_ae.errors import DataError
from recsys_ae.evaluation import Report, evaluate
from recsys_ae.evaluation.slices import FEW, MOST, NONE, activity, sliced
from recsys_ae.models import EASE
from recsys_ae.testing.blocks import training_data
from tests.single_thread import single_thread  # noqa: F401

SPLIT = split_users(training_data(), n_valid=5, n_test=30, seed=1)
METRICS = ["ndcg@5", "recall@3"]


@pytest.fixture(scope="module")
def report() -> Report:
    assert SPLIT.test is not None
    return evaluate(Recommender(EASE(l2=5.0)).fit(SPLIT.train, run=Run(device="cpu")), SPLIT.test, METRICS)


def test_a_group_has_the_mean_of_its_users(report: Report) -> None:
    users = report.values.index
    groups = pd.Series([f"g{n % 3}" for n in range(len(users))], index=users).sample(frac=1, random_state=0)
    slices = sliced(report, groups, "third")
    assert list(slices.groups) == ["g0", "g1", "g2"]
    for group, summary in slices.groups.items():
        own = report.values.loc[groups.index[groups == group]]
        assert slices.n_users[group] == len(own)
        for name in METRICS:
            assert summary[name].mean == pytest.approx(own[name].mean())
            assert summary[name].standard_error == pytest.approx(own[name].std(ddof=1) / math.sqrt(len(own)))
            assert summary[name].low <= summary[name].mean <= summary[name].high
    assert "third" in str(slices).splitlines()[0]
    assert len(str(slices).splitlines()) == 4
    assert slices.to_frame().shape == (6, 5)
    assert json.loads(json.dumps(slices.as_dict()))["groups"]["g0"]["users"] == slices.n_users["g0"]


def test_activity_is_cut_into_quarters(report: Report) -> None:
    assert SPLIT.test is not None
    lengths = activity(SPLIT.test)
    assert lengths.tolist() == np.diff(SPLIT.test.histories.indptr).tolist()
    numbers = np.arange(len(report.values)) * 3.5
    slices = sliced(report, pd.Series(numbers, index=report.values.index), "activity")
    quarters = np.array_split(numbers, 4)
    assert [group.split(" to ")[0] for group in slices.groups] == [f"{part[0]:g}" for part in quarters]
    assert sum(slices.n_users.values()) == len(report.values)
    assert max(slices.n_users.values()) - min(slices.n_users.values()) <= 1


def test_users_without_a_value_are_a_group(report: Report) -> None:
    users = report.values.index
    slices = sliced(report, pd.Series(["a", "b", None], index=users[[0, 1, 2]]), "letter")
    assert slices.n_users == {"a": 1, "b": 1, NONE: len(users) - 2}
    assert math.isnan(slices.groups["a"]["ndcg@5"].standard_error)
    assert f"{slices.groups['a']['ndcg@5'].mean:.4f}" in str(slices)


def test_ids_of_users_meet_in_any_form(report: Report) -> None:
    users = report.values.index
    text = pd.Series([n % 2 for n in range(len(users))], index=[f"0{user}" for user in users])
    assert sliced(report, text, "parity").n_users == sliced(report, text.to_numpy(), "parity").n_users


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda users: pd.Series([1, 2], index=[users[0], users[0]]), "has several values"),
        (lambda users: pd.Series([1], index=["nobody"]), "none of the .. users has a value"),
        (lambda users: pd.Series([], dtype=float), "the table of users is empty"),
        (lambda users: [1, 2], "2 values for .. users"),
    ],
)
def test_what_cannot_be_grouped_is_said(report: Report, values: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        sliced(report, values(report.values.index), "group")
    assert str(caught.value).startswith("group: ")
    assert "\n" not in str(caught.value)


def test_many_texts_are_refused_and_few_numbers_are_groups() -> None:
    values = pd.DataFrame({"ndcg@5": np.linspace(0, 1, 200)})
    report = Report(values, {}, 0, 0, True, 10)
    with pytest.raises(DataError, match=f"name has 200 values; slice by a column with at most {MOST}"):
        sliced(report, [f"n{n}" for n in range(200)], "name")
    assert len(sliced(report, [n % FEW for n in range(200)], "digit", n_resamples=5).groups) == FEW


def test_users_for_whom_a_metric_is_not_defined_do_not_count() -> None:
    values = pd.DataFrame({"tail_ndcg@5": [0.5, math.nan, 0.7, math.nan]})
    report = Report(values, {}, 0, 0, True, 10)
    slices = sliced(report, ["a", "a", "a", "b"], "x")
    assert slices.groups["a"]["tail_ndcg@5"].mean == pytest.approx(0.6)
    assert math.isnan(slices.groups["b"]["tail_ndcg@5"].mean)
    assert "–" in str(slices)
    json.dumps(slices.as_dict(), allow_nan=False)
