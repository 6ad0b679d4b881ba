"""Counts of interactions and networks fitted to them, for comparisons with the package implicit."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys_ae.nn.model import Model, Shape, Spec
from recsys_ae.nn.runtime import Run
from tests.nn.small import rows_of

Float = NDArray[np.float64]


def counts(n: int, width: int, seed: int) -> csr_matrix:
    """Return values of 0.25 to 4; the last item has no interactions, and every user has some."""
    rng = np.random.default_rng(seed)
    dense = rng.choice([0.25, 0.5, 1, 2, 4], (n, width)) * (rng.random((n, width)) < 0.3)
    dense[:, 0] += dense.sum(axis=1) == 0
    dense[:, -1] = 0
    return csr_matrix(dense.astype(np.float32))


DATA, UNKNOWN = counts(60, 14, seed=1), counts(9, 14, seed=2)


def learnt(spec: Spec, data: csr_matrix = DATA, **run: int) -> Model:
    network = spec.build(Shape(*data.shape))
    assert network.learn(rows_of(data), Run(device="cpu", **run)) == []  # type: ignore[arg-type]
    return network


def scores(network: Model, histories: csr_matrix) -> NDArray[np.float32]:
    with torch.inference_mode():
        return network(rows_of(histories)).numpy()  # type: ignore[no-any-return]
