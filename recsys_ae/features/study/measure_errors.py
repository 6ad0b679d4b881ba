"""Measures of reconstruction: errors, examples, noisy rows, and rows of other data or withheld labels."""

import dataclasses
from typing import Any

import numpy as np

from recsys_ae.features.analysis import reconstruction
from recsys_ae.features.analysis.anomaly import anomaly
from recsys_ae.features.analysis.denoising import denoising
from recsys_ae.features.study.encoded import Case, as_bytes, dense, plain
from recsys_ae.features.study.store import Measured

SHOWN = 8


def error(case: Case) -> Measured:
    """Measure the root mean squared error on test, validation and training rows, at most as many as test rows."""
    model, data = case.model, case.data
    rows_by_name = {"test": data.test, "valid": data.valid, "train": data.train.drawn(len(data.test))}
    return Measured({f"{name}_rmse": model.error(rows.features) for name, rows in rows_by_name.items()})


def examples(case: Case) -> Measured:
    """Reconstruct test rows to show: ten examples, and the rows with the largest and the smallest errors."""
    model, test = case.model, case.data.test
    errors = reconstruction.errors(model, test.features)
    positions = dict(zip(("easiest", "hardest"), reconstruction.extremes(errors, min(SHOWN, len(test))), strict=True))
    extremes = {name: test.take(rows) for name, rows in positions.items()}
    numbers: dict[str, Any] = {
        name: {
            "ids": case.data.called(rows.features.ids),
            "labels": None if rows.labels is None else rows.labels.tolist(),
            "errors": errors[positions[name]],
        }
        for name, rows in extremes.items()
    }
    numbers["quantiles"] = dict(zip(("0.05", "0.5", "0.95"), np.nanquantile(errors, (0.05, 0.5, 0.95)), strict=True))
    arrays = {}
    if case.data.pictures or len(test.features.form) == 2:
        for name, rows in {"examples": case.examples, **extremes}.items():
            arrays[name] = as_bytes(rows.features)
            arrays[f"{name}_back"] = as_bytes(model.reconstruct(rows.features))
    return Measured(plain(numbers), arrays)


def unlike(case: Case) -> Measured:
    """Measure the error on rows of other data, and its AUC as their detector among the test rows."""
    model, test = case.model, case.data.test
    usual = reconstruction.errors(model, test.features)
    numbers: dict[str, dict[str, float]] = {}
    arrays = {}
    for name, rows in case.data.unlike.items():
        odd = reconstruction.errors(model, rows.features)
        numbers[name] = {"rmse": model.error(rows.features), "auc": anomaly(usual, odd)}
        shown = rows.drawn(10).features
        arrays[name], arrays[f"{name}_back"] = as_bytes(shown), as_bytes(model.reconstruct(shown))
    return Measured(plain(numbers), arrays)


def withheld(case: Case) -> Measured:
    """Measure the AUC of the error as a detector of the label that was withheld from the training."""
    test = case.data.test.labelled()
    odd = test.told == case.fit.withheld
    errors = reconstruction.errors(case.model, test.features)
    return Measured(plain({"label": case.fit.withheld, "auc": anomaly(errors[~odd], errors[odd])}))


def damaged(case: Case) -> Measured:
    """Measure the reconstructions of noisy rows."""
    features = case.data.test.drawn(case.sizes.queries).features
    clean = dataclasses.replace(features, matrix=dense(features))
    return Measured(plain({"levels": denoising(case.model, clean, case.sizes.noise, seed=0)}))
