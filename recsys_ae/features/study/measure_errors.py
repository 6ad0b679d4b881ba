"""Measures of how well rows are given back: those of the study, the hardest of them, damaged ones, and others."""

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
    """Measure the root mean squared error on the test, validation and (some) training rows."""
    model, data = case.model, case.data
    parts = {"test": data.test, "valid": data.valid, "train": data.train.drawn(len(data.test))}
    return Measured({f"{name}_rmse": model.error(part.features) for name, part in parts.items()})


def examples(case: Case) -> Measured:
    """Give rows back to look at: ten of them, the hardest and the easiest."""
    model, test = case.model, case.data.test
    errors = reconstruction.errors(model, test.features)
    places = dict(zip(("easiest", "hardest"), reconstruction.extremes(errors, min(SHOWN, len(test))), strict=True))
    chosen = {name: test.take(where) for name, where in places.items()}
    numbers: dict[str, Any] = {
        name: {
            "ids": case.data.called(part.features.ids),
            "labels": None if part.labels is None else part.labels.tolist(),
            "errors": errors[places[name]],
        }
        for name, part in chosen.items()
    }
    numbers["quantiles"] = dict(zip(("0.05", "0.5", "0.95"), np.nanquantile(errors, (0.05, 0.5, 0.95)), strict=True))
    arrays = {}
    if case.data.pictures or len(test.features.form) == 2:
        for name, part in {"examples": case.examples, **chosen}.items():
            arrays[name] = as_bytes(part.features)
            arrays[f"{name}_back"] = as_bytes(model.reconstruct(part.features))
    return Measured(plain(numbers), arrays)


def unlike(case: Case) -> Measured:
    """Give rows back that are unlike those of the training; how much worse, and how to tell them apart."""
    model, test = case.model, case.data.test
    usual = reconstruction.errors(model, test.features)
    numbers: dict[str, dict[str, float]] = {}
    arrays = {}
    for name, part in case.data.unlike.items():
        odd = reconstruction.errors(model, part.features)
        numbers[name] = {"rmse": model.error(part.features), "auc": anomaly(usual, odd)}
        some = part.drawn(10)
        arrays[name], arrays[f"{name}_back"] = as_bytes(some.features), as_bytes(model.reconstruct(some.features))
    return Measured(plain(numbers), arrays)


def withheld(case: Case) -> Measured:
    """Tell the rows of a label that the training has never seen from the others by their error."""
    test = case.data.test.labelled()
    odd = test.told == case.fit.withheld
    errors = reconstruction.errors(case.model, test.features)
    return Measured(plain({"label": case.fit.withheld, "auc": anomaly(errors[~odd], errors[odd])}))


def damaged(case: Case) -> Measured:
    """Give whole rows back from damaged ones."""
    part = case.data.test.drawn(case.sizes.queries)
    whole = dataclasses.replace(part.features, matrix=dense(part.features))
    return Measured(plain({"levels": denoising(case.model, whole, case.sizes.noise, seed=0)}))
