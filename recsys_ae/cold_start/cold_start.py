"""Cold-start scoring: item features of a fit, and weights of cold items from their features."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import torch
from scipy.sparse import csr_matrix, issparse
from torch import Tensor

from recsys_ae.cold_start import warm_start
from recsys_ae.cold_start.feature_map import ItemMap
from recsys_ae.cold_start.item_features import ItemFeatures, dense
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.data.interactions import Ids
from recsys_ae.features.data.features import Features, Form
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Columns, Scaling
from recsys_ae.nn.loading import fill
from recsys_ae.nn.model import Model
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run

SCALING, MAP = "scaling.", "map."


@dataclass(frozen=True, eq=False)
class ColdStart:
    """Map from the features of cold items to the weights that a network scores them by.

    Attributes
    ----------
    columns, form
        Names of the features of the training, and the form of a row.
    scaling
        Scaling of the columns, learnt from the training.
    map
        Map from scaled features to weights; None if the network computes the weights itself.
    """

    columns: Ids
    form: Form
    scaling: Scaling
    map: ItemMap | None

    @classmethod
    def learn(cls, network: Model, rows: Rows, start: "Start", generator: torch.Generator) -> Self:
        """Return the map, learnt from the items with features and the training rows ``rows``."""
        items, learns_weights = start.items, network.learns_from_features
        item_map = None if learns_weights else ItemMap.learn(network, rows, items, generator)
        return cls(start.columns, items.rows.form, items.rows.scaling, item_map)

    @torch.no_grad()
    def weights(self, network: Model, features: Features) -> Tensor:
        """Return the weights of items with these features, ``(m, p)``."""
        rows = FeatureRows.of(features.fitting(self.columns, self.form), self.scaling, self.scaling.centre.device)
        if self.map is None:
            return network.weights_of(dense(rows))
        weights: Tensor = self.map(rows)
        return weights

    def state(self) -> dict[str, Tensor]:
        """Return scaling and map as named tensors."""
        state = {f"{SCALING}{name}": tensor for name, tensor in self.scaling.state_dict().items()}
        learnt = {} if self.map is None else self.map.state_dict()
        return state | {f"{MAP}{name}": tensor for name, tensor in learnt.items()}

    @classmethod
    def restored(cls, columns: Ids, form: Form, state: dict[str, Tensor]) -> "ColdStart | None":
        """Remove the tensors of `state` from a saved state, and return the map; None if there are none."""
        own = {name: state.pop(name) for name in list(state) if name.startswith((SCALING, MAP))}
        if not own:
            return None
        matrix = own.get(f"{MAP}matrix")
        with torch.device("meta"):
            scaling = Scaling(len(columns))
            item_map = None if matrix is None else ItemMap(*matrix.shape)
        fill(SCALING.removesuffix("."), scaling, own)
        if item_map is not None:
            fill(MAP.removesuffix("."), item_map, own)
        return cls(columns, form, scaling, item_map)


@dataclass(frozen=True, eq=False)
class Start:
    """Item features at the start of a fit, and remarks on them."""

    items: ItemFeatures
    columns: Ids
    remarks: tuple[str, ...]
    fingerprint: str

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata that are saved with the model, as JSON."""
        return {"item_vectors": self.fingerprint, "remarks": list(self.remarks)}


def begin(network: Model, features: Features | None, items: Ids, run: Run) -> Start | None:
    """Initialise a network with features of its items; return them, or None if there are no features.

    Raises
    ------
    ConfigError
        If the network needs features, and there are none.
    UnsupportedError
        If there are features, and the network cannot use them.
    """
    if features is None:
        network.do_without_features()
        return None
    start = known(network, features, items, run.torch_device)
    warm_start.start(network, start.items, run.generator())
    if network.item_tables() or network.learns_from_features:
        return start
    remark = "item features do not initialise weights of this model; they are used to rank cold items"
    return dataclasses.replace(start, remarks=(*start.remarks, remark))


def known(network: Model, features: Features, items: Ids, device: torch.device) -> Start:
    """Return the features of a network's items; raise `UnsupportedError` if the network cannot use them."""
    if type(network).score_new is Model.score_new:
        network.item_weights()  # raises an error with the reason
    of_items = features.of(items)
    remarks = (*of_items.remarks, *Columns.of(of_items).remarks(of_items))
    return Start(ItemFeatures.of(of_items, items, device), features.columns, remarks, of_items.fingerprint)


def padded(matrix: Any, n_more: int) -> Any:
    """Return a sparse matrix ``(n, n_items)`` with ``n_more`` empty columns added; return other objects unchanged."""
    if not issparse(matrix):
        return matrix
    csr = canonical(matrix)
    arrays: Any = csr.data, csr.indices, csr.indptr
    return csr_matrix(arrays, shape=(csr.shape[0], csr.shape[1] + n_more))
