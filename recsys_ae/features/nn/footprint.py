"""Memory of a fit to features, estimated before anything is built."""

from scipy.sparse import csr_matrix

from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec, TrainableFeatureSpec
from recsys_ae.nn.footprint import needed, trained


def memory(spec: FeatureSpec, features: Features, valid: Features | None = None) -> dict[str, int]:
    """Return the bytes that a fit needs besides the program and what was read, by what they are for."""
    shape = FeatureShape(len(features), features.width, features.form)
    data = {"features": sum(_stored(one) for one in (features, valid) if one is not None)}
    if not isinstance(spec, TrainableFeatureSpec):
        return needed({**data, "matrices of the closed form": spec.memory(shape)})
    network, weights = trained(spec, shape, best=valid is not None)
    rows = min(spec.batch_size, shape.n_rows)
    # As it was read, scaled, what of it is known, and corrupted.
    activations = 4 * rows * spec.kept(shape, network)
    batch = {"inputs of a batch": 4 * 4 * rows * shape.width, "activations of a batch": activations}
    return needed({**data, **weights, **batch})


def _stored(features: Features) -> int:
    """Return the bytes of features where they are learnt from."""
    if isinstance(features.matrix, csr_matrix):
        return features.matrix.nnz * 8 + len(features) * 12
    return features.matrix.size * 4
