"""What a fitted model needs to score items that nobody has touched."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import torch
from scipy.sparse import csr_matrix, issparse
from torch import Tensor

from recsys_ae.cold_start import warm_start
from recsys_ae.cold_start.feature_map import ItemMap
from recsys_ae.cold_start.item_features import ItemFeatures, dense
from recsys_ae.data.interactions import Ids
from recsys_ae.features.data.features import Features, Form
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Columns, Scaling
from recsys_ae.nn.model import Model
from recsys_ae.nn.rows import Rows, canonical
from recsys_ae.nn.runtime import Run

SCALING, MAP = "scaling.", "map."


@dataclass(frozen=True, eq=False)
class ColdStart:
    """How features of an item become the weights that a network scores it by.

    Attributes
    ----------
    columns, form
        What the features of the training were called, and what a row of them was.
    scaling
        How their columns were scaled.
    map
        From scaled features to weights; None where the network itself has learnt that.
    """

    columns: Ids
    form: Form
    scaling: Scaling
    map: ItemMap | None

    @classmethod
    def learn(cls, network: Model, rows: Rows, start: "Start", generator: torch.Generator) -> Self:
        """Learn the map from the items of a training that have features; ``rows`` are the training's."""
        items, own = start.items, network.learns_from_features
        found = None if own else ItemMap.learn(network, rows, items, generator)
        return cls(start.columns, items.rows.form, items.rows.scaling, found)

    @torch.no_grad()
    def weights(self, network: Model, features: Features) -> Tensor:
        """Return the weights of items with these features, ``(m, p)``."""
        rows = FeatureRows.of(features.fitting(self.columns, self.form), self.scaling, self.scaling.centre.device)
        if self.map is None:
            return network.weights_of(dense(rows))
        found: Tensor = self.map(rows)
        return found

    def state(self) -> dict[str, Tensor]:
        """Return everything learnt."""
        state = {f"{SCALING}{name}": one for name, one in self.scaling.state_dict().items()}
        learnt = {} if self.map is None else self.map.state_dict()
        return state | {f"{MAP}{name}": one for name, one in learnt.items()}

    @classmethod
    def restored(cls, columns: Ids, form: Form, state: dict[str, Tensor]) -> "ColdStart | None":
        """Take out of a state what `state` put there; None where nothing is."""
        parts: dict[str, dict[str, Any]] = {
            part: {name.removeprefix(part): state.pop(name) for name in list(state) if name.startswith(part)}
            for part in (SCALING, MAP)
        }
        if not parts[SCALING]:
            return None
        with torch.device("meta"):
            scaling = Scaling(len(columns))
            found = ItemMap(*parts[MAP]["matrix"].shape) if parts[MAP] else None
        scaling.load_state_dict(parts[SCALING], assign=True)
        if found is not None:
            found.load_state_dict(parts[MAP], assign=True)
        return cls(columns, form, scaling, found)


@dataclass(frozen=True, eq=False)
class Start:
    """What a fit begins with: the features of its items, and what there is to say of them."""

    items: ItemFeatures
    columns: Ids
    remarks: tuple[str, ...]
    fingerprint: str

    @property
    def metadata(self) -> dict[str, Any]:
        """What is written down beside the model: JSON."""
        return {"item_vectors": self.fingerprint, "remarks": list(self.remarks)}


def begin(network: Model, features: Features | None, items: Ids, run: Run) -> Start | None:
    """Let a network begin with features of its items, where there are some.

    Raises
    ------
    ConfigError
        Where there are none, and the network needs them.
    UnsupportedError
        Where there are some, and the network has no use for them.
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
    """Return the features of a network's items, if it can make use of them."""
    if type(network).score_new is Model.score_new:
        network.item_weights()  # which says why
    own = features.of(items)
    remarks = (*own.remarks, *Columns.of(own).remarks(own))
    return Start(ItemFeatures.of(own, items, device), features.columns, remarks, own.fingerprint)


def padded(matrix: Any, more: int) -> Any:
    """Return a sparse matrix ``(n, n_items)`` with empty columns behind its own; anything else as it is."""
    if not issparse(matrix):
        return matrix
    own = canonical(matrix)
    arrays: Any = own.data, own.indices, own.indptr
    return csr_matrix(arrays, shape=(own.shape[0], own.shape[1] + more))
