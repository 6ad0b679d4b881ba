"""Checks of features and memory before a fit begins."""

from collections.abc import Mapping

from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec
from recsys_ae.features.nn.footprint import memory
from recsys_ae.nn.capacity import refuse_too_large
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import describe


def check(spec: FeatureSpec, features: Features, valid: Features | None, run: Run) -> None:
    """Raise if features are not what a model of them reads, or the machine does not suffice.

    Raises
    ------
    DataError
        If there is nothing to learn from, and for rows that the model cannot read.
    TrainingError
        If there is too little memory; says how much is needed and how much there is.
    """
    shape = FeatureShape(len(features), features.width, features.form)
    if 0 in shape[:2]:
        raise DataError(f"there is nothing to learn from: {shape.n_rows:,} rows of {shape.width:,} columns")
    spec.check(shape)
    parts = memory(spec, features, valid)
    what = f"{shape.n_rows:,} rows of {shape.width:,} columns"
    refuse_too_large(spec.name(), what, parts, run, _way_out(spec, parts))


def _way_out(spec: FeatureSpec, parts: Mapping[str, int]) -> str:
    """Say what would need less memory, by what most of it is for."""
    largest = max(parts, key=lambda what: parts[what])
    known = {one.name for one in describe(type(spec))}
    if largest == "features":
        change = "take fewer rows or columns, or smaller pictures (--image-size)"
    elif largest == "matrices of the closed form":
        change = "find the components by products (--solver randomised), or take fewer columns"
    elif largest in ("a batch", "what its gradient needs"):
        change = "make batch_size smaller (--batch-size), or pictures (--image-size)"
    else:
        sizes = [name for name in ("hidden", "channels", "width", "latent") if name in known]
        change = f"make {' or '.join(sizes)} smaller, or take fewer columns: pca reduces them"
    return f"most of it is for {largest}: {change}"
