"""Measures of tasks with labels: learning from few labels, and augmentation of rare classes."""

from typing import Any

import numpy as np

from recsys_ae.errors import DataError
from recsys_ae.features.analysis.few_labels import few_labels, fine_tuned
from recsys_ae.features.analysis.verification import verification
from recsys_ae.features.study.data import CLASS
from recsys_ae.features.study.encoded import Case, plain
from recsys_ae.features.study.rows import Part
from recsys_ae.features.study.store import Measured

FALL = 0.6
"""Size of a class of the verifier as a share of the next larger one."""
LEAST = 4


def pretraining(case: Case) -> Measured:
    """Measure classifiers that learn from few labels: one of the codes, and one with a fine-tuned encoder."""
    pool, test, seeds = _taught(case)
    numbers: dict[str, Any] = {
        "codes": few_labels(case.codes(pool), pool.told, case.codes(test), test.told, case.sizes.labelled, seeds=seeds)
    }
    if _trained(case):
        numbers["tuned"] = fine_tuned(
            case.model, pool.features, pool.told, test.features, test.told, case.sizes.labelled, seeds=seeds
        )
    return Measured(plain(numbers))


def untrained(case: Case) -> Measured:
    """Measure the fine-tuned classifier from random weights, to show the gain of pretraining without labels."""
    if not _trained(case):
        return Measured({})
    pool, test, seeds = _taught(case)
    accuracies = fine_tuned(
        case.model.untrained(), pool.features, pool.told, test.features, test.told, case.sizes.labelled, seeds=seeds
    )
    return Measured(plain({"tuned": accuracies}))


def _trained(case: Case) -> bool:
    return case.encoder is not None and any(True for _ in case.encoder.network.parameters())


def _taught(case: Case) -> tuple[Part, Part, tuple[int, ...]]:
    """Return the training and test rows of a classifier, and the random seeds of the draws of labels."""
    classes = case.data.classes
    if len(classes) < 2:
        raise DataError(f"{len(classes)} labels have at least {CLASS} rows; a classifier needs two such labels")
    pool, test = (rows.of_labels(classes) for rows in (case.pool, case.data.test.labelled()))
    return pool, test, tuple(range(case.sizes.repeats))


def augmentation(case: Case) -> Measured:
    """Measure a verifier of whether two rows share a label, with and without generated rows of rare classes."""
    sizes, test = case.sizes, case.queries
    train = rare(case.pool, sizes.rare)

    def auc(**how: Any) -> list[float]:
        return [
            float(verification(
                case.model, train.features, train.told, test.features, test.told, seed=seed, **how
            ))
            for seed in range(sizes.repeats)
        ]  # fmt: skip

    most = max(sizes.minima)
    numbers = {
        "baseline": auc(share=0.0),
        "by_share": [
            {"share": share, "minimum": most, "auc": auc(share=share, minimum=most)} for share in sizes.shares
        ],
        "by_minimum": [{"share": 0.2, "minimum": n, "auc": auc(share=0.2, minimum=n)} for n in sizes.minima if n],
        "per_real": [{"share": share, "auc": auc(share=share, per_real=1)} for share in sizes.shares],
        "classes": np.unique(train.told, return_counts=True)[1],
    }
    return Measured(plain(numbers))


def rare(rows: Part, largest: int) -> Part:
    """Return rows whose classes get smaller by the factor `FALL`, from ``largest`` on; all rows if it is 0."""
    if not largest or rows.labels is None:
        return rows
    labels = rows.told
    names, counts = np.unique(labels, return_counts=True)
    positions = []
    for rank, name in enumerate(names[np.lexsort((names, -counts))]):
        n = max(round(largest * FALL**rank), LEAST)
        positions.append(np.flatnonzero(labels == name)[:n])
    return rows.take(np.sort(np.concatenate(positions)))
