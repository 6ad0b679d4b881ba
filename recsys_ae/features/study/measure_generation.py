"""Measures of generated rows: from perturbed codes, from samples of the prior, and between two rows."""

from functools import lru_cache
from typing import Any

import numpy as np

from recsys_ae.features.analysis import generation
from recsys_ae.features.analysis.classifiers import Linear
from recsys_ae.features.data.features import Features
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.encoded import Case, as_bytes, dense, plain
from recsys_ae.features.study.store import Measured

NEAREST = 3
BETWEEN = 9
PAIRS = 4
TAUGHT = 5000
"""Training rows of the classifier that rates generated rows."""


def made(case: Case) -> Measured:
    """Perturb codes, draw samples and interpolate between rows; measure the quality of the decoded rows."""
    model, sizes = case.model, case.sizes
    queries = case.data.test.drawn(sizes.queries)
    numbers: dict[str, Any] = {"shares": generation.perturbation(model, queries.features, sizes.shares, seed=0)}
    quality = _Quality(case)
    ranges = _ranges(case.codes(queries))
    codes = case.codes(case.data.test.drawn(sizes.made))
    numbers["quality"] = {
        f"{share:g}": quality(model.decode(generation.perturbed(codes, share, ranges=ranges, seed=0)))
        for share in sizes.shares
    }
    arrays = {}
    if case.data.pictures:
        few = case.codes(case.examples)
        rows = [model.decode(generation.perturbed(few, share, ranges=ranges, seed=0)) for share in sizes.shares]
        arrays["perturbed"] = np.stack([as_bytes(row) for row in rows])
        ends = [case.examples.take(np.array([2 * n, 2 * n + 1])) for n in range(min(PAIRS, len(case.examples) // 2))]
        arrays["between"] = np.stack([as_bytes(model.interpolate(pair.features, BETWEEN)) for pair in ends])
    if _can_sample(case):
        drawn = model.sample(sizes.made, seed=0)
        numbers["samples"] = quality(drawn)
        if case.data.pictures:
            arrays["samples"] = as_bytes(drawn.take(np.arange(min(40, len(drawn)))))
    return Measured(plain(numbers), arrays)


def _can_sample(case: Case) -> bool:
    network, spec = case.model.network, case.model.spec
    return network.generative or getattr(spec, "code", "") == "variational"


def _ranges(codes: np.ndarray) -> np.ndarray:
    """Return the range of each dimension of the codes, ``(latent,)``."""
    spread: np.ndarray = codes.max(axis=0) - codes.min(axis=0)
    return spread


class _Quality:
    """Quality of generated rows: their precision and recall, and the confidence of a classifier."""

    def __init__(self, case: Case) -> None:
        real = case.data.pool.drawn(case.sizes.made)
        self.real = dense(real.features)
        self.classifier = classifier(case.data) if len(case.data.classes) > 1 else None

    def __call__(self, rows: Features) -> dict[str, float]:
        """Return the quality of rows."""
        table = dense(rows)
        quality: dict[str, float] = generation.precision_recall(self.real, table, k=NEAREST)._asdict()
        if self.classifier is not None:
            quality["confidence"] = float(np.mean(generation.confidence(self.classifier, table)))
        return quality


@lru_cache(maxsize=2)
def classifier(data: StudyData) -> Linear:
    """Return a classifier that is fitted to `TAUGHT` labelled rows, the same for all encoders."""
    rows = data.pool.labelled().of_labels(data.classes).drawn(TAUGHT)
    return Linear(dense(rows.features), rows.told)
