"""Measures of the code: its neighbourhoods, a map of it, and retrieval by it."""

import numpy as np

from recsys_ae.features.analysis import nearest, quality
from recsys_ae.features.analysis.neighbours import knn_accuracy
from recsys_ae.features.analysis.retrieval import retrieval
from recsys_ae.features.study.encoded import Case, as_bytes, dense, plain
from recsys_ae.features.study.store import Measured
from recsys_ae.features.study.umap import umap_map

NEAREST = 5
"""Neighbours that vote on a label, the usual number for digits."""
SHOWN = 6


def structure(case: Case) -> Measured:
    """Compare distances and neighbourhoods of the codes with those of the rows."""
    rows = case.data.test.drawn(case.sizes.structure)
    labels = None if rows.labels is None else np.unique(rows.told, return_inverse=True)[1]
    return Measured(plain(quality(dense(rows.features), case.codes(rows), labels, k=case.sizes.k)))


def latent_map(case: Case) -> Measured:
    """Map the codes to the plane by UMAP, without their labels."""
    rows = case.data.test.drawn(case.sizes.map)
    arrays = {"places": umap_map(case.codes(rows))}
    if rows.labels is not None:
        arrays["labels"] = rows.told
    if case.data.pictures:
        arrays["pictures"] = as_bytes(rows.features)
    return Measured({"ids": case.data.called(rows.features.ids), "rows": len(rows)}, arrays)


def neighbours(case: Case) -> Measured:
    """Measure the accuracy of the votes of the nearest training codes on the labels of the test rows."""
    test, pool = case.data.test.labelled(), case.pool
    accuracy = knn_accuracy(case.pool_codes, pool.told, case.codes(test), test.told, k=NEAREST)
    return Measured(plain({"accuracy": accuracy, "k": NEAREST, "pool": len(pool), "rows": len(test)}))


def found(case: Case) -> Measured:
    """Measure the retrieval of test rows: rank them by the distance of their codes from the code of a query."""
    test = case.data.test.labelled()
    codes = case.codes(test)
    n = min(case.sizes.queries or len(test), len(test))
    queries = np.sort(np.random.default_rng(0).permutation(len(test))[:n])
    numbers = retrieval(codes, test.told, k=10, queries=queries)
    shown = queries[:: max(len(queries) // SHOWN, 1)][:SHOWN]
    near = nearest(codes, codes[shown], 11)
    # A row is nearest to itself, unless another row is equal to it.
    near = np.stack([row[row != query][:10] for row, query in zip(near, shown, strict=True)])
    ids = case.data.called(test.features.ids)
    ranked = [
        {"query": ids[query], "found": [ids[position] for position in row]}
        for query, row in zip(shown, near, strict=True)
    ]
    arrays = {}
    if case.data.pictures:
        pixels = as_bytes(test.features)
        arrays["queries"], arrays["found"] = pixels[shown], pixels[near]
        arrays["right"] = test.told[near] == test.told[shown][:, None]
    return Measured(plain({**numbers, "examples": ranked}), arrays)
