"""A fitted encoder beside the rows that it is measured on."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recsys_ae.features.data.features import Features
from recsys_ae.features.encoder import FeatureEncoder
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.fits import Fit
from recsys_ae.features.study.plan import Sizes
from recsys_ae.features.study.rows import Part


@dataclass(frozen=True, eq=False)
class Case:
    """What a measure is told.

    Attributes
    ----------
    encoder
        The fitted model; None where the features stand for themselves.
    data
        The rows as the model reads them.
    """

    fit: Fit
    encoder: FeatureEncoder | None
    data: StudyData
    sizes: Sizes

    @property
    def model(self) -> FeatureEncoder:
        """The encoder of a case that has one."""
        if self.encoder is None:
            raise TypeError("the features as they are have no encoder")
        return self.encoder

    def codes(self, part: Part) -> np.ndarray:
        """Return the codes of rows, ``(n, latent)``; of the features as they are, the rows."""
        features = part.features if self.encoder is None else self.encoder.encode(part.features)
        return dense(features)

    @cached_property
    def pool(self) -> Part:
        """Labelled rows that are not among those measured on."""
        return self.data.pool.labelled().drawn(self.sizes.pool)

    @cached_property
    def queries(self) -> Part:
        """Labelled test rows."""
        return self.data.test.labelled().drawn(self.sizes.queries)

    @cached_property
    def pool_codes(self) -> np.ndarray:
        """The codes of `pool`."""
        return self.codes(self.pool)

    @cached_property
    def query_codes(self) -> np.ndarray:
        """The codes of `queries`."""
        return self.codes(self.queries)

    @cached_property
    def examples(self) -> Part:
        """Ten test rows to show: one of each label as far as there are labels, else drawn."""
        test = self.data.test
        if test.labels is None:
            return test.drawn(10)
        _, first = np.unique(test.told, return_index=True)
        rest = np.setdiff1d(np.arange(len(test)), first)
        chosen = np.concatenate([first, rest])[:10] if len(first) < 10 else first[:10]
        return test.take(chosen)


def dense(features: Features) -> np.ndarray:
    """Return the values as a table without holes: what is missing is the mean of its column."""
    values = features.matrix
    table: np.ndarray = values if isinstance(values, np.ndarray) else values.toarray()
    holes = np.isnan(table)
    if not holes.any():
        return np.asarray(table, np.float32)
    known = np.maximum((~holes).sum(axis=0), 1)
    means = np.where(holes, 0, table).sum(axis=0) / known
    return np.asarray(np.where(holes, means, table), np.float32)


def as_bytes(features: Features) -> np.ndarray:
    """Return pixels from 0 to 1 as bytes, to be kept and shown."""
    pixels: np.ndarray = np.round(np.clip(dense(features), 0, 1) * 255)
    return pixels.astype(np.uint8)


def plain(value: Any) -> Any:
    """Return numbers, lists and mappings as JSON can hold them; what is not finite is None."""
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
