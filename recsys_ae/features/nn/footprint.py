"""Memory of a fit to features, estimated before the network is built."""

from scipy.sparse import csr_matrix

from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.contract import FeatureShape, FeatureSpec, TrainableFeatureSpec
from recsys_ae.nn.footprint import needed, trained


def memory(spec: FeatureSpec, features: Features, valid: Features | None = None) -> dict[str, int]:
    """Return the bytes that a fit needs besides the program and the features that were read, by purpose."""
    shape = FeatureShape(len(features), features.width, features.form)
    data = {"features": sum(_stored(table) for table in (features, valid) if table is not None)}
    if not isinstance(spec, TrainableFeatureSpec):
        return needed({**data, "matrices of the closed form": spec.memory(shape)})
    network, weights = trained(spec, shape, best=valid is not None)
    rows = min(spec.batch_size, shape.n_rows)
    # Four tables: the values as read, scaled, their mask, and corrupted.
    activations = 4 * rows * spec.kept(shape, network)
    batch = {"inputs of a batch": 4 * 4 * rows * shape.width, "activations of a batch": activations}
    return needed({**data, **weights, **batch})


def _stored(features: Features) -> int:
    """Return the bytes of features on the device of the fit."""
    if isinstance(features.matrix, csr_matrix):
        return features.matrix.nnz * 8 + len(features) * 12
    return features.matrix.size * 4
