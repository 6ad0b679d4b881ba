"""State of a fitted recommender, as it is saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
import torch
from torch import Tensor

from recsys_ae import models
from recsys_ae.cold_start.cold_start import ColdStart
from recsys_ae.data.interactions import Ids
from recsys_ae.data.origin import UntrustedRecipe
from recsys_ae.nn.history import History
from recsys_ae.nn.loading import counts, epochs_of, form_of, tensors
from recsys_ae.nn.model import Model, Shape, Spec
from recsys_ae.nn.saved import NETWORK, Saved
from recsys_ae.recommender.metadata import check_metadata
from recsys_ae.storage.artefact import Artefact


@dataclass(frozen=True, eq=False)
class Fitted(Saved):
    """State of a fitted recommender; the attributes are those of `Recommender`."""

    kind = "recommender"
    registry = models.registry

    spec: Spec
    network: Model
    popularity: Tensor
    items: Ids
    users: Ids
    cold_start: ColdStart | None
    history: History
    metadata: dict[str, Any]
    notes: Mapping[str, Any]

    def own(self) -> Artefact:
        """Return the ids, the popularity of the items, and the parameters that rank cold items."""
        config: dict[str, Any] = {"shape": [self.metadata["users"], len(self.items)]}
        state, columns = {"popularity": self.popularity}, pd.Index([])
        if self.cold_start is not None:
            columns, config["form"] = self.cold_start.columns, list(self.cold_start.form)
            state |= self.cold_start.state()
        return Artefact(config, self.items, state, {}, self.users, columns=columns)

    @classmethod
    def shape(cls, stored: Artefact) -> Shape:
        """Return the numbers of users, items and item features; a `ValueError` if the ids are not as many."""
        n_rows, width = counts(stored.config["shape"], 2, "the shape of its network")
        if width != len(stored.items):
            raise ValueError(f"size mismatch: its network has {width:,} items, and {len(stored.items):,} have ids")
        return Shape(n_rows, width, len(stored.columns))

    @classmethod
    def of(cls, spec: Spec, network: Model, stored: Artefact) -> Self:
        """Return the state of a saved model; a `ValueError` if its parts do not fit together."""
        config, state = stored.config, dict(stored.state)
        shape, popularity = cls.shape(stored), state.pop("popularity")
        if (popularity.dtype, popularity.shape) != (torch.float32, (shape.width,)):
            raise ValueError("the tensor popularity is not a number for each item")
        if len(stored.users) != (shape.n_rows if network.knows_users else 0):
            raise ValueError(f"there are ids of {len(stored.users):,} users, which are not those of its network")
        check_metadata(config["facts"], shape)
        cold_start = ColdStart.restored(stored.columns, form_of(config.get("form", []), shape.features), state)
        _check_cold_start(cold_start, network, shape)
        if strange := sorted(state.keys() - tensors(NETWORK, network).keys()):
            raise ValueError(f"the tensor {strange[0]} is not part of the model")
        learnt = network, popularity, stored.items, stored.users, cold_start
        history = History.replayed(epochs_of(config["history"]), spec.monitor)
        notes = UntrustedRecipe.of(stored.notes, stored.doubt)
        return cls(spec, *learnt, history, config["facts"], notes)


def _check_cold_start(cold_start: ColdStart | None, network: Model, shape: Shape) -> None:
    """Raise a `ValueError` if the map from features to weights is not one of this network's weights."""
    if (cold_start is None) != (shape.features == 0):
        raise ValueError("the columns of the item features and their scaling do not fit together")
    if cold_start is None or (cold_start.map is None) != network.learns_from_features:
        if cold_start is not None:
            raise ValueError("the map from item features to weights is missing, or one too many")
        return
    if cold_start.map is not None:
        with torch.no_grad():
            size = network.item_weights().shape[1]
        if cold_start.map.matrix.shape != (shape.features, size):
            raise ValueError("the map from item features is not one to the weights of the items")
