"""Measurement of the models of a report."""

import dataclasses
import math

import numpy as np
import pytest

from recsys_ae import Recommender, Split
from recsys_ae.evaluation import evaluate
from recsys_ae.evaluation.page.contents import Model
from recsys_ae.evaluation.page.measurement import SHOWN, USERS, Measurement
from recsys_ae.evaluation.slices import sliced
from recsys_ae.models import Blend
from tests.single_thread import single_thread  # noqa: F401


def named(models: list[Model], name: str) -> Model:
    return next(model for model in models if model.name == name)


def test_a_model_has_the_numbers_of_its_evaluation(
    models: list[Model], fitted: dict[str, Recommender], measurement: Measurement
) -> None:
    for name, model in fitted.items():
        measured = named(models, name)
        report = evaluate(model, measurement.holdout, measurement.metrics, catalog=measurement.catalog)
        assert measured.report.as_dict() == report.as_dict()
        assert measured.kind == model.spec.name()
        assert measured.seconds == model.metadata["seconds"]
        assert [part.by for part in measured.slices] == ["activity", "parity"]
        for part in measured.slices:
            assert part.as_dict() == sliced(report, measurement.groups[part.by], part.by).as_dict()


def test_the_users_who_select_are_not_those_who_are_measured(
    models: list[Model], fitted: dict[str, Recommender], measurement: Measurement
) -> None:
    assert measurement.selection is not None
    for name, model in fitted.items():
        expected = evaluate(model, measurement.selection, ["ndcg@5"]).mean["ndcg@5"]
        assert named(models, name).selection == pytest.approx(expected)
    assert named(models, "other").selection is None
    assert measurement.model("ease", fitted["ease"], is_candidate=False).selection is None
    same = dataclasses.replace(measurement, selection=None).model("ease", fitted["ease"])
    assert same.selection == same.report.mean["ndcg@5"]


def test_lists_are_those_that_the_model_recommends(
    models: list[Model], fitted: dict[str, Recommender], measurement: Measurement
) -> None:
    holdout, rows = measurement.holdout, measurement.rows
    items, _ = fitted["ease"].recommend(holdout.histories[rows], SHOWN)
    for row, top, shown in zip(rows, items, named(models, "ease").lists, strict=True):
        targets = holdout.targets[row].indices
        assert [item.is_hit for item in shown] == np.isin(top[top >= 0], targets).tolist()
        assert holdout.items is not None
        titles = [measurement.titles[item] or str(holdout.items[item]) for item in top if item >= 0]
        assert [item.title for item in shown] == titles


def test_usual_users_have_short_usual_and_long_histories(measurement: Measurement, split: Split) -> None:
    assert split.test is not None
    lengths = np.diff(split.test.histories.indptr)[measurement.rows]
    assert len(lengths) == USERS
    assert np.all(np.diff(lengths) >= 0)
    users = measurement.users()
    for row, user in zip(measurement.rows, users, strict=True):
        assert user.name == str(split.test.users[row])
        assert (len(user.history), len(user.targets)) == (
            split.test.histories[row].nnz,
            split.test.targets[row].nnz,
        )
    named_ones = dataclasses.replace(measurement, shown=[4, 2])
    assert [user.name for user in named_ones.users()] == [str(split.test.users[row]) for row in (4, 2)]
    assert dataclasses.replace(measurement, shown=[]).users() == []


def test_learning_curves_are_those_of_the_training(models: list[Model], fitted: dict[str, Recommender]) -> None:
    assert named(models, "ease").curves == named(models, "popular").curves == {}
    curves = named(models, "dae").curves
    assert "ndcg@100" in curves
    for name, values in curves.items():
        expected = [epoch[f"valid/{name}"] for epoch in fitted["dae"].history]
        assert np.array_equal(values, expected, equal_nan=True)


def test_settings_are_those_that_differ_from_the_defaults(
    models: list[Model], fitted: dict[str, Recommender], split: Split, measurement: Measurement
) -> None:
    assert named(models, "popular").settings == ""
    assert named(models, "ease").settings == "l2=5.0"
    assert "latent=4" in named(models, "dae").settings.split()
    blend = Recommender(Blend(members=("ease l2=7", "popularity"))).fit(split.train, valid=split.valid)
    assert measurement.model("blend", blend).settings == "ease l2=7.0 + popularity"


def test_memory_is_that_of_the_fit(models: list[Model], split: Split) -> None:
    assert named(models, "ease").memory is not None
    n_items = split.train.shape[1]
    assert (named(models, "ease").memory or 0) >= 8 * n_items**2
    assert (named(models, "dae").memory or 0) > 0


def test_all_numbers_are_json(models: list[Model]) -> None:
    content = named(models, "dae").as_dict()
    assert content["metrics"]["ndcg@5"]["mean"] == named(models, "dae").report.mean["ndcg@5"]
    with_gap = dataclasses.replace(named(models, "dae"), curves={"ndcg@5": [math.nan, 0.5]})
    assert with_gap.as_dict()["curves"] == {"ndcg@5": [None, 0.5]}
