"""Input of the measures of a study: a fitted encoder and the rows that it is measured on."""

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
    """The input of a measure.

    Attributes
    ----------
    encoder
        The fitted model; None for the features themselves.
    data
        The rows in the form that the model reads.
    """

    fit: Fit
    encoder: FeatureEncoder | None
    data: StudyData
    sizes: Sizes

    @property
    def model(self) -> FeatureEncoder:
        """The encoder; a TypeError if the case has none."""
        if self.encoder is None:
            raise TypeError("the features as they are have no encoder")
        return self.encoder

    def codes(self, rows: Part) -> np.ndarray:
        """Return the codes of rows, ``(n, latent)``; without an encoder, the rows themselves."""
        features = rows.features if self.encoder is None else self.encoder.encode(rows.features)
        return dense(features)

    @cached_property
    def pool(self) -> Part:
        """Labelled rows that are not test rows."""
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
        """Ten test rows to show: one of each label, then further rows; without labels they are drawn."""
        test = self.data.test
        if test.labels is None:
            return test.drawn(10)
        _, one_per_label = np.unique(test.told, return_index=True)
        further = np.setdiff1d(np.arange(len(test)), one_per_label)
        positions = np.concatenate([one_per_label, further])[:10] if len(one_per_label) < 10 else one_per_label[:10]
        return test.take(positions)


def dense(features: Features) -> np.ndarray:
    """Return the values as a dense float32 table ``(n, width)``, with the column's mean for missing values."""
    values = features.matrix
    table: np.ndarray = values if isinstance(values, np.ndarray) else values.toarray()
    missing = np.isnan(table)
    if not missing.any():
        return np.asarray(table, np.float32)
    n_values = np.maximum((~missing).sum(axis=0), 1)
    means = np.where(missing, 0, table).sum(axis=0) / n_values
    return np.asarray(np.where(missing, means, table), np.float32)


def as_bytes(features: Features) -> np.ndarray:
    """Return pixels from 0 to 1 as bytes from 0 to 255."""
    pixels: np.ndarray = np.round(np.clip(dense(features), 0, 1) * 255)
    return pixels.astype(np.uint8)


def plain(value: Any) -> Any:
    """Return numbers, lists and mappings as JSON values; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
