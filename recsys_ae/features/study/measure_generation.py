"""Measures of what can be made: rows from perturbed codes, samples, and rows between two rows."""

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
"""Rows that the classifier learns from."""


def made(case: Case) -> Measured:
    """Perturb codes, draw samples and go from row to row: how far off it is, how good, and what it looks like."""
    model, sizes = case.model, case.sizes
    part = case.data.test.drawn(sizes.queries)
    numbers: dict[str, Any] = {"shares": generation.perturbation(model, part.features, sizes.shares, seed=0)}
    judge = _Judge(case)
    ranges = _ranges(case.codes(part))
    codes = case.codes(case.data.test.drawn(sizes.made))
    numbers["quality"] = {
        f"{share:g}": judge(model.decode(generation.perturbed(codes, share, ranges=ranges, seed=0)))
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
        numbers["samples"] = judge(drawn)
        if case.data.pictures:
            arrays["samples"] = as_bytes(drawn.take(np.arange(min(40, len(drawn)))))
    return Measured(plain(numbers), arrays)


def _can_sample(case: Case) -> bool:
    network, spec = case.model.network, case.model.spec
    return network.generative or getattr(spec, "code", "") == "variational"


def _ranges(codes: np.ndarray) -> np.ndarray:
    """Return the range of each number of the codes, ``(latent,)``."""
    spread: np.ndarray = codes.max(axis=0) - codes.min(axis=0)
    return spread


class _Judge:
    """Says how good rows are that were made: how sure a classifier is of them, and whose neighbours they are."""

    def __init__(self, case: Case) -> None:
        real = case.data.pool.drawn(case.sizes.made)
        self.real = dense(real.features)
        self.classifier = classifier(case.data) if len(case.data.classes) > 1 else None

    def __call__(self, rows: Features) -> dict[str, float]:
        """Measure rows."""
        table = dense(rows)
        found: dict[str, float] = generation.precision_recall(self.real, table, k=NEAREST)._asdict()
        if self.classifier is not None:
            found["confidence"] = float(np.mean(generation.confidence(self.classifier, table)))
        return found


@lru_cache(maxsize=2)
def classifier(data: StudyData) -> Linear:
    """Return a classifier of some of the labelled rows, the same for all encoders."""
    part = data.pool.labelled().of_labels(data.classes).drawn(TAUGHT)
    return Linear(dense(part.features), part.told)
