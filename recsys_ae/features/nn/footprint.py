"""What memory a fit to features needs, told before anything is built."""

from typing import Any

import torch
from scipy.sparse import csr_matrix

from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec, TrainableFeatureSpec
from recsys_ae.nn.footprint import copies


def memory(spec: FeatureSpec, features: Features, valid: Features | None = None) -> dict[str, int]:
    """Return the bytes that a fit needs beside the program and what was read, by what they are for."""
    shape = FeatureShape(len(features), features.width, features.form)
    parts = {"features": sum(_stored(one) for one in (features, valid) if one is not None)}
    if isinstance(spec, TrainableFeatureSpec):
        with torch.device("meta"):  # shapes only
            network: Any = spec.build(shape)
        rows = min(spec.batch_size, shape.n_rows)
        parts |= copies(spec, network, best=valid is not None)
        # As it was read, scaled, what of it is known, and damaged.
        parts["a batch"] = 4 * 4 * rows * shape.width
        parts["what its gradient needs"] = 4 * rows * spec.kept(shape, network)
    else:
        parts["matrices of the closed form"] = spec.memory(shape)
    return {what: size for what, size in parts.items() if size}


def _stored(features: Features) -> int:
    """Return the bytes of features where they are learnt from."""
    if isinstance(features.matrix, csr_matrix):
        return features.matrix.nnz * 8 + len(features) * 12
    return features.matrix.size * 4
