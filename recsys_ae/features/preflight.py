"""Checks of features and memory before a fit begins."""

from collections.abc import Mapping

from recsys_ae.errors import Argument, DataError, Message
from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec
from recsys_ae.features.nn.footprint import memory
from recsys_ae.nn.capacity import refuse_too_large
from recsys_ae.nn.runtime import Run
from recsys_ae.spec.hyper import describe


def check(spec: FeatureSpec, features: Features, valid: Features | None, run: Run) -> None:
    """Raise if the model cannot read the features, or the machine has too little memory.

    Raises
    ------
    DataError
        If there are no rows or columns, or if the model cannot read the rows.
    TrainingError
        If there is too little memory. The message says how much is needed, how much is free, and the way out.
    """
    shape = FeatureShape(len(features), features.width, features.form)
    if 0 in shape[:2]:
        raise DataError(f"there is nothing to learn from: {shape.n_rows:,} rows of {shape.width:,} columns")
    spec.check(shape)
    needed = memory(spec, features, valid)
    data = f"{shape.n_rows:,} rows of {shape.width:,} columns"
    refuse_too_large(spec.name(), data, needed, run, *_way_out(spec, needed))


def _way_out(spec: FeatureSpec, needed: Mapping[str, int]) -> Message:
    """Return the message that tells how to reduce the largest share of the memory."""
    largest = max(needed, key=lambda purpose: needed[purpose])
    reason, image_size = f"most of it is for {largest}: ", Argument("image_size")
    if largest == "features":
        return reason, "use fewer rows or columns, or for pictures a smaller ", image_size
    if largest == "matrices of the closed form":
        return reason, "set ", Argument("solver", "randomised"), ", or use fewer columns"
    if largest in ("inputs of a batch", "activations of a batch"):
        return reason, "lower ", Argument("batch_size"), ", or for pictures ", image_size
    hypers = {hyper.name for hyper in describe(type(spec))}
    sizes = [Argument(name) for name in ("hidden", "channels", "width", "latent") if name in hypers]
    listed = [piece for size in sizes for piece in (" or ", size)][1:]
    return reason, "lower ", *listed, ", or use fewer columns (pca reduces them)"
