"""Measures of the code itself: its neighbourhoods, a map of it, and what is found by it."""

import numpy as np

from recsys_ae.features.analysis import nearest, quality
from recsys_ae.features.analysis.neighbours import knn_accuracy
from recsys_ae.features.analysis.retrieval import retrieval
from recsys_ae.features.study.encoded import Case, as_bytes, dense, plain
from recsys_ae.features.study.store import Measured
from recsys_ae.features.study.umap import umap_map

NEAREST = 5
"""Neighbours that vote on a label, as is usual for digits."""
SHOWN = 6


def structure(case: Case) -> Measured:
    """Compare distances and neighbourhoods of the codes with those of the rows."""
    part = case.data.test.drawn(case.sizes.structure)
    labels = None if part.labels is None else np.unique(part.told, return_inverse=True)[1]
    return Measured(plain(quality(dense(part.features), case.codes(part), labels, k=case.sizes.k)))


def latent_map(case: Case) -> Measured:
    """Lay the codes out in a plane by UMAP, without their labels."""
    part = case.data.test.drawn(case.sizes.map)
    arrays = {"places": umap_map(case.codes(part))}
    if part.labels is not None:
        arrays["labels"] = part.told
    if case.data.pictures:
        arrays["pictures"] = as_bytes(part.features)
    return Measured({"ids": case.data.called(part.features.ids), "rows": len(part)}, arrays)


def neighbours(case: Case) -> Measured:
    """Let the nearest training codes vote on the label of each test code."""
    test, pool = case.data.test.labelled(), case.pool
    found = knn_accuracy(case.pool_codes, pool.told, case.codes(test), test.told, k=NEAREST)
    return Measured(plain({"accuracy": found, "k": NEAREST, "pool": len(pool), "rows": len(test)}))


def found(case: Case) -> Measured:
    """Rank the test rows by the distance of their codes from that of one of them."""
    test = case.data.test.labelled()
    codes = case.codes(test)
    n = min(case.sizes.queries or len(test), len(test))
    queries = np.sort(np.random.default_rng(0).permutation(len(test))[:n])
    numbers = retrieval(codes, test.told, k=10, queries=queries)
    shown = queries[:: max(len(queries) // SHOWN, 1)][:SHOWN]
    near = nearest(codes, codes[shown], 11)
    # A row is nearest to itself, unless it has a twin.
    near = np.stack([row[row != own][:10] for row, own in zip(near, shown, strict=True)])
    ids = case.data.called(test.features.ids)
    told = [{"query": ids[own], "found": [ids[place] for place in row]} for own, row in zip(shown, near, strict=True)]
    arrays = {}
    if case.data.pictures:
        pixels = as_bytes(test.features)
        arrays["queries"], arrays["found"] = pixels[shown], pixels[near]
        arrays["right"] = test.told[near] == test.told[shown][:, None]
    return Measured(plain({**numbers, "examples": told}), arrays)
