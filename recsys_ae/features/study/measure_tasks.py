"""The applications of a code beside finding: learning from few labels, and members made for rare classes."""

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
"""Members of a class of the verifier beside those of the next larger one."""
LEAST = 4


def pretraining(case: Case) -> Measured:
    """Classify by few labels: from the codes, and with the encoder trained on."""
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
    """Classify by few labels with the same network from random weights: what training without labels adds to that."""
    if not _trained(case):
        return Measured({})
    pool, test, seeds = _taught(case)
    found = fine_tuned(
        case.model.untrained(), pool.features, pool.told, test.features, test.told, case.sizes.labelled, seeds=seeds
    )
    return Measured(plain({"tuned": found}))


def _trained(case: Case) -> bool:
    return case.encoder is not None and any(True for _ in case.encoder.network.parameters())


def _taught(case: Case) -> tuple[Part, Part, tuple[int, ...]]:
    """Return the rows that a classifier learns from and is measured on, and the seeds that labels are drawn with."""
    classes = case.data.classes
    if len(classes) < 2:
        raise DataError(f"{len(classes)} labels have at least {CLASS} rows; a classifier needs two such labels")
    pool, test = (part.of_labels(classes) for part in (case.pool, case.data.test.labelled()))
    return pool, test, tuple(range(case.sizes.repeats))


def augmentation(case: Case) -> Measured:
    """Verify whether two rows share a label, with members of rare classes made by perturbed codes, and without."""
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


def rare(part: Part, largest: int) -> Part:
    """Return rows whose classes have fewer and fewer members, from the largest of so many; all rows where it is 0."""
    if not largest or part.labels is None:
        return part
    labels = part.told
    names, counts = np.unique(labels, return_counts=True)
    kept = []
    for place, name in enumerate(names[np.lexsort((names, -counts))]):
        n = max(round(largest * FALL**place), LEAST)
        kept.append(np.flatnonzero(labels == name)[:n])
    return part.take(np.sort(np.concatenate(kept)))
