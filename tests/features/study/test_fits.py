"""Tests of the fits of a plan."""

import dataclasses

import numpy as np
import pytest

from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.study.fits import Fit, works
from recsys_ae.features.study.rows import Part
from tests.features.study.small import data, pictures, plan


def test_fits_come_in_the_order_of_the_plan_and_each_once() -> None:
    latent = {"steps": ["latent"], "models": ["pca", "deep"], "latents": [3, 2]}
    again = {"steps": ["latent", "structure"], "models": ["deep"], "latents": [2, 1]}
    todo, left_out = works(plan(latent, again), data())
    assert [(work.fit.model, work.fit.latent, work.steps) for work in todo] == [
        ("pca", 3, ("latent",)), ("deep", 3, ("latent",)), ("pca", 2, ("latent",)),
        ("deep", 2, ("latent", "structure")), ("deep", 1, ("latent", "structure")),
    ]  # fmt: skip
    assert left_out == []


def test_a_name_changes_with_whatever_defines_the_fit() -> None:
    (work,), _ = works(plan({"steps": ["latent"], "models": ["deep"], "latents": [2]}), data())
    fit, rows = work.fit, data()
    assert fit.spec is not None
    variants = [
        dataclasses.replace(fit, seed=1),
        dataclasses.replace(fit, withheld="3"),
        dataclasses.replace(fit, spec=dataclasses.replace(fit.spec, latent=3), latent=3),
    ]
    named = {fit.name(rows), *(variant.name(rows) for variant in variants)}
    named |= {fit.name(data(train=pictures(80, 5))), fit.name(data(valid=pictures(10, 6)))}
    assert len(named) == 6
    assert fit.name(data(test=pictures(60, 7))) == fit.name(rows)
    assert fit.name(rows).startswith("deep-z2-s0-")


def test_layers_are_widths_in_equal_steps_for_every_model_that_has_widths() -> None:
    group = {"steps": ["architecture"], "models": ["variational", "deep", "pca"], "latents": [2], "layers": [2]}
    specs = {work.fit.model: work.fit for work in works(plan(group), data())[0]}
    assert specs["variational"].spec.hidden == (24, 12)  # type: ignore[union-attr]
    assert specs["deep"].layers == specs["variational"].layers == 2
    assert specs["pca"].layers is None


def test_a_code_wider_than_a_row_is_left_out_and_said() -> None:
    todo, left_out = works(plan({"steps": ["latent"], "models": ["deep"], "latents": [36, 37]}), data())
    assert [work.fit.latent for work in todo] == [36]
    assert left_out == ["deep, z = 37: the code must not be larger than a row, which has 36 columns"]


def test_each_label_is_withheld_and_unknown_ones_are_said() -> None:
    group = {"steps": ["anomaly"], "models": ["pca"], "latents": [2]}
    todo, _ = works(plan({**group, "withhold": ["each"]}), data())
    assert {work.fit.withheld for work in todo} == {"0", "1", "2", "3"}
    todo, left_out = works(plan({**group, "withhold": ["1", "9"]}), data())
    assert [work.fit.withheld for work in todo] == ["1"]
    assert left_out == ["label '9' is not withheld, because no training row has it"]
    three = pictures(60, 2).take(np.flatnonzero(pictures(60, 2).told != "1"))
    todo, left_out = works(plan({**group, "withhold": ["each"]}), data(test=three))
    assert {work.fit.withheld for work in todo} == {"0", "2", "3"}
    assert left_out == ["label '1' is not withheld, because no test row has it"]


def test_grey_pictures_are_sequences_of_their_rows_to_a_model_of_sequences() -> None:
    (work,), _ = works(plan({"steps": ["latent"], "models": ["recurrent"], "latents": [2]}), data())
    seen = data().seen_by(type(work.fit.spec).reads)  # type: ignore[union-attr]
    features = seen.train.features
    assert features.form == (6, 6)
    np.testing.assert_array_equal(features.matrix, data().train.features.matrix)
    table = Part(Features(np.ones((4, 3)), features.ids[:4], features.columns[:3]))
    with pytest.raises(DataError, match="reads sequences, but these rows are a table"):
        data(train=table).seen_by((2,))


def test_only_pictures_have_the_bernoulli_likelihood() -> None:
    rng = np.random.default_rng(0)
    tables = {
        name: Part(Features(rng.normal(size=(30, 5)), images.features.ids[:30], images.features.columns[:5]))
        for name in ("train", "valid", "test", "pool")
        for images in [pictures(30, 0)]
    }
    group = {"steps": ["latent"], "models": ["deep"], "latents": [2]}
    table, images = (works(plan(group), rows)[0][0].fit for rows in (data(unlike={}, **tables), data()))
    assert table.spec.likelihood == "gaussian"  # type: ignore[union-attr]
    assert images.spec.likelihood == "bernoulli"  # type: ignore[union-attr]


def test_raw_features_are_one_fit_whatever_the_sizes_and_seeds() -> None:
    group = {"steps": ["retrieval"], "models": ["raw"], "latents": [2, 3], "seeds": [0, 1]}
    (work,), _ = works(plan(group), data())
    assert work.fit == Fit("raw", 36, None, 0)
